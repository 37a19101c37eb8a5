"""How close samples are to data: as distributions (four distances), by coverage, and point by point.

Samples and data are [n, ...]; trailing dimensions are flattened, so all but the polylines work for images as well. Use
several together: a collapsed sampler has a small distance to the data and a low coverage.
"""

from collections.abc import Callable, Iterator
from statistics import median

import torch
from torch import Tensor

from core import seeds
from core.problems import Problem

Sampler = Callable[[int, torch.Generator], Tensor | tuple[Tensor, Tensor | None]]

_PLACE = 0xF100  # separates the draws of the noise floor from other uses of a seed
_CELLS = 4_000_000  # entries of the largest matrix held at once: 32 MB


@torch.no_grad()
def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| between samples x [n, ...] and y [m, ...] (Szekely & Rizzo 2013).

    The V-statistic: X' may be X itself. It is zero only for equal samples and never negative, so its ratio to the
    `noise_floor` makes sense, where the unbiased estimate scatters around zero. Time n m, memory bounded. Raises
    Problem for empty or unequal-sized samples.
    """
    x, y = _flat_pair(x, y)
    return 2 * _mean_distance(x, y) - _mean_distance(x, x) - _mean_distance(y, y)


def energy_distances(clouds: Tensor, others: Tensor) -> Tensor:
    """Energy distance between two clouds [T, n, D] at each of T levels, [T]."""
    return torch.tensor([energy_distance(x, y) for x, y in zip(clouds, others, strict=True)])


def noise_floor(source: Sampler | Tensor, n: int, seed: int = 0, repeats: int = 9) -> float:
    """The energy distance of a perfect sampler: median over ``repeats`` pairs of independent draws of size ``n``.

    ``source`` is ``PointSet.sample`` or any function (n, generator) -> points, or points [N, ...] to be drawn from
    with replacement.
    """

    def draw(*place: int) -> Tensor:
        generator = seeds.generator(seed, _PLACE, *place)
        if isinstance(source, Tensor):
            return source[torch.randint(len(source), (n,), generator=generator)]
        drawn = source(n, generator)
        return drawn[0] if isinstance(drawn, tuple) else drawn

    return median(energy_distance(draw(pair, 0), draw(pair, 1)) for pair in range(repeats))


@torch.no_grad()
def sliced_wasserstein(x: Tensor, y: Tensor, directions: int = 128, generator: torch.Generator | None = None) -> float:
    """The sliced 2-Wasserstein distance between x [n, ...] and y [m, ...] (Bonneel et al. 2015), n and m may differ.

    Root mean square, over random directions, of the exact 2-Wasserstein distance of the projections. A shift by s
    gives |s| / sqrt(D) on average. Without a ``generator`` the directions are always the same. Raises Problem for
    empty or unequal-sized samples.
    """
    x, y = _flat_pair(x, y)
    generator = generator or seeds.generator(0, _PLACE)
    axes = torch.randn(x.shape[1], directions, generator=generator, dtype=torch.float64)
    axes = axes / axes.norm(dim=0)
    n, m = len(x), len(y)
    # Both quantile functions are step functions; in units of 1 / (n m) all steps end at whole numbers.
    ends = torch.cat((torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n)).unique()
    widths = ends.diff(prepend=torch.zeros(1, dtype=torch.long))[:, None] / (n * m)
    apart = (x @ axes).sort(0).values[(ends - 1) // m] - (y @ axes).sort(0).values[(ends - 1) // n]
    return (widths * apart.square()).sum(0).mean().sqrt().item()


@torch.no_grad()
def wasserstein(x: Tensor, y: Tensor) -> float:
    """The exact 2-Wasserstein distance between samples x [n, ...] and y [n, ...] (Peyre & Cuturi 2019, section 2.3).

    Root of the mean squared distance in the best pairing: about a second for 2,000.
    Raises Problem for empty samples, and for samples of different sizes or numbers.
    """
    x, y = _flat_pair(x, y)
    if len(x) != len(y):
        raise Problem("metric_numbers", first=len(x), second=len(y))
    # Imported here because that takes most of a second, which nobody waits for who does not need it.
    from scipy.optimize import linear_sum_assignment

    cost = _distance(x, y).square().numpy()
    return float(cost[linear_sum_assignment(cost)].mean()) ** 0.5


@torch.no_grad()
def frechet(x: Tensor, y: Tensor) -> float:
    """The Frechet distance between Gaussians fitted to x [n, ...] and y [m, ...] (Dowson & Landau 1982):

    |mu_x - mu_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2)). On the features of an Inception network it is called FID
    (Heusel et al. 2017); on other features it is not. Raises Problem for empty or unequal-sized samples, and for
    a single one.
    """
    x, y = _flat_pair(x, y)
    if min(len(x), len(y)) < 2:
        raise Problem("frechet_samples")
    c_x, c_y = torch.cov(x.T).view(x.shape[1], -1), torch.cov(y.T).view(x.shape[1], -1)
    values, vectors = torch.linalg.eigh(c_x)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    # C_x C_y has the eigenvalues of root C_y root, which is symmetric.
    both = torch.linalg.eigvalsh(root @ c_y @ root).clamp_min(0).sqrt().sum()
    apart = (x.mean(0) - y.mean(0)).square().sum() + c_x.trace() + c_y.trace() - 2 * both
    return apart.clamp_min(0).item()


@torch.no_grad()
def nearest(samples: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The distance [n] of each sample to its nearest point, and that point's index [n]."""
    samples, points = _flat_pair(samples, points)
    found = [distance.min(1) for distance in _distances(samples, points)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def covered(samples: Tensor, points: Tensor, radius: float | None = None) -> Tensor:
    """Which points [N] are the nearest point of at least one sample, and within ``radius`` of it if that is given."""
    distance, index = nearest(samples, points)
    counts = distance.isfinite() if radius is None else distance <= radius
    reached = torch.zeros(len(points), dtype=torch.bool)
    reached[index[counts]] = True
    return reached


def coverage(samples: Tensor, points: Tensor, radius: float | None = None) -> float:
    """The fraction of points that `covered` finds; "100 of 100" is ``covered(...).sum()`` of ``len(points)``."""
    return covered(samples, points, radius).double().mean().item()


def distance_to(samples: Tensor, points: Tensor) -> Tensor:
    """Distance [n] of each sample [n, ...] to the nearest of the points [N, ...]."""
    return nearest(samples, points)[0]


@torch.no_grad()
def distance_to_curve(samples: Tensor, curve: Tensor) -> Tensor:
    """Distance [n] of each sample [n, D] to the segments of a polyline [M, D]; rows of NaN separate its pieces.

    Raises Problem for a curve without a segment.
    """
    starts, steps = curve[:-1].double(), curve.diff(dim=0).double()
    drawn = steps.isfinite().all(1)
    if not drawn.any():
        raise Problem("curve_without_segment")
    starts, steps = starts[drawn], steps[drawn]
    square, offset = steps.square().sum(1), (starts * steps).sum(1)

    def squared(x: Tensor) -> Tensor:
        # From a segment's start the sample lies at w, and the nearest place at a fraction f of the step t:
        # |w - f t|^2 = |w|^2 + f (f |t|^2 - 2 w.t).
        dot = x @ steps.T - offset
        fraction = (dot / square.clamp(min=1e-300)).clamp(0, 1)
        return (_distance(x, starts).square() + fraction * (fraction * square - 2 * dot)).amin(1)

    chunks = samples.double().split(max(1, _CELLS // len(steps)))
    return torch.cat([squared(x) for x in chunks]).clamp(min=0).sqrt()


def off_curve(samples: Tensor, curve: Tensor, tolerance: float = 0.05) -> float:
    """The fraction of samples [n, D] farther than ``tolerance`` from the curve [M, D]; NaN counts as off."""
    return 1 - (distance_to_curve(samples, curve) <= tolerance).double().mean().item()


def _flat_pair(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = (torch.atleast_1d(torch.as_tensor(some)) for some in (x, y))
    if len(x) == 0 or len(y) == 0:
        raise Problem("metric_empty")
    if x.shape[1:] != y.shape[1:]:
        raise Problem("metric_shapes", first=str(list(x.shape[1:])), second=str(list(y.shape[1:])))
    return x.reshape(len(x), -1).double(), y.reshape(len(y), -1).double()


def _distances(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """All distances |x_i - y_j|, some rows at a time."""
    for rows in x.split(max(1, _CELLS // len(y))):
        yield _distance(rows, y)


def _distance(x: Tensor, y: Tensor) -> Tensor:
    # By a matrix product only in many dimensions, where it is ten times as fast; in the plane it would lose digits.
    few = x.shape[1] <= 8
    return torch.cdist(x, y, compute_mode=f"{'donot_use' if few else 'use'}_mm_for_euclid_dist")


def _mean_distance(x: Tensor, y: Tensor) -> float:
    return sum(rows.sum().item() for rows in _distances(x, y)) / (len(x) * len(y))
