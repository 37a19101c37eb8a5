"""The walks through one place: their starts follow the exact weights, and their last step is 1/N of all their noise."""

import torch

from core.diffusion.exact import EmpiricalDenoiser
from core.lessons import training as training_lesson

POINTS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
X = torch.tensor([0.4, 0.3], dtype=torch.float64)
SIGMAS = torch.tensor([0.3, 0.8], dtype=torch.float64)


def test_starts_are_drawn_with_the_exact_denoisers_weights():
    ideal = EmpiricalDenoiser(POINTS)
    starts = training_lesson.origins(ideal, X, SIGMAS, 20_000)
    share = (starts[:, :, None] == POINTS).all(-1).double().mean(1)
    assert torch.allclose(share, ideal.weights(X.expand(2, -1), SIGMAS), atol=2e-3)
    assert torch.allclose(starts.mean(1), ideal(X.expand(2, -1), SIGMAS), atol=2e-3)


def test_a_walk_begins_at_its_start_and_ends_at_the_place():
    starts = training_lesson.origins(EmpiricalDenoiser(POINTS), X, SIGMAS, 7)
    walks = training_lesson.bridges(starts, X, SIGMAS, 13)
    assert walks.shape == (2, 7, 14, 2)
    assert torch.allclose(walks[:, :, 0], starts) and torch.allclose(walks[:, :, -1], X.expand(2, 7, 2))


def test_a_step_of_a_walk_has_the_variance_of_its_share_of_the_noise():
    """Given both ends, each of N steps has variance sigma^2 / N (1 - 1/N)."""
    starts = X.expand(2, 40_000, 2)
    walks = training_lesson.bridges(starts, X, SIGMAS, 10)
    variance = walks.diff(dim=2).var(dim=1).mean(dim=(1, 2))
    assert torch.allclose(variance, SIGMAS**2 / 10 * 0.9, rtol=0.02)


def test_the_mean_last_step_is_the_mean_total_noise_divided_by_the_number_of_steps():
    starts = training_lesson.origins(EmpiricalDenoiser(POINTS), X, SIGMAS, 500)
    walks = training_lesson.bridges(starts, X, SIGMAS, 20)
    total = X - starts.mean(1)
    assert torch.allclose(training_lesson.last_step(walks) * 20, total)


def test_at_one_place_the_learned_arrow_stands_beside_the_exact_one():
    ideal = EmpiricalDenoiser(POINTS)
    passed = training_lesson.sample_through(X, SIGMAS, ideal, lambda x, sigma: torch.zeros_like(x), n=2000, steps=5)
    assert torch.allclose(passed.learned, -X.expand(2, 2))
    assert torch.allclose(passed.exact, passed.mean_start, atol=0.01)
