"""What every renderer of a scene needs: its arrays with a frame axis, in axis units, checked."""

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np

from core.figures.palette import ROLES
from core.figures.scene import Arrows, Clock, Heat, Images, Layer, Line, Matrix, Panel, Path, Points
from core.problems import Problem

SHAPES = ("dot", "ring", "cross", "triangle", "square")


def as_array(values: Any, dtype: Any = np.float32) -> np.ndarray:
    """``values``, NumPy's or PyTorch's, as an array of NumPy."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=dtype)


def framed(array: np.ndarray, dimensions: int, frames: int, panel: Panel, name: str) -> np.ndarray:
    """``array`` with its frame axis. Raises Problem unless that has 1 or ``frames`` entries."""
    if array.ndim == dimensions - 1:
        array = array[None]
    if array.ndim != dimensions:
        raise Problem(
            "layer_axes", panel=panel.title, name=name, axes=array.ndim, fewest=dimensions - 1, most=dimensions
        )
    if array.shape[0] not in (1, frames):
        raise Problem("layer_frames", panel=panel.title, name=name, own=array.shape[0], frames=frames)
    return array


def at_frame(array: np.ndarray, k: int) -> np.ndarray:
    """Frame k of an array with a frame axis of one entry, which holds in all frames, or of T."""
    return array[k if len(array) > 1 else 0]


def count_frames(panels: Sequence[Panel], clock: Clock | None) -> int:
    """The number T of frames: that of the clock's values, else the largest of the layers."""
    if clock is not None:
        count = as_array(clock.values).size
        if not count:
            raise Problem("clock_empty")
        if not isinstance(clock.label, str) and len(clock.label) != count:
            raise Problem("clock_labels", labels=len(clock.label), frames=count)
        return count
    counts = [1]
    for layer in (layer for panel in panels for layer in panel.layers):
        name, dimensions = layer.moves
        shape = np.shape(getattr(layer, name))
        counts.append(shape[0] if shape and len(shape) >= dimensions else 1)
    return max(counts)


def grouped(group: Any, count: int, colours: int, panel: Panel) -> tuple[np.ndarray | None, list[int]]:
    """The order that puts equal groups together, and where each group ends; Problem for one without a colour."""
    if group is None:
        return None, [count] * colours
    group = as_array(group, np.int64)
    if group.shape != (count,) or (count and not 0 <= group.min() <= group.max() < colours):
        raise Problem("layer_group", panel=panel.title, colours=colours, last=colours - 1, count=count)
    return np.argsort(group, kind="stable"), np.cumsum(np.bincount(group, minlength=colours)).tolist()


def in_axis_units(values: np.ndarray, log: bool) -> np.ndarray:
    """``values``, or their log10 where the axis is logarithmic: NaN where there is none."""
    if not log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(np.where(values > 0, values, np.nan))


def place(panel: Panel, xy: np.ndarray) -> np.ndarray:
    """``xy`` [.., 2] in axis units: log10 where the axis is logarithmic."""
    if not (panel.xlog or panel.ylog):
        return xy
    return np.stack([in_axis_units(xy[..., 0], panel.xlog), in_axis_units(xy[..., 1], panel.ylog)], axis=-1)


def steps_of(layer: Arrows, panel: Panel) -> np.ndarray:
    """What takes each arrow [T, g, 2] of a checked layer from its start to its end, in axis units."""
    if not (panel.xlog or panel.ylog):
        return layer.by
    return place(panel, layer.at + layer.by) - place(panel, layer.at)


