"""The stage: one canvas player in the browser for everything that moves, all its panels on one clock.

A page describes panels of layers as arrays and calls `stage`. The arrays are quantised (positions int16, arrows int8,
heat uint8, curves float32) and travel as one block of bytes; playing, scrubbing and zooming then happen in the browser
without another run of the script. Only a moved probe comes back.

The player's code goes over the wire once per session: the engine component defines it, and is large enough for
Streamlit to send only its hash from then on, while the component that carries the data has a stub of a few lines.
"""

import hashlib
import json
import pathlib
import re
import struct
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from core.figures.palette import ROLES, SEQUENTIAL

MISSING = -32768  # int16 that stands for "no such point"; positions use -32767..32767
FAR = 20.0  # positions are kept out to this many widths of the view, and clipped beyond
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

    def pack(self, wire: "Wire", panel: "Panel", frames: int) -> dict:
        xy = panel.place(_frames(_array(self.xy), 3, frames, panel, "Points.xy"))
        if xy.shape[-1] != 2:
            raise ValueError(f"Panel {panel.title!r}: Points.xy must end in 2 coordinates, and has shape {xy.shape}.")
        colours = (self.colour,) if isinstance(self.colour, str) else tuple(self.colour)
        order, ends = _grouped(self.group, xy.shape[1], len(colours), panel)
        labels = (self.label,) if isinstance(self.label, str) else tuple(self.label)
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
                raise ValueError(
                    f"Panel {panel.title!r}: Points.value has {value.shape[1]} values for {xy.shape[1]} points."
                )
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

    def pack(self, wire: "Wire", panel: "Panel", frames: int) -> dict:
        at = _frames(_array(self.at), 3, frames, panel, "Arrows.at")
        by = _frames(_array(self.by), 3, frames, panel, "Arrows.by")
        if at.shape[1:] != by.shape[1:] or at.shape[-1] != 2:
            raise ValueError(
                f"Panel {panel.title!r}: Arrows.at and Arrows.by must both be [.., arrows, 2]; "
                f"their shapes are {at.shape} and {by.shape}."
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

    def pack(self, wire: "Wire", panel: "Panel", frames: int) -> dict:
        xy = _array(self.xy)
        xy = panel.place(_frames(xy[:, None] if xy.ndim == 2 else xy, 3, frames, panel, "Path.xy"))
        positions, box = quantise(xy, *panel.corners())
        return {
            "kind": "path",
            "n": xy.shape[1],
            "frames": xy.shape[0],
            "roles": [_role(self.colour)],
            "dash": ROLES[self.colour].dash,
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

    def pack(self, wire: "Wire", panel: "Panel", frames: int) -> dict:
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
    """Small images in a grid that fills the panel: ``pixels`` uint8 [T or 1, k, h, w] (grey) or [T or 1, k, h, w, 3]."""

    pixels: Any
    columns: int | None = None
    label: str = ""
    names: Sequence[str] = ()

    def pack(self, wire: "Wire", panel: "Panel", frames: int) -> dict:
        pixels = _array(self.pixels, None)
        if pixels.dtype != np.uint8:
            raise ValueError(f"Panel {panel.title!r}: Images.pixels must be uint8 (0 to 255), not {pixels.dtype}.")
        if pixels.ndim not in (4, 5) or pixels.shape[4:] not in ((), (3,)):
            raise ValueError(
                f"Panel {panel.title!r}: Images.pixels must be [T or 1, k, h, w] or [T or 1, k, h, w, 3]; "
                f"its shape is {pixels.shape}."
            )
        pixels = _frames(pixels, pixels.ndim, frames, panel, "Images.pixels")
        count, height, width = pixels.shape[1:4]
        return {
            "kind": "images",
            "n": count,
            "h": height,
            "w": width,
            "channels": 3 if pixels.ndim == 5 else 1,
            "columns": int(self.columns or max(1, np.ceil(np.sqrt(count)))),
            "names": list(self.names),
            "label": (self.label,),
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

    def pack(self, wire: "Wire", panel: "Panel", frames: int) -> dict:
        x = np.atleast_2d(_array(self.x))
        y = _frames(_array(self.y), 2, frames, panel, "Line.y")
        if x.shape[1] != y.shape[1]:
            raise ValueError(f"Panel {panel.title!r}: Line has {x.shape[1]} values of x and {y.shape[1]} of y.")
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

    def place(self, xy: np.ndarray) -> np.ndarray:
        """``xy`` [.., 2] in axis units: log10 where the axis is logarithmic."""
        if not (self.xlog or self.ylog):
            return xy
        return np.stack([_axis(xy[..., 0], self.xlog), _axis(xy[..., 1], self.ylog)], axis=-1)

    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower left and upper right corner of the view in axis units. Raises ValueError for limits that span nothing."""
        sides = [self._limits(self.xlim, self.xlog, "x"), self._limits(self.ylim, self.ylog, "y")]
        return np.array([side[0] for side in sides]), np.array([side[1] for side in sides])

    def _limits(self, limits: tuple[float, float] | None, log: bool, axis: str) -> tuple[float, float]:
        if limits is None:
            return _fit([_axis(_array(getattr(layer, axis)), log) for layer in self.layers if isinstance(layer, Line)])
        low, high = _axis(np.asarray(limits, dtype=np.float64), log)
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(f"Panel {self.title!r}: {axis}lim {tuple(limits)} must be two finite numbers in ascending "
                             f"order{', both above 0 on a logarithmic axis' if log else ''}.")
        return float(low), float(high)

    def pack(self, wire: "Wire", frames: int) -> dict:
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
                raise ValueError(f"Panel {self.title!r}: marker has {len(marker)} positions for {frames} frames.")
            packed["arrays"] = {"marker": wire.add(_axis(marker, self.xlog))}
        flags = {name: getattr(self, name) for name in ("equal", "xlabel", "ylabel", "xlog", "ylog", "probe")}
        return packed | {name: value for name, value in flags.items() if value}


@dataclass(frozen=True, eq=False)
class Clock:
    """What the frames are: ``values`` [T] shown as "``label`` = value" with ``digits`` significant digits.
    ``start`` is the frame where a fresh stage stands (negative counts from the end)."""

    values: Any
    label: str = "σ"
    digits: int = 3
    start: int = 0


class Wire:
    """Arrays on their way to the browser: aligned to 4 bytes, each referred to as [type, offset, length]."""

    TYPES = {"int8": "i1", "uint8": "u1", "int16": "i2", "float32": "f4"}

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, array: np.ndarray) -> list:
        """Append ``array`` and return its reference."""
        raw = np.ascontiguousarray(array).tobytes()
        reference = [self.TYPES[array.dtype.name], self.size, array.size]
        self.parts += [raw, bytes(-len(raw) % 4)]
        self.size += len(raw) + -len(raw) % 4
        return reference


def pack(panels: Sequence[Panel], clock: Clock | None = None, **options: Any) -> bytes:
    """The bytes of a stage: length of the header, JSON header, arrays. Raises ValueError with a sentence on bad input."""
    if not panels:
        raise ValueError("A stage needs at least one panel.")
    frames = _count_frames(panels, clock)
    wire = Wire()
    header = {"T": frames, "panels": [panel.pack(wire, frames) for panel in panels]}
    if clock is not None:
        header |= {"label": clock.label, "digits": clock.digits, "start": int(clock.start) % frames}
        header["arrays"] = {"clock": wire.add(_array(clock.values).reshape(-1))}
    text = json.dumps(header | {name: value for name, value in options.items() if value is not None},
                      separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + b"".join(wire.parts)


def stage(
    panels: Sequence[Panel],
    clock: Clock | None = None,
    *,
    key: str,
    alt: str,
    height: int | None = None,
    probe: tuple[float, float] | None = None,
    fps: float = 20,
    loop: bool = False,
    autoplay: bool = False,
    permalink: bool = False,
    restart: Hashable = None,
) -> tuple[float, float] | None:
    """Draw ``panels`` on one clock and return the newest probe in data coordinates (None while there is none).

    ``alt`` describes the picture for those who cannot see it. ``height`` fixes the height of a row of panels in CSS
    pixels (default: about half the window). ``probe`` is where the probe stands until the learner moves it; a changed
    ``probe`` moves it. ``permalink`` keeps the clock in the URL (at most one stage of a page). A changed ``restart``
    puts the clock back to its start; other updates keep clock, zoom and probe.
    """
    place = latest(key, "probe", None if probe is None else [round(float(v), 4) for v in probe])
    data = pack(
        panels, clock, key=key, alt=alt, height=height, probe=place, fps=fps,
        loop=loop or None, autoplay=autoplay or None, permalink=permalink or None,
        restart=None if restart is None else str(restart),
    )  # fmt: skip
    with st.container(gap=None):
        _player(key=key, data=data, on_probe_change=nothing)
        _engine(key=f"{key}-engine")
    return None if place is None else (float(place[0]), float(place[1]))


def newest_probe(key: str, default: tuple[float, float] | None = None) -> tuple[float, float] | None:
    """Where the learner put the probe of stage ``key``, known before the stage is drawn in this run; else ``default``."""
    sent = (st.session_state.get(key) or {}).get("probe")
    return (float(sent[0]), float(sent[1])) if sent else default


def quantise(xy: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """int16 positions and a box (x, y, dx, dy) such that ``xy = (x, y) + (dx, dy) * positions``, to half a step.

    The step is 1/65534 of what is covered: the points themselves, or `FAR` views around [low, high] if that is less.
    Points that are not finite become `MISSING`.
    """
    finite = np.isfinite(xy).all(-1)
    whole = bool(finite.all())
    kept = xy.reshape(-1, 2) if whole else xy[finite]
    reach = FAR * (high - low)
    if kept.size:
        low, high = np.clip([kept.min(0), kept.max(0)], low - reach, high + reach)
    centre, step = (low + high) / 2, np.maximum(high - low, 1e-12) / 65534
    scaled = (xy - centre.astype(np.float32)) / step.astype(np.float32)
    if not whole:
        scaled = np.where(finite[..., None], scaled, 0)
    positions = np.rint(np.clip(scaled, -32767, 32767, out=scaled), out=scaled).astype("<i2")
    positions[~finite] = MISSING
    return positions, [float(v) for v in (*centre, *step)]


def quantise_steps(by: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 arrows [T, g, 2] and the scale float32 [T] of each frame; -128 marks an arrow that is not finite."""
    finite = np.isfinite(by).all(-1)
    by = np.where(finite[..., None], by, 0)
    scale = np.maximum(np.abs(by).max(axis=(1, 2), initial=0), 1e-12) / 127
    steps = np.rint(by / scale[:, None, None]).astype("i1")
    steps[~finite] = -128
    return steps, scale.astype("<f4")


def quantise_values(values: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """uint8 values and limits (low, high): ``low + (high - low) * (q - 1) / 254``; 0 marks one that is not finite."""
    finite = np.isfinite(values)
    kept = values[finite]
    low, high = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 1.0)
    span = max(high - low, 1e-12)
    scaled = np.where(finite, (values - low) * (254 / span) + 1, 0)
    return np.rint(scaled).astype("u1"), [low, high]


def _array(values: Any, dtype: Any = np.float32) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=dtype)


def _frames(array: np.ndarray, dimensions: int, frames: int, panel: Panel, name: str) -> np.ndarray:
    """``array`` with its frame axis. Raises ValueError unless that has 1 or ``frames`` entries."""
    if array.ndim == dimensions - 1:
        array = array[None]
    if array.ndim != dimensions:
        raise ValueError(f"Panel {panel.title!r}: {name} has {array.ndim} axes; it needs {dimensions - 1} or {dimensions}.")
    if array.shape[0] not in (1, frames):
        raise ValueError(
            f"Panel {panel.title!r}: {name} has {array.shape[0]} frames and the clock has {frames}; give it 1 or {frames}."
        )
    return array


def _count_frames(panels: Sequence[Panel], clock: Clock | None) -> int:
    if clock is not None:
        count = _array(clock.values).size
        if not count:
            raise ValueError("The clock has no values; give it one per frame.")
        return count
    moving = {"Points": ("xy", 3), "Arrows": ("by", 3), "Path": ("xy", 0), "Heat": ("values", 3), "Images": ("pixels", 4)}
    counts = [1]
    for layer in (layer for panel in panels for layer in panel.layers):
        name, dimensions = moving.get(type(layer).__name__, ("y", 2))
        shape = np.shape(getattr(layer, name))
        counts.append(shape[0] if len(shape) >= dimensions and shape else 1)
    return max(counts)


def _grouped(group: Any, count: int, colours: int, panel: Panel) -> tuple[np.ndarray | None, list[int]]:
    """The order that puts equal groups together and where each group ends; raises ValueError for a group with no colour."""
    if group is None:
        return None, [count] * colours
    group = _array(group, np.int64)
    if group.shape != (count,) or (count and not 0 <= group.min() <= group.max() < colours):
        raise ValueError(
            f"Panel {panel.title!r}: Points.group must name one of {colours} colours (0 to {colours - 1}) for each of "
            f"{count} points."
        )
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
        raise ValueError(f"Panel {panel.title!r}: {len(captions)} captions for {frames} frames; give one text or {frames}.")
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


def latest(key: str, name: str, asked: Any) -> Any:
    """Of what the page asks for and what the learner last sent under ``name`` from component ``key``, the newer one."""
    sent = (st.session_state.get(key) or {}).get(name)
    memory = f"{key}-{name}"
    before_asked, before_sent, newest = st.session_state.get(memory, (None, None, None))
    if sent is None or (asked != before_asked and sent == before_sent):
        newest = asked
    elif sent != before_sent:
        newest = sent
    st.session_state[memory] = (asked, sent, newest)
    return newest


def nothing() -> None:
    """Streamlit keeps a component's state only under names that have a callback."""


def _source() -> str:
    """The player's JavaScript: palette, style and code in one module, without indentation and comment lines."""
    here = pathlib.Path(__file__).parent
    roles = {name: [role.light, role.dark, role.shape, role.dash] for name, role in ROLES.items()}
    constants = {"ROLES": roles, "RAMPS": SEQUENTIAL, "CSS": (here / "stage.css").read_text("utf-8")}
    given = [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    text = "\n".join([*given, *((here / name).read_text("utf-8") for name in ("paint.js", "readout.js", "stage.js"))])
    return re.sub(r"^\s*(//.*)?\n?", "", text, flags=re.MULTILINE)


# The stub waits for the engine of the same version; whichever of the two arrives first makes the promise.
_promise = "((globalThis.__stageEngines ??= {{}}).{0} ??= Promise.withResolvers())"
_code = _source()
_promise = _promise.format("v" + hashlib.sha256(_code.encode()).hexdigest()[:12])
_engine = st.components.v2.component(
    "stage_engine", js=f"{_code}\n{_promise}.resolve(show);\nexport default () => {{}};\n"
)
_player = st.components.v2.component(
    "stage_player", js=f"const engine = {_promise};\nexport default async given => (await engine.promise)(given);\n"
)
