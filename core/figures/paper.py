"""A scene on paper: one frame as a figure of Matplotlib, or as the bytes of an SVG, PDF or PNG file.

Only Matplotlib's object-oriented interface is used: ``pyplot`` has global state, and many visitors share the process.
Equal scenes give equal bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from html import unescape
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from core.figures import fonts
from core.figures.fonts import embedding
from core.figures.marks import Look, Mark, Picture, Shape, Words
from core.figures.scene import Scene
from core.figures.sheet import Clipped, Sheet, Zoom, frame_of, sheet
from core.problems import Problem

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

KINDS = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}
DPI = 72  # a point is a CSS pixel
LEAST = 0.7  # of its size, for a text that has to fit
PIXELS = 3  # of a picture inside an SVG or PDF, for each CSS pixel
SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "scene", "pdf.fonttype": 42, "text.hinting": "none"}
_settings = Lock()


def figure(
    scene: Scene, frame: int | None = None, theme: str = "light", width: float = 1280, zoom: Zoom | None = None
) -> Figure:
    """Draw one frame of a scene.

    Args:
        scene: what to draw; its title, caption and address stand around it.
        frame: which frame; None: where a fresh clock stands.
        theme: "light" or "dark".
        width: in CSS pixels; the figure is as high as it needs.
        zoom: the part of the axes to show, see `layout.apply_zoom`.

    Raises Problem for a scene that cannot be drawn and for a frame that it does not have.
    """
    k = frame_of(scene, frame)
    made = sheet(scene, measure, theme, width, zoom=zoom)
    drawn = blank(made)
    for artist in artists(drawn, made, [*made.still(), *made.moving(k)]):
        drawn.add_artist(artist)
    return drawn


def to_file(
    scene: Scene,
    kind: str,
    frame: int | None = None,
    theme: str = "light",
    width: float = 1280,
    scale: float = 2,
    zoom: Zoom | None = None,
) -> bytes:
    """One frame of a scene as a file of ``kind`` "svg", "pdf" or "png", its title and link in the metadata.

    ``scale`` is the number of pixels of a PNG for each CSS pixel; see `figure` for the rest. Raises Problem for another
    kind, and as `figure` does.
    """
    if kind not in KINDS:
        raise Problem("figure_format", kind=kind, known=", ".join(KINDS))
    drawn = figure(scene, frame, theme, width, zoom)
    file, pixels = io.BytesIO(), scale if kind == "png" else PIXELS
    with settings():
        drawn.savefig(file, format=kind, dpi=DPI * pixels, metadata=_metadata(scene, kind))
    return _with_fonts(file.getvalue()) if kind == "svg" else file.getvalue()


@contextmanager
def settings() -> Iterator[None]:
    """Inside it Matplotlib draws with `SETTINGS`. They are global there, so one thread draws at a time."""
    from matplotlib import rc_context

    with _settings, rc_context(SETTINGS):
        yield


def printable(text: str) -> str:
    """A text without what no file can hold, such as control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _metadata(scene: Scene, kind: str) -> dict[str, str | None]:
    title, link, alt = map(printable, (scene.title, scene.address, scene.alt))
    if kind == "svg":
        return {"Title": title, "Source": link, "Description": alt, "Date": None}
    if kind == "pdf":
        return {"Title": title, "Subject": link, "Keywords": alt, "CreationDate": None}
    return {"Title": title, "Source": link, "Description": alt}


