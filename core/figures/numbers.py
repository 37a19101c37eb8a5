"""What a scene shows, as numbers: NPZ for programs, CSV for spreadsheets. Equal scenes give equal bytes."""

import csv
import io
import json
import re
import zipfile
from codecs import BOM_UTF8
from collections.abc import Iterator
from functools import singledispatch
from itertools import chain

import numpy as np

from core.figures.frames import as_array, at_frame, checked, count_frames, several
from core.figures.marks import MOVING, moves
from core.figures.scene import Arrows, Heat, Images, Layer, Line, Matrix, Panel, Path, Points, Scene
from core.figures.sheet import frame_of
from core.problems import Problem

KINDS = {"npz": "application/octet-stream", "csv": "text/csv"}
COLUMNS = ("frame", "clock", "panel", "layer", "item", "group", "x", "y", "u", "v", "value", "red", "green", "blue")
"""Of the CSV. Where ``frame`` is empty, a row holds in all frames."""


def arrays(scene: Scene) -> dict[str, np.ndarray]:
    """All arrays of a scene by the number of panel and layer, in the units of the axes' numbers.

    ``clock`` [T] has the values of the frames, ``panel1_layer2_points_xy`` [T or 1, n, 2] the places of the second
    layer in the first panel, and so on; ``about`` is JSON that says what each is, with title, caption and link. Raises
    Problem for a scene that cannot be drawn.
    """
    frames = count_frames(scene.panels, scene.clock)
    found = {"about": np.array(json.dumps(_about(scene, frames), ensure_ascii=False))}
    if scene.clock is not None:
        found["clock"] = as_array(scene.clock.values).reshape(-1)
    for name, layer in _layers(scene, frames):
        for part in (*MOVING[type(layer)], *STILL.get(type(layer), ())):
            if getattr(layer, part) is not None and len(np.shape(getattr(layer, part))):
                found[f"{name}_{part}"] = np.asarray(getattr(layer, part))
    return found


STILL = {Points: ("group",), Images: ("group",), Matrix: ("pictures",), Heat: ("extent",)}
"""What of a layer is an array beside those that move."""


def _layers(scene: Scene, frames: int) -> Iterator[tuple[str, Layer]]:
    for p, panel in enumerate(scene.panels, 1):
        for number, layer in enumerate(panel.layers, 1):
            yield f"panel{p}_layer{number}_{type(layer).__name__.lower()}", checked(layer, panel, frames)


def _about(scene: Scene, frames: int) -> dict:
    """A description of the arrays, as data for JSON."""
    about = {name: getattr(scene, name) for name in ("title", "caption", "alt", "address", "fps")}
    label = scene.clock.label if scene.clock else ""
    clock = label if isinstance(label, str) else list(label)
    panels = [_about_panel(panel, frames) for panel in scene.panels]
    return about | {"frames": frames, "clock": clock, "probe": scene.probe, "panels": panels}


def _about_panel(panel: Panel, frames: int) -> dict:
    about = {name: getattr(panel, name) for name in ("title", "xlabel", "ylabel", "xlog", "ylog", "xreversed")}
    about["caption"] = panel.caption if isinstance(panel.caption, str) else list(panel.caption)
    return about | {"layers": [_about_layer(checked(layer, panel, frames)) for layer in panel.layers]}


def _about_layer(layer: Layer) -> dict:
    names = ("label", "colour", "names", "limits")
    return {"kind": type(layer).__name__.lower()} | {
        name: value if isinstance(value, str) else list(value)
        for name in names
        if (value := getattr(layer, name, None)) is not None
    }


def to_file(scene: Scene, kind: str, frame: int | None = None) -> bytes:
    """The numbers of a scene as a file of ``kind`` "npz" or "csv"; a CSV of one frame, or of all of them for None.

    Raises Problem for another kind, for a scene that cannot be drawn and for a frame that it does not have.
    """
    if kind == "npz":
        return _npz(arrays(scene))
    if kind != "csv":
        raise Problem("figure_format", kind=kind, known=", ".join(KINDS))
    return _csv(scene, frame)


def _npz(found: dict[str, np.ndarray]) -> bytes:
    """As NumPy writes it, without the time of writing."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in found.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, array, allow_pickle=False)
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), part.getvalue(), zipfile.ZIP_DEFLATED
            )
    return file.getvalue()


# ---- CSV


def _csv(scene: Scene, frame: int | None) -> bytes:
    """One row for each point, arrow, cell or pixel. Title and link stand in two more columns of the first row. A mark
    at the beginning tells spreadsheets that it is UTF-8."""
    blocks = filter(None, _blocks(scene, frame))
    source = f",{_line(harmless(scene.title), scene.address)}{NEXT}"
    first = next(blocks, "").replace(END, source, 1)
    parts = chain([_line(*COLUMNS, "title", "link"), NEXT, first], blocks)
    return BOM_UTF8 + b"".join(part.encode() for part in parts)


NEXT = "\r\n"  # ends a row
END = f",,{NEXT}"  # of every row but the first


def _line(*cells: str) -> str:
    """The cells of a row, those with a comma in quotes."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="").writerow(cells)
    return file.getvalue()


