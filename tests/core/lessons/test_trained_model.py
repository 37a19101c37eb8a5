"""Chapter 7: what its five uses reach with the exact denoiser, and that the numbers of the page are true."""

import numpy as np
import pytest
import torch

from core import metrics
from core.lessons import trained_model as lesson
from core.lessons.trained_model import MODELS
from core.problems import Problem
from pages.ui.frame import text


@pytest.fixture(scope="module")
def quoted() -> dict:
    return text.catalogue("")["measured"]["trained_model"]


def test_the_data_have_a_root_mean_square_of_1():
    assert lesson.data().points.square().mean().sqrt().item() == pytest.approx(1)


def test_the_network_is_the_shipped_one_in_other_units():
    x, sigma = lesson.draw(50), torch.full((50,), 0.5)
    difference = lesson.learned()(x, sigma) - lesson.exact()(x, sigma)
    assert difference.square().mean().sqrt() < 0.15


@pytest.mark.parametrize("sigma, moved, distance", [(0.1, 0.20, 0.128), (0.5, 0.62, 0.062), (2.0, 1.30, 0.062)])
def test_a_circle_moves_farther_and_ends_no_nearer_from_a_higher_level(sigma, moved, distance):
    made = lesson.edit("exact", lesson.shape("circle"), sigma)
    assert made.moved == pytest.approx(moved, abs=0.03)
    assert made.distance == pytest.approx(distance, abs=0.02)


def test_the_network_does_as_the_question_of_the_page_says(quoted):
    little, first, second = (lesson.edit("learned", lesson.shape("circle"), sigma) for sigma in (0.1, 0.5, 2.0))
    assert round(first.moved, 1) == quoted["moved_first"] and second.moved > 2 * first.moved
    assert abs(first.distance - second.distance) < 0.01
    moved = {"01": little.moved, "05": first.moved, "2": second.moved}
    assert {name: round(value, 2) for name, value in moved.items()} == {name: quoted[f"moved_{name}"] for name in moved}
    assert round(little.distance, 2) == quoted["distance_01"]
    assert f"{first.distance:.2f}" == f"{second.distance:.2f}" == quoted["distance_end"]
    assert round(lesson.PERFECT_DISTANCE, 3) == quoted["perfect"]


def test_shapes_have_their_points_spread_evenly():
    for name in lesson.SHAPES:
        x = lesson.shape(name, 80)
        gaps = x.diff(dim=0).norm(dim=1)
        assert x.shape == (80, 2) and gaps.max() < 1.01 * gaps.median() + 1e-6
    with pytest.raises(Problem, match="no shape 'star'"):
        lesson.shape("star")


def test_what_repaint_fills_in_is_on_the_data_and_does_not_follow_the_conditional(quoted):
    once, often = (lesson.inpaint("exact", 0.0, resamplings) for resamplings in (1, 5))
    assert 0.94 <= once.on_data <= 0.98 and often.on_data >= 0.98
    assert (round(100 * once.on_data), round(100 * often.on_data)) == (quoted["on_1"], quoted["on_5"])
    assert all(0.33 <= made.w1 <= 0.41 and abs(made.w1 - quoted["w1"]) < 0.03 for made in (once, often))


def test_exact_samples_of_the_conditional_are_as_near_as_chance_allows():
    exact = lesson.inpaint_exactly(0.0)
    assert exact.on_data > 0.98 and exact.w1 < 1.5 * lesson.w1_floor(0.0)
    assert lesson.w1_floor(0.0, 8000) < 0.03


def test_the_exact_conditional_weighs_the_points_near_the_known_value():
    weights = lesson.conditional_weights(0.0)
    near = lesson.data().points[:, 0].abs() < 4 * lesson.SIGMA_MIN
    assert weights[near].sum().item() == pytest.approx(1, abs=1e-3)
    mean = (weights * lesson.data().points[:, 1]).sum().item()
    assert lesson.conditional_draws(0.0).mean().item() == pytest.approx(mean, abs=0.03)


