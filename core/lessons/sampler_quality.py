"""How good every sampler is after so many network calls: the table behind the curves of chapter 4."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from statistics import median

from core import metrics
from core.diffusion import samplers
from core.lessons.sampling import BARE, DDIM, DDPM, SDE, Model, Quality, Way, draw, judge, steps_of

CALLS = (4, 8, 16, 32, 64, 128)
COMPARED = (DDPM, BARE, DDIM, "Euler", "Heun", "DPM-Solver++(2M)", SDE)


@dataclass(frozen=True, eq=False)
class Score:
    """How good a sampler is after so many network calls; energy: the energy distance of its samples to the data."""

    model: str
    kind: str
    nfe: int
    quality: Quality
    energy: float


def within(way: Way, kind: str, calls: int) -> Way:
    """Another sampler in a way's place, that makes as many network calls as it can within ``calls``."""
    return replace(way, kind=kind, steps=(calls + 1) // 2 if kind == "Heun" else calls)


def score(model: Model, way: Way, n: int) -> Score:
    """The score of n samples that a way makes under a model."""
    x = samplers.start((n, model.points.points.shape[1]), way.sigma_max, model.points.rms, way.seed)
    samples = samplers.last(steps_of(way, model.denoise, x))
    energy = metrics.energy_distance(samples, model.ideal.points)
    return Score(model.key, way.kind, way.nfe, judge(samples, model), energy)


def perfect_score(model: Model, n: int, repeats: int = 9) -> Score:
    """What n perfect samples score, by chance less than perfectly: the median of ``repeats`` exact draws."""
    draws = [draw(model, n, pair) for pair in range(repeats)]
    energy = median(metrics.energy_distance(samples, model.ideal.points) for samples in draws)
    return Score(model.key, "perfect", 0, judge(draws[0], model), energy)


def table(
    models: Sequence[Model], way: Way, n: int = 1000, found: tuple[Score, ...] = ()
) -> Iterator[tuple[Score, ...]]:
    """The scores of all samplers of ``COMPARED`` after each number of ``CALLS``, under each model, the cheap ones
    first; the first score is a perfect sampler's. Yields all scores so far, one more each time; goes on from ``found``.
    """
    if not found:
        found = (perfect_score(models[0], n),)
        yield found
    for calls, model, kind in islice(product(CALLS, models, COMPARED), len(found) - 1, None):
        found += (score(model, within(way, kind, calls), n),)
        yield found


def length(models: Sequence[Model]) -> int:
    """How many scores there will be."""
    return 1 + len(CALLS) * len(models) * len(COMPARED)
