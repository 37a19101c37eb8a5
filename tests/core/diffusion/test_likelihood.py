"""The log-density by the flow ODE, against closed forms in double precision."""

import pytest
import torch

from core import seeds
from core.diffusion import likelihood
from core.diffusion.exact import EmpiricalDenoiser, GaussianMixtureDenoiser
from core.diffusion.schedules import log_linear

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

POINTS = seeds.gaussian((12, 2), 5).double()
EXACT = EmpiricalDenoiser(POINTS)
X = seeds.gaussian((7, 2), 0).double()


def levels(steps: int, sigma_max: float = 60.0) -> torch.Tensor:
    return log_linear(0.3, sigma_max).sigmas(steps + 1)[:-1]


@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_the_trace_by_differentiation_is_the_one_in_closed_form(sigma: float):
    level = torch.full((7,), sigma, dtype=torch.float64)
    (first, trace), (second, known) = (
        make(EXACT)(X, level) for make in (likelihood.exact_trace, likelihood.posterior_trace)
    )
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(trace, known, rtol=1e-9, atol=1e-12)


def test_hutchinsons_estimate_has_the_trace_as_its_mean():
    level = torch.full((7,), 0.5, dtype=torch.float64)
    _, trace = likelihood.exact_trace(EXACT)(X, level)
    _, estimate = likelihood.estimated_trace(EXACT, seed=1, probes=2000)(X, level)
    torch.testing.assert_close(estimate, trace, rtol=0, atol=0.05)


def test_the_log_density_of_a_gaussian_of_any_shape_is_exact():
    std = torch.tensor([0.8], dtype=torch.float64)
    denoise = GaussianMixtureDenoiser(torch.zeros(1, 2, 3, dtype=torch.float64), std)
    x = seeds.gaussian((4, 2, 3), 2).double()
    found = likelihood.log_likelihood(likelihood.exact_trace(denoise), x, levels(400), 0.8)
    known = likelihood.gaussian_log_density(x, (0.8**2 + 0.3**2) ** 0.5)
    torch.testing.assert_close(found, known, rtol=0, atol=2e-3)


def test_the_error_is_of_second_order():
    """By the changes between step counts, which leave out that the data are no Gaussian at the highest level."""
    traced = likelihood.posterior_trace(EXACT)
    found = [likelihood.log_likelihood(traced, X, levels(steps), 1.0) for steps in (50, 100, 200)]
    changes = torch.stack(found).diff(dim=0).square().mean(1).sqrt()
    assert (changes[0] / changes[1]).item() == pytest.approx(4, rel=0.15)