def test_inversion_is_first_order_from_50_steps_on(quoted):
    errors = dict(zip(lesson.STEPS, lesson.inversion_errors("exact"), strict=True))
    wanted = {50: 0.021, 100: 0.010, 200: 0.005}
    assert {steps: round(errors[steps], 3) for steps in wanted} == wanted
    assert wanted == {steps: quoted[f"error_{steps}"] for steps in wanted}
    np.testing.assert_allclose(lesson.measured_of("exact").inversion_errors, list(errors.values()), rtol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_another_class_on_the_way_back_leads_to_that_class(name):
    states = lesson.round_trip(name, 1, 2, 50)
    assert (lesson.classes_of(states[0]) == 1).all()
    assert lesson.share_of_class(states[-1], 2) > 0.97


def test_the_log_likelihood_is_right_to_5_thousandths_of_a_nat(quoted):
    errors = [lesson.rms_error("exact", steps) for steps in (20, 50, 100)]
    assert errors[-1] <= 0.005
    np.testing.assert_allclose(errors, [quoted[f"nats_{steps}"] for steps in (20, 50, 100)], atol=0.002)
    np.testing.assert_allclose(errors, lesson.measured_of("exact").density_errors[2:], rtol=0.01)
    assert lesson.measured_of("learned").density_errors[-1].item() == pytest.approx(quoted["learned"], abs=0.005)
    kept = lesson.measured_of("learned").density_errors[2].item()
    assert lesson.rms_error("learned", 20) == pytest.approx(kept, rel=0.01)
    between = torch.tensor([[0.0, 0.9]])
    difference = lesson.log_density("learned", between, 100) - lesson.exact_log_density(between)
    assert round(difference.item(), 1) == quoted["between"]


def test_the_most_probable_place_is_more_probable_than_the_data_on_average(quoted):
    mean = lesson.exact_log_density(lesson.draw(20_000)).mean().item()
    highest = lesson.exact_log_density(lesson.data().points).max().item()
    assert f"{mean:.1f}".replace("-", "−") == quoted["mean"] and round(highest, 1) == quoted["highest"]


def test_the_kept_maps_are_those_of_the_model():
    places = lesson.vector_field.grid(lesson.SIDE, lesson.REACH)[820:860]
    found = lesson.log_density("exact", places, 50)
    np.testing.assert_allclose(lesson.measured_of("exact").maps[3].flatten()[820:860], found, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 5.0])
def test_not_a_class_is_exactly_a_negative_with_a_scale_that_depends_on_the_place(sigma):
    x, level = 1.3 * lesson.draw(60).double(), torch.full((60,), sigma, dtype=torch.float64)
    exact = lesson.exact(torch.float64)
    p = lesson.posterior.class_log_probability(exact, 2)(x, level).exp()[:, None]
    u, n = (lesson.condition(exact, lesson.cond(each))(x, level) for each in (None, 2))
    sure = (p < 1 - 1e-6)[:, 0]
    found = lesson.without_class("exact", 2, torch.float64)(x, level)
    torch.testing.assert_close(found[sure], (u - p / (1 - p) * (n - u))[sure], rtol=0, atol=1e-8)


def test_a_negative_with_one_scale_leaves_cats_and_the_exact_answer_none(quoted):
    runs = [lesson.with_negative("learned", 2, 2, 0.0, 0.2), lesson.without_class("learned", 2)]
    one, exact = (lesson.sample(each)[-1] for each in runs)
    cats = [lesson.share_of_class(each, 2) for each in (one, exact)]
    assert round(100 * cats[0]) == quoted["cats"] and cats[1] < 0.01
    assert lesson.share_on_data(exact) > 0.94


def test_a_negative_with_a_large_scale_leaves_the_data_and_collapses(quoted):
    def samples(name: str, scale: float) -> torch.Tensor:
        return lesson.sample(lesson.with_negative(name, 2, 2, 0.0, scale))[-1]

    network, exact = samples("learned", 2.0), samples("exact", 2.0)
    assert round(100 * (1 - lesson.share_on_data(samples("learned", 1.0)))) == quoted["off_1"]
    assert lesson.reached(network) == quoted["reached_2"] and lesson.share_on_data(network) > 0.9
    assert lesson.reached(exact) == quoted["exact_reached_2"]
    assert round(100 * (1 - lesson.share_on_data(exact))) == quoted["exact_off_2"]


def test_an_estimate_of_the_likelihood_is_poor_where_the_measurement_is_exact():
    def difference(std: float) -> float:
        estimate, exact = (lesson.sample(each)[-1] for each in
                           (lesson.measured("exact", -0.6, std), lesson.measured_exactly(-0.6, std)))  # fmt: skip
        assert metrics.distance_to(exact, lesson.data().points).mean() < 0.075
        return lesson.wasserstein(estimate[:, 1], exact[:, 1])

    assert difference(1.0) < 0.05 and difference(0.1) > 0.2


def test_a_model_that_is_not_there_is_refused():
    with pytest.raises(Problem, match="no model 'other'"):
        lesson.denoiser_of("other")
