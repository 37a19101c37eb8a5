"""Chapter 5: a network that learns the classes while the page shows its samples."""

from dataclasses import replace
from functools import partial

from core.figures.scene import Clock, Panel, Scene
from core.lessons import guidance as lesson
from core.lessons.guidance import SIGMAS, GuidanceConfig, GuidedSamples, ModelSnapshot
from core.models.points import PointConfig
from core.runs.caching import shared_cache
from core.runs.jobs import View
from pages.ui.frame import shell
from pages.ui.frame.text import t
from pages.ui.lessons import guidance_panels as panels
from pages.ui.lessons.guidance_config import Config
from pages.ui.lessons.guidance_panels import POINTS
from pages.ui.runs import training_run
from pages.ui.runs.loss_curve import loss_curve
from pages.ui.runs.point_runs import PointTraining
from pages.ui.stage import player

N = 100  # samples of a cloud
DROPPED_OUT = 300  # training steps after which the unconditional answer shows what it has learned


@shared_cache(16)
def samples_of(snapshot: ModelSnapshot, guided: GuidanceConfig) -> list[GuidedSamples]:
    """Unconditional, conditional and guided samples of a model under training."""
    scales = sorted({0.0, 1.0, guided.scale})
    return [lesson.sample(replace(guided, scale=w), snapshot.model, POINTS, N) for w in scales]


def train_live(config: Config, snapshot: ModelSnapshot | None = None) -> Scene:
    """Samples of a network under training, and its loss. At rest: of the shipped one, or of an untrained one.

    It is drawn twice a second, so only every second frame is.
    """
    snapshot = snapshot or training_run.initial_picture(training_of(config.dropout))
    titles, captions = [], []
    runs = samples_of(snapshot, GuidanceConfig(config.label, scale=config.scale))
    for run in runs:
        title = "guidance.panels.live" if run.config.scale else "guidance.panels.live_unconditional"
        titles.append(t(title, label=panels.class_label(config.label), scale=run.config.scale))
        captions.append(panels.in_words(run) if run.config.scale else panels.all_shares(run))
    clouds: list[Panel] = [panels.cloud(*each, every=2) for each in zip(titles, runs, captions, strict=True)]
    alt = t("guidance.train_live.alt", step=snapshot.step, captions=panels.joined(titles, captions))
    return Scene([*clouds, loss_curve(snapshot)], Clock(SIGMAS[::2], start=-1), alt)


def training_of(dropout: float) -> PointTraining:
    """What is trained: the classes of the spiral, left out with probability ``dropout``."""
    return PointTraining(POINTS, PointConfig(conditional=True, label_dropout=dropout), lesson.snapshot)


def draw(config: Config) -> View | None:
    """The buttons of the run and its picture, which changes while it trains; the run, None if there is none."""
    request = training_of(config.dropout)
    view = training_run.current(request)
    training_run.buttons(request, view)
    if view is not None and view.error:
        shell.sorry(view.error)
    training_run.watch(request, view, partial(_draw, config), marks=(DROPPED_OUT,))
    return view


def _draw(config: Config, snapshot: ModelSnapshot, standing: str) -> None:
    shell.prose(standing)
    player.show(train_live(config, snapshot), key="training", permalink=True)
