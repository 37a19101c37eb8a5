"""A background run shown live: which one is this visitor's, the buttons that command it, its picture as it changes."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from operator import attrgetter
from types import FunctionType
from typing import Any

import streamlit as st

from core.diffusion.denoiser import Denoiser
from core.pretrained import pretrained
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint
from core.runs.jobs import Jobs, View, Work
from core.runs.progress import Progress
from core.runs.progress import resume as resumed
from pages.ui.frame import shell_old as shell
from pages.ui.frame.visitor import viewer

TICK, REST = 0.5, 20.0  # seconds between two looks at a run under way, and at one at rest, which would end unlooked at
UNDER_WAY = ("queued", "running")
BY_NAME = {FunctionType: attrgetter("__qualname__")}  # how a cache tells pictures apart


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """All runs of this server process."""
    return Jobs(slots=2)


@dataclass(frozen=True)
class TrainingRequest(ABC):
    """What the learner asks for on the page: ``data`` with a name and a key, the frozen ``recipe`` to train on them by,
    with ``lr`` and ``steps``; and what the page draws a run from, between two steps: an object with the ``step`` it
    shows, of one kind for all runs of equal key. What is trained, points or images, is for those who inherit to say."""

    data: Any
    config: Any
    picture: Callable[[Progress], Any]

    @property
    @abstractmethod
    def kind(self) -> str:
        """What is trained. Other chapters show the newest model of each kind."""

    @abstractmethod
    def begin(self) -> Checkpoint:
        """The untrained model."""

    @abstractmethod
    def run(self, progress: Progress) -> Iterator[Progress]:
        """Train on from ``progress``, in place; yields after each step."""

    @abstractmethod
    def bayes_loss(self) -> float:
        """The loss of the exact denoiser on these data."""

    @abstractmethod
    def keep(self, progress: Progress) -> Checkpoint:
        """The checkpoint of a run under way, its loss so far included."""

    @property
    def shipped(self) -> str | None:
        """The name of the shipped model that was made by this recipe on these data, if there is one."""
        return None

    @property
    def key(self) -> tuple:
        """All that decides the run but the learning rate, which may change under way."""
        return self.data.key, replace(self.config, lr=1.0)

    @property
    def full(self) -> "TrainingRequest":
        """The plan to train by: the page's, or a loaded model's, which has more than the page has controls for."""
        loaded = _loaded().get(self.key)
        if loaded is None:
            return self
        steps = self.config.steps + loaded.progress.state.step
        return replace(self, config=replace(loaded.config, lr=self.config.lr, steps=steps))

    def work(self) -> Work:
        """The work for the registry: from scratch, shared by all who ask for the same; or on from a loaded model."""
        loaded, full = _loaded().get(self.key), self.full

        def go(progress: Progress | None, settings: dict):
            start = progress or (deepcopy(loaded.progress) if loaded else Progress(full.begin().state))
            return replace(full, config=replace(full.config, lr=settings["lr"])).run(start)

        def picture(progress: Progress) -> Any:
            # Drawn after the first step and not counted as training, which setting up the exact denoiser is not.
            progress.bayes_loss = full.bayes_loss()
            return self.picture(progress)

        origin = secrets.token_urlsafe(8) if loaded else self.config.lr
        return Work((*self.key, origin), go, picture, {"lr": self.config.lr})


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model from a file, with the recipe it was trained by."""

    config: Any
    progress: Progress


def current(plan: TrainingRequest) -> View | None:
    """This visitor's run of ``plan``, once what a button asked for is done: the session's own, or the one that the
    address names. None if there is none."""
    if order := st.session_state.pop("_order", None):
        _try(order[0], plan, *order[1:])
    own = _runs().get(plan.key)
    named = shell.param("run", _known, None)
    for run_id in filter(None, (own, named)):
        # Looking makes us a viewer, so a run of other settings is not looked at.
        if (jobs().key_of(run_id) or ())[:2] == plan.key:
            follow(plan, run_id)
            return jobs().look(run_id, viewer())
    _runs().pop(plan.key, None)
    shell.set_param("run", None)
    return None


def named() -> tuple[str, tuple] | None:
    """The run that the address names, and the key of its work (see ``TrainingRequest.work``); None if it names none."""
    run_id = shell.param("run", _known, None)
    key = run_id and jobs().key_of(run_id)
    return (run_id, key) if key else None


def _known(run_id: str) -> str:
    if jobs().key_of(run_id) is None:
        raise ValueError("There is no such run any more.")
    return run_id


def follow(plan: TrainingRequest, run_id: str | None) -> None:
    """Make ``run_id`` this visitor's run of ``plan``; None: there is none any more."""
    _begun().add(plan.key)
    if run_id is None:
        _runs().pop(plan.key, None)
    else:
        _runs()[plan.key] = run_id
        _latest()[plan.kind] = plan
    shell.set_param("run", run_id)


