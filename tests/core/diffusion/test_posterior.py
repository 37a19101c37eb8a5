"""Guidance by a measurement: Bayes' rule on points, in double precision."""

import pytest
import torch

from core import seeds
from core.diffusion import posterior
from core.diffusion.exact import EmpiricalDenoiser, GaussianMixtureDenoiser
from core.diffusion.guidance import cfg, condition, two_scales
from core.problems import Problem

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

POINTS = seeds.gaussian((30, 2), 5).double()
EXACT = EmpiricalDenoiser(POINTS, torch.arange(30) % 3)
X = 2 * seeds.gaussian((50, 2), 0).double()
OPERATOR, Y = torch.tensor([[0.6, 0.8]], dtype=torch.float64), torch.tensor([0.3], dtype=torch.float64)


def level(sigma: float) -> torch.Tensor:
    return torch.full((50,), sigma, dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0, 10.0])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_guidance_by_the_exact_classifier_is_classifier_free_guidance(sigma: float, scale: float):
    cond = {"label": torch.tensor([2])}
    probability = posterior.class_log_probability(EXACT, 2)
    by_classifier = posterior.guided_by(condition(EXACT, None), probability, scale)(X, level(sigma))
    torch.testing.assert_close(by_classifier, cfg(EXACT, cond, scale=scale)(X, level(sigma)), rtol=0, atol=1e-10)


def test_the_probabilities_of_the_classes_sum_to_1():
    total = sum(posterior.class_log_probability(EXACT, label)(X, level(0.4)).exp() for label in range(3))
    torch.testing.assert_close(total, torch.ones_like(total))


def test_two_scales_without_a_negative_are_classifier_free_guidance():
    cat, dog = ({"label": torch.tensor([label])} for label in (2, 1))
    both = two_scales(EXACT, cat, dog, 1.5, 0.0)(X, level(0.4))
    torch.testing.assert_close(both, cfg(EXACT, cat, scale=1.5)(X, level(0.4)))
    only = two_scales(EXACT, cat, dog, 0.0, 1.0)(X, level(0.4))
    u, n = (condition(EXACT, each)(X, level(0.4)) for each in (None, dog))
    torch.testing.assert_close(only, 2 * u - n)


def test_measured_points_are_weighted_by_bayes_rule():
    std, sigma = 0.2, 0.5
    joint = -((X[:, None] - POINTS).square().sum(2) / (2 * sigma**2)) - (POINTS @ OPERATOR[0] - Y).square() / (
        2 * std**2
    )
    found = posterior.measured_points(EXACT, OPERATOR, Y, std)(X, level(sigma))
    torch.testing.assert_close(found, joint.softmax(1) @ POINTS)


def test_the_estimate_is_exact_for_gaussian_data():
    """Of N(0, 1), measured with noise s: the clean point given x and y is known."""
    denoise = GaussianMixtureDenoiser(torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    std, sigma = 0.3, 0.8
    estimate = posterior.measurement_log_likelihood(denoise, OPERATOR, Y, std, 1.0)
    found = posterior.guided_by(denoise, estimate)(X, level(sigma))
    precision = (1 + 1 / sigma**2) * torch.eye(2, dtype=torch.float64) + OPERATOR.T @ OPERATOR / std**2
    known = torch.linalg.solve(precision, (X / sigma**2 + Y * OPERATOR / std**2).T).T
    torch.testing.assert_close(found, known)


@pytest.mark.parametrize("std", [0.0, -1.0, float("inf")])
def test_a_measurement_needs_an_error(std: float):
    with pytest.raises(Problem, match="positive number"):
        posterior.measured_points(EXACT, OPERATOR, Y, std)
