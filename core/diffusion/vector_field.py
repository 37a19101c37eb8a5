"""The vector field of a denoiser over space and noise: at each place x and noise level sigma the arrow x0_hat - x.

Places are in the coordinates of a view (see ``schedules.scale``): a state x is at u = scale(sigma) x, and its arrow is
scale(sigma) (x0_hat - x), so that it ends where the view has x0_hat.
"""

import torch
from torch import Tensor

from core import seeds
from core.diffusion.denoiser import Denoise, per_sample
from core.diffusion.schedules import log_linear, scale


def levels(frames: int, sigma_max: float = 10.0, sigma_min: float = 0.01) -> Tensor:
    """Noise levels for a film of the field, [frames] float32: evenly spaced in log sigma, from coarse to fine."""
    return log_linear(sigma_min, sigma_max).sigmas(frames)[:-1].float()


def axis(side: int, reach: float) -> Tensor:
    """The centres of ``side`` equal cells of [-reach, reach], [side], ascending."""
    return reach * ((2 * torch.arange(side) + 1) / side - 1)


def grid(side: int, reach: float) -> Tensor:
    """The centres of side x side cells of [-reach, reach]^2, [side * side, 2], row by row from the bottom."""
    y, x = torch.meshgrid(axis(side, reach), axis(side, reach), indexing="ij")
    return torch.stack([x, y], dim=2).flatten(0, 1)


def states(places: Tensor, sigmas: Tensor, view: str) -> Tensor:
    """The states [T, g, ...] that are at ``places`` [g, ...] of a view, at each of the noise levels [T]."""
    return places / per_sample(scale(sigmas, view), places[None])


@torch.no_grad()
def evaluate(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Tensor:
    """x0_hat of states x [T, g, ...] at noise levels [T], [T, g, ...] float32.

    One call for each noise level: many calls of a few hundred states stay in the cache where one large call does not.
    """
    return torch.stack([denoise(xs, sigma.expand(len(xs))) for xs, sigma in zip(x, sigmas, strict=True)]).float()


def arrows(denoise: Denoise, places: Tensor, sigmas: Tensor, view: str) -> Tensor:
    """The field in a view: scale(sigma) (x0_hat - x) at ``places`` [g, ...], [T, g, ...] float32."""
    x = states(places, sigmas, view)
    return (evaluate(denoise, x, sigmas) - x) * per_sample(scale(sigmas, view), x)


def limit_lengths(longest: float, *fields: Tensor) -> list[Tensor]:
    """Fields [T, g, D] shrunk by one factor at each place, so that none of the arrows there is longer than ``longest``.

    Where all are shorter they keep their length. One factor for all fields keeps their differences proportional.
    """
    longer = torch.stack([field.norm(dim=-1, keepdim=True) for field in fields]).amax(0)
    return [field * (longest / longer.clamp_min(longest)) for field in fields]


def log_density(points: Tensor, sigmas: Tensor, side: int, reach: float, view: str, depth: float = 10.0) -> Tensor:
    """log p(u; sigma) of points [N, 2] noised and drawn in a view, on ``grid(side, reach)``, [T, side, side] float32.

    In nats above the lowest value of each frame, which is clamped at ``depth`` below the highest, because at small
    sigma the range is thousands of nats. A Gaussian is a product over the axes, so a frame is one matrix product, where
    ``EmpiricalDenoiser.log_density`` would compute the distance of every place to every point.
    """
    frames = []
    for sigma, factor in zip(sigmas, scale(sigmas, view), strict=True):
        offset = axis(side, reach)[:, None, None] / factor - points
        x, y = (-offset.square() / (2 * sigma**2)).exp().unbind(2)
        log_p = (y @ x.T).clamp_min(1e-37).log()
        lifted = log_p.clamp_min(log_p.max() - depth)
        frames.append(lifted - lifted.min())
    return torch.stack(frames)


@torch.no_grad()
def relative_error(denoise: Denoise, ideal: Denoise, x0: Tensor, sigmas: Tensor, seed: int = 0) -> Tensor:
    """The relative error of a field on noised data, [T]: sqrt(E |eps_hat - eps*|^2 / E |eps*|^2), x = x0 + sigma eps.

    eps* follows from the ``ideal`` denoiser and x0 [n, ...] are the data, noised afresh at each of the noise levels
    [T]. 0: the same field; 1: the error of a field that is zero. eps = (x - x0_hat) / sigma, so the same number is the
    error of x0_hat relative to the length of the exact arrow, and the error of the score relative to the exact score.
    """
    errors = []
    for place, sigma in enumerate(sigmas):
        level = sigma.expand(len(x0))
        x = x0 + per_sample(level, x0) * seeds.gaussian(tuple(x0.shape), seed, place, like=x0)
        best = ideal(x, level)
        errors.append(((denoise(x, level) - best).square().mean() / (best - x).square().mean()).sqrt())
    return torch.stack(errors)
