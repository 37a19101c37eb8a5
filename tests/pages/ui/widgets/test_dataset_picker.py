"""Data sets as a configuration names them, without Streamlit."""

from types import SimpleNamespace

import pytest

from core.data.points import BUILT_IN, make_points
from pages.ui.widgets import brush, dataset_picker
from pages.ui.widgets.dataset_picker import DATA, Data, data_of, points_of

LINE = brush.encode([[[0.1, 0.1], [0.9, 0.5]]])


def chosen(data: str, **more) -> SimpleNamespace:
    return SimpleNamespace(**{"data": data, "n": 100, "fresh": True, "word": "noise", "draw": None} | more)


@pytest.mark.parametrize("name", DATA)
def test_every_data_set_follows_from_a_configuration(name):
    data = data_of(chosen(name, draw=LINE))
    assert data.name == (name if name not in dataset_picker.UPLOADS else "spiral")
    assert data.endless is (name != "csv")


def test_only_a_finite_built_in_set_has_the_number_of_points_that_was_asked_for():
    finite, endless = data_of(chosen("rings", fresh=False, n=20)), data_of(chosen("rings", n=20))
    assert len(finite.points.points) == 20 and not finite.endless
    assert len(endless.points.points) == dataset_picker.N and endless.endless


@pytest.mark.parametrize("config", [chosen("word", word=""), chosen("drawing", draw="AAA")])
def test_what_cannot_be_used_is_refused_and_the_spiral_stands_in(config):
    with pytest.raises(ValueError):
        points_of(config)
    assert data_of(config).name == "spiral"


def test_data_are_equal_by_content():
    first, second = (Data(make_points("moons", 50), True) for _ in range(2))
    assert first == second and hash(first) == hash(second)
    assert first != Data(make_points("moons", 50), False) and first != Data(make_points("moons", 50, seed=1), True)


def test_a_new_built_in_set_is_offered():
    assert set(BUILT_IN) < set(DATA)