def latest(kind: str) -> TrainingRequest | None:
    """The plan of this visitor's newest run of that kind, its lease renewed; None when there is none any more. Other
    chapters show its model."""
    return _latest()[kind] if newest(kind) else None


def newest(kind: str) -> View | None:
    """This visitor's newest run of that kind as it is now, its lease renewed; None when there is none any more."""
    plan = _latest().get(kind)
    return plan and jobs().look(_runs().get(plan.key, ""), viewer())


def keep() -> None:
    """Renew the leases of the newest runs of all kinds: who reads another chapter has not gone."""
    for kind in _latest():
        latest(kind)


def _own(plan: TrainingRequest) -> str:
    if plan.key not in _runs():
        raise ValueError("This run has ended. Press Train to begin again.")
    return _runs()[plan.key]


def _runs() -> dict[tuple, str]:
    return st.session_state.setdefault("_runs", {})


def _latest() -> dict[str, TrainingRequest]:
    return st.session_state.setdefault("_latest", {})


def _begun() -> set[tuple]:
    return st.session_state.setdefault("_begun", set())


# The buttons. A press is noted, and carried out once the page knows its controls: the newest may have come with it.


def begin(plan: TrainingRequest, held: bool = False) -> None:
    """Start the run of ``plan``, or join the one that others started with the same settings; one's own if ``held``."""
    follow(plan, jobs().join(plan.work(), viewer(), held))


def command(plan: TrainingRequest, order: Callable[..., str], *args: int, **settings: float) -> None:
    """Carry out an order of the registry on this visitor's run, which may become a copy of its own."""
    follow(plan, order(_own(plan), viewer(), *args, **settings))


def single_step(plan: TrainingRequest) -> None:
    """One step of the run, which is begun if there is none and held afterwards."""
    if plan.key not in _runs():
        begin(plan, held=True)
    command(plan, jobs().step)


def reset(plan: TrainingRequest) -> None:
    """Leave the run; without one, put away the loaded or shipped model, so that an untrained network is left."""
    if plan.key in _runs():
        jobs().leave(_runs()[plan.key], viewer())
    else:
        _loaded().pop(plan.key, None)
    follow(plan, None)


def _try(action: Callable, *args, **kwargs) -> None:
    """Do it; what goes wrong is said once, where the buttons are."""
    try:
        action(*args, **kwargs)
    except ValueError as error:
        st.session_state["_live_error"] = str(error)


def _order(*order: Any) -> None:
    st.session_state["_order"] = order


def buttons(plan: TrainingRequest, view: View | None, ready: bool = True) -> None:
    """Start, pause or resume; single step; reset; and what the last command had to say. Not ``ready``: none works."""
    pause = "Pause", ":material/pause:", (command, jobs().pause)
    resume = "Resume", ":material/play_arrow:", (command, jobs().resume)
    main, icon, order = {
        None: ("Train", ":material/play_arrow:", (begin,)),
        "queued": pause,
        "running": pause,
        "paused": resume,
        "failed": resume,
        "finished": ("Finished", ":material/check:", (reset,)),
    }[view and view.status]
    ended = not ready or (view is not None and view.status == "finished")
    blank = not ready or (view is None and plan.key not in _loaded() and _shown(plan) is None)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="commands"):
        st.button(main, icon=icon, type="primary", on_click=_order, args=order, disabled=ended, key="_main")
        st.button("Step", on_click=_order, args=(single_step,), disabled=ended, key="_step")
        reset_icon = ":material/restart_alt:"
        st.button("Reset", icon=reset_icon, on_click=_order, args=(reset,), disabled=blank, key="_reset")
        if not ready:
            st.caption("Answer the prediction first.")
    said = st.session_state.pop("_live_error", None)
    if said:
        shell.sorry(said)


def heed_learning_rate(plan: TrainingRequest, view: View | None) -> None:
    """Carry a changed learning rate into the run, which keeps its model."""
    if view is not None and view.settings["lr"] != plan.config.lr:
        _try(command, plan, jobs().change, lr=plan.config.lr)


def watch(
    plan: TrainingRequest, view: View | None, draw: Callable[[Any, str], None], marks: tuple[int, ...] = ()
) -> None:
    """Draw the run's newest picture and a line on how it stands, again and again while it is under way.

    The whole page runs again when its status changes, and when it passes one of the steps ``marks``.
    """
    # At rest, too, it is drawn in the fragment: a stage that moves to another place on the page is mounted anew.
    every = None if view is None else TICK if view.status in UNDER_WAY else REST

    @st.fragment(run_every=every)
    def tick() -> None:
        with shell.guard():
            look() if view else draw(*at_rest(plan))

    def look() -> None:
        now = jobs().look(_runs().get(plan.key, ""), viewer())
        if now is None or now.status != view.status or any(view.step < mark <= now.step for mark in marks):
            st.rerun()
        draw(now.picture or at_rest(plan)[0], standing(now))

    tick()


