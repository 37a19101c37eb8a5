"""What chapter 6 computes: training lines and their mean velocity, Euler's steps along it, couplings, and a shift.

All is exact: the velocity follows from the exact denoiser of the data. Data are in units of their RMS, starts x1 are
standard normal, and a state is z_t = (1 - t) x0 + t x1 on a time t that runs from 1, the starts, to 0, the data. In the
notation of the library it is x / (1 + sigma) with sigma = t / (1 - t).
"""

import torch
from torch import Tensor

from core import seeds
from core.data.points import PointSet, at_unit_rms, make_points
from core.diffusion import couplings
from core.diffusion.couplings import Coupling
from core.diffusion.denoiser import Denoise
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.few_step import T_MAX
from core.runs.caching import shared_cache

EVEN = 2000  # evenly spread points that stand in for the endless spiral
_PAIRS, _PICTURE = 0xF10, 0xF11  # keep the draws of these computations apart


@shared_cache(1)
def spiral() -> PointSet:
    """The spiral of 100 points in units of its RMS."""
    return at_unit_rms(make_points("spiral", 100))


@shared_cache(8)
def endless(n: int = EVEN) -> Tensor:
    """n points spread evenly along the spiral, [n, 2]."""
    return spiral().even(n)[0]


# The velocity


def velocity(denoise: Denoise, z: Tensor, t: float) -> Tensor:
    """The mean velocity v = E[x1 - x0 | z_t = z] = (z - x0_hat) / t of all lines through z [n, ...] at one time t > 0.

    Lipman et al. 2023, eq. 8: it minimises the loss of flow matching. For t above T_MAX the clean estimate is that at
    T_MAX.
    """
    level = min(t, T_MAX)
    x0 = denoise(z / (1 - level), z.new_full((len(z),), level / (1 - level)))
    return (z - x0) / t


@torch.no_grad()
def euler(denoise: Denoise, x1: Tensor, times: Tensor) -> Tensor:
    """The states of Euler's method along the velocity, from x1 [n, ...] at times [T + 1] down to 0, [T + 1, n, ...]."""
    states = [x1]
    for t, t_next in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        states.append(states[-1] + (t_next - t) * velocity(denoise, states[-1], t))
    return torch.stack(states)


def even_times(steps: int, shift: float = 1.0) -> Tensor:
    """Times from 1 to 0, [steps + 1] float64, evenly spaced and then shifted: t' = s t / (1 + (s - 1) t).

    The shift multiplies every noise level t / (1 - t) by s (Esser et al. 2024, eq. 23).
    """
    t = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    return shift * t / (1 + (shift - 1) * t)


def at_times(states: Tensor, times: Tensor, wanted: Tensor) -> Tensor:
    """States [T + 1, n, D] at descending times [T + 1], seen at other times [K], [K, n, D]: each step is a straight
    line at even speed."""
    before = (torch.searchsorted(-times, -wanted, right=True) - 1).clamp(0, len(times) - 2)
    part = (times[before] - wanted) / (times[before] - times[before + 1])
    return torch.lerp(states[before], states[before + 1], part.to(states)[:, None, None])


