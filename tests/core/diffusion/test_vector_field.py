"""The field: how it is laid out and drawn, and what it claims, with the exact denoiser and the shipped models."""

import pytest
import torch

from core import seeds
from core.data.points import make_points
from core.diffusion import vector_field
from core.diffusion.exact import EmpiricalDenoiser
from core.models import points as point_model
from core.pretrained import points_of, pretrained

POINTS = make_points("spiral", 100).points
EXACT = EmpiricalDenoiser(POINTS)
LEVELS = torch.tensor([0.5, 0.2, 0.05, 0.02])


def test_the_clock_falls_evenly_in_log_sigma_from_coarse_to_fine():
    clock = vector_field.levels(7)
    assert torch.allclose(clock, torch.tensor([10**k for k in (1, 0.5, 0, -0.5, -1, -1.5, -2)], dtype=torch.float32))


def test_the_grid_runs_row_by_row_from_the_lower_left():
    assert vector_field.grid(2, 1.0).tolist() == [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize("view", ["ve", "vp"])
def test_an_arrow_ends_where_the_view_draws_the_guess(view):
    sigmas, places = vector_field.levels(5), vector_field.grid(4, 1.2)
    ends = places + vector_field.arrows(EXACT, places, sigmas, view)
    factor = 1.0 if view == "ve" else (1 + sigmas[:, None, None] ** 2).rsqrt()
    guess = torch.stack([EXACT(x, s.expand(16)) for x, s in zip(places / factor * torch.ones(5, 1, 1), sigmas)])
    assert torch.allclose(ends, factor * guess, atol=1e-5)


def test_fitted_fields_share_one_scale_at_each_place_and_short_arrows_keep_their_length():
    long, short = torch.tensor([[[3.0, 4.0], [0.03, 0.04]]]), torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    drawn, other = vector_field.limit_lengths(0.1, long, short)
    assert torch.allclose(drawn.norm(dim=-1), torch.tensor([[0.1, 0.05]]))
    assert torch.allclose(other, torch.tensor([[[0.0, 0.02], [0.0, 0.0]]]))


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
