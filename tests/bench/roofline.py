"""Where the time of a training step goes: what this machine can do, what the step reaches, and what was tried."""

import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor, nn

from core.data.points import PointSet, make_points
from core.diffusion.denoiser import PREDICTIONS, Denoiser
from core.diffusion.training import diffusion_loss, update_ema
from core.models import points as point_model
from core.models.points import PointConfig
from core.networks.layers import linear
from core.runs.progress import Progress
from tests.bench.figure import Figure

SMALL, LARGE = (512, 128, 128), (1024, 1024, 1024)  # the step's own products of matrices, and larger ones
BLOCK = 50  # steps timed at once, of which one keeps a copy of the weights
AHEAD = 32  # batches drawn at once
STEP, DRAW, FORWARD, GRADIENT, UPDATE, LOOP = (
    "A training step",
    "drawing the batch",
    "forward alone, without a graph",
    "forward and backward",
    "optimizer and moving average",
    "the loop around these",
)
BY_HAND, DRAWN_AHEAD, FLAT = (
    "a backward pass by hand",
    f"{AHEAD} batches drawn at once",
    "all weights in one tensor",
)
TRIED = {BY_HAND: GRADIENT, DRAWN_AHEAD: DRAW, FLAT: UPDATE}  # each in the place of a part


def measure(repeats: int = 9, steps: int = BLOCK) -> Iterator[Figure]:
    """One thread, ``repeats`` turns of all that is timed, each a mean over ``steps``.

    Rates in GFLOP/s, one multiplication and one addition being two operations; parts of a step in ms, with their share
    of it beside. What was tried is the ratio of a step's time with one part exchanged to that of the step as it is.
    """
    points, how = make_points("spiral", 100), PointConfig()
    timed = {SMALL: product(*SMALL), LARGE: product(*LARGE), STEP: whole(how, points)}
    timed |= {**parts(how, points), **tried(how, points)}
    for do in timed.values():
        seconds(do, 3)  # what a first call loads is not the step's
    turns = [{name: seconds(do, steps) for name, do in timed.items()} for _ in range(repeats)]
    for turn in turns:
        turn[LOOP] = turn[STEP] - turn[DRAW] - turn[GRADIENT] - turn[UPDATE]
    for rows, inner, columns in (SMALL, LARGE):
        rates = [2e-9 * rows * inner * columns / turn[rows, inner, columns] for turn in turns]
        yield Figure(f"Products of matrices, {rows} x {inner} by {inner} x {columns}", rates, "GFLOP/s")
    work, step = arithmetic(how, points), median(turn[STEP] for turn in turns)
    yield Figure(STEP, [1000 * turn[STEP] for turn in turns], "ms", note=f"{work / 1e6:.0f} million operations")
    alone = median(turn[SMALL] for turn in turns) * work / (2 * math.prod(SMALL))
    note = f"its products of matrices alone would take {alone / step:.0%} of its time"
    yield Figure(f"{STEP}: its rate", [1e-9 * work / turn[STEP] for turn in turns], "GFLOP/s", note=note)
    for name in (DRAW, FORWARD, GRADIENT, UPDATE, LOOP):
        values = [turn[name] for turn in turns]
        note = f"{median(values) / step:.0%} of the step"
        yield Figure(f"{STEP}: {name}", [1000 * value for value in values], "ms", note=note)
    for name, part in TRIED.items():
        ratios = [1 + (turn[name] - turn[part]) / turn[STEP] for turn in turns]
        yield Figure(f"Tried: {name}, a step / the step as it is", ratios, "×", note=f"in the place of {part}")


def seconds(do: Callable[[], object], times: int) -> float:
    """Mean seconds of so many calls."""
    begun = time.perf_counter()
    for _ in range(times):
        do()
    return (time.perf_counter() - begun) / times


def product(rows: int, inner: int, columns: int) -> Callable[[], object]:
    """A product of matrices, as our layers compute it."""
    x, layer = torch.ones(rows, inner), linear(inner, columns, seed=0)
    return torch.no_grad()(lambda: layer(x))


