"""The field: how it is laid out and drawn, and what it claims, with the exact denoiser and the shipped models."""

import pytest
import torch

from core import seeds
from core.data.points import make
from core.diffusion import vector_field
from core.diffusion.exact import EmpiricalDenoiser
from core.lessons import vector_field as vector_field_lesson
from core.models import points as point_model
from core.pretrained import points_of, pretrained

POINTS = make("spiral", 100).points
EXACT = EmpiricalDenoiser(POINTS)
LEVELS = torch.tensor([0.5, 0.2, 0.05, 0.02])


def test_the_clock_falls_evenly_in_log_sigma_from_coarse_to_fine():
    clock = vector_field.clock(7)
    assert torch.allclose(clock, torch.tensor([10**k for k in (1, 0.5, 0, -0.5, -1, -1.5, -2)], dtype=torch.float32))


def test_the_grid_runs_row_by_row_from_the_lower_left():
    assert vector_field.grid(2, 1.0).tolist() == [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize("view", ["ve", "vp"])
def test_an_arrow_ends_where_the_view_draws_the_guess(view):
    sigmas, places = vector_field.clock(5), vector_field.grid(4, 1.2)
    ends = places + vector_field.arrows(EXACT, places, sigmas, view)
    factor = 1.0 if view == "ve" else (1 + sigmas[:, None, None] ** 2).rsqrt()
    guess = torch.stack([EXACT(x, s.expand(16)) for x, s in zip(places / factor * torch.ones(5, 1, 1), sigmas)])
    assert torch.allclose(ends, factor * guess, atol=1e-5)


def test_fitted_fields_share_one_scale_at_each_place_and_short_arrows_keep_their_length():
    long, short = torch.tensor([[[3.0, 4.0], [0.03, 0.04]]]), torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    drawn, other = vector_field.fit(0.1, long, short)
    assert torch.allclose(drawn.norm(dim=-1), torch.tensor([[0.1, 0.05]]))
    assert torch.allclose(other, torch.tensor([[[0.0, 0.02], [0.0, 0.0]]]))


def test_a_reading_is_one_guess_in_three_scalings_and_the_score_is_the_gradient_of_the_log_density():
    sigmas = torch.tensor([3.0, 0.3, 0.05])
    reading = vector_field_lesson.read(EXACT, (0.3, -0.2), sigmas, "vp")
    assert torch.allclose(reading.x, torch.tensor([[0.3, -0.2]]) * (1 + sigmas[:, None] ** 2).sqrt())
    assert torch.allclose(reading.x0 - reading.x, -sigmas[:, None] * reading.eps, atol=1e-6)
    x = reading.x.clone().requires_grad_()
    EXACT.log_density(x, sigmas).sum().backward()
    assert torch.allclose(reading.score, x.grad, rtol=1e-3, atol=1e-3)


def test_a_film_shows_both_fields_the_density_and_where_the_arrows_point():
    film = vector_field_lesson.film(lambda x, s: 0 * x, EXACT, vector_field.clock(5), "ve", side=6, reach=1.2, h=8)
    assert film.learned.shape == film.exact.shape == (5, 36, 2) and film.heat.shape == (5, 8, 8)
    assert film.exact.norm(dim=-1).max() <= 0.4 + 1e-6
    assert torch.allclose(film.learned_to[0], torch.ones(5), atol=1e-4)  # the data are centred: x0_hat = 0 is the mean
    assert film.exact_to[0, 0] > 0.99 and film.exact_to[1, -1] > 0.99


@pytest.mark.parametrize("view", ["ve", "vp"])
def test_the_heat_map_is_the_exact_log_density_up_to_its_depth(view):
    sigmas, side, depth = torch.tensor([2.0, 0.1]), 12, 8.0
    heat = vector_field.log_density(POINTS, sigmas, side, 1.2, view, depth)
    states = vector_field.states(vector_field.grid(side, 1.2), sigmas, view)
    exact = torch.stack([EXACT.log_density(x, s.expand(len(x))) for x, s in zip(states, sigmas)])
    lifted = exact.maximum(exact.max(1, keepdim=True).values - depth)
    assert torch.allclose(heat.flatten(1), lifted - lifted.min(1, keepdim=True).values, atol=1e-3)


def test_the_heat_map_stays_finite_where_the_density_underflows():
    assert vector_field.log_density(POINTS, torch.tensor([1e-4]), 8, 50.0, "ve").isfinite().all()


def test_the_exact_field_has_no_error_and_no_arrow_at_all_has_error_one():
    errors = [vector_field.relative_error(d, EXACT, POINTS, LEVELS) for d in (EXACT, lambda x, sigma: x)]
    assert torch.equal(errors[0], torch.zeros(4))
    assert torch.allclose(errors[1], torch.ones(4))


def test_the_error_is_reproducible_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    first, second = (vector_field.relative_error(lambda x, s: 0 * x, EXACT, POINTS, LEVELS, seed=3) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(before, torch.get_rng_state())


def test_at_large_sigma_every_exact_arrow_points_to_the_mean_of_the_data():
    places, sigmas = vector_field.grid(12, 1.2), torch.tensor([10.0])
    x = vector_field.states(places, sigmas, "ve")
    arrow = vector_field.arrows(EXACT, places, sigmas, "ve")
    assert torch.cosine_similarity(arrow, vector_field_lesson.to_mean(x, POINTS), dim=-1).min() > 0.98
    assert vector_field_lesson.agreement(arrow, vector_field_lesson.to_nearest(x, POINTS)) < 0.6


def test_near_sigma_zero_exact_arrows_point_to_the_nearest_point():
    places, sigmas = vector_field.grid(12, 1.2), torch.tensor([0.01])
    x = vector_field.states(places, sigmas, "ve")
    arrow = vector_field.arrows(EXACT, places, sigmas, "ve")
    assert vector_field_lesson.agreement(arrow, vector_field_lesson.to_nearest(x, POINTS)) > 0.99
    assert vector_field_lesson.agreement(arrow, vector_field_lesson.to_mean(x, POINTS)) < 0.6


def errors_of(name: str, endless: bool = False) -> list[float]:
    points = points_of(name)
    draw = points.sample if endless else point_model.resample(points)
    x0 = draw(2000, seeds.generator(1))[0]
    return vector_field.relative_error(
        pretrained(name).denoiser, point_model.exact(points, endless), x0, LEVELS
    ).tolist()


def test_the_reference_network_has_learned_the_coarse_field_and_not_the_fine_one():
    errors = errors_of("spiral-100-reference")
    assert errors == sorted(errors)
    assert errors == pytest.approx([0.07, 0.22, 0.64, 0.84], rel=0.2)


def test_the_fourier_network_is_closer_to_the_exact_field_at_every_level():
    closer, reference = errors_of("spiral-100-fourier"), errors_of("spiral-100-reference")
    assert all(c < r for c, r in zip(closer, reference))
