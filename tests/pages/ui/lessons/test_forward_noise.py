"""The scenes of chapter 1, as arrays."""

import numpy as np
import pytest
import torch

from pages.ui.frame import links, text
from pages.ui.frame.text import t
from pages.ui.lessons import forward_noise as scenes
from pages.ui.lessons.forward_noise import COLOURS, SCENES, Config


def scene(show: str, **given: str):
    config, ignored = links.parse(Config, {"show": show, **given})
    assert not ignored
    return SCENES[show](config)


def test_the_squares_are_the_coordinates_of_the_dot_clipped_to_black_and_white():
    made = scene("two_pixels", start="1,-1", steps="20")
    plane, picture = made.panels
    path, squares = np.asarray(plane.layers[1].xy), np.asarray(picture.layers[0].pixels)
    assert made.probe == (1, -1) and squares.shape == (21, 2, 1, 2)
    assert squares[0].tolist() == [[[255, 0]], [[255, 0]]]
    np.testing.assert_allclose(squares[:, 1, 0] / 127.5 - 1, np.clip(path, -1, 1), atol=0.005)


def test_the_arrow_of_a_jump_leads_from_the_start_to_where_a_jump_ends():
    config = Config(show="walk_and_jump", jumps=True, source="data")
    arrow, process = scenes.walk_and_jump(config).panels[0].layers[-1], scenes.process_of(config)
    torch.testing.assert_close(arrow.at + arrow.by, process.drawn(process.jump(scenes.starts(config)))[:, :1])


def test_only_a_common_start_can_be_moved():
    one, data = (scene("walk_and_jump", source=source) for source in ("one_point", "data"))
    assert one.panels[0].probe and one.probe == Config().start
    assert not data.panels[0].probe and data.probe is None


def test_the_distance_stays_below_chance_unless_the_steps_are_too_long():
    def above(**given: str) -> float:
        chance, walks = scene("walk_and_jump", jumps="true", source="data", **given).panels[1].layers
        return (walks.y - torch.from_numpy(np.interp(walks.x, chance.x, chance.y))).max().item()

    assert above() <= 0 < above(stride="2")


@pytest.mark.parametrize("view", ["vp", "flow"])
def test_all_schedules_end_as_the_same_noise_in_a_view_that_keeps_its_size(view):
    *clouds, curves = scene("schedules", view=view).panels
    ends = [cloud.layers[0].xy[-1] for cloud in clouds]
    assert len(ends) == len(COLOURS) and curves.marker is not None
    for end in ends:  # a tenth of the data is left where sigma ends at 10, and less elsewhere
        torch.testing.assert_close(end, ends[1], rtol=0, atol=0.35)


def test_the_chosen_schedule_is_named_so():
    chosen = t("forward_noise.panels.chosen", schedule=text.label("schedules", "karras"))
    assert [panel.title for panel in scene("schedules", schedule="karras").panels].count(chosen) == 1


def test_a_cloud_lies_over_its_density_if_that_is_wanted():
    kinds = [
        [type(layer).__name__ for layer in scene("dissolve", density=on).panels[0].layers] for on in ("true", "false")
    ]
    assert kinds == [["Heat", "Points"], ["Points"]]


def test_the_notes_follow_the_jumps_their_start_and_the_step_length():
    walk = {"show": "walk_and_jump"}
    assert scenes.notes_of(Config(**walk)) == ("walk_and_jump", "start")
    assert scenes.notes_of(Config(**walk, jumps=True)) == ("walk_and_jump", "jumps_alike", "bell")
    given = Config(**walk, jumps=True, source="data", stride=2.0)
    assert scenes.notes_of(given) == ("walk_and_jump", "jumps_unlike", "distance")


@pytest.mark.parametrize("view", ["vp", "ve"])
def test_the_walks_follow_the_bell_curve_unless_the_steps_are_too_long(view):
    def apart(**given: str) -> float:
        counted, bell = scene("walk_and_jump", jumps="true", view=view, **given).panels[1].layers
        peaks = [
            np.interp(np.asarray(x), np.asarray(bx), np.asarray(by)) - np.asarray(y)
            for x, y, bx, by in zip(_middles(counted.x), _middles(counted.y), bell.x, bell.y, strict=True)
        ]
        return np.nanmax(np.abs(peaks))

    assert apart() < 0.15 < apart(stride="2.0")


def _middles(corners):
    """What is in the middle between both corners of each step of a histogram."""
    return corners.unflatten(1, (-1, 2)).mean(2)


def test_one_view_is_the_other_one_made_smaller():
    exploding, preserving = scene("two_views").panels
    frame, sigma = exploding.layers[1], scene("two_views").clock.values
    torch.testing.assert_close(exploding.layers[0].xy * (1 + sigma**2).rsqrt()[:, None, None], preserving.layers[0].xy)
    torch.testing.assert_close(frame.x.amax(1), preserving.xlim[1] * (1 + sigma**2).sqrt())


def test_a_shift_moves_all_curves_down_by_the_same_amount():
    usual, shifted = (scene("schedules", shift=shift).panels[-1].layers[1:-1] for shift in ("1.0", "3.0"))
    for before, after in zip(usual, shifted, strict=True):
        torch.testing.assert_close(after.y, before.y - 2 * np.log(3))
