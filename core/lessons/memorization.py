"""Chapters 2 and 10: how few data a model memorises, and from how many it learns what they have in common.

``python -m core.lessons.memorization [points-10 people-endless ...]`` makes again what the pages show at first.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core import metrics, seeds
from core.data.images import pixels
from core.data.points import PointSet, make_points
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.vector_field import levels, relative_error
from core.lessons import films
from core.models import points as point_model
from core.models.memorization import Report, compare, copies
from core.models.points import PointConfig
from core.models.sources import load
from core.pretrained import FOLDER, PEOPLE_CONFIGS, is_shipped, pretrained
from core.runs.caching import shared_cache
from core.runs.progress import Progress, loss_curve

FILE = Path(__file__).parents[1] / "pretrained" / "memorization.npz"

# Points

POINTS = ("10", "30", "100", "1000", "fresh")  # how many a network is trained on; fresh: new ones in every step
SPREAD = 1_000  # points that stand for the distribution, and for those of a run that draws new ones
SAMPLES = 300
NOISED = 300  # training points that fields are compared on, each at all of SIGMAS
SIGMAS = levels(6, 0.5, 0.02)  # where the fields of few points and of their distribution differ
STEPS = tuple(round(10 ** (1 + k / 6)) for k in range(20))  # when a run is measured: 10, 15, 22, 32, 46, 68, 100, ...
SHOWN = 2154  # steps of the runs that are in the file


@dataclass(frozen=True, eq=False)
class Measured:
    """A run at one moment.

    Attributes:
        step: training steps made.
        samples: [n, 2], always from the same noise.
        copied: the share of samples that are copies of a training point (see ``models.memorization.copies``).
        distance: the median distance of the samples to the nearest training point.
        to_points: the relative error of the field against the exact field of the training points.
        to_distribution: the same against the exact field of the distribution that the points were drawn from.
    """

    step: int
    samples: Tensor
    copied: float
    distance: float
    to_points: float
    to_distribution: float


@dataclass
class MeasuredProgress(Progress):
    """A run in progress, and what was measured at those of ``STEPS`` that it has made."""

    measured: list[Measured] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A run at one moment of its training, as the page draws it.

    Attributes:
        step: training steps made.
        measured: what was measured so far.
        losses: the loss so far in blocks, [k].
        bayes_loss: the loss of the exact denoiser of the training points.
        dead: whether the network is dead (see ``models.points.is_dead``).
    """

    step: int
    measured: tuple[Measured, ...]
    losses: Tensor
    bayes_loss: float
    dead: bool


def points_of(count: str) -> PointSet:
    """The spiral of so many points, one of ``POINTS``."""
    return make_points("spiral", 100 if count == "fresh" else int(count))


def run(config: PointConfig, points: PointSet, progress: Progress | None = None) -> Iterator[MeasuredProgress]:
    """Train as ``models.points.run`` does, and measure the run at each of ``STEPS``; yields after each step."""
    if not isinstance(progress, MeasuredProgress):
        start = progress or Progress(point_model.new_checkpoint(config, points).state)
        progress = MeasuredProgress(start.state, start.losses, start.block, start.bayes_loss)
    for now in point_model.run(config, points, progress):
        progress.measured = [each for each in progress.measured if each.step < now.state.step]
        if now.state.step in STEPS:
            progress.measured.append(measure(now, config, points))
        yield progress


def measure_on(progress: Progress, config: PointConfig, points: PointSet) -> MeasuredProgress:
    """A run of which it is not known what was measured before: it is measured now."""
    measured = [measure(progress, config, points)]
    return MeasuredProgress(progress.state, progress.losses, progress.block, progress.bayes_loss, measured)


def snapshot(progress: Progress) -> Snapshot:
    """A run between two steps."""
    measured, dead = tuple(getattr(progress, "measured", ())), point_model.is_dead(progress.state.model)
    return Snapshot(progress.state.step, measured, loss_curve(progress), progress.bayes_loss, dead)


def measure(progress: Progress, config: PointConfig, points: PointSet) -> Measured:
    """What the averaged weights of a run have learned so far."""
    model, known = progress.state.ema, trained_on(config, points)
    samples = point_model.sample(model, SAMPLES, model.sigma_data, seed=0)[-1]
    noised = known[torch.linspace(0, len(known) - 1, NOISED).round().long()]
    errors = [relative_error(model, exact, noised, SIGMAS).mean().item() for exact in exact_fields(config, points)]
    return Measured(progress.state.step, samples, *closeness(samples, known), *errors)


def trained_on(config: PointConfig, points: PointSet) -> Tensor:
    """The training points of a run [N, 2]; the first ``SPREAD`` of one that draws new points in every step."""
    return _first_drawn(config.batch, config.seed, points) if config.endless else points.points


