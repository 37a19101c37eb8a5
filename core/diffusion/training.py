"""The training loop of every model: what differs between models is the loss function and the batches."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from core import seeds
from core.diffusion.couplings import Coupling
from core.diffusion.denoiser import Cond, Denoiser, none, per_sample
from core.diffusion.schedules import Schedule
from core.problems import Problem

Batch = Any
LossFn = Callable[[nn.Module, Batch], Tensor]
Batches = Callable[[int], Batch]


@dataclass(frozen=True)
class TrainConfig:
    """Settings of the training loop.

    Attributes:
        steps: number of steps in all.
        lr: learning rate of AdamW after the warm-up.
        warmup: steps over which the learning rate rises linearly.
        decay_from: step from which the decay "root" starts.
        betas, weight_decay: of AdamW.
        ema: largest decay of the moving average of the weights.
        backup_every: steps between two copies of the state, for recovery from divergence.
        decay: "root" falls as 1/sqrt(step) (Karras et al. 2024, "EDM2"), "cosine" along half a period to 0 at ``steps``
            (Loshchilov & Hutter 2017).
        restart: step at which the cosine has fallen to 0 and begins anew, None for none.
        clip: the largest norm of the gradient, None for any.
        accumulate: number of batches of one step.

    Raises Problem for an impossible value.
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
    restart: int | None = None
    clip: float | None = None
    accumulate: int = 1

    def __post_init__(self) -> None:
        valid = {
            "steps": self.steps >= 0,
            "lr": 0 < self.lr < math.inf,
            "warmup": self.warmup >= 0,
            "decay_from": self.decay_from >= 1,
            "betas": len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas),
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "ema": 0 <= self.ema < 1,
            "backup_every": self.backup_every >= 1,
            "decay": self.decay in ("root", "cosine"),
            "restart": self.restart is None or self.restart >= 1,
            "clip": self.clip is None or self.clip > 0,
            "accumulate": self.accumulate >= 1,
        }
        for name, holds in valid.items():
            if not holds:
                raise Problem("train_config", name=name, value=repr(getattr(self, name)))

    def learning_rate(self, step: int) -> float:
        """The learning rate of step number ``step``, counted from 0."""
        lr = self.lr * min(1.0, (step + 1) / max(1, self.warmup))
        if self.decay == "cosine":
            begin, end = 0, self.steps
            if self.restart is not None:
                begin, end = (0, self.restart) if step < self.restart else (self.restart, self.steps)
            return lr * (1 + math.cos(math.pi * (step - begin) / max(1, end - begin))) / 2
        return lr / max(1.0, step / self.decay_from) ** 0.5


@dataclass
class TrainState:
    """Everything that a run needs to continue: model, moving average, optimizer, number of steps, loss of the last one.

    ``last_good`` is a copy of these from at most ``backup_every`` steps ago, taken only where the loss was finite.
    """

    model: nn.Module
    ema: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    loss: float = float("nan")
    last_good: tuple | None = field(default=None, repr=False)


class Diverged(Problem, ArithmeticError):
    """The loss became infinite, NaN or very large; the state has been set back to the last good weights."""


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
    average_: Callable[[Sequence[Tensor]], None] = lambda tensors: None,
) -> Iterator[TrainState]:
    """Train ``state`` in place until ``config.steps``; yields it after each step, when the loop may be left.

    loss_fn(model, batch) -> losses of any shape, averaged here. batches(k) -> batch k: it depends on k alone, so a
    resumed run continues bit for bit; step n takes ``accumulate`` batches from k = n accumulate on. All settings of the
    optimizer are those of ``config``, whatever the state was trained with before. average_: replaces tensors by their
    means over all processes that train together; called once in each step, with the loss and the gradients. Raises
    Diverged if the loss is not finite or reaches a million, with the state set back to the last good weights.
    """
    next_copy = state.step
    if state.last_good is None:
        state.last_good = _copy(state)
    # Collecting the parameters of a module takes a tenth of a small step, so it is done once.
    averaged, trained = list(state.ema.parameters()), list(state.model.parameters())
    buffers = list(state.ema.buffers()), list(state.model.buffers())
    while state.step < config.steps:
        for group in state.optimizer.param_groups:
            group |= {"lr": config.learning_rate(state.step), "betas": config.betas,
                      "weight_decay": config.weight_decay}  # fmt: skip
        state.optimizer.zero_grad(set_to_none=True)
        parts = []
        for part in range(config.accumulate):
            loss = loss_fn(state.model, batches(state.step * config.accumulate + part)).mean() / config.accumulate
            loss.backward()
            parts.append(loss.detach())
        total = sum(parts)
        average_([total, *(p.grad for p in trained if p.grad is not None)])
        value = total.item()
        if not value < 1e6:
            step = state.step
            _restore(state)
            raise Diverged("diverged", loss=value, step=step, lr=config.lr)
        # The loss has shown that these weights are good, so they are copied before they change.
        if state.step >= next_copy:
            state.last_good, next_copy = _copy(state), state.step + config.backup_every
        if config.clip is not None:
            nn.utils.clip_grad_norm_(trained, config.clip)
        state.optimizer.step()
        state.step, state.loss = state.step + 1, value
        update_ema(averaged, trained, min(config.ema, state.step / (state.step + 9)))
        if buffers[0]:  # such as the running statistics of a batch norm
            torch._foreach_copy_(*buffers)
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

    def batch_at(step: int) -> tuple[Tensor, Tensor, Tensor, Cond | None]:
        x0, cond = draw(half, seeds.generator(seed, step, 0))
        sigma = schedule.sample(half, seed, step, 1)
        eps = seeds.gaussian(x0.shape, seed, step, 2)
        cond = _with_dropout(cond, half, dropout, seed, step, 3)
        cond = cond and {name: twice(value) for name, value in cond.items()}
        return twice(x0), twice(sigma), torch.cat([eps, -eps])[:batch], cond

    return batch_at


def pair_batches(coupling: Coupling, schedule: Schedule, batch: int, seed: int, dropout: float = 0.0) -> Batches:
    """Batches (x0, sigma, x1, cond) for ``diffusion_loss``: as ``diffusion_batches``, with the pairs of a coupling,
    whose starts x1 take the place of the noise (flow matching; Lipman et al. 2023)."""

    def batch_at(step: int) -> tuple[Tensor, Tensor, Tensor, Cond | None]:
        x0, x1, cond = coupling(batch, seeds.generator(seed, step, 0))
        cond = _with_dropout(cond, batch, dropout, seed, step, 3)
        return x0, schedule.sample(batch, seed, step, 1), x1, cond

    return batch_at


def _with_dropout(cond: Tensor | Cond | None, n: int, dropout: float, seed: int, *place: int) -> Cond | None:
    """A condition of n samples, or their labels, as a condition; each sample's is none with probability ``dropout``."""
    if cond is None:
        return None
    dropped = seeds.uniform(n, seed, *place) < dropout
    cond = cond if isinstance(cond, Mapping) else {"label": cond}
    return {name: torch.where(per_sample(dropped, value), none(value), value) for name, value in cond.items()}


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
