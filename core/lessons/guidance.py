"""Guidance made visible: how a denoiser is steered, and what that does to its arrows and to its samples.

Everything is seen on one clock, ``WALK``, and drawn at alpha = s / sqrt(s^2 + sigma^2) of its size, s the RMS of the
data: the "variance preserving" view of data scaled to RMS 1, in which noise and data are equally large.
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
from core.runs.progress import Progress

WALK = point_model.grid(20).float()  # sigma from 5 to 0.01 and 0: the noise levels of samples and fields
SCALES = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0, 12.0)
CLOSE = 0.05
MODELS = {
    "converged": "spiral-classes-strong",
    "plain network": "spiral-classes-weak",
    "after 500 steps": "spiral-classes-500",
    "after 200 steps": "spiral-classes-200",
    "after 100 steps": "spiral-classes-100",
    "after 50 steps": "spiral-classes-50",
    "no label dropout": "spiral-classes-told",
}
"""Shipped models of the three classes: the strong one, a plain network as in the literature, the strong one's own run
stopped early, and one that was told the class at every step of its training."""
WEAKER = tuple(name for name in MODELS if name not in ("converged", "no label dropout"))
"""Those that guidance may lead away from."""

Model = Denoiser | EmpiricalDenoiser


@dataclass(frozen=True)
class GuidanceConfig:
    """How a denoiser is steered: u + w (c - u), with c the answer told ``wanted`` and w the ``scale``.

    wanted, negative: classes, None for none; u is the answer told ``negative``, or with ``weak``, a key of ``MODELS``,
    that model's answer told ``wanted``. Only for sigma in ``interval`` (low, high], if given; elsewhere it is c.
    Raises ValueError for a guide that cannot be followed.
    """

    wanted: int | None = None
    negative: int | None = None
    scale: float = 1.0
    interval: tuple[float, float] | None = None
    weak: str | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale):
            raise ValueError(f"The guidance scale must be a finite number, not {self.scale}.")
        for label in (self.wanted, self.negative):
            if label is not None and label < 0:
                raise ValueError(f"A class is a number from 0 on, or None for no class, not {label}.")
        if self.interval and not 0 <= self.interval[0] < self.interval[1]:
            raise ValueError(f"Guidance needs noise levels 0 <= low < high, not {self.interval}.")
        if self.weak is not None and self.weak not in MODELS:
            raise ValueError(f"There is no model {self.weak!r} to guide away from; there are {', '.join(MODELS)}.")
        if self.weak is not None and self.negative is not None:
            raise ValueError("GuidanceConfig away from a negative class or from a weaker model, not from both.")


def label(wanted: int | None) -> Cond | None:
    """A class as a condition for a whole batch."""
    return None if wanted is None else {"label": torch.tensor([wanted])}


def target(guide: GuidanceConfig, model: Model) -> Denoise:
    """c: the answer of the model told the wanted class."""
    return condition(model, label(guide.wanted))


def base(guide: GuidanceConfig, model: Model) -> Denoise:
    """u: what guidance leads away from: the unconditional answer, the negative class's, or a weaker model's."""
    if guide.weak:
        return condition(pretrained(MODELS[guide.weak]).denoiser, label(guide.wanted))
    return condition(model, label(guide.negative))


def guided_denoiser(guide: GuidanceConfig, model: Model) -> Denoise:
    """The guided denoiser, u + w (c - u) within the interval and c outside it."""
    if guide.weak:
        guided = autoguidance(target(guide, model), base(guide, model), guide.scale)
    else:
        guided = cfg(model, label(guide.wanted), label(guide.negative), guide.scale)
    return interval(guided, target(guide, model), *guide.interval) if guide.interval else guided


# Arrows


def alpha(rms: float, sigmas: Tensor = WALK) -> Tensor:
    """The factor that draws a state of data with that RMS at each of the noise levels [T], [T]."""
    return scale(sigmas / rms, "vp").float()


@dataclass(frozen=True, eq=False)
class Fields:
    """Arrows x0_hat - x at ``places`` [g, 2] along ``WALK``, drawn to one scale at each place (see ``field.fit``).

    base u, target c and guided, each [T, g, 2]; difference c - u leads from the tip of u to the tip of c.
    """

    places: Tensor
    base: Tensor
    target: Tensor
    difference: Tensor
    guided: Tensor


def fields(guide: GuidanceConfig, model: Model, rms: float, side: int, reach: float) -> Fields:
    """The fields of a guide on ``field.grid(side, reach)``."""
    places, factor = vector_field.grid(side, reach), alpha(rms)[:, None, None]
    x, level = places / factor, WALK.clamp_min(point_model.SIGMA_MIN)
    u, c, guided = (
        factor * (vector_field.evaluate(denoise, x, level) - x)
        for denoise in (base(guide, model), target(guide, model), guided_denoiser(guide, model))
    )
    return Fields(places, *vector_field.fit(2 * reach / side, u, c, c - u, guided))


@torch.no_grad()
def angles(guide: GuidanceConfig, model: Model, x0: Tensor, sigmas: Tensor, seed: int = 0) -> Tensor:
    """The mean angle between the arrows u - x and c - x in degrees, [T], at data x0 [n, 2] noised to each level [T]."""
    u, c, means = base(guide, model), target(guide, model), []
    for place, sigma in enumerate(sigmas):
        level = sigma.expand(len(x0))
        x = x0 + per_sample(level, x0) * seeds.gaussian(tuple(x0.shape), seed, place, like=x0)
        cosine = torch.cosine_similarity(u(x, level) - x, c(x, level) - x)
        means.append(cosine.clamp(-1, 1).arccos().rad2deg().mean())
    return torch.stack(means)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Guidance at one place of the picture along ``WALK``, [T, 2] each: the state x there, and as guesses of x0 the
    terms of guided = base + push, where difference = target - base and push = w difference."""

    x: Tensor
    base: Tensor
    target: Tensor
    difference: Tensor
    push: Tensor
    guided: Tensor


