"""The walks that pass through one place: where they began, how they came, and what a network learns from them.

A walk adds N equal noises of variance sigma^2 / N to a data point. Seen from its end x, its start is distributed as the
exact denoiser's weights, and given the start the way there is a Brownian bridge.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core import seeds
from core.diffusion.denoiser import Denoise
from core.diffusion.exact import EmpiricalDenoiser


def origins(ideal: EmpiricalDenoiser, x: Tensor, sigmas: Tensor, n: int, seed: int = 0) -> Tensor:
    """Where n walks that are at x [D] at each noise level of ``sigmas`` [T] began: draws of p(x0 | x), [T, n, D].

    The same n uniform numbers serve all levels (inverse transform sampling): the draws change little with sigma.
    """
    weights = ideal.weights(x.expand(len(sigmas), -1), sigmas)
    spread = ((torch.arange(n) + seeds.uniform(n, seed)) / n).to(weights)
    chosen = torch.searchsorted(weights.cumsum(1), spread.expand(len(sigmas), -1).contiguous())
    return ideal.points.to(x)[chosen.clamp(max=len(ideal.points) - 1)]


def bridges(starts: Tensor, x: Tensor, sigmas: Tensor, steps: int, seed: int = 0) -> Tensor:
    """Walks of ``steps`` equal noises from ``starts`` [T, n, D] that end at x [D], [T, n, steps + 1, D].

    x0 + s (x - x0) + sigma (W_s - s W_1) with s = 0, 1/N, ..., 1: a random walk, tied down at both ends. Every second
    walk mirrors the one before it, so that means over an even number of walks are free of the walks' own noise.
    """
    count, dim = starts.shape[1:]
    half = seeds.gaussian(((count + 1) // 2, steps, dim), seed).to(x).cumsum(1) / steps**0.5
    free = torch.stack([half, -half], dim=1).flatten(0, 1)[:count]
    free = torch.cat([free.new_zeros(count, 1, dim), free], dim=1)
    s = torch.linspace(0, 1, steps + 1).to(x)[:, None]
    tied = free - s * free[:, -1:]
    return starts[:, :, None] + s * (x - starts[:, :, None]) + sigmas.to(x)[:, None, None, None] * tied


def last_step(walks: Tensor) -> Tensor:
    """The mean last step of walks [T, n, N + 1, D], [T, D]: 1/N of their mean whole noise, x minus the mean start."""
    return (walks[:, :, -1] - walks[:, :, -2]).mean(1)


@dataclass(frozen=True, eq=False)
class PosteriorWalks:
    """All that passes through x at each of the noise levels [T]: where it began, the ways, and the arrows back.

    starts [T, n, D] and walks [T, n, N + 1, D] are draws; mean_start [T, D] and mean_last_step [T, D] their means, from
    x and of the last step; exact and learned [T, D] the arrows x0_hat - x.
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
    """n walks of ``steps`` steps through x [D] at each of ``sigmas`` [T], and the exact and the learned arrow there."""
    starts = origins(ideal, x, sigmas, n)
    walks = bridges(starts, x, sigmas, steps)
    here = x.expand(len(sigmas), -1)
    arrows = (denoise(here, sigmas) - x for denoise in (ideal, learned))
    return PosteriorWalks(x, sigmas, starts, walks, starts.mean(1) - x, last_step(walks), *arrows)
