"""What a scene looks like, as shapes, pictures and words in CSS pixels: the same as the player in the browser draws
(``pages/ui/stage/paint.js``), for every renderer outside of it.

`painter` turns a layer into a function of the frame; the axes, the legend and the words of a panel are functions too.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from core.figures import palette
from core.figures.frames import at_frame, grouped, in_axis_units, place, several, steps_of
from core.figures.layout import ABOVE, BESIDE, LEGEND, Box, Entry, Slot, tile
from core.figures.scene import Arrows, Heat, Images, Layer, Line, Matrix, Panel, Path, Points
from core.figures.ticks import ticks

# ---- what is drawn


@dataclass(frozen=True, eq=False)
class Shape:
    """A path, ``codes`` [m] as Matplotlib numbers them (MOVE, LINE, CURVE, CLOSE) for ``vertices`` [m, 2], filled with
    one colour and stroked with another; a colour is ``#rrggbb`` or None. With ``round`` its ends are, and with
    ``crisp`` its straight lines fall on whole pixels."""

    vertices: np.ndarray
    codes: np.ndarray
    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0
    dash: Sequence[float] = ()
    alpha: float = 1.0
    round: bool = False
    crisp: bool = False


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels uint8 [h, w, 4] over a rectangle: between them it is ``smooth``, or each is a rectangle of one colour."""

    pixels: np.ndarray
    box: Box
    smooth: bool = False
    alpha: float = 1.0


@dataclass(frozen=True)
class Words:
    """A text on the baseline at (x, y), no wider than ``room``; ``size`` is the height of its letters in pixels."""

    text: str
    x: float
    y: float
    size: float
    align: str = "left"
    strength: float = 1.0
    room: float | None = None
    bold: bool = False
    upright: bool = False
    link: str = ""


Mark = Shape | Picture | Words


@dataclass(frozen=True)
class Look:
    """Colours of a theme, the scale of text and marks, and whether titles are bold."""

    theme: str
    unit: float
    bold: bool = True

    @property
    def ink(self) -> str:
        """The colour of text."""
        return palette.INK[self.theme]

    @property
    def paper(self) -> str:
        """The colour of what is drawn on."""
        return palette.BACKGROUND[self.theme]

    def colour(self, role: str) -> str:
        """The colour of a role."""
        return palette.colour(role, self.theme)

    def ramp(self, value: np.ndarray | float) -> np.ndarray:
        """Colours uint8 [.., 3] of values from 0 to 1."""
        stops = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in palette.SEQUENTIAL[self.theme]])
        at = np.linspace(0, 1, len(stops))
        parts = [np.interp(value, at, stops[:, channel]) for channel in range(3)]
        return np.rint(np.stack(parts, axis=-1)).astype(np.uint8)


def hexadecimal(colour: np.ndarray) -> str:
    """``#rrggbb`` of a colour uint8 [3]."""
    return "#" + bytes(colour.tolist()).hex()


Painter = Callable[[int, Slot, Look], Iterator[Mark]]
"""The marks of frame k in a slot."""

# ---- paths

MOVE, LINE, CURVE, CLOSE = 1, 2, 4, 79
ARC = 0.5522847498  # of the handles of a Bezier curve that is nearly a quarter of a circle


def _circle() -> tuple[np.ndarray, np.ndarray]:
    quarter = np.array([(1, ARC), (ARC, 1), (0, 1)])
    turns = [np.linalg.matrix_power([[0, 1], [-1, 0]], times) for times in range(4)]
    arcs = np.concatenate([quarter @ turn for turn in turns])
    return np.array([(1, 0), *arcs, (1, 0)]), np.array([MOVE, *[CURVE] * 12, CLOSE])


