"""What a stage shows, as arrays: layers on panels on one clock, and how they are packed into bytes for the browser."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from core.figures.palette import ROLES
from pages.ui.stage.wire import Wire, quantise, quantise_steps, quantise_values

SHAPES = ("dot", "ring", "cross", "triangle", "square")


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

    def pack(self, wire: Wire, panel: "Panel", frames: int) -> dict:
        xy = panel.place(_frames(_array(self.xy), 3, frames, panel, "Points.xy"))
        if xy.shape[-1] != 2:
            raise panel.error(f"Points.xy must end in 2 coordinates, and has shape {xy.shape}.")
        colours = (self.colour,) if isinstance(self.colour, str) else tuple(self.colour)
        labels = (self.label,) if isinstance(self.label, str) else tuple(self.label)
        if len(labels) > len(colours):
            raise panel.error(f"Points.label has {len(labels)} texts for {len(colours)} colours.")
        order, ends = _grouped(self.group, xy.shape[1], len(colours), panel)
        packed = {
            "kind": "points",
            "n": xy.shape[1],
            "roles": [_role(colour) for colour in colours],
            "shapes": _each(self.shape, [ROLES[colour].shape for colour in colours]),
            "ends": ends,
            "size": self.size,
            "alpha": self.alpha,
            "label": labels,
        }
        if self.trail:
            packed["trail"] = int(self.trail)
        xy = xy if order is None else xy[:, order]
        arrays = {}
        if self.value is not None:
            value = _frames(_array(self.value), 2, frames, panel, "Points.value")
            if value.shape[1] != xy.shape[1]:
                raise panel.error(f"Points.value has {value.shape[1]} values for {xy.shape[1]} points.")
            arrays["value"], packed["limits"] = quantise_values(value if order is None else value[:, order])
        arrays["xy"], packed["box"] = quantise(xy, *panel.corners())
        return packed | {"arrays": {name: wire.add(array) for name, array in arrays.items()}}


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

    def pack(self, wire: Wire, panel: "Panel", frames: int) -> dict:
        at = _frames(_array(self.at), 3, frames, panel, "Arrows.at")
        by = _frames(_array(self.by), 3, frames, panel, "Arrows.by")
        if at.shape[1:] != by.shape[1:] or at.shape[-1] != 2:
            raise panel.error(
                f"Arrows.at and Arrows.by must both be [.., arrows, 2]; their shapes are {at.shape} and {by.shape}."
            )
        if panel.xlog or panel.ylog:
            by = panel.place(at + by) - panel.place(at)
        positions, box = quantise(panel.place(at), *panel.corners())
        steps, scale = quantise_steps(by)
        return {
            "kind": "arrows",
            "n": at.shape[1],
            "roles": [_role(self.colour)],
            "dash": _dash(self.dash, self.colour),
            "width": self.width,
            "box": box,
            "label": (self.label,),
            "arrays": {"at": wire.add(positions), "by": wire.add(steps), "scale": wire.add(scale)},
        }


@dataclass(frozen=True, eq=False)
class Path:
    """A highlighted particle: ``xy`` is [T, 2], or [T, m, 2] for m of them. Drawn solid up to now, faint beyond."""

    xy: Any
    colour: str = "sample"
    label: str = ""

    moves: ClassVar = ("xy", 0)

    def pack(self, wire: Wire, panel: "Panel", frames: int) -> dict:
        xy = _array(self.xy)
        xy = panel.place(_frames(xy[:, None] if xy.ndim == 2 else xy, 3, frames, panel, "Path.xy"))
        positions, box = quantise(xy, *panel.corners())
        return {
            "kind": "path",
            "n": xy.shape[1],
            "frames": xy.shape[0],
            "roles": [_role(self.colour)],
            "dash": [],
            "box": box,
            "label": (self.label,),
            "arrays": {"xy": wire.add(positions)},
        }


@dataclass(frozen=True, eq=False)
class Heat:
    """A heat map: ``values`` [T or 1, h, w] or [h, w], row 0 at the bottom, over ``extent`` (x0, x1, y0, y1)."""

    values: Any
    extent: tuple[float, float, float, float]
    label: str = ""

    moves: ClassVar = ("values", 3)

    def pack(self, wire: Wire, panel: "Panel", frames: int) -> dict:
        values = _frames(_array(self.values), 3, frames, panel, "Heat.values")
        quantised, limits = quantise_values(values)
        corners = panel.place(np.array([self.extent[0::2], self.extent[1::2]], dtype=np.float64))
        return {
            "kind": "heat",
            "h": values.shape[1],
            "w": values.shape[2],
            "limits": limits,
            "extent": [float(v) for v in corners.ravel()],
            "label": (self.label,),
            "arrays": {"values": wire.add(quantised)},
        }


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

    def pack(self, wire: Wire, panel: "Panel", frames: int) -> dict:
        pixels = _array(self.pixels, None)
        if pixels.dtype != np.uint8:
            raise panel.error(f"Images.pixels must be uint8 (0 to 255), not {pixels.dtype}.")
        if pixels.ndim not in (4, 5) or pixels.shape[4:] not in ((), (3,)):
            raise panel.error(
                f"Images.pixels must be [T or 1, k, h, w] or [T or 1, k, h, w, 3]; its shape is {pixels.shape}."
            )
        pixels = _frames(pixels, pixels.ndim, frames, panel, "Images.pixels")
        count, height, width = pixels.shape[1:4]
        roles = [_role(colour) for colour in ([self.colour] if isinstance(self.colour, str) else self.colour)]
        _grouped(self.group, count, len(roles), panel)
        return {
            "kind": "images",
            "n": count,
            "h": height,
            "w": width,
            "channels": 3 if pixels.ndim == 5 else 1,
            "columns": int(self.columns or max(1, np.ceil(np.sqrt(count)))),
            "names": list(self.names),
            "label": (self.label,) if isinstance(self.label, str) else tuple(self.label),
            "roles": roles,
            "group": list(self.group or []),
            "arrays": {"pixels": wire.add(pixels)},
        }


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

    def pack(self, wire: Wire, panel: "Panel", frames: int) -> dict:
        x = np.atleast_2d(_array(self.x))
        y = _frames(_array(self.y), 2, frames, panel, "Line.y")
        if x.shape[1] != y.shape[1]:
            raise panel.error(f"Line has {x.shape[1]} values of x and {y.shape[1]} of y.")
        x = _frames(x, 2, frames, panel, "Line.x")
        return {
            "kind": "line",
            "n": x.shape[1],
            "roles": [_role(self.colour)],
            "dash": _dash(self.dash, self.colour),
            "width": self.width,
            "label": (self.label,),
            "arrays": {"x": wire.add(_axis(x, panel.xlog)), "y": wire.add(_axis(y, panel.ylog))},
        }


Layer = Points | Arrows | Path | Heat | Images | Line


@dataclass(frozen=True, eq=False)
class Panel:
    """One set of axes with its layers, drawn in their order.

    ``xlim``/``ylim`` None fits them to the curves (`Line`) of the panel. ``marker`` [T] is where the clock stands on
    this panel's x axis. ``caption`` is one text or one per frame. With ``probe`` a click or drag places the probe here.
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
    marker: Any = None
    caption: str | Sequence[str] = ""
    probe: bool = False

    def error(self, sentence: str) -> ValueError:
        """What is wrong, and on which panel."""
        return ValueError(f"Panel {self.title!r}: {sentence}")

    def place(self, xy: np.ndarray) -> np.ndarray:
        """``xy`` [.., 2] in axis units: log10 where the axis is logarithmic."""
        if not (self.xlog or self.ylog):
            return xy
        return np.stack([_axis(xy[..., 0], self.xlog), _axis(xy[..., 1], self.ylog)], axis=-1)

    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower left and upper right corner of the view in axis units; ValueError for limits that span nothing."""
        sides = [self._limits(self.xlim, self.xlog, "x"), self._limits(self.ylim, self.ylog, "y")]
        return np.array([side[0] for side in sides]), np.array([side[1] for side in sides])

    def _limits(self, limits: tuple[float, float] | None, log: bool, axis: str) -> tuple[float, float]:
        if limits is None:
            return _fit([_axis(_array(getattr(layer, axis)), log) for layer in self.layers if isinstance(layer, Line)])
        low, high = _axis(np.asarray(limits, dtype=np.float64), log)
        if not (np.isfinite([low, high]).all() and low < high):
            above = ", both above 0 on a logarithmic axis" if log else ""
            raise self.error(f"{axis}lim {tuple(limits)} must be two finite numbers in ascending order{above}.")
        return float(low), float(high)

    def pack(self, wire: Wire, frames: int) -> dict:
        low, high = self.corners()
        packed = {
            "title": self.title,
            "x": [float(low[0]), float(high[0])],
            "y": [float(low[1]), float(high[1])],
            "layers": [layer.pack(wire, self, frames) for layer in self.layers],
            "caption": self.caption if isinstance(self.caption, str) else _captions(self.caption, frames, self),
        }
        if self.marker is not None:
            marker = _array(self.marker).reshape(-1)
            if len(marker) != frames:
                raise self.error(f"marker has {len(marker)} positions for {frames} frames.")
            packed["arrays"] = {"marker": wire.add(_axis(marker, self.xlog))}
        flags = {name: getattr(self, name) for name in ("equal", "xlabel", "ylabel", "xlog", "ylog", "probe")}
        return packed | {name: value for name, value in flags.items() if value}


@dataclass(frozen=True, eq=False)
class Clock:
    """What the frames are: ``values`` [T] shown as "``label`` = value" with ``digits`` significant digits; the label is
    one text or one per frame. ``start`` is the frame where a fresh stage stands (negative counts from the end)."""

    values: Any
    label: str | Sequence[str] = "σ"
    digits: int = 3
    start: int = 0


def pack(panels: Sequence[Panel], clock: Clock | None = None, **options: Any) -> bytes:
    """The bytes of a stage: header length, JSON header, arrays. Raises ValueError with a sentence for bad input."""
    if not panels:
        raise ValueError("A stage needs at least one panel.")
    frames = _count_frames(panels, clock)
    wire = Wire()
    header = {"T": frames, "panels": [panel.pack(wire, frames) for panel in panels]}
    if clock is not None:
        if not isinstance(clock.label, str) and len(clock.label) != frames:
            raise ValueError(f"The clock has {len(clock.label)} labels for {frames} frames.")
        header |= {"label": clock.label, "digits": clock.digits, "start": int(clock.start) % frames}
        header["arrays"] = {"clock": wire.add(_array(clock.values).reshape(-1))}
    header |= {name: value for name, value in options.items() if value is not None}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + b"".join(wire.parts)


def _array(values: Any, dtype: Any = np.float32) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=dtype)


def _frames(array: np.ndarray, dimensions: int, frames: int, panel: Panel, name: str) -> np.ndarray:
    """``array`` with its frame axis. Raises ValueError unless that has 1 or ``frames`` entries."""
    if array.ndim == dimensions - 1:
        array = array[None]
    if array.ndim != dimensions:
        raise panel.error(f"{name} has {array.ndim} axes; it needs {dimensions - 1} or {dimensions}.")
    if array.shape[0] not in (1, frames):
        raise panel.error(f"{name} has {array.shape[0]} frames and the clock has {frames}; give it 1 or {frames}.")
    return array


def _count_frames(panels: Sequence[Panel], clock: Clock | None) -> int:
    if clock is not None:
        count = _array(clock.values).size
        if not count:
            raise ValueError("The clock has no values; give it one per frame.")
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
        raise panel.error(f"group must name one of {colours} colours (0 to {colours - 1}) for each of {count}.")
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
        raise panel.error(f"{len(captions)} captions for {frames} frames; give one text or {frames}.")
    return [str(caption) for caption in captions]


def _role(role: str) -> str:
    if role not in ROLES:
        raise ValueError(f"There is no colour role {role!r}; there are {', '.join(ROLES)}.")
    return role


def _each(given: str | Sequence[str] | None, default: list[str]) -> list[str]:
    """One shape per group: those given, else ``default``."""
    shapes = default if given is None else [given] * len(default) if isinstance(given, str) else list(given)
    if len(shapes) != len(default) or not set(shapes) <= set(SHAPES):
        raise ValueError(f"Points.shape must be one of {', '.join(SHAPES)}, or one per colour.")
    return shapes


def _dash(given: Sequence[int] | None, role: str) -> list[int]:
    return list(ROLES[_role(role)].dash if given is None else given)
