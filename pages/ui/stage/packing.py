"""A scene packed into bytes for the browser: a JSON header and the arrays that it refers to."""

import json
import struct
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from core.figures.frames import (
    as_array,
    captions,
    checked,
    corners,
    count_frames,
    grouped,
    in_axis_units,
    marker,
    place,
    steps_of,
)
from core.figures.layout import ABOVE, BESIDE
from core.figures.scene import Arrows, Clock, Heat, Images, Layer, Line, Matrix, Panel, Path, Points, Scene
from core.problems import Problem
from pages.ui.stage.wire import Wire, quantise, quantise_steps, quantise_values


def pack(panels: Sequence[Panel], clock: Clock | None = None, **options: Any) -> bytes:
    """The bytes of a stage: header length, JSON header, arrays. Raises ValueError with a sentence for bad input."""
    return _whole(*_parts(panels, clock), options)


def pack_scene(scene: Scene, **options: Any) -> bytes:
    """The same of a scene. The panels of one that many visitors see are packed once."""
    if scene not in _known:
        _known[scene] = _parts(scene.panels, scene.clock)
    return _whole(*_known[scene], options)


_known: WeakKeyDictionary[Scene, tuple[str, bytes]] = WeakKeyDictionary()


def _parts(panels: Sequence[Panel], clock: Clock | None) -> tuple[str, bytes]:
    """The members of the JSON header that describe panels and clock, and their arrays."""
    if not panels:
        raise Problem("scene_no_panel")
    frames = count_frames(panels, clock)
    wire = Wire()
    header = {"T": frames, "panels": [_panel(panel, wire, frames) for panel in panels]}
    if clock is not None:
        header |= {"label": clock.label, "digits": clock.digits, "start": int(clock.start) % frames}
        header["arrays"] = {"clock": wire.add(as_array(clock.values).reshape(-1))}
    return _members(header), b"".join(wire.parts)


def _members(given: Mapping[str, Any]) -> str:
    return json.dumps(given, separators=(",", ":"), ensure_ascii=False)[1:-1]


def _whole(described: str, arrays: bytes, options: Mapping[str, Any]) -> bytes:
    given = _members({name: value for name, value in options.items() if value is not None})
    text = f"{{{','.join(filter(None, (described, given)))}}}".encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + arrays


def _panel(panel: Panel, wire: Wire, frames: int) -> dict:
    low, high = corners(panel)
    packed = {
        "title": panel.title,
        "x": [float(high[0]), float(low[0])] if panel.xreversed else [float(low[0]), float(high[0])],
        "y": [float(low[1]), float(high[1])],
        "layers": [_packed(checked(layer, panel, frames), wire, panel) for layer in panel.layers],
        "caption": captions(panel, frames),
    }
    if panel.marker is not None:
        packed["arrays"] = {"marker": wire.add(marker(panel, frames))}
    flags = {name: getattr(panel, name) for name in ("equal", "xlabel", "ylabel", "xlog", "ylog", "probe")}
    return packed | {name: value for name, value in flags.items() if value}


@singledispatch
def _packed(layer: Layer, wire: Wire, panel: Panel) -> dict:
    raise NotImplementedError(type(layer))  # `checked` has refused it


@_packed.register
def _(layer: Points, wire: Wire, panel: Panel) -> dict:
    order, ends = grouped(layer.group, layer.xy.shape[1], len(layer.colour), panel)
    packed = {
        "kind": "points",
        "n": layer.xy.shape[1],
        "roles": layer.colour,
        "shapes": layer.shape,
        "ends": ends,
        "size": layer.size,
        "alpha": layer.alpha,
        "label": layer.label,
    }
    if layer.trail:
        packed["trail"] = int(layer.trail)
    xy, value = place(panel, layer.xy), layer.value
    if order is not None:
        xy, value = xy[:, order], None if value is None else value[:, order]
    arrays = {}
    if value is not None:
        arrays["value"], packed["limits"] = quantise_values(value)
    arrays["xy"], packed["box"] = quantise(xy, *corners(panel))
    return packed | {"arrays": {name: wire.add(array) for name, array in arrays.items()}}


@_packed.register
def _(layer: Arrows, wire: Wire, panel: Panel) -> dict:
    positions, box = quantise(place(panel, layer.at), *corners(panel))
    steps, scale = quantise_steps(steps_of(layer, panel))
    return {
        "kind": "arrows",
        "n": layer.at.shape[1],
        "roles": [layer.colour],
        "dash": layer.dash,
        "width": layer.width,
        "box": box,
        "label": (layer.label,),
        "arrays": {"at": wire.add(positions), "by": wire.add(steps), "scale": wire.add(scale)},
    }


@_packed.register
def _(layer: Path, wire: Wire, panel: Panel) -> dict:
    positions, box = quantise(place(panel, layer.xy), *corners(panel))
    return {
        "kind": "path",
        "n": layer.xy.shape[1],
        "frames": layer.xy.shape[0],
        "roles": [layer.colour],
        "dash": [],
        "box": box,
        "label": (layer.label,),
        "arrays": {"xy": wire.add(positions)},
    }


@_packed.register
def _(layer: Heat, wire: Wire, panel: Panel) -> dict:
    quantised, limits = quantise_values(layer.values)
    ends = place(panel, np.array([layer.extent[0::2], layer.extent[1::2]], dtype=np.float64))
    return {
        "kind": "heat",
        "h": layer.values.shape[1],
        "w": layer.values.shape[2],
        "limits": limits,
        "extent": [float(v) for v in ends.ravel()],
        "label": (layer.label,),
        "arrays": {"values": wire.add(quantised)},
    }


@_packed.register
def _(layer: Images, wire: Wire, panel: Panel) -> dict:
    count, height, width = layer.pixels.shape[1:4]
    return {
        "kind": "images",
        "n": count,
        "h": height,
        "w": width,
        "channels": 3 if layer.pixels.ndim == 5 else 1,
        "columns": layer.columns,
        "names": list(layer.names),
        "label": layer.label,
        "roles": layer.colour,
        "group": list(layer.group or []),
        "arrays": {"pixels": wire.add(layer.pixels)},
    }


@_packed.register
def _(layer: Line, wire: Wire, panel: Panel) -> dict:
    x, y = in_axis_units(layer.x, panel.xlog), in_axis_units(layer.y, panel.ylog)
    return {
        "kind": "line",
        "n": x.shape[1],
        "roles": [layer.colour],
        "dash": layer.dash,
        "width": layer.width,
        "label": (layer.label,),
        "arrays": {"x": wire.add(x), "y": wire.add(y)},
    }


@_packed.register
def _(layer: Matrix, wire: Wire, panel: Panel) -> dict:
    n, (low, high) = len(layer.names), layer.limits
    levels = np.rint(np.clip((layer.values - low) / (high - low), 0, 1) * 254 + 1).astype("u1")
    return {
        "kind": "matrix",
        "n": 1,
        "columns": 1,
        "size": n,
        "w": n + BESIDE,
        "h": n + ABOVE,
        "tile": [layer.pictures.shape[2], layer.pictures.shape[1]],
        "names": list(layer.names),
        "limits": list(layer.limits),
        "roles": [layer.colour],
        "label": (layer.label,),
        "arrays": {"values": wire.add(levels), "pixels": wire.add(layer.pictures)},
    }
