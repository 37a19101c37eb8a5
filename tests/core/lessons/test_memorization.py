"""Memorised or learned, in points: few points are copied, the distribution of many is learned."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from core.lessons import memorization as lesson
from core.models.memorization import copies


@pytest.fixture(scope="module")
def short_runs():
    """What was measured after 316 steps on few points and on new ones."""
    return {count: lesson.measured_run(count, steps=316)[-1] for count in ("10", "fresh")}


def test_a_copy_is_three_times_as_near_to_one_datum_as_to_any_other():
    known = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 9.0]])
    assert copies(torch.tensor([[0.2, 0.0], [0.3, 0.0], [0.5, 0.0]]), known).tolist() == [True, False, False]


@pytest.mark.slow
def test_ten_points_are_copied_after_a_short_run_and_new_points_are_not(short_runs):
    ten, fresh = short_runs["10"], short_runs["fresh"]
    assert ten.copied > 0.9 and ten.distance < lesson.by_chance("10")[1] / 10
    assert fresh.copied < lesson.by_chance("fresh")[0] and fresh.distance > lesson.by_chance("fresh")[1]


@pytest.mark.slow
def test_the_field_comes_near_to_that_of_few_points_and_of_new_points_to_that_of_their_distribution(short_runs):
    assert short_runs["10"].to_points < 0.25 < 0.8 < short_runs["10"].to_distribution
    assert short_runs["fresh"].to_distribution < 0.3


def test_a_run_goes_on_with_what_was_measured_before():
    config, points = lesson.config_of("10"), lesson.points_of("10")
    half = next(islice(lesson.run(config, points), 14, None))
    assert [each.step for each in half.measured] == [10, 15]
    *_, whole = lesson.run(replace(config, steps=22), points, half)
    assert [each.step for each in whole.measured] == [10, 15, 22]


@pytest.mark.parametrize("count", lesson.POINTS)
def test_the_runs_in_the_file_say_what_the_page_says(count):
    last, chance = lesson.shown(count).measured[-1], lesson.by_chance(count)
    assert last.step == lesson.SHOWN
    if count in ("10", "30"):  # memorised
        assert last.copied > 0.9 and last.distance < chance[1] / 20 and last.to_points < last.to_distribution / 2
    else:
        assert last.copied < chance[0] + 0.1 and last.distance > 0.8 * chance[1]
        assert last.to_distribution <= last.to_points
