"""A run under way: its loss smoothed, kept in a checkpoint and taken up, and the least that any network can reach."""

from dataclasses import replace

import pytest
import torch

from core.data.points import make_points
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.training import TrainState
from core.models import points as point_model
from core.models.points import PointConfig
from core.runs import progress
from core.runs.progress import Progress, resume


def test_smoothing_keeps_a_constant_and_averages_the_last_tenth():
    assert torch.allclose(progress.smooth(torch.full((50,), 0.7)), torch.full((50,), 0.7))
    assert progress.smooth(torch.arange(100.0))[-1] == pytest.approx(94.5)
    assert progress.smooth(torch.empty(0)).shape == (0,)


@pytest.mark.parametrize("losses", ["abc", [None], [10**400], 7])
def test_a_checkpoint_whose_loss_is_no_list_of_numbers_is_refused_with_a_sentence(losses, refused):
    kept = point_model.new_checkpoint(PointConfig(), make_points("spiral", 50))
    with refused("checkpoint_losses"):
        resume(replace(kept, config={**kept.config, "losses": losses}))


def state(step: int, loss: float = 0.5) -> TrainState:
    return TrainState(None, None, None, step, loss)


def test_the_loss_is_noted_in_blocks_of_ten_steps():
    run = Progress(state(0))
    steps = [state(step, float(step)) for step in range(1, 14)]
    for _ in progress.recorded(run, steps):
        pass
    assert run.losses == [5.5] and run.block == [11.0, 12.0, 13.0]
    assert progress.loss_curve(run).tolist() == [5.5, 12.0]


def test_the_loss_goes_back_with_a_run_that_went_back():
    run = Progress(state(10), losses=[5.5, 15.5], block=[21.0])
    next(progress.recorded(run, [state(11, 11.0)]))
    assert run.losses == [5.5] and run.block == [11.0]


def test_the_least_loss_of_two_images_far_apart_is_none():
    pair = torch.stack([torch.ones(1, 2, 2), -torch.ones(1, 2, 2)])

    def batches(step):
        return pair, torch.tensor([0.05, 0.1]), torch.zeros_like(pair), None

    assert progress.exact_loss(EmpiricalDenoiser(pair), lambda sigma: sigma**-2, batches) == pytest.approx(0, abs=1e-6)