def corners(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Lower left and upper right corner of the view in axis units; Problem for limits that span nothing."""
    sides = [_limits(panel, panel.xlim, panel.xlog, "x"), _limits(panel, panel.ylim, panel.ylog, "y")]
    return np.array([side[0] for side in sides]), np.array([side[1] for side in sides])


def _limits(panel: Panel, limits: tuple[float, float] | None, log: bool, axis: str) -> tuple[float, float]:
    if limits is None:
        curves = [layer for layer in panel.layers if isinstance(layer, Line)]
        return _fit([in_axis_units(as_array(getattr(layer, axis)), log) for layer in curves])
    low, high = in_axis_units(np.asarray(limits, dtype=np.float64), log)
    if not (np.isfinite([low, high]).all() and low < high):
        kind = "positive" if log else "finite"
        raise Problem(f"panel_limits_{kind}", panel=panel.title, axis=axis, limits=tuple(limits))
    return float(low), float(high)


def _fit(curves: Sequence[np.ndarray]) -> tuple[float, float]:
    """Limits around all finite values, with a little air; (0, 1) when there are none."""
    values = np.concatenate([curve.ravel() for curve in curves] or [np.empty(0)])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    air = 0.04 * (high - low) or 0.5
    return low - air, high + air


def captions(panel: Panel, frames: int) -> str | list[str]:
    """The panel's caption, one for all frames or one for each; Problem for another number of them."""
    if isinstance(panel.caption, str):
        return panel.caption
    if len(panel.caption) != frames:
        raise Problem("panel_captions", panel=panel.title, captions=len(panel.caption), frames=frames)
    return [str(caption) for caption in panel.caption]


def marker(panel: Panel, frames: int) -> np.ndarray:
    """Where the clock stands on the panel's x axis, [T] in axis units."""
    positions = as_array(panel.marker).reshape(-1)
    if len(positions) != frames:
        raise Problem("panel_marker", panel=panel.title, positions=len(positions), frames=frames)
    return in_axis_units(positions, panel.xlog)


def role(name: str) -> str:
    """``name``, if the palette has this role; Problem otherwise."""
    if name not in ROLES:
        raise Problem("unknown_role", name=name, known=", ".join(ROLES))
    return name


def shapes(given: str | Sequence[str] | None, default: list[str]) -> list[str]:
    """One shape per group: those given, else ``default``."""
    each = default if given is None else [given] * len(default) if isinstance(given, str) else list(given)
    if len(each) != len(default) or not set(each) <= set(SHAPES):
        raise Problem("points_marks", known=", ".join(SHAPES))
    return each


def dash(given: Sequence[int] | None, name: str) -> list[int]:
    """The lengths of a line's dashes: those given, else those of the role."""
    return list(ROLES[role(name)].dash if given is None else given)


def checked_panel(panel: Panel, frames: int) -> Panel:
    """The panel with all that it shows checked."""
    caption, at = captions(panel, frames), None if panel.marker is None else marker(panel, frames)
    return replace(panel, layers=[checked(layer, panel, frames) for layer in panel.layers], caption=caption, marker=at)


def several(given: Any) -> tuple:
    """One text, or several, as several."""
    return (given,) if isinstance(given, str) else tuple(given)


@singledispatch
def checked(layer: Layer, panel: Panel, frames: int) -> Layer:
    """The layer with NumPy's arrays that have a frame axis of 1 or ``frames``, in data units, and with colours, labels
    and shapes in tuples. Raises Problem for what cannot be drawn."""
    raise Problem("panel_layer", panel=panel.title, kind=type(layer).__name__)


@checked.register
def _(layer: Points, panel: Panel, frames: int) -> Points:
    xy = framed(as_array(layer.xy), 3, frames, panel, "Points.xy")
    if xy.shape[-1] != 2:
        raise Problem("points_shape", panel=panel.title, shape=xy.shape)
    colours, labels = tuple(map(role, several(layer.colour))), several(layer.label)
    if len(labels) > len(colours):
        raise Problem("points_labels", panel=panel.title, labels=len(labels), colours=len(colours))
    grouped(layer.group, xy.shape[1], len(colours), panel)
    value = layer.value
    if value is not None:
        value = framed(as_array(value), 2, frames, panel, "Points.value")
        if value.shape[1] != xy.shape[1]:
            raise Problem("points_values", panel=panel.title, values=value.shape[1], points=xy.shape[1])
    shape = tuple(shapes(layer.shape, [ROLES[colour].shape for colour in colours]))
    return replace(layer, xy=xy, value=value, colour=colours, label=labels, shape=shape)


@checked.register
def _(layer: Arrows, panel: Panel, frames: int) -> Arrows:
    at = framed(as_array(layer.at), 3, frames, panel, "Arrows.at")
    by = framed(as_array(layer.by), 3, frames, panel, "Arrows.by")
    if at.shape[1:] != by.shape[1:] or at.shape[-1] != 2:
        raise Problem("arrows_shapes", panel=panel.title, at=at.shape, by=by.shape)
    return replace(layer, at=at, by=by, colour=role(layer.colour), dash=dash(layer.dash, layer.colour))


@checked.register
def _(layer: Path, panel: Panel, frames: int) -> Path:
    xy = as_array(layer.xy)
    xy = framed(xy[:, None] if xy.ndim == 2 else xy, 3, frames, panel, "Path.xy")
    return replace(layer, xy=xy, colour=role(layer.colour))


@checked.register
def _(layer: Heat, panel: Panel, frames: int) -> Heat:
    return replace(layer, values=framed(as_array(layer.values), 3, frames, panel, "Heat.values"))


@checked.register
def _(layer: Images, panel: Panel, frames: int) -> Images:
    pixels = as_array(layer.pixels, None)
    if pixels.dtype != np.uint8:
        raise Problem("pixels_type", panel=panel.title, dtype=str(pixels.dtype))
    if pixels.ndim not in (4, 5) or pixels.shape[4:] not in ((), (3,)):
        raise Problem("pixels_shape", panel=panel.title, shape=pixels.shape)
    pixels = framed(pixels, pixels.ndim, frames, panel, "Images.pixels")
    count = pixels.shape[1]
    colours = tuple(map(role, several(layer.colour)))
    grouped(layer.group, count, len(colours), panel)
    columns = int(layer.columns or max(1, np.ceil(np.sqrt(count))))
    return replace(layer, pixels=pixels, colour=colours, columns=columns, label=several(layer.label))


@checked.register
def _(layer: Line, panel: Panel, frames: int) -> Line:
    x = np.atleast_2d(as_array(layer.x))
    y = framed(as_array(layer.y), 2, frames, panel, "Line.y")
    if x.shape[1] != y.shape[1]:
        raise Problem("line_lengths", panel=panel.title, x=x.shape[1], y=y.shape[1])
    x = framed(x, 2, frames, panel, "Line.x")
    return replace(layer, x=x, y=y, colour=role(layer.colour), dash=dash(layer.dash, layer.colour))


@checked.register
def _(layer: Matrix, panel: Panel, frames: int) -> Matrix:
    values, pictures = as_array(layer.values), as_array(layer.pictures, None)
    n = len(layer.names)
    if values.ndim == 2:
        values = values[None]
    if values.shape not in ((1, n, n), (frames, n, n)) or pictures.shape[:1] + pictures.shape[3:] != (n, 3):
        raise Problem("matrix_shapes", panel=panel.title, n=n, values=values.shape, pictures=pictures.shape)
    return replace(layer, values=values, pictures=pictures, colour=role(layer.colour))
