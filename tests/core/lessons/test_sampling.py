"""Walks: ways are what they say, one line holds for every sampler, and what chapter 4 claims is so."""

from dataclasses import replace

import pytest
import torch

from core import metrics
from core.diffusion import samplers
from core.diffusion.denoiser import in_chunks
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.samplers import (
    DDIM,
    DDIM_WITH_NOISE,
    DDPM,
    DDPM_NO_NOISE,
    ETA_INTERPOLATED,
    SAMPLERS,
    SamplerConfig,
    step_sizes,
)
from core.diffusion.schedules import log_linear
from core.lessons import sampling as sampling_lesson
from core.lessons.sampling import anatomy
from core.models import trajectories
from core.models.trajectories import at_levels, trajectory
from pages.ui.lessons.sampling import GRIDS, config_of

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
every_kind = pytest.mark.parametrize("kind", list(SAMPLERS))

EXACT, LEARNED, REFERENCE = (
    trajectories.exact_model(),
    sampling_lesson.shipped("spiral-100-fourier"),
    sampling_lesson.shipped("spiral-100-reference"),
)
DENOISE = EmpiricalDenoiser(EXACT.points.points.double())
X = 10 * torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def run(way: SamplerConfig) -> torch.Tensor:
    """A walk in double precision, [steps + 1, 5, 2]."""
    return samplers.path(samplers.run(way, DENOISE, X))


# Ways


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"kind": "DDQM"}, "sampler"), ({"steps": 0}, "steps"), ({"steps": 513}, "steps"), ({"eta": 1.1}, "eta"),
     ({"sigma_max": 0.01}, "starts"), ({"sigma_max": 101.0}, "starts"), ({"grid": "steep"}, "grid")],
)  # fmt: skip
def test_what_is_no_way_is_refused_with_a_sentence(wrong, named):
    with pytest.raises(ValueError, match=named):
        SamplerConfig(**wrong)


@every_kind
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_way_knows_its_network_calls(kind, steps):
    way = SamplerConfig(kind, steps)
    assert list(samplers.run(way, DENOISE, X))[-1].nfe == way.nfe


@pytest.mark.parametrize("grid", GRIDS)
def test_every_grid_falls_from_sigma_max_to_0(grid):
    sigmas = SamplerConfig(steps=7, sigma_max=5.0, grid=grid).sigmas
    assert sigmas[0] == 5 and sigmas[-1] == 0 and (sigmas.diff() < 0).all()
    assert sigmas[-2].item() == pytest.approx(0.01, rel=1e-6)


def test_between_ends_at_ddim_and_at_ddpm():
    for kind, eta in ((DDIM, 0.0), (DDPM, 1.0)):
        assert torch.equal(run(SamplerConfig(ETA_INTERPOLATED, 7, eta)), run(SamplerConfig(kind, 7)))


def test_the_two_steps_and_the_noise_of_ddpm_and_ddim_combine_to_four_ways():
    assert {SAMPLERS[kind].eta_step: SAMPLERS[kind].eta for kind in (DDPM, DDIM)} == {1: 1, 0: 0}
    assert {SAMPLERS[kind].eta_step: SAMPLERS[kind].eta for kind in (DDPM_NO_NOISE, DDIM_WITH_NOISE)} == {1: 0, 0: 1}
    torch.testing.assert_close(run(SamplerConfig(DDPM_NO_NOISE, 7)), samplers.path(samplers.ancestral(DENOISE, X, SamplerConfig(steps=7).sigmas,
                                                                                 s_noise=0.0)))  # fmt: skip


def test_euler_goes_where_ddim_goes():
    torch.testing.assert_close(run(SamplerConfig("euler", 13)), run(SamplerConfig(DDIM, 13)), rtol=1e-11, atol=1e-11)


@every_kind
def test_particle_k_is_the_same_on_all_ways_and_among_any_number(kind):
    few, many = (trajectory(EXACT, SamplerConfig(kind, 8), n).states for n in (5, 40))
    torch.testing.assert_close(few, many[:, :5])
    assert torch.equal(many[0], trajectory(EXACT, SamplerConfig(DDIM, 13), 40).states[0])


def test_the_same_step_of_two_ways_draws_the_same_noise():
    both = [run(SamplerConfig(kind, 8)) for kind in (DDPM, DDIM_WITH_NOISE)]
    noises = [
        anatomy(DENOISE, SamplerConfig(kind, 8), path[:, 0], 3).eps for kind, path in zip((DDPM, DDIM_WITH_NOISE), both)
    ]
    torch.testing.assert_close(*noises)


