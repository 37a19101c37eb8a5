"""The log-density of a model at given data, by the probability-flow ODE.

Along the ODE dx/dsigma = (x - D(x, sigma)) / sigma the log-density changes by minus the divergence of the right side
(Chen et al. 2018, theorem 1; Song et al. 2021, section 4.3). From the lowest level to the highest, where it is that of
a Gaussian, this gives the log-density of the data with noise of the lowest level.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from core import seeds
from core.diffusion.denoiser import Denoise, per_sample
from core.diffusion.editing import rising
from core.diffusion.exact import EmpiricalDenoiser

Traced = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # x [B, ...], sigma [B] -> x0_hat [B, ...], trace [B]


def exact_trace(denoise: Denoise) -> Traced:
    """x0_hat together with the trace of its Jacobian, [B]: one backward pass for each number of a sample.

    For points. ``denoise`` has to be differentiable, and to treat the samples of a batch independently.
    """

    def traced(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            x0_hat = denoise(x, sigma)
            columns = x0_hat.flatten(1).sum(0)
            trace = 0.0
            for k, column in enumerate(columns):
                (slope,) = torch.autograd.grad(column, x, retain_graph=k + 1 < len(columns))
                trace = trace + slope.flatten(1)[:, k]
        return x0_hat.detach(), trace

    return traced


def estimated_trace(denoise: Denoise, seed: int = 0, probes: int = 1) -> Traced:
    """x0_hat with Hutchinson's estimate of the trace, the mean of v.J v over random signs v (Grathwohl et al. 2019).

    For images: one backward pass for each of the ``probes``, whatever the number of pixels. The signs are the same at
    every level.
    """

    def traced(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            x0_hat = denoise(x, sigma)
            trace = 0.0
            for k in range(probes):
                signs = seeds.gaussian(x.shape, seed, k, like=x.detach()).sign()
                (product,) = torch.autograd.grad(x0_hat, x, signs, retain_graph=k + 1 < probes)
                trace = trace + (product * signs).flatten(1).sum(1) / probes
        return x0_hat.detach(), trace

    return traced


def posterior_trace(exact: EmpiricalDenoiser) -> Traced:
    """The exact denoiser of points with its trace in closed form: the Jacobian of E[x0 | x] is Cov(x0 | x) / sigma^2
    (Tweedie's formula of second order; Efron 2011)."""

    def traced(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return exact(x, sigma), x[0].numel() * exact.variance(x, sigma) / sigma**2

    return traced


def log_likelihood(traced: Traced, x: Tensor, sigmas: Tensor, sigma_data: float) -> Tensor:
    """log p(x; sigma) in nats at the lowest positive level of a descending grid, [B], by Heun's method.

    Args:
        traced: a denoiser with its trace (``exact_trace`` or ``estimated_trace``).
        x: data [B, ...] with noise of the lowest level, or data whose noised density is asked for.
        sigmas: the levels; at the highest the data are taken as a Gaussian of variance sigma^2 + sigma_data^2.
        sigma_data: root mean square of the data, whose mean is 0.
    """
    levels = rising(sigmas).tolist()
    change = x.new_zeros(len(x))
    slope, divergence = _flow(traced, x, levels[0])
    for sigma, higher in zip(levels, levels[1:]):
        step = higher - sigma
        ahead, divergence_ahead = _flow(traced, x + step * slope, higher)
        x = x + step * (slope + ahead) / 2
        change = change + step * (divergence + divergence_ahead) / 2
        slope, divergence = _flow(traced, x, higher)
    return change + gaussian_log_density(x, (levels[-1] ** 2 + sigma_data**2) ** 0.5)


def _flow(traced: Traced, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """The right side of the ODE at x [B, ...] and its divergence [B]."""
    level = x.new_full((len(x),), sigma)
    x0_hat, trace = traced(x, level)
    return (x - x0_hat) / per_sample(level, x), (x[0].numel() - trace) / sigma


def gaussian_log_density(x: Tensor, std: float) -> Tensor:
    """log N(x; 0, std^2) of each sample of x [B, ...], [B] in nats."""
    flat = x.flatten(1)
    return -flat.square().sum(1) / (2 * std**2) - flat.shape[1] * math.log(std * (2 * math.pi) ** 0.5)
