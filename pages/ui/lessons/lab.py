"""The lab: every control of chapters 4 and 5 twice, the clouds of both sides, and their metrics with the difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from core.data import CLASSES
from core.diffusion import samplers
from core.diffusion.forward import in_view
from core.diffusion.samplers import DDIM
from core.diffusion.schedules import scale
from core.figures.scene import Arrows, Clock, Panel, Path, Points, Scene, Window
from core.lessons import lab as lesson
from core.lessons.guidance import WEAK_MODELS, GuidanceConfig, guided_denoiser
from core.lessons.lab import MODELS, Metrics, Result, distances
from core.models import trajectories
from core.models.trajectories import PointModel
from pages.ui.frame import shell, text
from pages.ui.frame.links import choice, interval, number
from pages.ui.frame.text import t
from pages.ui.lessons.guidance_config import OWN
from pages.ui.lessons.sampling import GRIDS, TOPS, WINDOWS, names, sampler_config
from pages.ui.lessons.shared_scene import shared_scene

N = 1000  # particles
OTHER = "spiral-100-fourier"  # the model of B: as good as that of A, and trained on its own
FRAMES, FOLLOWED, ARROWS = 49, 3, 200  # of the clock; particles whose paths are drawn; particles whose ends are joined
ANY, NO_CLASS = "any", "no_class"
WANTED, BASES = (ANY, *CLASSES), (NO_CLASS, *CLASSES, *WEAK_MODELS)
EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # where a guidance interval can end
EVERYWHERE = (EDGES[0], EDGES[-1])
ROWS = ("model", "kind", "n", "want", "w", "from")
MORE_ROWS = ("in", "eta", "grid", "top")
METRICS: dict[str, tuple[Callable[[Result], float], str]] = {
    "calls": (lambda result: result.metrics.calls, "d"),
    "hit": (lambda result: math.nan if result.label is None else result.metrics.hit, ".3f"),
    "coverage": (lambda result: result.metrics.coverage, ".3f"),
    "distance": (lambda result: result.metrics.distance, ".4f"),
    "spread": (lambda result: result.metrics.spread, ".2f"),
    "energy": (lambda result: result.metrics.energy, ".1f"),
}
"""The rows of the table: what is shown of a result, and its format."""


@dataclass(frozen=True)
class Config:
    """The controls of the page: those of side A and of side B, by the same names, and what both have in common."""

    guess: str | None = choice(None, ("near_its_end_in_a", "anywhere", "exactly_there"), style="none")
    amodel: str = choice(MODELS[0], (*MODELS, OWN), "models", "select")
    akind: str = choice(DDIM, names, "samplers", "select", main=True)
    an: int = number(64, 1, 256)
    awant: str = choice(ANY, WANTED, style="select")
    aw: float = number(1.0, 0.0, 12.0, 0.5, form="%g")
    afrom: str = choice(NO_CLASS, BASES, style="select")
    ain: tuple[float, float] = interval(EVERYWHERE, EDGES)
    aeta: float = number(0.5, 0.0, 1.0, 0.05, "slider")
    agrid: str = choice(GRIDS[0], GRIDS, "schedules", "select")
    atop: float = choice(10.0, TOPS, style="slider")
    bmodel: str = choice(OTHER, (*MODELS, OWN), "models", "select")
    bkind: str = choice(DDIM, names, "samplers", "select", main=True)
    bn: int = number(64, 1, 256)
    bwant: str = choice(ANY, WANTED, style="select")
    bw: float = number(1.0, 0.0, 12.0, 0.5, form="%g")
    bfrom: str = choice(NO_CLASS, BASES, style="select")
    bin: tuple[float, float] = interval(EVERYWHERE, EDGES)
    beta: float = number(0.5, 0.0, 1.0, 0.05, "slider")
    bgrid: str = choice(GRIDS[0], GRIDS, "schedules", "select")
    btop: float = choice(10.0, TOPS, style="slider")
    seed: int = number(0, 0, 9999)
    view: str = choice("vp", tuple(WINDOWS), "views", "radio")

    def side(self, side: str, trained: PointModel | None = None) -> lesson.Config:
        """The configuration of side "a" or "b". ``own`` is the learner's own model; without one the first model stands
        in its place."""
        given = {name: getattr(self, f"{side}{name}") for name in (*ROWS, *MORE_ROWS)}
        name = given["model"]
        model = (trained or lesson.model_of(MODELS[0])) if name == OWN else lesson.model_of(name)
        sampler = sampler_config(given["kind"], given["n"], given["eta"], given["top"], given["grid"], self.seed)
        return lesson.Config(model, sampler, guidance_of(given["want"], given["from"], given["w"], given["in"]))


DECIDES = {f"{side}{name}": getattr(Config, f"{side}{name}") for side in "ab" for name in (*ROWS, *MORE_ROWS)}
"""The run that decides the prediction: two models, all else alike."""


def guidance_of(wanted: str, base: str, scale: float, within: tuple[float, float]) -> GuidanceConfig:
    """The guidance that controls mean: ``base`` is what it leads away from. In an empty interval there is none."""
    label, negative = (CLASSES.index(name) if name in CLASSES else None for name in (wanted, base))
    empty = within[0] == within[1]
    limits = None if empty or within == EVERYWHERE else within
    return GuidanceConfig(label, negative, 1.0 if empty else scale, limits, base if base in WEAK_MODELS else None)


# The scene


def results(config: Config, trained: PointModel | None = None) -> tuple[Result, Result]:
    """Both sides, sampled."""
    return tuple(lesson.evaluate(config.side(side, trained), N) for side in "ab")


@shared_scene
def two_sides(config: Config, trained: PointModel | None = None) -> Scene:
    """The clouds of both sides, and arrows from each particle's end in A to its end in B."""
    both, window = results(config, trained), WINDOWS[config.view]
    sigmas = trajectories.levels(FRAMES, max(config.atop, config.btop))
    models = (text.label("models", name) for name in (config.amodel, config.bmodel))
    panels = [cloud(*side, sigmas, window) for side in zip("AB", models, both, strict=True)]
    panels.append(between(*both))
    alt = ". ".join(f"{panel.title}: {panel.caption}" for panel in panels) + "."
    return Scene(panels, Clock(sigmas, start=-1), alt)


