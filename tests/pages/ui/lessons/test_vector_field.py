"""Panels of vector fields: arrows that end where they should, and numbers that read well."""

import torch

from core.data.points import make
from core.diffusion import vector_field
from core.diffusion.exact import EmpiricalDenoiser
from core.lessons import vector_field as vector_field_lesson
from pages.ui.lessons import vector_field as vector_field_scenes

SIGMAS = vector_field.clock(5)
POINTS = make("spiral", 100).points
EXACT = EmpiricalDenoiser(POINTS)
FILM = vector_field_lesson.film(lambda x, sigma: 0 * x, EXACT, SIGMAS, "vp", side=6, reach=1.6, h=8)
WINDOW = vector_field_scenes.Window("vp", 1.6)


def test_the_data_shrink_with_the_noise_in_the_variance_preserving_view_only():
    moving = vector_field_scenes.ground(FILM, POINTS, WINDOW, density=True)[-1].xy
    assert torch.allclose(moving[0] * (1 + 10.0**2) ** 0.5, POINTS, atol=1e-5)
    assert (
        vector_field_scenes.ground(FILM, POINTS, vector_field_scenes.Window("ve", 1.2), density=True)[-1].xy is POINTS
    )


def test_under_the_lens_the_arrow_starts_at_the_place_and_ends_at_the_guess():
    reading = vector_field_lesson.read(EXACT, (0.5, 0.25), SIGMAS, "vp")
    *_, arrow, guess = vector_field_scenes.lens("Exact", "exact", reading, SIGMAS, [], WINDOW).layers
    assert torch.allclose(arrow.at, torch.tensor([0.5, 0.25]).expand(5, 1, 2))
    assert torch.allclose(arrow.at + arrow.by, guess.xy)


def test_the_score_is_drawn_along_the_arrow_to_the_guess():
    reading = vector_field_lesson.read(EXACT, (0.5, 0.25), SIGMAS, "vp")
    _, score, arrow, _ = vector_field_scenes.lens("Exact", "exact", reading, SIGMAS, [], WINDOW).layers
    assert torch.allclose(torch.cosine_similarity(score.by, arrow.by, dim=-1), torch.ones(5, 1))


def test_the_table_has_a_row_for_each_level_and_no_negative_zero():
    reading = vector_field_lesson.read(EXACT, (0.5, 0.25), SIGMAS, "ve")
    lines = vector_field_scenes.table(SIGMAS, reading, reading, frames=(0, 4)).splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["| σ", "| :--", "| 10", "| 0.01"]
    assert vector_field_scenes.pair((-0.001, -12.4)) == "(0.00, −12)"


def test_an_axis_of_errors_ends_at_one_unless_a_model_is_worse_than_none():
    assert vector_field_scenes.top(torch.tensor([0.2, 0.9])) == 1.0
    assert vector_field_scenes.top(torch.tensor([0.2, 2.0])) > 2.0
