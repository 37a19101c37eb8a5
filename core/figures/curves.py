"""Curves to zoom into and read values from: as a Plotly figure for a page, and as a panel of a scene for a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.figures import palette
from core.figures.scene import Line, Panel, Points

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SYMBOLS = {"dot": "circle", "ring": "circle-open", "cross": "x", "square": "square", "triangle": "triangle-up"}


@dataclass(frozen=True, eq=False)
class Curve:
    """y over x, both [n]. ``role`` gives colour and dash; ``label`` names it in the legend and beside the pointer.

    With ``marked`` each value also has the role's shape. ``beside`` is the label of a curve that this one accompanies:
    it is drawn thin, and the legend shows and hides both together.
    """

    x: np.ndarray
    y: np.ndarray
    role: str
    label: str
    marked: bool = False
    beside: str = ""


def curves(
    lines: Sequence[Curve],
    theme: str,
    xlabel: str,
    ylabel: str,
    xlog: bool = False,
    ylim: tuple[float, float] | None = None,
    height: int = 420,
    ylog: bool = False,
    xticks: Sequence[float] | None = None,
    xreversed: bool = False,
) -> Figure:
    """Lines over one x axis, their values as float32; ``ylim`` is the part of the y axis to begin with.

    A logarithmic x axis has its ticks at ``xticks``, else one for each decade. With ``xreversed`` the x axis has its
    largest value on the left.
    """
    from plotly.graph_objects import Figure, Scatter

    figure = Figure(layout=_layout(theme, height))
    for line in lines:
        figure.add_trace(
            Scatter(
                x=np.asarray(line.x, np.float32),
                y=np.asarray(line.y, np.float32),
                name=line.label,
                mode="lines+markers" if line.marked else "lines",
                line={
                    "color": palette.colour(line.role, theme),
                    "width": 1.2 if line.beside else 2.5,
                    "dash": _dash(line.role),
                },
                marker={"symbol": SYMBOLS[palette.ROLES[line.role].shape], "size": 9},
                legendgroup=line.beside or line.label,
                showlegend=not line.beside,
                hovertemplate=f"%{{y:.3g}} ({xlabel.split(' ')[0]} = %{{x:.3g}})",
            )
        )
    figure.update_xaxes(_axis(xlabel, xlog, theme), tickvals=xticks, autorange="reversed" if xreversed else None)
    figure.update_yaxes(_axis(ylabel, ylog, theme), range=np.log10(ylim) if ylim and ylog else ylim)
    return figure


def panel(
    lines: Sequence[Curve],
    title: str,
    xlabel: str,
    ylabel: str,
    xlog: bool = False,
    ylim: tuple[float, float] | None = None,
    ylog: bool = False,
    xreversed: bool = False,
) -> Panel:
    """The same curves as a panel of a scene."""
    layers: list[Line | Points] = []
    for line in lines:
        x, y = np.asarray(line.x, np.float32), np.asarray(line.y, np.float32)
        width, label = (1.2, "") if line.beside else (2.5, line.label)
        layers.append(Line(x, y, line.role, label, width=width))
        if line.marked:
            layers.append(Points(np.stack([x, y], axis=-1), line.role, size=4, alpha=1))
    axes = {"xlabel": xlabel, "ylabel": ylabel, "xlog": xlog, "ylog": ylog, "xreversed": xreversed}
    return Panel(title, layers, None, ylim, equal=False, **axes)


def _axis(title: str, log: bool, theme: str) -> dict:
    grey = palette.colour("grid", theme)
    kind = {"type": "log", "dtick": 1, "tickformat": "~g"} if log else {"type": "linear"}
    return {"title": title, "gridcolor": grey + "33", "linecolor": grey, "zeroline": False, "automargin": True, **kind}


def _dash(role: str) -> str:
    return ",".join(f"{length}px" for length in palette.ROLES[role].dash) or "solid"


def _layout(theme: str, height: int) -> dict:
    return {
        "height": height,
        "margin": {"l": 60, "r": 16, "t": 16, "b": 52},
        "font": {"size": 15, "color": palette.INK[theme]},
        "paper_bgcolor": palette.BACKGROUND[theme],
        "plot_bgcolor": palette.BACKGROUND[theme],
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": palette.BACKGROUND[theme], "font": {"color": palette.INK[theme]}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    }