def standing(view: View) -> str:
    """One line on how a run stands."""
    states = {
        "queued": f"**Waiting**: number {view.place} in the queue; {jobs().slots} runs are training",
        "running": "**Training**",
        "paused": "**Paused**",
        "finished": "**Finished**",
        "failed": "**Stopped**",
    }
    shared = f" · {view.viewers} are watching this run" if view.viewers > 1 else ""
    step = view.picture.step if view.picture else view.step
    return f"{states[view.status]} · step {step:,} · {view.seconds:.1f} s of training{shared}"


def at_rest(plan: TrainingRequest) -> tuple[Any, str]:
    """What there is to see before any training here: a loaded model, the recipe's shipped one, an untrained one.

    The shipped one is for a first look: who has begun a run of the recipe finds the untrained one after it.
    """
    loaded = _loaded().get(plan.key)
    if loaded is not None:
        steps = loaded.progress.state.step
        said = f"**A model from a file**, {steps:,} steps. *Train* goes on with it."
        return plan.picture(loaded.progress), said
    if name := _shown(plan):
        steps = pretrained(name).state.step
        said = f"**A model trained earlier**, {steps:,} steps. *Train* begins your own from nothing."
        return _picture_of(name, plan.picture), said
    said = "**An untrained network** with these settings."
    return _untrained(plan.key, plan.picture, plan), said


def _shown(plan: TrainingRequest) -> str | None:
    return None if plan.key in _begun() else plan.shipped


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=BY_NAME)
def _picture_of(name: str, picture: Callable[[Progress], Any]) -> Any:
    return picture(resumed(pretrained(name)))


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=BY_NAME)
def _untrained(key: tuple, picture: Callable[[Progress], Any], _plan: TrainingRequest) -> Any:
    return picture(Progress(_plan.begin().state))


def model(plan: TrainingRequest) -> Denoiser:
    """The model that the page shows now, to ask it things: the run's, a loaded, the shipped or an untrained one."""
    return checkpoint(plan).denoiser


# Checkpoints to take away and to bring back


def checkpoint(plan: TrainingRequest) -> Checkpoint:
    """The run's model as it is now, or the model at rest; to save. Raises ValueError when the run has gone."""
    return _checkpoint(*_session(plan))


def _session(plan: TrainingRequest) -> tuple:
    return plan.full, _runs().get(plan.key), viewer(), _loaded().get(plan.key), _shown(plan)


def _checkpoint(
    full: TrainingRequest, run_id: str | None, who: str, loaded: Loaded | None, name: str | None
) -> Checkpoint:
    progress = jobs().state(run_id, who) if run_id else loaded and loaded.progress
    if progress is not None:
        return full.keep(progress)
    return pretrained(name) if name else full.begin()


def save(plan: TrainingRequest) -> None:
    """The button that downloads the model; the file is made when it is asked for, in a thread without a session."""
    session = _session(plan)
    st.download_button(
        "Save model",
        data=lambda: checkpoints.to_bytes(_checkpoint(*session)),
        file_name=f"{plan.data.name}-{plan.config.network}.zip",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="_save",
    )


def load(adopt: Callable[[Checkpoint], Any]) -> None:
    """The field that takes a saved model; bad files change nothing. ``adopt`` sets the page's controls to the recipe of
    a checkpoint, and returns it, or None where it is not to be trained on; it raises ValueError for a bad one."""

    def bring() -> None:
        file = st.session_state["_load"]
        if file is not None:
            _try(_bring, file.getvalue(), adopt)

    st.file_uploader("Load a model", ["zip"], on_change=bring, key="_load")


def _bring(content: bytes, adopt: Callable[[Checkpoint], Any]) -> None:
    brought = checkpoints.from_bytes(content)
    progress = resumed(brought)
    if (recipe := adopt(brought)) is not None:
        st.session_state["_brought"] = Loaded(recipe, progress)


def take_in(plan: TrainingRequest) -> None:
    """Once the controls stand as a loaded model wants them, make it the model of this plan."""
    brought = st.session_state.pop("_brought", None)
    if brought is not None:
        if plan.key in _runs():
            reset(plan)
        _loaded()[plan.key] = brought


def _loaded() -> dict[tuple, Loaded]:
    return st.session_state.setdefault("_loaded", {})
