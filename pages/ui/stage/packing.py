"""A scene packed into bytes for the browser: a JSON header and the arrays that it refers to."""

import json
import struct
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from core.figures.palette import ROLES
from core.figures.scene import Arrows, Clock, Heat, Images, Layer, Line, Matrix, Panel, Path, Points
from core.problems import Problem
from pages.ui.stage.wire import Wire, quantise, quantise_steps, quantise_values

SHAPES = ("dot", "ring", "cross", "triangle", "square")
BESIDE, ABOVE = 5.0, 1.3  # cells that captions and pictures take along the edges of a matrix


def pack(panels: Sequence[Panel], clock: Clock | None = None, **options: Any) -> bytes:
    """The bytes of a stage: header length, JSON header, arrays. Raises ValueError with a sentence for bad input."""
    if not panels:
        raise Problem("scene_no_panel")
    frames = _count_frames(panels, clock)
    wire = Wire()
    header = {"T": frames, "panels": [_panel(panel, wire, frames) for panel in panels]}
    if clock is not None:
        if not isinstance(clock.label, str) and len(clock.label) != frames:
            raise Problem("clock_labels", labels=len(clock.label), frames=frames)
        header |= {"label": clock.label, "digits": clock.digits, "start": int(clock.start) % frames}
        header["arrays"] = {"clock": wire.add(_array(clock.values).reshape(-1))}
    header |= {name: value for name, value in options.items() if value is not None}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + b"".join(wire.parts)


def place(panel: Panel, xy: np.ndarray) -> np.ndarray:
    """``xy`` [.., 2] in axis units: log10 where the axis is logarithmic."""
    if not (panel.xlog or panel.ylog):
        return xy
    return np.stack([_axis(xy[..., 0], panel.xlog), _axis(xy[..., 1], panel.ylog)], axis=-1)


