"""Models of 8 x 8 digits that are trained live: configurations for one core, and a snapshot between two steps."""

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
from core.problems import Problem
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, exact_loss, loss_curve, loss_history, recorded

CONFIG = ImageConfig(size="tiny", batch=64, steps=3_000, lr=5e-3, warmup=50)
CONFIGS = {
    "unet": CONFIG,
    "dit": replace(CONFIG, network="dit"),
    "fourier": replace(CONFIG, network="fourier", size="small", batch=256, steps=12_000),
}
SCALE, CLASSES = 2.0, 10  # the guidance scale of a snapshot


@cache
def images() -> ImageSet:
    """The training data."""
    return load("digits")


def run(config: ImageConfig, progress: Progress) -> Iterator[Progress]:
    """Train on from ``progress`` to the last step; yields after each step. Raises as ``images.run`` does."""
    return recorded(progress, image_model.run(config, images(), progress.state))


def checkpoint_of(progress: Progress, config: ImageConfig) -> Checkpoint:
    """The checkpoint of a run under way, with its loss so far."""
    return Checkpoint(progress.state, {**image_model.new_checkpoint(config, images()).config, **loss_history(progress)})


def config_of(checkpoint: Checkpoint) -> tuple[str, ImageConfig]:
    """The key in ``CONFIGS`` and the configuration of a checkpoint that can be trained on here.

    Raises Problem for one that cannot, also for a configuration that would take too much of this machine.
    """
    config = image_model.config_of(checkpoint.config)
    kind = config.network, config.size
    name = next((name for name, known in CONFIGS.items() if (known.network, known.size) == kind), None)
    if name is not None and not bounded(config):
        raise Problem("digits_bounds")
    if name is None or not _trainable(checkpoint, config):
        raise Problem("digits_other")
    return name, config


def bounded(config: ImageConfig) -> bool:
    """Whether a run can have this configuration, and the page all its numbers."""
    try:
        return (
            config.batch in range(2, 1025, 2)
            and config.accumulate == 1
            and config.lr >= 1e-6
            and all(abs(value) <= 1e6 for value in (config.lr, config.mean, config.std, config.clip))
            and 0 <= config.seed <= 9999
            and config.train is not None
        )
    except ValueError:
        return False


def _trainable(checkpoint: Checkpoint, config: ImageConfig) -> bool:
    """Whether the checkpoint is of the digits and of the network that the configuration makes."""
    try:
        image_model.resume(checkpoint, config, images())
    except (ValueError, LookupError, TypeError):
        return False
    return checkpoint.config["data"].get("name") == "digits"


def bayes_loss(config: ImageConfig) -> float:
    """The mean loss of the exact denoiser of the training data over 4,096 noised images."""
    return _bayes_loss(replace(config, network="fourier", size="small", lr=1.0, steps=1, seed=0, batch=4096))


@cache
def _known() -> Tensor:
    return unit(images().images)


@cache
def _bayes_loss(config: ImageConfig) -> float:
    exact = EmpiricalDenoiser(_known(), images().labels)
    weight = image_model.new_checkpoint(config, images()).denoiser.weight
    return exact_loss(exact, weight, image_model.batches(config, images()))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model between two steps.

    Attributes:
        step: training steps.
        sigmas: noise levels of the samples' way, [T], the last one 0.
        pixels: n samples, all classes in turn, at these levels in the variance preserving view, uint8 [T, n, 8, 8].
        recognised: how many of the finished samples ``classify`` takes for their class.
        losses: the loss so far, in blocks.
        bayes_loss: the exact denoiser's loss; NaN until it is computed.
    """

    step: int
    sigmas: Tensor
    pixels: Tensor
    recognised: int
    losses: Tensor
    bayes_loss: float


def snapshot(progress: Progress, n: int = 20, steps: int = 10, seed: int = 0) -> Snapshot:
    """The snapshot of a run: guided samples from the same noise at every step."""
    model, sigmas = progress.state.ema, image_model.grid(steps)
    x = samplers.start((n, 1, 8, 8), image_model.SIGMA_MAX, model.sigma_data, seed)
    labels = torch.arange(n) % CLASSES
    states = samplers.path(samplers.dpmpp_2m(cfg(model, {"label": labels}, scale=SCALE), x, sigmas))
    frames = pixels(scale(sigmas, "vp").float()[:, None, None, None, None] * states)
    recognised = int((classify(states[-1]) == labels).sum())
    return Snapshot(progress.state.step, sigmas, frames[:, :, 0], recognised, loss_curve(progress), progress.bayes_loss)


def classify(x: Tensor) -> Tensor:
    """The classes [n] of the nearest training images of images [n, 1, 8, 8].

    Of the training images, each classified by the others, 98.8 % are right.
    """
    _, index = metrics.nearest(x.float(), _known())
    return images().labels[index]
