"""Random numbers that follow from a seed and the place of their use, never from what was drawn before.

``gaussian(shape, seed, step)`` is the same in a run that was resumed, forked or drawn with more samples: training needs
no stored generator state to resume bit for bit, and sample k of a seed does not depend on the number of samples.
"""

import math

import torch
from torch import Tensor

_MASK = (1 << 64) - 1


def mix(seed: int, *place: int) -> int:
    """A 64-bit seed from a seed and the integers that identify a place of its use (splitmix64; Steele et al. 2014)."""
    state = 0
    for word in (seed, *place):
        state = (state ^ (word & _MASK)) + 0x9E3779B97F4A7C15 & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


def generator(seed: int, *place: int, reuse: torch.Generator | None = None) -> torch.Generator:
    """A CPU generator for one place of one seed: a fresh one, or ``reuse`` in the state of a fresh one."""
    return (torch.Generator() if reuse is None else reuse).manual_seed(mix(seed, *place))


def gaussian(
    shape: tuple[int, ...],
    seed: int,
    *place: int,
    like: Tensor | None = None,
    std: float = 1.0,
    reuse: torch.Generator | None = None,
) -> Tensor:
    """Noise N(0, std^2) of ``shape``; row k is the same for any number of rows. Dtype and device of ``like``.

    reuse: a generator to draw with, in any state; making a new one takes as long as adding the noise.
    """
    # Box-Muller fills blocks of 16 and treats an incomplete block differently; only complete ones keep rows unchanged.
    numbers = math.prod(shape)
    tail = -numbers % 16
    noise = torch.empty(numbers + tail if tail else shape)
    # Scaled as it is drawn, unless the result has double precision. Each operation saved is a tenth of a small step.
    single = like is None or like.dtype == torch.float32
    noise.normal_(0, std if single else 1, generator=generator(seed, *place, reuse=reuse))
    if tail:
        noise.resize_(shape)
    if like is None or (single and like.device == noise.device):
        return noise
    return noise.to(like) if single else noise.to(like).mul_(std)


def uniform(n: int, seed: int, *place: int) -> Tensor:
    """n numbers in [0, 1), float32; number k is the same for any n."""
    return torch.rand(n, generator=generator(seed, *place))
