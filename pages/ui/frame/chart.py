"""A Plotly chart whose type and height follow the window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.figures import palette
from pages.ui.frame.drawing import theme

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_fit = st.components.v2.component("chart", js=(Path(__file__).parent / "chart.js").read_text("utf-8"))


def draw_chart(figure: Figure, key: str, **config: Any) -> None:
    """Draw ``figure``, whose height is that in a window of 800 pixels, with Plotly's own settings ``config``. It has no
    button that saves a picture: the export menu does that."""
    shown = {"displaylogo": False, "modeBarButtonsToRemove": ["toImage"], **config}
    with st.container(gap=None):
        st.plotly_chart(figure, theme=None, key=key, config=shown)
        # A list: in a dictionary Streamlit would look for data frames, and import pandas for it.
        _fit(key=f"{key}-fit", data=[key, figure.layout.height, light_colours() if theme() == "dark" else []])


def light_colours() -> list[list[str]]:
    """Each colour of the dark theme and that of the light one for the same use, in lower case."""
    pairs = {palette.colour(role, "dark"): palette.colour(role, "light") for role in palette.ROLES}
    pairs |= {each["dark"]: each["light"] for each in (palette.INK, palette.BACKGROUND)}
    grid = palette.colour("grid", "dark"), palette.colour("grid", "light")
    return [[dark.lower(), light.lower()] for dark, light in {**pairs, grid[0] + "33": grid[1] + "33"}.items()]
