"""What a trained denoiser does beside sampling: it starts from given data, fills in a missing part, inverts a sample.

Nothing is trained. States are [B, ...] of any shape, and ``denoise`` is any (x, sigma[B]) -> x0_hat.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from core import seeds
from core.diffusion import samplers
from core.diffusion.denoiser import Denoise
from core.diffusion.samplers import Step, ancestral_step
from core.problems import Problem

_NOISE, _KNOWN, _BACK = 0x5DED, 0x6B0, 0xBAC  # keep the draws of one seed apart


def levels_from(sigmas: Tensor, sigma: float) -> Tensor:
    """The part of a sampler's grid [T + 1] that begins at ``sigma``: this level, then all lower ones.

    Raises Problem for a level outside the schedule: above the first level, or not above the last one before 0.
    """
    positive = sigmas[sigmas > 0]
    low, high = positive.min().item(), positive.max().item()
    if not low < sigma <= high * (1 + 1e-6):
        raise Problem("sigma_outside", sigma=sigma, low=low, high=high)
    return torch.cat([sigmas.new_tensor([min(sigma, high)]), sigmas[sigmas < min(sigma, high) * (1 - 1e-6)]])


def add_noise(x: Tensor, sigma: float, seed: int) -> Tensor:
    """x + sigma eps for given data x [B, ...]; row k has the same eps at every level."""
    return x + sigma * seeds.gaussian(x.shape, seed, _NOISE, like=x)


def start_at(denoise: Denoise, x: Tensor, sigmas: Tensor, seed: int = 0) -> Tensor:
    """SDEdit (Meng et al. 2022): noise given data x [B, ...] to the level sigmas[0], then remove the noise.

    Returns all states, [T + 1, B, ...]: noised first, then down the grid by Euler's method. A low level keeps the given
    data, a high one keeps little of them.
    """
    return samplers.path(samplers.euler(denoise, add_noise(x, float(sigmas[0]), seed), sigmas))


def invert(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Tensor:
    """DDIM inversion (Song, Meng & Ermon 2021, section 4.3): Euler's method upward on the probability-flow ODE.

    x [B, ...] is taken as the state at the lowest positive level of the descending grid; the result, at sigmas[0], is
    the noise from which ``samplers.euler`` returns to x. The round trip has an error of first order in the step.
    """
    return samplers.last(samplers.euler(denoise, x, rising(sigmas)))


def rising(sigmas: Tensor) -> Tensor:
    """The positive levels of a descending grid, ascending."""
    return sigmas[sigmas > 0].flip(0)


def round_trip(denoise: Denoise, x: Tensor, sigmas: Tensor, back: Denoise | None = None) -> Iterator[Step]:
    """Invert x [B, ...] and sample from the noise that results: the steps up over the positive levels of the grid, then
    those down the grid. ``back``: another denoiser for the way down, for instance of another condition."""
    for step in samplers.euler(denoise, x, rising(sigmas)):
        yield step
    yield from samplers.euler(back or denoise, step.x_next, sigmas)


def fill_in(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    known: Tensor,
    mask: Tensor,
    resamplings: int = 1,
    seed: int = 0,
) -> Iterator[Step]:
    """Inpainting by RePaint (Lugmayr et al. 2022, algorithm 1): the part ``mask`` of the data is ``known``.

    In each step the unknown part takes a step of DDPM, and the known part is noised data of the new level. Before the
    next step, noise leads back to the level before, and the step is made again: ``resamplings`` times in all, so that
    both parts can adapt to each other. The steps that are yielded are the last ones of each level.

    Args:
        x: the starting points [B, ...] at sigmas[0].
        sigmas: a grid of a sampler, descending.
        known: data [B, ...] or [1, ...]; only what is under the mask counts.
        mask: bool, [B, ...] or anything that broadcasts to it; True: this number is known.

    The samples are plausible; they do not follow the conditional distribution of the unknown part. Raises Problem for a
    mask that fixes everything or nothing, and for fewer than one resampling.
    """
    check_mask(mask)
    if resamplings < 1:
        raise Problem("resamplings", number=resamplings)
    denoise, x = torch.no_grad()(denoise), x.detach()
    for i, (sigma, sigma_next, level) in enumerate(samplers.levels(x, sigmas)):
        down, up = ancestral_step(sigma, sigma_next, 1.0)
        turns = resamplings if sigma_next > 0 else 1  # at 0 there is no noise that could lead back
        for turn in range(turns):
            x0 = denoise(x, level)
            free = torch.lerp(x0, x, down / sigma) + seeds.gaussian(x.shape, seed, i, turn, like=x, std=up)
            fixed = known + seeds.gaussian(x.shape, seed, _KNOWN, i, turn, like=x, std=sigma_next)
            x_next = torch.where(mask, fixed, free)
            if turn + 1 < turns:
                back = (sigma**2 - sigma_next**2) ** 0.5
                x = x_next + seeds.gaussian(x.shape, seed, _BACK, i, turn, like=x, std=back)
        yield Step(i, sigma, sigma_next, x, x0, x_next, None, (i + 1) * resamplings, down, up)
        x = x_next


def check_mask(mask: Tensor) -> None:
    """Raise Problem for a mask that leaves nothing to fill in, and for one that keeps nothing."""
    if mask.all():
        raise Problem("mask_everything")
    if not mask.any():
        raise Problem("mask_nothing")
