"""Chapters 2 and 10: a network that memorises few data, and learns from many what they have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.diffusion import vector_field
from core.figures.scene import Clock, Images, Line, Panel, Points, Scene
from core.lessons import memorization as lesson
from core.lessons.memorization import MemorisedPeople, Snapshot
from core.models import memorization
from core.models.points import PointConfig
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress
from pages.ui.frame.text import t
from pages.ui.runs.point_runs import PointTraining

REACH = 1.15
CODE = memorization.copies, vector_field.relative_error, lesson.measure


# Points


@dataclass(frozen=True)
class MeasuredTraining(PointTraining):
    """To train on so many points, and to measure what was memorised and what was learned."""

    @property
    def data_key(self) -> tuple[str, str]:
        return "measured", self.data.digest

    def run(self, progress: Progress) -> Iterator[Progress]:
        return lesson.run(self.config, self.data, progress)

    def progress(self, stored: Checkpoint) -> Progress:
        return lesson.measure_on(super().progress(stored), self.config, self.data)

    @property
    def shipped(self) -> None:
        return None


def request_of(count: str, **settings: Any) -> MeasuredTraining:
    """The settings of a run: a number of points, one of ``POINTS``, and the settings of ``PointConfig``."""
    return MeasuredTraining(lesson.points_of(count), lesson.config_of(count, **settings), lesson.snapshot)


def points_scene(request: MeasuredTraining, count: str, snapshot: Snapshot | None = None) -> Scene:
    """Samples over the training points, how near they are to these, and the error of the field, over training steps.

    Without a snapshot of a run: the one in the file, if it is of this configuration, or the untrained network.
    """
    measured = snapshot and snapshot.measured or _at_first(request, count)
    steps = [max(each.step, 1) for each in measured]
    by_chance = lesson.by_chance(count)
    panels = [_cloud(request, count, measured, by_chance[0]), _distance(steps, measured, by_chance[1]),
              _errors(steps, measured)]  # fmt: skip
    clock = Clock([each.step for each in measured], t("training.layers.step"), start=-1)
    alt = t("training.memorised_or_learned.alt", n=_number(count), step=measured[-1].step)
    return Scene(panels, clock, alt, fps=4)


def _at_first(request: MeasuredTraining, count: str) -> tuple[lesson.Measured, ...]:
    if request.config == PointConfig(endless=count == "fresh"):
        return lesson.shown(count).measured
    return (lesson.measure(Progress(request.begin().state), request.config, request.data),)


def _number(count: str) -> str:
    return t("training.controls.points.options.fresh") if count == "fresh" else f"{int(count):,}"


def _cloud(request: MeasuredTraining, count: str, measured: tuple, chance: float) -> Panel:
    """Samples over the training points and the distribution that these were drawn from."""
    known, curve = lesson.trained_on(request.config, request.data), request.data.curve
    size, alpha = (6.5, 0.5) if len(known) <= 100 else (1.6, 0.9)  # samples on few points stay in view
    layers = [
        Line(*curve.unbind(1), "unconditional", t("training.layers.distribution"), dash=(), width=1),
        Points(known, "data", size=size, alpha=alpha, label=t("training.layers.known")),
        Points([each.samples for each in measured], "sample", size=2.6, alpha=1, label=t("training.layers.samples")),
    ]
    captions = [t("training.captions.copies", copied=each.copied, chance=chance) for each in measured]
    limits = {"xlim": (-REACH, REACH), "ylim": (-REACH, REACH)}
    return Panel(t("training.panels.known"), layers, caption=captions, **limits)


def _distance(steps: list[int], measured: tuple, chance: float) -> Panel:
    """The median distance of samples to the nearest training point, beside that of new points."""
    distances = [each.distance for each in measured]
    layers = [
        *_curve(steps, distances, "sample", t("training.layers.samples")),
        Line((1, 10_000), (chance, chance), "exact", t("training.layers.new_points")),
    ]
    captions = [t("training.captions.distance", distance=distance, chance=chance) for distance in distances]
    return Panel(t("training.panels.distance"), layers, caption=captions, ylim=(3e-4, 0.5), ylog=True, **_over(steps))


def _errors(steps: list[int], measured: tuple) -> Panel:
    """The relative error of the network's field against that of the points and that of the distribution."""
    layers = [
        *_curve(steps, [each.to_points for each in measured], "data", t("training.layers.to_points")),
        *_curve(steps, [each.to_distribution for each in measured], "exact", t("training.layers.to_distribution")),
    ]
    captions = [
        t("training.captions.errors", points=each.to_points, distribution=each.to_distribution) for each in measured
    ]
    return Panel(t("training.panels.errors"), layers, caption=captions, ylim=(0, 1), **_over(steps))