@shared_cache(16)
def _first_drawn(batch: int, seed: int, points: PointSet) -> Tensor:
    drawn = batch // 2  # each comes with a noise and its negative (see ``diffusion_batches``)
    steps = range(-(-SPREAD // drawn))
    return torch.cat([points.sample(drawn, seeds.generator(seed, step, 0))[0] for step in steps])[:SPREAD]


def exact_fields(config: PointConfig, points: PointSet) -> tuple[EmpiricalDenoiser, EmpiricalDenoiser]:
    """The exact denoisers of a run's training points and of the distribution that they were drawn from."""
    ideal = point_model.exact(points, endless=True, n=SPREAD)
    return (ideal if config.endless else point_model.exact(points, endless=False)), ideal


def closeness(samples: Tensor, known: Tensor) -> tuple[float, float]:
    """The share of copies among samples, and their median distance to the nearest of the data ``known``."""
    return copies(samples, known).float().mean().item(), metrics.distance_to(samples, known).median().item()


@shared_cache(None)
def by_chance(count: str, n: int = 4_000) -> tuple[float, float]:
    """The `closeness` of new points of the distribution: that of a network that has learned it and copies nothing."""
    points, config = points_of(count), config_of(count)
    return closeness(points.sample(n, seeds.generator(0, n))[0], trained_on(config, points))


def config_of(count: str, **settings: object) -> PointConfig:
    """The configuration of a run on so many points."""
    return PointConfig(**{"endless": count == "fresh", **settings})


# What the pages show at first


@cache
def shown(count: str) -> Snapshot:
    """The run on so many points that is in the file, after ``SHOWN`` steps."""
    arrays = films.read(FILE, f"points-{count}")
    rows = zip(*(arrays[name].tolist() for name in ("steps", "copied", "distance", "to_points", "to_distribution")))
    samples = torch.from_numpy(arrays["samples"]).float()
    measured = tuple(Measured(step, some, *row) for some, (step, *row) in zip(samples, rows, strict=True))
    return Snapshot(measured[-1].step, measured, torch.tensor([]), float("nan"), False)


def arrays_of(measured: list[Measured]) -> dict[str, np.ndarray]:
    """The measurements of a run, as the file holds them."""
    named = {name: np.array([getattr(each, name) for each in measured], np.float32)
             for name in ("copied", "distance", "to_points", "to_distribution")}  # fmt: skip
    samples = torch.stack([each.samples for each in measured]).half().numpy()
    return {"steps": np.array([each.step for each in measured]), "samples": samples, **named}


def measured_run(count: str, steps: int = SHOWN) -> list[Measured]:
    """Train on so many points, and what was measured of the run."""
    *_, last = run(replace(config_of(count), steps=steps), points_of(count))
    return last.measured


# People

PEOPLE = ("10", "100", "1000", "10000", "endless")  # how many a network is trained on
PICTURES = 12  # samples that are shown


@dataclass(frozen=True, eq=False)
class MemorisedPeople:
    """Samples of a network that was trained on so many people.

    Attributes:
        samples: the first ones, uint8 [n, 3, 16, 16].
        nearest: the training pictures nearest to them, as many.
        copied: which of them are copies, bool [n].
        distance: root mean square difference of each to its nearest training picture, in [-1, 1], [n].
        report: what holds for 2,000 samples.
        losses: step, loss on training pictures and loss on others, [k, 3].
    """

    samples: Tensor
    nearest: Tensor
    copied: Tensor
    distance: Tensor
    report: Report
    losses: Tensor


def known_people() -> tuple[str, ...]:
    """Those of ``PEOPLE`` that are in the file."""
    return tuple(count for count in PEOPLE if films.has(FILE, f"people-{count}"))


@shared_cache(None)
def memorised_people(count: str) -> MemorisedPeople:
    """The measurements of the network that was trained on so many people, from the file."""
    arrays = {name: torch.from_numpy(array) for name, array in films.read(FILE, f"people-{count}").items()}
    n = None if count == "endless" else int(count)
    report = Report(n, *arrays.pop("report").tolist())
    return MemorisedPeople(**arrays, report=report)


def people_arrays(name: str, n: int = 2_000) -> dict[str, np.ndarray]:
    """Measure a shipped model of people, for the file."""
    found = compare(pretrained(name), load("people", n=PEOPLE_CONFIGS[name][0]), n)
    first, pairs = slice(PICTURES), found.neighbours
    _, *report = asdict(found.report).values()
    lines = [json.loads(line) for line in (FOLDER / name / "losses.jsonl").read_text("utf-8").splitlines()]
    return {
        "samples": pixels(found.samples[first]).numpy(),
        "nearest": pixels(pairs.nearest[first]).numpy(),
        "copied": pairs.copied[first].numpy(),
        "distance": (pairs.distances[first, 0] / found.samples[0].numel() ** 0.5).numpy(),
        "report": np.array(report),
        "losses": np.array([[line["step"], line["train"], line["test"]] for line in lines], np.float32),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    every = [*(f"points-{count}" for count in POINTS), *filter(is_shipped, PEOPLE_CONFIGS)]
    made = {name: films.read(FILE, name) for name in every if films.has(FILE, name)}
    for name in sys.argv[1:] or every:
        kind, _, count = name.partition("-")
        made[name] = people_arrays(name) if kind == "people" else arrays_of(measured_run(count))
        films.write(FILE, made)
