"""Chapter 6, live: flows from any source to any target, and reflow, where a model is trained on its own paths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import nan

from torch import Tensor
from torch.nn.functional import pad

from core.data.points import PointSet, at_unit_rms
from core.diffusion.denoiser import Denoise
from core.figures.scene import Clock, Line, Panel, Path, Points, Scene
from core.lessons import flow_matching, flow_training
from core.lessons.flow_training import STEPS, Snapshot
from core.metrics import distance_to_curve
from core.models.flows import LIVE_FLOW, LIVE_REFLOW
from core.runs.caching import shared_cache
from core.runs.jobs import View
from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import pair, t
from pages.ui.lessons.flow_config import GAUSSIAN, Config, data_layer, plane
from pages.ui.lessons.flow_runs import FlowTraining, training
from pages.ui.runs import training_run
from pages.ui.runs.loss_curve import loss_curve
from pages.ui.stage import player
from pages.ui.widgets import dataset_picker

TIMES = flow_matching.even_times(STEPS)  # of the frames
OWN_FROM = LIVE_REFLOW.own_paths_from
PATHS = 60  # drawn as lines
STRIPES = ("person", "dog", "cat", "exact")  # the colours of the stripes of the source, from left to right
STRAIGHT, NEAR = 0.05, 0.15  # the straightness of paths that look straight; the distance of samples near the spiral
MARKS = 300, OWN_FROM, 1_500, 2_000, 3_000  # steps at which the page runs again
LIVE = ("transport", "reflow")
"""The scenes that show a run."""


@shared_cache(32)
def unit(points: PointSet) -> PointSet:
    """Points in units of their root mean square: one and the same set for one and the same points."""
    return at_unit_rms(points)


def built_in(name: str) -> PointSet:
    """A built-in set of a hundred points in units of its root mean square."""
    return unit(dataset_picker.built_in(name, dataset_picker.N))


@dataclass(frozen=True)
class Chosen:
    """The target and the source that a learner has chosen, where they are others than the configuration names; a source
    of None is noise."""

    target: PointSet
    source: PointSet | None


def chosen_by(config: Config) -> Chosen:
    """The target and the source that a configuration names."""
    source = None if config.source == GAUSSIAN else dataset_picker.points_or_spiral(replace(config, data=config.source))
    return Chosen(dataset_picker.points_or_spiral(config), source)


def request_of(config: Config, chosen: Chosen | None = None) -> FlowTraining:
    """What a live scene trains."""
    if config.show == "reflow":
        return training(None, built_in("spiral"), LIVE_REFLOW)
    chosen = chosen or chosen_by(config)
    return training(chosen.source and unit(chosen.source), unit(chosen.target), LIVE_FLOW)


# Any source to any target


def transport(
    config: Config, snapshot: Snapshot | None = None, chosen: Chosen | None = None, denoise: Denoise | None = None
) -> Scene:
    """The source in stripes of colour, where the flow takes each stripe, and the paths through one place.

    Without a snapshot: of the shipped or untrained model. ``denoise``: the model of the snapshot.
    """
    request = request_of(config, chosen)
    snapshot = snapshot or training_run.initial_picture(request)
    denoise = denoise or training_run.initial_checkpoint(request).denoiser
    target = request.data.target
    panels = [source(snapshot), stripes(snapshot, target.points, denoise, config.probe), loss_curve(snapshot)]
    ends = {"source": text.label("data", config.source), "target": text.label("data", config.data)}
    alt = t("flow_matching.transport.alt", step=snapshot.step, **ends)
    return Scene(panels, Clock(TIMES, "t", 2, start=-1), alt, probe=config.probe)


def stripe_of(snapshot: Snapshot) -> Tensor:
    """The stripe of the source that each particle starts in, [n]: all have equally many, from left to right."""
    rank = snapshot.paths[0, :, 0].argsort().argsort()
    return rank * len(STRIPES) // len(rank)


def particles(snapshot: Snapshot, xy: Tensor) -> Points:
    """The particles in the colours of their stripes."""
    labels = [t("flow_matching.layers.stripe", number=number + 1) for number in range(len(STRIPES))]
    return Points(xy, STRIPES, stripe_of(snapshot), size=2.6, alpha=0.9, label=labels)


def source(snapshot: Snapshot) -> Panel:
    """The starts, coloured by stripe."""
    return plane(t("flow_matching.panels.source"), [particles(snapshot, snapshot.paths[0])])


def stripes(snapshot: Snapshot, points: Tensor, denoise: Denoise, probe: tuple[float, float]) -> Panel:
    """The particles on their way in the colours of their stripes, and the paths through the probe."""
    forward, backward = flow_training.paths_through(denoise, probe, STEPS)
    layers = [
        Points(thinned(points), "grid", size=1.8, alpha=0.7, label=t("flow_matching.layers.target")),
        particles(snapshot, snapshot.paths),
        Path(forward, "sample", t("flow_matching.layers.forward")),
        Path(backward.flip(0), "noise", t("flow_matching.layers.backward")),
    ]
    caption = t("flow_matching.captions.through", end=pair(forward[-1].tolist()), start=pair(backward[-1].tolist()))
    return plane(t("flow_matching.panels.flow"), layers, caption=caption, probe=True)


# Reflow


def reflow(config: Config, snapshot: Snapshot | None = None) -> Scene:
    """The paths of a model under training, where one step ends, and the loss. Without a snapshot: untrained."""
    request = request_of(config)
    snapshot = snapshot or training_run.initial_picture(request)
    target = request.data.target
    panels = [paths(snapshot, target.points), one_step(snapshot, target), loss_curve(snapshot)]
    stage = "own" if snapshot.step > OWN_FROM else "independent"
    alt = t("flow_matching.reflow.alt", step=snapshot.step, straightness=snapshot.straightness)
    return Scene(panels, Clock(TIMES, "t", 2, start=-1), text.join((alt, t(f"flow_matching.reflow.{stage}"))))


def paths(snapshot: Snapshot, points: Tensor) -> Panel:
    """The paths as lines, and where all particles are at the time of the clock."""
    x, y = pad(snapshot.paths[:, :PATHS].transpose(0, 1), (0, 0, 0, 1), value=nan).flatten(0, 1).unbind(1)
    layers = [
        data_layer(thinned(points)),
        Line(x, y, "unconditional", t("flow_matching.layers.path"), dash=(), width=1.0),
        Points(snapshot.paths, "sample", size=2.4, label=t("flow_matching.layers.samples")),
    ]
    caption = t("flow_matching.captions.straightness", value=snapshot.straightness) if snapshot.step else ""
    return plane(t("flow_matching.panels.paths"), layers, caption=caption)


def one_step(snapshot: Snapshot, target: PointSet) -> Panel:
    """Where one step from the same starts ends, beside the data."""
    layers = [
        data_layer(thinned(target.points)),
        Points(snapshot.one_step, "denoise", size=2.4, label=t("flow_matching.layers.one_step")),
    ]
    caption = t("flow_matching.captions.distance", distance=distance_of(snapshot, target))
    return plane(t("flow_matching.panels.one_step"), layers, caption=caption)


def distance_of(snapshot: Snapshot, target: PointSet) -> float:
    """The mean distance of the samples of one step to the curve of the data."""
    return distance_to_curve(snapshot.one_step, target.curve).mean().item()


def thinned(points: Tensor, most: int = 200) -> Tensor:
    """At most about ``most`` of the points, evenly picked."""
    return points[:: max(1, len(points) // most)]


# The run on the page


def choose() -> Chosen:
    """Draw the controls of the source and of the target, and return both."""
    kind = controls.draw("source")
    source = None if kind == GAUSSIAN else dataset_picker.choose_other(kind, controls.value("data"))
    return Chosen(dataset_picker.choose(endless=True), source)


def draw(config: Config, chosen: Chosen | None) -> View | None:
    """The buttons of the run and its picture, which changes while it trains; the run, None if there is none."""
    request = request_of(config, chosen)
    view = training_run.current(request)
    training_run.buttons(request, view)
    if view is not None and view.error:
        shell.sorry(view.error)
    training_run.watch(request, view, partial(_draw, config, chosen, request), MARKS)
    return view


def _draw(config: Config, chosen: Chosen | None, request: FlowTraining, snapshot: Snapshot, standing: str) -> None:
    shell.prose(standing)
    if config.show == "reflow":
        scene = reflow(config, snapshot)
    else:
        scene = transport(config, snapshot, chosen, training_run.checkpoint(request).denoiser)
    player.show(scene, key="flow_transport" if config.show == "transport" else "flow", permalink=True)


def tasks(config: Config, view: View | None) -> dict[str, bool]:
    """Which tasks of the live scenes are done."""
    snapshot = view and view.picture
    own_ends = (config.source, config.data) != (Config.source, Config.data)
    done = {"own_map": False, "straightened": False}
    if snapshot and config.show == "transport":
        done["own_map"] = own_ends and snapshot.step >= MARKS[1]
    if snapshot and config.show == "reflow" and snapshot.step > OWN_FROM and snapshot.straightness <= STRAIGHT:
        done["straightened"] = distance_of(snapshot, built_in("spiral")) <= NEAR
    return done
