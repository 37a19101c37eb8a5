"""Chapter 6: couplings side by side, the lines that they draw, and why optimal transport fails with classes."""

import threading
from dataclasses import replace
from functools import cache
from importlib import import_module

import torch
from torch import Tensor

from core.data import CLASSES
from core.diffusion.couplings import transport_cost
from core.figures.scene import Line, Panel, Points, Scene
from core.lessons import few_steps
from core.lessons import flow_matching as lesson
from pages.ui.frame import shell, text
from pages.ui.frame.text import t
from pages.ui.lessons.flow_config import Config, data_layer, frame_times, on_clock, plane
from pages.ui.lessons.shared_scene import shared_scene

DRAWN, PAIRED = 128, 2048  # lines that are drawn and whose crossings are counted; pairs of which the cost is the mean
JOINED = 512  # of these, the starts that the flow takes to the data
FLOW_STEPS, FLOW_POINTS = 32, 400  # of the exact flow that joins the pairs of reflow
FEW = 100  # crossings, fewer than which a task asks for
CLASS_BATCH, COUNTED = 512, 2048  # pairs of a batch with classes, and pairs whose starts are counted
LONGEST = 3.5  # length of a start where the chart ends


@shared_scene
def couplings(config: Config) -> Scene:
    """The same starts under three couplings, or with classes under two of them."""
    return with_classes(config) if config.classes else side_by_side(config)


def side_by_side(config: Config) -> Scene:
    """Independent pairs, those of optimal transport and those that the exact flow joins."""
    panels = [joined(name, *pairs(config, name), config) for name in ("independent", "transport", "reflow")]
    values = {panel.title: panel.caption for panel in panels}
    found = text.join(t("flow_matching.couplings.alt_panel", title=title, caption=values[title]) for title in values)
    return on_clock(panels, t("flow_matching.couplings.alt", found=found), 0)


def pairs(config: Config, name: str) -> tuple[Tensor, Tensor]:
    """Data points and starts of a coupling, [PAIRED, 2] each, of reflow [JOINED, 2]; the starts are the same."""
    x0, x1, _ = lesson.coupled(config.batch if name == "transport" else 1, PAIRED, config.seed)
    if name != "reflow":
        return x0, x1
    return lesson.joined_by_flow(PAIRED, JOINED, config.seed, FLOW_STEPS, FLOW_POINTS), x1[:JOINED]


def joined(name: str, x0: Tensor, x1: Tensor, config: Config) -> Panel:
    """The lines of a coupling, with the points that move along them."""
    few0, few1 = x0[:DRAWN], x1[:DRAWN]
    times = frame_times().float()[:, None, None]
    states, gap = (1 - times) * few0 + times * few1, torch.full_like(few0, torch.nan)
    segments = torch.stack([few1, few0, gap], 1).flatten(0, 1)
    layers = [
        data_layer(lesson.endless()),
        Line(segments[:, 0], segments[:, 1], "noise", t("flow_matching.layers.line"), dash=(), width=0.7),
        Points(states, "sample", size=2.2, alpha=0.9, label=t("flow_matching.layers.moving")),
    ]
    counted = {"crossings": lesson.crossings(few0, few1), "cost": transport_cost(x0, x1)}
    title = t(f"flow_matching.panels.{name}", batch=config.batch)
    return plane(title, layers, caption=t("flow_matching.captions.coupling", **counted))


@cache
def import_solver(after: float = 2.0) -> threading.Timer:
    """Import what solves optimal transport once, soon after a page: that takes half a second, for which nobody should
    wait at the first picture of a coupling."""
    timer = threading.Timer(after, import_module, ("scipy.optimize",))
    timer.daemon = True
    timer.start()
    return timer


def draw_models() -> None:
    """The table of the shipped models below the picture."""
    with shell.sheet():
        shell.caption(t("flow_matching.table.text"))
        shell.prose(models_table())


