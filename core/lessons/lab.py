"""Two configurations on the same noise: how samples of the spiral are made, and how good they are at what price."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import PointSet
from core.diffusion import samplers
from core.diffusion.samplers import DDIM, SamplerConfig
from core.lessons import guidance as guidance_lesson
from core.lessons.guidance import GuidanceConfig, arms, guided_denoiser
from core.models.trajectories import PointModel, Trajectory, exact_model, trajectory
from core.pretrained import SPIRAL_FLOWS, points_of, shipped
from core.runs.caching import shared_cache

EXACT = "exact"
MODELS = (*guidance_lesson.MODELS, "spiral-100-fourier", "spiral-100-reference", "spiral", *SPIRAL_FLOWS, EXACT)
"""The models to choose from: those of chapter 5, those of chapters 4 and 6, which do not depend on a class, and the
exact denoiser."""

_PLACE = 0x1AB  # keeps the exact draws apart from other uses of a seed


def spiral() -> PointSet:
    """The data of all models."""
    return points_of(MODELS[0])


def model_of(name: str) -> PointModel:
    """A shipped model, or the exact denoiser of the 100 points. Raises KeyError for any other name."""
    return exact_model(spiral()) if name == EXACT else shipped(name)


@dataclass(frozen=True)
class Config:
    """How samples are made."""

    model: PointModel = field(default_factory=lambda: model_of(MODELS[0]))
    sampler: SamplerConfig = SamplerConfig(DDIM)
    guidance: GuidanceConfig = GuidanceConfig()


@dataclass(frozen=True)
class Metrics:
    """How good samples are, and at what price.

    Attributes:
        calls: network calls for each sample.
        hit, coverage, distance, spread: see ``guidance.ClassQuality``.
        energy: energy distance to exact samples of the wanted class, in units of its noise floor.
    """

    calls: int
    hit: float
    coverage: float
    distance: float
    spread: float
    energy: float


@dataclass(frozen=True, eq=False)
class Result:
    """The trajectory of a configuration, the class [n] on whose arm each particle ends, and the metrics."""

    config: Config
    trajectory: Trajectory
    classes: Tensor
    metrics: Metrics

    @property
    def samples(self) -> Tensor:
        """Where the particles ended, [n, 2]."""
        return self.trajectory.states[-1]

    @property
    def label(self) -> int | None:
        """The wanted class; None where any is welcome."""
        return self.config.guidance.label


@shared_cache(16)
def evaluate(config: Config, n: int = 1000) -> Result:
    """Sample n particles. Configurations of equal seed start alike and draw equal noise in equal steps."""
    points, guidance = spiral(), config.guidance
    guided = guided_denoiser(guidance, config.model.along(config.sampler))
    model = PointModel(f"{config.model.key}, {guidance}", guided, points, endless=True)
    made = trajectory(model, config.sampler, n)
    samples = made.states[-1]
    quality = guidance_lesson.quality_of(samples, points, guidance.label)
    exact = _curve(guidance.label)[torch.randint(len(_curve(guidance.label)), (n,), generator=seeds.generator(_PLACE))]
    energy = metrics.energy_distance(samples, exact) / _noise_floor(guidance.label, n)
    found = Metrics(calls(config), quality.hit, quality.coverage, quality.distance, quality.spread, energy)
    return Result(config, made, guidance_lesson.classes_of(samples, points), found)


def calls(config: Config) -> int:
    """Network calls for each sample. Guidance makes two at each noise level where it applies."""
    guidance, levels = config.guidance, []

    def record(x: Tensor, sigma: Tensor) -> Tensor:
        levels.extend(sigma.double().tolist())  # as samplers pass them, because an interval may end at one of them
        return torch.zeros_like(x)

    for _ in samplers.run(config.sampler, record, torch.zeros(1, 1)):
        pass
    low, high = guidance.interval or (0.0, float("inf"))
    guided = [level for level in levels if low < level <= high]
    return len(levels) + (len(guided) if guidance.scale not in (0, 1) else 0)


def distances(first: Result, second: Result) -> tuple[float, float]:
    """The median distance between the ends of the same particle in two results, and between those of two different
    particles: what the first would be if the start did not matter."""
    a, b = first.samples, second.samples
    return tuple((a - other).norm(dim=1).median().item() for other in (b, b.roll(1, 0)))


def _curve(label: int | None) -> Tensor:
    """Evenly spread exact samples of a class, or of all."""
    return spiral().curve if label is None else arms(spiral())[label]


@shared_cache(16)
def _noise_floor(label: int | None, n: int) -> float:
    return metrics.noise_floor(_curve(label), n, repeats=5)
