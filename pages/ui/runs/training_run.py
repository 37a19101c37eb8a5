"""A background run on a page: which one is this visitor's, the buttons that command it, its picture as it changes.

The page declares a control ``run = code(training_run.check_run)``: the address names the run, and a reload finds it.
"""

import hashlib
import html
import math
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from typing import Any

import streamlit as st

from core.pretrained import pretrained
from core.problems import Problem
from core.runs import checkpoints, live_runs
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint
from core.runs.jobs import Jobs, Standing, View, Work
from core.runs.live_runs import LiveRun
from core.runs.progress import Progress, resume
from core.runs.step_process import Continue
from pages.ui.frame import class_view, controls, server, shell, stored, text
from pages.ui.frame.slots import slots
from pages.ui.frame.text import t
from pages.ui.frame.visitor import viewer
from pages.ui.runs import earlier_runs

REST, LED = 20.0, 2.0  # seconds between two looks at a run at rest, which would end unlooked at; at a lecturer's
RETIMED = 2.0  # how many times as long or short the time between two looks becomes before the page runs again for it
UNDER_WAY = ("queued", "running")


@shared_cache(None)
def jobs() -> Jobs:
    """All runs of this server process, which keeps them when it ends."""
    earlier_runs.sweep()
    found = Jobs(slots=slots(), processes=slots())
    server.endings.append(found.close)
    return found


@dataclass(frozen=True)
class TrainingRequest(ABC):
    """What a page asks to train. Subclasses say what kind of model that is.

    Attributes:
        data: the training data, with a ``name``; hashable.
        config: the frozen configuration to train by, with ``lr`` and ``steps``.
        picture: computes what the page draws of a run between two steps: an object with the ``step`` that it shows, of
            one kind for all runs of equal key.
    """

    data: Any
    config: Any
    picture: Callable[[Progress], Any]

    @property
    @abstractmethod
    def kind(self) -> str:
        """The kind of model. Other chapters show a visitor's newest model of each kind."""

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
    def checkpoint(self, progress: Progress) -> Checkpoint:
        """The checkpoint of a run under way, its loss so far included."""

    @property
    def portable(self) -> Continue | None:
        """What goes on with a run in another process; None: its steps stay in this one. The state goes there and back
        in each time slice, which pays for small states and short steps."""
        return None

    def progress(self, stored: Checkpoint) -> Progress:
        """The run that a checkpoint of this request stores."""
        return resume(stored)

    @property
    def shipped(self) -> str | None:
        """The name of the shipped model that was made by this configuration on these data, if there is one."""
        return None

    @property
    def data_key(self) -> Hashable:
        """What identifies the data: equal for equal data only."""
        return self.data.key

    @property
    def key(self) -> tuple:
        """All that decides the run but the learning rate, which may change under way."""
        return self.data_key, self.neutral.config

    @property
    def neutral(self) -> "TrainingRequest":
        """The same request at a fixed learning rate."""
        return self.at(1.0)

    @property
    def digest(self) -> str:
        """A text that is equal for requests of equal key only, also in another process."""
        return hashlib.sha256(repr(self.key).encode()).hexdigest()[:16]

    @property
    def full(self) -> "TrainingRequest":
        """The request to train by: the page's, or with a loaded model's configuration, which has more settings."""
        loaded = _loaded().get(self.key)
        if loaded is None:
            return self
        steps = self.config.steps + loaded.progress.state.step
        return replace(self, config=replace(loaded.config, lr=self.config.lr, steps=steps))

    def work(self) -> Work:
        """The work for the registry: from scratch, shared by all who ask for the same; or on from a loaded model."""
        loaded, full = _loaded().get(self.key), self.full

        def first() -> Progress:
            return deepcopy(loaded.progress) if loaded else Progress(full.begin().state)

        origin = secrets.token_urlsafe(8) if loaded else self.config.lr
        return self.work_of(full, first, origin)

    def work_of(self, full: "TrainingRequest", first: Callable[[], Progress], origin: Hashable) -> Work:
        """The work of training by ``full``, as this request would be, from ``first()`` on."""
        digest = self.digest  # the visitor's, who is not known in the threads below

        def start(progress: Progress | None, settings: dict) -> Iterator[Progress]:
            return full.at(settings["lr"]).run(progress or first())

        def picture(progress: Progress) -> Any:
            # Drawn after the first step and not counted as training, which setting up the exact denoiser is not.
            progress.bayes_loss = full.bayes_loss()
            return self.picture(progress)

        def keep(standing: Standing, progress: Progress) -> None:
            at = full.at(standing.settings["lr"])
            live_runs.save(earlier_runs.folder(), LiveRun(standing, digest, asdict(at.config), at.checkpoint(progress)))

        return Work((*self.key, origin), start, picture, {"lr": self.config.lr}, keep, full.portable)

    def at(self, lr: float) -> "TrainingRequest":
        """The same request at another learning rate."""
        return replace(self, config=replace(self.config, lr=lr))


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model from a file, with the configuration it was trained by."""

    config: Any
    progress: Progress


# Which run is this visitor's


def current(request: TrainingRequest) -> View | None:
    """This visitor's run of ``request``, once what a button asked for is done: the one that the address names, or the
    session's own. None if there is none. A lecturer leads the run that her class sees."""
    for run_id in _named(request):
        if jobs().key_of(run_id) is None and live_runs.is_kept(earlier_runs.folder(), run_id):
            _attempt(restore, request, run_id)
    if order := st.session_state.pop("_order", None):
        _attempt(order[0], request, *order[1:])
    for run_id in _named(request):
        # Looking makes us a viewer, so a run of other settings is not looked at.
        if (jobs().key_of(run_id) or ())[:2] == request.key and (view := jobs().look(run_id, viewer())):
            if _watches_only(view) and run_id != controls.value("run"):  # its lecturer has gone on without it
                jobs().leave(run_id, viewer())
                continue
            follow(request, run_id)
            if class_view.shares():
                jobs().lead(run_id, viewer())
            return view
    _runs().pop(request.key, None)
    controls.put("run", None)
    return None


