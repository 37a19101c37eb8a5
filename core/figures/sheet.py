"""A scene on a sheet: its title, the clock, the panels, the caption and the small print, each in its place.

What holds in all frames is drawn once (`Sheet.still`); a film draws the rest for each frame (`Sheet.moving`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile

import numpy as np

from core.figures import layout, marks
from core.figures.frames import as_array, checked_panel, count_frames
from core.figures.layout import Box, Measure, Slot
from core.figures.marks import Look, Mark, Shape, Words
from core.figures.scene import Scene
from core.figures.ticks import written
from core.problems import Problem

SLIDE = 9 / 16  # height over width
TITLE, CAPTION, SMALL = 20, 15, 12  # sizes of text
SIDE, LEADING = 24, 1.45  # the margin at the left and right, and the height of a line over that of its letters
HAN = 0x2E80  # where characters of full width begin
SMALLEST = 0.8  # scale of the text, where the height is not given
ROOM = 400  # for the panels, where the height is not given
LEAST = 120  # the side of a plot, where the height is not given
Zoom = Mapping[int | str, Mapping[str, float]]
"""What the player zoomed to: see `layout.apply_zoom`."""


@dataclass(frozen=True, eq=False)
class Clipped:
    """A mark of a layer, cut off at the edge of its plot."""

    mark: Mark
    box: Box


@dataclass(eq=False)
class Sheet:
    """A scene laid out: in CSS pixels of a sheet of ``width`` by ``height``."""

    scene: Scene
    frames: int
    look: Look
    width: float
    height: float
    slots: list[Slot]
    words: list[Words]

    @cached_property
    def painters(self) -> list[list[marks.Painter]]:
        """How each layer of each panel is drawn."""
        return [[marks.painter(layer, slot.panel) for layer in slot.panel.layers] for slot in self.slots]

    def still(self) -> Iterator[Mark | Clipped]:
        """What is the same in all frames, and under what is not: the words, and each panel's lowest layers."""
        yield from self.words
        for slot, painters in zip(self.slots, self.painters, strict=True):
            if not slot.picture:
                yield marks.ground(slot, self.look)
                yield from marks.axis_words(slot, self.look)
            yield from marks.heading(slot, self.look)
            yield from self._layers(0, slot, painters[: _still(slot)])

    def moving(self, k: int) -> Iterator[Mark | Clipped]:
        """The marks that are drawn over `still` for frame k."""
        for slot, painters in zip(self.slots, self.painters, strict=True):
            yield from self._layers(k, slot, painters[_still(slot) :])
            if slot.panel.marker is not None:
                yield from (Clipped(mark, slot.plot) for mark in marks.marker(k, slot, self.look))
            if slot.panel.probe and self.scene.probe is not None:
                yield from (Clipped(mark, slot.plot) for mark in marks.probe(self.scene.probe, slot, self.look))
            if not slot.picture:
                yield from marks.grid(slot, self.look)
            yield from marks.caption(k, slot, self.look)
        if self.frames > 1:
            right = self.width - SIDE * self.look.unit
            yield Words(clock_text(self.scene, k), right, 34 * self.look.unit, 17, "right", 0.9)

    def track(self, k: int) -> Iterator[Mark]:
        """How far a film is at frame k: a line along the lower edge."""
        y, part, width = self.height - 2 * self.look.unit, (k + 1) / self.frames, 4 * self.look.unit
        for end, alpha in ((self.width, 0.1), (part * self.width, 0.4)):
            line = marks.segments(np.array([[0.0, y]]), np.array([[end, y]]))
            yield Shape(*line, stroke=self.look.ink, width=width, alpha=alpha)

    def _layers(self, k: int, slot: Slot, painters: list[marks.Painter]) -> Iterator[Mark | Clipped]:
        for painter in painters:
            for mark in painter(k, slot, self.look):
                yield mark if slot.picture else Clipped(mark, slot.plot)


def _still(slot: Slot) -> int:
    """How many of a panel's layers, from the lowest on, do not move."""
    return len(list(takewhile(lambda layer: not marks.moves(layer), slot.panel.layers)))


def clock_text(scene: Scene, k: int) -> str:
    """What the clock shows at frame k: its label and its value, or the number of the frame."""
    frames = count_frames(scene.panels, scene.clock)
    if scene.clock is None:
        return f"{k + 1} / {frames}"
    values = as_array(scene.clock.values).reshape(-1)
    label = scene.clock.label if isinstance(scene.clock.label, str) else scene.clock.label[k]
    whole = all(float(value).is_integer() for value in values)
    return f"{label} = {written(float(values[k]), scene.clock.digits, whole)}"


def frame_of(scene: Scene, frame: int | None) -> int:
    """The frame, counted from the end where it is negative; None: where a fresh clock stands. Raises Problem for one
    that the scene does not have."""
    frames = count_frames(scene.panels, scene.clock)
    if frame is None:
        return scene.clock.start % frames if scene.clock else 0
    if not -frames <= frame < frames:
        raise Problem("figure_frame", frame=frame, last=frames - 1)
    return frame % frames


