"""Chapter 3: a model's vector field beside the exact one at every noise level, their difference, and one place.

To add a scene, write its function, add its name to `SCENES` and to ``Config.show``, and its texts to the catalogue.

Each scene is a pure function of a `Config`; ``model`` is for one that no address can name, such as a learner's run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.data.points import BUILT_IN
from core.diffusion import vector_field
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.schedules import scale
from core.figures.curves import Curve, curves
from core.figures.curves import panel as curve_panel
from core.figures.scene import Arrows, Clock, Heat, Layer, Line, Panel, Points, Scene, Window
from core.lessons import vector_field as lesson
from core.lessons.vector_field import Film, Reading
from core.models.trajectories import PointModel
from core.pretrained import is_shipped, shipped
from core.runs.caching import shared_cache
from pages.ui.frame import shell, text
from pages.ui.frame.links import choice, place, toggle
from pages.ui.frame.text import pair, t
from pages.ui.lessons.shared_scene import shared_scene
from pages.ui.stage import exporting

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as Chart

SIGMAS = vector_field.levels(49)
LEVELS = tuple(f"{sigma:.3g}" for sigma in SIGMAS.tolist())
COARSE, START = LEVELS.index("1"), LEVELS.index("0.0866")  # where a clock stands to begin with: the fields, the others
FINE = LEVELS.index("0.0487")  # where the tasks look
SIDE, CELLS = 21, 56  # arrows, and cells of the density, along a side
EPS_SCALE, SCORE_SCALE = 0.1, 0.2  # a unit of eps_hat, and a decade of the score, in units of the picture
REFERENCE, FOURIER, OWN = "spiral-100-reference", "spiral-100-fourier", "own_run"
MODELS = (REFERENCE, FOURIER, *filter(is_shipped, BUILT_IN), OWN)


WINDOWS = {"ve": Window("ve", 1.2), "vp": Window("vp", 1.6)}


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("large_sigma", "small_sigma", "every_sigma"), style="none")
    show: str = choice("fields", ("fields", "error", "one_place"))
    model: str = choice(REFERENCE, MODELS, "models", "select", main=True)
    view: str = choice("ve", ("ve", "vp"), "views", "radio")
    density: bool = toggle(True, main=True)
    probe: tuple[float, float] = place((0.7, -0.8), 2)

    @property
    def window(self) -> Window:
        """What the panels look through."""
        return WINDOWS[self.view]

    @property
    def inside(self) -> tuple[float, float]:
        """The probe, moved to the edge where it would lie outside the window."""
        reach = self.window.reach
        return tuple(min(reach, max(-reach, value)) for value in self.probe)


# Models, and what is computed of them once


def model_of(config: Config) -> PointModel:
    """The shipped model of a configuration."""
    return shipped(REFERENCE if config.model == OWN else config.model)


@shared_cache(24)
def film_of(model: PointModel, window: Window) -> Film:
    """Both fields over the noise levels."""
    return lesson.film(model.denoise, model.ideal, SIGMAS, window.view, SIDE, window.reach, CELLS)


@shared_cache(24)
def error_of(model: PointModel) -> Tensor:
    """The relative error of a model's field over the noise levels, [T]."""
    ideal = model.ideal
    n = len(ideal.points)
    data = ideal.points[:: max(1, n // 500)].repeat(max(1, 1000 // n), 1)
    return vector_field.relative_error(model.denoise, ideal, data, SIGMAS)


def rival_of(config: Config) -> tuple[str, Tensor] | None:
    """The identifier and the error of the other network that was trained on the same 100 points, if there is one."""
    other = {REFERENCE: FOURIER, FOURIER: REFERENCE}.get(config.model)
    return (other, error_of(shipped(other))) if other else None


def readings(config: Config, model: PointModel) -> tuple[Reading, Reading]:
    """What the model and its exact denoiser answer at the probe."""
    return tuple(lesson.read(each, config.inside, SIGMAS, config.view) for each in (model.denoise, model.ideal))


# The scenes


@shared_scene
def fields(config: Config, model: PointModel | None = None) -> Scene:
    """Learned, exact and difference side by side; the difference only after the prediction."""
    model = model or model_of(config)
    film, error = film_of(model, config.window), error_of(model)
    panels = side_by_side(film, ground(config, film, model), error, config.window)
    return _scene(config, panels, error, COARSE)


@shared_scene
def error(config: Config, model: PointModel | None = None) -> Scene:
    """The difference, and the relative error over the noise levels."""
    model = model or model_of(config)
    film, relative = film_of(model, config.window), error_of(model)
    difference = side_by_side(film, ground(config, film, model), relative, config.window)[2]
    return _scene(config, [difference, error_over_sigma(relative, rival_of(config))], relative)


@shared_scene
def one_place(config: Config, model: PointModel | None = None) -> Scene:
    """What both fields say at the probe, as arrows and as numbers."""
    model = model or model_of(config)
    under = ground(config, film_of(model, config.window), model)
    panels = [
        lens(t(f"vector_field.panels.{title}"), role, reading, under, config.window)
        for title, role, reading in zip(("learned", "exact"), ("denoise", "exact"), readings(config, model))
    ]
    return _scene(config, panels, error_of(model))


SCENES: dict[str, Callable[[Config], Scene]] = {"fields": fields, "error": error, "one_place": one_place}
CHARTS = {"error_curve": lambda config: error_curve(config)}
"""The charts below the picture of a scene, by their names."""


def before_answer(scene: Scene) -> Scene:
    """The scene without what answers the question: the difference, how well the learned arrows agree, and the error in
    the text alternative."""
    learned, exact = scene.panels[:2]
    return Scene([replace(learned, caption=""), exact], scene.clock, scene.caption, probe=scene.probe)


NOTES = {
    "fields": {"before": ("fields", "learned"), "after": ("fields", "difference")},
    "error": {REFERENCE: ("error", "unscaled"), FOURIER: ("error", "scaled"), "other": ("error",)},
}
"""The notes that a scene can show together, by their names in the catalogue; other scenes show those of their name."""


def notes_of(config: Config, show: str, answered: bool) -> tuple[str, ...]:
    """The notes of a scene and of what is special about it now."""
    if show == "fields":
        return NOTES[show]["after" if answered else "before"]
    return NOTES[show].get(config.model, NOTES[show]["other"]) if show in NOTES else (show,)


def _scene(config: Config, panels: Sequence[Panel], error: Tensor, start: int = START) -> Scene:
    plain = t("vector_field.alt", model=text.label("models", config.model))
    levels = {"coarse": error[START].item(), "fine": error[FINE].item(), "at": LEVELS[START], "fine_at": LEVELS[FINE]}
    alt = text.join((plain, t("vector_field.alt_error", **levels)))
    return Scene(panels, Clock(SIGMAS, start=start), alt, caption=plain, probe=config.inside)


# Their panels


def ground(config: Config, film: Film, model: PointModel) -> list[Layer]:
    """What lies under the arrows: the log-density if wanted, and the data where the view draws them."""
    points, window, reach = model.points.points, config.window, config.window.reach
    drawn = points if window.view == "ve" else points * scale(film.sigmas, window.view)[:, None, None]
    density = Heat(film.density, (-reach, reach, -reach, reach), t("vector_field.layers.density"))
    data = Points(drawn, "data", size=1.8, alpha=0.75, label=t("vector_field.layers.data"))
    return [density, data] if config.density else [data]


def triple(film: Film) -> dict[str, tuple[str, Tensor]]:
    """Role and arrows [T, g, 2] of the learned field, the exact one and what is between them."""
    return {
        "learned": ("denoise", film.learned),
        "exact": ("exact", film.exact),
        "difference": ("difference", film.learned - film.exact),
    }


def side_by_side(film: Film, under: list[Layer], error: Tensor, window: Window) -> list[Panel]:
    """Learned, exact and difference, each with what its numbers say at every frame."""
    captions = {
        "learned": _pointing(film.learned_to),
        "exact": _pointing(film.exact_to),
        "difference": [t("vector_field.captions.error", error=value) for value in error.tolist()],
    }
    return [
        Panel(
            t(f"vector_field.panels.{name}"),
            [*under, Arrows(film.places, by, role, 1.3, (), t(f"vector_field.layers.{name}"))],
            caption=captions[name],
            **window.limits,
        )
        for name, (role, by) in triple(film).items()
    ]


def _pointing(to: Tensor) -> list[str]:
    return [t("vector_field.captions.cosines", mean=mean, nearest=nearest) for mean, nearest in to.T.tolist()]


def error_over_sigma(error: Tensor, rival: tuple[str, Tensor] | None) -> Panel:
    """The relative error [T] of a model, beside a rival's if there is one, with the clock's place on it."""
    lines = [Line(SIGMAS, rival[1], "unconditional", text.label("models", rival[0]))] if rival else []
    lines.append(Line(SIGMAS, error, "difference", t("vector_field.layers.this_model")))
    ends = (SIGMAS.min().item(), SIGMAS.max().item())
    title = t("vector_field.panels.error")
    return Panel(title, lines, ends, (0, top(error)), False, "σ", xlog=True, xreversed=True, marker=SIGMAS)


def error_curves(config: Config, error: Tensor, rival: tuple[str, Tensor] | None) -> list[Curve]:
    """The same as curves of a chart that stands still."""
    lines = [Curve(SIGMAS.numpy(), error.numpy(), "difference", text.label("models", config.model))]
    if rival:
        lines.append(Curve(SIGMAS.numpy(), rival[1].numpy(), "unconditional", text.label("models", rival[0])))
    return lines


def error_chart(config: Config, error: Tensor, rival: tuple[str, Tensor] | None, theme: str) -> Chart:
    """The relative error over the noise levels as a chart that stands still."""
    lines, ylabel = error_curves(config, error, rival), t("vector_field.curve.ylabel")
    return curves(lines, theme, "σ", ylabel, xlog=True, ylim=(0, top(error)), xreversed=True)


def error_curve(config: Config, model: PointModel | None = None) -> Scene:
    """The chart as a scene."""
    error = error_of(model or model_of(config))
    lines, title = error_curves(config, error, rival_of(config)), t("vector_field.curve.title")
    axes = {"xlog": True, "ylim": (0, top(error)), "xreversed": True}
    return exporting.scene_of(curve_panel(lines, title, "σ", t("vector_field.curve.ylabel"), **axes))


def top(error: Tensor) -> float:
    """Where an axis of relative errors [T] ends: at 1, or higher for a model that is worse than no model."""
    return max(1.0, 1.05 * error.max().item())


def lens(title: str, role: str, reading: Reading, under: list[Layer], window: Window) -> Panel:
    """One place: the way to the guess, the noise seen and the score as arrows, their numbers in the caption."""
    factor = scale(SIGMAS, window.view)[:, None]
    at, way = reading.x * factor, (reading.x0 - reading.x) * factor
    length = reading.score.norm(dim=1, keepdim=True)
    along = reading.score / length.clamp_min(1e-9)
    beside = at + 0.06 * along.flip(1) * along.new_tensor([-1, 1])
    score = SCORE_SCALE * (1 + length).log10() * along
    arrows = [
        Arrows(
            at[:, None],
            EPS_SCALE * reading.eps[:, None],
            "noise",
            2.5,
            (),
            t("vector_field.layers.eps", scale=EPS_SCALE),
        ),
        Arrows(beside[:, None], score[:, None], "probe", 2, (3, 2), t("vector_field.layers.score")),
        Arrows(at[:, None], way[:, None], role, 2.5, (), t("vector_field.layers.arrow")),
    ]
    guess = Points((at + way)[:, None], role, size=5, alpha=1, shape="ring", label=t("vector_field.layers.estimate"))
    return Panel(title, [*under, *arrows, guess], caption=_numbers(reading), probe=True, **window.limits)


def _numbers(reading: Reading) -> list[str]:
    values = {"x̂₀": reading.x0, "ε̂": reading.eps, t("vector_field.score"): reading.score}
    texts = ([f"{name} {pair(place)}" for place in value.tolist()] for name, value in values.items())
    return ["  ".join(frame) for frame in zip(*texts, strict=True)]


def numbers_table(learned: Reading, exact: Reading, frames: tuple[int, ...] = (8, 16, START, 48)) -> str:
    """A Markdown table of both answers at one place and some of the noise levels."""
    parts = {"x̂₀": "x0", "ε̂": "eps", t("vector_field.score"): "score"}
    head = [
        t("vector_field.table", quantity=name, model=t(f"vector_field.panels.{model}").lower())
        for name in parts
        for model in ("learned", "exact")
    ]
    columns = [getattr(reading, part).tolist() for part in parts.values() for reading in (learned, exact)]
    return shell.table(["σ", *head], ([f"{SIGMAS[k]:.2g}", *(pair(column[k]) for column in columns)] for k in frames))


def apart(learned: Reading, exact: Reading) -> float:
    """How far the two guesses at the probe are apart at the level that the tasks look at."""
    return torch.linalg.vector_norm(learned.x0 - exact.x0, dim=1)[FINE].item()


CODE = vector_field.arrows, EmpiricalDenoiser.__call__, EmpiricalDenoiser.weights, vector_field.relative_error
"""The lines of core that make the scenes."""