def _named(request: TrainingRequest) -> list[str]:
    """The run that the address names, and the session's own of this request; those that there are."""
    return [run_id for run_id in (controls.value("run"), _runs().get(request.key)) if run_id]


def _watches_only(view: View) -> bool:
    """Whether the run is another visitor's: the lecturer's of a class."""
    return view.leader not in (None, viewer())


def named() -> tuple[str, tuple] | None:
    """The run that the address names, and the key of its work (see ``TrainingRequest.work``); None if it names none."""
    run_id = controls.value("run")
    key = run_id and jobs().key_of(run_id)
    return (run_id, key) if key else None


def check_run(run_id: str) -> str:
    """The control ``run`` of a page can hold this. Raises ValueError where there is no such run."""
    if jobs().key_of(run_id) is None and not live_runs.is_kept(earlier_runs.folder(), run_id):
        raise ValueError(run_id)
    return run_id


def follow(request: TrainingRequest, run_id: str | None) -> None:
    """Make ``run_id`` this visitor's run of ``request``; None: there is none any more."""
    _begun().add(request.key)
    if run_id is None:
        _runs().pop(request.key, None)
    else:
        _runs()[request.key] = run_id
        _latest()[request.kind] = request
    controls.put("run", run_id)


# Runs that outlive their server


def restore(request: TrainingRequest, run_id: str) -> None:
    """Take up the run of that id from the disk, paused, where it is one of ``request``. Raises Problem where its file
    cannot be used."""
    found = live_runs.load(earlier_runs.folder(), run_id)
    if found.key != request.digest:
        return
    try:
        full = replace(request, config=replace(request.config, **found.config))
        progress = full.progress(found.checkpoint)
        work = request.work_of(full, lambda: progress, secrets.token_urlsafe(8))
    except (TypeError, ValueError) as error:
        raise Problem("live_run_damaged") from error
    jobs().restore(work, viewer(), found.standing, progress)
    st.session_state["_restored"] = run_id


