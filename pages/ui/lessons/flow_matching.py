"""Chapter 6: training lines and their mean velocity, Euler's steps along it, couplings, and what a shift does.

To add a scene, write its function, add its name to `SCENES` and `CODE`, and in ``flow_config`` to `CONTROLS` and
``Config.show``, and its texts to the catalogue. Each scene is a pure function of a `Config`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from core import metrics
from core.diffusion import couplings, few_step, training, vector_field
from core.diffusion.denoiser import Denoiser
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.schedules import Schedule
from core.figures.scene import Arrows, Line, Panel, Path, Points, Scene
from core.lessons import few_steps as few_steps_lesson
from core.lessons import flow_matching as lesson
from core.models import flows
from core.runs.caching import shared_cache
from pages.ui.frame import text
from pages.ui.frame.text import t
from pages.ui.lessons.flow_config import (
    COARSE,
    FRAMES,
    MANY,
    REACH,
    STEPS,
    Config,
    data_layer,
    frame_times,
    on_clock,
    plane,
)
from pages.ui.lessons.flow_couplings import couplings as couplings_side_by_side
from pages.ui.lessons.flow_couplings import few_crossings
from pages.ui.lessons.flow_few_steps import chords, few_steps
from pages.ui.lessons.flow_live import OWN_FROM, reflow, transport
from pages.ui.lessons.flow_shift import shift
from pages.ui.lessons.shared_scene import shared_scene

WITHIN = 4  # steps of the exact flow between two frames
FEW, N = 30, 400  # lines and particles that are followed, and points of a cloud
BENT = 9  # paths that are drawn on the field: few, so that one sees them bend
CHORDS = 12  # paths that are drawn on a cloud
COUNTED = 200  # lines at each time of the curve
SIDE, LENGTH = 13, 0.15  # arrows along a side; the time that an arrow goes on for


# What is computed once


def drawn(pairs: int) -> Tensor:
    """So many data points, or the coarser ones that stand in for endless ones in the picture."""
    return lesson.some(min(pairs, COARSE))


@shared_cache(24)
def field_of(pairs: int) -> Tensor:
    """The mean velocity of so many data points, backwards and as long as it is drawn, [FRAMES, g, 2]."""
    exact, places = EmpiricalDenoiser(drawn(pairs)), vector_field.grid(SIDE, REACH)
    times = [max(time, 0.5 / FRAMES) for time in frame_times().tolist()]
    field = torch.stack([-LENGTH * lesson.velocity(exact, places, time) for time in times])
    return vector_field.limit_lengths(2 * REACH / SIDE, field)[0]


@shared_cache(24)
def paths_of(pairs: int, seed: int) -> Tensor:
    """The paths of FEW starts along the exact velocity of so many data points, [FRAMES, FEW, 2]."""
    times = lesson.even_times(WITHIN * (FRAMES - 1))
    return lesson.euler(EmpiricalDenoiser(drawn(pairs)), lesson.starts(FEW, seed), times)[::WITHIN]


@shared_cache(8)
def part_of(pairs: int) -> tuple[Tensor, Tensor]:
    """Times [T] and the part of the loss at each that no model can avoid, [T], for so many data points."""
    times = (torch.arange(FRAMES - 1, dtype=torch.float64) + 0.5) / (FRAMES - 1)
    return times, lesson.irreducible_part(lesson.some(pairs), times, n=COUNTED)


# The scenes


@shared_scene
def lines(config: Config) -> Scene:
    """Training lines, the mean velocity of all of them with the paths that follow it, and the part of the loss."""
    paths = paths_of(config.pairs, config.seed)
    straightness = couplings.straightness(paths)
    times, part = part_of(config.pairs)
    values = {"part": part.mean().item(), "straightness": straightness, "pairs": option("pairs", config.pairs)}
    panels = [training_lines(config), marginal_field(config, paths, straightness), loss_over_time(times, part)]
    return on_clock(panels, t("flow_matching.lines.alt", **values), 9 * FRAMES // 10)


@shared_scene
def euler(config: Config) -> Scene:
    """Clouds after a few of Euler's steps and after many, with the chords of some paths, and how good they are."""
    panels = [cloud(steps, config.seed) for steps in (config.steps, MANY)]
    alt = t("flow_matching.euler.alt", count=config.steps, few=panels[0].caption, many=panels[1].caption)
    return on_clock([*panels, distance_over_steps(config.steps)], alt, -1)


SCENES: dict[str, Callable[[Config], Scene]] = {
    "lines": lines,
    "euler": euler,
    "transport": transport,
    "couplings": couplings_side_by_side,
    "reflow": reflow,
    "few_steps": few_steps,
    "chords": chords,
    "shift": shift,
}


def before_answer(scene: Scene) -> Scene:
    """The training lines alone, without what answers the question."""
    return Scene(scene.panels[:1], scene.clock, t("flow_matching.lines.alt_lines"), fps=scene.fps)


# Their panels


def training_lines(config: Config) -> Panel:
    """Some lines from starts to their data points, with the point that is at t on each."""
    x0, x1 = lesson.lines(config.pairs, FEW, config.seed)
    times = frame_times().float()[:, None, None]
    layers = [
        data_layer(lesson.some(config.pairs)),
        Points(x1, "noise", size=2.5, label=t("flow_matching.layers.starts")),
        Path((1 - times) * x0 + times * x1, "noise", t("flow_matching.layers.line")),
    ]
    title = t("flow_matching.panels.lines", count=len(x0))
    return plane(title, layers, caption=t("flow_matching.captions.crossings", count=lesson.crossings(x0, x1)))


