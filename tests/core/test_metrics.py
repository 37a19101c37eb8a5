import math

import numpy as np
import pytest
import torch

from core.data.points import make_points
from core.metrics import (
    coverage,
    covered,
    distance_to,
    distance_to_curve,
    energy_distance,
    frechet,
    nearest,
    noise_floor,
    off_curve,
    sliced_wasserstein,
    wasserstein,
)
from core.problems import Problem


def cloud(n: int, *shape: int, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


# Energy distance


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 5, 5)])
def test_energy_distance_equals_the_sum_over_all_pairs(shape: tuple[int, ...]):
    x, y = cloud(13, *shape).flatten(1).numpy(), cloud(17, *shape, seed=1, shift=0.3).flatten(1).numpy()

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return np.linalg.norm(a[:, None] - b[None], axis=2).mean()

    naive = 2 * mean(x, y) - mean(x, x) - mean(y, y)
    assert energy_distance(cloud(13, *shape), cloud(17, *shape, seed=1, shift=0.3)) == pytest.approx(naive, abs=1e-7)


def test_energy_distance_of_two_points_is_twice_their_distance():
    assert energy_distance(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])) == pytest.approx(10)


def test_energy_distance_of_equal_samples_is_zero():
    assert energy_distance(cloud(50, 2), cloud(50, 2)) == pytest.approx(0, abs=1e-12)


def test_energy_distance_tends_to_its_closed_form_for_two_gaussians():
    # X - Y ~ N(d, 2): E|X - Y| is the mean of a folded normal; d = 1 and s^2 = 2.
    d, s = 1.0, math.sqrt(2)
    folded = s * math.sqrt(2 / math.pi) * math.exp(-(d**2) / (2 * s**2)) + d * math.erf(d / (s * math.sqrt(2)))
    expected = 2 * folded - 2 * 2 / math.sqrt(math.pi)
    assert energy_distance(cloud(2000, 1), cloud(2000, 1, seed=1, shift=d)) == pytest.approx(expected, rel=0.1)


def test_energy_distance_does_not_depend_on_how_it_is_cut_into_chunks(monkeypatch: pytest.MonkeyPatch):
    whole = energy_distance(cloud(40, 2), cloud(30, 2, seed=1))
    monkeypatch.setattr("core.metrics._CELLS", 70)
    assert energy_distance(cloud(40, 2), cloud(30, 2, seed=1)) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("metric", [energy_distance, sliced_wasserstein, coverage])
def test_arrays_and_single_numbers_are_compared_as_well(metric):
    x, y = cloud(9, 2), cloud(9, 2, seed=1)
    assert metric(x.numpy(), y.numpy()) == metric(x, y)
    assert metric(x[:, 0], y[:, 0]) == metric(x[:, :1], y[:, :1])


@pytest.mark.parametrize("metric", [energy_distance, sliced_wasserstein, coverage, distance_to])
def test_samples_that_cannot_be_compared_are_refused(metric, refused):
    with refused("metric_empty"):
        metric(torch.zeros(0, 2), torch.zeros(3, 2))
    with refused("metric_shapes", first="[2]", second="[5]"):
        metric(torch.zeros(3, 2), torch.zeros(3, 5))


# The noise floor


def test_the_noise_floor_follows_from_its_seed_and_shrinks_like_one_over_n():
    draw = make_points("spiral", 100).sample
    floor = noise_floor(draw, 200, seed=1)
    assert floor == noise_floor(draw, 200, seed=1) != noise_floor(draw, 200, seed=2)
    assert noise_floor(draw, 800, seed=1) == pytest.approx(floor / 4, rel=0.5)


def test_the_noise_floor_of_fixed_points_draws_them_with_replacement():
    assert noise_floor(torch.zeros(5, 2), 20) == 0
    assert noise_floor(make_points("spiral", 100).points, 200) > 0


def test_metrics_leave_global_random_state_alone():
    before = torch.get_rng_state()
    noise_floor(make_points("moons", 10).sample, 20, repeats=1)
    sliced_wasserstein(cloud(10, 2), cloud(10, 2, seed=1))
    assert torch.equal(before, torch.get_rng_state())


# Sliced Wasserstein


@pytest.mark.parametrize(("n", "m"), [(20, 20), (15, 20), (1, 9)])
def test_in_one_dimension_sliced_wasserstein_is_the_exact_distance_of_the_quantiles(n: int, m: int):
    x, y = cloud(n, 1), cloud(m, 1, seed=1, shift=0.5)
    repeated_x, repeated_y = x.repeat_interleave(m, 0).sort(0).values, y.repeat_interleave(n, 0).sort(0).values
    assert sliced_wasserstein(x, y) == pytest.approx((repeated_x - repeated_y).square().mean().sqrt().item())


