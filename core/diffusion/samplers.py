"""Samplers: from noise to data, as generators that yield every step. ``break`` stops one; nothing is hidden in it.

All start from x ~ N(0, sigma_max^2 + sigma_data^2) and walk down a grid of sigmas that ends at 0. ``denoise`` is any
(x, sigma[B]) -> x0_hat; x is [B, ...] of any shape.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from core import seeds
from core.diffusion.denoiser import Denoise


@dataclass(frozen=True)
class Step:
    """One step from x at sigma to x_next at sigma_next; noise: what was added, or None; nfe: the calls so far."""

    i: int
    sigma: float
    sigma_next: float
    x: Tensor
    x0: Tensor
    x_next: Tensor
    noise: Tensor | None
    nfe: int


Sampler = Callable[..., Iterator[Step]]


def start(shape: tuple[int, ...], sigma_max: float, sigma_data: float, seed: int) -> Tensor:
    """Starting points, float32: noise of the highest level on data of RMS ``sigma_data``. Row k is equal for any B."""
    return (sigma_max**2 + sigma_data**2) ** 0.5 * seeds.gaussian(shape, seed)


def _without_gradient(sampler: Sampler) -> Sampler:
    """A sampler that records nothing to differentiate: what it asks and starts from is cut off once.

    Decorated by ``torch.no_grad`` itself, a generator switches its caller's mode at every step, which takes as long as
    the arithmetic of a small one.
    """

    @wraps(sampler)
    def walk(denoise: Denoise, x: Tensor, *options: Any, **named: Any) -> Iterator[Step]:
        return sampler(torch.no_grad()(denoise), x.detach(), *options, **named)

    return walk


@_without_gradient
def ancestral(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    eta: float = 1.0,
    s_noise: float = 1.0,
    seed: int = 0,
    eta_step: float | None = None,
) -> Iterator[Step]:
    """From DDIM (eta = 0) to DDPM (eta = 1): step down to sigma_down, then noise up to sigma_next (see ``split``).

    s_noise = 0 leaves the noise out and keeps DDPM's step: the mean in place of a sample. eta_step takes the step down
    of another eta than the noise's own: (eta, eta_step) = (0, 1) is DDPM's step without noise once more, and (1, 0) is
    DDIM's step with DDPM's noise on top.
    """
    source = torch.Generator()
    for i, (sigma, sigma_next, level) in enumerate(_levels(x, sigmas)):
        x0 = denoise(x, level)
        down, up = split(sigma, sigma_next, eta)
        if eta_step is not None:
            down, _ = split(sigma, sigma_next, eta_step)
        x_next = torch.lerp(x0, x, down / sigma)
        noise = None
        if up * s_noise > 0:
            noise = seeds.gaussian(x.shape, seed, i + 1, like=x, std=up * s_noise, reuse=source)
            x_next += noise
        yield Step(i, sigma, sigma_next, x, x0, x_next, noise, i + 1)
        x = x_next


def split(sigma: float, sigma_next: float, eta: float) -> tuple[float, float]:
    """(sigma_down, sigma_up), whose squares add up to sigma_next's: how far to step down, how much noise to put back.

    sigma_up = eta sigma_next sqrt(1 - sigma_next^2 / sigma^2) (Song, Meng & Ermon 2021, eq. 16, where sigma_up /
    sqrt(1 + sigma_next^2) is called sigma_tau). At eta = 1 it is the standard deviation of DDPM's posterior, and
    sigma_down = sigma_next^2 / sigma.
    """
    up = eta * sigma_next * (1 - (sigma_next / sigma) ** 2) ** 0.5
    return max(sigma_next**2 - up**2, 0.0) ** 0.5, up


@_without_gradient
def euler(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Iterator[Step]:
    """Euler's method on the probability-flow ODE dx/dsigma = (x - x0_hat) / sigma (Karras et al. 2022, eqs. 1, 3)."""
    for i, (sigma, sigma_next, level) in enumerate(_levels(x, sigmas)):
        x0 = denoise(x, level)
        slope = (x - x0) / sigma
        x_next = x + (sigma_next - sigma) * slope
        yield Step(i, sigma, sigma_next, x, x0, x_next, None, i + 1)
        x = x_next


