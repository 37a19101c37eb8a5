"""One frozen recipe = one reproducible training run on a point set: what pages, shipped models and benchmark run.

The defaults learn a spiral in about two seconds on one core: Fourier features so that fine detail is learnable, EDM
preconditioning, noise levels where the detail is, stratified, in +/- pairs (README.md, "The recipe").
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, lru_cache
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from core.data.points import PointSet
from core.diffusion import samplers
from core.diffusion.denoiser import Denoise
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.schedules import SCHEDULES, log_linear, make_schedule
from core.diffusion.training import TrainConfig, as_dict, diffusion_batches, diffusion_loss, train
from core.runs.checkpoints import Checkpoint, fresh
from core.runs.progress import Progress, exact_loss, loss_history, recorded

_one_at_a_time = Lock()
SIGMA_MIN, SIGMA_MAX = 0.01, 10.0
EXACT_POINTS = 4000


@dataclass(frozen=True)
class PointConfig:
    """How to train on a point set. ``endless``: fresh points at every step; otherwise the N points are all there is.

    noise: the schedule that training draws sigma from. ema, scale_input: see ``TrainConfig`` and ``Denoiser``.
    conditional: tell the network the class, left out at random with probability ``label_dropout``.
    """

    network: str = "fourier"
    prediction: str = "edm"
    noise: str = "log-normal"
    endless: bool = True
    batch: int = 512
    lr: float = 1.2e-2
    steps: int = 15_000
    decay_from: int = 80
    ema: float = 0.995
    scale_input: bool = True
    seed: int = 0
    conditional: bool = False
    label_dropout: float = 0.1

    @property
    def train(self) -> TrainConfig:
        """The part that the training loop reads."""
        return TrainConfig(steps=self.steps, lr=self.lr, decay_from=self.decay_from, ema=self.ema)


REFERENCE = PointConfig(
    network="plain",
    prediction="eps",
    noise="log-linear",
    endless=False,
    batch=100,
    lr=1e-3,
    steps=10_000,
    decay_from=10_000,
    ema=0.98,
    scale_input=False,
)
"""The spiral as commonly taught: a plain network that sees x itself and predicts eps, 10,000 steps on 100 points."""


def new_checkpoint(recipe: PointConfig, points: PointSet) -> Checkpoint:
    """An untrained checkpoint of the recipe. Raises ValueError for a conditional one on data without classes."""
    return fresh(describe(recipe, points), recipe.train)


def describe(recipe: PointConfig, points: PointSet) -> dict[str, Any]:
    """A checkpoint's config: the whole recipe, the model it makes, and the affine of the data."""
    if recipe.conditional and points.labels is None:
        raise ValueError(
            f"The data set {points.name!r} has no classes to condition on; train without, or choose the spiral."
        )
    classes = len(points.classes) if recipe.conditional else 0
    return {
        "network": {"name": recipe.network, "dim": points.points.shape[1], "classes": classes, "seed": recipe.seed},
        "prediction": recipe.prediction,
        "sigma_data": points.rms,
        "scale_input": recipe.scale_input,
        "recipe": asdict(recipe),
        "data": {"name": points.name, "n": len(points.points), "affine": asdict(points.affine)},
    }


def run(recipe: PointConfig, points: PointSet, progress: Progress | None = None) -> Iterator[Progress]:
    """Train from scratch or on from ``progress``; yields after each step. Raises Diverged (see ``training.train``)."""
    if progress is None:
        progress = Progress(new_checkpoint(recipe, points).state)
    yield from recorded(progress, train(diffusion_loss, batches(recipe, points), recipe.train, progress.state))


def batches(recipe: PointConfig, points: PointSet):
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


def exact(points: PointSet, endless: bool, n: int = EXACT_POINTS) -> EmpiricalDenoiser:
    """The exact denoiser of what a recipe trains on: its own points, or for endless data n even ones in their place."""
    return EmpiricalDenoiser(*points.even(n)) if endless else EmpiricalDenoiser(points.points, points.labels)


def bayes_loss(recipe: PointConfig, points: PointSet) -> float:
    """The mean loss of the exact denoiser under the recipe's noise and weighting: no network beats it on these data.

    Over 8,192 noised points. One at a time, since it takes a core for a while; remembered for the last 64 that were
    asked for.
    """
    with _one_at_a_time:
        return _bayes_loss(replace(recipe, lr=1.0, steps=1), points)


@lru_cache(maxsize=64)
def _bayes_loss(recipe: PointConfig, points: PointSet) -> float:
    weight = new_checkpoint(recipe, points).denoiser.weight
    drawn = batches(replace(recipe, batch=8192, seed=recipe.seed + 1), points)
    return exact_loss(exact(points, recipe.endless), weight, drawn)


def sample(denoise: Denoise, n: int, sigma_data: float, seed: int, steps: int = 20, sigma_max: float = 5.0) -> Tensor:
    """The whole way of n samples under DPM-Solver++(2M), [steps + 1, n, 2]: how the recipe is meant to be sampled."""
    x = samplers.start((n, 2), sigma_max, sigma_data, seed)
    return samplers.path(samplers.dpmpp_2m(denoise, x, grid(steps, sigma_max)))


@cache
def grid(steps: int, sigma_max: float = 5.0) -> Tensor:
    """The log-linear noise levels from sigma_max to 0.01 and 0, [steps + 1], that ``sample`` walks down."""
    return log_linear(SIGMA_MIN, sigma_max).sigmas(steps)


def checkpoint_of(progress: Progress, recipe: PointConfig, points: PointSet) -> Checkpoint:
    """The checkpoint of a run under way, its loss so far included."""
    model = progress.state.model
    own = {"prediction": model.prediction, "sigma_data": model.sigma_data, "scale_input": model.scale_input}
    train = {"train": as_dict(recipe.train)}
    return Checkpoint(progress.state, {**describe(recipe, points), **own, **loss_history(progress), **train})


def config_of(config: dict[str, Any]) -> PointConfig:
    """The recipe in a checkpoint's config. Raises ValueError with a sentence if it is none of a point-set model."""
    try:
        recipe = PointConfig(**config["recipe"])
        network, name = config["network"], config["data"]["name"]
        fits = (network["name"], network["dim"], network["classes"]) == (recipe.network, 2, 0) and isinstance(name, str)
    except (KeyError, TypeError) as error:
        raise ValueError(
            "This checkpoint does not say how a point-set model was trained; it cannot go on here."
        ) from error
    if recipe.conditional or not fits:
        raise ValueError(
            "This checkpoint is of another kind of model: here go unconditional models of points in the plane."
        )
    kinds = {made.name: type(made.default) for made in fields(PointConfig)}
    sane = all(type(getattr(recipe, name)) is kind or kind is float and type(getattr(recipe, name)) is int
               for name, kind in kinds.items())  # fmt: skip
    if not sane or not (
        recipe.prediction == config["prediction"]
        and recipe.noise in SCHEDULES
        and 1e-6 <= recipe.lr <= 1e6
        and 0 <= recipe.seed <= 9999
        and 2 <= recipe.batch <= 8192
        and recipe.train
    ):
        raise ValueError(
            "This checkpoint's recipe holds values that no run of this app can have; save it again from the app."
        )
    return recipe
