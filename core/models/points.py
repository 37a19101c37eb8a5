"""Diffusion models of points in the plane: one configuration is one reproducible training run.

The defaults learn a spiral in about two seconds on one core: Fourier features so that fine detail is learnable, EDM
preconditioning, noise levels where the detail is, stratified, in pairs of opposite noise (core/README.md, "The
recipe").
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import PointSet
from core.diffusion import samplers, vector_field
from core.diffusion.denoiser import Denoise, Denoiser
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.samplers import SamplerConfig
from core.diffusion.schedules import SCHEDULES, log_linear, make_schedule
from core.diffusion.training import Batches, TrainConfig, as_dict, diffusion_batches, diffusion_loss, train
from core.models.images import MAX_BATCH, check_batch, check_type
from core.problems import Problem
from core.runs import checkpoints
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, exact_loss, loss_history, recorded

SIGMA_MIN, SIGMA_MAX = 0.01, 10.0
START_SIGMA = 5.0  # where sampling starts
EXACT_POINTS = 4000


@dataclass(frozen=True)
class PointConfig:
    """How to train on a set of points.

    Attributes:
        network: a network for points.
        prediction: what the network predicts.
        noise: the schedule that the noise levels of training are drawn from.
        endless: draw new points in every step; otherwise train on the N points of the set.
        batch, lr, steps, decay_from, ema: see ``TrainConfig``.
        scale_input: see ``Denoiser``.
        seed: decides the initial weights, the points and their noise.
        conditional: train with the class of each point.
        label_dropout: probability with which a point is trained on without its class.
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
        """The settings of the training loop. Raises Problem for values that no run can have."""
        for field in fields(self):
            check_type(field.name, getattr(self, field.name), type(field.default))
        if not 2 <= self.batch <= MAX_BATCH:
            raise Problem("train_setting", name="batch", value=repr(self.batch))
        check_batch(self.batch, (2,))
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


def new_checkpoint(config: PointConfig, points: PointSet) -> Checkpoint:
    """An untrained checkpoint. Raises Problem for a conditional configuration on data without classes."""
    return checkpoints.new_checkpoint(describe(config, points), config.train)


def describe(config: PointConfig, points: PointSet) -> dict[str, Any]:
    """A checkpoint's config: the configuration, the model that it makes, and the affine map of the data."""
    if config.conditional and points.labels is None:
        raise Problem("data_no_classes", name=points.name)
    classes = len(points.classes) if config.conditional else 0
    return {
        "network": {"name": config.network, "dim": points.points.shape[1], "classes": classes, "seed": config.seed},
        "prediction": config.prediction,
        "sigma_data": points.rms,
        "scale_input": config.scale_input,
        "recipe": asdict(config),
        "data": {"name": points.name, "n": len(points.points), "affine": asdict(points.affine)},
    }


def run(config: PointConfig, points: PointSet, progress: Progress | None = None) -> Iterator[Progress]:
    """Train from the beginning, or further from ``progress``; yields after each step. Raises Diverged (see
    ``training.train``)."""
    if progress is None:
        progress = Progress(new_checkpoint(config, points).state)
    yield from recorded(progress, train(diffusion_loss, batches(config, points), config.train, progress.state))


def run_on(
    config: PointConfig, points: PointSet, progress: Progress, settings: Mapping[str, float]
) -> Iterator[Progress]:
    """``run`` from ``progress`` at the learning rate ``settings["lr"]``."""
    return run(replace(config, lr=settings["lr"]), points, progress)


def batches(config: PointConfig, points: PointSet) -> Batches:
    """The batches of a run by step (see ``training.diffusion_batches``)."""
    draw = points.sample if config.endless else resample(points)
    if not config.conditional:
        labelled, draw = draw, lambda n, generator: (labelled(n, generator)[0], None)
    return diffusion_batches(draw, make_schedule(config.noise), config.batch, config.seed, config.label_dropout)


def resample(points: PointSet):
    """A function like ``PointSet.sample`` that draws with replacement from the N points and their labels."""

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        chosen = torch.randint(len(points.points), (n,), generator=generator)
        return points.points[chosen], None if points.labels is None else points.labels[chosen]

    return draw


def exact(points: PointSet, endless: bool, n: int = EXACT_POINTS) -> EmpiricalDenoiser:
    """The exact denoiser of the training data: of the N points, or for endless data of n evenly spread ones."""
    return EmpiricalDenoiser(*points.even(n)) if endless else EmpiricalDenoiser(points.points, points.labels)


