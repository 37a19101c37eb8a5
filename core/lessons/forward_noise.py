"""What chapter 1 computes beside the forward process itself: densities as frames, and when two clouds differ."""

import math

import torch
from torch import Tensor

from core import seeds
from core.data.points import make_points
from core.diffusion.forward import density, jump, jump_noise
from core.diffusion.schedules import scale
from core.metrics import energy_distances


def draws(name: str, n: int, seed: int) -> Tensor:
    """n fresh draws [n, 2] of a built-in data set, float64."""
    return make_points(name, n).sample(n, seeds.generator(seed))[0].double()


def density_frames(points: Tensor, sigma: Tensor, view: str, grid: Tensor) -> Tensor:
    """The density of the noised points in a view, relative to its peak: [T, w, w] for sigma [T], grid [w] on both axes.

    Smoothed by half a cell of the grid, so that points without noise are visible dots.
    """
    alpha, cell = scale(sigma, view), (grid[1] - grid[0]) / 2
    width = ((alpha * sigma) ** 2 + cell**2).sqrt()
    frames = torch.stack([density(a * points, grid, grid, w) for a, w in zip(alpha, width, strict=True)])
    return frames / frames.amax((1, 2), keepdim=True)


def chance_distance(x0: Tensor, sigma: Tensor, seed: int, pairs: int = 19) -> Tensor:
    """A threshold for the energy distance of two clouds noised independently from the same x0 [n, D], at each level
    sigma [T]: [T].

    It is the largest of ``pairs`` independent distances: another one exceeds it with probability 1 / (pairs + 1) (a
    Monte Carlo test; Barnard 1963).
    """
    jumps = (jump(x0, sigma, jump_noise(x0, seed, k)) for k in range(1, 2 * pairs + 1))
    return torch.stack([energy_distances(first, second) for first, second in zip(jumps, jumps, strict=True)]).amax(0)


def contour(centre: Tensor, sigma: Tensor, mass: float = 0.9, corners: int = 72) -> Tensor:
    """The circles around centre [2] that contain ``mass`` of an isotropic Gaussian of width sigma [T]:
    [T, corners + 1, 2]."""
    angle = torch.linspace(0, 2 * math.pi, corners + 1, dtype=torch.float64)
    radius = sigma * math.sqrt(-2 * math.log(1 - mass))
    return centre + radius[:, None, None] * torch.stack([angle.cos(), angle.sin()], 1)
