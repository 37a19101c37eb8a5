"""Where the panels of a scene go, as the player in the browser arranges them (``pages/ui/stage/layout.js``).

All lengths are CSS pixels; y grows downwards. ``unit`` is the scale of the text.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from core.figures.frames import corners
from core.figures.scene import Images, Layer, Matrix, Panel, Points, Scene

LEGEND = 13.5  # size of a legend's text
LINE = 21  # height of a line of a legend
LOOSE = 1.25  # width over height of a plot that may take what is left
BESIDE, ABOVE = 5.0, 1.3  # cells that captions and pictures take along the edges of a matrix

Measure = Callable[[str], float]
"""The width of a text of the legend."""


@dataclass(frozen=True)
class Box:
    """A rectangle: its upper left corner, its width and its height."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True)
class Entry:
    """A line of the legend: which of a layer's groups, its text, its place and the width of the sign before it."""

    layer: Layer
    index: int
    text: str
    x: float = 0.0
    y: float = 0.0
    sign: float = 0.0


@dataclass(eq=False)
class Slot:
    """A panel and its place: the rectangle ``plot``, the baselines of its words, the width they may take.

    ``x`` and ``y`` are the part of the axes that is shown, in axis units; ``shared`` says that the left neighbour has
    the same axes and writes their numbers.
    """

    panel: Panel
    index: int
    picture: bool
    aspect: float
    x: tuple[float, float]
    y: tuple[float, float]
    link: str
    plot: Box = Box(0, 0, 0, 0)
    title_y: float = 0.0
    legend_y: float = 0.0
    caption_y: float = 0.0
    room: float = 0.0
    shared: bool = False
    legend: list[Entry] = field(default_factory=list)

    def to_x(self, value):
        """From axis units to pixels."""
        return self.plot.x + (value - self.x[0]) / (self.x[1] - self.x[0]) * self.plot.w

    def to_y(self, value):
        """From axis units to pixels."""
        return self.plot.y + self.plot.h - (value - self.y[0]) / (self.y[1] - self.y[0]) * self.plot.h


def slots(scene: Scene) -> list[Slot]:
    """The panels of a scene, not yet placed, with all of their axes in view."""
    return [_slot(panel, index, len(scene.panels) == 1) for index, panel in enumerate(scene.panels)]


def _slot(panel: Panel, index: int, alone: bool) -> Slot:
    low, high = corners(panel)
    x = (float(high[0]), float(low[0])) if panel.xreversed else (float(low[0]), float(high[0]))
    y = (float(low[1]), float(high[1]))
    picture = all(isinstance(layer, Images | Matrix) for layer in panel.layers)
    aspect = (x[1] - x[0]) / (y[1] - y[0]) if panel.equal else 0.0
    if picture and panel.layers:
        columns, rows, w, h = tiles(panel.layers[0])
        aspect = min(6 if alone else 1.2, columns * w / (rows * h))
    link = json.dumps([x, y, panel.xlog, panel.ylog, picture])
    return Slot(panel, index, picture, aspect, x, y, link)


def tiles(layer: Images | Matrix) -> tuple[int, int, float, float]:
    """Columns and rows of a grid of pictures, and the width and height of one of them."""
    if isinstance(layer, Matrix):
        size = len(layer.names)
        return 1, 1, size + BESIDE, size + ABOVE
    count, height, width = np.shape(layer.pixels)[1:4]
    columns = min(int(layer.columns or max(1, math.ceil(math.sqrt(count)))), count)
    return columns, math.ceil(count / columns), width, height


def apply_zoom(slots: Sequence[Slot], zoom: dict[int, dict[str, float]]) -> None:
    """Show the part of the axes that ``zoom`` says: for a group of panels with equal axes, by the index of the first,
    the centre ``x`` and ``y`` as fractions of the whole view, and the ``scale``."""
    for slot in slots:
        group = next(other.index for other in slots if other.link == slot.link)
        if part := zoom.get(group):
            slot.x, slot.y = _part(slot.x, part["x"], part["scale"]), _part(slot.y, part["y"], part["scale"])


