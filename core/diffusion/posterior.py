"""Sampling given a measurement y of the data: the denoiser E[x0 | x, y] in place of E[x0 | x].

Bayes' rule adds one gradient to the score: grad log p(x | y) = grad log p(x) + grad log p(y | x). As the denoiser is
x + sigma^2 score, it becomes D(x) + sigma^2 grad log p(y | x), and every sampler can use it. The gradient is exact for
a mixture of points; for a network it has to be estimated.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from core.diffusion.denoiser import Cond, Denoise, per_sample
from core.diffusion.exact import EmpiricalDenoiser
from core.problems import Problem

LogLikelihood = Callable[[Tensor, Tensor], Tensor]  # x [B, ...], sigma [B] -> log p(y | x), [B]


def gradient(log_likelihood: LogLikelihood, x: Tensor, sigma: Tensor) -> Tensor:
    """grad_x log p(y | x) at x [B, ...], of the shape of x, by automatic differentiation."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(log_likelihood(x, sigma).sum(), x)
    return slope


def guided_by(denoise: Denoise, log_likelihood: LogLikelihood, scale: float = 1.0) -> Denoise:
    """D(x) + scale sigma^2 grad log p(y | x): classifier guidance (Dhariwal & Nichol 2021, algorithm 2).

    With the exact probability of a class and scale 1 it is the exact conditional denoiser.
    """

    def guided(x: Tensor, sigma: Tensor) -> Tensor:
        return denoise(x, sigma) + scale * per_sample(sigma, x) ** 2 * gradient(log_likelihood, x, sigma)

    return guided


def class_log_probability(exact: EmpiricalDenoiser, label: int) -> LogLikelihood:
    """log p(y | x; sigma) of a class, [B]: the logarithm of the part of the points' posterior weights that are of it.

    It is what a perfect classifier of noised points would answer.
    """

    def log_probability(x: Tensor, sigma: Tensor) -> Tensor:
        wanted: Cond = {"label": torch.full((len(x),), label)}
        share = math.log((exact.labels == label).double().mean().item())
        return exact.log_density(x, sigma, wanted) - exact.log_density(x, sigma) + share

    return log_probability


def measured_points(exact: EmpiricalDenoiser, operator: Tensor, y: Tensor, std: float) -> Denoise:
    """E[x0 | x, y] exactly, for points that were measured as y = A x0 + std n with Gaussian n.

    The measurement multiplies the weight of each point by N(y; A point, std^2).

    Args:
        exact: the exact denoiser of points [N, ...].
        operator: A, [m, D], where D is the number of values of a point.
        y: the measured values, [m].
        std: the standard deviation of the measurement's noise, above 0.
    """
    _check_std(std)
    apart = (exact.points.flatten(1).to(y) @ operator.T - y).square().sum(1)
    log_weight = -apart / (2 * std**2)

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        flat = exact.points.flatten(1).to(x)
        distance = torch.cdist(x.flatten(1), flat, compute_mode="donot_use_mm_for_euclid_dist")
        logits = -distance.square() / (2 * per_sample(sigma, distance) ** 2) + log_weight.to(x)
        return (logits.softmax(1) @ flat).view_as(x)

    return denoise


def measurement_log_likelihood(
    denoise: Denoise, operator: Tensor, y: Tensor, std: float, sigma_data: float
) -> LogLikelihood:
    """An estimate of log p(y | x) for y = A x0 + std n: as if x0 were Gaussian around x0_hat, [B].

    N(y; A x0_hat, std^2 + r^2 A A') with r^2 = sigma^2 sigma_data^2 / (sigma^2 + sigma_data^2), the variance of x0
    given x if the data were Gaussian (pseudoinverse guidance; Song et al. 2023). sigma_data 0 leaves r out, which is
    diffusion posterior sampling (Chung et al. 2023, theorem 1). Its gradient goes through the denoiser.

    Args:
        operator: A with orthonormal rows, [m, D].
        y: the measured values, [m].
    """
    _check_std(std)

    def log_likelihood(x: Tensor, sigma: Tensor) -> Tensor:
        variance = std**2 + sigma**2 * sigma_data**2 / (sigma**2 + sigma_data**2)
        apart = denoise(x, sigma).flatten(1) @ operator.T.to(x) - y.to(x)
        return -apart.square().sum(1) / (2 * variance) - len(y) / 2 * (2 * math.pi * variance).log()

    return log_likelihood


def _check_std(std: float) -> None:
    if not 0 < std < math.inf:
        raise Problem("measurement_std", std=std)