@torch.no_grad()
def irreducible_part(points: Tensor, times: Tensor, n: int = 1000, seed: int = 0) -> Tensor:
    """The part of the loss of flow matching that no model can avoid, at each time of (0, 1), [T]:
    E Var(x1 - x0 | z_t) / E |x1 - x0|^2, over n lines from these points [N, D].

    Given z_t, the velocity of a line is (z_t - x0) / t, so its variance is that of x0 divided by t^2.
    """
    exact, dim = EmpiricalDenoiser(points), points.shape[1]
    x0 = points[torch.arange(n) * len(points) // n]
    x1 = seeds.gaussian((n, dim), seed, like=points)
    whole = points.square().sum(1).mean() + dim
    parts = []
    for t in times.tolist():
        sigma = t / (1 - t)
        x = x0 + sigma * x1
        parts.append(dim * exact.variance(x, x.new_full((n,), sigma)).mean() / t**2 / whole)
    return torch.stack(parts)


# Pairs


def some(n: int) -> Tensor:
    """n of the 100 points of the spiral, evenly chosen from the outer end inwards; evenly spread points for more."""
    points = spiral().points
    return endless(n) if n > len(points) else points[len(points) - 1 - torch.arange(n) * len(points) // n]


def lines(n: int, most: int, seed: int) -> tuple[Tensor, Tensor]:
    """The first lines of n data points with independent starts: x0 and x1, both [min(n, most), 2].

    The starts are the first of those of `starts`, the data points are in random order.
    """
    points = some(n)
    order = torch.randperm(n, generator=seeds.generator(seed, _PAIRS)) if n > 2 else torch.arange(n)
    drawn = min(n, most)
    return points[order[:drawn]], starts(drawn, seed)


def starts(n: int, seed: int) -> Tensor:
    """n standard normal starts of a seed, [n, 2]."""
    return seeds.gaussian((n, 2), seed, _PAIRS)


# Couplings


def independent() -> Coupling:
    """Fresh points of the spiral with independent starts."""
    return couplings.independent(spiral().sample, couplings.gaussian((2,)))


@shared_cache(16)
def coupled(batch: int, n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Points x0, starts x1 and labels of n pairs under minibatch optimal transport. The starts are the same for every
    batch, and a batch of 1 leaves the pairs independent."""
    return couplings.optimal_transport(independent(), batch)(n, seeds.generator(seed, _PAIRS))


@shared_cache(8)
def joined_by_flow(n: int, first: int, seed: int, steps: int = 64, points: int = EVEN) -> Tensor:
    """Where the ODE of the exact velocity takes the first of the n starts of `coupled`, [first, 2]: the pairs that
    reflow trains on."""
    _, x1, _ = coupled(1, n, seed)
    return euler(EmpiricalDenoiser(endless(points)), x1[:first], even_times(steps))[-1]


def crossings(x0: Tensor, x1: Tensor) -> int:
    """How many pairs of the segments from x1 [n, 2] to x0 [n, 2] cross."""

    def cross(u: Tensor, v: Tensor) -> Tensor:
        return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]

    begin, end = x1.double(), x0.double()
    along = (end - begin)[:, None]
    # Both ends of segment j lie on different sides of segment i, and the other way round.
    apart = cross(along, begin[None] - begin[:, None]) * cross(along, end[None] - begin[:, None]) < 0
    return (apart & apart.T).triu(1).sum().item()


@shared_cache(4)
def class_starts(batch: int, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """The lengths |x1| [n] of the starts of n pairs under optimal transport, and the classes [n] of their points.

    Sampling draws the start of every class from N(0, I), where |x1| is sqrt(pi / 2) = 1.25 on average.
    """
    _, x1, labels = coupled(batch, n, seed)
    return x1.norm(dim=1), labels


def mean_lengths(batch: int, n: int, seed: int) -> Tensor:
    """The mean |x1| of each class under optimal transport, [classes]."""
    length, labels = class_starts(batch, n, seed)
    return torch.stack([length[labels == label].mean() for label in range(len(spiral().classes))])


def length_density(lengths: Tensor, at: Tensor, width: float = 0.1) -> Tensor:
    """The density of lengths [n] at the places [k], [k]: a mean of Gaussians of that width, one on each length."""
    return torch.exp(-(at[:, None] - lengths).square() / (2 * width**2)).mean(1) / (width * (2 * torch.pi) ** 0.5)


# Clouds of Euler's steps


@shared_cache(32)
def clouds(steps: int, shift: float, n: int, seed: int, points: int = EVEN) -> Tensor:
    """The states of n points in so many steps of the exact velocity of the endless spiral, [steps + 1, n, 2]."""
    exact = EmpiricalDenoiser(endless(points))
    return euler(exact, starts(n, seed), even_times(steps, shift))


def picture_noise(picture: Tensor, seed: int) -> Tensor:
    """Standard normal noise for a picture, of its shape."""
    return seeds.gaussian(tuple(picture.shape), seed, _PICTURE, like=picture)


def block_means(picture: Tensor, side: int) -> Tensor:
    """The means of blocks of side x side pixels of a picture [h, w, ...], [h / side, w / side, ...]: of equal pixels
    under independent noise they have ``side`` times less noise."""
    h, w = (length // side for length in picture.shape[:2])
    return picture.unflatten(1, (w, side)).unflatten(0, (h, side)).mean((1, 3))
