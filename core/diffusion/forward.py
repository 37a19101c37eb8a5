"""The forward process: how data become noise, in many small steps or in one jump.

The state is x = x0 + sigma eps; a view of it (see ``schedules.scale``) is x times a factor that depends on sigma.
"""

import math

import torch
from torch import Tensor

from core import seeds
from core.diffusion.schedules import Schedule, scale
from core.problems import Problem

_WALK, _JUMP = 0x3A1C, 0x10B5  # keep the noise of walks and of jumps of one seed apart


def levels(schedule: Schedule, steps: int) -> Tensor:
    """Noise levels at the times 0, 1/steps, ..., 1: [steps + 1] float64, ascending from 0 (the data themselves).

    Raises Problem unless steps >= 1.
    """
    if steps < 1:
        raise Problem("forward_steps", steps=steps)
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)[1:]
    return torch.cat([torch.zeros(1, dtype=torch.float64), schedule.sigma(t)])


def jump(x0: Tensor, sigma: Tensor, eps: Tensor) -> Tensor:
    """x0 noised in one step, at every level: x0 + sigma eps, [T, *x0.shape] for sigma [T].

    Multiplied by alpha = ``schedules.scale(sigma, "vp")`` it is DDPM's x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar)
    eps (Ho et al. 2020, eq. 4).
    """
    return x0 + _per_level(sigma, x0) * eps


def random_walk(x0: Tensor, sigma: Tensor, seed: int) -> Tensor:
    """x0 noised in small steps, a random walk through the levels sigma [T]: [T, *x0.shape], the first is x0.

    A step from level s to s' adds fresh noise of variance s'^2 - s^2. Variances of independent steps add up, so after
    any number of steps the walk is distributed exactly as the jump to that level (the "variance exploding" process of
    Song et al. 2021). Raises Problem unless the levels ascend from 0.
    """
    variance = sigma.square().diff()
    if sigma[0] != 0 or (variance < 0).any():
        raise Problem("forward_levels")
    eps = torch.stack([seeds.gaussian(x0.shape, seed, _WALK, i, like=x0) for i in range(len(variance))])
    steps = _per_level(variance.sqrt(), x0) * eps
    return torch.cat([x0[None], x0 + steps.cumsum(0)])


def jump_noise(x0: Tensor, seed: int, *place: int) -> Tensor:
    """The noise eps of a seed's jump from x0, of its shape and dtype; independent of the noise of the seed's walk."""
    return seeds.gaussian(x0.shape, seed, _JUMP, *place, like=x0)


def in_view(x: Tensor, sigma: Tensor, view: str) -> Tensor:
    """States x [T, ...] at the levels sigma [T] in a view: times ``schedules.scale``, which is 1 for "ve"."""
    return _per_level(scale(sigma, view), x[0]) * x


def density(points: Tensor, xs: Tensor, ys: Tensor, sigma: Tensor | float) -> Tensor:
    """The density of the noised points on a grid, [h, w] for xs [w] and ys [h], row 0 at ys[0].

    Exact: an isotropic Gaussian of width sigma on each of the points [N, 2]. It is the product of a factor for x and
    one for y, so the whole grid is one matrix product.
    """
    across, up = (_bell(grid, points[:, i], sigma) for i, grid in enumerate((xs, ys)))
    return up @ across.T / len(points)


def _bell(grid: Tensor, centres: Tensor, sigma: Tensor | float) -> Tensor:
    """The density of N(centre, sigma^2) on the grid, [len(grid), len(centres)]."""
    z = (grid[:, None] - centres[None]) / sigma
    return torch.exp(-z.square() / 2) / (sigma * math.sqrt(2 * math.pi))


def _per_level(values: Tensor, x0: Tensor) -> Tensor:
    """One number per level, shaped to multiply [T, *x0.shape]."""
    return values.to(x0).view(-1, *[1] * x0.ndim)
