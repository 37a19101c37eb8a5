"""Guidance: its terms as arrows, and what it does to samples of exact and shipped models."""

from dataclasses import replace
from functools import cache
from itertools import islice

import pytest
import torch

from core.diffusion.guidance import cfg, condition
from core.lessons import guidance as guidance_lesson
from core.lessons import vector_field as vector_field_lesson
from core.lessons.guidance import MODELS, SIGMAS, ClassQuality, GuidanceConfig
from core.metrics import distance_to
from core.models import points as point_model
from core.pretrained import POINT_CONFIGS, points_of, pretrained
from core.problems import Problem

POINTS = points_of("spiral-classes-strong")
EXACT = point_model.exact(POINTS, endless=False)
PERSON, DOG, CAT = range(3)
WANTED, AWAY = ({"label": torch.tensor([label])} for label in (CAT, DOG))
X = torch.linspace(-1, 1, 12, dtype=torch.float64).view(6, 2)
LEVEL = torch.full((6,), 0.3, dtype=torch.float64)


def model(name: str):
    return EXACT if name == "exact" else pretrained(name).denoiser


@cache
def quality(name: str, config: GuidanceConfig, n: int = 400) -> ClassQuality:
    return guidance_lesson.sample(config, model(name), POINTS, n).quality


def hits(name: str, scale: float, n: int = 1000) -> float:
    """The hit rate over all three classes."""
    return guidance_lesson.mean_quality(
        [quality(name, GuidanceConfig(label, scale=scale), n) for label in range(3)]
    ).hit


def spread(name: str, scale: float, n: int = 1000) -> float:
    return guidance_lesson.mean_quality(
        [quality(name, GuidanceConfig(label, scale=scale), n) for label in range(3)]
    ).spread


# The guided denoiser


def test_guidance_is_classifier_free_guidance_away_from_its_negative():
    assert torch.equal(
        guidance_lesson.guided_denoiser(GuidanceConfig(CAT, None, 3), EXACT)(X, LEVEL),
        cfg(EXACT, WANTED, None, 3)(X, LEVEL),
    )
    assert torch.equal(
        guidance_lesson.guided_denoiser(GuidanceConfig(CAT, DOG, 3), EXACT)(X, LEVEL),
        cfg(EXACT, WANTED, AWAY, 3)(X, LEVEL),
    )


def test_without_a_class_the_denoiser_is_unconditional():
    assert torch.equal(guidance_lesson.guided_denoiser(GuidanceConfig(), EXACT)(X, LEVEL), EXACT(X, LEVEL))


def test_outside_its_interval_guidance_is_plain_conditional():
    config = GuidanceConfig(CAT, scale=3, interval=(0.1, 0.2))
    assert torch.equal(
        guidance_lesson.guided_denoiser(config, EXACT)(X, LEVEL), guidance_lesson.target(config, EXACT)(X, LEVEL)
    )
    assert torch.equal(
        guidance_lesson.guided_denoiser(config, EXACT)(X, LEVEL / 2), cfg(EXACT, WANTED, scale=3)(X, LEVEL / 2)
    )


def test_a_weaker_model_stands_in_place_of_the_unconditional_answer():
    config, x, level = GuidanceConfig(CAT, scale=2, weak_model="spiral-classes-100"), X.float(), LEVEL.float()
    strong, weak = (condition(model(name), WANTED)(x, level) for name in ("spiral-classes-strong", config.weak_model))
    torch.testing.assert_close(
        guidance_lesson.guided_denoiser(config, model("spiral-classes-strong"))(x, level), weak + 2 * (strong - weak)
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"scale": float("nan")}, "guidance_scale"),
        ({"label": -1}, "guidance_label"),
        ({"negative": -2}, "guidance_label"),
        ({"interval": (0.5, 0.5)}, "guidance_interval"),
        ({"weak_model": "tired"}, "guidance_weak_model"),
        ({"weak_model": "spiral-classes-weak", "negative": 1}, "guidance_two_bases"),
    ],
)
def test_guidance_that_cannot_be_computed_is_refused(given, code):
    with pytest.raises(Problem) as caught:
        GuidanceConfig(**given)
    assert caught.value.code == code and "%" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name.split("-")[-1].isdigit()])