def _curve(steps: list[int], values: list[float], role: str, label: str) -> list[Line | Points]:
    """A curve with a dot for each value: a single one can be seen as well."""
    dots = Points([list(pair) for pair in zip(steps, values)], role, size=2.5, alpha=1, shape="dot")
    return [Line(steps, values, role, label), dots]


def _over(steps: list[int]) -> dict[str, Any]:
    """The axis of training steps, with a mark where the clock stands."""
    xlim = (8, max(3_000, 1.2 * steps[-1]))
    return {"xlim": xlim, "equal": False, "xlabel": t("training.layers.steps"), "xlog": True, "marker": steps}


# People

ENDLESS = 100_000  # where the run without end stands on the axis of the number of people
PAIRS = 6  # samples in a row, each over the training picture nearest to it
PEOPLE_CODE = memorization.neighbours, memorization.compare, memorization.train_and_test_loss


def people_scene(count: str) -> Scene:
    """Samples over their nearest training pictures, what becomes of copies with more people, and two losses."""
    found = lesson.memorised_people(count)
    panels = [_pairs(found), _shares(count), _losses(found)]
    values = {"n": _people(count), "panels": "; ".join(f"{panel.title}: {panel.caption}" for panel in panels)}
    return Scene(panels, alt=t("image_models.memorised_or_learned.alt", **values))


def _people(count: str) -> str:
    return t("image_models.controls.people.options.endless") if count == "endless" else f"{int(count):,}"


def _pairs(found: MemorisedPeople) -> Panel:
    """Samples in rows, each over its nearest training picture; copies have a frame of their own."""
    rows, names, group = [], [], []
    for at in range(0, len(found.samples), PAIRS):
        part = slice(at, at + PAIRS)
        rows += [found.samples[part], found.nearest[part]]
        copied = found.copied[part].tolist()
        copy, new = (t(f"image_models.memorised_or_learned.{name}") for name in ("copy", "new"))
        names += [copy if each else new for each in copied]
        names += [f"{distance:.2f}" for distance in found.distance[part].tolist()]
        group += [2 if each else 0 for each in copied] + [1] * len(copied)
    labels = [t(f"image_models.memorised_or_learned.{name}") for name in ("sample", "nearest", "copies")]
    pictures = _channels_last(torch.cat(rows))[None]
    layer = Images(pictures, PAIRS, labels, names, ("sample", "data", "negative"), group)
    report = found.report
    caption = t("image_models.memorised_or_learned.caption", copied=report.copied, distance=report.distance)
    return Panel(t("image_models.memorised_or_learned.pairs"), [layer], caption=caption)


def _channels_last(pictures: Tensor) -> Tensor:
    return pictures.movedim(-3, -1)


def _shares(count: str) -> Panel:
    """The share of copies, of people, and of held-out combinations among them, by the number of training people."""
    counts = lesson.known_people()
    reports = [lesson.memorised_people(each).report for each in counts]
    places = [ENDLESS if each == "endless" else int(each) for each in counts]
    layers = []
    for name, role in (("copied", "negative"), ("right", "exact"), ("held_out", "data")):
        shares = [getattr(report, name) for report in reports]
        layers += _curve(places, shares, role, t(f"image_models.memorised_or_learned.{name}"))
    report, place = reports[counts.index(count)], places[counts.index(count)]
    layers.append(Points([[place, report.copied]], "negative", size=8, alpha=1, shape="ring"))
    caption = t("image_models.memorised_or_learned.shares_caption", right=report.right, held_out=report.held_out)
    xlabel = t("image_models.memorised_or_learned.number")
    limits = {"xlim": (5, 1.4 * ENDLESS), "ylim": (-0.05, 1.08), "equal": False, "xlog": True}
    return Panel(t("image_models.memorised_or_learned.shares"), layers, xlabel=xlabel, caption=caption, **limits)


def _losses(found: MemorisedPeople) -> Panel:
    """The loss on training pictures and on others, over training."""
    steps, *losses = found.losses.T.tolist()
    lines = [
        Line(steps, values, role, t(f"image_models.memorised_or_learned.{name}"))
        for values, role, name in zip(losses, ("denoise", "difference"), ("train_loss", "test_loss"), strict=True)
    ]
    report = found.report
    caption = t("image_models.memorised_or_learned.losses_caption", train=report.train_loss, test=report.test_loss)
    axes = {"xlim": (0, steps[-1]), "ylim": (0.02, 4), "ylog": True, "equal": False}
    xlabel = t("image_models.memorised_or_learned.steps")
    return Panel(t("image_models.memorised_or_learned.losses"), lines, xlabel=xlabel, caption=caption, **axes)
