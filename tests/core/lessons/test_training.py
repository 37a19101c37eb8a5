"""Chapter 2: snapshots of a run, and the walks through one place, whose starts follow the exact denoiser's weights."""

from itertools import islice

import pytest
import torch

from core.data.points import make_points
from core.diffusion.exact import EmpiricalDenoiser
from core.lessons import training as lesson
from core.models import points as point_model
from core.models.points import PointConfig
from core.networks import NETWORKS
from core.runs.progress import Progress, resume

POINTS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
X = torch.tensor([0.4, 0.3], dtype=torch.float64)
SIGMAS = torch.tensor([0.3, 0.8], dtype=torch.float64)


def trained(config: PointConfig, name: str, n: int, steps: int) -> Progress:
    return next(islice(point_model.run(config, make_points(name, n)), steps - 1, None))


def test_a_snapshot_counts_the_steps_of_an_unfinished_block():
    progress = trained(PointConfig(batch=32), "spiral", 20, 13)
    snapshot = lesson.snapshot(progress, n=5, side=2)
    assert snapshot.losses.tolist() == pytest.approx([progress.losses[0], sum(progress.block) / 3])


def test_a_snapshot_of_an_untrained_network_holds_finite_samples_and_arrows_no_longer_than_a_cell():
    progress = resume(point_model.new_checkpoint(PointConfig(), make_points("rings", 50)))
    snapshot = lesson.snapshot(progress, n=20, side=5, reach=1.5)
    assert snapshot.samples.shape == (11, 20, 2) and snapshot.arrows.shape == (11, 25, 2)
    assert snapshot.samples.isfinite().all() and snapshot.sigmas[-1] == 0
    assert snapshot.arrows.norm(dim=-1).max() <= 1.8 * 1.5 / 5 + 1e-5


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_is_not_dead_before_it_is_trained_and_after_some_steps(network):
    points = make_points("spiral", 50)
    assert not point_model.is_dead(point_model.new_checkpoint(PointConfig(network=network), points).denoiser)
    young = trained(PointConfig(network=network, batch=64, lr=1e-6), "spiral", 50, 5)
    assert not point_model.is_dead(young.state.model)


def test_a_network_that_a_high_learning_rate_made_constant_is_dead():
    assert point_model.is_dead(trained(PointConfig(network="plain", batch=64, lr=1.0), "spiral", 50, 60).state.model)


def test_starts_are_drawn_with_the_exact_denoisers_weights():
    ideal = EmpiricalDenoiser(POINTS)
    starts = lesson.origins(ideal, X, SIGMAS, 20_000)
    share = (starts[:, :, None] == POINTS).all(-1).double().mean(1)
    assert torch.allclose(share, ideal.weights(X.expand(2, -1), SIGMAS), atol=2e-3)
    assert torch.allclose(starts.mean(1), ideal(X.expand(2, -1), SIGMAS), atol=2e-3)


def test_a_walk_begins_at_its_start_and_ends_at_the_place():
    starts = lesson.origins(EmpiricalDenoiser(POINTS), X, SIGMAS, 7)
    walks = lesson.bridges(starts, X, SIGMAS, 13)
    assert walks.shape == (2, 7, 14, 2)
    assert torch.allclose(walks[:, :, 0], starts) and torch.allclose(walks[:, :, -1], X.expand(2, 7, 2))


def test_a_step_of_a_walk_has_the_variance_of_its_share_of_the_noise():
    """Given both ends, each of N steps has variance sigma^2 / N (1 - 1/N)."""
    starts = X.expand(2, 40_000, 2)
    walks = lesson.bridges(starts, X, SIGMAS, 10)
    variance = walks.diff(dim=2).var(dim=1).mean(dim=(1, 2))
    assert torch.allclose(variance, SIGMAS**2 / 10 * 0.9, rtol=0.02)


def test_the_mean_last_step_is_the_mean_total_noise_divided_by_the_number_of_steps():
    starts = lesson.origins(EmpiricalDenoiser(POINTS), X, SIGMAS, 500)
    walks = lesson.bridges(starts, X, SIGMAS, 20)
    total = X - starts.mean(1)
    assert torch.allclose(lesson.last_step(walks) * 20, total)


def test_at_one_place_the_learned_arrow_stands_beside_the_exact_one():
    ideal = EmpiricalDenoiser(POINTS)
    walks = lesson.sample_through(X, SIGMAS, ideal, lambda x, sigma: torch.zeros_like(x), n=2000, steps=5)
    assert torch.allclose(walks.learned, -X.expand(2, 2))
    assert torch.allclose(walks.exact, walks.mean_start, atol=0.01)


def test_before_training_a_network_that_predicts_noise_has_no_arrow_and_an_edm_network_nearly_the_exact_one_far_out():
    points, sigmas, place = make_points("spiral", 100), torch.tensor([2.0, 0.1]), torch.tensor([0.5, 0.6])
    ideal, error = point_model.exact(points, True), {}
    for prediction in ("eps", "edm"):
        network = point_model.new_checkpoint(PointConfig(prediction=prediction), points).denoiser
        walks = lesson.sample_through(place, sigmas, ideal, network, n=10, steps=2)
        error[prediction] = ((walks.learned - walks.exact).norm(dim=1) / walks.exact.norm(dim=1)).tolist()
    assert error["eps"] == [1, 1] and error["edm"][0] < 0.02 and error["edm"][1] > 1
