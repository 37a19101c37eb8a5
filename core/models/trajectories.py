"""Samples of point models with all their states: a model, a sampler's configuration, and the trajectories."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

import torch
from torch import Tensor

from core import metrics, seeds
from core.data.points import PointSet, make_points
from core.diffusion import few_step, forward, samplers
from core.diffusion.denoiser import Denoise, Denoiser, in_chunks
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.samplers import SamplerConfig, Step
from core.models import points as point_model
from core.runs.caching import shared_cache

EVEN = 2000  # evenly spread points that stand in for endless data
CHUNK = 1000  # particles in one call of a network
_PLACE = 0xF10A  # keeps the exact draws apart from other uses of a seed


@dataclass(frozen=True)
class PointModel:
    """A denoiser and the data that it is of.

    Attributes:
        key: equal keys promise equal answers.
        endless: whether it was trained on fresh draws.
        ends: whether it is told where steps end (see ``few_step``).
    """

    key: str
    denoise: Denoise = field(compare=False)
    points: PointSet = field(compare=False)
    endless: bool = field(default=False, compare=False)
    ends: bool = field(default=False, compare=False)

    def along(self, config: SamplerConfig) -> Denoise:
        """Its denoiser for the steps of a sampler: where these are straight, a model that is told where steps end is
        told."""
        if self.ends and config.spec.straight:
            return few_step.steps_to(self.denoise, config.sigmas)
        return self.denoise

    @cached_property
    def ideal(self) -> EmpiricalDenoiser:
        """The exact denoiser of its data; of 2,000 evenly spread points for endless ones."""
        return point_model.exact(self.points, self.endless, EVEN)

    @property
    def exact(self) -> "PointModel":
        """What it would be if its network were perfect."""
        return exact_model(self.points, self.endless)


def exact_model(points: PointSet | None = None, endless: bool = False) -> PointModel:
    """The exact denoiser of points, those of the spiral of 100 if none are given (see ``PointModel.ideal``)."""
    points = make_points("spiral", 100) if points is None else points
    ideal = point_model.exact(points, endless, EVEN)
    return PointModel(f"exact, {points.digest}, {len(ideal.points)}", ideal, points, endless)


def unshipped(denoiser: Denoiser, points: PointSet, endless: bool = False) -> PointModel:
    """A model that is not shipped, such as a learner's own run: its key follows from the denoiser and its data."""
    kind = type(denoiser.net).__name__, denoiser.prediction, denoiser.sigma_data, denoiser.scale_input
    content = sha256(repr((kind, points.digest)).encode())
    for value in denoiser.state_dict().values():
        content.update(value.contiguous().numpy().tobytes())
    return PointModel(f"{content.hexdigest()}, {endless}", denoiser, points, endless)


@dataclass(frozen=True, eq=False)
class Quality:
    """How good samples are.

    Attributes:
        distance: mean distance to the nearest data point.
        covered: how many of the ``of`` data points are the nearest one of some sample.
        std: standard deviation of the first coordinate (the spiral's is about 0.47).
    """

    distance: float
    covered: int
    of: int
    std: float

    @property
    def coverage(self) -> float:
        """The covered part of the points, 0 to 1."""
        return self.covered / self.of

    @property
    def collapsed(self) -> bool:
        """Whether all samples went to a few points near the middle."""
        return self.coverage < 0.2 and self.std < 0.1


def quality_of(samples: Tensor, model: PointModel) -> Quality:
    """The quality of samples [n, D]. Distances are to all data, coverage is of the set's points (see ``metrics``)."""
    points = model.points.points
    distance = metrics.distance_to(samples, model.ideal.points).mean().item()
    covered = metrics.covered(samples, points).sum().item()
    return Quality(distance, covered, len(points), samples[:, 0].std().item())


@dataclass(frozen=True, eq=False)
class Trajectory:
    """All states [steps + 1, n, D] of n particles under a model, from the starting points to the samples."""

    model: PointModel
    config: SamplerConfig
    states: Tensor

    @cached_property
    def quality(self) -> Quality:
        """How good its samples are; computed when first asked for."""
        return quality_of(self.states[-1], self.model)

    def at(self, levels: Tensor) -> Tensor:
        """The states at common noise levels [T], [T, n, D] (see ``at_levels``)."""
        return at_levels(self.states, self.config.sigmas, levels)


@shared_cache(24)
def trajectory(model: PointModel, config: SamplerConfig, n: int = 2000) -> Trajectory:
    """n particles from noise to data. Particle k has the same start and the same noise under all configurations of
    equal seed and for any n.

    The last 24 are cached and shared by all threads: 2,000 particles in 256 steps take 4 MB.
    """
    return Trajectory(model, config, samplers.path(_run(model, config, n)))


@shared_cache(8)
def steps(model: PointModel, config: SamplerConfig, n: int) -> tuple[Step, ...]:
    """Every step of n particles, with the denoiser's guesses and the noise. For a few particles: the last 8 are cached,
    and 50 particles in 256 steps take 0.4 MB."""
    return tuple(_run(model, config, n))


def _run(model: PointModel, config: SamplerConfig, n: int) -> Iterator[Step]:
    x = samplers.start((n, model.points.points.shape[1]), config.sigma_max, model.points.rms, config.seed)
    return samplers.run(config, in_chunks(model.along(config), CHUNK), x)


def levels(frames: int, sigma_max: float = 10.0) -> Tensor:
    """Noise levels of the frames of a clock, [frames] float64: evenly spaced in log sigma down to 0.01, then 0."""
    return point_model.grid(frames - 1, sigma_max)


def at_levels(states: Tensor, sigmas: Tensor, levels: Tensor) -> Tensor:
    """States [S + 1, n, D] at noise levels ``sigmas`` [S + 1], seen at other levels [T], [T, n, D]: linear in sigma.

    This is exact for a step of Euler's method on the probability-flow ODE; the jump of a random step becomes a straight
    line. Levels beyond the ends are clamped to them.
    """
    levels = levels.to(sigmas).clamp(sigmas[-1], sigmas[0])
    before = (torch.searchsorted(-sigmas, -levels, right=True) - 1).clamp(0, len(sigmas) - 2)
    part = (sigmas[before] - levels) / (sigmas[before] - sigmas[before + 1])
    return torch.lerp(states[before], states[before + 1], part.to(states)[:, None, None])


def exact_draws(model: PointModel, n: int, *place: int) -> Tensor:
    """n exact draws [n, D] of a model's data: fresh ones if it was trained on such, else of its points. ``place`` names
    the draw (see ``seeds``)."""
    fresh = model.points.sample if model.endless else point_model.resample(model.points)
    return fresh(n, seeds.generator(_PLACE, *place))[0]


@shared_cache(32)
def energy_noise_floor(model: PointModel, levels: tuple[float, ...], n: int = 2000) -> Tensor:
    """The energy distance that two clouds of n independent exact draws x0 + sigma eps have on average, at each of the
    levels [T], [T].

    It is 2 E|X - X'| / n, for the V-statistic counts n of the n^2 pairs within each cloud as 0; the mean is taken over
    20,000 pairs. On average over seeds no two perfect samplers are nearer to each other, unless they share their noise;
    one pair alone may by chance be at twice the floor.
    """
    sigmas = torch.tensor(levels, dtype=torch.float64)
    x0 = exact_draws(model, 20_000, 0).double() - exact_draws(model, 20_000, 1).double()
    eps = 2**0.5 * seeds.gaussian(x0.shape, _PLACE, like=x0)  # the difference of two
    return 2 / n * forward.jump(x0, sigmas, eps).norm(dim=2).mean(1)
