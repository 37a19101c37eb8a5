"""The digits, learned while one looks: plans for one core, and the picture of a run between two of its steps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from core import metrics
from core.data.images import ImageSet, load, pixels, unit
from core.diffusion import samplers
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.guidance import cfg
from core.diffusion.schedules import scale
from core.models import images as image_model
from core.models.images import ImageConfig
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, exact_loss, loss_curve, loss_history, recorded

CONFIG = ImageConfig(size="tiny", batch=64, steps=3_000, lr=5e-3, warmup=50)
CONFIGS = {
    "U-Net": CONFIG,
    "transformer": replace(CONFIG, network="dit"),
    "MLP": replace(CONFIG, network="fourier", size="small", batch=256, steps=12_000),
}
SCALE, CLASSES = 2.0, 10  # the guidance scale of a snapshot


@cache
def images() -> ImageSet:
    """What all learn from."""
    return load("digits")


def run(plan: ImageConfig, progress: Progress) -> Iterator[Progress]:
    """Train on from ``progress`` to the end of the plan; yields after each step. Raises as ``imaging.run`` does."""
    return recorded(progress, image_model.run(plan, images(), progress.state))


def checkpoint_of(progress: Progress, plan: ImageConfig) -> Checkpoint:
    """The checkpoint of a run under way, its loss so far included."""
    return Checkpoint(progress.state, {**image_model.new_checkpoint(plan, images()).config, **loss_history(progress)})


def config_of(checkpoint: Checkpoint) -> tuple[str, ImageConfig]:
    """The network by its name in ``CONFIGS``, and the plan of a checkpoint that can be trained on here. Raises ValueError
    with a sentence for another, and for a plan that would take this machine from all others."""
    plan = image_model.config_of(checkpoint.config)
    name = next((name for name, own in CONFIGS.items() if (own.network, own.size) == (plan.network, plan.size)), None)
    if name is not None and not _bounded(plan):
        raise ValueError(
            "This model's plan holds values that no run here can have, such as a batch that is not an even number up "
            "to 1,024, or one in parts."
        )
    if name is None or not _made_here(checkpoint, plan):
        raise ValueError("This is a model of other images or another network: here the digits of 8 x 8 are trained.")
    return name, plan


def _bounded(plan: ImageConfig) -> bool:
    """Whether it is a plan of a run, with numbers that such a run can have on the page."""
    try:
        return (
            plan.batch in range(2, 1025, 2)
            and plan.accumulate == 1
            and plan.lr >= 1e-6
            and all(abs(value) <= 1e6 for value in (plan.lr, plan.mean, plan.std, plan.clip))
            and 0 <= plan.seed <= 9999
            and plan.train is not None
        )
    except ValueError:
        return False


def _made_here(checkpoint: Checkpoint, plan: ImageConfig) -> bool:
    """Whether its network is the one that the plan makes for the digits."""
    try:
        image_model.resume(checkpoint, plan, images())
    except (ValueError, LookupError, TypeError):
        return False
    return checkpoint.config["data"].get("name") == "digits"


def bayes_loss(plan: ImageConfig) -> float:
    """The mean loss of the exact denoiser, which knows all digits by heart, over 4,096 noised ones."""
    return _bayes_loss(replace(plan, network="fourier", size="small", lr=1.0, steps=1, seed=0, batch=4096))


@cache
def _known() -> Tensor:
    return unit(images().images)


@cache
def _bayes_loss(plan: ImageConfig) -> float:
    ideal = EmpiricalDenoiser(_known(), images().labels)
    return exact_loss(
        ideal, image_model.new_checkpoint(plan, images()).denoiser.weight, image_model.batches(plan, images())
    )


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model at one moment: n samples, all classes in turn, on their way through noise levels ``sigmas`` [T] to 0, as
    "vp" draws them, uint8 [T, n, 8, 8]; how many of the finished ones are ``recognised``; the loss so far in blocks, and
    the exact denoiser's (NaN when nobody computed it)."""

    step: int
    sigmas: Tensor
    pixels: Tensor
    recognised: int
    losses: Tensor
    bayes_loss: float


def snapshot(progress: Progress, n: int = 20, steps: int = 10, seed: int = 0) -> Snapshot:
    """The picture of a run between two steps: samples from always the same starts, guided."""
    model, sigmas = progress.state.ema, image_model.grid(steps)
    x = samplers.start((n, 1, 8, 8), image_model.SIGMA_MAX, model.sigma_data, seed)
    labels = torch.arange(n) % CLASSES
    told = cfg(model, {"label": labels}, scale=SCALE)
    states = samplers.path(samplers.dpmpp_2m(told, x, sigmas))
    drawn = pixels(scale(sigmas, "vp").float()[:, None, None, None, None] * states)
    right = int((classify(states[-1]) == labels).sum())
    return Snapshot(progress.state.step, sigmas, drawn[:, :, 0], right, loss_curve(progress), progress.bayes_loss)


def classify(x: Tensor) -> Tensor:
    """The classes [n] of images [n, 1, 8, 8], read by their nearest training image.

    Of the training images, each read by the others, 98.8 % are read right.
    """
    _, index = metrics.nearest(x.float(), _known())
    return images().labels[index]
