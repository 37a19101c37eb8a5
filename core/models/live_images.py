"""Small images that are learned live, by one core while one looks: a run, its checkpoint, and a snapshot between two of
its steps.

``live_digits`` and ``live_people`` say what is learned, by which configurations, and what counts as recognised.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from core.data.images import pixels
from core.diffusion import samplers
from core.diffusion.denoiser import Cond
from core.diffusion.schedules import scale
from core.models import images as image_model
from core.models.images import ImageConfig, TrainingSet
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, loss_curve, loss_history, recorded

SCALE = 2.0  # the guidance scale of a snapshot


def run(config: ImageConfig, data: TrainingSet, progress: Progress) -> Iterator[Progress]:
    """Train on from ``progress`` to the last step; yields after each step. Raises as ``images.run`` does."""
    return recorded(progress, image_model.run(config, data, progress.state))


def checkpoint_of(progress: Progress, config: ImageConfig, data: TrainingSet) -> Checkpoint:
    """The checkpoint of a run under way, with its loss so far."""
    return Checkpoint(progress.state, {**image_model.new_checkpoint(config, data).config, **loss_history(progress)})


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


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model between two steps.

    Attributes:
        step: training steps.
        sigmas: noise levels of the samples' way, [T], the last one 0.
        pixels: n samples at these levels in the variance preserving view, uint8 [T, n, side, side], in colour [..., 3].
        recognised: how many of the finished samples are what was asked for.
        losses: the loss so far, in blocks.
        bayes_loss: the exact denoiser's loss; NaN until it is computed.
    """

    step: int
    sigmas: Tensor
    pixels: Tensor
    recognised: int
    losses: Tensor
    bayes_loss: float


def snapshot(
    progress: Progress, data: TrainingSet, cond: Cond, recognise: Callable[[Tensor], Tensor], steps: int, seed: int
) -> Snapshot:
    """The snapshot of a run: a guided sample for each row of a condition, from the same noise at every step.

    recognise: from the finished samples [n, C, side, side] to whether each is what was asked for, bool [n].
    """
    model, sigmas, n = progress.state.ema, image_model.grid(steps), len(next(iter(cond.values())))
    x = image_model.starting_noise(model, (n, *data.shape), seed)
    states = samplers.path(samplers.dpmpp_2m(image_model.guided(model, cond, SCALE, None), x, sigmas))
    frames = pixels(scale(sigmas, "vp").float()[:, None, None, None, None] * states)
    pictures = frames[:, :, 0] if frames.shape[2] == 1 else frames.movedim(2, -1)
    recognised = int(recognise(states[-1]).sum())
    return Snapshot(progress.state.step, sigmas, pictures, recognised, loss_curve(progress), progress.bayes_loss)