def _blocks(scene: Scene, frame: int | None) -> Iterator[str]:
    """The rows of one layer after the other, frame by frame."""
    frames = count_frames(scene.panels, scene.clock)
    shown = range(frames) if frame is None else [frame_of(scene, frame)]
    clock = as_array(scene.clock.values).reshape(-1) if scene.clock else np.arange(frames)
    for panel in scene.panels:
        for layer in (checked(layer, panel, frames) for layer in panel.layers):
            name = [harmless(panel.title), harmless(_name(layer))]
            for k in shown if moves(layer) else shown[:1]:
                when = [str(k), _number(clock[k])] if moves(layer) or frame is not None else ["", ""]
                yield _block(_line(*when, *name), _values(layer, k))


def _name(layer: Layer) -> str:
    labels = [label for label in several(layer.label) if label]
    return ", ".join(labels) or type(layer).__name__.lower()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t" and text else text


def _number(value: float) -> str:
    return f"{value:.7g}" if np.isfinite(value) else ""


def _block(begins: str, values: dict[str, np.ndarray | None]) -> str:
    """A row for each item of a layer at a frame. All rows are written by one operation."""
    given = {name: np.ravel(column) for name, column in values.items() if column is not None}
    n = len(given["x"])
    given.setdefault("item", np.arange(n))
    names = COLUMNS[COLUMNS.index("item") :]
    row = ",".join([begins.replace("%", "%%"), *(_format(given.get(name)) for name in names)]) + END
    cells = np.stack([given[name] for name in names if name in given], axis=1, dtype=np.float64)
    block = row * n % tuple(cells.ravel().tolist())
    return block if np.isfinite(cells).all() else NOT_THERE.sub("", block)


NOT_THERE = re.compile(r"(?<=,)(nan|-?inf)(?=,)")


def _format(column: np.ndarray | None) -> str:
    """How a column is written: numbers that are whole by kind in full."""
    return "" if column is None else "%.7g" if column.dtype.kind == "f" else "%d"


@singledispatch
def _values(layer: Layer, k: int) -> dict[str, np.ndarray | None]:
    """The values of a checked layer at frame k by column."""
    raise NotImplementedError(type(layer))


@_values.register
def _(layer: Points, k: int) -> dict[str, np.ndarray | None]:
    x, y = at_frame(layer.xy, k).T
    value = None if layer.value is None else at_frame(layer.value, k)
    group = None if layer.group is None else as_array(layer.group, np.int64)
    return {"x": x, "y": y, "value": value, "group": group}


@_values.register
def _(layer: Arrows, k: int) -> dict[str, np.ndarray | None]:
    (x, y), (u, v) = at_frame(layer.at, k).T, at_frame(layer.by, k).T
    return {"x": x, "y": y, "u": u, "v": v}


@_values.register
def _(layer: Path, k: int) -> dict[str, np.ndarray | None]:
    x, y = layer.xy[min(k, len(layer.xy) - 1)].T
    return {"x": x, "y": y}


@_values.register
def _(layer: Line, k: int) -> dict[str, np.ndarray | None]:
    return {"x": at_frame(layer.x, k), "y": at_frame(layer.y, k)}


@_values.register
def _(layer: Heat, k: int) -> dict[str, np.ndarray | None]:
    values, (x0, x1, y0, y1) = at_frame(layer.values, k), layer.extent
    h, w = values.shape
    x, y = np.meshgrid(x0 + (np.arange(w) + 0.5) / w * (x1 - x0), y0 + (np.arange(h) + 0.5) / h * (y1 - y0))
    return {"x": x, "y": y, "value": values}


@_values.register
def _(layer: Images, k: int) -> dict[str, np.ndarray | None]:
    pixels = at_frame(layer.pixels, k)
    item, y, x = np.indices(pixels.shape[:3])
    group = None if layer.group is None else np.asarray(layer.group)[item]
    if pixels.ndim == 3:
        return {"item": item.ravel(), "x": x, "y": y, "group": group, "value": pixels}
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return {"item": item.ravel(), "x": x, "y": y, "group": group, "red": red, "green": green, "blue": blue}


@_values.register
def _(layer: Matrix, k: int) -> dict[str, np.ndarray | None]:
    values = at_frame(layer.values, k)
    row, column = np.indices(values.shape)
    return {"x": column, "y": row, "value": values}
