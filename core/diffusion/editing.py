"""What a trained denoiser does beside sampling: it starts from given data, fills in a missing part, inverts a sample.

Nothing is trained. States are [B, ...] of any shape, and ``denoise`` is any (x, sigma[B]) -> x0_hat.
"""

import torch
from torch import Tensor

from core import seeds
from core.diffusion import samplers
from core.diffusion.denoiser import Denoise
from core.diffusion.samplers import ancestral_step
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


def round_trip(denoise: Denoise, x: Tensor, sigmas: Tensor, back: Denoise | None = None) -> Tensor:
    """Invert x [B, ...] and sample from the noise that results: all states [2 T - 1, B, ...] over the T positive levels
    of the grid, up and down again. ``back``: another denoiser for the way down, for instance of another condition."""
    up = rising(sigmas)
    there = samplers.path(samplers.euler(denoise, x, up))
    again = samplers.path(samplers.euler(back or denoise, there[-1], up.flip(0)))
    return torch.cat([there, again[1:]])


def fill_in(
    denoise: Denoise,
    known: Tensor,
    mask: Tensor,
    x: Tensor,
    sigmas: Tensor,
    resamplings: int = 1,
    seed: int = 0,
) -> Tensor:
    """Inpainting by RePaint (Lugmayr et al. 2022, algorithm 1): the part ``mask`` of the data is ``known``.

    In each step the unknown part takes a step of DDPM, and the known part is noised data of the new level. Before the
    next step, noise leads back to the level before, and the step is made again: ``resamplings`` times in all, so that
    both parts can adapt to each other.

    Args:
        known: data [B, ...] or [1, ...]; only what is under the mask counts.
        mask: bool, [B, ...] or anything that broadcasts to it; True: this number is known.
        x: the starting points [B, ...] at sigmas[0].
        sigmas: a grid of a sampler, descending to 0.

    Returns all states, [T + 1, B, ...]. The samples are plausible; they do not follow the conditional distribution of
    the unknown part (see ``core.lessons.trained_model``). Raises Problem for a mask that fixes everything or nothing,
    and for fewer than one resampling.
    """
    check_mask(mask)
    if resamplings < 1:
        raise Problem("resamplings", number=resamplings)
    denoise, x, states = torch.no_grad()(denoise), x.detach(), []
    for i, (sigma, sigma_next, level) in enumerate(samplers.levels(x, sigmas)):
        states.append(x)
        down, up = ancestral_step(sigma, sigma_next, 1.0)
        for turn in range(resamplings):
            free = torch.lerp(denoise(x, level), x, down / sigma)
            free = free + seeds.gaussian(x.shape, seed, i, turn, like=x, std=up)
            fixed = known + seeds.gaussian(x.shape, seed, _KNOWN, i, turn, like=x, std=sigma_next)
            x_next = torch.where(mask, fixed, free)
            if sigma_next == 0:
                break  # at 0 there is no noise that could lead back
            back = (sigma**2 - sigma_next**2) ** 0.5
            x = x_next + seeds.gaussian(x.shape, seed, _BACK, i, turn, like=x, std=back)
        x = x_next
    return torch.stack([*states, x])


def check_mask(mask: Tensor) -> None:
    """Raise Problem for a mask that leaves nothing to fill in, and for one that keeps nothing."""
    if mask.all():
        raise Problem("mask_everything")
    if not mask.any():
        raise Problem("mask_nothing")