@_without_gradient
def heun(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Iterator[Step]:
    """Heun's second-order method: the mean slope of both ends, and Euler's step to 0 (Karras et al. 2022, alg. 1)."""
    nfe = 0
    for i, (sigma, sigma_next, level) in enumerate(_levels(x, sigmas)):
        x0 = denoise(x, level)
        slope = (x - x0) / sigma
        x_next = x + (sigma_next - sigma) * slope
        nfe += 1
        if sigma_next > 0:
            ahead = (x_next - denoise(x_next, x.new_full((len(x),), sigma_next))) / sigma_next
            x_next = x + (sigma_next - sigma) * (slope + ahead) / 2
            nfe += 1
        yield Step(i, sigma, sigma_next, x, x0, x_next, None, nfe)
        x = x_next


@_without_gradient
def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Iterator[Step]:
    """DPM-Solver++(2M): exponential integrator, x0_hat extrapolated from the last two (Lu et al. 2022, algorithm 2).

    The first step and the step to 0 are first order, where there is nothing to extrapolate from or to.
    """
    x0_before, h_before = None, 0.0
    for i, (sigma, sigma_next, level) in enumerate(_levels(x, sigmas)):
        x0 = denoise(x, level)
        ahead, ratio = x0, sigma_next / sigma
        if sigma_next > 0:
            h = -math.log(ratio)
            if x0_before is not None:
                ahead = torch.lerp(x0_before, x0, 1 + h / (2 * h_before))
            h_before = h
        x_next = torch.lerp(ahead, x, ratio)
        yield Step(i, sigma, sigma_next, x, x0, x_next, None, i + 1)
        x, x0_before = x_next, x0


@_without_gradient
def sde(denoise: Denoise, x: Tensor, sigmas: Tensor, seed: int = 0) -> Iterator[Step]:
    """Euler-Maruyama on the reverse-time SDE, dx = -2 sigma score dsigma + sqrt(2 sigma) dw (Song et al. 2021, eq. 6).

    The score is held over a step, over which the variance falls by sigma^2 - sigma_next^2; the last step adds no noise.
    """
    source = torch.Generator()
    for i, (sigma, sigma_next, level) in enumerate(_levels(x, sigmas)):
        x0 = denoise(x, level)
        fall = sigma**2 - sigma_next**2
        x_next = torch.lerp(x, x0, fall / sigma**2)
        noise = None
        if sigma_next > 0:
            noise = seeds.gaussian(x.shape, seed, i + 1, like=x, std=fall**0.5, reuse=source)
            x_next += noise
        yield Step(i, sigma, sigma_next, x, x0, x_next, noise, i + 1)
        x = x_next


def ddim(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Iterator[Step]:
    """DDIM (Song, Meng & Ermon 2021): ``ancestral`` with eta = 0."""
    return ancestral(denoise, x, sigmas, eta=0.0)


SAMPLERS: dict[str, Sampler] = {
    "ddpm": ancestral,
    "ddim": ddim,
    "euler": euler,
    "heun": heun,
    "dpmpp-2m": dpmpp_2m,
    "sde": sde,
}


def last(steps: Iterator[Step]) -> Tensor:
    """Run a sampler to its end: the samples [B, ...]."""
    for step in steps:
        x = step.x_next
    return x


def path(steps: Iterator[Step]) -> Tensor:
    """Every state of a run, [steps + 1, B, ...], the starting points first."""
    run = list(steps)
    return torch.stack([run[0].x, *(step.x_next for step in run)])


def _levels(x: Tensor, sigmas: Tensor) -> Iterator[tuple[float, float, Tensor]]:
    """(sigma, sigma_next, sigma as a denoiser takes it, [B]) along the grid.

    Floats, because arithmetic on them costs no tensor operation; views of one grid, because so no step fills a tensor.
    """
    numbers, batches = sigmas.tolist(), sigmas.to(x)[:, None].expand(-1, len(x))
    return zip(numbers, numbers[1:], batches)
