"""What chapter 6 shows of a flow model under training: its paths, its samples in one step, and how straight it is."""

from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor

from core import seeds
from core.data.points import PointSet
from core.diffusion import couplings, few_step
from core.diffusion.denoiser import Denoise
from core.models import flows
from core.runs.progress import Progress, loss_curve

DRAWN, STEPS = 400, 32  # paths, and their steps
_PLACE = 0xF7A  # keeps the starts that are drawn apart from other uses of a seed


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A flow model at one moment of its training.

    Attributes:
        step: training steps made.
        paths: of its ODE, [STEPS + 1, n, 2], at evenly spaced times from 1 to 0.
        one_step: where one step from the same starts ends, [n, 2].
        straightness: of the paths (see ``couplings.straightness``).
        losses: the loss so far in blocks, the last of which may be unfinished, [k].
        bayes_loss: NaN: the least loss depends on the pairs.
    """

    step: int
    paths: Tensor
    one_step: Tensor
    straightness: float
    losses: Tensor
    bayes_loss: float = nan


@dataclass(frozen=True)
class Snapshots:
    """Takes snapshots of runs with starts from ``source``, standard normal ones without it: always the same starts."""

    source: PointSet | None = None

    def __call__(self, progress: Progress) -> Snapshot:
        x1, _ = flows.starts(self.source)(DRAWN, seeds.generator(_PLACE))
        denoiser = progress.state.ema
        paths, _ = flows.paths(denoiser, x1, STEPS)
        one_step = flows.paths(denoiser, x1, 1)[0][-1]
        straight = couplings.straightness(paths)
        return Snapshot(progress.state.step, paths, one_step, straight, loss_curve(progress))


@torch.no_grad()
def paths_through(denoise: Denoise, place: tuple[float, float], steps: int = 64) -> tuple[Tensor, Tensor]:
    """The path from a place of the source to the data, and the path back from the same place of the data to the source,
    each [steps + 1, 2], by Euler's method on evenly spaced times."""
    times = torch.linspace(few_step.T_MIN, few_step.T_MAX, steps + 1)
    forward = flows.paths(denoise, torch.tensor([place]), steps)[0][:, 0]
    states = [torch.tensor([place])]
    for t, later in zip(times, times[1:], strict=False):
        z = states[-1]
        states.append(z + (later - t) * few_step.velocity(denoise, z, t.expand(1)))
    return forward, torch.cat(states)
