"""The shipped models, made by ``python -m core.pretrained``, each with the log of its training run.

Models of points are complete checkpoints, so that they can be trained further; the others contain the moving average of
the weights only.
"""

from pathlib import Path
from typing import Any

import torch

from core.data.images import ImageSet, pixels
from core.data.people import PeopleSet
from core.data.points import BUILT_IN, PointSet, make_points
from core.models import flows as flow_model
from core.models import images as image_model
from core.models.clip import ClipConfig
from core.models.clip_words import WordsConfig
from core.models.digit_judge import DigitJudgeConfig
from core.models.flows import LIVE_FLOW, LIVE_REFLOW, FlowConfig
from core.models.images import ImageConfig
from core.models.latent import AutoencoderConfig, LatentConfig
from core.models.people_judge import JudgeConfig
from core.models.points import REFERENCE, PointConfig
from core.models.sources import load
from core.models.trajectories import PointModel
from core.models.unclip import DecoderConfig, PriorConfig
from core.models.video import VideoConfig
from core.models.video_judge import JudgeConfig as VideoJudgeConfig
from core.models.video_text import TextConfig
from core.problems import Problem
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint, load_folder

FOLDER = Path(__file__).parent
N = 100

WEAK = PointConfig("plain", "eps", "log-linear", batch=200, lr=1e-3, steps=3_000, decay_from=15_000, conditional=True)

POINT_CONFIGS: dict[str, tuple[str, PointConfig]] = {
    **{name: (name, PointConfig()) for name in BUILT_IN},
    "spiral-100-reference": ("spiral", REFERENCE),
    "spiral-100-fourier": ("spiral", PointConfig(endless=False, batch=512, steps=15_000)),
    "spiral-100-classes": ("spiral", PointConfig(endless=False, conditional=True)),
    "spiral-classes-strong": ("spiral", PointConfig(conditional=True)),
    "spiral-classes-weak": ("spiral", WEAK),
    **{
        f"spiral-classes-{steps}": ("spiral", PointConfig(conditional=True, steps=steps))
        for steps in (50, 100, 200, 500)
    },
    "spiral-classes-told": ("spiral", PointConfig(conditional=True, steps=2_000, label_dropout=0.0)),
}
"""Checkpoint name to (data set, configuration). The learning rate does not depend on the number of steps, so
"spiral-classes-100" is the run of "spiral-classes-strong", stopped after 100 steps. "spiral-classes-told" was trained
with every label."""

SPIRAL_FLOWS: dict[str, FlowConfig] = {
    "spiral-flow": FlowConfig(steps=12_000),
    "spiral-flow-transport": FlowConfig(
        coupling="optimal_transport", transport_batch=512, stored_pairs=153_600, steps=7_000
    ),
    "spiral-flow-reflow": FlowConfig(own_paths_from=4_000, paths=60_000, steps=13_500, noise="u-shaped"),
    "spiral-flow-chords": FlowConfig(objective="path_chords", own_paths_from=5_000, steps=14_000),
    "spiral-flow-mean": FlowConfig(
        objective="mean_flow", coupling="optimal_transport", stored_pairs=192_000, steps=5_500, lr=6e-3
    ),
    "spiral-flow-mean-independent": FlowConfig(objective="mean_flow", steps=6_000),
}
"""Checkpoint name to configuration of the flow models from noise to the endless spiral, each trained within about a
minute of one core (see ``core.models.flows``)."""

FLOW_CONFIGS: dict[str, tuple[str | None, str, FlowConfig]] = {
    **{name: (None, "spiral", config) for name, config in SPIRAL_FLOWS.items()},
    "moons-to-spiral": ("moons", "spiral", LIVE_FLOW),
    "spiral-flow-live": (None, "spiral", LIVE_REFLOW),
}
"""Checkpoint name to (source or None for noise, data set, configuration)."""

IMAGE_CONFIGS: dict[str, tuple[str, ImageConfig]] = {
    "digits": ("digits", ImageConfig(size="tiny", batch=64, steps=6_000, lr=5e-3)),
    "fashion": ("fashion", ImageConfig(size="small", batch=64, steps=3_000, lr=2e-3)),
    # Bright images of large even shapes: more is decided at high noise, and at low, than with the default.
    "emoji": ("emoji", ImageConfig(size="patched", batch=64, steps=18_000, lr=1.5e-3, mean=-0.5, std=1.4, flip=False)),
    "people": ("people", ImageConfig(size="patched", batch=64, steps=24_000, lr=1.5e-3, mean=-0.6, std=1.4)),
}
"""Checkpoint name to (data set, configuration)."""

_LIGHT = ImageConfig(size="light", batch=64, steps=6_000, lr=2e-3, mean=-0.6, std=1.4, label_dropout=1.0)
PEOPLE_CONFIGS: dict[str, tuple[int | None, ImageConfig]] = {
    "people-10": (10, _LIGHT),
    "people-100": (100, _LIGHT),
    "people-1000": (1_000, _LIGHT),
    "people-10000": (10_000, _LIGHT),
    "people-endless": (None, _LIGHT),
}
"""Checkpoint name to (number of people or None without end, configuration): one network, given no attributes, that
memorises few people and learns from many."""

PEOPLE = 10_240  # of the endless people of a training run, those that its samples are compared with

JUDGE_CONFIGS = {"people-judge": JudgeConfig(), "digits-judge": DigitJudgeConfig()}
"""Checkpoint name to configuration of the networks that read the attributes of people, and digits."""

