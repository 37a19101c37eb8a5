"""Thousands of points to zoom into, each with its name, as a Plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.figures import palette

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points xy [n, 2] in the colour of ``role`` and with Plotly's marker ``symbol``, named by ``texts`` [n] beside the
    pointer and by ``label`` in the legend."""

    xy: np.ndarray
    role: str
    symbol: str
    label: str
    texts: Sequence[str]


def scatter(clouds: Sequence[Cloud], theme: str, xlabel: str, ylabel: str, height: int = 490) -> Figure:
    """The clouds over axes of one scale; dragging pans, the wheel zooms, the legend hides and shows a cloud."""
    from plotly.graph_objects import Figure, Scattergl

    ink, grey = palette.INK[theme], palette.colour("grid", theme)
    figure = Figure(
        layout={
            "height": height,
            "margin": {"l": 56, "r": 8, "t": 8, "b": 48},
            "font": {"size": 14, "color": ink},
            "paper_bgcolor": palette.BACKGROUND[theme],
            "plot_bgcolor": palette.BACKGROUND[theme],
            "dragmode": "pan",
            "hoverlabel": {"bgcolor": palette.BACKGROUND[theme], "font": {"color": ink}},
            "legend": {"itemsizing": "constant", "y": 0.5},
        }
    )
    for cloud in clouds:
        x, y = np.asarray(cloud.xy, np.float32).T
        colour = palette.colour(cloud.role, theme)
        marker = {"symbol": cloud.symbol, "size": 7, "color": colour, "opacity": 0.75, "line": {"color": colour}}
        figure.add_trace(
            Scattergl(x=x, y=y, name=cloud.label, text=list(cloud.texts), mode="markers", marker=marker,
                      hovertemplate="%{text}")
        )  # fmt: skip
    axis = {"gridcolor": grey + "33", "linecolor": grey, "zeroline": False, "automargin": True}
    for update, label in ((figure.update_xaxes, xlabel), (figure.update_yaxes, ylabel)):
        update(axis, title={"text": label, "font": {"size": 14}})
    return figure
