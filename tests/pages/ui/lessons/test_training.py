"""The loss beside the exact denoiser's, as a panel."""

import math
from dataclasses import replace

import pytest
import torch

from core.data.points import make_points
from core.figures.scene import Points
from core.lessons import training as lesson
from core.lessons.training import Snapshot
from core.models import points as point_model
from core.models.points import PointConfig
from core.runs.progress import Progress
from pages.ui.lessons import training as training_scenes


@pytest.fixture(scope="module")
def untrained() -> Snapshot:
    return lesson.snapshot(
        Progress(point_model.new_checkpoint(PointConfig(), make_points("spiral", 20)).state, bayes_loss=0.8),
        n=10,
        side=3,
    )


def after(shot: Snapshot, losses: list[float]) -> Snapshot:
    return replace(shot, step=10 * len(losses), losses=torch.tensor(losses))


def test_a_spike_in_the_loss_leaves_at_the_top_and_the_rest_keeps_its_height(untrained):
    panel = training_scenes.loss(after(untrained, [1.0, 500.0] + [0.9] * 30))
    assert panel.ylim[0] < 0.8 and 0.9 < panel.ylim[1] < 1.5


def test_a_curve_that_only_falls_is_seen_whole(untrained):
    panel = training_scenes.loss(after(untrained, [1.0, 0.95, 0.9, 0.85]))
    assert panel.ylim[1] > 1


def test_a_single_step_is_a_dot_on_the_loss(untrained):
    shot = replace(untrained, step=3, losses=torch.tensor([0.97]))
    dot = next(layer for layer in training_scenes.loss(shot).layers if isinstance(layer, Points))
    assert dot.xy.tolist() == [[3.0, pytest.approx(0.97)]]


def test_a_loss_that_is_known_from_some_step_on_is_drawn_from_there(untrained):
    shot = replace(untrained, step=6_018, losses=torch.tensor([0.9, 0.8]))
    assert training_scenes.loss(shot).layers[0].x.tolist() == [6_010, 6_018]
    assert "not kept" in training_scenes.loss(replace(shot, losses=torch.empty(0))).caption


def test_where_a_run_broke_down_there_is_a_cross(untrained):
    cross = training_scenes.loss(after(untrained, [1.0, 0.9]), broke=True).layers[-1]
    assert cross.shape == "cross" and cross.xy[0][0] == 20


def test_near_is_within_a_tenth_of_the_exact_loss(untrained):
    assert training_scenes.near(after(untrained, [0.87]))
    assert not training_scenes.near(after(untrained, [0.89]))
    assert not training_scenes.near(untrained)
    assert not training_scenes.near(replace(after(untrained, [0.87]), bayes_loss=math.nan))


def test_arrows_are_not_called_learned_before_the_first_step(untrained):
    assert [training_scenes.cloud(shot, torch.zeros(1, 2)).layers[1].label.split()[0]
            for shot in (untrained, after(untrained, [1.0]))] == ["untrained", "learned"]  # fmt: skip
