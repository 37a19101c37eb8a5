"""Chapter 5: what guidance gains and costs over its scale, as curves and in numbers."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from core.data import CLASSES
from core.figures import curves as figures
from core.figures.curves import Curve
from core.figures.scene import Scene
from core.lessons import guidance as lesson
from core.lessons.guidance import SCALES, ClassQuality
from core.models.trajectories import PointModel
from core.pretrained import shipped
from pages.ui.frame import shell, text
from pages.ui.frame.chart import draw_chart
from pages.ui.frame.text import t
from pages.ui.lessons import guidance as scenes
from pages.ui.lessons.guidance_config import Config
from pages.ui.stage import exporting


def rival_of(config: Config) -> str:
    """The model whose hit rate is drawn beside: the plain network beside the strong one, else the strong one."""
    return scenes.WEAK if config.model == scenes.STRONG else scenes.STRONG


def quality_over_scales(model: PointModel, pause: Callable[[], Any] = lambda: None) -> list[ClassQuality]:
    """The quality at each scale, as the mean over the classes; each class has the seed of its number. ``pause`` is
    called before each class."""
    sweeps = []
    for label in range(len(CLASSES)):
        pause()
        sweeps.append(scenes.sweep_of(model, label, label))
    return [lesson.mean_quality([run.quality for run in runs]) for runs in zip(*sweeps, strict=True)]


def lines(config: Config, model: PointModel, pause: Callable[[], Any] = lambda: None) -> list[Curve]:
    """What guidance gains and costs over its scale, and the hit rate of another model."""
    rival = rival_of(config)
    this, other = quality_over_scales(model, pause), quality_over_scales(shipped(rival), pause)
    return [
        Curve(SCALES, [q.hit for q in this], "guided", t("guidance.curves.hit")),
        Curve(SCALES, [q.hit for q in other], "unconditional",
              t("guidance.curves.rival", model=text.label("models", rival))),
        Curve(SCALES, [q.coverage for q in this], "data", t("guidance.curves.coverage"), marked=True),
        Curve(SCALES, [q.spread for q in this], "difference", t("guidance.curves.spread")),
        Curve(SCALES, [10 * q.distance for q in this], "negative", t("guidance.curves.distance")),
    ]  # fmt: skip


def price(config: Config, model: PointModel | None = None) -> Scene:
    """The curves as a scene."""
    found, title = lines(config, model or scenes.model_of(config.model)), t("guidance.curves.heading")
    return exporting.scene_of(figures.panel(found, title, "w", t("guidance.curves.ylabel"), ylim=(0, 1.25)))


def table(curves: Sequence[Curve]) -> str:
    """The same as a Markdown table."""
    rows = ([curve.label, *(f"{value:.3f}" for value in curve.y)] for curve in curves)
    return shell.table(["w", *(f"{w:g}" for w in SCALES)], rows)


def draw(config: Config, model: PointModel) -> None:
    """The curves and their table below the picture."""
    with st.container(gap="small"):
        st.header(t("guidance.curves.heading"), anchor=False)
        shell.prose(t("guidance.curves.text", samples=scenes.N))
        pause = st.empty().empty  # here Streamlit notices that a control was moved, and runs the page again first
        found = lines(config, model, pause)
        chart = figures.curves(found, shell.theme(), "w", t("guidance.curves.ylabel"), ylim=(0, 1.25))
        draw_chart(chart, "price")
        exporting.button(partial(price, config, model), "price", chart="price")
        shell.prose(table(found))
