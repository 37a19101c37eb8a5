"""What chapter 1 computes: densities as frames, and when two clouds differ."""

import torch

from core import metrics
from core.data.points import make_points
from core.diffusion import forward
from core.diffusion.schedules import make_schedule
from core.lessons import forward_noise as lesson


def test_the_density_of_a_view_has_its_peak_at_one_and_ends_as_a_unit_gaussian():
    sigma, grid = torch.tensor([0.0, 1000.0], dtype=torch.float64), torch.linspace(-3, 3, 61, dtype=torch.float64)
    frames = lesson.density_frames(make_points("spiral", 100).points.double(), sigma, "vp", grid)
    assert frames.shape == (2, 61, 61) and (frames.amax((1, 2)) == 1).all()
    gaussian = torch.exp(-(grid[:, None] ** 2 + grid[None] ** 2) / 2)
    torch.testing.assert_close(frames[1], gaussian, rtol=0, atol=0.01)


def test_the_circle_holds_the_asked_share_of_a_round_gaussian():
    sigma = torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    circle = lesson.contour(torch.tensor([1.0, -1.0], dtype=torch.float64), sigma, mass=0.9)
    radius = (circle - torch.tensor([1.0, -1.0])).norm(dim=-1)
    share = 1 - torch.exp(-(radius[1:] ** 2) / (2 * sigma[1:, None] ** 2))
    torch.testing.assert_close(share, torch.full_like(share, 0.9))


def test_walks_are_as_near_to_jumps_as_jumps_to_jumps_and_longer_steps_are_not():
    x0 = make_points("spiral", 300).points.double()
    sigma = forward.levels(make_schedule("ddpm-linear"), 10)
    jumps, limit = forward.jump(x0, sigma, forward.jump_noise(x0, 0)), lesson.chance_distance(x0, sigma[-1:], 0)[0]
    assert metrics.energy_distances(forward.random_walk(x0, sigma, 0)[-1:], jumps[-1:])[0] < limit
    assert metrics.energy_distances(forward.random_walk(x0, 1.4 * sigma, 0)[-1:], jumps[-1:])[0] > limit
