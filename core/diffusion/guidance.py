"""Guidance wraps denoisers; samplers know nothing of conditions.

The scale w follows u + w (c - u): w = 0 is the unconditional (or negative) prediction, w = 1 the conditional one, w > 1
guided. Another convention is (1 + s) c - s u, with s = w - 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.diffusion.denoiser import Cond, Denoise, Denoiser, none


def condition(denoiser: Denoiser, cond: Cond | None) -> Denoise:
    """The denoiser with a fixed condition; each entry is [B, ...] or one row [1, ...] for the whole batch."""
    return lambda x, sigma: denoiser(x, sigma, cond and {k: v.expand(len(x), *v.shape[1:]) for k, v in cond.items()})


def lerp(base: Denoise, target: Denoise, scale: float) -> Denoise:
    """The denoiser base + scale (target - base); scale 0 and 1 call only one of the two."""
    if scale in (0, 1):
        return target if scale else base
    return lambda x, sigma: torch.lerp(base(x, sigma), target(x, sigma), scale)


def mean(denoisers: Sequence[Denoise]) -> Denoise:
    """The mean of several estimates: that of one of several conditions, all equally likely."""
    if len(denoisers) == 1:
        return denoisers[0]
    return lambda x, sigma: torch.stack([denoise(x, sigma) for denoise in denoisers]).mean(0)


def estimates(denoiser: Denoiser, x: Tensor, sigma: Tensor, *conds: Cond | None) -> Tensor:
    """The estimates of x [B, ...] under each of K conditions with entries [B, ...], as [B, K, ...], in one call of the
    denoiser: for small batches that is up to 1.9 times as fast as K calls.

    None is passed as what stands for "no condition" in training (``denoiser.none``), beside a condition that is given.
    """
    k = len(conds)
    like = {name: rows for cond in conds for name, rows in (cond or {}).items()}
    rows = {
        name: torch.stack([(cond or {}).get(name, torch.full_like(some, none(some))) for cond in conds], 1)
        for name, some in like.items()
    }
    joint = {name: some.flatten(0, 1) for name, some in rows.items()} or None
    x0_hat = denoiser(x.repeat_interleave(k, 0), sigma.repeat_interleave(k), joint)
    return x0_hat.unflatten(0, (len(x), k))


def cfg(denoiser: Denoiser, cond: Cond | None, negative: Cond | None = None, scale: float = 1.0) -> Denoise:
    """Classifier-free guidance (Ho & Salimans 2022, eq. 6, with scale w = their w + 1).

    A negative prompt is a second condition in the place of no condition.
    """
    return lerp(condition(denoiser, negative), condition(denoiser, cond), scale)


def two_scales(
    denoiser: Denoiser, cond: Cond | None, negative: Cond | None, scale: float, negative_scale: float
) -> Denoise:
    """u + w1 (c - u) - w2 (n - u): a condition and a negative one, each with a scale of its own (Liu et al. 2022,
    compositions with a negation). u is the unconditional answer; w2 = 0 is ``cfg`` without a negative."""
    base, target, away = (condition(denoiser, each) for each in (None, cond, negative))

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        u = base(x, sigma)
        return u + scale * (target(x, sigma) - u) - negative_scale * (away(x, sigma) - u)

    return denoise


def autoguidance(denoise: Denoise, weak: Denoise, scale: float) -> Denoise:
    """Guidance away from a weaker model of the same task (Karras et al. 2024)."""
    return lerp(weak, denoise, scale)


def interval(guided: Denoise, plain: Denoise, low: float, high: float) -> Denoise:
    """Guided for low < sigma <= high, plain elsewhere (Kynkaanniemi et al. 2024). One sigma for the whole batch."""

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return (guided if low < float(sigma[0]) <= high else plain)(x, sigma)

    return denoise
