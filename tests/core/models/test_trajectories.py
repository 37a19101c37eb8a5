"""Trajectories: equal starts and equal noise, states at any noise level, one computation, quality, the noise floor."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from core.data.points import make_points
from core.diffusion import samplers
from core.diffusion.denoiser import Denoiser
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.samplers import DDIM, SAMPLERS, SamplerConfig
from core.diffusion.schedules import log_linear
from core.lessons import sampling as lesson
from core.models import points as point_model
from core.models import trajectories
from core.models.points import PointConfig
from core.models.trajectories import at_levels, exact_model, trajectory, unshipped
from core.pretrained import shipped

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

EXACT = exact_model()
DENOISE = EmpiricalDenoiser(EXACT.points.points.double())
X = 10 * torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_particle_k_is_the_same_among_any_number_and_starts_alike_under_all_samplers(sampler):
    few, many = (trajectory(EXACT, SamplerConfig(sampler, 8), n).states for n in (5, 40))
    torch.testing.assert_close(few, many[:, :5])
    assert torch.equal(many[0], trajectory(EXACT, SamplerConfig(DDIM, 13), 40).states[0])


def test_a_trajectory_is_computed_once_and_its_quality_when_asked_for(monkeypatch):
    asked, config = [], SamplerConfig(steps=3, seed=9)
    monkeypatch.setattr(trajectories, "quality_of", lambda samples, model: asked.append(model))
    made = trajectory(EXACT, config, 10)
    assert made is trajectory(exact_model(), config, 10) and not asked
    assert made.quality is made.quality and asked == [EXACT]
    assert made is not trajectory(shipped("spiral-100-fourier"), config, 10)


def test_the_steps_join_to_the_states_of_the_trajectory():
    config = SamplerConfig(steps=6, seed=9)
    states = samplers.path(iter(trajectories.steps(EXACT, config, 10)))
    torch.testing.assert_close(states, trajectory(EXACT, config, 10).states)


def test_data_of_equal_names_and_numbers_do_not_share_a_trajectory():
    first, second = (replace(EXACT.points, points=shift + EXACT.points.points) for shift in (0.0, 0.5))
    made = [trajectory(exact_model(points), SamplerConfig(DDIM, 2), 8).states for points in (first, second)]
    assert exact_model(first) == exact_model(replace(first)) and exact_model(first) != exact_model(second)
    assert not torch.equal(*made)


# The clock


def test_states_at_the_levels_of_the_steps_are_unchanged():
    config = SamplerConfig(steps=9)
    states = samplers.path(samplers.run(config, DENOISE, X))
    assert torch.equal(at_levels(states, config.sigmas, config.sigmas), states)


def test_between_two_levels_a_state_moves_linearly_in_sigma():
    sigmas = torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64)
    states = torch.tensor([[[8.0]], [[2.0]], [[1.0]]], dtype=torch.float64)
    found = at_levels(states, sigmas, torch.tensor([9.0, 4.0, 2.5, 1.0, 0.5, 0.0], dtype=torch.float64))
    assert found.flatten().tolist() == [8, 8, 5, 2, 1.5, 1]


def test_the_clock_falls_to_0_in_even_steps_of_log_sigma():
    levels = trajectories.levels(49)
    assert (len(levels), levels[0], levels[-1]) == (49, 10, 0)
    torch.testing.assert_close(levels[:-1], log_linear().sigmas(48)[:-1])


# The noise floor, and models of endless data


@pytest.mark.parametrize("model", [EXACT, shipped("spiral")], ids=["finite", "endless"])
def test_the_noise_floor_is_what_exact_clouds_are_apart_on_average(model):
    levels, n, pairs = (2.0, 0.3, 0.0), 200, 40
    sigmas = torch.tensor(levels, dtype=torch.float64)
    x0 = trajectories.exact_draws(model, 2 * pairs * n, 99).double()
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, second = (x0 + sigmas[:, None, None] * eps).chunk(2, 1)
    measured = lesson.cloud_distance(first, second, parts=pairs)
    floor = trajectories.energy_noise_floor(model, levels, n)
    torch.testing.assert_close(measured / floor, torch.ones(3).double(), rtol=0, atol=0.2)


def test_half_as_many_points_have_twice_the_noise_floor():
    half, whole = (trajectories.energy_noise_floor(EXACT, (1.0, 0.0), n) for n in (1000, 2000))
    torch.testing.assert_close(half, 2 * whole)


@pytest.mark.slow
def test_samples_of_a_model_of_endless_data_are_compared_with_2000_even_points():
    endless = shipped("spiral")
    quality = trajectory(endless, SamplerConfig("heun", 32)).quality
    assert quality.of == 100 and quality.covered == 100 and quality.distance < 0.01
    assert len(endless.ideal.points) == 2000


# Models that are not shipped


def denoiser(**config: str) -> Denoiser:
    """An untrained network, whose weights follow from the seed alone."""
    return point_model.new_checkpoint(PointConfig(**config), EXACT.points).denoiser


def test_equal_denoisers_of_equal_data_are_one_model():
    assert unshipped(denoiser(), EXACT.points) == unshipped(deepcopy(denoiser()), replace(EXACT.points))


def test_other_weights_another_prediction_or_other_data_are_another_model():
    changed = denoiser()
    with torch.no_grad():
        next(changed.net.parameters()).add_(0.1)
    models = [unshipped(each, EXACT.points) for each in (denoiser(), changed, denoiser(prediction="eps"))]
    models += [unshipped(denoiser(), make_points("rings", 20)), unshipped(denoiser(), EXACT.points, endless=True)]
    assert len(set(models)) == 5
