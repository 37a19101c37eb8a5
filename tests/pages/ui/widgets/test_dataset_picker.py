"""Data sets as a configuration names them, without Streamlit."""

from types import SimpleNamespace

import pytest

from core.data import drawings
from core.data.points import BUILT_IN
from pages.ui.widgets import dataset_picker
from pages.ui.widgets.dataset_picker import DATA, is_endless, points_of, points_or_spiral

LINE = drawings.encode([[[0.1, 0.1], [0.9, 0.5]]])


def chosen(data: str, **more) -> SimpleNamespace:
    return SimpleNamespace(**{"data": data, "n": 100, "fresh": True, "word": "noise", "draw": None} | more)


@pytest.mark.parametrize("name", DATA)
def test_every_data_set_follows_from_a_configuration(name):
    config = chosen(name, draw=LINE)
    assert points_of(config).name == (name if name not in dataset_picker.UPLOADS else "spiral")
    assert is_endless(config) is (name != "csv")


def test_only_a_finite_built_in_set_has_the_number_of_points_that_was_asked_for():
    finite, endless = chosen("rings", fresh=False, n=20), chosen("rings", n=20)
    assert len(points_of(finite).points) == 20 and not is_endless(finite)
    assert len(points_of(endless).points) == dataset_picker.N and is_endless(endless)


@pytest.mark.parametrize("config", [chosen("word", word=""), chosen("drawing", draw="AAA")])
def test_a_word_or_a_drawing_that_cannot_be_used_is_refused_and_the_spiral_stands_in(config):
    with pytest.raises(ValueError):
        points_of(config)
    assert points_or_spiral(config).name == "spiral"


def test_a_new_built_in_set_is_offered():
    assert set(BUILT_IN) < set(DATA)
