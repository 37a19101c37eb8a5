"""Models of 8 x 8 digits that are trained live: configurations for one core, and what is shown of a run (see
``live_images``)."""

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from core import metrics
from core.data.images import ImageSet, load, unit
from core.diffusion.exact import EmpiricalDenoiser
from core.models import images as image_model
from core.models import live_images
from core.models.images import ImageConfig
from core.models.live_images import Snapshot
from core.problems import Problem
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, exact_loss

CONFIG = ImageConfig(size="tiny", batch=64, steps=3_000, lr=5e-3, warmup=50)
CONFIGS = {
    "unet": CONFIG,
    "dit": replace(CONFIG, network="dit"),
    "fourier": replace(CONFIG, network="fourier", size="small", batch=256, steps=12_000),
}
CLASSES = 10


@cache
def images() -> ImageSet:
    """The training data."""
    return load("digits")


def config_of(checkpoint: Checkpoint) -> tuple[str, ImageConfig]:
    """The key in ``CONFIGS`` and the configuration of a checkpoint that can be trained on here.

    Raises Problem for one that cannot, also for a configuration that would take too much of this machine.
    """
    config = image_model.config_of(checkpoint.config)
    kind = config.network, config.size
    name = next((name for name, known in CONFIGS.items() if (known.network, known.size) == kind), None)
    if name is not None and not live_images.bounded(config):
        raise Problem("digits_bounds")
    if name is None or not _trainable(checkpoint, config):
        raise Problem("digits_other")
    return name, config


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


def snapshot(progress: Progress, n: int = 20, steps: int = 10, seed: int = 0) -> Snapshot:
    """The snapshot of a run: n samples, all classes in turn; recognised are those that ``classify`` takes for their
    class."""
    labels = torch.arange(n) % CLASSES
    return live_images.snapshot(progress, images(), {"label": labels}, lambda x: classify(x) == labels, steps, seed)


def classify(x: Tensor) -> Tensor:
    """The classes [n] of the nearest training images of images [n, 1, 8, 8].

    Of the training images, each classified by the others, 98.8 % are right.
    """
    _, index = metrics.nearest(x.float(), _known())
    return images().labels[index]
