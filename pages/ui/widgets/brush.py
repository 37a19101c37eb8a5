"""The brush: a canvas on which a learner draws by hand."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.data import drawings
from core.data.drawings import Strokes, rounded
from core.figures.palette import ROLES
from pages.ui.frame import component, controls, kept, text

DRAWING = "drawing "  # how the names begin under which the browser keeps them


def brush(key: str, strokes: Sequence | None = None, *, height: int = 320, label: str = "") -> Strokes:
    """Draw a square canvas of ``height`` CSS pixels and return its strokes, coordinates rounded to 3 digits.

    ``strokes`` is what the canvas shows until the learner draws; a changed ``strokes`` replaces the drawing. ``label``
    names the canvas for screen readers.
    """
    shown, words = component.latest(key, "strokes", rounded(strokes or [])), dict(text.entry("widgets.brush"))
    words["label"] = label or words["label"]
    _canvas(key=key, data={"strokes": shown, "height": height, "words": words}, on_strokes_change=component.nothing)
    return rounded(shown)


def draw_data(key: str, **given: Any) -> None:
    """Draw a canvas for the page's control ``draw``: its text stands in the address, and the browser keeps it for
    another visit, whose address has none. given: more for `brush`."""
    initial, before = controls.initial("draw"), controls.value("draw")
    if before == initial:
        before = _earlier(key) or initial
    # What the address can hold is the drawing: otherwise it would change a little, and be other data, at the next run.
    now = drawings.encode(brush(key, drawings.decode(before or ""), **given))
    controls.put("draw", now or (None if initial is None else now))
    if now != (before or ""):
        kept.put(f"{DRAWING}{key}", now or None)


def _earlier(key: str) -> str | None:
    """The drawing of an earlier visit."""
    found = kept.value(f"{DRAWING}{key}")
    try:
        return found if isinstance(found, str) and drawings.decode(found) else None
    except ValueError:
        return None


_colours = json.dumps([ROLES["data"].light, ROLES["data"].dark])
_code = (pathlib.Path(__file__).parent / "brush.js").read_text("utf-8")
_canvas = st.components.v2.component("brush", js=f"const [LIGHT, DARK] = {_colours};\n{_code}")