def _polygon(*corners: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([*corners, corners[0]], float), np.array([MOVE, *[LINE] * (len(corners) - 1), CLOSE])


SHAPES = {
    "dot": _circle(),
    "ring": _circle(),
    "square": _polygon((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "triangle": _polygon((0, -1.3), (1.15, 0.8), (-1.15, 0.8)),
    "cross": (np.array([(-1, -1), (1, 1), (1, -1), (-1, 1)], float), np.array([MOVE, LINE, MOVE, LINE])),
}
HOLLOW = {"ring", "cross"}


def points_shape(shape: str, xy: np.ndarray, size: float, colour: str, alpha: float = 1.0, edge: float = 0.0) -> Shape:
    """One mark at each of xy [n, 2], all in one path, so that they do not darken where they overlap."""
    corners, codes = SHAPES[shape]
    vertices = (xy[:, None] + size * corners).reshape(-1, 2)
    codes = np.tile(codes, len(xy))
    if shape in HOLLOW:
        return Shape(vertices, codes, stroke=colour, width=max(1, 0.5 * (edge or size)), alpha=alpha)
    return Shape(vertices, codes, fill=colour, alpha=alpha)


def segments(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lines from starts [n, 2] to ends [n, 2], as a path."""
    return np.stack([starts, ends], 1).reshape(-1, 2), np.tile([MOVE, LINE], len(starts))


def polyline(xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line through xy [n, 2] with gaps where a place is not finite, as a path."""
    finite = np.isfinite(xy).all(axis=1)
    codes = np.where(np.concatenate([[False], finite[:-1]]), LINE, MOVE)
    return xy[finite], codes[finite]


def rectangle(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """A rectangle as a path."""
    x, y, w, h = box.x, box.y, box.w, box.h
    return _polygon((x, y), (x + w, y), (x + w, y + h), (x, y + h))


def _pixels(slot: Slot, xy: np.ndarray) -> np.ndarray:
    """Places [.., 2] in axis units as pixels."""
    return np.stack([slot.to_x(xy[..., 0]), slot.to_y(xy[..., 1])], axis=-1)


# ---- layers


MOVING = {
    Points: ("xy", "value"), Arrows: ("at", "by"), Path: ("xy",), Heat: ("values",), Images: ("pixels",),
    Line: ("x", "y"), Matrix: ("values",),
}  # fmt: skip
"""The arrays of a layer that have a frame axis."""


def moves(layer: Layer) -> bool:
    """Whether a checked layer is not the same in every frame."""
    arrays = (getattr(layer, name) for name in MOVING[type(layer)])
    return any(len(array) > 1 for array in arrays if array is not None)


@singledispatch
def painter(layer: Layer, panel: Panel) -> Painter:
    """How a checked layer of a panel is drawn."""
    raise NotImplementedError(type(layer))


@painter.register
def _(layer: Points, panel: Panel) -> Painter:
    xy = place(panel, layer.xy)
    order, ends = grouped(layer.group, xy.shape[1], len(layer.colour), panel)
    xy, value = xy if order is None else xy[:, order], layer.value
    parts = list(zip([0, *ends[:-1]], ends, layer.colour, layer.shape, strict=True))
    if value is not None:
        by_value = _points_by_value(layer, value if order is None else value[:, order])

    def paint(k: int, slot: Slot, look: Look) -> Iterator[Mark]:
        if layer.trail and len(xy) > 1:
            yield from _trails(layer, xy, parts, k, slot, look)
        at = _pixels(slot, at_frame(xy, k))
        if value is not None:
            yield from by_value(k, at, look)
            return
        for start, end, role, shape in parts:
            drawn = at[start:end]
            drawn = drawn[np.isfinite(drawn).all(axis=1)]
            yield points_shape(shape, drawn, layer.size * look.unit, look.colour(role), layer.alpha)

    return paint


def _trails(layer: Points, xy: np.ndarray, parts: Sequence, k: int, slot: Slot, look: Look) -> Iterator[Shape]:
    """Earlier frames fade out: one path for each colour and each step back."""
    for back in range(min(layer.trail, k), 0, -1):
        ends = _pixels(slot, xy[k - back : k - back + 2])
        finite, alpha = np.isfinite(ends).all(axis=(0, 2)), 0.5 * layer.alpha * (1 - (back - 1) / layer.trail)
        for start, end, role, _ in parts:
            inside = np.flatnonzero(finite[start:end]) + start
            path = segments(*ends[:, inside])
            yield Shape(*path, stroke=look.colour(role), width=look.unit, alpha=alpha)


def _points_by_value(
    layer: Points, value: np.ndarray, bins: int = 12
) -> Callable[[int, np.ndarray, Look], Iterator[Shape]]:
    low, high = limits(value)
    levels = (value - low) / max(high - low, 1e-12)

    def paint(k: int, at: np.ndarray, look: Look) -> Iterator[Shape]:
        level = at_frame(levels, k)
        finite = np.isfinite(at).all(axis=1) & np.isfinite(level)
        numbers = np.minimum(bins - 1, np.where(finite, level, 0) * bins).astype(int)
        for number in range(bins):
            colour = hexadecimal(look.ramp(0.35 + 0.65 * number / (bins - 1)))
            drawn = at[finite & (numbers == number)]
            yield points_shape(layer.shape[0], drawn, layer.size * look.unit, colour, layer.alpha)

    return paint


def limits(values: np.ndarray) -> tuple[float, float]:
    """The smallest and the greatest finite value; (0, 1) where there is none."""
    kept = values[np.isfinite(values)]
    return (float(kept.min()), float(kept.max())) if kept.size else (0.0, 1.0)


@painter.register
def _(layer: Arrows, panel: Panel) -> Painter:
    at, by = place(panel, layer.at), steps_of(layer, panel)

    def paint(k: int, slot: Slot, look: Look) -> Iterator[Mark]:
        starts = _pixels(slot, at_frame(at, k))
        ends = _pixels(slot, at_frame(at, k) + at_frame(by, k))
        width = layer.width * look.unit
        yield from arrows(starts, ends - starts, width, look.colour(layer.colour), layer.dash, look)

    return paint


def arrows(
    starts: np.ndarray, by: np.ndarray, width: float, colour: str, dash: Sequence[float], look: Look, line: float = 0
) -> Iterator[Shape]:
    """Shafts, and heads that never outgrow them; arrows shorter than a pixel are left out."""
    length = np.hypot(*by.T)
    kept = np.isfinite(length) & np.isfinite(starts).all(axis=1) & (length >= 1)
    starts, by, length = starts[kept], by[kept], length[kept]
    head = by * (np.minimum(4.2 * width, 0.5 * length) / length)[:, None]
    side = 0.42 * head[:, ::-1] * [-1, 1]
    tips = starts + by
    pen = {"width": line or width, "alpha": 0.9, "dash": [part * look.unit for part in dash]}
    yield Shape(*segments(starts, tips - 0.7 * head), stroke=colour, **pen)
    corners = np.stack([tips, tips - head + side, tips - head - side, tips], axis=1).reshape(-1, 2)
    yield Shape(corners, np.tile([MOVE, LINE, LINE, CLOSE], len(tips)), fill=colour, alpha=0.9)


@painter.register
def _(layer: Path, panel: Panel) -> Painter:
    xy = place(panel, layer.xy)

    def paint(k: int, slot: Slot, look: Look) -> Iterator[Mark]:
        last, colour = min(k, len(xy) - 1), look.colour(layer.colour)
        for j in range(xy.shape[1]):
            at = _pixels(slot, xy[:, j])
            for part, alpha, width in ((at[last:], 0.25, 1.2), (at[: last + 1], 0.95, 2)):
                yield Shape(*polyline(part), stroke=colour, width=width * look.unit, alpha=alpha)
            if np.isfinite(at[last]).all():
                dot = points_shape("dot", at[last : last + 1], 4.5 * look.unit, colour)
                yield replace(dot, stroke=look.paper, width=1.5 * look.unit)

    return paint


@painter.register
def _(layer: Line, panel: Panel) -> Painter:
    x, y = in_axis_units(layer.x, panel.xlog), in_axis_units(layer.y, panel.ylog)

    def paint(k: int, slot: Slot, look: Look) -> Iterator[Mark]:
        path = polyline(_pixels(slot, np.stack([at_frame(x, k), at_frame(y, k)], axis=-1)))
        dash = [part * look.unit for part in layer.dash]
        yield Shape(
            *path, stroke=look.colour(layer.colour), width=layer.width * look.unit, dash=dash, alpha=0.95, round=True
        )

    return paint


def veil(panel: Panel) -> float:
    """The opacity of a heat map: under other layers it is faint, so that they keep their contrast."""
    return 0.55 if len(panel.layers) > 1 else 1.0


@painter.register
def _(layer: Heat, panel: Panel) -> Painter:
    low, high = limits(layer.values)
    (x0, y0), (x1, y1) = place(panel, np.array([layer.extent[0::2], layer.extent[1::2]], float))

    def paint(k: int, slot: Slot, look: Look) -> Iterator[Mark]:
        values = at_frame(layer.values, k)[::-1]
        finite = np.isfinite(values)
        level = (np.where(finite, values, low) - low) / max(high - low, 1e-12)
        pixels = np.dstack([look.ramp(level), 255 * finite.astype(np.uint8)])
        (left, right), (top, bottom) = sorted([slot.to_x(x0), slot.to_x(x1)]), sorted([slot.to_y(y0), slot.to_y(y1)])
        if slot.to_x(x0) > slot.to_x(x1):
            pixels = pixels[:, ::-1]
        yield Picture(pixels, Box(left, top, right - left, bottom - top), smooth=True, alpha=veil(panel))

    return paint


@painter.register
def _(layer: Images, panel: Panel) -> Painter:
    def paint(k: int, slot: Slot, look: Look) -> Iterator[Mark]:
        pixels = at_frame(layer.pixels, k)
        if pixels.ndim == 3:
            pixels = np.repeat(pixels[..., None], 3, axis=-1)
        opaque = np.full((*pixels.shape[:3], 1), 255, np.uint8)
        pixels = np.concatenate([pixels, opaque], axis=-1)
        for i in range(len(pixels)):
            box = tile(layer, slot.plot, i, look.unit)
            yield Picture(pixels[i], box)
            group = 0 if layer.group is None else layer.group[i]
            yield edge(box, layer.colour[group] if layer.colour else "", look)
            if i < len(layer.names) and layer.names[i]:
                middle = box.x + box.w / 2
                yield Words(layer.names[i], middle, box.y + box.h + 12 * look.unit, 12, "center", 0.8, box.w)

    return paint


def edge(box: Box, role: str, look: Look) -> Shape:
    """A hair line around a picture, or with a role a frame in its colour and dash."""
    width = 2 * look.unit if role else 1
    around = Box(box.x - width / 2, box.y - width / 2, box.w + width, box.h + width)
    dash = [part * look.unit for part in palette.ROLES[role].dash] if role else ()
    alpha = 1 if role else 0.2
    return Shape(
        *rectangle(around), stroke=look.colour(role) if role else look.ink, width=width, dash=dash, alpha=alpha
    )


@painter.register
def _(layer: Matrix, panel: Panel) -> Painter:
    n, (low, high) = len(layer.names), layer.limits
    levels = np.clip((layer.values - low) / (high - low), 0, 1)
    opaque = np.full((*layer.pictures.shape[:3], 1), 255, np.uint8)
    pictures = np.concatenate([layer.pictures, opaque], axis=-1)

    def paint(k: int, slot: Slot, look: Look) -> Iterator[Mark]:
        level, plot = at_frame(levels, k), slot.plot
        cell = min(plot.w / (n + BESIDE), plot.h / (n + ABOVE))
        x, y = plot.x + BESIDE * cell, plot.y + ABOVE * cell
        for i, name in enumerate(layer.names):
            side = 0.88 * cell
            yield Picture(pictures[i], Box(x + (i + 0.06) * cell, y - 1.15 * cell, side, side), smooth=True)
            yield from _caption(name, x - 0.3 * cell, y + (i + 0.5) * cell, cell, (BESIDE - 0.4) * cell, look)
            for j in range(n):
                box = Box(x + j * cell + 0.5, y + i * cell + 0.5, cell - 1, cell - 1)
                yield Shape(*rectangle(box), fill=hexadecimal(look.ramp(level[i, j])))
            best = np.array([[x + (level[i].argmax() + 0.5) * cell, y + (i + 0.5) * cell]])
            dot = points_shape("dot", best, 0.17 * cell, look.paper)
            yield replace(dot, stroke=look.ink, width=1.2 * look.unit)
        for i in range(n):
            diagonal = Box(x + i * cell, y + i * cell, cell, cell)
            yield Shape(*rectangle(diagonal), stroke=look.colour(layer.colour), width=2 * look.unit)

    return paint


def _caption(name: str, x: float, y: float, cell: float, room: float, look: Look) -> Iterator[Words]:
    """A caption that ends at x, on two lines where it is long; both fit the height of a cell."""
    wide = sum(1 if ord(letter) > 0x2E80 else 0.5 for letter in name) * 13 * look.unit > room
    lines, apart = halves(name) if wide else [name], 1.2
    fits = 0.95 * cell / look.unit
    size = min(12, fits / apart / len(lines)) if len(lines) > 1 else min(13, fits)
    for i, line in enumerate(lines):
        below = apart * (i - (len(lines) - 1) / 2) + 0.36
        yield Words(line, x, y + below * size * look.unit, size, "right", 0.9, room)


def halves(name: str) -> list[str]:
    """A text in two parts, divided after a dot between words, else a comma, colon or space: the one nearest to its
    middle."""
    ends = [found.end() for found in re.finditer(" · " if " · " in name else "[,，、： ]+", name)]
    if not ends:
        return [name]
    middle = min(ends, key=lambda end: abs(end - len(name) / 2))
    return [name[:middle].rstrip(), name[middle:]]


# ---- axes, legend, words


def ground(slot: Slot, look: Look) -> Shape:
    """The background of a plot, under its layers."""
    return Shape(*rectangle(slot.plot), fill=look.ink, alpha=0.018)


def _ticks(slot: Slot, look: Look) -> tuple[list, list]:
    plot, panel = slot.plot, slot.panel
    across = ticks(*slot.x, max(2.5, plot.w / (90 * look.unit)), panel.xlog)
    return across, ticks(*slot.y, max(2.5, plot.h / (90 * look.unit)), panel.ylog)


def grid(slot: Slot, look: Look) -> Iterator[Shape]:
    """The lines of the axes, over the layers, and the frame of the plot."""
    plot, (across, up) = slot.plot, _ticks(slot, look)
    x, y = [slot.to_x(v) for v, _ in across], [slot.to_y(v) for v, _ in up]
    starts = [*((v, plot.y) for v in x), *((plot.x, v) for v in y)]
    ends = [*((v, plot.y + plot.h) for v in x), *((plot.x + plot.w, v) for v in y)]
    yield Shape(*segments(np.array(starts), np.array(ends)), stroke=look.ink, alpha=0.09, crisp=True)
    yield Shape(*rectangle(plot), stroke=look.ink, alpha=0.28, crisp=True)


def axis_words(slot: Slot, look: Look) -> Iterator[Words]:
    """The numbers and names of the axes."""
    plot, panel, u = slot.plot, slot.panel, look.unit
    across, up = _ticks(slot, look)
    right, bottom = plot.x + plot.w, plot.y + plot.h
    for v, text in across:
        x = slot.to_x(v)
        past = x + 3.6 * u * len(text) > right + 12 * u  # in the middle of its tick it would leave the sheet
        yield Words(text, right + 10 * u if past else x, bottom + 16 * u, 12.5, "right" if past else "center", 0.72)
    for v, text in () if slot.shared else up:
        yield Words(text, plot.x - 6 * u, slot.to_y(v) + 4.5 * u, 12.5, "right", 0.72)
    if panel.xlabel:
        yield Words(panel.xlabel, plot.x + plot.w / 2, bottom + 34 * u, 13.5, "center", 0.85, plot.w)
    if panel.ylabel:
        yield Words(panel.ylabel, plot.x - 44 * u, plot.y + plot.h / 2, 13.5, "center", 0.85, plot.h, upright=True)


def heading(slot: Slot, look: Look) -> Iterator[Mark]:
    """The title and the legend of a panel."""
    yield Words(slot.panel.title, slot.plot.x, slot.title_y, 16, room=slot.room, bold=True)
    for entry in slot.legend:
        x, y = slot.plot.x + entry.x, slot.legend_y + entry.y
        yield from sign(entry, slot.panel, x, y, look)
        yield Words(entry.text, x + entry.sign, y + 4.5 * look.unit, LEGEND, strength=0.85)


def caption(k: int, slot: Slot, look: Look) -> Iterator[Words]:
    """The caption of a panel at frame k."""
    given = slot.panel.caption
    if text := given if isinstance(given, str) else given[k]:
        yield Words(text, slot.plot.x, slot.caption_y, 13.5, strength=0.85, room=slot.room)


def sign(entry: Entry, panel: Panel, x: float, y: float, look: Look) -> Iterator[Mark]:
    """What stands before a text of the legend: the shape, or the arrow and the dash, that tell a layer apart."""
    layer, u = entry.layer, look.unit
    roles = several(layer.colour) if hasattr(layer, "colour") else ()
    colour = look.colour(roles[entry.index] if entry.index < len(roles) else "data")
    if isinstance(layer, Points):
        if layer.value is not None:
            colour = hexadecimal(look.ramp(0.8))
        at = np.array([[x + 5 * u, y]])
        yield points_shape(layer.shape[entry.index], at, 4.2 * u, colour, edge=4 * u)
    elif isinstance(layer, Heat | Matrix):
        ramp = np.dstack([look.ramp(np.linspace(0, 1, 18)[None]), np.full((1, 18), 255, np.uint8)])
        box = Box(x, y - 5 * u, 18 * u, 10 * u)
        yield Picture(ramp, box, alpha=veil(panel))
        yield Shape(*rectangle(box), stroke=look.ink, alpha=0.25)
    elif isinstance(layer, Images):
        if layer.colour:
            yield edge(Box(x, y - 6 * u, 16 * u, 12 * u), layer.colour[entry.index], look)
    else:
        yield from _line_sign(layer, x, y, colour, look)


def _line_sign(layer: Arrows | Path | Line, x: float, y: float, colour: str, look: Look) -> Iterator[Mark]:
    u = look.unit
    start, by = np.array([[x, y]]), np.array([[18 * u, 0.0]])
    dash = () if isinstance(layer, Path) else layer.dash
    if isinstance(layer, Arrows):
        yield from arrows(start, by, 1.8 * u, colour, dash, look, line=2 * u)
        return
    dashes = [part * u for part in dash]
    yield Shape(*segments(start, start + by), stroke=colour, width=2 * u, dash=dashes, alpha=0.9)
    if isinstance(layer, Path):
        yield points_shape("dot", start + [14.5 * u, 0], 3.5 * u, colour, 0.9)


def marker(k: int, slot: Slot, look: Look) -> Iterator[Shape]:
    """The clock's place on the x axis of a panel."""
    x, plot, u = slot.to_x(slot.panel.marker[k]), slot.plot, look.unit
    if not np.isfinite(x):
        return
    line = segments(np.array([[x, plot.y]]), np.array([[x, plot.y + plot.h]]))
    yield Shape(*line, stroke=look.ink, width=1.5 * u, alpha=0.75)
    head = _polygon((x - 5 * u, plot.y), (x + 5 * u, plot.y), (x, plot.y + 7 * u))
    yield Shape(*head, fill=look.ink, alpha=0.75)


def probe(at: tuple[float, float], slot: Slot, look: Look) -> Iterator[Shape]:
    """The probe, in data units, and thin lines through it."""
    centre = _pixels(slot, place(slot.panel, np.array([at], float)))
    (x, y), plot, u = centre[0], slot.plot, look.unit
    sides = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
    circle = points_shape("dot", centre, 7 * u, "")
    arms = segments(centre + 7 * u * sides, centre + 13.3 * u * sides)
    path = np.concatenate([circle.vertices, arms[0]]), np.concatenate([circle.codes, arms[1]])
    colour = look.colour("probe")
    yield Shape(*path, stroke=look.paper, width=4 * u, alpha=0.8)
    yield Shape(*path, stroke=colour, width=1.6 * u)
    cross = segments(np.array([[plot.x, y], [x, plot.y]]), np.array([[plot.x + plot.w, y], [x, plot.y + plot.h]]))
    yield Shape(*cross, stroke=colour, alpha=0.16)
