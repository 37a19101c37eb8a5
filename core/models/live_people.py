"""Pixel people that are learned live: a configuration for one core, and what is shown of a run (see ``live_images``).

Each person is drawn for the first time, so there is no set that an exact denoiser could be made of, and nothing that
the network could learn by heart.
"""

import math
from functools import cache

from torch import Tensor

from core.data.images import pixels
from core.data.people import ATTRIBUTES, PeopleSet, draw
from core.models import images as image_model
from core.models import live_images, people_judge
from core.models.images import ImageConfig
from core.models.live_images import Snapshot
from core.problems import Problem
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress

CONFIG = ImageConfig(size="tiny_patched", steps=1_500, batch=64, lr=5e-3, warmup=50, ema=0.99, mean=-0.6, std=1.4)
CONFIGS = {"unet": CONFIG}
READ = ("hat", "glasses", "beard")  # what counts as recognised: the parts that change a face most
SHOWN = 12  # people of a snapshot
_PLACE = 0x11FE  # the seed of the people whose attributes a snapshot asks for


@cache
def images() -> PeopleSet:
    """The training data."""
    return PeopleSet()


def config_of(checkpoint: Checkpoint) -> tuple[str, ImageConfig]:
    """The key in ``CONFIGS`` and the configuration of a checkpoint that can be trained on here.

    Raises Problem for one that cannot, also for a configuration that would take too much of this machine.
    """
    config = image_model.config_of(checkpoint.config)
    if (config.network, config.size) != (CONFIG.network, CONFIG.size) or not live_images.bounded(config):
        raise Problem("live_people_other")
    image_model.resume(checkpoint, config, images())
    return "unet", config


def bayes_loss(config: ImageConfig) -> float:
    """NaN: people without end have no exact denoiser."""
    return math.nan


@cache
def requested() -> Tensor:
    """The attributes that the people of a snapshot are asked to have, [SHOWN, 12]: all that can be seen of as many real
    ones."""
    people = draw(SHOWN, _PLACE)
    return people.attributes.where(people.visible, -1)


def snapshot(progress: Progress, steps: int = 10, seed: int = 0) -> Snapshot:
    """The snapshot of a run: people who are asked to be as the ``requested`` ones; recognised are those whose hat,
    glasses and beard, if any, are so."""
    cond = {"attributes": requested()}
    return live_images.snapshot(progress, images(), cond, lambda x: recognise(pixels(x)), steps, seed)


def recognise(x: Tensor) -> Tensor:
    """Which of the pictures [SHOWN, 3, 16, 16] have the parts ``READ`` that were asked for, bool [SHOWN]."""
    columns = [list(ATTRIBUTES).index(name) for name in READ]
    wanted, got = requested()[:, columns], people_judge.attributes_of(x)[:, columns]
    return ((wanted == got) | (wanted < 0)).all(1)
