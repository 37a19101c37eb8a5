"""Figures for slides, made with Matplotlib, as the bytes of an SVG, PDF or PNG file.

Only Matplotlib's object-oriented interface is used: ``pyplot`` has global state, and many visitors share the process.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.figures import fonts, palette
from core.problems import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}
WIDTH = 13.333  # inches: a 16:9 slide
DPI = 200


@dataclass(frozen=True, eq=False)
class FieldPanel:
    """One field on its square: a title, arrows [g, 2] drawn from the places of the figure, and their colour."""

    title: str
    arrows: np.ndarray
    role: str


def fields(
    heading: str,
    panels: Sequence[FieldPanel],
    places: np.ndarray,
    points: np.ndarray,
    reach: float,
    density: np.ndarray | None = None,
    theme: str = "light",
) -> Figure:
    """Vector fields side by side over [-reach, reach]^2, as wide as a slide.

    places [g, 2] where the arrows start, points [n, 2] the data, density [h, w] (row 0 at the bottom) under the arrows.
    """
    from matplotlib.figure import Figure

    ink = palette.INK[theme]
    figure = Figure((WIDTH, WIDTH / len(panels) + 0.75), layout="constrained", facecolor=palette.BACKGROUND[theme])
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    figure.suptitle(heading, fontsize=20, color=ink, family=fonts.families())
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", facecolor=palette.BACKGROUND[theme])
        axes.set_title(panel.title, fontsize=18, color=ink, family=fonts.families())
        axes.tick_params(labelsize=12, colors=ink)
        axes.spines[:].set_color(palette.colour("grid", theme))
        if density is not None:
            square = (-reach, reach, -reach, reach)
            axes.imshow(density, extent=square, origin="lower", cmap=_ramp(theme), alpha=0.55, interpolation="bilinear")
        axes.scatter(*points.T, s=14, color=palette.colour("data", theme), linewidths=0, zorder=2)
        axes.quiver(
            *places.T, *panel.arrows.T, color=palette.colour(panel.role, theme),
            angles="xy", scale_units="xy", scale=1, width=0.0035, headwidth=4, minlength=0.5, zorder=3,
        )  # fmt: skip
    return figure


def to_file(figure: Figure, kind: str, title: str, link: str) -> bytes:
    """The figure as a file of ``kind`` "svg", "pdf" or "png", with title and permalink in its metadata.

    Raises Problem for another kind.
    """
    if kind not in FORMATS:
        raise Problem("figure_format", kind=kind, known=", ".join(FORMATS))
    where = {
        "svg": {"Title": title, "Source": link, "Date": None},
        "pdf": {"Title": title, "Subject": link, "CreationDate": None},
        "png": {"Title": title, "Source": link},
    }
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=DPI, metadata=where[kind])
    return file.getvalue()


def _ramp(theme: str):
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(f"density-{theme}", palette.SEQUENTIAL[theme])
