"""Text to video: a flow model of clips, conditioned on a caption. One configuration is one run in one folder.

The network begins as the shipped image model of people (``begin``), and learns the flow target at noise levels that are
shifted up: the frames of a clip repeat each other, so that more noise is needed to hide it (Esser et al. 2024, section
5.3.2, of large images).
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from core import seeds
from core.data import people, people_captions, video, video_captions
from core.data.images import unit
from core.data.people import ATTRIBUTES, SIDE
from core.data.video import FRAMES, SHAPE, Clips
from core.diffusion import samplers
from core.diffusion.denoiser import Cond, Denoise, Denoiser, in_chunks, per_sample
from core.diffusion.guidance import condition, lerp
from core.diffusion.samplers import SamplerConfig, Step
from core.diffusion.schedules import Schedule, logit_normal
from core.diffusion.training import Batches, TrainConfig, TrainState, as_dict
from core.models import images as image_model
from core.models.clip import tokenizer_of
from core.models.images import MAX_BATCH, check_shares, check_type, train_diffusion
from core.models.video_text import GROUPS, TextEncoder, drawn
from core.networks.unet import MAX_COLOURS, UNet
from core.networks.video import VideoUNet
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint
from core.runs.distributed import ALONE, Losses, Team

SIGMA_MIN, SIGMA_MAX = 0.01, 80.0
STEPS, SAMPLER = 20, "ddpm"
CHUNK = 64  # clips in one call of the network
_PLACE = 0x51DE4  # keeps the draws of a run apart from all others


@dataclass(frozen=True)
class VideoConfig:
    """How to train a video model; together with its text encoder and the network that it begins with, all that decides
    a run.

    Attributes:
        width: channels of the network's top level.
        mean, std: mean and standard deviation of log sigma in training, before the shift.
        shift: factor of all noise levels, in training and in sampling.
        apart: share of the clips that are trained on as separate frames, without attention across time.
        label_dropout: probability with which a clip is trained on without its caption.
        between: the weight in the loss of what differs between frames, where their mean has the weight 1 (see
            ``clip_loss``).
        palette: how many colours of people the denoiser knows (``diffusion.palette``); 0 for none.
        batch, accumulate, steps, lr, warmup, clip, ema, seed: as in ``core.models.images.ImageConfig``.
    """

    width: int = 64
    mean: float = -1.0
    std: float = 1.4
    shift: float = 2.5
    apart: float = 0.125
    label_dropout: float = 0.1
    between: float = 4.0
    palette: int = 192
    batch: int = 32
    accumulate: int = 1
    steps: int = 9_200
    lr: float = 1e-3
    warmup: int = 100
    clip: float = 1.0
    ema: float = 0.998
    seed: int = 0

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop. Raises Problem for values that no run can have."""
        for field in fields(self):
            check_type(field.name, getattr(self, field.name), field.type)
        allowed = {
            "mean": math.isfinite(self.mean),
            "std": 0 < self.std < math.inf,
            "shift": 0 < self.shift < math.inf,
            "apart": 0 <= self.apart <= 1,
            "label_dropout": 0 <= self.label_dropout <= 1,
            "between": 0 < self.between < math.inf,
            "palette": 0 <= self.palette <= MAX_COLOURS,
            "batch": 2 <= self.batch <= MAX_BATCH,
            "steps": self.steps >= 1,
        }
        for name, holds in allowed.items():
            if not holds:
                raise Problem("train_setting", name=name, value=repr(getattr(self, name)))
        return TrainConfig(
            steps=self.steps, lr=self.lr, warmup=self.warmup, ema=self.ema, clip=self.clip, accumulate=self.accumulate,
            betas=(0.9, 0.99), decay="cosine", backup_every=max(1, self.steps // 20),
        )  # fmt: skip

    @property
    def schedule(self) -> Schedule:
        """The noise levels of training."""
        return logit_normal(self.mean, self.std).shifted(self.shift)


def new_checkpoint(
    config: VideoConfig, text: Checkpoint, image: Checkpoint | None = None, start: Checkpoint | None = None
) -> Checkpoint:
    """An untrained video model for the captions that ``text`` encodes.

    image: an image model of people, whose weights the network begins with; start: a video model to begin with in its
    place. Raises Problem for an image model of another size or without attributes, and for another kind of model or a
    video model of another size.
    """
    network = {"name": "video", "side": SIDE, "channels": SHAPE[1], "frames": FRAMES, "seed": config.seed,
               "vector": sum(text.config["network"]["named"]), "token": text.config["network"]["width"],
               "width": config.width}  # fmt: skip
    sigma_data = unit(video.draw(512, seeds.mix(config.seed, _PLACE)).frames).square().mean().sqrt().item()
    stored = {"network": network, "prediction": "flow", "sigma_data": sigma_data, "video": asdict(config),
              "data": {"name": "video", "shape": list(SHAPE), "classes": []}}  # fmt: skip
    if config.palette:
        stored["palette"] = people.common_colours(config.palette).tolist()
        network["colours"] = len(stored["palette"])
    made = checkpoints.new_checkpoint(stored, config.train)
    if start is not None:
        config_of(start.config)
        given = {"colours": network.get("colours"), **start.config["network"], "seed": network["seed"]}
        if given != network:
            raise Problem("resume_other_network")
        for part in (made.state.model, made.state.ema):  # one without a palette lacks the layer that names colours
            part.load_state_dict({**part.state_dict(), **start.denoiser.state_dict()})
    elif image is not None:
        for part in (made.state.model, made.state.ema):
            begin(part.net, image.denoiser.net, text)
    return made


@torch.no_grad()
def begin(network: VideoUNet, image: nn.Module, text: Checkpoint) -> None:
    """Give a video network the weights of an image network of people, in place.

    What that one knew of attributes is read from the vector of a caption instead: by the linear map that is nearest, in
    least squares over captions, to the sum of the embeddings of what they name. Its answer changes sign, because the
    flow target contains minus the data. Raises Problem for an image network of other sizes.
    """
    current, given = network.image.state_dict(), image.state_dict() if isinstance(image, UNet) else {}
    shared = {name: value for name, value in given.items() if name in current}
    fits = all(value.shape == current[name].shape for name, value in shared.items())
    lacking = [name for name in current if name not in given and not name.startswith("colours.")]
    if len(lacking) != 3 or not fits or "conditioning.attributes.table" not in given:
        raise Problem("video_image_model")
    network.image.load_state_dict({**current, **shared})
    last = network.image.head[-1]
    last.weight.neg_(), last.bias.neg_()
    encoder = TextEncoder(text.state.ema, tokenizer_of(text.config))
    texts, named = drawn(4096, seeds.mix(0, _PLACE, 1))
    vectors = encoder.encode(texts)["embed"]
    known = ~vectors.isnan().any(1)
    wanted = _attribute_embeddings(image, named)
    null = image.conditioning.attributes(None, 1)
    centre = vectors[known].mean(0), wanted[known].mean(0)
    # The probabilities of a thing add up to 1: the map is not unique, and the smallest is taken.
    weight = torch.linalg.pinv(vectors[known] - centre[0], rtol=1e-3) @ (wanted[known] - centre[1])
    bias = centre[1] - centre[0] @ weight
    place = network.image.conditioning.vector
    place.linear.weight.copy_(weight.T), place.linear.bias.copy_(bias)
    place.null.copy_((null[0] - bias) @ torch.linalg.pinv(weight, rtol=1e-3))


def _attribute_embeddings(image: UNet, named: Tensor) -> Tensor:
    """The sum of an image network's embeddings of attributes for each row of ``video_text.targets``, [n, width]."""
    table, total = image.conditioning.attributes, 0.0
    for k, (name, values) in enumerate(ATTRIBUTES.items()):
        start, rows = table.starts[k], named[:, list(GROUPS).index(name)] - 1
        each = table.table[start : start + len(values) + 1]  # the last is the null, -1
        some = [people_captions.values(name, name)] if len(GROUPS[name]) > len(values) else []
        general = [each[[values.index(value) for value in kinds]].mean(0, keepdim=True) for kinds in some]
        total = total + torch.cat([each[:-1], *general, each[-1:]])[rows]
    return total


def config_of(stored: dict[str, Any]) -> VideoConfig:
    """The configuration in a checkpoint's config. Raises Problem if the checkpoint is of another kind of model."""
    try:
        return VideoConfig(**{"between": 1.0, **stored["video"]})  # what older runs were trained with
    except (LookupError, TypeError) as error:
        raise Problem("checkpoint_no_part", part="video") from error


def resume(checkpoint: Checkpoint, config: VideoConfig, text: Checkpoint) -> Checkpoint:
    """The checkpoint with another configuration, to be trained further. Raises Problem if it or the text encoder needs
    another network."""
    before = config_of(checkpoint.config)
    if (before.width, before.palette, before.seed) != (config.width, config.palette, config.seed):
        raise Problem("resume_other_network")
    check_text(checkpoint, text)
    entries = {"video": asdict(config), "train": as_dict(config.train)}
    return replace(checkpoint, config={**checkpoint.config, **entries})


def check_text(checkpoint: Checkpoint, text: Checkpoint) -> None:
    """Raise Problem unless a text encoder has the sizes that a video model was trained with."""
    wanted, network = checkpoint.config["network"], text.config["network"]
    if (wanted["vector"], wanted["token"]) != (sum(network["named"]), network["width"]):
        raise Problem("video_other_text")


# Training


def run(
    config: VideoConfig, text: TextEncoder, state: TrainState, team: Team = ALONE, losses: Losses | None = None
) -> Iterator[TrainState]:
    """Train ``state`` to the last step of the configuration; yields after each step. See ``core.models.images.run``."""
    settings = config.train
    check_shares(config.batch, config.accumulate, SHAPE, team)
    return train_diffusion(
        batches(config, text, team), settings, state, team, losses, partial(clip_loss, config.between)
    )


def clip_loss(between: float, model: Denoiser, batch: tuple[Tensor, Tensor, Tensor, Cond]) -> Tensor:
    """The weighted squared error of each clip, [B]. What differs between frames has ``between`` times the weight of
    their mean; in a clip of separate frames both have the same weight.

    If the estimate of each frame depends on the whole clip, any such weights have the same exact denoiser, E[x0 | x].
    Without them, a model learns late that frames agree, because their differences are a small part of the error. In a
    clip of separate frames no estimate knows the errors of the others, and another weight would change the minimum.
    """
    x0, sigma, eps, cond = batch
    error = model(x0 + per_sample(sigma, x0) * eps, sigma, cond) - x0
    differing = error - error.mean(1, keepdim=True)
    more = per_sample((between - 1) * (cond["apart"] != 1), error)
    return model.weight(sigma) * (error.square() + more * differing.square()).flatten(1).mean(1)


def batches(config: VideoConfig, text: TextEncoder, team: Team = ALONE) -> Batches:
    """This process's share of each batch of a run: clips, noise levels, noise, and the condition."""
    part, languages = config.batch // config.accumulate, people_captions.LANGUAGES

    def at(step: int) -> tuple[Tensor, Tensor, Tensor, Cond]:
        seed = seeds.mix(config.seed, _PLACE, 2, step)
        clips = video.draw(part, seed)
        rows = range(team.rank, part, team.world)
        texts = [caption_of(clips, k, seeds.mix(seed, k), languages[k % 2]) for k in rows]
        dropped = seeds.uniform(part, seed, 3) < config.label_dropout
        texts = ["" if dropped[k] else words for k, words in zip(rows, texts)]
        apart = (seeds.uniform(part, seed, 4) < config.apart).long()
        whole = unit(clips.frames), config.schedule.sample(part, seed, 5), seeds.gaussian((part, *SHAPE), seed, 6)
        cond = text.encode(texts) | {"apart": apart[team.rank :: team.world]}
        x0, sigma, eps = (each[team.rank :: team.world].to(team.device) for each in whole)
        return x0, sigma, eps, {name: value.to(team.device) for name, value in cond.items()}

    return at


def caption_of(clips: Clips, k: int, seed: int, language: str) -> str:
    """A caption of clip k, as in training."""
    return video_captions.caption(video_captions.choose(clips, k, seed), language, seed)


# Sampling


def sampler_config(config: VideoConfig, sampler: str = SAMPLER, steps: int = STEPS, seed: int = 0) -> SamplerConfig:
    """A sampler on the noise levels of rectified flow at evenly spaced times, shifted as in training."""
    return SamplerConfig(sampler, steps, sigma_max=SIGMA_MAX, sigma_min=SIGMA_MIN,
                         schedule="rectified-flow", shift=config.shift, seed=seed + 1)  # fmt: skip


@torch.no_grad()
def sample(
    denoiser: Denoiser, config: VideoConfig, cond: Cond, negative: Cond | None = None, scale: float = 1.0,
    sampler: str = SAMPLER, steps: int = STEPS, seed: int = 0,
    watch: Callable[[Iterator[Step]], Iterable[Step]] = iter,
) -> Tensor:  # fmt: skip
    """Clips [n, 8, 3, 16, 16] in [-1, 1], one for each row of a condition. Clip k of a seed is the same for any number
    of them."""
    n = len(cond["embed"])
    x, denoise = starting_noise(denoiser, n, seed), guided(denoiser, cond, negative, scale)
    return samplers.last(watch(samplers.run(sampler_config(config, sampler, steps, seed), denoise, x)))


def starting_noise(denoiser: Denoiser, n: int, seed: int) -> Tensor:
    """The noise that n clips start from, [n, 8, 3, 16, 16]."""
    return image_model.starting_noise(denoiser, (n, *SHAPE), seed)


def guided(denoiser: Denoiser, cond: Cond, negative: Cond | None, scale: float) -> Denoise:
    """The denoiser with guidance from the negative condition, or from none, to the condition: n + scale (c - n)."""
    whole = in_chunks(denoiser, CHUNK)
    away = negative or {name: rows for name, rows in cond.items() if name == "apart"} or None
    return lerp(condition(whole, away), condition(whole, cond), scale)
