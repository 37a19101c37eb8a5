"""Two configurations on the same noise: all that sampling can be told in one setup, and what comes of it in numbers."""

from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import PointSet
from core.diffusion import samplers
from core.diffusion.samplers import DDIM, SamplerConfig
from core.lessons import guidance as guidance_lesson
from core.lessons.guidance import GuidanceConfig, arms, guided_denoiser
from core.models import points as point_model
from core.models.trajectories import PointModel, Trajectory, trajectory
from core.pretrained import points_of, pretrained

EXACT = "exact denoiser"
SHIPPED = {
    "converged": "spiral-classes-strong",
    "plain network": "spiral-classes-weak",
    "after 500 steps": "spiral-classes-500",
    "after 200 steps": "spiral-classes-200",
    "after 100 steps": "spiral-classes-100",
    "after 50 steps": "spiral-classes-50",
    "no label dropout": "spiral-classes-told",
    "Fourier network, 100 points": "spiral-100-fourier",
    "reference network, 100 points": "spiral-100-reference",
    "endless spiral": "spiral",
}
MODELS = (*SHIPPED, EXACT)
"""The models that can be tried: chapter 5's, then chapter 4's, which were never told a class and answer all alike."""

_PLACE = 0x1AB  # keeps the draws that judge apart from those that are judged


@dataclass(frozen=True)
class Net:
    """A denoiser of the spiral. Equal names and keys promise equal answers."""

    name: str
    denoiser: guidance_lesson.ConditionalDenoiser = field(compare=False, repr=False)
    key: str = ""


def net(name: str) -> Net:
    """A shipped model, or the exact denoiser of the 100 points. Raises ValueError for one that there is not."""
    if name not in MODELS:
        raise ValueError(f"There is no model {name!r}; choose one of {', '.join(MODELS)}.")
    return Net(
        name, point_model.exact(spiral(), endless=False) if name == EXACT else pretrained(SHIPPED[name]).denoiser
    )


def spiral() -> PointSet:
    """The data of them all."""
    return points_of("spiral-classes-strong")


@dataclass(frozen=True)
class Config:
    """How samples are made: by which model, on which way, under which guide."""

    model: Net = field(default_factory=lambda: net("converged"))
    way: SamplerConfig = field(default_factory=lambda: SamplerConfig(DDIM))
    guide: GuidanceConfig = GuidanceConfig()


@dataclass(frozen=True)
class Metrics:
    """How good samples are, and at what price: network calls for each; the verdict's hit, coverage, distance and spread
    (see ``guidance.ClassQuality``); their energy distance to exact samples of what is wanted, over its noise floor."""

    calls: int
    hit: float
    coverage: float
    distance: float
    spread: float
    energy: float


@dataclass(frozen=True, eq=False)
class Result:
    """A setup tried: the walk of its particles, the class [n] on whose arm each ends, and the marks."""

    setup: Config
    walk: Trajectory
    ends: Tensor
    marks: Metrics

    @property
    def samples(self) -> Tensor:
        """Where the particles ended, [n, 2]."""
        return self.walk.states[-1]


@lru_cache(maxsize=16)
def evaluate(setup: Config, n: int = 1000) -> Result:
    """Try a setup on n particles. Setups of equal seed start alike and, step for step, are shaken alike."""
    points, wanted, asked = spiral(), setup.guide.label, setup.model
    steered = guided_denoiser(setup.guide, asked.denoiser)
    model = PointModel(f"{asked.name} {asked.key} {setup.guide}", steered, points, endless=True)
    walk = trajectory(model, setup.way, n)
    samples = walk.states[-1]
    seen = guidance_lesson.quality_of(samples, points, wanted)
    real = points.curve if wanted is None else arms(points)[wanted]
    energy = metrics.energy_distance(samples, _draw(real, n)) / _floor(wanted, n)
    marks = Metrics(calls(setup), seen.hit, seen.coverage, seen.distance, seen.spread, energy)
    return Result(setup, walk, guidance_lesson.classes_of(samples, points), marks)


def calls(setup: Config) -> int:
    """How often a network is asked for each sample: guidance asks twice, wherever it is in force."""
    way, guide = setup.way, setup.guide
    levels = []

    def record(x: Tensor, sigma: Tensor) -> Tensor:
        levels.extend(sigma.double().tolist())  # as samplers hand them on: an interval may end at one
        return torch.zeros_like(x)

    for _ in samplers.run(way, record, torch.zeros(1, 1)):
        pass
    low, high = guide.interval or (0.0, float("inf"))
    guided = [level for level in levels if low < level <= high]
    return len(levels) + (len(guided) if guide.scale not in (0, 1) else 0)


def apart(first: Result, second: Result) -> tuple[float, float]:
    """How far the same particle ends from itself in two trials, and from another one: medians over all particles.

    The second is what the distance would be if the start did not matter.
    """
    a, b = first.samples, second.samples
    return tuple((a - other).norm(dim=1).median().item() for other in (b, b.roll(1, 0)))


def _draw(real: Tensor, n: int) -> Tensor:
    return real[torch.randint(len(real), (n,), generator=seeds.generator(_PLACE))]


@lru_cache(maxsize=16)
def _floor(wanted: int | None, n: int) -> float:
    points = spiral()
    return metrics.noise_floor(points.curve if wanted is None else arms(points)[wanted], n, repeats=5)