def test_a_denoiser_asked_in_parts_gives_the_same_answer():
    sigma = torch.linspace(0.1, 2, len(X), dtype=torch.float64)
    torch.testing.assert_close(in_chunks(DENOISE, 2)(X, sigma), DENOISE(X, sigma), rtol=0, atol=1e-14)


def test_eta_belongs_to_the_ways_between_alone():
    assert config_of(DDPM, 8, eta=0.3) == SamplerConfig(DDPM, 8)
    assert config_of(ETA_INTERPOLATED, 8, eta=0.3).eta == 0.3


def test_a_walk_is_judged_when_its_quality_is_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(trajectories, "quality_of", lambda samples, model: asked.append(model))
    gone = trajectory(EXACT, SamplerConfig(steps=3, seed=9), 10)
    assert not asked
    assert gone.quality is gone.quality and asked == [EXACT]


def test_a_walk_is_made_once():
    way = SamplerConfig(steps=4, seed=8)
    assert trajectory(LEARNED, way, 10) is trajectory(sampling_lesson.shipped("spiral-100-fourier"), way, 10)
    assert trajectory(LEARNED, way, 10) is not trajectory(EXACT, way, 10)


# The clock


def test_states_on_the_clock_are_the_walks_own_where_the_levels_are():
    way = SamplerConfig(DDPM, 9)
    torch.testing.assert_close(at_levels(run(way), way.sigmas, way.sigmas), run(way), rtol=0, atol=0)


def test_between_two_levels_a_state_moves_linearly_in_sigma():
    sigmas = torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64)
    states = torch.tensor([[[8.0]], [[2.0]], [[1.0]]], dtype=torch.float64)
    found = at_levels(states, sigmas, torch.tensor([9.0, 4.0, 2.5, 1.0, 0.5, 0.0], dtype=torch.float64))
    assert found.flatten().tolist() == [8, 8, 5, 2, 1.5, 1]


def test_an_ode_step_split_on_the_clock_is_the_same_step():
    sigma = torch.tensor([5.0, 3.0], dtype=torch.float64)
    whole = samplers.path(samplers.euler(DENOISE, X, sigma))
    middle = at_levels(whole, sigma, torch.tensor([4.0]).double())[0]
    slope = (X - DENOISE(X, sigma[:1].expand(5))) / 5
    torch.testing.assert_close(middle, X - slope, rtol=1e-12, atol=1e-12)


def test_the_clock_falls_to_0_in_even_steps_of_log_sigma():
    levels = trajectories.levels(49)
    assert (len(levels), levels[0], levels[-1]) == (49, 10, 0)
    torch.testing.assert_close(levels[:-1], log_linear().sigmas(48)[:-1])


# One line for every sampler


