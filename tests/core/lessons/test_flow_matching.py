"""What chapter 6 computes, against closed forms, and the numbers that it quotes."""

import pytest
import torch

from core import metrics, seeds
from core.diffusion import couplings, samplers
from core.diffusion.exact import EmpiricalDenoiser, GaussianMixtureDenoiser
from core.lessons import flow_matching as lesson
from pages.ui.frame.text import catalogue

MEASURED = catalogue("")["measured"]["flow_matching"]
ENDLESS = EmpiricalDenoiser(lesson.endless(600))


def gaussian(std: float) -> GaussianMixtureDenoiser:
    """The exact denoiser of N(0, std^2) in the plane."""
    return GaussianMixtureDenoiser(torch.zeros(1, 2, dtype=torch.float64), torch.tensor([std], dtype=torch.float64))


def fresh(seed: int) -> torch.Tensor:
    return lesson.spiral().sample(2000, seeds.generator(seed, 77))[0]


@pytest.fixture(scope="module")
def noise_floor() -> float:
    return metrics.noise_floor(lesson.spiral().sample, 2000)


def distance(steps: int, shift: float = 1.0, runs: int = 4) -> float:
    """The mean energy distance of 2,000 samples to as many fresh points."""
    starts, times = (seeds.gaussian((2000, 2), run) for run in range(runs)), lesson.even_times(steps, shift)
    ends = (lesson.euler(ENDLESS, x1, times)[-1] for x1 in starts)
    return sum(metrics.energy_distance(end, fresh(run)) for run, end in enumerate(ends)) / runs


def test_the_velocity_of_gaussian_data_is_that_of_its_closed_form():
    z, t = torch.tensor([[0.5, -2.0], [1.0, 0.0]], dtype=torch.float64), 0.3
    # z_t = (1 - t) x0 + t x1 has the variance v below; E[x1 - x0 | z] = Cov(x1 - x0, z) / v z.
    v = (1 - t) ** 2 * 0.25 + t**2
    assert torch.allclose(lesson.velocity(gaussian(0.5), z, t), (t - (1 - t) * 0.25) / v * z, atol=1e-12)


def test_one_data_point_makes_all_paths_straight_and_one_step_exact():
    one = EmpiricalDenoiser(torch.tensor([[0.7, -0.2]], dtype=torch.float64))
    x1, times = lesson.starts(20, 0).double(), lesson.even_times(8)
    states = lesson.euler(one, x1, times)
    t = times[:, None, None]
    assert torch.allclose(states, (1 - t) * one.points + t * x1, atol=1e-12)


def test_one_step_lands_every_point_on_the_mean_of_the_data():
    points = lesson.spiral().points.double()
    end = lesson.euler(EmpiricalDenoiser(points), lesson.starts(50, 0).double(), lesson.even_times(1))[-1]
    assert (end - points.mean(0)).abs().max() < 5e-3  # at T_MAX the estimate is the mean but for its last digits


def test_the_steps_are_those_of_the_sampler_along_the_same_noise_levels():
    points, times = lesson.spiral().points.double(), lesson.even_times(12)[1:]
    x1 = lesson.starts(20, 0).double()
    z = lesson.euler(EmpiricalDenoiser(points), x1, times)
    x = samplers.last(samplers.euler(EmpiricalDenoiser(points), x1 / (1 - times[0]), times / (1 - times)))
    assert torch.allclose(z[-1], x, atol=1e-9)


def test_a_shift_multiplies_every_noise_level():
    plain, shifted = (lesson.even_times(8, shift)[1:-1] for shift in (1.0, 8.0))
    assert torch.allclose(shifted / (1 - shifted), 8 * plain / (1 - plain))


def test_states_between_two_times_lie_on_the_chord():
    states, times = torch.tensor([[[4.0, 0.0]], [[2.0, 2.0]], [[0.0, 0.0]]]), torch.tensor([1.0, 0.5, 0.0])
    seen = lesson.at_times(states, times, torch.tensor([1.0, 0.75, 0.25, 0.0]))
    assert seen[:, 0].tolist() == [[4, 0], [3, 1], [1, 1], [0, 0]]


