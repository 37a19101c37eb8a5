"""The pixel brush: a small grid on which a learner paints with the colours of people."""

import json
import pathlib

import streamlit as st

from core.data import paintings
from core.data.drawings import DIGITS
from core.data.paintings import PAINTS
from pages.ui.frame import component, controls, kept, text

PAINTING = "painting "  # how the names begin under which the browser keeps them


def pixel_brush(key: str, pixels: str, *, size: int = 256) -> str:
    """Draw a grid of ``size`` CSS pixels a side and return its pixels (see ``core.data.paintings``).

    ``pixels`` is what the grid shows until the learner paints; changed ``pixels`` replace the painting.
    """
    shown, words = component.latest(key, "pixels", pixels), dict(text.entry("widgets.pixel_brush"))
    words["names"] = [text.label("paints", name) for name in PAINTS]
    _grid(key=key, data={"pixels": shown, "size": size, "words": words}, on_pixels_change=component.nothing)
    return shown


def draw_painting(key: str, *, size: int) -> None:
    """Draw a grid for the page's control ``paint``: its text stands in the address, and the browser keeps it for
    another visit, whose address has none."""
    before = controls.value("paint") or _earlier(key) or ""
    now = paintings.encode(pixel_brush(key, paintings.decode(before), size=size))
    controls.put("paint", now or None)
    if now != before:
        kept.put(f"{PAINTING}{key}", now or None)


def _earlier(key: str) -> str | None:
    """The painting of an earlier visit."""
    found = kept.value(f"{PAINTING}{key}")
    try:
        return found if isinstance(found, str) and paintings.decode(found) else None
    except ValueError:
        return None


_constants = json.dumps([[f"#{colour}" for colour in PAINTS.values()], DIGITS])
_code = (pathlib.Path(__file__).parent / "pixel_brush.js").read_text("utf-8")
_grid = st.components.v2.component("pixel_brush", js=f"const [PAINTS, DIGITS] = {_constants};\n{_code}")