def test_an_early_model_is_the_run_of_the_strong_one_stopped_early(name):
    steps = int(name.split("-")[-1])
    assert POINT_CONFIGS[name][1] == replace(POINT_CONFIGS["spiral-classes-strong"][1], steps=steps)
    if steps == 50:
        progress = next(islice(point_model.run(POINT_CONFIGS["spiral-classes-strong"][1], POINTS), steps - 1, None))
        for ours, shipped in zip(progress.state.ema.parameters(), pretrained(name).denoiser.parameters()):
            torch.testing.assert_close(ours, shipped, rtol=1e-3, atol=1e-4)


# Arrows


def test_fields_are_drawn_to_one_scale_so_that_the_difference_joins_the_tips():
    drawn = guidance_lesson.fields(GuidanceConfig(CAT, DOG, 4), EXACT, POINTS.rms, side=5, reach=1.2)
    assert drawn.base.shape == (len(SIGMAS), 25, 2)
    assert torch.allclose(drawn.base + drawn.difference, drawn.target, atol=1e-5)
    assert torch.allclose(drawn.base + 4 * drawn.difference, drawn.guided, atol=1e-5)
    assert max(part.norm(dim=2).max() for part in (drawn.base, drawn.target, drawn.guided)) <= 0.48 + 1e-5


@pytest.mark.parametrize("name", ["exact", "spiral-classes-strong"])
def test_conditional_and_unconditional_arrows_agree_at_large_sigma_and_part_where_the_arms_are_told_apart(name):
    angle = guidance_lesson.angles(
        GuidanceConfig(CAT), model(name), POINTS.points, torch.tensor([5.0, 1.0, 0.15, 0.02])
    )
    assert angle[0] < 3 and angle[1] < 15 and angle[2] > 90 and angle[3] > 45


def test_where_the_data_of_the_class_are_the_arrows_agree_again_near_zero():
    own = POINTS.points[POINTS.labels == CAT]
    angle = guidance_lesson.angles(GuidanceConfig(CAT), EXACT, own, torch.tensor([0.2, 0.02]))
    assert angle[0] > 50 and angle[1] < 5


@pytest.mark.parametrize(
    "config",
    [GuidanceConfig(CAT, scale=2.5), GuidanceConfig(CAT, DOG, 3), GuidanceConfig(DOG, weak_model="spiral-classes-50")],
)
def test_the_terms_add_up(config):
    parts = guidance_lesson.terms(config, model("spiral-classes-strong"), POINTS.rms, (0.4, -0.3))
    assert torch.allclose(parts.difference, parts.target - parts.base, atol=1e-6)
    assert torch.allclose(parts.scaled, config.scale * parts.difference, atol=1e-5)
    assert torch.allclose(parts.base + parts.scaled, parts.guided, atol=1e-6)
    s = config.scale - 1
    assert torch.allclose((1 + s) * parts.target - s * parts.base, parts.guided, atol=1e-5)


def test_the_terms_are_those_of_the_state_that_is_drawn_at_their_place():
    parts = guidance_lesson.terms(GuidanceConfig(CAT), EXACT, POINTS.rms, (0.4, -0.3))
    assert torch.allclose(parts.x * guidance_lesson.alpha(POINTS.rms)[:, None], torch.tensor([[0.4, -0.3]]))
    reading = vector_field_lesson.read(condition(EXACT, WANTED), tuple(parts.x[7].tolist()), SIGMAS[7:8], "ve")
    assert torch.allclose(reading.x0[0], parts.guided[7], atol=1e-5)


# Samples


def test_the_data_have_the_quality_of_exact_samples():
    for label in range(3):
        real, labels = POINTS.even(3000)
        assert (guidance_lesson.classes_of(real, POINTS) == labels).float().mean() > 0.995
        found = guidance_lesson.quality_of(real[labels == label], POINTS, label)
        assert found.hit > 0.99 and found.coverage == 1 and found.distance < 0.01
        assert found.spread == pytest.approx(1, abs=0.03)


