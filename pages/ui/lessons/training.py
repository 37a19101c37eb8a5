"""Chapter 2: a network that learns while the page shows it, and why what it learns is an average.

Each scene is a pure function of a `Config`. What no address can name is an extra argument: a learner's file, a run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor
from torch.nn.functional import pad

from core import limits
from core.data import drawings
from core.data.points import BUILT_IN, PointSet
from core.diffusion import denoiser, training, vector_field
from core.diffusion.denoiser import PREDICTIONS, Denoise
from core.diffusion.schedules import SCHEDULES
from core.figures.scene import Arrows, Clock, Layer, Line, Panel, Points, Scene, Window
from core.lessons import training as lesson
from core.lessons.memorization import POINTS
from core.lessons.memorization import Snapshot as MeasuredSnapshot
from core.lessons.training import ARROWS_FROM, PosteriorWalks, Snapshot
from core.models import points as point_model
from core.models.points import PointConfig
from core.networks.mlp import NETWORKS
from core.runs.checkpoints import Checkpoint
from core.runs.progress import smooth
from pages.ui.frame import controls
from pages.ui.frame.links import choice, code, number, place, text, toggle
from pages.ui.frame.text import pair, t
from pages.ui.lessons import memorization
from pages.ui.lessons.shared_scene import shared_scene
from pages.ui.runs import training_run
from pages.ui.runs.loss_curve import loss_curve
from pages.ui.runs.point_runs import PointTraining
from pages.ui.widgets import dataset_picker
from pages.ui.widgets.dataset_picker import DATA, SIZES, WORD

WINDOW = Window("vp", 1.7)
PROBE = (0.5, 0.6)
SIGMAS = vector_field.levels(31, 2.0, 0.03)  # of the walks through one place
START = 10  # where a fresh clock of theirs stands
WALKS, STEPS, DRAWN = 400, 40, 10  # walks at each noise level, their steps, and how many of the walks are drawn
NEAR = 1.1  # a loss of at most so many times the exact denoiser's is near it
MARKS = SEEN, *_ = 300, 600, 1_000, 2_000, 4_000, 8_000  # steps at which the page runs again; explained when SEEN


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("extent_first", "middle_outwards", "slowly_sharper"), style="none")
    show: str = choice("train_live", ("train_live", "why_average", "memorised_or_learned"))
    data: str = choice("spiral", DATA, "data", "select")
    fresh: bool = toggle(True)
    n: int = choice(100, SIZES, style="slider")
    word: str = text(WORD, limits.LETTERS)
    draw: str | None = code(drawings.decode)
    lr: float = number(PointConfig.lr, 1e-6, 1e6, 1e-3, form="%g")
    net: str = choice("fourier", tuple(NETWORKS), "networks")
    prediction: str = choice("edm", tuple(PREDICTIONS), "predictions", "select", main=True)
    noise: str = choice("log-normal", tuple(SCHEDULES), "schedules", "select")
    seed: int = number(0, 0, 9999)
    probe: tuple[float, float] = place(PROBE, WINDOW.reach)
    arrow: str = choice("untrained_eps", ("untrained_eps", "untrained_edm", "live"), style="select", main=True)
    points: str = choice("10", POINTS, main=True)
    run: str | None = code(training_run.check_run)


RECIPE = ("net", "noise", "seed")  # controls that begin another run, as the target does


def choose_data(measures: bool) -> PointSet | None:
    """Draw the control of the training data, and return the points chosen; None for the scene that ``measures``, which
    has sets of its own."""
    if not measures:
        return dataset_picker.choose()
    controls.draw("points")
    return None


def request_of(config: Config, points: PointSet | None = None) -> PointTraining:
    """What to train; ``points``: in the place of those that the configuration names."""
    settings = {"network": config.net, "prediction": config.prediction, "noise": config.noise, "lr": config.lr}
    settings |= {"seed": config.seed}
    if config.show == "memorised_or_learned":
        return memorization.request_of(config.points, **settings)
    point_config = PointConfig(endless=dataset_picker.is_endless(config), **settings)
    return PointTraining(points or dataset_picker.points_or_spiral(config), point_config, lesson.snapshot)


def adopt(found: Checkpoint) -> PointConfig:
    """Set the controls to a loaded model's configuration; data that nobody can rebuild stay as chosen on the page."""
    config, data = point_model.config_of(found.config), found.config["data"]
    values = {part: getattr(config, part) for part in ("prediction", "noise", "seed", "lr")} | {"net": config.network}
    if data["name"] in BUILT_IN:
        values |= {"data": data["name"], "fresh": config.endless}
        if not config.endless and data.get("n") in SIZES:
            values["n"] = data["n"]
    for name, value in values.items():
        controls.put(name, value)
    return config


