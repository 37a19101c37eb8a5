"""The scenes of chapter 5, and that they show the numbers that its sentences quote."""

import re

import pytest
import torch

from core.data import CLASSES
from core.lessons.guidance import WEAK_MODELS
from core.pretrained import shipped
from pages.ui.frame import links, text
from pages.ui.lessons import guidance as scenes
from pages.ui.lessons import guidance_curves, guidance_live, guidance_panels
from pages.ui.lessons.guidance import SCENES, WIDEST
from pages.ui.lessons.guidance_config import EARLY, EXACT, MODELS, STRONG, WEAK, Config

CAT = CLASSES.index("cat")


def config(**given: str) -> Config:
    found, ignored = links.parse(Config, given)
    assert not ignored
    return found


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    return text.catalogue("")["measured"]["guidance"]


def roles(panel) -> list[str]:
    return [layer.colour for layer in panel.layers]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_picture_that_names_it(name):
    assert text.label("models", name) in SCENES["two_fields"](config(model=name)).alt


def test_the_two_fields_and_their_difference_are_three_arrows_at_each_place():
    fields, angle = SCENES["two_fields"](Config()).panels
    _, *arrows = fields.layers
    assert [arrow.colour for arrow in arrows] == ["difference", "conditional", "unconditional"]
    assert {arrow.by.shape[1] for arrow in arrows} == {scenes.SIDE**2}
    assert angle.marker is not None


def test_the_angle_is_small_at_first_and_widest_where_the_arms_are_told_apart():
    every, _ = scenes.angles_of(shipped(STRONG), CAT)
    assert every[0] < 5 and every.argmax() == WIDEST and every[WIDEST] > 90


def test_the_formula_is_filled_in_with_numbers_in_both_conventions():
    asked = config(show="one_place", scale="3")
    plane, lengths = SCENES["one_place"](asked).panels
    ours, other = (panel.caption[WIDEST].replace("−", "-") for panel in (plane, lengths))
    numbers = [float(n) for n in re.findall(r"-?[\d.]+(?=[,)])", ours)]
    u, difference, guided = numbers[:2], numbers[2:4], numbers[4:]
    assert all(abs(a + 3 * b - g) < 0.04 for a, b, g in zip(u, difference, guided, strict=True))
    parts = scenes.terms_of(asked, shipped(STRONG))
    drawn = guidance_panels.ALPHA[WIDEST] * parts.guided[WIDEST]
    assert guided == pytest.approx(drawn.tolist(), abs=0.006)  # where the arrow ends on the axes
    assert other.startswith("(1 + s) c - s u = 3 (") and "- 2 (" in other


def test_the_guided_arrow_ends_where_the_formula_says_and_inside_of_the_picture():
    asked = config(show="one_place", scale="12")
    plane, _ = SCENES["one_place"](asked).panels
    guided = plane.layers[-1]
    tips = guided.at + guided.by
    parts = scenes.terms_of(asked, shipped(STRONG))
    torch.testing.assert_close(tips[:, 0], guidance_panels.ALPHA[:, None] * parts.guided, rtol=0, atol=1e-4)
    assert tips.abs().max() <= plane.xlim[1] and plane.xlim[1] > guidance_panels.REACH


def test_a_negative_prompt_draws_the_red_field_and_the_guided_one_over_its_samples():
    fields, plain, negative = SCENES["negative_prompt"](config(show="negative_prompt")).panels
    assert roles(fields)[1:] == ["difference", "conditional", "negative"]
    assert roles(plain) == ["grid", CLASSES] and roles(negative) == ["grid", CLASSES, "guided"]


@pytest.mark.parametrize("wanted", CLASSES)
def test_a_class_is_no_negative_of_itself(wanted):
    for negative in CLASSES:
        assert config(wanted=wanted, negative=negative).negative_label != CLASSES.index(wanted)
    assert wanted not in config(wanted=wanted).negatives


def test_an_interval_and_autoguidance_keep_more_of_the_spread_than_plain_guidance():
    asked = config(show="beyond")
    plain, *runs = (run.quality for run in scenes.beyond_samples(asked, shipped(EARLY)))
    assert all(run.hit > plain.hit for run in runs)
    guided, interval, auto = (run.spread for run in runs)
    assert guided < interval < plain.spread and guided < auto
    assert len(SCENES["beyond"](asked).panels) == 4


def test_for_people_guidance_lowers_the_spread_much_more_and_autoguidance_does_not():
    asked = config(show="beyond", wanted="person")
    plain, guided, interval, auto = (run.quality.spread for run in scenes.beyond_samples(asked, shipped(EARLY)))
    assert max(guided, interval) < 0.7 and auto >= plain


def test_the_two_variants_open_with_a_model_that_guidance_improves():
    asked = config(show="beyond")
    assert asked.chosen == EARLY and asked.weak in WEAK_MODELS


def test_guidance_in_an_interval_without_a_noise_level_is_plain_conditional():
    plain, _, within, _ = scenes.beyond_samples(config(show="beyond", interval="0.1,0.1"), shipped(STRONG))
    assert within is plain


@pytest.mark.slow
def test_samples_outside_of_the_picture_are_counted_where_they_are_many():
    runs = scenes.sweep_of(shipped(STRONG), CAT, 0)
    near, far = guidance_panels.off(runs[2]), guidance_panels.off(runs[-1])
    outside = (runs[-1].states[-1].abs() > guidance_panels.REACH).any(1).double().mean().item()
    assert near == text.t("guidance.captions.off", distance=runs[2].quality.distance)
    assert outside > 0.05 and far == text.t("guidance.captions.outside", share=outside)


