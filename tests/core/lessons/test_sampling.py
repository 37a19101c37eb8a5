"""Chapter 4: the parts of a step add up for every sampler, and what the chapter claims is so."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core import metrics, seeds
from core.diffusion import samplers
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.samplers import (
    DDIM,
    DDIM_WITH_NOISE,
    DDPM,
    DDPM_NO_NOISE,
    ETA_INTERPOLATED,
    SAMPLERS,
    SamplerConfig,
    Step,
    step_sizes,
)
from core.lessons import sampler_quality as quality_lesson
from core.lessons import sampling as lesson
from core.lessons.sampling import Anatomy, anatomy
from core.models import trajectories
from core.models.trajectories import trajectory
from core.pretrained import shipped

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

EXACT, FOURIER, REFERENCE = (
    trajectories.exact_model(),
    shipped("spiral-100-fourier"),
    shipped("spiral-100-reference"),
)
MEASURED = tomllib.loads((Path(__file__).parents[3] / "pages/text/measured.toml").read_text("utf-8"))["sampling"]
DENOISE = EmpiricalDenoiser(EXACT.points.points.double())
X = 10 * torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def steps(sampler: str, n: int = 7) -> list[Step]:
    """The steps of five particles in double precision."""
    return list(samplers.run(SamplerConfig(sampler, n), DENOISE, X))


def stochastic_heun(denoise, x, sigmas, seed=0):
    """A sampler that both looks ahead and adds noise, as none of the registry does."""
    for i, (sigma, sigma_next, level) in enumerate(samplers.levels(x, sigmas)):
        down, up = samplers.ancestral_step(sigma, sigma_next, 1.0)
        x0 = denoise(x, level)
        slope = (x - x0) / sigma
        if down > 0:
            end = x + (down - sigma) * slope
            slope = (slope + (end - denoise(end, torch.full_like(level, down))) / down) / 2
        noise = seeds.gaussian(x.shape, seed, i + 1, like=x, std=up) if up else None
        x_next = x + (down - sigma) * slope + (0 if noise is None else noise)
        yield Step(i, sigma, sigma_next, x, x0, x_next, noise, 2 * i + 2, down, up)
        x = x_next


# One step


@pytest.mark.parametrize("sampler", [*SAMPLERS, "stochastic_heun"])
def test_the_parts_of_every_step_of_every_sampler_add_up(sampler, monkeypatch):
    monkeypatch.setitem(SAMPLERS, "stochastic_heun", samplers.SamplerSpec(stochastic_heun, random=True))
    for drawn in steps(sampler):
        step = anatomy(drawn, 2)
        line = step.guess + step.fraction * (step.x - step.guess) + step.sigma_up * step.eps
        torch.testing.assert_close(line, drawn.x_next[2], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(step.denoised + step.noise, step.x_next, rtol=1e-12, atol=1e-12)
        assert (step.sigma, step.sigma_next) == (drawn.sigma, drawn.sigma_next)


@pytest.mark.parametrize("steps", [7, 256])
@pytest.mark.parametrize("sampler", [*SAMPLERS])
def test_only_samplers_of_second_order_aim_elsewhere_than_at_the_denoisers_guess(sampler, steps):
    aims = [anatomy(step, 0).higher_order for step in trajectories.steps(FOURIER, SamplerConfig(sampler, steps), 4)]
    assert any(aims) == (sampler in ("heun", "dpmpp_2m"))


def test_a_sampler_that_looks_ahead_and_adds_noise_shows_both(monkeypatch):
    monkeypatch.setitem(SAMPLERS, "stochastic_heun", samplers.SamplerSpec(stochastic_heun, random=True))
    step = anatomy(steps("stochastic_heun")[3], 2)
    assert step.higher_order and step.eps.norm() > 0.1


def test_equal_steps_of_two_samplers_draw_equal_noise():
    first, second = (anatomy(steps(sampler)[3], 0).eps for sampler in (DDPM, DDIM_WITH_NOISE))
    torch.testing.assert_close(first, second)


def test_heuns_second_slope_is_the_one_at_the_end_of_eulers_step():
    step = anatomy(steps("heun")[3], 2)
    first, second = step.slopes
    end = step.x + (step.sigma_next - step.sigma) * first
    after = DENOISE(end[None], torch.tensor([step.sigma_next]).double())[0]
    torch.testing.assert_close(second, (end - after) / step.sigma_next, rtol=1e-6, atol=1e-6)


def test_2m_extrapolates_its_guess_from_the_last_two():
    before, step = (anatomy(each, 2) for each in steps("dpmpp_2m")[2:4])
    # On a log-linear grid all steps are equally long in log sigma: half the last difference is added.
    torch.testing.assert_close(step.guess, step.x0 + (step.x0 - before.x0) / 2, rtol=1e-9, atol=1e-9)


def test_noise_without_a_standard_deviation_does_not_divide_by_zero():
    part = torch.ones(2)
    assert torch.equal(Anatomy(0, 1.0, 0.5, 0.0, 0.5, part, part, part, 0 * part, part).eps, torch.zeros(2))


# What chapter 4 claims. The data are 100 points of the spiral, there are 2,000 samples.

POINTS_REACHED = {  # without the noise, over ten seeds
    EXACT: (MEASURED["reached_low"], 8),
    FOURIER: (MEASURED["reached_low"], 8),
    REFERENCE: (10, MEASURED["reached_high"]),
}
every_model = pytest.mark.parametrize("model", POINTS_REACHED, ids=["exact", "fourier", "reference"])


def reached(model: trajectories.PointModel, config: SamplerConfig) -> bool:
    """Whether a sampler reaches as many points as the chapter says of DDPM without noise."""
    low, high = POINTS_REACHED[model]
    return low <= trajectory(model, config).quality.covered <= high


@pytest.mark.slow
@every_model
def test_with_noise_ddpm_reaches_all_points_and_without_it_a_few_near_the_mean(model):
    ddpm, no_noise, ddim = (trajectory(model, SamplerConfig(name)).quality for name in (DDPM, DDPM_NO_NOISE, DDIM))
    assert (ddpm.covered, ddpm.of, ddim.covered) == (100, 100, 100)
    assert ddpm.std == pytest.approx(0.45, abs=0.01) and ddim.std == pytest.approx(0.445, abs=0.01)
    assert reached(model, SamplerConfig(DDPM_NO_NOISE)) and no_noise.std == pytest.approx(0.02, abs=0.007)
    assert no_noise.collapsed and not ddpm.collapsed and not ddim.collapsed


@pytest.mark.slow
def test_collapsed_samples_are_closer_to_the_data_than_ddpms():
    ddpm, no_noise = (trajectory(FOURIER, SamplerConfig(name)).quality for name in (DDPM, DDPM_NO_NOISE))
    assert no_noise.distance < ddpm.distance


@every_model
@pytest.mark.slow
def test_more_steps_do_not_help_without_the_noise(model):
    assert reached(model, SamplerConfig(DDPM_NO_NOISE, 256))


@pytest.mark.parametrize("model", [EXACT, FOURIER], ids=["exact", "fourier"])
@pytest.mark.slow
def test_a_low_start_hides_that_the_noise_is_left_out(model):
    covered = trajectory(model, SamplerConfig(DDPM_NO_NOISE, sigma_max=1.0)).quality.covered
    assert covered == pytest.approx(MEASURED["reached_from_1"], abs=3)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["dpmpp_2m", DDIM, DDPM])
def test_samples_are_as_good_as_perfect_ones_after_so_many_network_calls(sampler):
    """Their energy distance is at most two noise floors, the mean over six seeds, and with half the calls it is not."""
    calls, perfect = MEASURED[f"calls_{sampler}"], quality_lesson.measure_perfect(FOURIER, 1000).energy

    def floors(calls: int) -> float:
        configs = [SamplerConfig(sampler, calls, seed=seed) for seed in range(6)]
        return sum(quality_lesson.measure(FOURIER, each, 1000).energy for each in configs) / 6 / perfect

    assert floors(calls) <= 2 < floors(calls // 2)


def test_the_points_reached_without_the_noise_are_near_the_mean():
    points = EXACT.points.points
    found = metrics.covered(trajectory(EXACT, SamplerConfig(DDPM_NO_NOISE)).states[-1], points)
    away = (points - points.mean(0)).norm(dim=1)
    assert away[found].max() < 0.25 * away.max()


@pytest.mark.slow
@every_model
def test_with_noise_added_nearly_all_points_are_reached_and_most_samples_end_on_the_outer_third(model):
    points = model.points.points
    made = trajectory(model, SamplerConfig(DDIM_WITH_NOISE))
    _, index = metrics.nearest(made.states[-1], points)
    outward = points.norm(dim=1).argsort(descending=True)
    share = {k: torch.isin(index, outward[:k]).double().mean().item() for k in (10, 33)}
    assert made.quality.covered >= 97 and made.quality.std > 0.55
    assert share == {10: pytest.approx(0.26, abs=0.02), 33: pytest.approx(0.73, abs=0.02)}


@pytest.mark.parametrize("model", [EXACT, FOURIER], ids=["exact", "fourier"])
def test_paths_of_ddpm_are_jittery_and_those_of_ddim_nearly_straight(model):
    def detour(sampler: str) -> float:
        x = trajectory(model, SamplerConfig(sampler), 200).states
        return ((x[1:] - x[:-1]).norm(dim=2).sum(0) / (x[-1] - x[0]).norm(dim=1)).median().item()

    assert detour(DDPM) == pytest.approx(4.5, abs=0.5) and detour(DDIM) == pytest.approx(1.0, abs=0.02)


def test_ddpms_step_is_longer_than_ddims_by_the_factor_1_plus_r():
    sigmas = SamplerConfig(DDPM, 64).sigmas
    (ddpm, up), (ddim, none) = step_sizes(SamplerConfig(DDPM, 64)), step_sizes(SamplerConfig(DDIM, 64))
    longer = (1 - ddpm / sigmas[:-1]) / (1 - ddim / sigmas[:-1])
    torch.testing.assert_close(longer, 1 + sigmas[1:] / sigmas[:-1], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close((ddpm**2 + up**2).sqrt(), sigmas[1:])
    assert not none.any()


LEVELS = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.0)


def times_the_floor(first: SamplerConfig, second: SamplerConfig, seeds: int) -> torch.Tensor:
    """How many noise floors two samplers' clouds of 2,000 are apart, in halves, at each of ``LEVELS`` [T]: the mean
    over seeds. The second has other seeds than the first, so that nothing is alike but the distribution."""
    clock = torch.tensor(LEVELS, dtype=torch.float64)
    pairs = [(replace(first, seed=seed), replace(second, seed=seeds + seed)) for seed in range(seeds)]
    found = [lesson.cloud_distance(*(trajectory(EXACT, each).at(clock) for each in pair), parts=2) for pair in pairs]
    return torch.stack(found).mean(0) / trajectories.energy_noise_floor(EXACT, LEVELS, 1000)


@pytest.mark.slow
def test_ddpm_and_ddim_have_the_same_marginals_to_twice_the_floor():
    assert (times_the_floor(SamplerConfig(DDPM, 256), SamplerConfig(DDIM, 256), 4) <= 2).all()


@pytest.mark.slow
def test_too_few_steps_are_seen_in_the_marginals():
    assert (times_the_floor(SamplerConfig(DDPM, 8), SamplerConfig(DDIM, 8), 4)[2:] > 2.5).all()
    assert (times_the_floor(SamplerConfig(DDPM, 8), SamplerConfig(DDIM, 64), 2)[4:] > 8).all()


@pytest.mark.slow
def test_a_sampler_without_its_noise_is_seen_in_the_marginals():
    assert (times_the_floor(SamplerConfig(DDPM), SamplerConfig(DDPM_NO_NOISE), 1)[1:] > 50).all()


def test_between_ends_at_ddim_and_at_ddpm():
    for sampler, eta in ((DDIM, 0.0), (DDPM, 1.0)):
        config = SamplerConfig(ETA_INTERPOLATED, 7, eta)
        assert torch.equal(samplers.last(samplers.run(config, DENOISE, X)), steps(sampler)[-1].x_next)
