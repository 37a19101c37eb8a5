"""The scenes of chapter 2: what they draw of a snapshot and of the walks through one place."""

from dataclasses import replace
from math import inf, nan

import pytest
import torch

from core.data.points import make_points
from core.figures.scene import Arrows
from core.lessons.training import Snapshot, snapshot
from core.models import points as point_model
from core.models.points import PointConfig
from core.runs.progress import Progress
from pages.ui.frame.text import pair, t
from pages.ui.lessons import training as lesson
from pages.ui.lessons.training import Config
from pages.ui.runs import training_run


@pytest.fixture(scope="module")
def untrained() -> Snapshot:
    state = point_model.new_checkpoint(PointConfig(), make_points("spiral", 20)).state
    return snapshot(Progress(state, bayes_loss=0.8), n=10, side=3)


def after(first: Snapshot, losses: list[float]) -> Snapshot:
    return replace(first, step=10 * len(losses), losses=torch.tensor(losses))


def labels(panel) -> list[str]:
    return [layer.label for layer in panel.layers]


def test_near_is_within_a_tenth_of_the_exact_loss(untrained):
    assert lesson.near(after(untrained, [0.87]))
    assert not lesson.near(after(untrained, [0.89]))
    assert not lesson.near(untrained)
    assert not lesson.near(replace(after(untrained, [0.87]), bayes_loss=nan))


def test_arrows_are_not_called_learned_before_the_first_step(untrained):
    points = torch.zeros(1, 2)
    assert t("training.layers.untrained") in labels(lesson.cloud(untrained, points))
    assert t("training.layers.learned") in labels(lesson.cloud(after(untrained, [1.0]), points))


def test_the_scene_at_rest_is_of_the_shipped_model_and_a_snapshot_is_drawn_by_the_same_function(untrained):
    at_rest = lesson.train_live(Config())
    shipped = training_run.initial_checkpoint(lesson.request_of(Config())).state.step
    assert at_rest.alt == t("training.train_live.alt", step=shipped)
    live = lesson.train_live(Config(), after(untrained, [1.0]), broke=True)
    assert live.alt == t("training.train_live.alt", step=10)
    assert t("runs.loss.broke") in labels(live.panels[1])


@pytest.mark.parametrize("config", [Config(data="word", word="ab"), Config(data="rings", fresh=False, n=50)])
def test_data_come_from_the_configuration(config):
    drawn = lesson.why_average(config).panels[0].layers[0].xy
    assert torch.equal(drawn, lesson.thinned(lesson.request_of(config).data.points, 400))


def test_a_configuration_is_one_to_train_by():
    config = Config(net="plain", prediction="v", noise="cosine", seed=7, lr=0.5, data="moons", fresh=False, n=20)
    request = lesson.request_of(config)
    assert request.config == PointConfig("plain", "v", "cosine", endless=False, lr=0.5, seed=7)
    assert (request.data.name, len(request.data.points)) == ("moons", 20)


def test_through_one_place_both_arrows_begin_and_their_captions_say_where_they_lead():
    config = Config(probe=(0.3, -0.2), arrow="live")
    left, right = lesson.why_average(config, denoise=lambda x, sigma: torch.zeros_like(x)).panels
    exact, network = (layer for layer in right.layers if isinstance(layer, Arrows))
    assert torch.allclose(exact.at, torch.tensor([0.3, -0.2])) and torch.allclose(network.at, exact.at)
    assert torch.allclose(network.by, torch.tensor([-0.3, 0.2]))
    frame = lesson.START
    step = t("training.captions.means", exact=pair(exact.by[frame, 0].tolist()), network=pair((-0.3, 0.2)))
    assert right.caption[frame] == step and left.probe and right.probe


def test_walks_of_one_line_are_separated_by_gaps():
    walks = lesson.why_average(Config()).panels[0].layers[1]
    assert walks.y.isnan().sum(1).eq(lesson.DRAWN).all() and walks.x[walks.x.isfinite()].abs().max() < inf