def test_crossings_are_counted_and_ends_that_touch_are_none():
    x1 = torch.tensor([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    x0 = torch.tensor([[1.0, 1.0], [1.0, 0.0], [6.0, 5.0]])
    assert lesson.crossings(x0, x1) == 1
    assert lesson.crossings(torch.ones(4, 2), torch.tensor([[0.0, 0], [2, 0], [0, 2], [2, 2]])) == 0


def test_the_irreducible_part_of_gaussian_data_follows_from_its_variances():
    points = seeds.gaussian((2000, 2), 5).double()
    points = (points - points.mean(0)) / points.std(0)
    t = torch.tensor([0.5], dtype=torch.float64)
    # Var(x1 - x0 | z) = Var(x0 | z) / t^2, where Var(x0 | z) = t^2 / (t^2 + (1 - t)^2) for N(0, 1).
    part = lesson.irreducible_part(points, t, n=2000)
    assert part.item() == pytest.approx(1.0, abs=0.03)


def test_the_part_of_the_loss_that_no_model_avoids():
    times = (torch.arange(100, dtype=torch.float64) + 0.5) / 100
    hundred = lesson.irreducible_part(lesson.spiral().points.double(), times).mean().item()
    endless = lesson.irreducible_part(lesson.endless(4000).double(), times[::2] + 0.005, 400).mean().item()
    assert lesson.spiral().points.square().sum(1).mean().item() + 2 == pytest.approx(4, abs=1e-5)
    assert 100 * hundred == pytest.approx(MEASURED["part_100"], abs=0.3)
    assert 100 * endless == pytest.approx(MEASURED["part_endless"], abs=0.3)


@pytest.mark.parametrize("steps, tolerance", [(1, 0.05), (2, 0.1), (4, 0.1), (8, 0.1)])
def test_few_steps_of_euler_are_far_from_the_data(steps: int, tolerance: float, noise_floor):
    assert distance(steps) / noise_floor == pytest.approx(MEASURED[f"floors_{steps}"], rel=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [16, 64])
def test_many_steps_of_euler_are_near_the_data(steps: int, noise_floor):
    assert distance(steps) / noise_floor == pytest.approx(MEASURED[f"floors_{steps}"], abs=0.7)


def cost(batch: int) -> float:
    """The mean squared length of 4,096 pairs of optimal transport in batches."""
    return sum(couplings.transport_cost(*lesson.coupled(batch, 1024, seed)[:2]) for seed in range(4)) / 4


@pytest.mark.parametrize("batch, expected", [(1, 4.0), (4, 2.1), (16, 0.85), (64, 0.33), (256, MEASURED["cost_256"])])
def test_larger_batches_of_optimal_transport_make_shorter_lines(batch: int, expected: float):
    assert cost(batch) == pytest.approx(expected, rel=0.05)


def test_the_exact_flow_joins_nearly_the_best_pairs_by_bent_paths():
    costs, bends = [], []
    for seed in range(2):
        _, x1, _ = lesson.coupled(1, 1000, seed)
        paths = lesson.euler(ENDLESS, x1, lesson.even_times(48))
        x0 = paths[-1]
        costs.append(couplings.transport_cost(x0, x1))
        best = couplings.transport_cost(x0[couplings.assignment(x0, x1)], x1)
        assert costs[-1] / best < 1 + MEASURED["above_best"] / 100
        bends.append(couplings.straightness(paths))
    assert sum(costs) / 2 == pytest.approx(MEASURED["cost_flow"], abs=0.01)
    assert all(0.9 < bend < 1.1 for bend in bends)


def test_the_starts_stay_where_they_are_under_every_coupling():
    first, second = lesson.coupled(1, 256, 3)[1], lesson.coupled(64, 256, 3)[1]
    assert first.equal(second)


def test_optimal_transport_gives_each_class_starts_of_its_own():
    person, dog, cat = lesson.mean_lengths(512, 4096, 0).tolist()
    assert person == pytest.approx(MEASURED["class_person"], rel=0.05)
    assert dog == pytest.approx(1.20, rel=0.05)
    assert cat == pytest.approx(MEASURED["class_cat"], rel=0.05)
    assert lesson.mean_lengths(1, 4096, 0).tolist() == pytest.approx([MEASURED["class_sampling"]] * 3, rel=0.05)


def test_a_density_of_lengths_has_the_area_one():
    at = torch.linspace(-2, 6, 801)
    density = lesson.length_density(torch.tensor([0.5, 1.0, 2.5]), at)
    assert torch.trapezoid(density, at).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shift", [1, 3, 8])
def test_in_the_plane_a_shift_only_hurts(shift: int):
    times, exact = lesson.even_times(8, shift), lesson.endless()
    ends = (lesson.euler(ENDLESS, seeds.gaussian((2000, 2), run), times)[-1] for run in range(4))
    found = sum(metrics.energy_distance(end, exact) for end in ends) / 4
    assert found == pytest.approx(MEASURED[f"shift_{shift}"], rel=0.1)


def test_means_of_blocks_have_less_noise_and_the_same_picture():
    picture = torch.arange(6.0).view(2, 3)[..., None].expand(2, 3, 3)
    large = picture.repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert lesson.block_means(large, 4).equal(picture)
    noise = lesson.block_means(lesson.picture_noise(torch.zeros(200, 200), 0), 5)
    assert noise.std().item() == pytest.approx(0.2, rel=0.05)