@pytest.mark.parametrize("dim", [2, 10])
def test_a_shift_gives_its_length_over_root_dimension(dim: int):
    x = cloud(100, dim)
    shift = torch.zeros(dim)
    shift[0] = 3.0
    assert sliced_wasserstein(x, x + shift, directions=5000) == pytest.approx(3 / math.sqrt(dim), rel=0.05)


def test_sliced_wasserstein_of_a_reordered_sample_is_zero():
    assert sliced_wasserstein(cloud(30, 2), cloud(30, 2).flip(0)) == pytest.approx(0, abs=1e-12)


# Coverage


POINTS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])


def test_coverage_counts_the_points_that_are_nearest_to_a_sample():
    samples = torch.tensor([[0.1, 0.0], [-0.2, 0.3], [1.9, 0.0]])
    assert covered(samples, POINTS).tolist() == [True, False, True, False]
    assert coverage(samples, POINTS) == 0.5


def test_a_radius_leaves_out_samples_that_are_far_from_their_point():
    samples = torch.tensor([[0.1, 0.0], [2.0, 9.0]])
    assert covered(samples, POINTS, radius=0.5).tolist() == [True, False, False, False]


def test_samples_that_are_not_numbers_cover_nothing():
    assert coverage(torch.full((3, 2), math.nan), POINTS) == 0


def test_coverage_works_for_images():
    images = cloud(6, 1, 8, 8)
    assert coverage(images[:3] + 1e-3, images) == 0.5


# Distance


def test_nearest_gives_distance_and_index():
    distance, index = nearest(torch.tensor([[1.0, 2.0], [2.9, 0.0]]), POINTS)
    assert distance.tolist() == pytest.approx([2.0, 0.1]) and index.tolist() == [1, 3]
    assert distance_to(POINTS, POINTS).tolist() == [0, 0, 0, 0]


CORNER = torch.tensor([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])


@pytest.mark.parametrize(
    ("sample", "distance"),
    [((5, 1), 1), ((-3, 4), 5), ((13, -4), 5), ((8, 5), 2), ((10, 12), 2), ((4, 0), 0), ((10, 10), 0)],
)
def test_the_distance_to_a_curve_is_to_its_segments(sample: tuple[float, float], distance: float):
    assert distance_to_curve(torch.tensor([sample]), CORNER).item() == pytest.approx(distance, abs=1e-7)


def test_a_row_of_nan_lifts_the_pen():
    curve = torch.tensor([[0.0, 0.0], [1.0, 0.0], [math.nan, math.nan], [5.0, 0.0], [6.0, 0.0]])
    assert distance_to_curve(torch.tensor([[3.0, 0.0]]), curve).item() == pytest.approx(2)


def test_repeated_vertices_do_no_harm():
    curve = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    assert distance_to_curve(torch.tensor([[-1.0, 0.0], [0.5, 2.0]]), curve).tolist() == pytest.approx([1, 2])


def test_off_curve_is_the_fraction_beyond_the_tolerance_and_counts_nan():
    samples = torch.tensor([[5.0, 0.04], [5.0, 0.06], [math.nan, 0.0], [2.0, 0.0]])
    assert off_curve(samples, CORNER) == 0.5


def test_a_curve_of_one_vertex_is_refused(refused):
    with refused("curve_without_segment"):
        distance_to_curve(torch.zeros(1, 2), torch.zeros(1, 2))


# Frechet


def test_the_frechet_distance_of_gaussians_is_its_closed_form():
    x = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    y = x * torch.tensor([2.0, 3.0]) + torch.tensor([1.0, -2.0])
    assert frechet(x, y) == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 1) ** 2, abs=1e-9)
    assert frechet(y, x) == pytest.approx(frechet(x, y), abs=1e-9)


def test_the_frechet_distance_sees_neither_order_nor_rotation():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)).Q
    y = 2 * x.flip(0) + 1
    assert frechet(x, x.flip(0)) == pytest.approx(0, abs=1e-12)
    assert frechet(x @ turn, y @ turn) == pytest.approx(frechet(x, y), rel=1e-9)


def test_fewer_samples_than_dimensions_have_a_frechet_distance_and_a_single_one_has_none(refused):
    assert frechet(torch.zeros(3, 8, 1), torch.ones(4, 8, 1)) == pytest.approx(8)
    with refused("frechet_samples"):
        frechet(torch.zeros(1, 2), torch.zeros(3, 2))


def test_the_wasserstein_distance_of_a_shifted_cloud_is_the_shift():
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shift = torch.tensor([0.3, -0.4], dtype=torch.float64)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    assert wasserstein(x, (x + shift)[order]) == pytest.approx(0.5)


def test_the_wasserstein_distance_needs_equally_many_samples():
    with pytest.raises(Problem, match="5 and 6"):
        wasserstein(torch.zeros(5, 2), torch.zeros(6, 2))
