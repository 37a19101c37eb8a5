"""How good each sampler is after so many network calls: the table behind the curves of chapter 4.

``python -m core.lessons.sampler_quality`` computes the table that the page opens with and stores it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice, product
from pathlib import Path
from statistics import median

from core import metrics
from core.diffusion import samplers
from core.diffusion.samplers import DDIM_WITH_NOISE, SAMPLERS, SamplerConfig
from core.models.trajectories import PointModel, Quality, exact_draws, quality_of
from core.pretrained import shipped

CALLS = (4, 8, 16, 32, 64, 128)
PERFECT = "perfect"  # stands where a sampler's identifier does
SAMPLES = 1000  # for each row
FILE = Path(__file__).parents[1] / "pretrained" / "sampler_quality.json"


@dataclass(frozen=True, eq=False)
class QualityRow:
    """The quality of the samples of one sampler.

    Attributes:
        model: the key of the model.
        sampler: an identifier of ``SAMPLERS``, or ``PERFECT`` for exact draws.
        nfe: network calls for each sample.
        energy: energy distance of the samples to the data.
    """

    model: str
    sampler: str
    nfe: int
    quality: Quality
    energy: float


def compared() -> tuple[str, ...]:
    """The samplers that are compared: all that need no further setting, except DDIM with noise added."""
    return tuple(name for name, spec in SAMPLERS.items() if not spec.reads and name != DDIM_WITH_NOISE)


def within(config: SamplerConfig, sampler: str, calls: int) -> SamplerConfig:
    """A configuration with another sampler, and with as many steps as ``calls`` network calls allow."""
    steps = max((k for k in range(1, calls + 1) if SAMPLERS[sampler].calls(k) <= calls), default=1)
    return replace(config, sampler=sampler, steps=steps)


def measure(model: PointModel, config: SamplerConfig, n: int) -> QualityRow:
    """The quality of n samples of a model."""
    x = samplers.start((n, model.points.points.shape[1]), config.sigma_max, model.points.rms, config.seed)
    samples = samplers.last(samplers.run(config, model.along(config), x))
    energy = metrics.energy_distance(samples, model.ideal.points)
    return QualityRow(model.key, config.sampler, config.nfe, quality_of(samples, model), energy)


def measure_perfect(model: PointModel, n: int, repeats: int = 9) -> QualityRow:
    """The quality of n exact draws of the data, which is less than perfect by chance: the energy distance is the median
    over ``repeats`` draws."""
    draws = [exact_draws(model, n, pair) for pair in range(repeats)]
    energy = median(metrics.energy_distance(samples, model.ideal.points) for samples in draws)
    return QualityRow(model.key, PERFECT, 0, quality_of(draws[0], model), energy)


def table(
    models: Sequence[PointModel], config: SamplerConfig, n: int = SAMPLES, found: tuple[QualityRow, ...] = ()
) -> Iterator[tuple[QualityRow, ...]]:
    """The rows of all samplers of ``compared()`` after each number of ``CALLS``, under each model, fewest calls first;
    the first row is that of exact draws. Yields all rows so far after each new one. ``found``: the rows to go on from.
    """
    if not found:
        found = (measure_perfect(models[0], n),)
        yield found
    for calls, model, name in islice(product(CALLS, models, compared()), len(found) - 1, None):
        found += (measure(model, within(config, name, calls), n),)
        yield found


def length(models: Sequence[PointModel]) -> int:
    """How many rows a table has."""
    return 1 + len(CALLS) * len(models) * len(compared())


def key_of(models: Sequence[PointModel], config: SamplerConfig, n: int = SAMPLES) -> tuple:
    """All that decides a table."""
    levels = config.sigma_max, config.schedule, config.seed
    return "sampler quality", tuple(model.key for model in models), levels, n, compared()


def write(key: tuple, rows: Sequence[QualityRow], file: Path = FILE) -> None:
    """Write a table to a file, with the key of what decided it."""
    file.write_text(json.dumps({"key": key, "rows": [asdict(row) for row in rows]}, indent=1), "utf-8")


def read(key: tuple, file: Path = FILE) -> list[QualityRow]:
    """The table in a file; none where it is that of another key. Raises OSError without the file."""
    stored = json.loads(file.read_text("utf-8"))
    if stored["key"] != json.loads(json.dumps(key)):
        return []
    return [QualityRow(**row | {"quality": Quality(**row["quality"])}) for row in stored["rows"]]


if __name__ == "__main__":
    first = shipped("spiral-100-fourier")
    *_, made = table([first, first.exact], SamplerConfig())
    write(key_of([first, first.exact], SamplerConfig()), made)
