"""Chapter 5: guidance of a denoiser, its terms as arrows, and what it does to samples.

Fields and samples share the noise levels ``SIGMAS``. They are drawn at ``alpha`` = s / sqrt(s^2 + sigma^2) of their
size, with s the RMS of the data: the variance preserving view of data scaled to RMS 1, in which the noise and the data
are equally large.
"""

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import PointSet
from core.diffusion import vector_field
from core.diffusion.denoiser import Cond, Denoise, Denoiser, per_sample
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.guidance import autoguidance, cfg, condition, interval
from core.diffusion.schedules import scale
from core.models import points as point_model
from core.pretrained import pretrained
from core.problems import Problem
from core.runs.progress import Progress

SIGMAS = point_model.grid(20).float()
"""The noise levels of samples and fields, from 5 to 0.01 and 0, [21]."""
FIELD_SIGMAS = SIGMAS.clamp_min(point_model.SIGMA_MIN)
"""The levels at which a field is evaluated: 0.01 in place of 0."""
SCALES = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0, 12.0)
COVERAGE_RADIUS = 0.05
MODELS = (
    "spiral-classes-strong",
    "spiral-classes-weak",
    "spiral-classes-500",
    "spiral-classes-200",
    "spiral-classes-100",
    "spiral-classes-50",
    "spiral-classes-told",
)
"""The shipped models of the three classes: the strong one, a plain network as in the literature, the strong one's own
run stopped early, and one that was trained without label dropout."""
WEAK_MODELS = MODELS[1:-1]
"""Those that autoguidance may lead away from."""

ConditionalDenoiser = Denoiser | EmpiricalDenoiser


@dataclass(frozen=True)
class GuidanceConfig:
    """How a denoiser is guided: u + w (c - u), where c is the answer under the condition ``label``.

    Attributes:
        label: the wanted class, None for no condition.
        negative: the class whose answer is u; None: the unconditional answer is.
        scale: w.
        interval: (low, high]; at noise levels outside it the answer is c. None: guidance at every level.
        weak_model: a shipped model whose answer under ``label`` is u (autoguidance).

    Raises Problem for a scale that is not finite, a negative label, an empty interval, a model that does not exist, and
    for both ``negative`` and ``weak_model``.
    """

    label: int | None = None
    negative: int | None = None
    scale: float = 1.0
    interval: tuple[float, float] | None = None
    weak_model: str | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale):
            raise Problem("guidance_scale", scale=self.scale)
        for label in (self.label, self.negative):
            if label is not None and label < 0:
                raise Problem("guidance_label", label=label)
        if self.interval and not 0 <= self.interval[0] < self.interval[1]:
            raise Problem("guidance_interval", low=self.interval[0], high=self.interval[1])
        if self.weak_model is not None and self.weak_model not in MODELS:
            raise Problem("guidance_weak_model", name=self.weak_model, known=", ".join(MODELS))
        if self.weak_model is not None and self.negative is not None:
            raise Problem("guidance_two_bases")


def cond(label: int | None) -> Cond | None:
    """A class as the condition of a whole batch."""
    return None if label is None else {"label": torch.tensor([label])}


def target(config: GuidanceConfig, denoiser: ConditionalDenoiser) -> Denoise:
    """c: the answer under the wanted class."""
    return condition(denoiser, cond(config.label))


def base(config: GuidanceConfig, denoiser: ConditionalDenoiser) -> Denoise:
    """u: what guidance leads away from, which is the unconditional, the negative or a weaker model's answer."""
    if config.weak_model:
        return condition(pretrained(config.weak_model).denoiser, cond(config.label))
    return condition(denoiser, cond(config.negative))


def guided_denoiser(config: GuidanceConfig, denoiser: ConditionalDenoiser) -> Denoise:
    """u + w (c - u) within the interval, c outside it."""
    if config.weak_model:
        guided = autoguidance(target(config, denoiser), base(config, denoiser), config.scale)
    else:
        guided = cfg(denoiser, cond(config.label), cond(config.negative), config.scale)
    return interval(guided, target(config, denoiser), *config.interval) if config.interval else guided


