"""The samples of a race after each time, a row for each racer: a picture for the README."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from core.data.points import PointSet
from core.figures.palette import BACKGROUND, INK, colour

if TYPE_CHECKING:
    from tests.bench.race import Look

WIDTH = 13.333  # inches: a slide
REACH, THEME, DOTS_PER_INCH = 1.35, "light", 110


def portrait(points: PointSet, runs: "Mapping[str, Sequence[Look]]", times: Sequence[float], file: Path) -> None:
    """Write a PNG: samples after each of ``times`` over the curve that they should lie on, and the share that does not.

    The times are seconds of training at which there was a look at every run.
    """
    size = WIDTH, WIDTH * len(runs) / len(times) + 1
    figure = Figure(size, dpi=DOTS_PER_INCH, layout="constrained", facecolor=BACKGROUND[THEME])
    rows = figure.subplots(len(runs), len(times), squeeze=False)
    for row, (name, looks) in zip(rows, runs.items(), strict=True):
        row[0].set_ylabel(name, fontsize=14, color=INK[THEME])
        for axes, look in zip(row, [look for look in looks if look.seconds in times], strict=True):
            axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[], yticks=[])
            axes.spines[:].set_color(colour("grid", THEME))
            axes.plot(*points.curve.T, color=colour("data", THEME), linewidth=0.6, alpha=0.5)
            axes.scatter(*look.cloud.T, s=1.5, color=colour("sample", THEME), linewidths=0)
            axes.set_xlabel(f"{look.off:.0f} % off", fontsize=11, color=INK[THEME])
    for axes, seconds in zip(rows[0], times):
        axes.set_title(f"{seconds:g} s", fontsize=14, color=INK[THEME])
    figure.savefig(file)
