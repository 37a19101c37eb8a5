"""Uses of a denoiser: starts at a level, inversion, inpainting; exact on Gaussian data, whose ODE is known."""

import pytest
import torch

from core import seeds
from core.diffusion import editing, samplers
from core.diffusion.exact import GaussianMixtureDenoiser
from core.diffusion.schedules import log_linear
from core.problems import Problem

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

SIGMAS = log_linear(0.05, 20).sigmas(200)[:-1]
X = seeds.gaussian((6, 2, 3), 0).double()


def gaussian(std: float = 0.7) -> GaussianMixtureDenoiser:
    """The exact denoiser of N(0, std^2) of shape [2, 3]."""
    return GaussianMixtureDenoiser(torch.zeros(1, 2, 3, dtype=torch.float64), torch.tensor([std], dtype=torch.float64))


def flow(x: torch.Tensor, sigma: float, to: float, std: float = 0.7) -> torch.Tensor:
    """Where the probability-flow ODE of that Gaussian leads from one level to another."""
    return x * ((std**2 + to**2) / (std**2 + sigma**2)) ** 0.5


def test_a_start_at_a_level_ends_where_the_flow_leads_the_noised_data():
    sigmas = editing.levels_from(SIGMAS, 2.0)
    states = editing.start_at(gaussian(), X, sigmas, seed=3)
    assert torch.equal(states[0], editing.add_noise(X, 2.0, 3))
    torch.testing.assert_close(states[-1], flow(states[0], 2.0, 0.05), rtol=0.03, atol=0)


def test_the_noise_of_a_row_is_the_same_at_every_level():
    more, less = (editing.add_noise(X, sigma, 1) - X for sigma in (2.0, 1.0))
    torch.testing.assert_close(more, 2 * less)


def test_a_part_of_a_grid_begins_at_the_level_and_keeps_all_lower_ones():
    sigmas = editing.levels_from(SIGMAS, 1.0)
    assert sigmas[0] == 1 and (sigmas.diff() < 0).all() and torch.equal(sigmas[1:], SIGMAS[SIGMAS < 1])
    assert torch.equal(editing.levels_from(SIGMAS, 20.0), SIGMAS)


@pytest.mark.parametrize("sigma", [0.05, 0.01, 20.5, float("nan")])
def test_a_level_outside_the_schedule_is_refused(sigma: float):
    with pytest.raises(Problem, match="outside the schedule"):
        editing.levels_from(SIGMAS, sigma)


def test_inversion_finds_the_noise_that_the_flow_comes_from():
    torch.testing.assert_close(editing.invert(gaussian(), X, SIGMAS), flow(X, 0.05, 20.0), rtol=0.05, atol=0)


def test_a_round_trip_comes_back_with_an_error_of_first_order():
    def error(steps: int) -> float:
        states = samplers.path(editing.round_trip(gaussian(), X, log_linear(0.05, 20).sigmas(steps + 1)[:-1]))
        assert len(states) == 2 * steps + 1
        return (states[-1] - X).abs().max().item()

    assert error(100) / error(200) == pytest.approx(2, rel=0.05)


def test_a_filled_in_part_keeps_what_is_known_and_follows_a_grid_to_0():
    mask = torch.zeros(1, 2, 3, dtype=torch.bool)
    mask[..., 0] = True
    x = samplers.start((6, 2, 3), 20.0, 0.7, 0).double()
    sigmas = log_linear(0.05, 20).sigmas(30)
    states = samplers.path(editing.fill_in(gaussian(), x, sigmas, X, mask, resamplings=2, seed=1))
    assert states.shape == (31, 6, 2, 3) and torch.equal(states[-1][..., 0], X[..., 0])
    assert states[-1][..., 1:].std() == pytest.approx(0.7, rel=0.3)


@pytest.mark.parametrize("kept, problem", [(True, "Everything is fixed"), (False, "Nothing is fixed")])
def test_a_mask_that_fixes_everything_or_nothing_is_refused(kept: bool, problem: str):
    with pytest.raises(Problem, match=problem):
        next(editing.fill_in(gaussian(), X, SIGMAS, X, torch.full((1, 2, 3), kept)))


def test_fewer_than_one_resampling_is_refused():
    with pytest.raises(Problem, match="at least once"):
        next(editing.fill_in(gaussian(), X, SIGMAS, X, torch.eye(3, dtype=torch.bool)[:1], resamplings=0))