def sheet(
    scene: Scene,
    measure: Measure,
    theme: str = "light",
    width: float = 1280,
    height: float | None = None,
    zoom: Zoom | None = None,
) -> Sheet:
    """Lay a scene out on a sheet of that width.

    ``measure`` gives the width of a text at size 1. Without a ``height`` the sheet is as high as what is on it: at most
    that of a slide, unless the plots would become too small. Raises Problem for a scene that cannot be drawn.
    """
    if not scene.panels:
        raise Problem("scene_no_panel")
    frames = count_frames(scene.panels, scene.clock)
    titles = scene.title + "".join(panel.title for panel in scene.panels)
    han = any(ord(letter) >= HAN for letter in titles)  # the Chinese font has one weight, and so have titles beside it
    look = Look(theme, width / 1000 if height else max(SMALLEST, width / 1000), not han)
    u = look.unit
    scene = replace(scene, panels=[checked_panel(panel, frames) for panel in scene.panels])
    foot = _foot(scene, measure, width - 2 * SIDE * u, u)
    top, below = _margins(scene, frames, foot, u)
    slots = layout.slots(scene)
    layout.apply_zoom(slots, {int(group): part for group, part in (zoom or {}).items()})
    room = height - top - below if height else max(width * SLIDE - top - below, ROOM * u)
    tall = _arrange(slots, measure, width, room, u, fixed=height is not None)
    for slot in slots:
        _move(slot, SIDE * u, top + (max(0, room - tall) / 2 if height else 0))
    whole = height or round(top + tall + below)
    return Sheet(scene, frames, look, width, whole, slots, list(_words(scene, foot, width, whole - below, u)))


def _margins(scene: Scene, frames: int, foot: list[tuple[str, float]], unit: float) -> tuple[float, float]:
    """The room above the panels, for the title and the clock, and below them, for the lines of the foot."""
    top = 52 if scene.title or frames > 1 else 14
    below = sum(LEADING * size for _, size in foot) + (26 if foot else 14)
    return top * unit, below * unit


def _arrange(slots: list[Slot], measure: Measure, width: float, room: float, unit: float, fixed: bool) -> float:
    """Place the panels between the margins; the height of what is drawn in them. Where the room is not ``fixed``, plots
    rather outgrow it than become too small."""

    def of_legend(text: str) -> float:
        return measure(text) * layout.LEGEND * unit

    least = 0 if fixed else LEAST * unit
    return layout.arrange(slots, width - 2 * SIDE * unit, room, unit, least, of_legend) - layout.spare(slots, unit)


def _words(scene: Scene, foot: list[tuple[str, float]], width: float, y: float, unit: float) -> Iterator[Words]:
    """The title, and from y on the lines of the foot."""
    side = SIDE * unit
    if scene.title:
        yield Words(scene.title, side, 34 * unit, TITLE, room=0.72 * (width - 2 * side), bold=True)
    y += 14 * unit
    for text, size in foot:
        y += LEADING * size * unit
        small = size == SMALL
        link = scene.address if small and scene.address.startswith(("http://", "https://")) else ""
        yield Words(text, side, y - 0.4 * size * unit, size, strength=0.66 if small else 0.9, link=link)


def _foot(scene: Scene, measure: Measure, room: float, unit: float) -> list[tuple[str, float]]:
    """The lines of caption and small print, each with its size."""
    lines = []
    for text, size in ((scene.caption, CAPTION), (scene.address, SMALL)):
        lines += [(line, size) for line in wrap(text, lambda part, size=size: measure(part) * size * unit, room)]
    return lines


def wrap(text: str, measure: Measure, room: float) -> list[str]:
    """The text in lines no wider than ``room``: broken at spaces, between Chinese characters, and where nothing else
    helps between any two."""
    lines, line = [], ""
    for part in _parts(text):
        if line and measure((line + part).rstrip()) > room:
            lines.append(line.rstrip())
            line = ""
        line += part
        while measure(line.rstrip()) > room and len(line) > 1:
            fits = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or measure(line[:n]) <= room)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line.rstrip()] if line.strip() else lines


def _parts(text: str) -> list[str]:
    """The pieces of a text that a line may end after."""
    parts = [""]
    for letter, following in zip(text, f"{text[1:]} ", strict=False):
        parts[-1] += letter
        han = ord(letter) > HAN or (following and ord(following) > HAN)
        if (letter in " &?" or han) and following not in "，。、；：？！）」』》”":
            parts.append("")
    return [part for part in parts if part]


def _move(slot: Slot, x: float, y: float) -> None:
    plot = slot.plot
    slot.plot = Box(plot.x + x, plot.y + y, plot.w, plot.h)
    slot.title_y, slot.legend_y, slot.caption_y = slot.title_y + y, slot.legend_y + y, slot.caption_y + y