def _offer(request: TrainingRequest, view: View | None) -> None:
    """Say that a run is here again, or offer one of an earlier visit that the browser names."""
    if view is not None:
        if view.status == "paused" and st.session_state.get("_restored") == view.id:
            with shell.alerts():
                shell.message("info", t("runs.restored.here", step=view.step), "restore")
        return
    earlier = earlier_runs.name_of(request.digest)
    found = None if controls.value("present") else live_runs.head(earlier_runs.folder(), earlier)
    if found is not None and found.key == request.digest:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="restored"):
            shell.prose(t("runs.restored.offer", step=found.standing.step), width="content")
            go_on = {"icon": ":material/restore:", "key": "_restore", "args": (_restore_and_resume, earlier)}
            st.button(t("runs.restored.resume"), on_click=_order, **go_on)


def _restore_and_resume(request: TrainingRequest, run_id: str) -> None:
    if jobs().key_of(run_id) is None:
        restore(request, run_id)
    follow(request, run_id)
    command(request, jobs().resume)


def latest(kind: str) -> TrainingRequest | None:
    """The request of this visitor's newest run of that kind, its lease renewed; None when there is none any more."""
    return _latest()[kind] if newest(kind) else None


def newest(kind: str) -> View | None:
    """This visitor's newest run of that kind as it is now, its lease renewed; None when there is none any more."""
    request = _latest().get(kind)
    return request and jobs().look(_runs().get(request.key, ""), viewer())


def keep() -> None:
    """Renew the leases of the newest runs of all kinds, whichever chapter the visitor reads."""
    for kind in _latest():
        latest(kind)


def _runs() -> dict[tuple, str]:
    return st.session_state.setdefault("_runs", {})


def _latest() -> dict[str, TrainingRequest]:
    return st.session_state.setdefault("_latest", {})


def _begun() -> set[tuple]:
    return st.session_state.setdefault("_begun", set())


# The buttons. A press is noted, and carried out once the page knows its controls: new values may arrive with it.


def begin(request: TrainingRequest, held: bool = False) -> None:
    """Start the run of ``request``, or join the one that others started with the same settings; ``held``: one's own,
    which waits. A lecturer's, which her class sees, is her own, too."""
    _own(request, jobs().join(request.work(), viewer(), held, private=class_view.shares()))


def _own(request: TrainingRequest, run_id: str | None) -> None:
    """Make ``run_id`` what this visitor has of ``request``, also on another day; None: nothing any more."""
    follow(request, run_id)
    earlier_runs.keep_name(request.digest, run_id)


def command(request: TrainingRequest, order: Callable[..., str], *args: int, **settings: float) -> None:
    """Carry out an order of the registry on this visitor's run, which may become a copy of its own."""
    st.session_state.pop("_restored", None)
    _own(request, order(_runs().get(request.key, ""), viewer(), *args, **settings))


def single_step(request: TrainingRequest) -> None:
    """One step of the run, which is begun if there is none and held afterwards."""
    if request.key not in _runs():
        begin(request, held=True)
    command(request, jobs().step)


def reset(request: TrainingRequest) -> None:
    """Leave the run; without one, put away the loaded or shipped model, so that an untrained network is left."""
    if run_id := _runs().get(request.key):
        jobs().leave(run_id, viewer())
        if jobs().key_of(run_id) is None and earlier_runs.name_of(request.digest) == run_id:  # it is this visitor's own
            live_runs.delete(earlier_runs.folder(), run_id)
    else:
        _loaded().pop(request.key, None)
    _own(request, None)


def report(error: Exception, key: str = "") -> None:
    """Show an error once, beside the buttons; as the ``problem`` in the sentence at ``key``, if one is given.

    The sentence is made where it is shown: what answers to a widget runs before the visitor's language is known.
    """
    st.session_state["_live_error"] = error, key


def _attempt(action: Callable, *args: Any, **settings: Any) -> None:
    try:
        action(*args, **settings)
    except ValueError as error:
        report(error)


def _order(*order: Any) -> None:
    st.session_state["_order"] = order