def anatomy(guide: GuidanceConfig, model: Model, rms: float, place: tuple[float, float]) -> Anatomy:
    """Take a guide apart at a drawn place. Outside its interval the scale in force is 1."""
    x, level = torch.tensor([[place]]) / alpha(rms)[:, None, None], WALK.clamp_min(point_model.SIGMA_MIN)
    u, c, guided = (
        vector_field.evaluate(denoise, x, level)[:, 0]
        for denoise in (base(guide, model), target(guide, model), guided_denoiser(guide, model))
    )
    return Anatomy(x[:, 0], u, c, c - u, guided - u, guided)


# Samples


def arms(points: PointSet) -> tuple[Tensor, ...]:
    """The part of the curve that belongs to each class, [M, 2] each. Vertices are spread as the data are."""
    return points.curve.tensor_split(len(points.classes))


def classes_of(samples: Tensor, points: PointSet) -> Tensor:
    """The class on whose arm the vertex nearest to each sample [n, 2] lies, [n]."""
    owner = torch.cat([torch.full((len(arm),), k) for k, arm in enumerate(arms(points))])
    return owner[metrics.nearest(samples, points.curve)[1]]


@dataclass(frozen=True)
class Verdict:
    """How good samples of a class are.

    shares: the share of samples whose nearest class is each of the classes; hit: that of the wanted one. coverage: the
    share of its data points that are the nearest to some sample within 0.05. distance: mean distance to its arm.
    spread: the variance of the position along the arm relative to that of the data, 1 for a perfect sampler.
    """

    shares: tuple[float, ...]
    hit: float
    coverage: float
    distance: float
    spread: float


def judge(samples: Tensor, points: PointSet, wanted: int | None) -> Verdict:
    """The verdict on samples [n, 2]; without a class the whole curve is wanted, and every sample hits."""
    shares = tuple((classes_of(samples, points).bincount(minlength=len(points.classes)) / len(samples)).tolist())
    arm = points.curve if wanted is None else arms(points)[wanted]
    own = points.points if wanted is None else points.points[points.labels == wanted]
    distance, along = metrics.nearest(samples, arm)
    return Verdict(
        shares,
        hit=1.0 if wanted is None else shares[wanted],
        coverage=metrics.coverage(samples, own, CLOSE),
        distance=distance.mean().item(),
        spread=along.double().var().item() / ((len(arm) ** 2 - 1) / 12),  # the variance of whole numbers in a row
    )


def mean(verdicts: Sequence[Verdict]) -> Verdict:
    """The mean of verdicts, number by number."""
    shares = (fmean(share) for share in zip(*(verdict.shares for verdict in verdicts), strict=True))
    numbers = ("hit", "coverage", "distance", "spread")
    return Verdict(tuple(shares), *(fmean(getattr(verdict, name) for verdict in verdicts) for name in numbers))


@dataclass(frozen=True, eq=False)
class Run:
    """Samples under a guide on their way along ``WALK``, as drawn, [T, n, 2]; the classes [n] where they end; and the
    verdict on them."""

    guide: GuidanceConfig
    states: Tensor
    ends: Tensor
    verdict: Verdict


def run(guide: GuidanceConfig, model: Model, points: PointSet, n: int = 400, seed: int = 0) -> Run:
    """n samples under a guide (see ``recipe.sample``); equal seeds are equal starting points, whatever the guide."""
    states = point_model.sample(guided_denoiser(guide, model), n, points.rms, seed)
    ends = classes_of(states[-1], points)
    return Run(guide, alpha(points.rms)[:, None, None] * states, ends, judge(states[-1], points, guide.wanted))


def sweep(
    guide: GuidanceConfig, model: Model, points: PointSet, n: int = 400, seed: int = 0, scales: Iterable[float] = SCALES
) -> list[Run]:
    """One start under several scales of the same guide, two at a time: PyTorch lets go of the interpreter in each of
    its operations."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda w: run(replace(guide, scale=w), model, points, n, seed), scales))


# A run of training, between two of its steps


@dataclass(frozen=True, eq=False)
class Portrait:
    """A model at one moment of its training, to be asked things while the training goes on; its loss so far in blocks,
    and the exact denoiser's (NaN when nobody computed it)."""

    step: int
    model: Denoiser
    losses: Tensor
    floor: float


def portrait(progress: Progress) -> Portrait:
    """A copy of the averaged model of a run under way."""
    return Portrait(progress.state.step, deepcopy(progress.state.ema), torch.tensor(progress.losses), progress.floor)