def _part(ends: tuple[float, float], centre: float, scale: float) -> tuple[float, float]:
    span = ends[1] - ends[0]
    return ends[0] + (centre - 0.5 / scale) * span, ends[0] + (centre + 0.5 / scale) * span


def entries(panel: Panel) -> list[Entry]:
    """The legend of a panel."""
    found = []
    for layer in panel.layers:
        labels = (layer.label,) if isinstance(layer.label, str) else layer.label
        found += [Entry(layer, index, text) for index, text in enumerate(labels) if text]
    return found


@dataclass(frozen=True)
class _Margins:
    """Around each plot: above, below, and (left, right) of each panel; baselines from the plot's edges. ``shared``:
    which panels have the axes of their left neighbour, and do without numbers of their own."""

    top: float
    bottom: float
    sides: Sequence[tuple[float, float]]
    shared: Sequence[bool]
    title: float
    legend: float
    caption: float


@dataclass(frozen=True)
class _Rows:
    """Panels in rows, and the height ``high`` of their plots, ``fits`` where only the width limits it."""

    margins: _Margins
    rows: Sequence[Sequence[Slot]]
    fits: float
    high: float


def _margins(slots: Sequence[Slot], unit: float, columns: int, lines: int) -> _Margins:
    shared = [_shares(slots, i, columns) for i in range(len(slots))]
    base = 6 if all(slot.picture for slot in slots) else 22
    base += 18 if any(slot.panel.xlabel for slot in slots) else 0
    extra = LINE * lines
    return _Margins(
        top=unit * (29 + extra),
        bottom=unit * (base + (22 if any(slot.panel.caption for slot in slots) else 0)),
        sides=[(unit * _left(slot, same), unit * 12) for slot, same in zip(slots, shared, strict=True)],
        shared=shared,
        title=unit * (10 + extra),
        legend=unit * (12 + extra - LINE),
        caption=unit * (base + 13),
    )


def _shares(slots: Sequence[Slot], i: int, columns: int) -> bool:
    """Whether panel i does without numbers, because its left neighbour has the same axes."""
    slot = slots[i]
    return bool(i % columns) and slot.link == slots[i - 1].link and not (slot.panel.ylabel or slot.picture)


def _left(slot: Slot, shared: bool) -> float:
    if slot.picture or shared:
        return 8
    return 58 if slot.panel.ylabel else 40


def _arranged(slots: Sequence[Slot], width: float, room: float, unit: float, columns: int, lines: int) -> _Rows:
    margins = _margins(slots, unit, columns, lines)
    rows = [slots[i : i + columns] for i in range(0, len(slots), columns)]
    fits = min(
        (width - sum(sum(margins.sides[slot.index]) for slot in row)) / sum(slot.aspect or LOOSE for slot in row)
        for row in rows
    )
    return _Rows(margins, rows, fits, min(fits, room / len(rows) - margins.top - margins.bottom))


def _chosen(slots: Sequence[Slot], width: float, room: float, unit: float, least: float, lines: int) -> _Rows:
    """The number of rows with the largest plots, one row if it comes near; rows grow past ``room`` rather than have
    plots of less than ``least`` a side."""
    splits = [math.ceil(len(slots) / (i + 1)) for i in range(len(slots))]
    best = None
    for columns in splits:
        tried = _arranged(slots, width, room, unit, columns, lines)
        if best is None or tried.high > 1.2 * best.high:
            best = tried
    if best.high >= least:
        return best
    for columns in splits:
        tried = _arranged(slots, width, math.inf, unit, columns, lines)
        best = replace(tried, high=min(tried.fits, room - tried.margins.top - tried.margins.bottom))
        if tried.fits >= least:
            break
    return best


