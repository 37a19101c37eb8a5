"""Memorised or learned: what the scenes of points and of people show."""

import pytest

from core.figures.scene import Images, Line
from core.lessons import memorization as lesson
from pages.ui.lessons import memorization
from pages.ui.lessons.training import Config, request_of


def test_a_measured_run_is_not_the_run_of_the_same_points_in_another_scene():
    measured = request_of(Config(show="memorised_or_learned", points="100"))
    plain = request_of(Config(fresh=False, n=100))
    assert measured.config == plain.config and measured.key != plain.key


@pytest.mark.parametrize("count", ["30", "fresh"])
def test_the_clock_stands_at_the_steps_at_which_the_recorded_run_was_measured(count):
    scene = memorization.points_scene(memorization.request_of(count), count)
    assert scene.clock.values == [step for step in lesson.STEPS if step <= lesson.SHOWN]
    assert all(panel.marker == scene.clock.values for panel in scene.panels[1:])


def test_other_settings_begin_with_the_untrained_network():
    scene = memorization.points_scene(memorization.request_of("10", seed=3), "10")
    assert scene.clock.values == [0]


@pytest.mark.parametrize("count", lesson.known_people())
def test_copies_and_new_samples_have_frames_of_their_own(count):
    pairs, shares, losses = memorization.people_scene(count).panels
    (pictures,) = pairs.layers
    assert isinstance(pictures, Images) and pictures.pixels.shape == (1, 2 * lesson.PICTURES, 16, 16, 3)
    copied = lesson.memorised_people(count).copied
    assert pictures.group.count(2) == copied.sum() and pictures.group.count(1) == lesson.PICTURES
    assert len([layer for layer in losses.layers if isinstance(layer, Line)]) == 2


@pytest.mark.parametrize("count", ["1000", "10000", "endless"])
def test_held_out_combinations_are_as_frequent_among_clean_people_as_a_note_says(count):
    report = lesson.memorised_people(count).report
    assert report.copied < 0.01 and report.held_out == pytest.approx(1 / 3, abs=0.04)
