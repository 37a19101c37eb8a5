"""A visitor's own image models: people and digits that are trained live, models from files, and models of runs on the
server.

The chapter on image models trains them in one scene and samples from them in the others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import ClassVar, NamedTuple

import streamlit as st

from core.lessons import image_models as lesson
from core.lessons.image_models import ImageModel
from core.models import images as image_model
from core.models import live_digits, live_images, live_people, run_folder
from core.models.images import ImageConfig
from core.models.live_images import Snapshot
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress
from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.runs import earlier_runs, training_run

FOLDER = earlier_runs.RUNS  # the runs on this server that may be followed
MAX_MODELS = 4  # of a visitor, from files and from runs


class Data(NamedTuple):
    """The training data as a `TrainingRequest` names them."""

    name: str
    key: str


@dataclass(frozen=True)
class LiveTraining(training_run.TrainingRequest):
    """Small images, by one of the configurations for one core in the module ``live``."""

    live: ClassVar[ModuleType]

    @property
    def kind(self) -> str:
        return self.data.name

    def begin(self) -> Checkpoint:
        return image_model.new_checkpoint(self.config, self.live.images())

    def run(self, progress: Progress) -> Iterator[Progress]:
        return live_images.run(self.config, self.live.images(), progress)

    def checkpoint(self, progress: Progress) -> Checkpoint:
        return live_images.checkpoint_of(progress, self.config, self.live.images())

    def bayes_loss(self) -> float:
        return self.live.bayes_loss(self.config)


@dataclass(frozen=True)
class DigitTraining(LiveTraining):
    """Digits."""

    data: Data = Data("digits", "digits 8x8")
    config: ImageConfig = live_digits.CONFIG
    picture: Callable[[Progress], Snapshot] = live_digits.snapshot
    live = live_digits


@dataclass(frozen=True)
class PeopleTraining(LiveTraining):
    """People."""

    data: Data = Data("people", "people 16x16")
    config: ImageConfig = live_people.CONFIG
    picture: Callable[[Progress], Snapshot] = live_people.snapshot
    live = live_people


LIVE: dict[str, type[LiveTraining]] = {"own_people": PeopleTraining, "own_digits": DigitTraining}
"""What can be trained live, by the identifier of its model."""


# The models to sample from


def models() -> dict[str, Callable[[], Checkpoint]]:
    """The visitor's image models by identifier: those of ``LIVE``, ``file:NAME`` and ``run:NAME``. Each returns its
    weights as they are now, or raises ValueError once it is gone. The names are labels, never paths."""
    taken = {name: partial(_taken().get, name) for name in _taken()}
    controls.use("run")  # so that it stays in the address, in whatever scene
    requests = {name: training_run.latest(kind().kind) or _request_of_address(kind) for name, kind in LIVE.items()}
    return {name: partial(training_run.checkpoint, request) for name, request in requests.items() if request} | taken


def _request_of_address(kind: type[LiveTraining]) -> LiveTraining | None:
    """The request of the run of that kind that the address names, which is followed again: a reload has forgotten
    it."""
    run_id, key = training_run.named() or ("", ())
    if not key or key[0] != kind().data.key:
        return None
    lr = key[2] if isinstance(key[2], float) else kind().config.lr
    request = kind(config=replace(key[1], lr=lr))
    training_run.follow(request, run_id)
    return request


def label(name: str) -> str:
    """The label of a model."""
    kind, _, title = name.partition(":")
    return t(f"image_models.models.{kind}", name=title) if title else text.label("models", name)


def choose(shipped: tuple[str, ...]) -> ImageModel:
    """Draw the control ``model`` and return the chosen one; a shipped one, and why, where that is gone."""
    known = models()
    name = controls.draw("model", (*shipped, *known), format_func=label)
    if name not in LIVE:
        st.session_state.pop("_held", None)
    if name in known:
        try:
            return _held(name, known[name]) if name in LIVE else lesson.model_of(known[name]())
        except ValueError as error:
            with shell.alerts():
                shell.sorry(error)
            name = shipped[0]
    return lesson.shipped(name)


def _held(name: str, now: Callable[[], Checkpoint]) -> ImageModel:
    """A model that was trained live as it was when it was chosen: no film of one that trains on would ever be finished.
    A button takes a newer one; another run is taken at once."""
    view = training_run.newest(LIVE[name]().kind)
    run, step = (f"{name} {view.id}", view.step) if view else (name, 0)
    if st.session_state.get("_held", (None,))[0] != run:
        st.session_state["_held"] = run, step, lesson.model_of(now())
    _, before, model = st.session_state["_held"]
    if step > before:
        newer = t("image_models.newer", step=model.step + step - before)
        st.button(newer, icon=":material/download:", on_click=st.session_state.pop, args=("_held", None), key="_newer")
    return model


# Models from files and of runs


def adopt(checkpoint: Checkpoint) -> ImageConfig | None:
    """Keep a model from a file. If it is one that can be trained here, set the controls to its configuration and return
    that; else say so. Raises ValueError for a checkpoint of another kind."""
    found = run_folder.check(checkpoint)
    data = found.config["data"]["name"]
    _keep(f"file:{data}", found)
    part, live = ("people", live_people) if data == "people" else ("live", live_digits)
    try:
        network, config = live.config_of(found)
    except ValueError as error:
        training_run.report(error, "image_models.live.not_here")
        return None
    for name, value in {"train": part, "net": network, "lr": config.lr, "seed": config.seed}.items():
        controls.put(name, value)
    return config


def taken_step(run: str) -> int | None:
    """The step of the model that was taken from a run."""
    found = _taken().get(f"run:{run}")
    return found and found.state.step


def take(run: str) -> None:
    """Keep the newest model of a run."""
    place = run_folder.place_of(FOLDER, run)
    _keep(f"run:{run}", _checkpoint(place, run_folder.saved_at(place)))


@shared_cache(8)
def _checkpoint(run: Path, written: int) -> Checkpoint:
    """One copy for all who take it."""
    return run_folder.load_checkpoint(run)


def _taken() -> dict[str, Checkpoint]:
    return st.session_state.setdefault("_image_models", {})


def _keep(name: str, found: Checkpoint) -> None:
    """Keep a model; of more than ``MAX_MODELS`` the oldest goes."""
    taken = _taken()
    taken.pop(name, None)
    taken[name] = found
    while len(taken) > MAX_MODELS:
        taken.pop(next(iter(taken)))
