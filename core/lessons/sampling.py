"""What chapter 4 computes: the parts of one sampler step, and the distance between two clouds on their way.

A step of any sampler can be written as

    x_next = guess + sigma_down / sigma (x - guess) + sigma_up eps.

Samplers differ in how far they step down, in how much noise they add, and in the guess of the clean data that they
step towards: the denoiser's x0_hat, or an estimate of higher order.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from core import metrics
from core.diffusion.samplers import SamplerConfig, Step
from core.models.trajectories import PointModel, trajectory
from core.runs.caching import shared_cache

ROUNDING = 1e-3  # of a guess that is solved for, in units of sigma


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One step of one particle; places and arrows [D] are in state space.

    x_next = denoised + noise, with denoised = guess + sigma_down / sigma (x - guess) and noise = sigma_up eps. The
    guess is x0 for samplers of first order. Heun's is x - sigma times the mean of two slopes, that of DPM-Solver++(2M)
    is extrapolated from the last two x0.
    """

    i: int
    sigma: float
    sigma_down: float
    sigma_up: float
    sigma_next: float
    x: Tensor
    x0: Tensor
    guess: Tensor
    noise: Tensor
    x_next: Tensor

    @property
    def fraction(self) -> float:
        """The fraction of the noise seen in x that the step leaves, sigma_down / sigma."""
        return self.sigma_down / self.sigma

    @property
    def denoised(self) -> Tensor:
        """Where the deterministic part of the step ends."""
        return self.x_next - self.noise

    @property
    def higher_order(self) -> bool:
        """Whether the step goes towards another guess than the denoiser's at x, by more than rounding."""
        return (self.guess - self.x0).norm().item() > ROUNDING * self.sigma

    @property
    def eps(self) -> Tensor:
        """The noise as it was drawn, of unit variance; zero where none was."""
        return self.noise / self.sigma_up if self.sigma_up else self.noise

    @property
    def slopes(self) -> tuple[Tensor, Tensor]:
        """dx/dsigma at x, (x - x0) / sigma, and the slope at the other end of the step that Heun's method averages with
        it (equal to the first for samplers of first order)."""
        first, mean = (self.x - self.x0) / self.sigma, (self.x - self.guess) / self.sigma
        return first, 2 * mean - first


def anatomy(step: Step, k: int) -> Anatomy:
    """The parts of a step of particle k, for any sampler.

    The guess is solved for from the deterministic part of the step, which tells what the sampler stepped towards.
    """
    x, x0, x_next = step.x[k], step.x0[k], step.x_next[k]
    noise = torch.zeros_like(x) if step.noise is None else step.noise[k]
    down = step.sigma_next if step.sigma_down is None else step.sigma_down
    fraction = down / step.sigma
    guess = (x_next - noise - fraction * x) / (1 - fraction) if fraction < 1 else x0
    return Anatomy(step.i, step.sigma, down, step.sigma_up, step.sigma_next, x, x0, guess, noise, x_next)


def cloud_distance(first: Tensor, second: Tensor, parts: int = 1) -> Tensor:
    """Energy distance between two clouds [T, n, D] at each of T levels, [T]: the mean over ``parts`` parts of them.

    Two halves are compared twice as fast as the whole, and on two cores at once, but have twice its noise floor.
    """
    with ThreadPoolExecutor(2) as pool:
        return torch.stack([*pool.map(metrics.energy_distances, first.chunk(parts, 1), second.chunk(parts, 1))]).mean(0)


@shared_cache(32)
def cloud_distance_over_levels(
    model: PointModel,
    first: SamplerConfig,
    second: SamplerConfig,
    levels: tuple[float, ...],
    n: int = 2000,
    parts: int = 1,
) -> Tensor:
    """The ``cloud_distance`` of n particles under two configurations, at each of the levels [T], [T]."""
    common = torch.tensor(levels, dtype=torch.float64)
    return cloud_distance(*(trajectory(model, config, n).at(common) for config in (first, second)), parts)