AUTOENCODER_CONFIGS: dict[str, tuple[str, AutoencoderConfig]] = {
    "digits-autoencoder": ("digits", AutoencoderConfig()),
    "digits-autoencoder-kl0": ("digits", AutoencoderConfig(kl=0.0)),
    "digits-autoencoder-kl1": ("digits", AutoencoderConfig(kl=1.0)),
    "digits-autoencoder-kl2": ("digits", AutoencoderConfig(kl=2.0)),
    "people-autoencoder": ("people", AutoencoderConfig()),
}
"""Checkpoint name to (data set, configuration)."""

LATENT_CONFIGS: dict[str, tuple[str, LatentConfig]] = {
    "digits-latent": ("digits-autoencoder", LatentConfig()),
    "people-latent": ("people-autoencoder", LatentConfig()),
}
"""Checkpoint name to (autoencoder, configuration of the diffusion model of its latents)."""

VIDEO_CONFIGS: dict[str, TextConfig | VideoConfig | VideoJudgeConfig] = {
    "video-text": TextConfig(),
    "video": VideoConfig(),
    "video-judge": VideoJudgeConfig("clips"),
    "video-frame-judge": VideoJudgeConfig("frames", batch=32, noise=0.1, steps=2_500),
}
"""Checkpoint name to configuration of the text encoder of the video model, of that model, and of its judges."""

HALF = (
    "emoji", "fashion", "prior", "decoder",
    "people", "people-judge", "people-prior", "people-decoder", *PEOPLE_CONFIGS, *AUTOENCODER_CONFIGS, *LATENT_CONFIGS,
    *VIDEO_CONFIGS,
)  # fmt: skip
"""The shipped models whose weights are stored in half precision."""

CAPTION_CONFIGS: dict[str, ClipConfig | PriorConfig | DecoderConfig] = {
    "clip": ClipConfig(),
    "judge": ClipConfig(seed=1),
    "prior": PriorConfig(),
    "decoder": DecoderConfig(),
    # Captions are drawn anew without end, and the parts of people stay where they are.
    "people-clip": ClipConfig(batch=256, steps=4_000, weight_decay=0.05, shift=0, neighbours=5),
    "people-prior": PriorConfig(batch=128, steps=4_000),
    # It begins as the image model of people; noise of 0.4 would hide colours of hats and hair.
    "people-decoder": DecoderConfig(steps=2_000, lr=5e-4, warmup=100, blur=0.2),
}
"""Checkpoint name to configuration. The judge evaluates the others."""

WORDS_CONFIGS = {"clip": WordsConfig()}
"""Checkpoint name to how its text encoder learned the words of the Chinese names of emoji afterwards; made by
``python -m core.pretrained clip-words``."""

CAPTION_SOURCES: dict[str, dict[str, Any]] = {
    "people-clip": {"data": "people"},
    "people-prior": {"data": "people", "encoders": FOLDER / "people-clip"},
    "people-decoder": {"data": "people", "encoders": FOLDER / "people-clip", "start": FOLDER / "people"},
}
"""Checkpoint name to what it is trained on and begins with; all others on the emoji and their captions."""


class NotShipped(Problem, KeyError):
    """There is no shipped checkpoint of that name."""


@shared_cache(None)
def pretrained(name: str) -> Checkpoint:
    """The shipped checkpoint of that name. It is shared, and must not be trained further in place.

    Raises NotShipped, a KeyError, for another name.
    """
    known = [*POINT_CONFIGS, *FLOW_CONFIGS, *IMAGE_CONFIGS, *PEOPLE_CONFIGS, *CAPTION_CONFIGS, *JUDGE_CONFIGS,
             *AUTOENCODER_CONFIGS, *LATENT_CONFIGS, *VIDEO_CONFIGS]  # fmt: skip
    if name not in known:
        raise NotShipped("not_shipped", name=name, known=", ".join(known))
    return load_folder(FOLDER / name)


def is_shipped(name: str) -> bool:
    """Whether the checkpoint of that name has been trained and is part of the project."""
    return (FOLDER / name).is_dir()


def find(data: str, n: int, config: PointConfig) -> str | None:
    """The name of the shipped checkpoint of this configuration on this data set of n points, None if there is none."""
    if not config.endless and n != N:
        return None
    return next(
        (name for name, made in POINT_CONFIGS.items() if made == (data, config) and (FOLDER / name).is_dir()), None
    )


def points_of(name: str) -> PointSet:
    """The data set that a shipped checkpoint was trained on."""
    return make_points(POINT_CONFIGS[name][0], N)


@shared_cache(None)
def shipped(name: str) -> PointModel:
    """A shipped model of points with its data. Raises KeyError for any other name.

    A flow model, which was trained in units of the data's root mean square, is brought to the size of its data.
    """
    if name in SPIRAL_FLOWS:
        points = make_points("spiral", N)
        checkpoint = pretrained(name)
        denoise = flow_model.at_scale(checkpoint.denoiser, points.rms)
        return PointModel(name, denoise, points, endless=True, ends=flow_model.is_told_ends(checkpoint.config))
    return PointModel(name, pretrained(name).denoiser, points_of(name), POINT_CONFIGS[name][1].endless)


@shared_cache(None)
def images_of(name: str, split: str = "train") -> ImageSet:
    """The images that a shipped checkpoint was trained on; of people, who have no end, the first ``PEOPLE`` pictures of
    its training, drawn again. Raises Problem for a ``split`` that they do not have."""
    data, config = IMAGE_CONFIGS[name]
    if data != "people" or split != "train":
        return load(data, split=split)
    batches = image_model.batches(config, PeopleSet())
    drawn = torch.cat([pixels(batches(step)[0]) for step in range(PEOPLE // config.batch)])
    return ImageSet(data, drawn, None, (), flip=False)
