"""The pictures of chapter 1, as arrays."""

import numpy as np
import pytest
import torch

from core.diffusion.schedules import make_schedule
from pages.ui.lessons import forward_noise as forward_noise_scenes
from pages.ui.lessons.forward_noise import TIMETABLES, Noise

NOISE = Noise(make_schedule("ddpm-linear"), 20, "vp", 0)
POINTS = torch.tensor([[0.3, -0.2], [-0.5, 0.5], [0.1, 0.9]], dtype=torch.float64)


def test_the_squares_are_the_coordinates_of_the_dot_clipped_to_black_and_white():
    plane, picture = forward_noise_scenes.two_pixels(NOISE, torch.tensor([1.0, -1.0], dtype=torch.float64))
    path, squares = np.asarray(plane.layers[1].xy), np.asarray(picture.layers[0].pixels)
    assert squares.shape == (21, 2, 1, 2)
    assert squares[0].tolist() == [[[255, 0]], [[255, 0]]]
    np.testing.assert_allclose(squares[:, 1, 0] / 127.5 - 1, np.clip(path, -1, 1), atol=0.005)


def test_the_arrow_of_a_jump_leads_from_the_start_to_where_a_jump_ends():
    plane, _ = forward_noise_scenes.walk_and_jump(NOISE, POINTS, "", 1.0, jumping=True)
    arrow = plane.layers[-1]
    end = NOISE.drawn(NOISE.jump(POINTS))[:, :1]
    torch.testing.assert_close(arrow.at + arrow.by, end)


def test_only_a_common_start_can_be_moved():
    assert forward_noise_scenes.walk_and_jump(NOISE, POINTS[:1].expand(3, 2), "", 1.0, jumping=False)[0].probe
    assert not forward_noise_scenes.walk_and_jump(NOISE, POINTS, "", 1.0, jumping=False)[0].probe


@pytest.mark.parametrize("view", ["vp", "flow"])
def test_all_schedules_end_as_the_same_noise_in_a_view_that_keeps_its_size(view: str):
    noise = Noise(make_schedule("cosine"), 20, view, 0)
    *clouds, _ = forward_noise_scenes.timetables(noise, POINTS)
    ends = [cloud.layers[0].xy[-1] for cloud in clouds]
    assert len(ends) == len(TIMETABLES)
    for end in ends:  # a tenth of the data is left where sigma ends at 10, and less elsewhere
        torch.testing.assert_close(end, ends[1], rtol=0, atol=0.35)
