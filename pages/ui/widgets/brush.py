"""The brush: a canvas on which a learner draws by hand."""

import json
import pathlib
from collections.abc import Sequence

import streamlit as st

from core.data.drawings import Strokes, rounded
from core.figures.palette import ROLES
from pages.ui.frame import component, text


def brush(key: str, strokes: Sequence | None = None, *, height: int = 320, label: str = "") -> Strokes:
    """Draw a square canvas of ``height`` CSS pixels and return its strokes, coordinates rounded to 3 digits.

    ``strokes`` is what the canvas shows until the learner draws; a changed ``strokes`` replaces the drawing. ``label``
    names the canvas for screen readers.
    """
    shown, words = component.latest(key, "strokes", rounded(strokes or [])), dict(text.entry("widgets.brush"))
    words["label"] = label or words["label"]
    _canvas(key=key, data={"strokes": shown, "height": height, "words": words}, on_strokes_change=component.nothing)
    return rounded(shown)


_colours = json.dumps([ROLES["data"].light, ROLES["data"].dark])
_code = (pathlib.Path(__file__).parent / "brush.js").read_text("utf-8")
_canvas = st.components.v2.component("brush", js=f"const [LIGHT, DARK] = {_colours};\n{_code}")
