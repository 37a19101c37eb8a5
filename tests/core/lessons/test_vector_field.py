"""What chapter 3 computes: where the arrows of a field point, and what a denoiser says at one place."""

import pytest
import torch

from core.data.points import make_points
from core.diffusion import vector_field
from core.diffusion.exact import EmpiricalDenoiser
from core.lessons import vector_field as lesson
from core.pretrained import pretrained
from pages.ui.frame.text import catalogue

POINTS = make_points("spiral", 100).points
EXACT = EmpiricalDenoiser(POINTS)
MEASURED = catalogue("")["measured"]["vector_field"]


def test_a_reading_is_one_guess_in_three_scalings_and_the_score_is_the_gradient_of_the_log_density():
    sigmas = torch.tensor([3.0, 0.3, 0.05])
    reading = lesson.read(EXACT, (0.3, -0.2), sigmas, "vp")
    assert torch.allclose(reading.x, torch.tensor([[0.3, -0.2]]) * (1 + sigmas[:, None] ** 2).sqrt())
    assert torch.allclose(reading.x0 - reading.x, -sigmas[:, None] * reading.eps, atol=1e-6)
    x = reading.x.clone().requires_grad_()
    EXACT.log_density(x, sigmas).sum().backward()
    assert torch.allclose(reading.score, x.grad, rtol=1e-3, atol=1e-3)


def test_a_film_shows_both_fields_the_density_and_where_the_arrows_point():
    film = lesson.film(lambda x, s: 0 * x, EXACT, vector_field.levels(5), "ve", side=6, reach=1.2, h=8)
    assert film.learned.shape == film.exact.shape == (5, 36, 2) and film.density.shape == (5, 8, 8)
    assert film.exact.norm(dim=-1).max() <= 0.4 + 1e-6
    assert torch.allclose(film.learned_to[0], torch.ones(5), atol=1e-4)  # the data are centred: x0_hat = 0 is the mean
    assert film.exact_to[0, 0] > 0.99 and film.exact_to[1, -1] > 0.99


def test_at_large_sigma_every_exact_arrow_points_to_the_mean_of_the_data():
    places, sigmas = vector_field.grid(12, 1.2), torch.tensor([10.0])
    x = vector_field.states(places, sigmas, "ve")
    arrow = vector_field.arrows(EXACT, places, sigmas, "ve")
    assert torch.cosine_similarity(arrow, lesson.to_mean(x, POINTS), dim=-1).min() > 0.98
    assert lesson.agreement(arrow, lesson.to_nearest(x, POINTS)) < 0.6


def test_near_sigma_zero_exact_arrows_point_to_the_nearest_point():
    places, sigmas = vector_field.grid(12, 1.2), torch.tensor([0.01])
    x = vector_field.states(places, sigmas, "ve")
    arrow = vector_field.arrows(EXACT, places, sigmas, "ve")
    assert lesson.agreement(arrow, lesson.to_nearest(x, POINTS)) > 0.99
    assert lesson.agreement(arrow, lesson.to_mean(x, POINTS)) < 0.6


def test_the_reference_network_points_less_surely_to_the_mean_for_its_input_is_not_scaled():
    places, sigmas = vector_field.grid(21, 1.2), torch.tensor([10.0])
    x = vector_field.states(places, sigmas, "ve")
    arrow = vector_field.arrows(pretrained("spiral-100-reference").denoiser, places, sigmas, "ve")
    cosine = lesson.agreement(arrow, lesson.to_mean(x, POINTS)).item()
    assert cosine == pytest.approx(MEASURED["cosine_unscaled"], abs=0.01)