@every_kind
def test_every_step_of_every_sampler_is_one_line(kind):
    way = SamplerConfig(kind, 7)
    path = run(way)[:, 2]
    for i in range(way.steps):
        step = anatomy(DENOISE, way, path, i)
        line = step.guess + step.kept * (step.x - step.guess) + step.sigma_up * step.eps
        torch.testing.assert_close(line, path[i + 1], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(step.denoised + step.noise, step.x_next, rtol=1e-12, atol=1e-12)
        assert (step.sigma, step.sigma_next) == tuple(way.sigmas[i : i + 2].tolist())


@every_kind
def test_the_noise_of_the_line_is_the_one_that_the_sampler_drew(kind):
    way = SamplerConfig(kind, 7)
    path = run(way)[:, 2]
    for drawn in samplers.run(way, DENOISE, X):
        read = anatomy(DENOISE, way, path, drawn.i)
        torch.testing.assert_close(read.noise, torch.zeros(2).double() if drawn.noise is None else drawn.noise[2],
                                   rtol=1e-10, atol=1e-10)  # fmt: skip
        torch.testing.assert_close(read.x0, drawn.x0[2], rtol=1e-12, atol=1e-12)


def test_the_guess_is_x0_where_no_sampler_sharpens_it():
    for kind in (DDPM, DDPM_NO_NOISE, DDIM, DDIM_WITH_NOISE, ETA_INTERPOLATED, "euler", "sde"):
        step = anatomy(DENOISE, SamplerConfig(kind, 7), run(SamplerConfig(kind, 7))[:, 2], 3)
        torch.testing.assert_close(step.guess, step.x0, rtol=1e-10, atol=1e-10)


def test_heuns_second_slope_is_the_one_at_eulers_end():
    way = SamplerConfig("heun", 7)
    step = anatomy(DENOISE, way, run(way)[:, 2], 3)
    first, second = step.slopes
    end = step.x + (step.sigma_next - step.sigma) * first
    after = DENOISE(end[None], torch.tensor([step.sigma_next]).double())[0]
    torch.testing.assert_close(second, (end - after) / step.sigma_next, rtol=1e-6, atol=1e-6)


def test_2m_extrapolates_its_guess_from_the_last_two():
    way = SamplerConfig("dpmpp_2m", 7)
    path = run(way)[:, 2]
    before, step = (anatomy(DENOISE, way, path, i) for i in (2, 3))
    # On a log-linear grid all steps are equally long in log sigma: half the last difference is added.
    torch.testing.assert_close(step.guess, step.x0 + (step.x0 - before.x0) / 2, rtol=1e-9, atol=1e-9)


def test_ddpms_step_is_longer_than_ddims_by_the_factor_1_plus_r():
    sigmas = SamplerConfig(DDPM, 64).sigmas
    (ddpm, up), (ddim, none) = step_sizes(SamplerConfig(DDPM, 64)), step_sizes(SamplerConfig(DDIM, 64))
    longer = (1 - ddpm / sigmas[:-1]) / (1 - ddim / sigmas[:-1])
    torch.testing.assert_close(longer, 1 + sigmas[1:] / sigmas[:-1], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close((ddpm**2 + up**2).sqrt(), sigmas[1:])
    assert not none.any()


# What chapter 4 claims. The data are 100 points of the spiral, 2,000 samples.


REACHED = {EXACT: (7, 8), LEARNED: (6, 8), REFERENCE: (10, 12)}  # points without the noise, over ten seeds


@pytest.mark.parametrize("model", [EXACT, LEARNED, REFERENCE], ids=["exact", "fourier", "reference"])
def test_with_noise_ddpm_reaches_all_points_and_without_it_a_few_near_the_mean(model):
    full, bare, ddim = (trajectory(model, SamplerConfig(kind)).quality for kind in (DDPM, DDPM_NO_NOISE, DDIM))
    assert (full.covered, full.of) == (100, 100) and full.std == pytest.approx(0.45, abs=0.01)
    assert REACHED[model][0] <= bare.covered <= REACHED[model][1] and bare.std == pytest.approx(0.02, abs=0.007)
    assert bare.collapsed and not full.collapsed and not ddim.collapsed
    assert ddim.covered == 100 and ddim.std == pytest.approx(0.445, abs=0.01)


@pytest.mark.parametrize("model", [EXACT, LEARNED], ids=["exact", "fourier"])
def test_paths_of_ddpm_are_jittery_and_those_of_ddim_nearly_straight(model):
    def detour(kind: str) -> float:
        x = trajectory(model, SamplerConfig(kind), 200).states
        return ((x[1:] - x[:-1]).norm(dim=2).sum(0) / (x[-1] - x[0]).norm(dim=1)).median().item()

    assert detour(DDPM) == pytest.approx(4.5, abs=0.5) and detour(DDIM) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("model", [EXACT, LEARNED], ids=["exact", "fourier"])
def test_more_steps_do_not_help_without_the_noise_and_a_low_start_hides_it(model):
    assert (
        REACHED[model][0] <= trajectory(model, SamplerConfig(DDPM_NO_NOISE, 256)).quality.covered <= REACHED[model][1]
    )
    assert trajectory(model, SamplerConfig(DDPM_NO_NOISE, sigma_max=1.0)).quality.covered == pytest.approx(71, abs=3)


def test_the_points_reached_without_the_noise_are_near_the_mean():
    points = EXACT.points.points
    reached = metrics.covered(trajectory(EXACT, SamplerConfig(DDPM_NO_NOISE)).states[-1], points)
    away = (points - points.mean(0)).norm(dim=1)
    assert away[reached].max() < 0.25 * away.max()


@pytest.mark.parametrize("model", [EXACT, LEARNED, REFERENCE], ids=["exact", "fourier", "reference"])
def test_with_noise_added_nearly_all_points_are_reached_and_most_samples_end_on_the_outer_third(model):
    points = model.points.points
    raised = trajectory(model, SamplerConfig(DDIM_WITH_NOISE))
    _, index = metrics.nearest(raised.states[-1], points)
    outward = points.norm(dim=1).argsort(descending=True)
    share = {k: torch.isin(index, outward[:k]).double().mean().item() for k in (10, 33)}
    assert raised.quality.covered >= 97
    assert share == {10: pytest.approx(0.26, abs=0.02), 33: pytest.approx(0.73, abs=0.02)}


def test_only_step_and_noise_of_the_same_sampler_land_on_the_spiral():
    std = {
        kind: trajectory(EXACT, SamplerConfig(kind)).quality.std
        for kind in (DDPM, DDPM_NO_NOISE, DDIM, DDIM_WITH_NOISE)
    }
    assert std[DDPM] == pytest.approx(std[DDIM], abs=0.01)
    assert std[DDPM_NO_NOISE] < 0.03 and std[DDIM_WITH_NOISE] > 0.55


def test_collapsed_samples_are_close_to_data_and_yet_reach_few_of_them():
    full, bare = (trajectory(LEARNED, SamplerConfig(kind)).quality for kind in (DDPM, DDPM_NO_NOISE))
    assert bare.distance < full.distance and bare.coverage < 0.1


LEVELS = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.0)


def times_the_floor(first: SamplerConfig, second: SamplerConfig, seeds: int) -> torch.Tensor:
    """How far apart two ways' clouds of 2,000 are, in halves, at each of ``LEVELS`` [T] in units of the floor: the mean
    over seeds. The second way has other seeds than the first, so that nothing is alike but the distribution."""
    clock = torch.tensor(LEVELS, dtype=torch.float64)
    pairs = [(replace(first, seed=seed), replace(second, seed=seeds + seed)) for seed in range(seeds)]
    found = [
        sampling_lesson.cloud_distance(*(trajectory(EXACT, way).at(clock) for way in pair), parts=2) for pair in pairs
    ]
    return torch.stack(found).mean(0) / trajectories.energy_noise_floor(EXACT, LEVELS, 1000)


def test_ddpm_and_ddim_have_the_same_marginals_to_twice_the_floor():
    assert (times_the_floor(SamplerConfig(DDPM, 256), SamplerConfig(DDIM, 256), 4) <= 2).all()


def test_too_few_steps_are_seen_in_the_marginals():
    assert (times_the_floor(SamplerConfig(DDPM, 8), SamplerConfig(DDIM, 8), 4)[2:] > 2.5).all()
    assert (times_the_floor(SamplerConfig(DDPM, 8), SamplerConfig(DDIM, 64), 2)[4:] > 8).all()


def test_a_sampler_without_its_noise_is_seen_in_the_marginals():
    assert (times_the_floor(SamplerConfig(DDPM), SamplerConfig(DDPM_NO_NOISE), 1)[1:] > 50).all()


@pytest.mark.parametrize("model", [EXACT, sampling_lesson.shipped("spiral")], ids=["finite", "endless"])
def test_the_floor_is_what_exact_clouds_are_apart_on_average(model):
    levels, n, pairs = (2.0, 0.3, 0.0), 200, 40
    sigmas = torch.tensor(levels, dtype=torch.float64)
    x0 = trajectories.exact_draws(model, 2 * pairs * n, 99).double()
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, second = (x0 + sigmas[:, None, None] * eps).chunk(2, 1)
    measured = sampling_lesson.cloud_distance(first, second, parts=pairs)
    torch.testing.assert_close(
        measured / trajectories.energy_noise_floor(model, levels, n), torch.ones(3).double(), rtol=0, atol=0.2
    )


def test_a_cloud_compared_in_halves_has_twice_the_floor():
    levels = (1.0, 0.0)
    torch.testing.assert_close(
        trajectories.energy_noise_floor(EXACT, levels, 1000), 2 * trajectories.energy_noise_floor(EXACT, levels, 2000)
    )


def test_a_model_trained_on_fresh_draws_is_judged_by_many_even_points():
    endless = sampling_lesson.shipped("spiral")
    quality = trajectory(endless, SamplerConfig("heun", 32)).quality
    assert quality.of == 100 and quality.covered == 100 and quality.distance < 0.01
    assert len(endless.ideal.points) == 2000


def test_ways_that_differ_are_different_keys():
    assert len({SamplerConfig(), replace(SamplerConfig(), seed=1), SamplerConfig(DDIM), SamplerConfig(steps=32)}) == 4
