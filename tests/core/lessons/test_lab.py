"""The lab: a configuration decides everything, its network calls are counted, and what the page claims is so."""

from dataclasses import replace

import pytest
import torch

from core.diffusion import samplers
from core.diffusion.samplers import DDIM, DDPM, SAMPLERS, SamplerConfig
from core.lessons import guidance as guidance_lesson
from core.lessons import lab as lesson
from core.lessons.guidance import GuidanceConfig, guided_denoiser
from core.lessons.lab import EXACT, Config, calls, evaluate, model_of
from core.models.trajectories import PointModel

CAT, DOG = 2, 1
WEAK = "spiral-classes-weak"
GUIDANCE = (
    GuidanceConfig(),
    GuidanceConfig(CAT),
    GuidanceConfig(CAT, scale=2.0),
    GuidanceConfig(CAT, DOG, 0.0),
    GuidanceConfig(CAT, scale=3.0, interval=(0.1, 1.0)),
)


class Counted:
    """The exact denoiser, which counts its calls."""

    def __init__(self):
        self.ideal, self.calls = model_of(EXACT).denoise, 0

    def __call__(self, *given):
        self.calls += 1
        return self.ideal(*given)


@pytest.mark.parametrize("sampler", [DDIM, "heun"])
@pytest.mark.parametrize("guidance", GUIDANCE)
def test_network_calls_are_counted_where_guidance_makes_two(sampler, guidance):
    counted, config = Counted(), SamplerConfig(sampler, 7)
    for _ in samplers.run(config, guided_denoiser(guidance, counted), torch.ones(3, 2)):
        pass
    assert calls(Config(sampler=config, guidance=guidance)) == counted.calls


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_configurations_of_one_seed_start_alike(sampler):
    first, second = (
        evaluate(Config(sampler=SamplerConfig(sampler, 2), guidance=GuidanceConfig(CAT, scale=w)), 20)
        for w in (1.0, 4.0)
    )
    assert torch.equal(first.trajectory.states[0], second.trajectory.states[0])


@pytest.mark.slow
def test_two_networks_lead_the_same_noise_to_nearly_the_same_places():
    same, other = lesson.distances(evaluate(Config()), evaluate(Config(model_of(WEAK))))
    assert same < 0.15 < 0.7 < other


@pytest.mark.slow
def test_by_ddpm_the_start_does_not_decide_where_a_particle_ends():
    same, other = lesson.distances(*(evaluate(Config(sampler=SamplerConfig(DDPM, steps))) for steps in (64, 128)))
    assert same > 0.6 * other


def test_eulers_method_is_ddim():
    same, _ = lesson.distances(evaluate(Config()), evaluate(Config(sampler=SamplerConfig("euler"))))
    assert same < 1e-3


@pytest.mark.slow
def test_guidance_mends_the_plain_network_at_the_price_of_spread():
    plain = Config(model_of(WEAK), SamplerConfig(DDIM), GuidanceConfig(CAT))
    guided = replace(plain, guidance=GuidanceConfig(CAT, scale=3.0))
    before, after = (evaluate(config).metrics for config in (plain, guided))
    assert after.hit > before.hit + 0.05 and after.spread < before.spread - 0.1 and after.calls == 2 * before.calls


@pytest.mark.parametrize(("model", "good"), [(EXACT, True), ("spiral-classes-50", False)])
def test_exact_samples_are_at_the_noise_floor_and_an_early_models_are_not(model, good):
    energy = evaluate(Config(model_of(model), SamplerConfig(DDPM), GuidanceConfig(CAT))).metrics.energy
    assert energy < 3 if good else energy > 10


def test_the_metrics_are_the_quality_of_the_samples():
    result, points = evaluate(Config(guidance=GuidanceConfig(DOG))), lesson.spiral()
    quality, found = guidance_lesson.quality_of(result.samples, points, DOG), result.metrics
    assert (found.hit, found.distance, found.spread) == (quality.hit, quality.distance, quality.spread)
    assert torch.equal(result.classes, guidance_lesson.classes_of(result.samples, points))


def test_models_are_told_apart_by_their_keys():
    early = model_of("spiral-classes-50")
    first, second = (PointModel(key, early.denoise, early.points) for key in ("one", "another"))
    assert evaluate(Config(first), 20) is not evaluate(Config(second), 20)
    assert not torch.equal(evaluate(Config(first), 20).samples, evaluate(Config(), 20).samples)


@pytest.mark.parametrize("name", ["spiral-100-fourier", "spiral-100-reference", "spiral"])
def test_a_model_without_classes_answers_all_alike(name):
    free, guided = (
        evaluate(Config(model_of(name), SamplerConfig(DDIM, 8), GuidanceConfig(label, scale=4.0)))
        for label in (None, CAT)
    )
    assert torch.allclose(free.samples, guided.samples, atol=1e-5)


def test_a_model_of_mean_velocities_needs_few_steps_of_a_sampler_with_straight_steps():
    def distance(model: str, sampler: str) -> float:
        few = SamplerConfig(sampler, 2, schedule="rectified-flow")
        return evaluate(Config(model_of(model), few)).metrics.distance

    assert distance("spiral-flow-chords", DDIM) < 0.3 * distance("spiral-flow", DDIM)
    assert distance("spiral-flow-chords", DDIM) < 0.5 * distance("spiral-flow-chords", DDPM)
