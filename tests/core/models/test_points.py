"""One recipe, one run: reproducible, resumable, at the floor that the exact denoiser sets, and good."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from core import metrics, seeds
from core.data.points import make_points
from core.models import points as point_model
from core.models.points import PointConfig
from core.runs import checkpoints
from core.runs.progress import resume


def steps(run, n):
    """The progress after n steps."""
    return next(islice(run, n - 1, None))


def weights(progress):
    return torch.cat([p.flatten() for p in progress.state.ema.parameters()])


def test_the_same_recipe_on_the_same_data_gives_the_same_weights():
    points = make_points("spiral", 100)
    first, second = (steps(point_model.run(PointConfig(), points), 12) for _ in range(2))
    assert torch.equal(weights(first), weights(second))
    assert first.losses == second.losses and len(first.losses) == 1


def test_a_run_taken_up_from_a_saved_checkpoint_goes_on_bit_for_bit():
    points, how = make_points("moons", 60), PointConfig(endless=False)
    whole = steps(point_model.run(how, points), 24)
    half = steps(point_model.run(how, points), 10)
    kept = checkpoints.from_bytes(checkpoints.to_bytes(point_model.checkpoint_of(half, how, points)))
    again = steps(point_model.run(how, points, resume(kept)), 14)
    assert torch.equal(weights(whole), weights(again))
    assert point_model.config_of(kept.config) == how


def test_the_exact_loss_of_two_points_is_what_their_posterior_variance_says():
    """For points +-a on a line the exact denoiser is a tanh(a x / sigma^2); its loss follows by quadrature."""
    points = replace(make_points("spiral", 2), points=torch.tensor([[0.6, 0.0], [-0.6, 0.0]]), labels=None)
    how = PointConfig(endless=False, prediction="x0", noise="log-linear")
    sigma = torch.logspace(-2, 1, 400, dtype=torch.float64)[:, None]
    eps = torch.linspace(-6, 6, 801, dtype=torch.float64)
    density = (-(eps**2) / 2).exp() / (-(eps**2) / 2).exp().sum()
    error = (0.6 * torch.tanh(0.6 * (0.6 + sigma * eps) / sigma**2) - 0.6) ** 2
    expected = (error * density).sum(1).mean() / 2
    assert point_model.bayes_loss(how, points) == pytest.approx(expected.item(), rel=0.05)
    assert point_model.bayes_loss(replace(how, seed=7), points) == point_model.bayes_loss(how, points)


@pytest.mark.slow
def test_a_thousand_steps_put_nearly_all_samples_on_the_spiral():
    points = make_points("spiral", 100)
    progress = steps(point_model.run(PointConfig(), points), 1000)
    model = progress.state.ema
    samples = point_model.sample(model, 1000, model.sigma_data, seed=5)[-1]
    assert metrics.off_curve(samples, points.curve, 0.05) < 0.05
    real = points.sample(1000, seeds.generator(3))[0]
    assert metrics.energy_distance(samples, real) < 4 * metrics.noise_floor(points.sample, 1000)
    assert progress.losses[-1] == pytest.approx(point_model.bayes_loss(PointConfig(), points), rel=0.15)


def test_a_conditional_recipe_on_data_without_classes_is_refused_with_a_sentence(refused):
    with refused("data_no_classes", name="moons"):
        point_model.new_checkpoint(PointConfig(conditional=True), make_points("moons", 50))


def test_a_checkpoint_of_another_kind_of_model_is_refused_with_a_sentence(refused):
    config = point_model.new_checkpoint(PointConfig(conditional=True), make_points("spiral", 50)).config
    with refused("checkpoint_other_kind_of_points"):
        point_model.config_of(config)
    with refused("checkpoint_no_point_config"):
        point_model.config_of({"recipe": {"speed": 3}})


def test_a_model_saved_after_it_was_loaded_gives_the_same_answers():
    points, how = (
        make_points("spiral", 20),
        PointConfig(network="plain", endless=False, scale_input=False, batch=64, seed=4),
    )
    progress = steps(point_model.run(how, points), 5)
    other = replace(how, scale_input=True, prediction="v")
    kept = point_model.checkpoint_of(progress, other, make_points("rings", 100))
    again = checkpoints.from_bytes(checkpoints.to_bytes(kept)).denoiser
    x, sigma = torch.randn(9, 2, generator=torch.Generator().manual_seed(1)), torch.full((9,), 0.3)
    assert torch.equal(again(x, sigma), progress.state.ema(x, sigma))


@pytest.mark.parametrize(
    "lie", [{"lr": "x"}, {"lr": -3.0}, {"noise": "bogus"}, {"seed": -5}, {"seed": True}, {"batch": 10**9}, {"ema": 2.0}]
)
def test_a_recipe_with_a_value_that_no_run_can_have_is_refused_with_a_sentence(lie):
    config = point_model.describe(PointConfig(), make_points("spiral", 50))
    with pytest.raises(ValueError):
        point_model.config_of({**config, "recipe": {**config["recipe"], **lie}})


@pytest.mark.slow
def test_a_run_that_blew_up_forgets_the_loss_of_the_steps_it_lost():
    points = make_points("spiral", 50)
    progress = steps(point_model.run(PointConfig(), points), 96)
    with pytest.raises(ArithmeticError):
        steps(point_model.run(PointConfig(lr=1e6), points, progress), 100)
    again = steps(point_model.run(PointConfig(), points, progress), 1)
    assert len(again.losses) * 10 + len(again.block) == again.state.step
