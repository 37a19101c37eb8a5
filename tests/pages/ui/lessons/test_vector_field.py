"""Panels of vector fields: arrows that end where they should, and numbers that read well."""

import pytest
import torch

from core.data.points import make_points
from core.diffusion.exact import EmpiricalDenoiser
from core.figures.scene import Window
from core.lessons.vector_field import film, read
from core.models.trajectories import exact_model
from pages.ui.frame import text
from pages.ui.frame.text import pair
from pages.ui.lessons import vector_field as lesson
from pages.ui.lessons.vector_field import Config

SIGMAS = lesson.SIGMAS
POINTS = make_points("spiral", 100).points
EXACT = EmpiricalDenoiser(POINTS)
FILM = film(lambda x, sigma: 0 * x, EXACT, SIGMAS, "vp", side=6, reach=1.6, h=8)
WINDOW = Window("vp", 1.6)


def test_the_data_shrink_with_the_noise_in_the_variance_preserving_view_only():
    moving, still = (lesson.ground(Config(view=view), FILM, exact_model())[-1].xy for view in ("vp", "ve"))
    assert torch.allclose(moving[0] * (1 + 10.0**2) ** 0.5, POINTS, atol=1e-5)
    assert torch.equal(still, POINTS)


def test_under_the_lens_the_arrow_starts_at_the_place_and_ends_at_the_guess():
    reading = read(EXACT, (0.5, 0.25), SIGMAS, "vp")
    *_, arrow, guess = lesson.lens("Exact", "exact", reading, [], WINDOW).layers
    assert torch.allclose(arrow.at, torch.tensor([0.5, 0.25]).expand(49, 1, 2))
    assert torch.allclose(arrow.at + arrow.by, guess.xy)


def test_the_score_is_drawn_along_the_arrow_to_the_guess():
    reading = read(EXACT, (0.5, 0.25), SIGMAS, "vp")
    _, score, arrow, _ = lesson.lens("Exact", "exact", reading, [], WINDOW).layers
    assert torch.allclose(torch.cosine_similarity(score.by, arrow.by, dim=-1), torch.ones(49, 1))


def test_the_table_has_a_row_for_each_level_and_no_negative_zero():
    reading = read(EXACT, (0.5, 0.25), SIGMAS, "ve")
    lines = lesson.numbers_table(reading, reading, frames=(0, 48)).splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["| σ", "| :--", "| 10", "| 0.01"]
    assert pair((-0.001, -12.4)) == "(0.00, −12)"


def test_an_axis_of_errors_ends_at_one_unless_a_model_is_worse_than_none():
    assert lesson.top(torch.tensor([0.2, 0.9])) == 1.0
    assert lesson.top(torch.tensor([0.2, 2.0])) > 2.0


def test_the_errors_that_the_notes_quote_are_those_of_the_curves():
    quoted = text.catalogue("")["measured"]["vector_field"]
    for model, part, levels in (
        (lesson.REFERENCE, "error", ("0.487", "0.0487")),
        (lesson.FOURIER, "fourier", ("0.0487",)),
    ):
        error = lesson.error_of(lesson.model_of(Config(model=model)))
        for level in levels:
            name = level.replace(".", "")
            assert error[lesson.LEVELS.index(level)].item() == pytest.approx(quoted[f"{part}_{name}"], abs=0.005), level


@pytest.mark.slow
def test_the_error_of_every_shipped_model_is_largest_at_small_sigma():
    for model in lesson.MODELS[:-1]:
        assert float(lesson.LEVELS[lesson.error_of(lesson.model_of(Config(model=model))).argmax()]) < 0.1
