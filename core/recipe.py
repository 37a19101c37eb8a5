"""One frozen recipe = one reproducible training run on a point set: what the pages, the shipped models and the benchmark run.

The defaults learn a spiral in about two seconds on one core: Fourier features so that fine detail is learnable, EDM
preconditioning, noise levels where the detail is, stratified, in +/- pairs (README.md, "The recipe").
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from core import samplers, seeds
from core.checkpoints import Checkpoint, fresh
from core.data.points import PointSet
from core.denoiser import Denoise, Denoiser, denoising_loss
from core.exact import EmpiricalDenoiser
from core.schedules import log_linear, make_schedule
from core.training import TrainConfig, TrainState, diffusion_batches, diffusion_loss, train

SIGMA_MIN, SIGMA_MAX = 0.01, 10.0
EXACT_POINTS = 2000


@dataclass(frozen=True)
class Recipe:
    """How to train on a point set. ``endless`` draws fresh points at every step; otherwise the N points are all there is.

    noise: the schedule that training draws sigma from. conditional: tell the network the class, left out at random with
    probability ``label_dropout``.
    """

    network: str = "fourier"
    prediction: str = "edm"
    noise: str = "log-normal"
    endless: bool = True
    batch: int = 512
    lr: float = 4.9e-3
    steps: int = 15_000
    seed: int = 0
    conditional: bool = False
    label_dropout: float = 0.1

    @property
    def train(self) -> TrainConfig:
        """The part that the training loop reads."""
        return TrainConfig(steps=self.steps, lr=self.lr)


REFERENCE = Recipe(
    network="plain", prediction="eps", noise="log-linear", endless=False, batch=200, lr=1e-3, steps=15_000
)
"""The spiral as commonly taught: a plain network that predicts eps, on 100 points, for 15,000 steps."""


@dataclass
class Progress:
    """A run under way: its training state, its loss so far in blocks (mean over ``BLOCK`` steps each), and the loss of
    the exact denoiser on the same data, which no network can beat."""

    state: TrainState
    floor: float
    losses: list[float] = field(default_factory=list)
    block: list[float] = field(default_factory=list)


BLOCK = 10


def begin(recipe: Recipe, points: PointSet) -> Checkpoint:
    """An untrained checkpoint whose config tells the whole recipe and the affine of the data."""
    if recipe.conditional and points.labels is None:
        raise ValueError(f"The data set {points.name!r} has no classes to condition on; train without, or choose the spiral.")
    classes = len(points.classes) if recipe.conditional else 0
    config = {
        "network": {"name": recipe.network, "dim": points.points.shape[1], "classes": classes, "seed": recipe.seed},
        "prediction": recipe.prediction,
        "sigma_data": points.rms,
        "recipe": asdict(recipe),
        "data": {"name": points.name, "n": len(points.points), "affine": asdict(points.affine)},
    }
    return fresh(config, recipe.train)


def run(recipe: Recipe, points: PointSet, progress: Progress | None = None) -> Iterator[Progress]:
    """Train from scratch or go on from ``progress``; yields after each step. Raises Diverged (see ``training.train``)."""
    if progress is None:
        state = begin(recipe, points).state
        progress = Progress(state, exact_loss(recipe, points, state.ema))
    for _ in train(diffusion_loss, batches(recipe, points), recipe.train, progress.state):
        progress.block.append(progress.state.loss)
        if len(progress.block) == BLOCK:
            progress.losses.append(sum(progress.block) / BLOCK)
            progress.block = []
        yield progress


def batches(recipe: Recipe, points: PointSet):
    """The recipe's batches by step (see ``training.diffusion_batches``)."""
    draw = points.sample if recipe.endless else resample(points)
    if not recipe.conditional:
        labelled, draw = draw, lambda n, generator: (labelled(n, generator)[0], None)
    return diffusion_batches(draw, make_schedule(recipe.noise), recipe.batch, recipe.seed, recipe.label_dropout)


def resample(points: PointSet):
    """Draws with replacement from the N points and their labels, with the signature of ``PointSet.sample``."""

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        pick = torch.randint(len(points.points), (n,), generator=generator)
        return points.points[pick], None if points.labels is None else points.labels[pick]

    return draw


def exact(points: PointSet, endless: bool, seed: int = 0) -> EmpiricalDenoiser:
    """The exact denoiser of what a recipe trains on: the N points, or for endless data 2,000 fresh draws in their place."""
    if not endless:
        return EmpiricalDenoiser(points.points, points.labels)
    return EmpiricalDenoiser(*points.sample(EXACT_POINTS, seeds.generator(seed, 77)))


def exact_loss(recipe: Recipe, points: PointSet, model: Denoiser, n: int = 4096) -> float:
    """The mean loss of the exact denoiser under the recipe's noise and ``model``'s weighting: the floor of the loss."""
    ideal = exact(points, recipe.endless)
    large = replace(recipe, batch=512, seed=recipe.seed + 1)
    draw = batches(large, points)
    total = 0.0
    for step in range(n // 512):
        x0, sigma, eps, _ = draw(step)
        total += denoising_loss(ideal, x0, sigma, eps, model.weight(sigma)).mean().item()
    return total / (n // 512)


def sample(denoise: Denoise, n: int, sigma_data: float, seed: int, steps: int = 20, sigma_max: float = 5.0) -> Tensor:
    """The whole way of n samples under DPM-Solver++(2M), [steps + 1, n, 2]: how the recipe is meant to be sampled."""
    x = samplers.start((n, 2), sigma_max, sigma_data, seed)
    return samplers.path(samplers.dpmpp_2m(denoise, x, grid(steps, sigma_max)))


@cache
def grid(steps: int, sigma_max: float = 5.0) -> Tensor:
    """The log-linear noise levels from sigma_max to 0.01 and 0, [steps + 1], that ``sample`` walks down."""
    return log_linear(SIGMA_MIN, sigma_max).sigmas(steps)


def describe(config: dict[str, Any]) -> str:
    """One line that says what a checkpoint of points was trained on and how."""
    recipe, data = config.get("recipe", {}), config.get("data", {})
    return (
        f"{data.get('name', 'unknown data')}, {recipe.get('network', '?')} network predicting {config['prediction']}, "
        f"learning rate {recipe.get('lr', float('nan')):g}, seed {recipe.get('seed', '?')}"
    )