def models_table() -> str:
    """How straight the paths of the shipped models of each coupling are, and how good their samples in one step, as a
    Markdown table."""
    trained = {"independent": few_steps.VELOCITY, "transport": few_steps.TRANSPORT, "reflow": few_steps.REFLOW}
    rows = []
    for name, model in trained.items():
        found = few_steps.recorded_accuracy(model, 1)
        straightness = few_steps.recorded()[model]["straightness"]
        rows.append([t(f"flow_matching.table.{name}"), f"{straightness:.2g}", *in_digits(found)])
    perfect = few_steps.Accuracy(*few_steps.recorded()["floor"])
    rows.append([t("flow_matching.table.perfect"), "–", *in_digits(perfect)])
    head = [t(f"flow_matching.table.{name}") for name in ("pairs", "straightness", "wasserstein", "distance")]
    return shell.table(head, rows)


def in_digits(accuracy: few_steps.Accuracy) -> tuple[str, str]:
    """Both distances of an accuracy, with as many digits as can be told apart from chance."""
    distance = accuracy.distance
    return f"{accuracy.wasserstein:.2f}", "< 0.001" if distance < 5e-4 else f"{distance:.3f}"


def few_crossings(config: Config) -> bool:
    """Whether the drawn lines of optimal transport have few crossings, and would have more with a smaller batch."""
    if config.classes or config.batch == 1:
        return False
    counts = (crossings_of(replace(config, batch=batch)) for batch in (config.batch, config.batch // 4))
    return next(counts) < FEW <= next(counts)


def crossings_of(config: Config) -> int:
    """The crossings of the drawn lines of optimal transport."""
    x0, x1 = pairs(config, "transport")
    return lesson.crossings(x0[:DRAWN], x1[:DRAWN])


def with_classes(config: Config) -> Scene:
    """The starts of each class with independent pairs and under optimal transport, and how long they are."""
    panels = [class_pairs(name, batch, config) for name, batch in (("independent", 1), ("transport", CLASS_BATCH))]
    found = {panel.title: panel.caption for panel in panels}
    found = text.join(t("flow_matching.couplings.alt_panel", title=title, caption=found[title]) for title in found)
    return on_clock([*panels, lengths(config)], t("flow_matching.with_classes.alt", found=found), 0)


def class_pairs(name: str, batch: int, config: Config) -> Panel:
    """Points of every class on their way from the starts to the data."""
    x0, x1, labels = lesson.coupled(batch, CLASS_BATCH, config.seed)
    times = frame_times().float()[:, None, None]
    names = [text.label("classes", each) for each in CLASSES]
    states = (1 - times) * x0 + times * x1
    means = lesson.mean_lengths(batch, COUNTED, config.seed).tolist()
    points = Points(states, CLASSES, labels, size=2.5, alpha=0.9, label=names)
    caption = t("flow_matching.captions.classes", **dict(zip(CLASSES, means, strict=True)))
    return plane(t(f"flow_matching.panels.{name}", batch=batch), [points], caption=caption)


def lengths(config: Config) -> Panel:
    """The densities of |x1| that each class sees under optimal transport, and the one that sampling draws from."""
    at = torch.linspace(0, LONGEST, 71)
    length, labels = lesson.class_starts(CLASS_BATCH, COUNTED, config.seed)
    curves = [
        Line(at, lesson.length_density(length[labels == k], at), name, text.label("classes", name), dash=(), width=2.5)
        for k, name in enumerate(CLASSES)
    ]
    # The length of a standard normal vector of two coordinates has Rayleigh's distribution.
    drawn = Line(at, at * torch.exp(-at.square() / 2), "exact", t("flow_matching.layers.sampling"))
    title, xlabel = t("flow_matching.panels.lengths"), t("flow_matching.axes.length")
    return Panel(title, [*curves, drawn], (0, LONGEST), (0, 1.6), False, xlabel)
