"""Chapter 6: the shipped flow models in few steps, and the chord of a path beside its tangent."""

import torch

from core.diffusion import vector_field
from core.figures.scene import Arrows, Clock, Panel, Points, Scene
from core.lessons import few_steps as lesson
from core.lessons import flow_matching
from core.lessons.few_steps import CHORDS, MEAN, MEAN_INDEPENDENT, REFLOW, TRANSPORT, VELOCITY
from pages.ui.frame import prepare, text
from pages.ui.frame.text import t
from pages.ui.lessons.flow_config import CALLS, REACH, Config, data_layer, frame_times, on_clock, plane
from pages.ui.lessons.shared_scene import shared_scene

COMPARED = (VELOCITY, TRANSPORT, REFLOW, CHORDS, MEAN, MEAN_INDEPENDENT)
SHOWN, SIDE = 600, 17  # particles of a cloud; arrows along a side
FIELD_TIMES = torch.linspace(0.99, 0.03, 25)
START = 4  # where a fresh clock of the fields stands


@shared_scene
def few_steps(config: Config) -> Scene:
    """Samples of each model in so many calls of its network, on their way along straight steps."""
    panels = [cloud(name, config.calls) for name in COMPARED]
    quoted = (f"{panel.title}: {panel.caption}." for panel in panels)
    return on_clock(panels, text.join((t("flow_matching.few_steps.alt", calls=config.calls), *quoted)), -1)


def cloud(name: str, calls: int) -> Panel:
    """The samples of one model."""
    paths = flow_matching.at_times(lesson.sample(name, calls, SHOWN), flow_matching.even_times(calls), frame_times())
    accuracy = lesson.recorded_accuracy(name, calls)
    samples = Points(paths, "sample", size=2.0, label=t("flow_matching.layers.samples"))
    caption = t("flow_matching.captions.accuracy", w=accuracy.wasserstein, d=accuracy.distance)
    return plane(text.label("models", name), [data_layer(lesson.points().points), samples], caption=caption)


def prepare_most_calls() -> None:
    """Compute the samples in most calls in the background, for which one would wait longer than for all others."""
    prepare.scene("flow_matching", {"show": "few_steps", "calls": str(CALLS[-1])})


@shared_scene
def chords(config: Config) -> Scene:
    """The velocity beside the mean velocity down to t = 0, and where one step along each ends from one place."""
    fields = lesson.fields(config.mean, tuple(FIELD_TIMES.tolist()), SIDE, REACH)
    tangent, chord, path = lesson.from_place(config.mean, config.at, FIELD_TIMES)
    # A step down to t = 0 has the length t: arrows are drawn as that step, all shortened by one factor at each time.
    steps = [-fields.times[:, None, None] * each for each in (fields.tangent, fields.chord)]
    drawn = vector_field.limit_lengths(2 * REACH / SIDE, *steps)
    parts = zip(("tangent", "chord"), drawn, (tangent, chord), ("unconditional", "denoise"), strict=True)
    panels = [field(name, fields.places, arrows, config.at, end, path, role) for name, arrows, end, role in parts]
    clock = Clock(FIELD_TIMES, "t", 2, START)
    return Scene(panels, clock, t("flow_matching.chords.alt"), probe=config.at, fps=5)


def field(
    name: str, places: torch.Tensor, arrows: torch.Tensor, probe: tuple[float, float],
    end: torch.Tensor, path: torch.Tensor, role: str,
) -> Panel:  # fmt: skip
    """Arrows [T, g, 2] at places [g, 2], one whole step from the probe to ``end`` [T, 2], and the path [T, k, 2]."""
    step = (end - torch.tensor(probe))[:, None]
    layers = [
        data_layer(lesson.points().points),
        Arrows(places, arrows, role, 1.2, (), t(f"flow_matching.layers.{name}")),
        Points(path, "exact", size=2, alpha=0.9, label=t("flow_matching.layers.true_path")),
        Arrows(torch.tensor(probe).expand(len(end), 1, 2), step, role, 3, (), t(f"flow_matching.layers.{name}_step")),
    ]
    misses = (end - path[:, -1]).norm(dim=1).tolist()
    captions = [t("flow_matching.captions.misses", distance=distance) for distance in misses]
    return plane(t(f"flow_matching.panels.{name}"), layers, caption=captions, probe=True)