def _with_fonts(content: bytes) -> bytes:
    """An SVG that brings the letters of its text along, and names fonts for programs that do not read them. Its size is
    in CSS pixels."""
    here = ", ".join(f"'{name}'" for name in fonts.families())
    there = ", ".join([f"'{fonts.LATIN_FAMILY}'", f"'{fonts.FAMILY}'", *fonts.ELSEWHERE])
    svg = content.decode().replace(here, there)
    words = "".join(unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    svg = svg.replace("*{stroke-linejoin", f"{embedding.css(words)}*{{stroke-linejoin", 1)
    return re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', svg, count=2).encode()


# ---- marks as artists


def blank(made: Sheet) -> Figure:
    """A figure of the size and the paper of a sheet."""
    from matplotlib.figure import Figure

    return Figure((made.width / DPI, made.height / DPI), dpi=DPI, facecolor=made.look.paper)


def artists(drawn: Figure, made: Sheet, marks: Iterable[Mark | Clipped]) -> list[Artist]:
    """Marks as artists of Matplotlib, from the lowest to the highest."""
    from matplotlib.transforms import Affine2D, Bbox, TransformedBbox

    to_display = Affine2D().scale(1, -1).translate(0, made.height).scale(1 / DPI) + drawn.dpi_scale_trans
    found = []
    for mark in marks:
        box = None
        if isinstance(mark, Clipped):
            mark, box = mark.mark, mark.box
        artist = _artist(mark, made.look)
        artist.set_figure(drawn)
        artist.set_transform(to_display)
        artist.set_zorder(len(found))
        if box:
            artist.set_clip_box(TransformedBbox(Bbox.from_bounds(box.x, box.y, box.w, box.h), to_display))
        found.append(artist)
    return found


def _artist(mark: Mark, look: Look) -> Artist:
    if isinstance(mark, Shape):
        return _patch(mark)
    return _picture()(mark) if isinstance(mark, Picture) else _text(mark, look)


def _patch(mark: Shape) -> Artist:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    ends = {"capstyle": "round", "joinstyle": "round"} if mark.round else {"capstyle": "butt", "joinstyle": "miter"}
    return PathPatch(
        Path(mark.vertices, mark.codes),
        facecolor=to_rgba(mark.fill, mark.alpha) if mark.fill else "none",
        edgecolor=to_rgba(mark.stroke, mark.alpha) if mark.stroke else "none",
        linewidth=mark.width if mark.stroke else 0,
        linestyle=(0, [part / mark.width for part in mark.dash])
        if mark.dash
        else "solid",  # it takes widths of the line
        snap=mark.crisp,
        **ends,
    )


def _text(mark: Words, look: Look) -> Artist:
    from matplotlib.text import Text

    mark = replace(mark, text=printable(mark.text), bold=mark.bold and look.bold)
    text, size = _fitted(mark, mark.size * look.unit)
    return Text(
        mark.x, mark.y, text, color=look.ink, alpha=mark.strength, fontsize=size, family=fonts.families(),
        fontweight=_weight(mark.bold), horizontalalignment=mark.align, verticalalignment="baseline",
        rotation=90 if mark.upright else 0, rotation_mode="anchor", parse_math=False, url=mark.link or None,
    )  # fmt: skip


def _fitted(mark: Words, size: float) -> tuple[str, float]:
    """The text and its size, smaller where it would need more than its room; below `LEAST` of it, its end is cut."""
    wide = measure(mark.text, mark.bold) * size
    if not mark.room or wide <= mark.room:
        return mark.text, size
    if wide * LEAST <= mark.room:
        return mark.text, size * mark.room / wide
    cut = (f"{mark.text[:n].rstrip()}…" for n in range(len(mark.text) - 1, 0, -1))
    return next((text for text in cut if measure(text, mark.bold) * size * LEAST <= mark.room), "…"), size * LEAST


@cache
def _picture() -> Callable[[Picture], Artist]:
    from matplotlib.artist import Artist
    from PIL import Image

    class Raster(Artist):
        """Pixels over a rectangle, as many as the file has there."""

        def __init__(self, mark: Picture):
            super().__init__()
            self.mark = mark

        def draw(self, renderer) -> None:
            box, finer = self.mark.box, renderer.get_image_magnification()
            corners = self.get_transform().transform([(box.x, box.y + box.h), (box.x + box.w, box.y)])
            (x, y), (w, h) = corners[0], np.maximum(1, np.rint((corners[1] - corners[0]) * finer)).astype(int)
            how = Image.Resampling.BICUBIC if self.mark.smooth else Image.Resampling.NEAREST
            pixels = np.array(Image.fromarray(self.mark.pixels).resize((w, h), how))
            pixels[..., 3] = np.rint(pixels[..., 3] * self.mark.alpha)
            context = renderer.new_gc()
            self._set_gc_clip(context)
            renderer.draw_image(context, x, y, pixels[::-1] if renderer.flipy() else pixels)
            context.restore()

    return Raster


def _weight(bold: bool) -> int:
    return fonts.SEMIBOLD if bold else 400


def measure(text: str, bold: bool = False) -> float:
    """The width of a text at size 1, whatever Matplotlib's settings are."""
    from matplotlib.font_manager import get_font
    from matplotlib.ft2font import LoadFlags

    font = get_font(_font_files(_weight(bold)))
    font.set_size(100, DPI)
    font.set_text(text, 0, flags=LoadFlags.NO_HINTING)
    return font.get_width_height()[0] / 64 / 100


@cache
def _font_files(weight: int) -> tuple[str, ...]:
    """The fonts of a weight, each for the letters that those before it lack."""
    from matplotlib.font_manager import FontProperties, findfont

    return tuple(str(findfont(FontProperties(family=family, weight=weight))) for family in fonts.families())