def marginal_field(config: Config, paths: Tensor, straightness: float) -> Panel:
    """The mean velocity, and paths [FRAMES, n, 2] that follow it."""
    arrows = Arrows(
        vector_field.grid(SIDE, REACH), field_of(config.pairs), "exact", 1.2, (), t("flow_matching.layers.velocity")
    )
    followed = Path(paths[:, :BENT], "sample", t("flow_matching.layers.path"))
    starts = Points(paths[0, :BENT], "noise", size=2.5, label=t("flow_matching.layers.starts"))
    layers = [data_layer(lesson.some(config.pairs)), starts, arrows, followed]
    caption = t("flow_matching.captions.straightness", value=straightness)
    return plane(t("flow_matching.panels.field"), layers, caption=caption)


def loss_over_time(times: Tensor, part: Tensor) -> Panel:
    """The part of the loss [T] that no model can avoid over times [T], and its mean."""
    mean = part.mean().item()
    layers = [
        Line([0, 1], [mean, mean], "grid", t("flow_matching.layers.mean_part", part=mean), dash=(5, 4)),
        Line(times, part, "difference", t("flow_matching.layers.part"), dash=()),
    ]
    title = t("flow_matching.panels.part")
    return Panel(title, layers, (0, 1), (0, 1.05), False, "t", xreversed=True, marker=frame_times())


def cloud(steps: int, seed: int) -> Panel:
    """Points in so many of Euler's steps, with the chords of some of them."""
    states = lesson.at_times(lesson.clouds(steps, 1.0, N, seed, COARSE), lesson.even_times(steps), frame_times())
    layers = [
        data_layer(lesson.endless()),
        Points(states[:, CHORDS:], "sample", size=2, alpha=0.6, label=t("flow_matching.layers.samples")),
        Path(states[:, :CHORDS], "sample", t("flow_matching.layers.chords")),
    ]
    title = t("flow_matching.panels.steps", count=steps)
    return plane(title, layers, caption=t(f"flow_matching.floors.{steps}"))


def distance_over_steps(steps: int) -> Panel:
    """The measured energy distance over the number of steps, in noise floors."""
    floors = measured()
    layers = [
        Line([1, MANY], [1, 1], "grid", t("flow_matching.layers.floor"), dash=(5, 4)),
        Line(STEPS, floors, "sample", t("flow_matching.layers.distance")),
        Points([[steps, floors[STEPS.index(steps)]]], "sample", size=5, alpha=1, shape="dot"),
    ]
    title, xlabel = t("flow_matching.panels.distance"), t("flow_matching.axes.steps")
    return Panel(title, layers, (0.9, 72), (0.7, 700), False, xlabel, xlog=True, ylog=True)


def measured() -> list[float]:
    """The energy distances after each of `STEPS`, in noise floors, from the table of measured numbers."""
    numbers = text.catalogue("")["measured"]["flow_matching"]
    return [float(numbers[f"floors_{steps}"]) for steps in STEPS]


def option(name: str, value: object) -> str:
    """The label of a value of a control."""
    return t(f"flow_matching.controls.{name}.options.{value}")


# The text beside the picture


CODE = {
    "lines": (lesson.velocity, lesson.irreducible_part),
    "euler": (lesson.euler, lesson.even_times, metrics.energy_distance),
    "transport": (couplings.independent, training.pair_batches, Denoiser.loss),
    "couplings": (couplings.independent, couplings.optimal_transport, couplings.assignment, couplings.stored),
    "reflow": (flows.own_batches, couplings.stored, couplings.straightness),
    "few_steps": (few_step.path_batches, few_step.lines, few_step.mean_flow_loss),
    "chords": (few_step.velocity, few_step.steps_to),
    "shift": (lesson.even_times, Schedule.shifted),
}
"""The lines of core that make each scene."""


NOTES = {
    "lines": {"before": ("lines",), "after": ("lines", "paths")},
    "couplings": {"all": ("couplings",), "classes": ("with_classes",)},
}
"""The notes that a scene can show together, by their names in the catalogue; other scenes show those of their name."""


def notes_of(config: Config, answered: bool) -> tuple[str, ...]:
    """The notes of a scene and of what is special about it now; what answers the question is said after it."""
    if config.show == "lines":
        return NOTES["lines"]["after" if answered else "before"]
    if config.show == "couplings":
        return NOTES["couplings"]["classes" if config.classes else "all"]
    return (config.show,)


def hinted(config: Config) -> str:
    """The name under which a scene has its hint."""
    return "with_classes" if config.show == "couplings" and config.classes else config.show


def quoted(show: str) -> dict[str, object]:
    """The numbers that the texts of a scene quote."""
    if show == "reflow":
        return {"own_from": OWN_FROM}
    if show != "few_steps":
        return {}
    names = {"flow": "VELOCITY", "reflow": "REFLOW", "chords": "CHORDS", "mean": "MEAN"}
    models = {name: getattr(few_steps_lesson, model) for name, model in names.items()}
    models["mean_independent"] = few_steps_lesson.MEAN_INDEPENDENT
    distances = {name: few_steps_lesson.recorded_accuracy(model, 1).distance for name, model in models.items()}
    return {f"{name}_d1": f"{distance:.2g}" for name, distance in distances.items()}


def tasks(config: Config) -> dict[str, bool]:
    """Which tasks the configuration has done."""
    return {
        "straight_path": config.show == "lines" and config.pairs == 1,
        "on_the_mean": config.show == "euler" and config.steps == 1,
        "few_crossings": config.show == "couplings" and few_crossings(config),
    }