# Arrows


def alpha(rms: float, sigmas: Tensor = SIGMAS) -> Tensor:
    """The factor that draws a state of data with that RMS at each of the noise levels [T], [T]."""
    return scale(sigmas / rms, "vp").float()


@dataclass(frozen=True, eq=False)
class Fields:
    """Arrows x0_hat - x at ``places`` [g, 2] and the levels ``SIGMAS``, drawn to one scale at each place.

    Attributes:
        places: where the arrows start.
        base, target, guided: u, c and the guided answer, [T, g, 2] each.
        difference: c - u, from the tip of u to the tip of c.
    """

    places: Tensor
    base: Tensor
    target: Tensor
    difference: Tensor
    guided: Tensor


def fields(config: GuidanceConfig, denoiser: ConditionalDenoiser, rms: float, side: int, reach: float) -> Fields:
    """The fields on the grid of side^2 places over [-reach, reach]^2."""
    places, factor = vector_field.grid(side, reach), alpha(rms)[:, None, None]
    x = places / factor
    u, c, guided = (
        factor * (vector_field.evaluate(denoise, x, FIELD_SIGMAS) - x)
        for denoise in (base(config, denoiser), target(config, denoiser), guided_denoiser(config, denoiser))
    )
    return Fields(places, *vector_field.limit_lengths(2 * reach / side, u, c, c - u, guided))


