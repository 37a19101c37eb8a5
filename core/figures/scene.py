"""A scene as data: panels of layers on one clock, for every renderer.

The canvas player of the pages packs a scene for the browser (``pages/ui/stage``). Nothing here draws, and arrays may be
NumPy's or PyTorch's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, eq=False)
class Points:
    """A cloud. ``xy`` is [T or 1, n, 2] or [n, 2]; ``group`` [n] picks one of several colours, ``value`` [n] or [T, n]
    colours by number instead; ``size`` is the radius in CSS pixels; ``trail`` draws that many earlier frames behind
    each point; ``label`` is one text, or one per group, for the legend."""

    xy: Any
    colour: str | Sequence[str] = "data"
    group: Any = None
    value: Any = None
    size: float = 2.5
    alpha: float = 0.8
    trail: int = 0
    shape: str | Sequence[str] | None = None
    label: str | Sequence[str] = ""

    moves: ClassVar = ("xy", 3)


@dataclass(frozen=True, eq=False)
class Arrows:
    """Arrows from ``at`` [g, 2] or [T, g, 2] to ``at + by``; ``by`` is [T or 1, g, 2] or [g, 2] in data units."""

    at: Any
    by: Any
    colour: str = "denoise"
    width: float = 1.5
    dash: Sequence[int] | None = None
    label: str = ""

    moves: ClassVar = ("by", 3)


@dataclass(frozen=True, eq=False)
class Path:
    """A highlighted particle: ``xy`` is [T, 2], or [T, m, 2] for m of them. Drawn solid up to now, faint beyond."""

    xy: Any
    colour: str = "sample"
    label: str = ""

    moves: ClassVar = ("xy", 0)


@dataclass(frozen=True, eq=False)
class Heat:
    """A heat map: ``values`` [T or 1, h, w] or [h, w], row 0 at the bottom, over ``extent`` (x0, x1, y0, y1)."""

    values: Any
    extent: tuple[float, float, float, float]
    label: str = ""

    moves: ClassVar = ("values", 3)


@dataclass(frozen=True, eq=False)
class Images:
    """Images in a grid: ``pixels`` uint8 [T or 1, k, h, w], or with a last axis of 3 in colour; ``names`` [k]. With a
    ``colour`` they are framed in it; of several ``group`` [k] picks one for each, and ``label`` has a text for each."""

    pixels: Any
    columns: int | None = None
    label: str | Sequence[str] = ""
    names: Sequence[str] = ()
    colour: str | Sequence[str] = ()
    group: Sequence[int] | None = None

    moves: ClassVar = ("pixels", 4)


@dataclass(frozen=True, eq=False)
class Line:
    """A curve: ``x`` [n] and ``y`` [n], or ``y`` [T, n] for one that moves. Gaps where a value is not finite."""

    x: Any
    y: Any
    colour: str = "denoise"
    label: str = ""
    dash: Sequence[int] | None = None
    width: float = 2.0

    moves: ClassVar = ("y", 2)


@dataclass(frozen=True, eq=False)
class Matrix:
    """A row for each of n captions ``names``, a column for each of n ``pictures`` uint8 [n, h, w, 3], and ``values``
    [T or 1, n, n] within ``limits``, beyond which they are drawn as at the end. The diagonal, where what belongs
    together meets, is framed in ``colour``; a dot stands in the largest cell of each row."""

    values: Any
    pictures: Any
    names: Sequence[str]
    limits: tuple[float, float]
    colour: str = "data"
    label: str = ""

    moves: ClassVar = ("values", 3)


Layer = Points | Arrows | Path | Heat | Images | Line | Matrix


@dataclass(frozen=True, eq=False)
class Panel:
    """One set of axes with its layers, drawn in their order.

    ``xlim``/``ylim`` None fits them to the curves (`Line`) of the panel. With ``xreversed`` the x axis has its largest
    value on the left. ``marker`` [T] is where the clock stands on this panel's x axis. ``caption`` is one text or one
    per frame. With ``probe`` a click or drag places the probe here.
    """

    title: str
    layers: Sequence[Layer]
    xlim: tuple[float, float] | None = (-1.2, 1.2)
    ylim: tuple[float, float] | None = (-1.2, 1.2)
    equal: bool = True
    xlabel: str = ""
    ylabel: str = ""
    xlog: bool = False
    ylog: bool = False
    xreversed: bool = False
    marker: Any = None
    caption: str | Sequence[str] = ""
    probe: bool = False


@dataclass(frozen=True, eq=False)
class Clock:
    """What the frames are: ``values`` [T] shown as "``label`` = value" with ``digits`` significant digits; the label is
    one text or one per frame. ``start`` is the frame where a fresh stage stands (negative counts from the end)."""

    values: Any
    label: str | Sequence[str] = "σ"
    digits: int = 3
    start: int = 0


@dataclass(frozen=True)
class Window:
    """What panels of the plane look through: a view of the state (see ``schedules.scale``) over [-reach, reach]^2."""

    view: str
    reach: float

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Both axes of a panel."""
        return {"xlim": (-self.reach, self.reach), "ylim": (-self.reach, self.reach)}


@dataclass(frozen=True, eq=False)
class Scene:
    """Panels on one clock, with all that describes them.

    Attributes:
        panels: what is drawn, side by side.
        clock: what the frames are; None where nothing moves.
        alt: what the picture shows, for those who cannot see it.
        title, caption: for a picture that stands alone.
        address: the query string of the page that shows it.
        probe: where the probe stands, if a panel has one.
        fps: frames per second.
    """

    panels: Sequence[Panel]
    clock: Clock | None = None
    alt: str = ""
    title: str = ""
    caption: str = ""
    address: str = ""
    probe: tuple[float, float] | None = None
    fps: float = 20
