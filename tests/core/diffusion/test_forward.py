import math

import pytest
import torch

from core.data.points import make_points
from core.diffusion import forward
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.schedules import SCHEDULES, linear_alpha_bar, make_schedule, scale

ORIGIN = torch.zeros(20_000, 2, dtype=torch.float64)


@pytest.mark.parametrize("name", SCHEDULES)
def test_levels_ascend_from_the_data_to_the_end_of_the_schedule(name: str):
    schedule = make_schedule(name)
    sigma = forward.levels(schedule, 13)
    assert len(sigma) == 14 and sigma[0] == 0
    assert (sigma.diff() > 0).all()
    assert sigma[-1].item() == pytest.approx(schedule.sigma_max, rel=1e-6)


def test_the_jump_at_the_scale_of_ddpm_is_the_jump_of_ddpm():
    alpha_bar = linear_alpha_bar()[[0, 499, 999]]
    sigma = ((1 - alpha_bar) / alpha_bar).sqrt()
    x0, eps = torch.tensor([0.3, -0.2], dtype=torch.float64), torch.tensor([1.5, -0.7], dtype=torch.float64)
    ours = forward.in_view(forward.jump(x0, sigma, eps), sigma, "vp")
    theirs = alpha_bar.sqrt()[:, None] * x0 + (1 - alpha_bar).sqrt()[:, None] * eps
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_each_step_of_a_walk_is_fresh_noise_of_the_missing_variance():
    sigma = torch.tensor([0.0, 0.1, 0.5, 0.5, 2.0], dtype=torch.float64)
    steps = forward.random_walk(ORIGIN, sigma, seed=1).diff(dim=0)
    assert (steps[2] == 0).all()
    unit = (steps / sigma.square().diff().sqrt().clamp(min=1e-9)[:, None, None])[[0, 1, 3]].reshape(3, -1)
    torch.testing.assert_close(unit @ unit.T / unit.shape[1], torch.eye(3, dtype=torch.float64), rtol=0, atol=0.03)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_a_walk_of_any_number_of_steps_has_the_variance_of_the_jump(steps: int):
    sigma = forward.levels(make_schedule("cosine"), steps)
    walk = forward.random_walk(ORIGIN, sigma, seed=2)
    torch.testing.assert_close(walk[1:].square().mean((1, 2)), sigma[1:] ** 2, rtol=0.03, atol=0)


def test_the_mean_square_last_step_and_the_rest_of_the_walk_add_up_to_the_total_noise():
    sigma = torch.linspace(0, 1, 11, dtype=torch.float64).sqrt()  # equal steps of variance 1/10
    walk = forward.random_walk(ORIGIN, sigma, seed=3)
    last, total = walk[-1] - walk[-2], walk[-1] - walk[0]
    # Given where it ended, the best guess of the last step is the total noise divided by the number of steps.
    slope = (last * total).mean() / total.square().mean()
    assert slope.item() == pytest.approx(1 / 10, abs=0.005)


def test_walker_k_walks_the_same_way_whoever_else_walks():
    sigma = forward.levels(make_schedule("karras"), 5)
    torch.testing.assert_close(
        forward.random_walk(ORIGIN[:3], sigma, 4), forward.random_walk(ORIGIN[:100], sigma, 4)[:, :3]
    )
    assert not torch.equal(forward.random_walk(ORIGIN[:3], sigma, 4)[1], forward.random_walk(ORIGIN[:3], sigma, 5)[1])


def test_a_walk_and_the_jump_of_one_seed_are_independent():
    sigma = forward.levels(make_schedule("log-linear"), 1)
    walk, jump = (
        forward.random_walk(ORIGIN, sigma, 6)[-1],
        forward.jump(ORIGIN, sigma, forward.jump_noise(ORIGIN, 6))[-1],
    )
    assert abs(torch.corrcoef(torch.stack([walk.flatten(), jump.flatten()]))[0, 1].item()) < 0.02


def test_a_walk_that_would_remove_noise_is_refused(refused):
    for sigma in ([0.0, 2.0, 1.0], [0.5, 1.0]):
        with refused("forward_levels"):
            forward.random_walk(ORIGIN[:2], torch.tensor(sigma, dtype=torch.float64), 0)


def test_a_walk_without_steps_is_refused(refused):
    with refused("forward_steps", steps=0):
        forward.levels(make_schedule("cosine"), 0)


def test_the_density_on_a_grid_is_that_of_the_exact_denoiser():
    points = make_points("moons", 50).points.double()
    xs, ys = torch.linspace(-1, 1, 5, dtype=torch.float64), torch.linspace(-0.5, 0.8, 4, dtype=torch.float64)
    there = torch.cartesian_prod(ys, xs).flip(1)
    exact = EmpiricalDenoiser(points).log_density(there, torch.full((20,), 0.3, dtype=torch.float64))
    torch.testing.assert_close(forward.density(points, xs, ys, 0.3), exact.exp().view(4, 5), rtol=1e-10, atol=1e-12)


def test_views_scale_a_state_and_leave_the_exploding_one_alone():
    sigma = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    x = torch.ones(3, 4, 2, dtype=torch.float64)
    assert torch.equal(forward.in_view(x, sigma, "ve"), x)
    torch.testing.assert_close(forward.in_view(x, sigma, "vp")[:, 0, 0], scale(sigma, "vp"))
    assert forward.in_view(x, sigma, "vp")[1, 0, 0].item() == pytest.approx(1 / math.sqrt(2))