def corners(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Lower left and upper right corner of the view in axis units; ValueError for limits that span nothing."""
    sides = [_limits(panel, panel.xlim, panel.xlog, "x"), _limits(panel, panel.ylim, panel.ylog, "y")]
    return np.array([side[0] for side in sides]), np.array([side[1] for side in sides])


def _limits(panel: Panel, limits: tuple[float, float] | None, log: bool, axis: str) -> tuple[float, float]:
    if limits is None:
        return _fit([_axis(_array(getattr(layer, axis)), log) for layer in panel.layers if isinstance(layer, Line)])
    low, high = _axis(np.asarray(limits, dtype=np.float64), log)
    if not (np.isfinite([low, high]).all() and low < high):
        kind = "positive" if log else "finite"
        raise Problem(f"panel_limits_{kind}", panel=panel.title, axis=axis, limits=tuple(limits))
    return float(low), float(high)


def _panel(panel: Panel, wire: Wire, frames: int) -> dict:
    low, high = corners(panel)
    packed = {
        "title": panel.title,
        "x": [float(high[0]), float(low[0])] if panel.xreversed else [float(low[0]), float(high[0])],
        "y": [float(low[1]), float(high[1])],
        "layers": [_packed(layer, wire, panel, frames) for layer in panel.layers],
        "caption": panel.caption if isinstance(panel.caption, str) else _captions(panel.caption, frames, panel),
    }
    if panel.marker is not None:
        marker = _array(panel.marker).reshape(-1)
        if len(marker) != frames:
            raise Problem("panel_marker", panel=panel.title, positions=len(marker), frames=frames)
        packed["arrays"] = {"marker": wire.add(_axis(marker, panel.xlog))}
    flags = {name: getattr(panel, name) for name in ("equal", "xlabel", "ylabel", "xlog", "ylog", "probe")}
    return packed | {name: value for name, value in flags.items() if value}


@singledispatch
def _packed(layer: Layer, wire: Wire, panel: Panel, frames: int) -> dict:
    raise Problem("panel_layer", panel=panel.title, kind=type(layer).__name__)


@_packed.register
def _(layer: Points, wire: Wire, panel: Panel, frames: int) -> dict:
    xy = place(panel, _frames(_array(layer.xy), 3, frames, panel, "Points.xy"))
    if xy.shape[-1] != 2:
        raise Problem("points_shape", panel=panel.title, shape=xy.shape)
    colours = (layer.colour,) if isinstance(layer.colour, str) else tuple(layer.colour)
    labels = (layer.label,) if isinstance(layer.label, str) else tuple(layer.label)
    if len(labels) > len(colours):
        raise Problem("points_labels", panel=panel.title, labels=len(labels), colours=len(colours))
    order, ends = _grouped(layer.group, xy.shape[1], len(colours), panel)
    packed = {
        "kind": "points",
        "n": xy.shape[1],
        "roles": [_role(colour) for colour in colours],
        "shapes": _each(layer.shape, [ROLES[colour].shape for colour in colours]),
        "ends": ends,
        "size": layer.size,
        "alpha": layer.alpha,
        "label": labels,
    }
    if layer.trail:
        packed["trail"] = int(layer.trail)
    xy = xy if order is None else xy[:, order]
    arrays = {}
    if layer.value is not None:
        value = _frames(_array(layer.value), 2, frames, panel, "Points.value")
        if value.shape[1] != xy.shape[1]:
            raise Problem("points_values", panel=panel.title, values=value.shape[1], points=xy.shape[1])
        arrays["value"], packed["limits"] = quantise_values(value if order is None else value[:, order])
    arrays["xy"], packed["box"] = quantise(xy, *corners(panel))
    return packed | {"arrays": {name: wire.add(array) for name, array in arrays.items()}}


@_packed.register
def _(layer: Arrows, wire: Wire, panel: Panel, frames: int) -> dict:
    at = _frames(_array(layer.at), 3, frames, panel, "Arrows.at")
    by = _frames(_array(layer.by), 3, frames, panel, "Arrows.by")
    if at.shape[1:] != by.shape[1:] or at.shape[-1] != 2:
        raise Problem("arrows_shapes", panel=panel.title, at=at.shape, by=by.shape)
    if panel.xlog or panel.ylog:
        by = place(panel, at + by) - place(panel, at)
    positions, box = quantise(place(panel, at), *corners(panel))
    steps, scale = quantise_steps(by)
    return {
        "kind": "arrows",
        "n": at.shape[1],
        "roles": [_role(layer.colour)],
        "dash": _dash(layer.dash, layer.colour),
        "width": layer.width,
        "box": box,
        "label": (layer.label,),
        "arrays": {"at": wire.add(positions), "by": wire.add(steps), "scale": wire.add(scale)},
    }


@_packed.register
def _(layer: Path, wire: Wire, panel: Panel, frames: int) -> dict:
    xy = _array(layer.xy)
    xy = place(panel, _frames(xy[:, None] if xy.ndim == 2 else xy, 3, frames, panel, "Path.xy"))
    positions, box = quantise(xy, *corners(panel))
    return {
        "kind": "path",
        "n": xy.shape[1],
        "frames": xy.shape[0],
        "roles": [_role(layer.colour)],
        "dash": [],
        "box": box,
        "label": (layer.label,),
        "arrays": {"xy": wire.add(positions)},
    }


@_packed.register
def _(layer: Heat, wire: Wire, panel: Panel, frames: int) -> dict:
    values = _frames(_array(layer.values), 3, frames, panel, "Heat.values")
    quantised, limits = quantise_values(values)
    corners = place(panel, np.array([layer.extent[0::2], layer.extent[1::2]], dtype=np.float64))
    return {
        "kind": "heat",
        "h": values.shape[1],
        "w": values.shape[2],
        "limits": limits,
        "extent": [float(v) for v in corners.ravel()],
        "label": (layer.label,),
        "arrays": {"values": wire.add(quantised)},
    }


@_packed.register
def _(layer: Images, wire: Wire, panel: Panel, frames: int) -> dict:
    pixels = _array(layer.pixels, None)
    if pixels.dtype != np.uint8:
        raise Problem("pixels_type", panel=panel.title, dtype=str(pixels.dtype))
    if pixels.ndim not in (4, 5) or pixels.shape[4:] not in ((), (3,)):
        raise Problem("pixels_shape", panel=panel.title, shape=pixels.shape)
    pixels = _frames(pixels, pixels.ndim, frames, panel, "Images.pixels")
    count, height, width = pixels.shape[1:4]
    roles = [_role(colour) for colour in ([layer.colour] if isinstance(layer.colour, str) else layer.colour)]
    _grouped(layer.group, count, len(roles), panel)
    return {
        "kind": "images",
        "n": count,
        "h": height,
        "w": width,
        "channels": 3 if pixels.ndim == 5 else 1,
        "columns": int(layer.columns or max(1, np.ceil(np.sqrt(count)))),
        "names": list(layer.names),
        "label": (layer.label,) if isinstance(layer.label, str) else tuple(layer.label),
        "roles": roles,
        "group": list(layer.group or []),
        "arrays": {"pixels": wire.add(pixels)},
    }


@_packed.register
def _(layer: Line, wire: Wire, panel: Panel, frames: int) -> dict:
    x = np.atleast_2d(_array(layer.x))
    y = _frames(_array(layer.y), 2, frames, panel, "Line.y")
    if x.shape[1] != y.shape[1]:
        raise Problem("line_lengths", panel=panel.title, x=x.shape[1], y=y.shape[1])
    x = _frames(x, 2, frames, panel, "Line.x")
    return {
        "kind": "line",
        "n": x.shape[1],
        "roles": [_role(layer.colour)],
        "dash": _dash(layer.dash, layer.colour),
        "width": layer.width,
        "label": (layer.label,),
        "arrays": {"x": wire.add(_axis(x, panel.xlog)), "y": wire.add(_axis(y, panel.ylog))},
    }


@_packed.register
def _(layer: Matrix, wire: Wire, panel: Panel, frames: int) -> dict:
    values, pictures = np.asarray(layer.values, np.float32), np.asarray(layer.pictures)
    n = len(layer.names)
    if values.shape not in ((1, n, n), (frames, n, n)) or pictures.shape[:1] + pictures.shape[3:] != (n, 3):
        raise Problem("matrix_shapes", panel=panel.title, n=n, values=values.shape, pictures=pictures.shape)
    low, high = layer.limits
    levels = np.rint(np.clip((values - low) / (high - low), 0, 1) * 254 + 1).astype("u1")
    return {
        "kind": "matrix",
        "n": 1,
        "columns": 1,
        "size": n,
        "w": n + BESIDE,
        "h": n + ABOVE,
        "tile": [pictures.shape[2], pictures.shape[1]],
        "names": list(layer.names),
        "limits": list(layer.limits),
        "roles": [layer.colour],
        "label": (layer.label,),
        "arrays": {"values": wire.add(levels), "pixels": wire.add(pictures)},
    }


def _array(values: Any, dtype: Any = np.float32) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=dtype)


def _frames(array: np.ndarray, dimensions: int, frames: int, panel: Panel, name: str) -> np.ndarray:
    """``array`` with its frame axis. Raises ValueError unless that has 1 or ``frames`` entries."""
    if array.ndim == dimensions - 1:
        array = array[None]
    if array.ndim != dimensions:
        raise Problem(
            "layer_axes", panel=panel.title, name=name, axes=array.ndim, fewest=dimensions - 1, most=dimensions
        )
    if array.shape[0] not in (1, frames):
        raise Problem("layer_frames", panel=panel.title, name=name, own=array.shape[0], frames=frames)
    return array


def _count_frames(panels: Sequence[Panel], clock: Clock | None) -> int:
    if clock is not None:
        count = _array(clock.values).size
        if not count:
            raise Problem("clock_empty")
        return count
    counts = [1]
    for layer in (layer for panel in panels for layer in panel.layers):
        name, dimensions = layer.moves
        shape = np.shape(getattr(layer, name))
        counts.append(shape[0] if shape and len(shape) >= dimensions else 1)
    return max(counts)


def _grouped(group: Any, count: int, colours: int, panel: Panel) -> tuple[np.ndarray | None, list[int]]:
    """The order that puts equal groups together, and where each group ends; ValueError for one without a colour."""
    if group is None:
        return None, [count] * colours
    group = _array(group, np.int64)
    if group.shape != (count,) or (count and not 0 <= group.min() <= group.max() < colours):
        raise Problem("layer_group", panel=panel.title, colours=colours, last=colours - 1, count=count)
    return np.argsort(group, kind="stable"), np.cumsum(np.bincount(group, minlength=colours)).tolist()


def _axis(values: np.ndarray, log: bool) -> np.ndarray:
    if not log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(np.where(values > 0, values, np.nan))


def _fit(curves: Sequence[np.ndarray]) -> tuple[float, float]:
    """Limits around all finite values, with a little air; (0, 1) when there are none."""
    values = np.concatenate([curve.ravel() for curve in curves] or [np.empty(0)])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    air = 0.04 * (high - low) or 0.5
    return low - air, high + air


def _captions(captions: Sequence[str], frames: int, panel: Panel) -> list[str]:
    if len(captions) != frames:
        raise Problem("panel_captions", panel=panel.title, captions=len(captions), frames=frames)
    return [str(caption) for caption in captions]


def _role(role: str) -> str:
    if role not in ROLES:
        raise Problem("unknown_role", name=role, known=", ".join(ROLES))
    return role


def _each(given: str | Sequence[str] | None, default: list[str]) -> list[str]:
    """One shape per group: those given, else ``default``."""
    shapes = default if given is None else [given] * len(default) if isinstance(given, str) else list(given)
    if len(shapes) != len(default) or not set(shapes) <= set(SHAPES):
        raise Problem("points_marks", known=", ".join(SHAPES))
    return shapes


def _dash(given: Sequence[int] | None, role: str) -> list[int]:
    return list(ROLES[_role(role)].dash if given is None else given)