def bayes_loss(config: PointConfig, points: PointSet) -> float:
    """The mean loss of the exact denoiser under the noise and weighting of a run: no network can beat it on these data.

    Over 4,096 noised points, the same ones for all seeds: a class whose runs differ in their seeds computes it once.
    Remembered for the last 64 calls.
    """
    return _bayes_loss(replace(config, lr=1.0, steps=1, seed=0, batch=4096), points)


@shared_cache(maxsize=64)
def _bayes_loss(config: PointConfig, points: PointSet) -> float:
    weight = new_checkpoint(config, points).denoiser.weight
    return exact_loss(exact(points, config.endless), weight, batches(config, points))


def sampler_config(sampler: str, steps: int, seed: int = 0) -> SamplerConfig:
    """A sampler on the noise levels of ``grid``. Its noise differs from the noise that points of the same seed start
    from."""
    return SamplerConfig(sampler, steps, sigma_max=START_SIGMA, sigma_min=SIGMA_MIN, seed=seed + 1)


def sample(
    denoise: Denoise, n: int, sigma_data: float, seed: int, steps: int = 20, sigma_max: float = START_SIGMA
) -> Tensor:
    """All states of n samples under DPM-Solver++(2M), [steps + 1, n, 2]: how these models are meant to be sampled."""
    x = samplers.start((n, 2), sigma_max, sigma_data, seed)
    return samplers.path(samplers.dpmpp_2m(denoise, x, grid(steps, sigma_max)))


def energy_distance(denoiser: Denoiser, config: PointConfig, points: PointSet, n: int = 2000) -> float:
    """The energy distance between n samples of a model and n draws of what it was trained on, always the same ones."""
    draw = points.sample if config.endless else resample(points)
    samples = sample(denoiser, n, denoiser.sigma_data, seed=1)[-1]
    return metrics.energy_distance(samples, draw(n, seeds.generator(1234))[0])


@torch.no_grad()
def is_dead(model: Denoiser) -> bool:
    """Whether the output of a network of points in the plane no longer depends on x, though its last layer has weights.

    Too high a learning rate causes that; no gradient leads back.
    """
    x = vector_field.grid(5, 2.0)
    *_, weight, _ = model.net.parameters()
    return (model.net(x, x.new_zeros(len(x)), None).std(0).max() < 1e-5 * weight.abs().max()).item()


@cache
def grid(steps: int, sigma_max: float = START_SIGMA) -> Tensor:
    """Log-linear noise levels from sigma_max to 0.01, then 0, [steps + 1]."""
    return log_linear(SIGMA_MIN, sigma_max).sigmas(steps)


def checkpoint_of(progress: Progress, config: PointConfig, points: PointSet) -> Checkpoint:
    """The checkpoint of a run in progress, with its loss so far."""
    model = progress.state.model
    built = {"prediction": model.prediction, "sigma_data": model.sigma_data, "scale_input": model.scale_input}
    stored = {**describe(config, points), **built, **loss_history(progress), "train": as_dict(config.train)}
    return Checkpoint(progress.state, stored)


def config_of(stored: dict[str, Any]) -> PointConfig:
    """The configuration in a checkpoint's config. Raises Problem unless it is of an unconditional model of points."""
    try:
        config = PointConfig(**stored["recipe"])
        network, name = stored["network"], stored["data"]["name"]
        fits = (network["name"], network["dim"], network["classes"]) == (config.network, 2, 0) and isinstance(name, str)
    except (KeyError, TypeError) as error:
        raise Problem("checkpoint_no_point_config") from error
    if config.conditional or not fits:
        raise Problem("checkpoint_other_kind_of_points")
    if not (_types_fit(config) and config.prediction == stored["prediction"] and _values_fit(config)):
        raise Problem("checkpoint_point_values")
    return config


def _types_fit(config: PointConfig) -> bool:
    """Whether every setting has the type of its default; a whole number may stand for any number."""
    pairs = [(type(getattr(config, field.name)), type(field.default)) for field in fields(PointConfig)]
    return all(given is expected or (given, expected) == (int, float) for given, expected in pairs)


def _values_fit(config: PointConfig) -> bool:
    """Whether the settings are among those that the page offers. Raises Problem for settings that no run can have."""
    return (
        config.noise in SCHEDULES
        and 1e-6 <= config.lr <= 1e6
        and 0 <= config.seed <= 9999
        and 2 <= config.batch <= 8192
        and config.train is not None
    )
