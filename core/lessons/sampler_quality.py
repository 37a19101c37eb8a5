"""How good every sampler is after so many network calls: the table behind the curves of chapter 4."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from statistics import median

from core import metrics
from core.diffusion import samplers
from core.diffusion.samplers import DDIM_WITH_NOISE, SAMPLERS, SamplerConfig
from core.models.trajectories import PointModel, Quality, exact_draws, quality_of

CALLS = (4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, eq=False)
class QualityRow:
    """How good a sampler is after so many network calls; energy: the energy distance of its samples to the data."""

    model: str
    sampler: str
    nfe: int
    quality: Quality
    energy: float


def compared() -> tuple[str, ...]:
    """The samplers that are compared: all that need no further setting, without the one that adds noise to DDIM."""
    return tuple(name for name, spec in SAMPLERS.items() if not spec.reads and name != DDIM_WITH_NOISE)


def within(config: SamplerConfig, sampler: str, calls: int) -> SamplerConfig:
    """Another sampler in the place of a configuration's, with as many steps as ``calls`` network calls allow."""
    steps = max((k for k in range(1, calls + 1) if SAMPLERS[sampler].calls(k) <= calls), default=1)
    return replace(config, sampler=sampler, steps=steps)


def score(model: PointModel, config: SamplerConfig, n: int) -> QualityRow:
    """The score of n samples that a way makes under a model."""
    x = samplers.start((n, model.points.points.shape[1]), config.sigma_max, model.points.rms, config.seed)
    samples = samplers.last(samplers.run(config, model.denoise, x))
    energy = metrics.energy_distance(samples, model.ideal.points)
    return QualityRow(model.key, config.sampler, config.nfe, quality_of(samples, model), energy)


def perfect_score(model: PointModel, n: int, repeats: int = 9) -> QualityRow:
    """What n perfect samples score, by chance less than perfectly: the median of ``repeats`` exact draws."""
    draws = [exact_draws(model, n, pair) for pair in range(repeats)]
    energy = median(metrics.energy_distance(samples, model.ideal.points) for samples in draws)
    return QualityRow(model.key, "perfect", 0, quality_of(draws[0], model), energy)


def table(
    models: Sequence[PointModel], config: SamplerConfig, n: int = 1000, found: tuple[QualityRow, ...] = ()
) -> Iterator[tuple[QualityRow, ...]]:
    """The scores of all samplers of ``compared()`` after each number of ``CALLS``, under each model, the cheap ones
    first; the first score is a perfect sampler's. Yields all scores so far, one more each time; goes on from ``found``.
    """
    if not found:
        found = (perfect_score(models[0], n),)
        yield found
    for calls, model, kind in islice(product(CALLS, models, compared()), len(found) - 1, None):
        found += (score(model, within(config, kind, calls), n),)
        yield found


def length(models: Sequence[PointModel]) -> int:
    """How many scores there will be."""
    return 1 + len(CALLS) * len(models) * len(compared())