def arrange(
    slots: Sequence[Slot], width: float, room: float, unit: float, least: float, measure: Measure, lines: int = 0
) -> float:
    """Place the panels in ``width``, in ``room`` of height where it suffices, and return the height of the whole.

    Legends have ``lines`` lines, or as many as they need, up to three.
    """
    lines = lines or int(any(entries(slot.panel) for slot in slots))
    rows = _chosen(slots, width, room, unit, least, lines)
    high = max(40, rows.high)
    tall = high + rows.margins.top + rows.margins.bottom
    for r, row in enumerate(rows.rows):
        _place_row(row, rows.margins, r * tall, high, width)
    for slot in slots:
        slot.caption_y -= slack(slot, unit)
    needed = max(_place_legend(slot, unit, measure) for slot in slots)
    if needed > lines and lines < 3:
        return arrange(slots, width, room, unit, least, measure, needed)
    return len(rows.rows) * tall


def spare(slots: Sequence[Slot], unit: float) -> float:
    """How much lower the lowest plot reaches than what is drawn in the plots."""
    ends = [slot.plot.y + slot.plot.h for slot in slots]
    return max(ends) - max(end - slack(slot, unit) for end, slot in zip(ends, slots, strict=True))


def tile(layer: Images, plot: Box, i: int, unit: float) -> Box:
    """The place of picture i, fitted into the plot with a thin gap."""
    count, height, width = layer.pixels.shape[1:4]
    columns = min(layer.columns, count)
    rows, text, gap = -(-count // columns), _name_room(layer, unit), 4 * unit if count > 1 else 0
    scale = min(((plot.w + gap) / columns - gap) / width, ((plot.h + gap) / rows - gap - text) / height)
    w, h = scale * width, scale * height
    return Box(plot.x + i % columns * (w + gap), plot.y + i // columns * (h + gap + text), w, h)


def _name_room(layer: Images, unit: float) -> float:
    return 15 * unit if layer.names else 0


def slack(slot: Slot, unit: float) -> float:
    """What a plot of wide pictures leaves empty below them."""
    layer = slot.panel.layers[0] if slot.panel.layers else None
    if not (slot.picture and isinstance(layer, Images)):
        return 0
    last = tile(layer, slot.plot, layer.pixels.shape[1] - 1, unit)
    return max(0, slot.plot.y + slot.plot.h - last.y - last.h - _name_room(layer, unit))


def _place_legend(slot: Slot, unit: float, measure: Measure) -> int:
    """Put the entries one after the other, on as many lines as they need; returns how many."""
    x, line, slot.legend = 0.0, 0, []
    for entry in entries(slot.panel):
        sign = (16 if isinstance(entry.layer, Points) else 24) * unit
        wide = sign + measure(entry.text)
        if x and x + wide > slot.room:
            x, line = 0.0, line + 1
        slot.legend.append(replace(entry, sign=sign, x=x, y=line * LINE * unit))
        x += wide + 14 * unit
    return line + 1 if slot.legend else 0


def _place_row(row: Sequence[Slot], margins: _Margins, y: float, high: float, width: float) -> None:
    free = width - sum(sum(margins.sides[slot.index]) for slot in row)
    widths = [high * (slot.aspect or LOOSE) for slot in row]
    scale, loose = min(1, free / sum(widths)), sum(not slot.aspect for slot in row)
    spare = max(0, free - sum(widths) * scale)
    extra = min(spare / loose, 0.65 * high) if loose else 0
    x = (spare - extra * loose) / 2
    for slot, wide in zip(row, widths, strict=True):
        left, right = margins.sides[slot.index]
        w = wide * scale + (0 if slot.aspect else extra)
        h = w / slot.aspect if slot.aspect else high
        slot.plot = Box(x + left, y + margins.top, w, h)
        slot.title_y, slot.legend_y = y + margins.top - margins.title, y + margins.top - margins.legend
        slot.caption_y, slot.room = y + margins.top + h + margins.caption, w + right
        slot.shared = margins.shared[slot.index]
        x += left + w + right
