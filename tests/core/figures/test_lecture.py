"""Figures for slides: each format is what it says, carries its permalink, and leaves no global state behind."""

import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from core.figures.lecture import FieldPanel, fields, to_file

LINK = "https://example.org/vector_field?view=ve"
PLACES = np.stack(np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5)), axis=-1).reshape(-1, 2)


def figure(theme: str = "light", heat: bool = True):
    panels = [FieldPanel("learned", -0.2 * PLACES, "denoise"), FieldPanel("exact", -0.1 * PLACES, "exact")]
    return fields("σ = 0.5", panels, PLACES, PLACES[::3], 1.2, np.eye(8) if heat else None, theme)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_each_format_is_what_it_says_and_carries_title_and_permalink(kind, start):
    content = to_file(figure(), kind, "A field", LINK)
    assert content.startswith(start)
    assert LINK.encode() in content and b"A field" in content


@pytest.mark.slow
def test_an_svg_of_either_theme_is_well_formed_with_and_without_the_heat_map():
    for theme, heat in (("light", True), ("dark", False)):
        ElementTree.fromstring(to_file(figure(theme, heat), "svg", "A field", LINK))


def test_a_figure_is_as_wide_as_a_slide_and_one_arrow_is_drawn_at_each_place():
    made = figure()
    assert made.get_size_inches()[0] == pytest.approx(13.333)
    assert [axes.collections[-1].N for axes in made.axes] == [len(PLACES)] * 2


def test_an_unknown_format_is_refused(refused):
    with refused("figure_format", kind="gif"):
        to_file(figure(), "gif", "A field", LINK)


@pytest.mark.slow
def test_no_global_state_of_pyplot_is_used():
    to_file(figure(), "png", "A field", LINK)
    assert "matplotlib.pyplot" not in sys.modules
