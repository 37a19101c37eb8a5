"""The panels of chapter 7: points on their way in the plane, shares of samples, errors over steps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.data import CLASSES
from core.diffusion.denoiser import per_sample
from core.diffusion.schedules import scale
from core.figures.scene import Arrows, Heat, Layer, Line, Panel, Points
from core.lessons import trained_model as lesson
from pages.ui.frame import text
from pages.ui.frame.text import t

REACH = 2.6  # half the width of a picture; the data have a root mean square of 1
LIMITS = {"xlim": (-REACH, REACH), "ylim": (-REACH, REACH)}
BINS, EDGE = 24, 2.4  # of a histogram, which ends there
DEPTH = 10.0  # nats below the highest value of a map


def class_label(label: int) -> str:
    """The label of a class by its number."""
    return text.label("classes", CLASSES[label])


def in_view(states: Tensor, sigmas: Tensor) -> Tensor:
    """States [T, n, 2] at noise levels [T] as drawn: in the variance preserving view."""
    return states * per_sample(scale(sigmas.to(states), "vp"), states)


def data(sigmas: Tensor, label: str = "") -> Layer:
    """The data points as drawn at noise levels [T]."""
    points = lesson.data().points
    return Points(in_view(points.expand(len(sigmas), -1, -1), sigmas), "grid", size=2, alpha=0.8, label=label)


def data_by_class(sigmas: Tensor) -> Layer:
    """The data points as drawn at noise levels [T], in the colours of their classes, all of them dots."""
    labels = [class_label(label) for label in range(len(CLASSES))]
    points = in_view(lesson.data().points.expand(len(sigmas), -1, -1), sigmas)
    return Points(points, CLASSES, lesson.data().labels, size=1.6, alpha=0.7, shape="dot", label=labels)


def clouds(title: str, caption: str | Sequence[str], sigmas: Tensor, *layers: Layer) -> Panel:
    """A panel of the plane over the data."""
    return Panel(title, [data(sigmas, t("trained_model.layers.data")), *layers], caption=caption, **LIMITS)


def samples(states: Tensor, sigmas: Tensor, role: str, label: str) -> Layer:
    """Samples [T, n, 2] on their way."""
    return Points(in_view(states, sigmas), role, size=2.4, alpha=0.75, label=label)


def fixed_line(value: float, sigmas: Tensor) -> Layer:
    """The line on which the first coordinate has a value, as drawn at noise levels [T]."""
    x = value * scale(sigmas.double(), "vp")[:, None].expand(-1, 2)
    return Line(x, torch.tensor([-REACH, REACH]).expand(len(sigmas), 2), "data", t("trained_model.layers.fixed"))


# Charts


def histogram(values: Tensor) -> tuple[Tensor, Tensor]:
    """The outline of the histogram of values [n]: places and shares, [2 BINS] each."""
    edges = torch.linspace(-EDGE, EDGE, BINS + 1, dtype=torch.float64)
    shares = torch.histogram(values.double(), edges).hist / max(1, len(values))
    return torch.stack([edges[:-1], edges[1:]], 1).flatten(), shares.repeat_interleave(2)


def shares_chart(title: str, xlabel: str, parts: Sequence[tuple[Tensor, str, str]], caption: str = "") -> Panel:
    """Histograms of values, each in its role, with its label."""
    outlines = [(*histogram(values), role, label) for values, role, label in parts]
    lines = [Line(x, y, role, label, width=2.5) for x, y, role, label in outlines]
    top = max(y.max().item() for _, y, *_ in outlines)
    ylabel = t("trained_model.axes.share")
    return Panel(title, lines, (-EDGE, EDGE), (0, 1.1 * top), False, xlabel, ylabel, caption=caption)


def over_sigma(edits: Sequence[lesson.Edit], sigma: float, frames: int, caption: str) -> Panel:
    """How far points move and how far from the data they end, over the level at which they start."""
    levels = [edit.sigmas[0].item() for edit in edits]
    lines = [
        Line(levels, [edit.moved for edit in edits], "difference", t("trained_model.layers.moved")),
        Line(levels, [edit.distance for edit in edits], "sample", t("trained_model.layers.distance")),
        Line(levels, [lesson.PERFECT_DISTANCE] * len(levels), "exact", t("trained_model.layers.perfect")),
    ]
    axes = {"xlog": True, "marker": [sigma] * frames}
    limits = (levels[0], levels[-1]), (0, 1.1 * max(edit.moved for edit in edits))
    title, ylabel = t("trained_model.panels.over_sigma"), t("trained_model.axes.length")
    return Panel(title, lines, *limits, False, "σ", ylabel, caption=caption, **axes)


def inversion_chart(steps: int, errors: Sequence[float], name: str) -> Panel:
    """The error of the round trip over its steps, beside a line of first order, and the chosen number of steps."""
    at = lesson.STEPS.index(steps)
    first_order = [errors[-1] * lesson.STEPS[-1] / each for each in lesson.STEPS]
    lines = [
        Line(lesson.STEPS, first_order, "exact", t("trained_model.layers.first_order")),
        Line(lesson.STEPS, errors, "difference", t("trained_model.layers.error")),
        Points([[steps, errors[at]]], "difference", size=7, alpha=1, shape="ring"),
    ]
    caption = t("trained_model.captions.round_trip", steps=steps, error=errors[at])
    axes = {"xlog": True, "ylog": True, "xlabel": t("trained_model.axes.steps")}
    title = t("trained_model.panels.round_trip")
    return Panel(title, lines, (8, 250), (0.003, 0.3), False, caption=caption, **axes)


def density_chart(model: str) -> Panel:
    """The errors of the log-density of both models over the number of steps, which is the clock; a ring for the one
    that is shown."""
    steps = lesson.LIKELIHOOD_STEPS
    errors = {name: lesson.measured_of(name).density_errors.tolist() for name in lesson.MODELS}
    lines = [
        Line(steps, errors[name], role, t(f"trained_model.controls.model.options.{name}"), width=2.5)
        for name, role in (("learned", "denoise"), ("exact", "exact"))
    ]
    role = {"learned": "denoise", "exact": "exact"}[model]
    at = [[list(pair)] for pair in zip(steps, errors[model], strict=True)]
    captions = [t("trained_model.captions.nats", error=error) for error in errors[model]]
    axes = {"xlog": True, "ylog": True, "xlabel": t("trained_model.axes.steps"), "marker": list(steps)}
    layers = [*lines, Points(at, role, size=7, alpha=1, shape="ring")]
    title = t("trained_model.panels.density_error")
    return Panel(title, layers, (4, 125), (0.002, 5), False, caption=captions, **axes)


def density_map(title: str, values: Tensor, caption: str | Sequence[str] = "", probe: bool = False) -> Panel:
    """A map of the log-density [T or 1, SIDE, SIDE] over the data points."""
    top = values.amax((1, 2), keepdim=True)
    heat = Heat(values.clamp_min(top - DEPTH) - top + DEPTH, (-REACH, REACH, -REACH, REACH),
                t("trained_model.layers.log_density"))  # fmt: skip
    points = Points(lesson.data().points, "data", size=1.6, alpha=0.7, label=t("trained_model.layers.data"))
    return Panel(title, [heat, points], caption=caption, probe=probe, **LIMITS)


# Fields


def field(title: str, sigmas: Tensor, places: Tensor, parts: Sequence[tuple[Tensor, str, str, float]],
          caption: str | Sequence[str] = "") -> Panel:  # fmt: skip
    """Arrows [T, g, 2] from places [g, 2], each kind in its role, with its label and width."""
    layers = [data(sigmas), *(Arrows(places, by, role, width, (), label) for by, role, label, width in parts)]
    return Panel(title, layers, caption=caption, **LIMITS)


# Captions of samples on their way, one per frame, so that each is true of the points that are drawn


def on_data(states: Tensor) -> list[str]:
    """The share of samples [T, n, 2] on the data."""
    return [t("trained_model.captions.on_data", share=lesson.share_on_data(points)) for points in states]


def of_class(states: Tensor, label: int) -> list[str]:
    """The share of samples [T, n, 2] of a class, and of those on the data."""
    shares = [lesson.share_of_class(points, label) for points in states]
    return [
        t("trained_model.captions.share", label=class_label(label), share=share, on_data=rest)
        for share, rest in zip(shares, on_data(states), strict=True)
    ]


def with_coverage(states: Tensor, label: int) -> list[str]:
    """The share of samples [T, n, 2] of a class, of those on the data, and how many data points they reach."""
    reached = [lesson.reached(points) for points in states]
    return [
        t("trained_model.captions.reached", shares=shares, reached=count)
        for shares, count in zip(of_class(states, label), reached, strict=True)
    ]