@torch.no_grad()
def angles(config: GuidanceConfig, denoiser: ConditionalDenoiser, x0: Tensor, sigmas: Tensor, seed: int = 0) -> Tensor:
    """The mean angle between u - x and c - x in degrees, [T], at data x0 [n, 2] noised to each level [T]."""
    u, c, means = base(config, denoiser), target(config, denoiser), []
    for place, sigma in enumerate(sigmas):
        level = sigma.expand(len(x0))
        x = x0 + per_sample(level, x0) * seeds.gaussian(tuple(x0.shape), seed, place, like=x0)
        cosine = torch.cosine_similarity(u(x, level) - x, c(x, level) - x)
        means.append(cosine.clamp(-1, 1).arccos().rad2deg().mean())
    return torch.stack(means)


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of guidance at one place and the levels ``SIGMAS``, [T, 2] each: guided = base + scaled.

    Attributes:
        x: the state.
        base, target, guided: the guesses u, c and u + w (c - u) of x0.
        difference, scaled: c - u and w (c - u).
    """

    x: Tensor
    base: Tensor
    target: Tensor
    difference: Tensor
    scaled: Tensor
    guided: Tensor


def terms(config: GuidanceConfig, denoiser: ConditionalDenoiser, rms: float, place: tuple[float, float]) -> Terms:
    """The terms at a place of the picture, where the state is place / alpha. Outside the interval w is 1."""
    x = torch.tensor([[place]]) / alpha(rms)[:, None, None]
    u, c, guided = (
        vector_field.evaluate(denoise, x, FIELD_SIGMAS)[:, 0]
        for denoise in (base(config, denoiser), target(config, denoiser), guided_denoiser(config, denoiser))
    )
    return Terms(x[:, 0], u, c, c - u, guided - u, guided)


# Samples


def arms(points: PointSet) -> tuple[Tensor, ...]:
    """The part of the curve of each class, [M, 2] each. Its vertices are spread as the data are."""
    return points.curve.tensor_split(len(points.classes))


def classes_of(samples: Tensor, points: PointSet) -> Tensor:
    """The class of each sample [n, 2], [n]: that of the nearest vertex of the curve."""
    owner = torch.cat([torch.full((len(arm),), k) for k, arm in enumerate(arms(points))])
    return owner[metrics.nearest(samples, points.curve)[1]]


@dataclass(frozen=True)
class ClassQuality:
    """How good samples of a class are.

    Attributes:
        shares: the share of samples of each class (see ``classes_of``).
        hit: the share of the wanted class.
        coverage: the share of its data points that are the nearest to some sample within 0.05.
        distance: the mean distance of all samples to its arm.
        spread: the variance of the position along the arm relative to that of the data, 1 for exact samples.
    """

    shares: tuple[float, ...]
    hit: float
    coverage: float
    distance: float
    spread: float


def quality_of(samples: Tensor, points: PointSet, label: int | None) -> ClassQuality:
    """The quality of samples [n, 2] of a class; for None the whole curve is wanted, and every sample hits."""
    shares = tuple((classes_of(samples, points).bincount(minlength=len(points.classes)) / len(samples)).tolist())
    arm = points.curve if label is None else arms(points)[label]
    data = points.points if label is None else points.points[points.labels == label]
    distance, along = metrics.nearest(samples, arm)
    return ClassQuality(
        shares,
        hit=1.0 if label is None else shares[label],
        coverage=metrics.coverage(samples, data, COVERAGE_RADIUS),
        distance=distance.mean().item(),
        spread=along.double().var().item() / ((len(arm) ** 2 - 1) / 12),  # the variance of the numbers 1 to len(arm)
    )


def mean_quality(qualities: Sequence[ClassQuality]) -> ClassQuality:
    """The mean of each number."""
    shares = (fmean(share) for share in zip(*(quality.shares for quality in qualities), strict=True))
    numbers = ("hit", "coverage", "distance", "spread")
    return ClassQuality(tuple(shares), *(fmean(getattr(quality, name) for quality in qualities) for name in numbers))


@dataclass(frozen=True, eq=False)
class GuidedSamples:
    """Samples under guidance.

    Attributes:
        config: the guidance.
        states: all states at the levels ``SIGMAS`` as drawn, [T, n, 2].
        classes: the class of each sample, [n].
        quality: of the samples, the last states.
    """

    config: GuidanceConfig
    states: Tensor
    classes: Tensor
    quality: ClassQuality


def sample(
    config: GuidanceConfig, denoiser: ConditionalDenoiser, points: PointSet, n: int = 400, seed: int = 0
) -> GuidedSamples:
    """n guided samples (see ``core.models.points.sample``); equal seeds are equal starting points."""
    states = point_model.sample(guided_denoiser(config, denoiser), n, points.rms, seed)
    quality = quality_of(states[-1], points, config.label)
    return GuidedSamples(config, alpha(points.rms)[:, None, None] * states, classes_of(states[-1], points), quality)


def sweep(
    config: GuidanceConfig,
    denoiser: ConditionalDenoiser,
    points: PointSet,
    n: int = 400,
    seed: int = 0,
    scales: Iterable[float] = SCALES,
) -> list[GuidedSamples]:
    """Samples from the same starting points under several scales, two scales at a time."""
    with ThreadPoolExecutor(2) as pool:  # PyTorch releases the interpreter in each operation
        return list(pool.map(lambda w: sample(replace(config, scale=w), denoiser, points, n, seed), scales))


# A training run between two steps


@dataclass(frozen=True, eq=False)
class ModelSnapshot:
    """A model at one moment of its training, which can be sampled while the training goes on.

    Attributes:
        step: how many steps it was trained.
        model: a copy of the averaged model.
        losses: the loss so far in blocks.
        bayes_loss: the exact denoiser's loss, NaN where nobody computed it.
    """

    step: int
    model: Denoiser
    losses: Tensor
    bayes_loss: float


def snapshot(progress: Progress) -> ModelSnapshot:
    """A copy of the averaged model of a run under way."""
    return ModelSnapshot(
        progress.state.step, deepcopy(progress.state.ema), torch.tensor(progress.losses), progress.bayes_loss
    )
