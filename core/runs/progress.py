"""A run in progress: its training state and its loss so far, for any kind of model, and how a checkpoint stores
them."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.diffusion.denoiser import in_chunks, per_sample
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.training import Batches, TrainState
from core.problems import Problem
from core.runs.checkpoints import Checkpoint

BLOCK = 10  # steps
CHUNK = 512  # samples in one call of the exact denoiser


@dataclass
class Progress:
    """A run in progress.

    Attributes:
        state: the training state.
        losses: the mean loss of each block of ``BLOCK`` steps.
        block: the losses of the steps since the last block.
        bayes_loss: the loss of the exact denoiser on the same data, which no network can beat (see ``exact_loss``); NaN
            if nobody computed it.
    """

    state: TrainState
    losses: list[float] = field(default_factory=list)
    block: list[float] = field(default_factory=list)
    bayes_loss: float = math.nan


def recorded(progress: Progress, steps: Iterable[TrainState]) -> Iterator[Progress]:
    """``progress`` after each of the training steps, with the loss of that step added."""
    # A run that diverged went back some steps; the record of its loss goes back as far.
    whole = progress.state.step // BLOCK
    progress.losses = progress.losses[:whole]
    progress.block = progress.block[: progress.state.step - whole * BLOCK] if len(progress.losses) == whole else []
    for state in steps:
        progress.block.append(state.loss)
        if len(progress.block) == BLOCK:
            progress.losses.append(sum(progress.block) / BLOCK)
            progress.block = []
        yield progress


def loss_curve(progress: Progress) -> Tensor:
    """The mean loss of each block, [n]; the last block may be incomplete."""
    last = [sum(progress.block) / len(progress.block)] if progress.block else []
    return torch.tensor(progress.losses + last)


def smooth(losses: Tensor, share: float = 0.1) -> Tensor:
    """The mean of the last tenth (``share``) of the losses [n] up to each of them, [n]."""
    if len(losses) == 0:
        return losses
    total = torch.cat([losses.new_zeros(1), losses.double().cumsum(0)])
    last = torch.arange(1, len(losses) + 1)
    first = last - (share * last).ceil().long().clamp_min(1)
    return ((total[last] - total[first]) / (last - first)).float()


def exact_loss(denoiser: EmpiricalDenoiser, weight: Callable[[Tensor], Tensor], batches: Batches) -> float:
    """The mean loss of the exact denoiser over batch 0 under a weighting ``weight(sigma)``: no network can beat it.

    Computed as the mean of weight Var(x0 | x), which equals that of weight |D(x) - x0|^2 and scatters less.
    """
    x0, sigma, eps, cond = batches(0)
    variance = in_chunks(denoiser.variance, CHUNK)(x0 + per_sample(sigma, x0) * eps, sigma, cond)
    return (weight(sigma) * variance).mean().item()


def loss_history(progress: Progress) -> dict[str, Any]:
    """The loss so far as entries of a checkpoint's config."""
    losses = [round(loss, 5) for loss in progress.losses]
    return {"losses": losses, "block": progress.block, "floor": progress.bayes_loss}


def resume(checkpoint: Checkpoint) -> Progress:
    """The run that a checkpoint with a ``loss_history`` stores. Raises Problem if that is not a list of numbers."""
    losses, block, bayes_loss = (checkpoint.config.get(name, empty) for name, empty in _NO_HISTORY.items())
    try:
        numbers = [[float(loss) for loss in part] for part in (losses, block, [bayes_loss])]
    except (TypeError, ValueError, OverflowError) as error:
        raise Problem("checkpoint_losses") from error
    return Progress(checkpoint.state, numbers[0], numbers[1], bayes_loss=numbers[2][0])


_NO_HISTORY = {"losses": (), "block": (), "floor": math.nan}
