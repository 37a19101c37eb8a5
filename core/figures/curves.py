"""Curves to zoom into and read values from, as a Plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.figures import palette

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, eq=False)
class Curve:
    """y over x, both [n]. ``role`` gives colour and dash; ``label`` names it in the legend and beside the pointer."""

    x: np.ndarray
    y: np.ndarray
    role: str
    label: str


def curves(
    lines: Sequence[Curve],
    theme: str,
    xlabel: str,
    ylabel: str,
    xlog: bool = False,
    ylog: bool = False,
    ylim: tuple[float, float] | None = None,
    marks: Sequence[tuple[float, float, str]] = (),
    height: int = 420,
) -> Figure:
    """Lines over one x axis; ``marks`` (x, y, text) are annotated in place. Values travel as float32.

    ylim: the part of a linear y axis to begin with (all of it without).
    """
    from plotly.graph_objects import Figure, Scatter

    figure = Figure(layout=_layout(theme, height))
    for line in lines:
        figure.add_trace(
            Scatter(
                x=np.asarray(line.x, np.float32),
                y=np.asarray(line.y, np.float32),
                name=line.label,
                mode="lines",
                line={"color": palette.colour(line.role, theme), "width": 2.5, "dash": _dash(line.role)},
                hovertemplate=f"%{{y:.3g}} at {xlabel.split(' ')[0]} = %{{x:.3g}}",
            )
        )
    grey = palette.colour("grid", theme)
    axis = {"gridcolor": grey + "33", "linecolor": grey, "zeroline": False}
    figure.update_xaxes(title=xlabel, type="log" if xlog else "linear", dtick=1 if xlog else None, **axis)
    figure.update_yaxes(title=ylabel, type="log" if ylog else "linear", range=ylim, **axis)
    for x, y, text in marks:
        place = {"x": np.log10(x) if xlog else x, "y": np.log10(y) if ylog else y}
        figure.add_annotation(text=text, showarrow=True, arrowhead=2, ax=28, ay=-28, **place)
    return figure


def _dash(role: str) -> str:
    return ",".join(f"{length}px" for length in palette.ROLES[role].dash) or "solid"


def _layout(theme: str, height: int) -> dict:
    return {
        "height": height,
        "margin": {"l": 60, "r": 16, "t": 16, "b": 52},
        "font": {"size": 15, "color": palette.INK[theme]},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": palette.BACKGROUND[theme], "font": {"color": palette.INK[theme]}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    }
