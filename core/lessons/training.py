"""Chapter 2: a model at one moment of its training, and the walks through one place that it learns from.

A walk adds N equal noises of variance sigma^2 / N to a data point. Given its end x, its start is distributed as the
exact denoiser's weights, and given both ends it is a Brownian bridge.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core import seeds
from core.diffusion import vector_field
from core.diffusion.denoiser import Denoise
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.schedules import scale
from core.models import points as point_model
from core.runs.progress import Progress, loss_curve

ARROWS_FROM = 0.1  # a snapshot's arrows are of this sigma or more: a young network's are too short to see below it


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model of points in the plane at one moment of its training, as the view "vp" draws it.

    Attributes:
        step: training steps made.
        sigmas: the noise levels [T] of the frames; the last is 0.
        scale: the factor of the view at each of them, [T, 1, 1].
        samples: samples on their way, [T, n, 2], already times ``scale``.
        places: where the arrows of the field begin, [g, 2].
        arrows: the field at each frame's noise level, but at ``ARROWS_FROM`` or more, [T, g, 2].
        losses: the loss so far in blocks, the last of which may be unfinished, [k].
        bayes_loss: the loss of the exact denoiser; NaN if nobody computed it.
        dead: whether the network is dead (see ``models.points.is_dead``).
    """

    step: int
    sigmas: Tensor
    scale: Tensor
    samples: Tensor
    places: Tensor
    arrows: Tensor
    losses: Tensor
    bayes_loss: float
    dead: bool


def snapshot(progress: Progress, n: int = 200, side: int = 15, reach: float = 1.7, every: int = 2) -> Snapshot:
    """A run between two steps: every ``every``-th frame of ``n`` samples from always the same starts, and the field on
    side^2 places of [-reach, reach]^2."""
    model, levels = progress.state.ema, point_model.grid(20)
    states = point_model.sample(model, n, model.sigma_data, seed=0)[::every]
    sigmas = levels[::every].float()
    factor = scale(sigmas, "vp")[:, None, None]
    places = vector_field.grid(side, reach)
    arrows = vector_field.arrows(model, places, sigmas.clamp_min(ARROWS_FROM), "vp")
    (arrows,) = vector_field.limit_lengths(1.8 * reach / side, arrows)
    return Snapshot(
        step=progress.state.step,
        sigmas=sigmas,
        scale=factor,
        samples=factor * states,
        places=places,
        arrows=arrows,
        losses=loss_curve(progress),
        bayes_loss=progress.bayes_loss,
        dead=point_model.is_dead(progress.state.model),
    )


def origins(ideal: EmpiricalDenoiser, x: Tensor, sigmas: Tensor, n: int, seed: int = 0) -> Tensor:
    """Starts of n walks that end at x [D], for each noise level of ``sigmas`` [T]: draws of p(x0 | x), [T, n, D].

    The same n uniform numbers serve all levels (inverse transform sampling): the draws change little with sigma.
    """
    weights = ideal.weights(x.expand(len(sigmas), -1), sigmas)
    uniform = ((torch.arange(n) + seeds.uniform(n, seed)) / n).to(weights)
    index = torch.searchsorted(weights.cumsum(1), uniform.expand(len(sigmas), -1).contiguous())
    return ideal.points.to(x)[index.clamp(max=len(ideal.points) - 1)]


def bridges(starts: Tensor, x: Tensor, sigmas: Tensor, steps: int, seed: int = 0) -> Tensor:
    """Walks of ``steps`` equal noises from ``starts`` [T, n, D] that end at x [D], [T, n, steps + 1, D].

    A walk is x0 + s (x - x0) + sigma (W_s - s W_1) with s = 0, 1/N, ..., 1 and Brownian motion W: a Brownian bridge.
    Every second walk mirrors the one before it, so that the mean of an even number of walks is the straight line.
    """
    count, dim = starts.shape[1:]
    half = seeds.gaussian(((count + 1) // 2, steps, dim), seed).to(x).cumsum(1) / steps**0.5
    motion = torch.stack([half, -half], dim=1).flatten(0, 1)[:count]
    motion = torch.cat([motion.new_zeros(count, 1, dim), motion], dim=1)
    s = torch.linspace(0, 1, steps + 1).to(x)[:, None]
    bridge = motion - s * motion[:, -1:]
    return starts[:, :, None] + s * (x - starts[:, :, None]) + sigmas.to(x)[:, None, None, None] * bridge


def last_step(walks: Tensor) -> Tensor:
    """The mean last step of walks [T, n, N + 1, D], [T, D]: 1/N of their mean whole noise, x minus the mean start."""
    return (walks[:, :, -1] - walks[:, :, -2]).mean(1)


@dataclass(frozen=True, eq=False)
class PosteriorWalks:
    """Walks that end at one place, and what denoisers predict there, for each of T noise levels.

    Attributes:
        x: the place, [D].
        sigmas: the noise levels, [T].
        starts: where the walks begin, draws of p(x0 | x), [T, n, D].
        walks: the walks of N steps from there to x, [T, n, N + 1, D].
        mean_start: the mean start minus x, [T, D].
        mean_last_step: the mean last step, [T, D].
        exact: the arrow x0_hat - x of the exact denoiser, [T, D].
        learned: the arrow x0_hat - x of a network, [T, D].
    """

    x: Tensor
    sigmas: Tensor
    starts: Tensor
    walks: Tensor
    mean_start: Tensor
    mean_last_step: Tensor
    exact: Tensor
    learned: Tensor


@torch.no_grad()
def sample_through(
    x: Tensor, sigmas: Tensor, ideal: EmpiricalDenoiser, learned: Denoise, n: int, steps: int
) -> PosteriorWalks:
    """n walks of ``steps`` steps that end at x [D] for each of ``sigmas`` [T], and the exact and the learned arrow."""
    starts = origins(ideal, x, sigmas, n)
    walks = bridges(starts, x, sigmas, steps)
    states = x.expand(len(sigmas), -1)
    exact, network = (denoise(states, sigmas) - x for denoise in (ideal, learned))
    return PosteriorWalks(x, sigmas, starts, walks, starts.mean(1) - x, last_step(walks), exact, network)
