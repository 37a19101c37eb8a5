"""A run under way: its training state and its loss so far, whatever it trains; and how a checkpoint keeps both."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.diffusion.denoiser import per_sample
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.training import Batches, TrainState
from core.runs.checkpoints import Checkpoint

BLOCK = 10  # steps


@dataclass
class Progress:
    """A run under way: its training state, its loss so far in blocks (means over ``BLOCK`` steps), and the loss of the
    exact denoiser on the same data, which no network can beat (NaN until somebody computes it, see ``exact_loss``)."""

    state: TrainState
    losses: list[float] = field(default_factory=list)
    block: list[float] = field(default_factory=list)
    bayes_loss: float = math.nan


def recorded(progress: Progress, steps: Iterable[TrainState]) -> Iterator[Progress]:
    """``progress`` after each of the steps that its state takes, with the loss of that step."""
    # A run that blew up has gone back some steps; its loss goes back with it.
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
    """The loss in blocks, the last of which may be unfinished, [n]."""
    unfinished = [sum(progress.block) / len(progress.block)] if progress.block else []
    return torch.tensor(progress.losses + unfinished)


def smooth(losses: Tensor, share: float = 0.1) -> Tensor:
    """The mean of the last tenth (``share``) of the losses [n] up to each of them, [n]: quick at first, calm later."""
    if len(losses) == 0:
        return losses
    total = torch.cat([losses.new_zeros(1), losses.double().cumsum(0)])
    last = torch.arange(1, len(losses) + 1)
    first = last - (share * last).ceil().long().clamp_min(1)
    return ((total[last] - total[first]) / (last - first)).float()


def exact_loss(ideal: EmpiricalDenoiser, weight: Callable[[Tensor], Tensor], batches: Batches) -> float:
    """The mean loss of the exact denoiser over batch 0, under the weighting ``weight(sigma)``: no network beats it.

    The mean of weight Var(x0 | x): less noisy than that of weight |D(x) - x0|^2, which it equals.
    """
    x0, sigma, eps, cond = batches(0)
    x = x0 + per_sample(sigma, x0) * eps
    parts = (slice(i, i + 512) for i in range(0, len(x), 512))
    variance = torch.cat([ideal.variance(x[p], sigma[p], cond and {"label": cond["label"][p]}) for p in parts])
    return (weight(sigma) * variance).mean().item()


def loss_history(progress: Progress) -> dict[str, Any]:
    """The loss so far as a checkpoint's config can hold it."""
    losses = [round(loss, 5) for loss in progress.losses]
    return {"losses": losses, "block": progress.block, "floor": progress.bayes_loss}


def resume(checkpoint: Checkpoint) -> Progress:
    """The run that a checkpoint with its ``past`` keeps. Raises ValueError with a sentence if its loss is not one
    number after another."""
    losses, block, floor = (checkpoint.config.get(name, empty) for name, empty in _PAST.items())
    try:
        numbers = [[float(loss) for loss in part] for part in (losses, block, [floor])]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("The checkpoint's loss is not a list of numbers; save it again from the app.") from error
    return Progress(checkpoint.state, numbers[0], numbers[1], bayes_loss=numbers[2][0])


_PAST = {"losses": (), "block": (), "floor": math.nan}