def near(snapshot: Snapshot) -> bool:
    """Whether the network's loss has come near the exact denoiser's."""
    return len(snapshot.losses) > 0 and smooth(snapshot.losses)[-1].item() <= NEAR * snapshot.bayes_loss


# The scenes


def train_live(
    config: Config, snapshot: Snapshot | None = None, points: PointSet | None = None, broke: bool = False
) -> Scene:
    """Samples over the network's field, and its loss. Without a snapshot: those of the shipped or untrained network.

    ``points``: the data, where the configuration does not name them. ``broke``: the run broke down at its last step.
    """
    request = request_of(config, points)
    snapshot = snapshot or training_run.initial_picture(request)
    panels = [cloud(snapshot, request.data.points), loss_curve(snapshot, broke)]
    return Scene(panels, Clock(snapshot.sigmas, start=-1), t("training.train_live.alt", step=snapshot.step))


@shared_scene
def why_average(config: Config, denoise: Denoise | None = None, points: PointSet | None = None) -> Scene:
    """The walks that end at the probe, where they began, the exact mean arrow and a network's.

    ``denoise``: the network of `train_live`; without it the shipped or untrained one. ``points`` as there.
    """
    request = request_of(config, points)
    ideal = point_model.exact(request.data, request.config.endless)
    if config.arrow == "live":
        network = denoise or training_run.initial_checkpoint(request).denoiser
    else:
        untrained = PointConfig(prediction=config.arrow.removeprefix("untrained_"))
        network = point_model.new_checkpoint(untrained, request.data).denoiser
    walks = lesson.sample_through(torch.tensor(config.probe), SIGMAS, ideal, network, WALKS, STEPS)
    panels = [walks_to_probe(walks, request.data.points), mean_arrows(walks, request.data.points)]
    return Scene(panels, Clock(SIGMAS, start=START), t("training.why_average.alt"), probe=config.probe)


def memorised_or_learned(config: Config, snapshot: MeasuredSnapshot | None = None) -> Scene:
    """What a run on few points or on many has memorised and learned. Without a snapshot: as in the file."""
    return memorization.points_scene(request_of(config), config.points, snapshot)


SCENES: dict[str, Callable[[Config], Scene]] = {
    "train_live": train_live,
    "why_average": why_average,
    "memorised_or_learned": memorised_or_learned,
}

FORMULAS = {"train_live": "loss", "why_average": "mean", "memorised_or_learned": "copy"}


def formula_of(config: Config) -> str:
    """The name of the formula of a scene."""
    return FORMULAS[config.show]


NOTES = {
    "train_live": {
        "before": ("train_live",),
        "middle_built_in": ("train_live", "middle_built_in"),
        "middle_learned": ("train_live", "middle_learned"),
    },
    "why_average": {
        "before": ("why_average",),
        "untrained_eps": ("why_average", "untrained_eps"),
        "untrained_edm": ("why_average", "untrained_edm"),
        "live": ("why_average", "live"),
    },
    "memorised_or_learned": {"": ("memorised_or_learned",)},
}
"""The notes that a scene can show together, by their names in the catalogue."""