def buttons(request: TrainingRequest, view: View | None, ready: bool = True) -> None:
    """Start, pause or resume; single step; reset; the error of the last command. Not ``ready``: all are disabled."""
    hold = "pause", ":material/pause:", (command, jobs().pause)
    go_on = "resume", ":material/play_arrow:", (command, jobs().resume)
    together = ("together", ":material/groups:") if class_view.shares() else ("train", ":material/play_arrow:")
    main, icon, order = {
        None: (*together, (begin,)),
        "queued": hold,
        "running": hold,
        "paused": go_on,
        "failed": go_on,
        "finished": ("finished", ":material/check:", (reset,)),
    }[view and view.status]
    ended = not ready or (view is not None and view.status == "finished")
    blank = not ready or (view is None and request.key not in _loaded() and _shown(request) is None)
    row = {"horizontal": True, "gap": "small", "vertical_alignment": "center", "key": "commands"}
    with shell.commands(), st.container(**row):
        main = {"label": t(f"runs.buttons.{main}"), "icon": icon, "type": "primary"}
        st.button(**main, on_click=_order, args=order, disabled=ended, key="_main")
        st.button(t("runs.buttons.step"), on_click=_order, args=(single_step,), disabled=ended, key="_step")
        again = {"label": t("runs.buttons.reset"), "icon": ":material/restart_alt:"}
        st.button(**again, on_click=_order, args=(reset,), disabled=blank, key="_reset")
        if not ready:
            shell.caption(t("runs.buttons.not_ready"))
    _offer(request, view)
    if reported := st.session_state.pop("_live_error", None):
        error, key = reported
        shell.sorry(t(key, problem=text.problem(error)) if key else error)


def heed_learning_rate(request: TrainingRequest, view: View | None) -> None:
    """Where this visitor has moved the control of the learning rate, go on with the run's model at the new rate."""
    rates = st.session_state.setdefault("_lr", {})
    before, rates[request.kind] = rates.get(request.kind, request.config.lr), request.config.lr
    if view is not None and before != request.config.lr != view.settings["lr"]:
        _attempt(command, request, jobs().change, lr=request.config.lr)


# The picture


def watch(
    request: TrainingRequest, view: View | None, draw: Callable[[Any, str], None], marks: tuple[int, ...] = ()
) -> None:
    """Draw the run's newest picture and a line on how it stands, again and again while it is under way.

    The whole page runs again when the run begins or ends to be under way, when it passes one of the steps ``marks``,
    and when it is to be looked at clearly more or less often.
    """
    # At rest, too, it is drawn in the fragment: a stage that moves to another place on the page is mounted anew.
    every = view and (jobs().look_every if view.status in UNDER_WAY else LED if _watches_only(view) else REST)

    @shell.fragment(run_every=every)
    def tick() -> None:
        look() if view else draw(*at_rest(request))

    def look() -> None:
        now = jobs().look(_runs().get(request.key, ""), viewer())
        if now is None or _phase(now) != _phase(view) or any(view.step < mark <= now.step for mark in marks):
            st.rerun()
        if now.status in UNDER_WAY and not 1 / RETIMED < jobs().look_every / every < RETIMED:
            st.rerun()
        draw(now.picture or at_rest(request)[0], standing(now))
        if now.unkept:
            shell.caption(text.problem(now.unkept))

    tick()


def _phase(view: View) -> str:
    """The status of a run; one for all that are under way, which have a slot and wait for one in turn."""
    return UNDER_WAY[0] if view.status in UNDER_WAY else view.status


def standing(view: View) -> str:
    """One line on how a run stands."""
    parts = [waiting(view) if view.status == "queued" else t(f"runs.status.{view.status}")]
    parts = [*parts, t("runs.standing.step", step=view.picture.step if view.picture else view.step)]
    parts.append(t("runs.standing.seconds", seconds=view.seconds))
    if _watches_only(view):
        parts.append(t("runs.standing.lecturers"))
    elif view.viewers > 1:
        parts.append(t("runs.standing.viewers", viewers=view.viewers))
    line = " · ".join(parts)
    return f'<span class="under-way">{line}</span>' if view.status in UNDER_WAY else line


def waiting(view: View) -> str:
    """How long a queued run will wait for its next time slice, in words and as a bar."""
    words = t(f"runs.status.{'between' if view.step else 'queued'}", seconds=seconds_left(view))
    passed = 100 * view.waited / (view.waited + view.wait)
    name = html.escape(t("runs.status.wait_bar"), quote=True)
    return f'{words} <progress max="100" value="{passed:.0f}" aria-label="{name}"></progress>'


def seconds_left(view: View) -> int:
    """Whole seconds until a queued run will have a slot, about."""
    return max(1, math.ceil(view.wait))


