"""What chapter 4 computes: one step of a sampler taken apart, and how far two clouds are apart on their way.

Whatever its name, each step of each sampler here is one line,

    x_next = guess + sigma_down / sigma (x - guess) + sigma_up eps.

The samplers differ in how far they step down, how much noise they add, and how they sharpen the guess x0_hat.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from core.diffusion import forward
from core.diffusion.denoiser import Denoise
from core.diffusion.samplers import SamplerConfig, step_sizes
from core.models.trajectories import PointModel, trajectory
from core.pretrained import POINT_CONFIGS, points_of, pretrained


def shipped(name: str) -> PointModel:
    """The shipped model of that name (see ``core.pretrained``)."""
    return PointModel(name, pretrained(name).denoiser, points_of(name), POINT_CONFIGS[name][1].endless)


# One step under the lens


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One step of one particle, every term of its equation in numbers; places and arrows [D] are in state space.

    x_next = denoised + noise, with denoised = guess + sigma_down / sigma (x - guess) and noise = sigma_up eps. guess is
    x0 itself but where a sampler sharpens it: Heun's is x - sigma times the mean of the two slopes, that of
    DPM-Solver++(2M) is extrapolated from the last two x0.
    """

    i: int
    sigma: float
    sigma_down: float
    sigma_up: float
    sigma_next: float
    x: Tensor
    x0: Tensor
    guess: Tensor
    denoised: Tensor
    noise: Tensor
    x_next: Tensor

    @property
    def kept(self) -> float:
        """The part of the noise seen in x that the step keeps, sigma_down / sigma."""
        return self.sigma_down / self.sigma

    @property
    def sharpened(self) -> bool:
        """Whether the step aims elsewhere than at x0, by more than rounding."""
        return (self.guess - self.x0).norm().item() > 1e-3 * self.sigma

    @property
    def eps(self) -> Tensor:
        """The noise as it was drawn, of unit variance; zero where none was."""
        return self.noise / self.sigma_up if self.sigma_up else self.noise

    @property
    def slopes(self) -> tuple[Tensor, Tensor]:
        """dx/dsigma at x, (x - x0) / sigma, and the one at the step's other end whose mean with it Heun's method takes
        (equal to the first for samplers that do not look there)."""
        first, mean = (self.x - self.x0) / self.sigma, (self.x - self.guess) / self.sigma
        return first, 2 * mean - first


@torch.no_grad()
def anatomy(denoise: Denoise, config: SamplerConfig, path: Tensor, i: int) -> Anatomy:
    """Step i of a particle whose path [steps + 1, D] a way made under this denoiser.

    The guess of a sampler without noise is read off its step, which tells where it was going.
    """
    (x, x_next), (sigma, sigma_next) = path[i : i + 2], config.sigmas[i : i + 2].tolist()
    down, up = (part[i].item() for part in step_sizes(config))
    x0 = denoise(x[None], x.new_full((1,), sigma))[0]
    kept = down / sigma
    guess = x0 if config.random else (x_next - kept * x) / (1 - kept)
    denoised = torch.lerp(guess, x, kept)
    noise = x_next - denoised if up else torch.zeros_like(x)
    return Anatomy(i, sigma, down, up, sigma_next, x, x0, guess, denoised, noise, x_next)


# Two clouds


def cloud_distance(first: Tensor, second: Tensor, parts: int = 1) -> Tensor:
    """Energy distance between two clouds [T, n, D] at each of T levels, [T]: the mean over ``parts`` parts of them.

    Halves are compared twice as fast as the whole, and on two cores at once, but have twice its noise floor: a true
    difference stands out half as much.
    """
    with ThreadPoolExecutor(2) as pool:
        return torch.stack([*pool.map(forward.distances, first.chunk(parts, 1), second.chunk(parts, 1))]).mean(0)


@lru_cache(maxsize=32)
def cloud_distance_over_levels(
    model: PointModel,
    first: SamplerConfig,
    second: SamplerConfig,
    levels: tuple[float, ...],
    n: int = 2000,
    parts: int = 1,
) -> Tensor:
    """The ``cloud_distance`` of the clouds of n particles under two configurations, at each level [T]. Remembered like ``trajectory``."""
    common = torch.tensor(levels, dtype=torch.float64)
    return cloud_distance(*(trajectory(model, config, n).at(common) for config in (first, second)), parts)