def test_one_place_repeated_hits_and_has_no_spread():
    found = guidance_lesson.quality_of(POINTS.points[POINTS.labels == CAT][:1].repeat(50, 1), POINTS, CAT)
    assert found.hit == 1 and found.spread == 0 and found.coverage == pytest.approx(1 / 33)
    assert found.shares == (0, 0, 1)


def test_without_a_class_the_whole_spiral_is_wanted():
    found = guidance_lesson.quality_of(POINTS.points, POINTS, None)
    assert found.hit == found.coverage == 1 and found.shares == pytest.approx((0.33, 0.34, 0.33))


def test_the_mean_quality_is_taken_number_by_number():
    one, other = ClassQuality((1.0, 0.0), 1.0, 0.5, 0.25, 2.0), ClassQuality((0.5, 0.5), 0.5, 1.0, 0.75, 1.0)
    assert guidance_lesson.mean_quality([one, other]) == ClassQuality((0.75, 0.25), 0.75, 0.75, 0.5, 1.5)


def test_a_sweep_has_one_start_and_is_reproducible():
    first, second = (
        guidance_lesson.sweep(GuidanceConfig(CAT), EXACT, POINTS, 50, seed=3, scales=(0, 1, 4)) for _ in range(2)
    )
    assert [run.config.scale for run in first] == [0, 1, 4]
    assert all(torch.equal(run.states[0], first[0].states[0]) for run in first)
    assert all(torch.equal(a.states, b.states) and a.quality == b.quality for a, b in zip(first, second))
    assert torch.equal(first[0].classes, guidance_lesson.classes_of(first[0].states[-1], POINTS))


@pytest.mark.parametrize("name", ["exact", "spiral-classes-strong", "spiral-classes-weak"])
def test_without_guidance_a_third_of_the_samples_are_of_the_wanted_class(name):
    assert hits(name, 0) == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.slow
def test_plain_conditional_samples_are_mushy_only_with_a_weak_or_early_model():
    assert hits("spiral-classes-strong", 1) > 0.99 and hits("exact", 1) == 1
    assert 0.90 < hits("spiral-classes-weak", 1) < 0.96
    assert hits("spiral-classes-50", 1) < 0.85 and hits("spiral-classes-100", 1) < 0.93


@pytest.mark.slow
def test_nine_in_ten_of_the_weak_models_samples_are_on_the_arm_of_their_class_and_guidance_brings_the_rest():
    def on_arm(scale: float) -> float:
        runs = [
            guidance_lesson.sample(GuidanceConfig(k, scale=scale), model("spiral-classes-weak"), POINTS, 1000)
            for k in range(3)
        ]
        near = [
            distance_to(run.states[-1], guidance_lesson.arms(POINTS)[run.config.label])
            < guidance_lesson.COVERAGE_RADIUS
            for run in runs
        ]
        return torch.cat(near).float().mean().item()

    assert on_arm(1) == pytest.approx(0.89, abs=0.02) and on_arm(2) > 0.97


@pytest.mark.slow
def test_at_scale_2_weak_and_strong_models_are_both_right():
    assert hits("spiral-classes-strong", 2) > 0.998 and hits("exact", 2) > 0.998
    assert hits("spiral-classes-weak", 2, 4000) == pytest.approx(0.988, abs=0.004)


@pytest.mark.slow
def test_guidance_brings_the_weak_models_hits_from_94_to_99_percent_and_its_cats_from_88_to_97_and_a_half():
    assert hits("spiral-classes-weak", 1, 4000) == pytest.approx(0.938, abs=0.005)
    cats = [quality("spiral-classes-weak", GuidanceConfig(CAT, scale=w), 4000).hit for w in (1, 2)]
    assert cats[0] == pytest.approx(0.88, abs=0.01) and cats[1] == pytest.approx(0.975, abs=0.005)


