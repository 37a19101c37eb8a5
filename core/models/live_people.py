"""Pixel people that are learned live: a configuration for one core, and a snapshot between two steps.

Each person is drawn for the first time, so there is no set that an exact denoiser could be made of, and nothing that
the network could learn by heart.
"""

from collections.abc import Iterator
from functools import cache

from torch import Tensor

from core.data.images import pixels
from core.data.people import ATTRIBUTES, PeopleSet, draw
from core.diffusion import samplers
from core.diffusion.guidance import cfg
from core.diffusion.schedules import scale
from core.models import images as image_model
from core.models import live_digits, people_judge
from core.models.images import ImageConfig
from core.models.live_digits import SCALE, Snapshot
from core.problems import Problem
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, loss_curve, loss_history, recorded

CONFIG = ImageConfig(size="tiny_patched", steps=1_500, batch=64, lr=5e-3, warmup=50, ema=0.99, mean=-0.6, std=1.4)
CONFIGS = {"unet": CONFIG}
READ = ("hat", "glasses", "beard")  # what counts as recognised: the parts that change a face most
SHOWN = 12  # people of a snapshot
_PLACE = 0x11FE  # the seed of the people whose attributes a snapshot asks for


@cache
def images() -> PeopleSet:
    """The training data."""
    return PeopleSet()


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
    if (config.network, config.size) != (CONFIG.network, CONFIG.size) or not live_digits.bounded(config):
        raise Problem("live_people_other")
    image_model.resume(checkpoint, config, images())
    return "unet", config


@cache
def requested() -> Tensor:
    """The attributes that the people of a snapshot are asked to have, [SHOWN, 12]: all that can be seen of as many real
    ones."""
    people = draw(SHOWN, _PLACE)
    return people.attributes.where(people.visible, -1)


def snapshot(progress: Progress, steps: int = 10, seed: int = 0) -> Snapshot:
    """The snapshot of a run: guided samples from the same noise at every step; ``recognised`` counts those whose hat,
    glasses and beard, if any, are those asked for."""
    model, sigmas = progress.state.ema, image_model.grid(steps)
    x = samplers.start((SHOWN, *images().shape), image_model.SIGMA_MAX, model.sigma_data, seed)
    states = samplers.path(samplers.dpmpp_2m(cfg(model, {"attributes": requested()}, scale=SCALE), x, sigmas))
    frames = pixels(scale(sigmas, "vp").float()[:, None, None, None, None] * states)
    recognised = int(recognise(frames[-1]).sum())
    pictures = frames.movedim(2, -1)
    return Snapshot(progress.state.step, sigmas, pictures, recognised, loss_curve(progress), progress.bayes_loss)


def recognise(x: Tensor) -> Tensor:
    """Which of the pictures [SHOWN, 3, 16, 16] have the parts ``READ`` that were asked for, bool [SHOWN]."""
    columns = [list(ATTRIBUTES).index(name) for name in READ]
    wanted, got = requested()[:, columns], people_judge.attributes_of(x)[:, columns]
    return ((wanted == got) | (wanted < 0)).all(1)
