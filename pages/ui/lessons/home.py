"""The home page: data, noise, field, samples and guided samples side by side on one clock.

Nothing here imports PyTorch: the picture of a fresh page is read from a file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.data import CLASSES
from core.figures.scene import Arrows, Clock, Panel, Path, Points, Scene
from core.lessons import home as lesson
from core.lessons.home import BACK, CLOSE, FIELD_SIGMA_MIN, MODELS, OUT, REACH, Request, Result
from core.runs.caching import shared_cache
from pages.ui.frame import text
from pages.ui.frame.links import choice, number
from pages.ui.frame.text import t
from pages.ui.lessons.shared_scene import shared_scene

WALKER, FOLLOWED = 16, [25, 76, 88]  # the point and the samples whose paths are drawn
WALKS, SAMPLES, GUIDED = range(3)  # rows of Result.close


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("same_points", "other_points", "other_shape"), style="none")
    wanted: str = choice(Request.wanted, CLASSES, "classes", main=True)
    w: int = choice(Request.scale, (0, 1, 2, 4, 8), main=True)
    model: str = choice(Request.model, MODELS)
    seed: int = number(Request.seed, 0, 9999)


@shared_cache(32)
def result_of(request: Request) -> Result:
    """The result of a request; that of a fresh page is read."""
    return lesson.read() if request == Request() else lesson.compute(request)


@shared_scene
def figure(config: Config) -> Scene:
    """Data, noise, field, samples and guided samples."""
    result, wanted = result_of(Request(config.model, config.wanted, config.w, config.seed)), config.wanted
    name = text.label("classes", wanted)
    noise, samples, guided = _captions(result, name)
    spiral = result.alpha * result.data
    arm = spiral[:, result.labels == CLASSES.index(wanted)]
    depths = [t("home.captions.field", sigma=max(FIELD_SIGMA_MIN, sigma)) for sigma in result.sigma.tolist()]
    layer = {each: t(f"home.layers.{each}") for each in ("walk", "arrows", "samples")}
    legend = [text.label("classes", each) for each in CLASSES]
    walk = Path(result.walks[:, WALKER], "noise", layer["walk"])
    arrows = Arrows(result.places, result.arrows, "denoise", 1.4, label=layer["arrows"])
    free = Points(result.samples, "sample", size=2.2, label=layer["samples"])
    kind = Points(result.guided, "guided", size=2.4, label=t("home.layers.guided", label=name))
    panels = [
        _panel("data", t("home.captions.data"), _classes(result.data, result, legend)),
        _panel("noise", noise, _classes(result.walks, result), walk),
        _panel("field", depths, _faint(spiral), arrows),
        _panel("samples", samples, _faint(spiral), free, Path(result.samples[:, FOLLOWED], "sample")),
        _panel("guided", guided, _faint(arm, wanted), kind, Path(result.guided[:, FOLLOWED], "guided")),
    ]
    labels = [t("home.clock.out")] * OUT + [t("home.clock.back")] * (BACK + 1)
    shares = {"samples": result.close[SAMPLES, -1].item(), "guided": result.close[GUIDED, -1].item()}
    alt = t("home.alt", label=name, **shares)
    return Scene(panels, Clock(result.sigma, labels, 2), alt, title=t("home.title"), fps=9)


SCENES: dict[str, Callable[[Config], Scene]] = {"figure": figure}


def _panel(name: str, caption: str | list[str], *layers: Points | Arrows | Path) -> Panel:
    return Panel(t(f"home.panels.{name}"), layers, (-REACH, REACH), (-REACH, REACH), caption=caption)


def _classes(xy: np.ndarray, result: Result, legend: Sequence[str] = ()) -> Points:
    return Points(xy, CLASSES, result.labels, size=2.2, label=legend)


def _faint(xy: np.ndarray, colour: str = "data") -> Points:
    return Points(xy, colour, size=1.2, alpha=0.45, shape="dot")


def _captions(result: Result, name: str) -> tuple[list[str], list[str], list[str]]:
    """The share of the walks, of the samples and of the guided samples that is close to its target, frame by frame."""
    targets = t("home.captions.spiral"), t("home.captions.spiral"), t("home.captions.part", label=name)
    shares = [
        [t("home.captions.close", share=share, target=target) for share in row]
        for target, row in zip(targets, result.close.tolist(), strict=True)
    ]
    noise = shares[WALKS][:OUT] + [t("home.captions.stays")] * (BACK + 1)
    samples, guided = ([t("home.captions.waiting")] * OUT + row[OUT:] for row in shares[SAMPLES:])
    return noise, samples, guided


CODE = (lesson.compute,)
"""The lines of core that make the scene."""


def values_of(config: Config) -> dict[str, str]:
    """The values that the formula quotes."""
    return {"label": text.label("classes", config.wanted)}


def note_values() -> dict[str, float | str]:
    """The values that the notes quote."""
    return {"close": CLOSE, "cat": text.label("classes", "cat")}
