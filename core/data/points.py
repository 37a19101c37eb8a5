"""Data sets of points in the plane.

A set is a continuous distribution, given by a map from three uniform numbers to a point of the plane (inverse-transform
sampling; Devroye 1986, chapter 2). The first number moves along the shape, the others across it. Fresh samples map
independent uniforms; for the N points of the data set the first number is stratified, so that a hundred points already
show the shape.

All sets are stored centred and at the size of the spiral, root mean square about 0.45, so that one range of noise
levels suits all of them. `Affine` maps back to the original coordinates.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from numbers import Integral

import torch
from torch import Tensor

from core import seeds
from core.data import CLASSES
from core.problems import Problem

RMS = 0.45
MAX_N = 1_000_000
SMALLEST = 1e-290  # difference of coordinates that can be divided by
_PLACE = 0xDA7A  # keeps the data of a seed apart from its noise

# Uniforms [n, 3] -> raw points [n, 2], labels [n] or None. It can be pickled, as another process needs it.
Draw = Callable[[Tensor], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class Affine:
    """How raw coordinates became stored ones: ``stored = (raw - centre) / scale``."""

    centre: tuple[float, ...]
    scale: float

    def apply(self, raw: Tensor) -> Tensor:
        """Raw coordinates [..., D] to stored ones."""
        return (raw - raw.new_tensor(self.centre)) / self.scale

    def invert(self, stored: Tensor) -> Tensor:
        """Stored coordinates [..., D] back to raw ones."""
        return stored * self.scale + stored.new_tensor(self.centre)


@dataclass(frozen=True)
class Shape:
    """A distribution in raw coordinates; ``curve`` is its support, if thin. ``scale=None`` means: to RMS 0.45."""

    draw: Draw
    scale: float | None = None
    curve: Tensor | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PointSet:
    """N points [N, 2] (float32, mean 0), with their distribution to draw fresh ones from.

    ``labels`` [N] index ``classes``; both are absent where the set has no classes. ``curve`` [M, 2] is the polyline on
    which every fresh draw lies (the spiral's to 2e-4), None for sets with thickness; a row of NaN separates
    its pieces. ``note`` says where the set is not exactly what was given (a Problem to show, not to raise), else None.
    """

    name: str
    points: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    affine: Affine
    curve: Tensor | None
    draw: Draw
    note: Problem | None = None

    @cached_property
    def digest(self) -> str:
        """A key of the content: points, labels, classes and affine, and the distribution by 256 of its points. Sets
        that differ in their name alone have equal digests."""
        content = hashlib.sha256(repr((self.classes, self.affine, tuple(self.points.shape))).encode())
        for part in (self.points, self.labels, *self.even(256)):
            content.update(b"none" if part is None else part.contiguous().numpy().tobytes())
        return content.hexdigest()

    @property
    def rms(self) -> float:
        """Root mean square coordinate: the ``sigma_data`` of a denoiser for this set."""
        return self.points.square().mean().sqrt().item()

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """``n`` independent fresh draws [n, 2] and their labels [n] (or None).

        Draw k depends on the generator's seed and k only, not on ``n``. A set without a continuous distribution
        (a CSV) is drawn from with replacement.
        """
        raw, labels = self.draw(torch.rand(n, 3, generator=generator, dtype=torch.float64))
        return self.affine.apply(raw).float(), labels

    def even(self, n: int, seed: int = 0) -> tuple[Tensor, Tensor | None]:
        """``n`` points [n, 2] spread evenly along the distribution, a finite stand-in for it, and their labels [n]."""
        raw, labels = self.draw(_even_uniforms(n, seed))
        return self.affine.apply(raw).float(), labels


def make_points(name: str, n: int, seed: int = 0) -> PointSet:
    """The built-in set ``name`` (a key of `BUILT_IN`) with ``n`` points: equal arguments, equal points.

    Raises Problem for a name that does not exist and for ``n`` outside 1..1,000,000.
    """
    if name not in BUILT_IN:
        raise Problem("unknown_points", name=name, known=", ".join(BUILT_IN))
    return from_shape(name, BUILT_IN[name](), n, seed)


def spiral(n: int = 100, turns: float = 2.5, seed: int = 0) -> PointSet:
    """The spiral (t cos t, t sin t) / (2 pi turns), t uniform from pi/2 on; inner third person, then dog, then cat.

    With the 2.5 turns of `make_points`, t runs to 5.5 pi: the "swiss roll" of Sohl-Dickstein et al. 2015. Raises
    Problem for ``turns`` outside 0..100 and for ``n`` outside 1..1,000,000.
    """
    if not 0 < turns < 100:
        raise Problem("spiral_turns", turns=turns)
    return from_shape("spiral", _spiral(turns), n, seed)


def from_shape(name: str, shape: Shape, n: int, seed: int) -> PointSet:
    """``n`` points of ``shape``, evenly spread along it, centred and scaled.

    Raises Problem for ``n`` outside 1..1,000,000 and for a shape whose points all coincide.
    """
    if not (isinstance(n, Integral) and 1 <= n <= MAX_N):
        raise Problem("number_of_points", most=MAX_N, n=n)
    # The size follows from the shape, not from its n points: asking for more points must not resize the picture.
    scale = shape.scale or rms_about_mean(shape.draw(_even_uniforms(2048, 0))[0]) / RMS
    return from_raw(name, replace(shape, scale=scale), *shape.draw(_even_uniforms(n, seed)))


def from_raw(name: str, shape: Shape, raw: Tensor, labels: Tensor | None, note: Problem | None = None) -> PointSet:
    """These raw points [N, 2] as a set: centred on their mean, scaled by ``shape.scale`` or else to RMS 0.45.

    Raises Problem if the scale follows from the points, as `rms_about_mean` does.
    """
    affine = Affine(tuple(mean(raw).tolist()), shape.scale or rms_about_mean(raw) / RMS)
    return PointSet(
        name=name,
        points=affine.apply(raw).float(),
        labels=labels,
        classes=shape.classes,
        affine=affine,
        curve=None if shape.curve is None else affine.apply(shape.curve).float(),
        draw=shape.draw,
        note=note,
    )


def mean(raw: Tensor) -> Tensor:
    """The mean [2] of raw points [N, 2], taken about the first of them: it is exact for points far from the origin."""
    return raw[0] + (raw - raw[0]).mean(0)


def at_unit_rms(points: PointSet) -> PointSet:
    """The same set in units of its root mean square coordinate, which is 1 then: the size of standard normal noise."""
    size = points.rms
    return replace(
        points,
        points=points.points / size,
        affine=replace(points.affine, scale=size * points.affine.scale),
        curve=None if points.curve is None else points.curve / size,
    )


def rms_about_mean(raw: Tensor) -> float:
    """Root mean square coordinate of raw points [N, 2] (float64) about their mean, of any offset and scale.

    Raises Problem where all points coincide, and where their differences are too large, too small or, beside their
    offset, too fine for the numbers of a computer.
    """
    about = raw - mean(raw)
    largest, offset = about.abs().max().item(), raw.abs().max().item()
    if not math.isfinite(largest):
        raise Problem("points_too_large")
    if (raw == raw[0]).all():
        raise Problem("points_coincide")
    if largest < SMALLEST:
        raise Problem("points_too_small")
    if largest < 8 * torch.finfo(raw.dtype).eps * offset:
        raise Problem("points_too_fine", offset=offset)
    return largest * (about / largest).square().mean().sqrt().item()  # squares of the differences may overflow


def uniform_along(curve: Tensor) -> Draw:
    """Draws uniform in arc length on a polyline [M, 2] (float64; rows of NaN separate pieces)."""
    steps = curve.diff(dim=0)
    length = steps.norm(dim=1).nan_to_num(0.0)
    return partial(_along, curve, steps, length, length.cumsum(0))


def _along(curve: Tensor, steps: Tensor, length: Tensor, ends: Tensor, u: Tensor) -> tuple[Tensor, None]:
    travelled = u[:, 0] * ends[-1]
    segment = torch.searchsorted(ends, travelled, right=True).clamp(max=len(ends) - 1)
    fraction = 1 - (ends[segment] - travelled) / length[segment].clamp(min=1e-300)
    return curve[segment] + fraction[:, None] * steps[segment], None


def join_strokes(strokes: list[Tensor]) -> Tensor:
    """Polylines [k, 2] as one polyline with a row of NaN between each two."""
    lift = torch.full((1, 2), math.nan, dtype=torch.float64)
    return torch.cat([piece for stroke in strokes for piece in (lift, stroke)][1:])


def _even_uniforms(n: int, seed: int) -> Tensor:
    u = torch.rand(n, 3, generator=seeds.generator(seed, _PLACE), dtype=torch.float64)
    # Half of each stratum is left free: random enough that seeds differ, even enough that no gap opens along the shape.
    u[:, 0] = (torch.arange(n) + 0.25 + 0.5 * u[:, 0]) / n
    return u


def _spiral(turns: float = 2.5) -> Shape:
    length, vertices = 2 * math.pi * turns, 1 + math.ceil(200 * turns)
    curve = _on_spiral(length, torch.linspace(0, 1, vertices, dtype=torch.float64))
    return Shape(partial(_along_spiral, length), length, curve, CLASSES)


def _along_spiral(length: float, u: Tensor) -> tuple[Tensor, Tensor]:
    return _on_spiral(length, u[:, 0]), (len(CLASSES) * u[:, 0]).long()


def _on_spiral(length: float, u: Tensor) -> Tensor:
    t = math.pi / 2 + length * u
    return torch.stack((t * t.cos(), t * t.sin()), 1)


def _moons() -> Shape:
    upper = _arc(1.0, 0.0, math.pi)
    lower = torch.tensor([1.0, 0.5], dtype=torch.float64) - upper
    return _thin([upper, lower])


def _rings() -> Shape:
    return _thin([_arc(radius, 0.0, 2 * math.pi) for radius in (1.0, 2 / 3, 1 / 3)])


def _thin(strokes: list[Tensor]) -> Shape:
    curve = join_strokes(strokes)
    return Shape(uniform_along(curve), curve=curve)


def _arc(radius: float, start: float, end: float) -> Tensor:
    angle = torch.linspace(start, end, 181, dtype=torch.float64)
    return radius * torch.stack((angle.cos(), angle.sin()), 1)


def _eight_gaussians(u: Tensor) -> tuple[Tensor, None]:
    angle = (8 * u[:, 0]).floor() * (math.pi / 4)
    return torch.stack((angle.cos(), angle.sin()), 1) + 0.1 * _gaussian(u[:, 1:]), None


def _checkerboard(u: Tensor) -> tuple[Tensor, None]:
    square = (8 * u[:, 0]).floor()
    row = (square / 2).floor()
    column = 2 * (square % 2) + row % 2
    return torch.stack((column, row), 1) + u[:, 1:], None


def _pinwheel(u: Tensor) -> tuple[Tensor, None]:
    """Five Gaussians, long in radius and thin across, sheared into blades (Johnson et al. 2016)."""
    out, across = (_gaussian(u[:, 1:]) * torch.tensor([0.3, 0.08]) + torch.tensor([1.0, 0.0])).unbind(1)
    angle = (5 * u[:, 0]).floor() * (2 * math.pi / 5) + 0.25 * out.exp()
    return torch.stack((out * angle.cos() - across * angle.sin(), out * angle.sin() + across * angle.cos()), 1), None


def _gaussian(u: Tensor) -> Tensor:
    # Element by element, unlike torch.randn, whose first values depend on how many are drawn.
    return torch.special.ndtri(u.clamp(1e-9, 1 - 1e-9))


BUILT_IN: dict[str, Callable[[], Shape]] = {
    "spiral": _spiral,
    "moons": _moons,
    "rings": _rings,
    "eight-gaussians": partial(Shape, _eight_gaussians),
    "checkerboard": partial(Shape, _checkerboard),
    "pinwheel": partial(Shape, _pinwheel),
}
"""The built-in sets by identifier. Their labels are in ``labels.toml`` of the pages' catalogue ([data] and
[models])."""