SCENES: dict[str, Callable[[Config], Scene]] = {"two_sides": two_sides}


def formula_of(config: Config) -> str:
    """The name of the formula of the scene."""
    return "step"


def cloud(side: str, model: str, result: Result, sigmas: Tensor, window: Window) -> Panel:
    """The particles of one side in the colour of the class where they end, a few of them with their paths.

    A side that starts at a lower noise level than the clock waits there.
    """
    sampler, points = result.config.sampler, lesson.spiral().points
    reached = sigmas.clamp_max(sampler.sigma_max)
    states = in_view(result.trajectory.at(reached), reached, window.view)
    labels = tuple(text.label("classes", name) for name in CLASSES)
    layers = [
        Points(points * scale(reached, window.view).float()[:, None, None], "grid", size=1.4, alpha=0.7),
        Points(states, CLASSES, result.classes, size=1.8, alpha=0.65, label=labels),
        Path(states[:, :FOLLOWED], "probe"),
    ]
    found = result.metrics
    values = {"calls": found.calls, "hit": found.hit, "distance": found.distance, "spread": found.spread}
    caption = t(f"lab.captions.{'any' if result.label is None else 'hit'}", **values)
    title = t("lab.panels.side", side=side, model=model, sampler=text.label("samplers", sampler.sampler))
    return Panel(title, layers, caption=caption, **window.limits)


def between(first: Result, second: Result) -> Panel:
    """Where particles end in A, and from there to where they end in B."""
    a, b = (result.samples[:ARROWS] for result in (first, second))
    layers = [
        Points(lesson.spiral().points, "grid", size=1.4, alpha=0.7),
        Arrows(a, b - a, "difference", 1.4, (), t("lab.layers.same_particle")),
    ]
    same, other = distances(first, second)
    return Panel(t("lab.panels.ends"), layers, caption=t("lab.captions.ends", same=same, other=other))


def metrics_table(first: Result, second: Result) -> str:
    """The metrics of both sides and their difference, as a Markdown table."""
    rows = []
    for name, (value, form) in METRICS.items():
        a, b = value(first), value(second)
        cells = (number_in(each, sign) for each, sign in ((a, form), (b, form), (b - a, f"+{form}")))
        rows.append([t(f"lab.metrics.{name}"), *cells])
    return shell.table([t("lab.metrics.head"), "A", "B", "B − A"], rows)


def number_in(value: float, form: str) -> str:
    """A number in a format, or a dash where there is none."""
    return "–" if math.isnan(value) else format(value, form).replace("-", "−")


# What the prediction and the tasks ask


def only_models_differ(first: lesson.Config, second: lesson.Config) -> bool:
    """Whether two models were compared, all else alike, by DDIM."""
    return first.model != second.model and first == replace(second, model=first.model) and first.sampler.sampler == DDIM


def same_ends(first: Result, second: Result) -> bool:
    """Whether two samplers of one model end within 0.001 of each other."""
    a, b = first.config, second.config
    different = a.model == b.model and a.sampler.sampler != b.sampler.sampler
    return different and distances(first, second)[0] < 0.001


def better(first: Result, second: Result, than: Callable[[Metrics, Metrics], bool]) -> bool:
    """Whether B's metrics are better ``than`` A's, with the same class wanted of both."""
    return first.label is not None and first.label == second.label and than(first.metrics, second.metrics)


CODE = lesson.evaluate, samplers.run, guided_denoiser
"""The lines of core that make the scene."""
