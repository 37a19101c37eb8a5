"""The loss of a run beside the exact denoiser's, as a panel."""

from types import SimpleNamespace

import pytest
import torch

from core.figures.scene import Points
from pages.ui.frame.text import t
from pages.ui.runs.loss_curve import loss_curve


def after(losses: list[float], step: int = 0) -> SimpleNamespace:
    return SimpleNamespace(step=step or 10 * len(losses), losses=torch.tensor(losses), bayes_loss=0.8)


def test_a_spike_in_the_loss_leaves_at_the_top_and_the_rest_keeps_its_height():
    panel = loss_curve(after([1.0, 500.0] + [0.9] * 30))
    assert panel.ylim[0] < 0.8 and 0.9 < panel.ylim[1] < 1.5


def test_a_curve_that_only_falls_is_seen_whole():
    assert loss_curve(after([1.0, 0.95, 0.9, 0.85])).ylim[1] > 1


def test_a_single_step_is_a_dot_on_the_loss():
    dot = next(layer for layer in loss_curve(after([0.97], step=3)).layers if isinstance(layer, Points))
    assert dot.xy.tolist() == [[3.0, pytest.approx(0.97)]]


def test_a_loss_that_is_known_from_some_step_on_is_drawn_from_there():
    assert loss_curve(after([0.9, 0.8], step=6_018)).layers[0].x.tolist() == [6_010, 6_018]


def test_without_a_loss_there_is_the_exact_one_and_a_caption_says_why():
    trained, untrained = loss_curve(after([], step=6_018)), loss_curve(after([]))
    assert [layer.colour for layer in trained.layers] == ["exact"]
    assert trained.caption == t("runs.loss.not_kept") and untrained.caption == t("runs.loss.none")


def test_where_a_run_broke_down_there_is_a_cross():
    cross = loss_curve(after([1.0, 0.9]), broke=True).layers[-1]
    assert cross.shape == "cross" and cross.xy[0][0] == 20