def at_rest(request: TrainingRequest) -> tuple[Any, str]:
    """The picture before any training, of a loaded, the shipped or an untrained model, and a line on it.

    The shipped model is for a first look: after a run of the request there is the untrained one.
    """
    loaded = _loaded().get(request.key)
    if loaded is not None:
        return request.picture(loaded.progress), t("runs.standing.file", steps=loaded.progress.state.step)
    if name := _shown(request):
        return initial_picture(request), t("runs.standing.shipped", steps=pretrained(name).state.step)
    return _untrained_picture(request.neutral), t("runs.standing.untrained")


def _shown(request: TrainingRequest) -> str | None:
    return None if request.key in _begun() else request.shipped


def initial_checkpoint(request: TrainingRequest) -> Checkpoint:
    """The shipped model of a request, or the untrained one where none is shipped; needs no session."""
    return pretrained(request.shipped) if request.shipped else request.begin()


def initial_picture(request: TrainingRequest) -> Any:
    """The picture of the `initial_checkpoint`; needs no session."""
    name = request.shipped
    return _shipped_picture(name, request.picture) if name else _untrained_picture(request.neutral)


@shared_cache(16)
def _shipped_picture(name: str, picture: Callable[[Progress], Any]) -> Any:
    return picture(resume(pretrained(name)))


@shared_cache(16)
def _untrained_picture(request: TrainingRequest) -> Any:
    return request.picture(Progress(request.begin().state))


# Models to ask, to save and to load


def checkpoint(request: TrainingRequest) -> Checkpoint:
    """The model that the page shows now: the run's, a loaded, the shipped or an untrained one. Raises ValueError when
    the run has gone."""
    return _checkpoint(*_session(request))


def _session(request: TrainingRequest) -> tuple:
    return request.full, _runs().get(request.key), viewer(), _loaded().get(request.key), _shown(request)


def _checkpoint(
    full: TrainingRequest, run_id: str | None, who: str, loaded: Loaded | None, name: str | None
) -> Checkpoint:
    progress = jobs().state(run_id, who) if run_id else loaded and loaded.progress
    if progress is not None:
        return full.checkpoint(progress)
    return pretrained(name) if name else full.begin()


def save(request: TrainingRequest) -> None:
    """The button that downloads the model; the file is made when it is asked for, in a thread without a session."""
    session = _session(request)
    st.download_button(
        t("runs.save"),
        data=lambda: checkpoints.to_bytes(_checkpoint(*session)),
        file_name=f"{request.data.name}-{request.config.network}.zip",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="_save",
    )


def load(adopt: Callable[[Checkpoint], Any]) -> None:
    """The field that takes a saved model, which the browser keeps and offers on another day; bad files change nothing.

    ``adopt`` sets the page's controls to the configuration of a checkpoint and returns it, or None where it is not to
    be trained on; it raises ValueError for a bad one.
    """
    key = f"_load_{controls.page()}"

    def chosen() -> None:
        if (file := st.session_state[key]) is not None:
            read(file.getvalue())

    def read(content: bytes) -> None:
        _attempt(_read, content, adopt)

    file = stored.upload(t("runs.load"), ["zip"], key, on_change=chosen)
    was_read = file is not None and st.session_state.get("_model_read") == hash(file.content)
    if was_read or stored.is_kept(key):
        stored.keep(key)
    if file is not None and stored.is_kept(key) and not was_read:
        st.button(t("runs.load_again"), on_click=read, args=(file.content,), key="_load_again")


def _read(content: bytes, adopt: Callable[[Checkpoint], Any]) -> None:
    found = checkpoints.from_bytes(content)
    progress = resume(found)
    config = adopt(found)
    st.session_state["_model_read"] = hash(content)
    if config is not None:
        st.session_state["_to_take_in"] = Loaded(config, progress)


def take_in(request: TrainingRequest) -> None:
    """Once the controls stand as a loaded model wants them, make it the model of this request."""
    loaded = st.session_state.pop("_to_take_in", None)
    if loaded is not None:
        if request.key in _runs():
            reset(request)
        _loaded()[request.key] = loaded


def _loaded() -> dict[tuple, Loaded]:
    return st.session_state.setdefault("_loaded", {})
