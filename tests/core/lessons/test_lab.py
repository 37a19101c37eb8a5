"""The lab: a setup decides everything, what it costs is counted, and what the page claims is so."""

from dataclasses import replace

import pytest
import torch

from core.diffusion import samplers
from core.diffusion.samplers import DDIM, DDPM, SAMPLERS, SamplerConfig
from core.lessons import guidance as guidance_lesson
from core.lessons import lab as lab_lesson
from core.lessons.guidance import GuidanceConfig, guided_denoiser
from core.lessons.lab import EXACT, Config, calls, evaluate, net
from core.models import points as point_model
from core.pretrained import points_of

CAT, DOG = 2, 1
GUIDES = (
    GuidanceConfig(),
    GuidanceConfig(CAT),
    GuidanceConfig(CAT, scale=2.0),
    GuidanceConfig(CAT, DOG, 0.0),
    GuidanceConfig(CAT, scale=3.0, interval=(0.1, 1.0)),
)


class Counted:
    """The exact denoiser, which counts how often it is asked."""

    def __init__(self):
        self.ideal, self.calls = point_model.exact(points_of("spiral-classes-strong"), endless=False), 0

    def __call__(self, *asked):
        self.calls += 1
        return self.ideal(*asked)


def test_a_model_that_there_is_not_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="model"):
        lab_lesson.net("enormous")


@pytest.mark.parametrize("kind", [DDIM, "Heun"])
@pytest.mark.parametrize("guide", GUIDES)
def test_network_calls_are_counted_where_guidance_asks_twice(kind, guide):
    asked, way = Counted(), SamplerConfig(kind, 7)
    for _ in samplers.run(way, guided_denoiser(guide, asked), torch.ones(3, 2)):
        pass
    assert calls(Config(way=way, guide=guide)) == asked.calls


@pytest.mark.parametrize("kind", SAMPLERS)
def test_setups_of_one_seed_start_alike(kind):
    first, second = (
        evaluate(Config(way=SamplerConfig(kind, 2), guide=GuidanceConfig(CAT, scale=w)), 20) for w in (1.0, 4.0)
    )
    assert torch.equal(first.walk.states[0], second.walk.states[0])


def test_two_networks_lead_the_same_noise_to_nearly_the_same_places():
    itself, other = lab_lesson.apart(evaluate(Config()), evaluate(Config(net("plain network"))))
    assert itself < 0.15 < 0.7 < other


def test_by_ddpm_the_start_does_not_decide_where_a_particle_ends():
    walks = [evaluate(Config(way=SamplerConfig(DDPM, steps))) for steps in (64, 128)]
    itself, other = lab_lesson.apart(*walks)
    assert itself > 0.6 * other


def test_eulers_method_is_ddim():
    itself, _ = lab_lesson.apart(evaluate(Config()), evaluate(Config(way=SamplerConfig("Euler"))))
    assert itself < 1e-3


def test_guidance_mends_the_plain_network_at_the_price_of_spread():
    plain = Config(net("plain network"), SamplerConfig(DDIM), GuidanceConfig(CAT))
    told, guided = (evaluate(setup).marks for setup in (plain, replace(plain, guide=GuidanceConfig(CAT, scale=3.0))))
    assert guided.hit > told.hit + 0.05 and guided.spread < told.spread - 0.1 and guided.calls == 2 * told.calls


def test_exact_samples_are_at_the_noise_floor():
    assert evaluate(Config(net(EXACT), SamplerConfig(DDPM), GuidanceConfig(CAT))).marks.energy < 3
    assert evaluate(Config(net("after 50 steps"), SamplerConfig(DDPM), GuidanceConfig(CAT))).marks.energy > 10


def test_the_marks_are_the_verdict_on_the_samples():
    trial = evaluate(Config(guide=GuidanceConfig(DOG)))
    seen = guidance_lesson.quality_of(trial.samples, points_of("spiral-classes-strong"), DOG)
    assert (trial.marks.hit, trial.marks.distance, trial.marks.spread) == (seen.hit, seen.distance, seen.spread)
    assert torch.equal(trial.ends, guidance_lesson.classes_of(trial.samples, points_of("spiral-classes-strong")))


def test_models_of_one_name_are_told_apart_by_their_key():
    first, second = (lab_lesson.Net("your run", net(name).denoiser, name) for name in ("converged", "after 50 steps"))
    assert first != second and not torch.equal(evaluate(Config(first)).samples, evaluate(Config(second)).samples)


@pytest.mark.parametrize("name", ["Fourier network, 100 points", "reference network, 100 points", "endless spiral"])
def test_a_model_that_was_never_told_a_class_answers_all_alike(name):
    free, told = (
        evaluate(Config(net(name), SamplerConfig(DDIM, 8), GuidanceConfig(wanted, scale=4.0))) for wanted in (None, CAT)
    )
    assert torch.allclose(free.samples, told.samples, atol=1e-5)
