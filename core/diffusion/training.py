"""The one training loop. Spirals, images, towers and priors differ in their loss function and batches, not here."""

import math
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from core import seeds
from core.diffusion.denoiser import Cond, Denoiser, per_sample
from core.diffusion.schedules import Schedule

Batch = Any
LossFn = Callable[[nn.Module, Batch], Tensor]
Batches = Callable[[int], Batch]


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast: ``steps`` in all, AdamW, EMA decay at most ``ema``. The learning rate is ``lr`` after
    ``warmup`` steps. With ``decay`` "root" it falls as 1/sqrt(step) from step ``decay_from`` on (Karras et al. 2024,
    "EDM2"), with "cosine" along half a period to 0 at ``steps`` (Loshchilov & Hutter 2017).

    clip: the largest norm of the gradient, None for any. accumulate: how many batches make one step.
    Raises ValueError for a setting that no run can have.
    """

    steps: int = 15_000
    lr: float = 1.2e-2
    warmup: int = 50
    decay_from: int = 80
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    ema: float = 0.995
    backup_every: int = 50
    decay: str = "root"
    clip: float | None = None
    accumulate: int = 1

    def __post_init__(self) -> None:
        sane = {
            "steps": self.steps >= 0,
            "lr": 0 < self.lr < math.inf,
            "warmup": self.warmup >= 0,
            "decay_from": self.decay_from >= 1,
            "betas": len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas),
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "ema": 0 <= self.ema < 1,
            "backup_every": self.backup_every >= 1,
            "decay": self.decay in ("root", "cosine"),
            "clip": self.clip is None or self.clip > 0,
            "accumulate": self.accumulate >= 1,
        }
        for name, holds in sane.items():
            if not holds:
                raise ValueError(f"no run can be trained with {name} = {getattr(self, name)!r}")

    def learning_rate(self, step: int) -> float:
        """The learning rate of the step after ``step`` others."""
        lr = self.lr * min(1.0, (step + 1) / max(1, self.warmup))
        if self.decay == "cosine":
            return lr * (1 + math.cos(math.pi * step / self.steps)) / 2
        return lr / max(1.0, step / self.decay_from) ** 0.5


@dataclass
class TrainState:
    """Everything a run needs to go on: model, its moving average, optimizer, steps taken and the loss of the last one.

    ``last_good`` is a copy of all that from at most ``backup_every`` steps ago, of weights whose loss has been seen.
    """

    model: nn.Module
    ema: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    loss: float = float("nan")
    last_good: tuple | None = field(default=None, repr=False)


class Diverged(ArithmeticError):
    """The loss left the finite numbers; the state holds the last good weights."""


def new_state(model: nn.Module, config: TrainConfig) -> TrainState:
    """A fresh state around ``model``; the EMA starts as a copy of it."""
    ema = deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.lr, betas=config.betas, weight_decay=config.weight_decay, fused=True
    )
    return TrainState(model, ema, optimizer)


def train(
    loss_fn: LossFn,
    batches: Batches,
    config: TrainConfig,
    state: TrainState,
    average: Callable[[Tensor], Tensor] = lambda loss: loss,
) -> Iterator[TrainState]:
    """Train ``state`` in place until ``config.steps``; yields it after each step and its EMA, so any break is safe.

    loss_fn(model, batch) -> losses of any shape, averaged here. batches(k) -> batch k: it depends on k alone, so a
    resumed run goes on bit for bit; step n takes ``accumulate`` batches from k = n accumulate on. Raises Diverged once
    the loss is not finite or reaches a million, with the state set back to the last good weights. ``average``: the mean
    of a loss over all processes that train together, so that they agree on that.
    """
    due = state.step
    if state.last_good is None:
        state.last_good = _copy(state)
    # Walking a module for its parameters takes a tenth of a small step, so it is done once.
    averaged, trained = list(state.ema.parameters()), list(state.model.parameters())
    while state.step < config.steps:
        for group in state.optimizer.param_groups:
            group["lr"] = config.learning_rate(state.step)
        state.optimizer.zero_grad(set_to_none=True)
        value = 0.0
        for part in range(config.accumulate):
            loss = loss_fn(state.model, batches(state.step * config.accumulate + part)).mean() / config.accumulate
            loss.backward()
            value += average(loss.detach()).item()
        if not value < 1e6:
            broken = state.step
            _restore(state)
            raise Diverged(
                f"The loss became {value:g} at step {broken} with learning rate {config.lr:g}. The last good weights "
                "are kept: lower the learning rate, and training goes on from them."
            )
        # The loss vouches for the weights it was computed with, so they are remembered before they change.
        if state.step >= due:
            state.last_good, due = _copy(state), state.step + config.backup_every
        if config.clip is not None:
            nn.utils.clip_grad_norm_(trained, config.clip)
        state.optimizer.step()
        state.step, state.loss = state.step + 1, value
        update_ema(averaged, trained, min(config.ema, state.step / (state.step + 9)))
        yield state


@torch.no_grad()
def update_ema(ema: list[Tensor], model: list[Tensor], decay: float) -> None:
    """ema <- decay ema + (1 - decay) model, in place, all parameters at once."""
    torch._foreach_lerp_(ema, model, 1 - decay)


def diffusion_batches(
    draw: Callable[[int, torch.Generator], tuple[Tensor, Tensor | Cond | None]],
    schedule: Schedule,
    batch: int,
    seed: int,
    dropout: float = 0.0,
) -> Batches:
    """Batches (x0, sigma, eps, cond) for ``diffusion_loss``.

    draw(n, generator) -> data [n, ...] and labels [n], or another condition, or None. sigma is stratified over
    ``schedule``; every data point comes with a noise and its negative, which halves the variance of the gradient's odd
    part (the last one of an odd batch comes without). With probability ``dropout`` the whole condition of a point is
    replaced by none: whole numbers by -1, others by NaN.
    """

    half = (batch + 1) // 2

    def twice(rows: Tensor) -> Tensor:
        return torch.cat([rows, rows])[:batch]

    def at(step: int) -> tuple[Tensor, Tensor, Tensor, Cond | None]:
        x0, told = draw(half, seeds.generator(seed, step, 0))
        sigma = schedule.sample(half, seed, step, 1)
        eps = seeds.gaussian(x0.shape, seed, step, 2)
        cond = None
        if told is not None:
            untold = seeds.uniform(half, seed, step, 3) < dropout
            told = told if isinstance(told, Mapping) else {"label": told}
            cond = {k: twice(torch.where(per_sample(untold, v), none(v), v)) for k, v in told.items()}
        return twice(x0), twice(sigma), torch.cat([eps, -eps])[:batch], cond

    return at


def none(condition: Tensor) -> float:
    """What stands for "no condition" in a tensor: NaN, or -1 in one of whole numbers (see ``networks.embeddings``)."""
    return math.nan if condition.is_floating_point() else -1


def diffusion_loss(model: Denoiser, batch: tuple[Tensor, Tensor, Tensor, Cond | None]) -> Tensor:
    """The loss function of every diffusion model here: ``Denoiser.loss`` of a batch, [B]."""
    return model.loss(*batch)


def _copy(state: TrainState) -> tuple:
    parts = (part.state_dict() for part in (state.model, state.ema, state.optimizer))
    return deepcopy((*parts, state.step, state.loss))


def _restore(state: TrainState) -> None:
    model, ema, optimizer, state.step, state.loss = state.last_good
    state.model.load_state_dict(model)
    state.ema.load_state_dict(ema)
    state.optimizer.load_state_dict(optimizer)


def as_dict(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON can hold it."""
    return {**asdict(config), "betas": list(config.betas)}
