"""What chapter 3 computes: the learned field beside the exact one over the noise levels, and the values at one
place."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.diffusion import vector_field
from core.diffusion.denoiser import Denoise, eps_hat, score
from core.diffusion.exact import EmpiricalDenoiser


def agreement(arrow: Tensor, direction: Tensor) -> Tensor:
    """Mean cosine between arrows and directions, both [T, g, D], over the g places, [T]: 1 where all point that way."""
    return torch.cosine_similarity(arrow, direction, dim=-1).mean(-1)


def to_mean(x: Tensor, points: Tensor) -> Tensor:
    """From states x [T, g, D] to the mean of the data points [N, D]: where every arrow leads as sigma grows."""
    return points.mean(0) - x


def to_nearest(x: Tensor, points: Tensor) -> Tensor:
    """From states x [T, g, D] to the nearest of the data points [N, D]: where every arrow leads as sigma vanishes."""
    return torch.stack([points[torch.cdist(xs, points).argmin(1)] for xs in x]) - x


@dataclass(frozen=True, eq=False)
class Film:
    """A model's field beside the exact one on a clock of T noise levels, as a view draws them.

    learned, exact [T, g, 2] are drawn to one scale from ``places`` [g, 2] (see ``vector_field.limit_lengths``);
    density [T, h, w] is the exact log-density; learned_to, exact_to [2, T] say how far the arrows agree with the way to
    the mean and to the nearest point of the data (see ``agreement``).
    """

    sigmas: Tensor
    places: Tensor
    learned: Tensor
    exact: Tensor
    density: Tensor
    learned_to: Tensor
    exact_to: Tensor


def film(
    denoise: Denoise, ideal: EmpiricalDenoiser, sigmas: Tensor, view: str, side: int, reach: float, h: int
) -> Film:
    """Both fields on ``vector_field.grid(side, reach)`` at each of the noise levels [T], over an [h, h] map of the
    log-density."""
    places = vector_field.grid(side, reach)
    x = vector_field.states(places, sigmas, view)
    directions = to_mean(x, ideal.points), to_nearest(x, ideal.points)
    both = [vector_field.arrows(d, places, sigmas, view) for d in (denoise, ideal)]
    to = [torch.stack([agreement(arrow, way) for way in directions]) for arrow in both]
    return Film(
        sigmas,
        places,
        *vector_field.limit_lengths(2 * reach / side, *both),
        vector_field.log_density(ideal.points, sigmas, h, reach, view),
        *to,
    )


@dataclass(frozen=True, eq=False)
class Reading:
    """What a denoiser says at one place of the picture at each noise level: x, x0_hat, eps_hat, score, each [T, D]."""

    x: Tensor
    x0: Tensor
    eps: Tensor
    score: Tensor


@torch.no_grad()
def read(denoise: Denoise, place: tuple[float, ...], sigmas: Tensor, view: str) -> Reading:
    """The reading at the place where a view draws the state, over noise levels [T]: all levels are one batch."""
    x = vector_field.states(torch.tensor([place]), sigmas, view)[:, 0]
    x0 = denoise(x, sigmas)
    return Reading(x, x0, eps_hat(x, x0, sigmas), score(x, x0, sigmas))
