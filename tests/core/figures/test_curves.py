"""Plotly curves: compact data, the palette's colours and dashes, and no import before one is drawn."""

import subprocess
import sys

import numpy as np

from core.figures import palette
from core.figures.curves import Curve, curves

LINE = Curve(np.array([0.01, 0.1, 1.0]), np.array([0.9, 0.4, 0.1]), "exact", "error")


def test_values_travel_as_float32():
    trace = curves([LINE], "light", "σ", "error").data[0]
    assert trace.x.dtype == trace.y.dtype == np.float32


def test_a_curve_has_the_colour_and_the_dash_of_its_role_in_each_theme():
    for theme in ("light", "dark"):
        line = curves([LINE], theme, "σ", "error").data[0].line
        assert (line.color, line.dash) == (palette.colour("exact", theme), "6px,4px")


def test_a_logarithmic_axis_has_one_tick_for_each_decade():
    axis = curves([LINE], "light", "σ", "error", xlog=True).layout.xaxis
    assert (axis.type, axis.dtick) == ("log", 1)


def test_a_reversed_axis_has_its_largest_value_on_the_left():
    assert curves([LINE], "light", "σ", "error", xlog=True, xreversed=True).layout.xaxis.autorange == "reversed"


def test_a_marked_curve_has_the_shape_of_its_role_and_an_accompanying_one_no_entry_of_its_own():
    x, y = LINE.x, LINE.y
    shown = [Curve(x, y, "sample", "DDPM", marked=True), Curve(x, y, "sample", "DDPM, exact", beside="DDPM")]
    main, thin = curves(shown, "light", "calls", "error").data
    assert (main.mode, main.marker.symbol, main.showlegend) == ("lines+markers", "circle-open", True)
    assert (thin.mode, thin.showlegend, thin.legendgroup) == ("lines", False, main.legendgroup)
    assert thin.line.width < main.line.width


def test_limits_of_a_logarithmic_axis_are_given_in_its_own_units():
    layout = curves([LINE], "light", "calls", "error", xlog=True, ylog=True, ylim=(0.01, 1), xticks=(4, 8)).layout
    assert layout.yaxis.type == "log" and tuple(layout.yaxis.range) == (-2, 0)
    assert tuple(layout.xaxis.tickvals) == (4, 8)


def test_plotly_and_matplotlib_are_imported_only_when_a_figure_is_made():
    code = "import sys, core.figures.curves, core.figures.film; print({'plotly', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