def notes_of(config: Config, revealed: bool) -> tuple[str, ...]:
    """The notes of a scene and of what is special about it now; what answers the question once that is revealed."""
    if config.show == "train_live":
        state = "middle_learned" if config.prediction == "eps" else "middle_built_in"
    elif config.show == "why_average":
        state = config.arrow
    else:
        return NOTES[config.show][""]
    gives_away = config.show == "train_live" or state == "untrained_edm"
    return NOTES[config.show]["before" if gives_away and not revealed else state]


# Their panels


def cloud(snapshot: Snapshot, points: Tensor) -> Panel:
    """Samples on their way over the network's field, and the data where the same view draws them."""
    arrows = t(f"training.layers.{'learned' if snapshot.step else 'untrained'}")
    layers = [
        Points(thinned(points) * snapshot.scale, "data", size=1.6, alpha=0.7, label=t("training.layers.data")),
        Arrows(snapshot.places, snapshot.arrows, "denoise", 1.2, label=arrows),
        Points(snapshot.samples, "sample", size=2.4, label=t("training.layers.samples")),
    ]
    captions = [
        t(f"training.captions.{'arrows' if sigma >= ARROWS_FROM else 'arrows_kept'}", sigma=max(sigma, ARROWS_FROM))
        for sigma in snapshot.sigmas.tolist()
    ]
    return Panel(t("training.panels.cloud"), layers, caption=captions, **WINDOW.limits)


def walks_to_probe(walks: PosteriorWalks, points: Tensor) -> Panel:
    """Some of the walks that end at the probe, and where they began."""
    n, steps = walks.walks.shape[1], walks.walks.shape[2] - 1
    drawn = torch.linspace(0, n - 1, DRAWN).long()
    # A point of NaN lifts the pen between two walks of one line.
    x, y = pad(walks.walks[:, drawn], (0, 0, 0, 1), value=nan).flatten(1, 2).unbind(-1)
    starts = {"size": 5, "alpha": 1, "shape": "ring", "label": t("training.layers.starts")}
    layers = [
        _data(points),
        Line(x, y, "noise", t("training.layers.walks", drawn=DRAWN, n=n), dash=(), width=1.2),
        Points(walks.starts[:, drawn], "data", **starts),
    ]
    means = zip(walks.mean_start.tolist(), (-steps * walks.mean_last_step).tolist(), strict=True)
    captions = [t("training.captions.walks", back=pair(back), steps=steps, step=pair(step)) for back, step in means]
    return Panel(t("training.panels.walks"), layers, probe=True, caption=captions, **WINDOW.limits)


def mean_arrows(walks: PosteriorWalks, points: Tensor) -> Panel:
    """The arrow to the mean start, exact and the network's."""
    at = walks.x.expand(len(walks.sigmas), 1, 2)
    layers = [
        _data(points),
        Arrows(at, walks.exact[:, None], "exact", 8, (), label=t("training.layers.exact")),
        Arrows(at, walks.learned[:, None], "denoise", 2.5, label=t("training.layers.network")),
    ]
    both: Sequence = zip(walks.exact.tolist(), walks.learned.tolist(), strict=True)
    captions = [t("training.captions.means", exact=pair(exact), network=pair(network)) for exact, network in both]
    return Panel(t("training.panels.means"), layers, probe=True, caption=captions, **WINDOW.limits)


def _data(points: Tensor) -> Layer:
    return Points(thinned(points, 400), "data", size=1.8, alpha=0.6, label=t("training.layers.data"))


def thinned(points: Tensor, most: int = 120) -> Tensor:
    """At most about ``most`` of the points, evenly picked."""
    return points[:: max(1, len(points) // most)]


def code_of(show: str) -> tuple[Callable, ...]:
    """The lines of core that make a scene."""
    if show == "memorised_or_learned":
        return memorization.CODE
    return denoiser.denoising_loss, training.train, lesson.last_step