@pytest.mark.parametrize("name", ["exact", pytest.param("spiral-classes-strong", marks=pytest.mark.slow)])
def test_guidance_costs_diversity(name):
    n = 4000 if name == "spiral-classes-strong" else 1000
    assert spread(name, 1, n) == pytest.approx(1, abs=0.03)
    assert spread(name, 2, n) == pytest.approx(0.87, abs=0.03)
    assert spread(name, 4, n) == pytest.approx(0.62, abs=0.03)


def test_too_much_guidance_loses_points_and_leaves_the_arm():
    plain, guided, strong = (quality("spiral-classes-strong", GuidanceConfig(CAT, scale=w)) for w in (1, 2, 12))
    assert plain.coverage == guided.coverage == 1 and strong.coverage < 0.8
    assert strong.distance > 20 * guided.distance


def test_strong_guidance_moves_an_early_models_samples_off_the_arm():
    plain, strong = (quality("spiral-classes-50", GuidanceConfig(CAT, scale=w)) for w in (1, 4))
    assert strong.hit > plain.hit and strong.coverage < 0.1 and strong.distance > 2 * plain.distance


def test_without_label_dropout_unconditional_samples_are_of_one_class_and_guided_ones_off_the_arm():
    free, plain, guided = (quality("spiral-classes-told", GuidanceConfig(CAT, scale=w)) for w in (0, 1, 2))
    assert free.hit < 0.05 and plain.hit > 0.98 and plain.distance < 0.02
    assert guided.distance > 1 and guided.coverage == 0


def test_a_negative_prompt_drives_the_samples_of_the_unwanted_class_away():
    plain, away = (
        quality("spiral-classes-weak", GuidanceConfig(CAT, scale=2)),
        quality("spiral-classes-weak", GuidanceConfig(CAT, DOG, 2)),
    )
    assert plain.shares[DOG] > 0.02 and away.shares[DOG] == 0 and away.hit > plain.hit
    free, without = (
        quality("spiral-classes-strong", GuidanceConfig()),
        quality("spiral-classes-strong", GuidanceConfig(None, DOG, 2)),
    )
    assert free.shares[DOG] > 0.3 and without.shares[DOG] < 0.12


def test_away_from_a_neighbouring_class_is_soon_off_the_arm():
    plain, away = (quality("spiral-classes-strong", GuidanceConfig(CAT, negative, 2)) for negative in (None, DOG))
    assert plain.distance < 0.01 and away.hit == 1 and away.distance > 0.15


def test_an_interval_keeps_the_hits_and_more_of_the_spread():
    always, sometimes = (
        quality("spiral-classes-weak", GuidanceConfig(CAT, scale=4, interval=i)) for i in (None, (0.1, 1.0))
    )
    assert sometimes.hit > 0.98 and sometimes.spread > always.spread + 0.1


def test_autoguidance_keeps_the_spread_that_guidance_costs():
    guided, auto = (
        quality("spiral-classes-strong", GuidanceConfig(PERSON, scale=4, weak_model=weak))
        for weak in (None, "spiral-classes-500")
    )
    assert auto.hit > 0.98 and auto.spread > 0.9 > 0.6 > guided.spread and auto.coverage > guided.coverage


def test_autoguidance_away_from_another_kind_of_model_does_harm():
    plain, auto = (
        quality("spiral-classes-weak", GuidanceConfig(CAT, scale=w, weak_model="spiral-classes-200")) for w in (1, 2)
    )
    assert auto.hit < plain.hit - 0.05


# A run of training


def test_a_snapshot_does_not_change_while_the_training_goes_on():
    steps = point_model.run(point_model.PointConfig(conditional=True), POINTS)
    snapshot = guidance_lesson.snapshot(next(steps))
    before = [value.clone() for value in snapshot.model.parameters()]
    later = next(islice(steps, 20, None))
    assert snapshot.step == 1 and later.state.step == 22
    assert all(torch.equal(a, b) for a, b in zip(before, snapshot.model.parameters()))