def test_at_rest_the_live_scene_shows_the_shipped_model_of_its_dropout_or_an_untrained_one():
    shipped_one, untrained = (SCENES["train_live"](config(dropout=dropout)) for dropout in ("0.1", "0.3"))
    assert guidance_live.training_of(0.1).shipped == STRONG and not guidance_live.training_of(0.3).shipped
    assert len(shipped_one.panels) == 4 and untrained.alt.startswith(
        text.t("guidance.train_live.alt", step=0, captions="")
    )


def test_the_tasks_are_done_by_what_they_name():
    weak, strong, early = map(shipped, (WEAK, STRONG, EARLY))
    there = {"show": "negative_prompt"}
    assert not scenes.sharp_without_negative(config(**there), weak)
    assert scenes.sharp_without_negative(config(**there, negative_scale="3"), weak)
    assert not scenes.sharp_without_negative(config(**there, negative_scale="3", negative_model=STRONG), strong)
    assert not scenes.spread_kept(config(show="beyond"), early)
    assert scenes.spread_kept(config(show="beyond", wanted="person"), early)
    assert not scenes.spread_kept(config(show="beyond", beyond_scale="3", wanted="person"), early)


def test_the_negative_prompt_opens_with_a_model_that_has_something_to_remove():
    asked = config(show="negative_prompt")
    assert (asked.negative_model, asked.negative_scale) == (WEAK, 1.25)
    plain, negative = scenes.negative_samples(asked, shipped(WEAK))
    wanted, unwanted = asked.label, asked.negative_label
    assert negative.quality.shares[unwanted] < 0.6 * plain.quality.shares[unwanted]
    assert negative.quality.shares[wanted] > plain.quality.shares[wanted] + 0.04
    assert scenes.nothing_to_remove(config(show="negative_prompt", negative_model=STRONG), shipped(STRONG))


def test_weak_and_converged_models_are_seen_without_guidance_and_with_it():
    panels = SCENES["weak_and_converged"](Config()).panels
    assert len(panels) == 2 * len(scenes.COMPARED)
    hits = [[scenes.samples_of(scenes.model_of(name), scenes.GuidanceConfig(CAT, scale=w), 0).quality.hit
             for name in scenes.COMPARED] for w in (1.0, 2.0)]  # fmt: skip
    assert max(hits[0][:2]) < 0.9 and hits[0][2] > 0.99 and min(hits[1]) > 0.94


def test_the_clock_moves_to_the_right_in_every_chart_of_the_noise_level():
    for name in ("two_fields", "one_place"):
        chart = SCENES[name](Config()).panels[1]
        assert chart.xreversed and (chart.marker.diff() <= 0).all()


# What the sentences say


def percent(share: float, digits: int = 0) -> float:
    return round(100 * share, digits)


def test_the_shares_of_people_that_a_note_quotes_are_those_of_the_picture(measured):
    asked = config(show="negative_prompt")
    runs = scenes.negative_samples(asked, shipped(WEAK))
    shares = [percent(run.quality.shares[asked.negative_label], 1) for run in runs]
    assert shares == [measured["people"], measured["people_negative"]]


def test_how_much_too_small_the_change_is_where_cats_end_on_wrong_arms_is_what_a_note_quotes(measured):
    weak, exact = (scenes.model_of(name).denoise for name in (WEAK, EXACT))
    cats = scenes.GuidanceConfig(CAT)
    run = scenes.samples_of(shipped(WEAK), cats, 0)
    along, length = 0.0, 0.0
    for k in range(7, WIDEST + 1):  # from sigma 0.5 to 0.19
        x = (run.states[k] / guidance_panels.ALPHA[k])[run.classes != CAT]
        level = scenes.FIELD_SIGMAS[k].expand(len(x))
        with torch.no_grad():
            u, c = (answer(cats, weak)(x, level) for answer in (scenes.lesson.base, scenes.lesson.target))
            best = scenes.lesson.target(cats, exact)(x, level)
        along, length = along + ((best - u) * (c - u)).sum(), length + ((c - u) ** 2).sum()
    assert round((along / length).item()) == measured["missing_change"]


@pytest.mark.slow
def test_the_plain_networks_cats_that_a_note_and_a_hint_quote_are_those_of_the_picture(measured):
    runs = {run.config.scale: run.quality for run in scenes.sweep_of(shipped(WEAK), CAT, 0)}
    assert [percent(runs[w].hit) for w in (1, 2)] == [measured["plain_cat_1"], measured["plain_cat_2"]]


@pytest.mark.slow
def test_the_means_that_a_note_quotes_are_those_of_the_curves(measured):
    strong, weak = (
        dict(zip(scenes.lesson.SCALES, guidance_curves.quality_over_scales(shipped(name)), strict=True))
        for name in (STRONG, WEAK)
    )
    assert [percent(weak[w].hit) for w in (1, 2)] == [measured["plain_hit_1"], measured["plain_hit_2"]]
    assert strong[1].hit > 0.99 and strong[2].hit > 0.99
    assert [strong[w].spread for w in (2, 4)] == pytest.approx([measured["spread_2"], measured["spread_4"]], abs=0.025)
    assert strong[12].coverage < 0.8 and strong[12].distance > 0.1