def arithmetic(how: PointConfig, points: PointSet) -> int:
    """Floating-point operations of a step's products of matrices: forward, and backward to the weights of each layer
    and to the inputs of each but the first."""
    layers = [
        part for part in point_model.new_checkpoint(how, points).state.model.modules() if isinstance(part, nn.Linear)
    ]
    first, *others = (layer.weight.numel() for layer in layers)
    return 2 * how.batch * (2 * first + 3 * sum(others))


def whole(how: PointConfig, points: PointSet) -> Callable[[], object]:
    """A step of the run as it is."""
    run = point_model.run(how, points, Progress(point_model.new_checkpoint(how, points).state))
    return lambda: next(run)


def parts(how: PointConfig, points: PointSet) -> dict[str, Callable[[], object]]:
    """The parts of a step, each by itself."""
    state, draw = point_model.new_checkpoint(how, points).state, point_model.batches(how, points)
    batch, trained, averaged = draw(0), list(state.model.parameters()), list(state.ema.parameters())

    def gradient() -> None:
        state.optimizer.zero_grad(set_to_none=True)
        diffusion_loss(state.model, batch).mean().backward()

    def update() -> None:
        state.optimizer.step()
        update_ema(averaged, trained, how.ema)

    forward = torch.no_grad()(lambda: diffusion_loss(state.model, batch))
    gradient()
    return {DRAW: lambda: draw(7), FORWARD: forward, GRADIENT: gradient, UPDATE: update}


def tried(how: PointConfig, points: PointSet) -> dict[str, Callable[[], object]]:
    """What could take the place of a part of the step (see ``TRIED``)."""
    model, batch = point_model.new_checkpoint(how, points).state.model, point_model.batches(how, points)(0)
    draw = point_model.batches(replace(how, batch=AHEAD * how.batch), points)
    left = iter(())

    def drawn_ahead() -> tuple[Tensor, ...]:
        nonlocal left
        if (found := next(left, None)) is None:
            x0, sigma, eps, _ = draw(7)
            left = zip(x0.split(how.batch), sigma.split(how.batch), eps.split(how.batch))
            found = next(left)
        return found

    weights = nn.Parameter(torch.cat([weight.detach().flatten() for weight in model.parameters()]))
    weights.grad, average = torch.full_like(weights, 1e-3), deepcopy(weights.detach())
    optimizer = torch.optim.AdamW([weights], lr=how.lr, fused=True)

    def flat() -> None:
        optimizer.step()
        average.lerp_(weights.detach(), 1 - how.ema)

    return {BY_HAND: lambda: by_hand(model, batch), DRAWN_AHEAD: drawn_ahead, FLAT: flat}


@torch.no_grad()
def by_hand(model: Denoiser, batch: tuple[Tensor, Tensor, Tensor, None]) -> float:
    """The mean of ``diffusion_loss`` for the default recipe's network, and its gradient in each weight's ``grad``: what
    autograd finds, without a graph. The weighted error is that of the network's own target, |F - target|^2."""
    x0, sigma, eps, _ = batch
    sigma, net = sigma[:, None], model.net
    x = x0 + sigma * eps
    c_skip, c_out = PREDICTIONS[model.prediction](sigma, model.sigma_data)
    point, angle = x * (sigma**2 + model.sigma_data**2).rsqrt(), sigma.log() / 2
    phase = point @ net.B
    inputs, before = [torch.cat([point, angle.sin(), angle.cos(), phase.sin(), phase.cos()], 1)], []
    layers = net.layers[::2]
    for layer in layers:
        before.append(torch.addmm(layer.bias, inputs[-1], layer.weight.T))
        inputs.append(nn.functional.silu(before[-1]))
    error = before.pop() - (x0 - c_skip * x) / c_out
    slope = error * (2 / error.numel())
    for i in reversed(range(len(layers))):
        layers[i].weight.grad, layers[i].bias.grad = slope.T @ inputs[i], slope.sum(0)
        if i:
            slope = torch.ops.aten.silu_backward(slope @ layers[i].weight, before[i - 1])
    return error.square().mean().item()
