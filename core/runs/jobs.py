"""Runs in the background: a few at once, the others in a queue, shared by their viewers, and ended when nobody looks.

    join ──> queued ──a slot is free──> running ──no more steps──> finished
              ^ ^                       │ │ │
              │ └──its time slice ends──┘ │ └──an error──> failed
              │                           v
              └──resume, a look── paused / lapsed <──pause, step / nobody looked for `pause_after`

Where runs wait, each has a slot for a *time slice* and then goes to the end of the queue. The first slice of a run ends
with its first picture, and runs without one go before all others: everybody sees a first picture soon. A run that
nobody waits behind keeps its slot.

A run that its viewer has paused, or that has lapsed because nobody looked (a viewer sees it as paused), gives its slot
to the next run. A run is deleted when nobody has looked at it for `end_after`, or when its last viewer has left.

Three rules coordinate the threads. One lock protects statuses, queue and viewers; it is held for microseconds. A thread
that reads or changes the state of a run (a worker in each step, a command, a copy) first takes a *turn*; turns are
given in order of arrival and lie between two steps, or between two time slices that a process makes. A worker makes
steps of a run only while it is the run's `driver`. A command is executed by the calling thread during its turn: when it
returns, it is done and its picture is drawn, and a single step needs no slot. Workers do not have to yield, because
PyTorch releases the interpreter in each operation; where several runs are under way, they hand time slices to processes
(see ``step_process``).
"""

import atexit
import copy
import errno
import logging
import math
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from core.problems import Problem
from core.runs.step_process import Continue, ProcessEnded, StepProcesses, Steps, for_readers

PICTURE_EVERY = 0.4  # seconds between two pictures
FIRST_STEPS, FIRST_SLICE, SLICE = 100, 0.2, 0.5  # the steps and seconds of a first time slice at most, those of others
LOOK_EVERY, LOOK_EVERY_RUN, LOOK_EVERY_MAX = 0.5, 0.05, 3.0  # seconds between two looks: alone, more for each run, most
WATCHED_FOR = 4  # intervals between two looks after which pictures are not worth drawing
RECENT = 0.2  # the weight of the newest time slice in their mean length
CLOSE_WITHIN = 8.0  # seconds in which all runs are kept when the server ends: who ends it may kill it after ten
KEEP_EVERY = 30.0  # seconds after which a run is kept for the first time and again
State = Any


@dataclass(frozen=True)
class Standing:
    """Where a run stands: its name, the steps made, the seconds spent in them, and its settings."""

    id: str
    step: int
    seconds: float
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """What is to be run.

    Attributes:
        key: equal keys promise the same deterministic run, which several viewers share.
        start: ``start(state, settings)`` continues from ``state`` (None: from scratch) and yields the state after each
            step. It may work in place if an error leaves a state from which the run can continue.
        picture: ``picture(state)`` is what a page shows of a state: a new object each time.
        settings: the settings to start with.
        keep: ``keep(standing, state)`` puts a state where it outlives the process; None: nothing is kept.
        portable: what ``start`` does with a state that is not None, where that and the state can be pickled: then steps
            may be made in another process.
    """

    key: Hashable
    start: Callable[[State | None, Mapping[str, Any]], Iterator[State]]
    picture: Callable[[State], Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    keep: Callable[[Standing, State], None] | None = None
    portable: Continue | None = None


@dataclass(frozen=True)
class View:
    """What a viewer sees of a run. ``version`` grows with each picture; the picture of a run at rest shows its newest
    state."""

    id: str
    key: Hashable  # of its work
    status: str  # queued | running | paused | finished | failed
    wait: float | None  # seconds until it will have a slot, about; None unless it is queued
    waited: float | None  # seconds since it had none
    step: int  # steps made, whatever the state itself counts
    seconds: float  # spent in them
    picture: Any
    version: int
    error: Exception | None  # with a sentence for readers; None when all is well
    viewers: int
    leader: str | None  # the viewer who commands it whoever else looks at it, if there is one
    settings: Mapping[str, Any]
    unkept: Exception | None = None  # why it could not be kept when that was last tried


@dataclass(eq=False)
class _Run:
    work: Work
    settings: Mapping[str, Any]
    turned: threading.Condition  # a turn has ended; its lock is the registry's
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    shared: bool = True  # until a viewer commands it
    leader: str | None = None
    status: str = "new"
    queued_at: float = -math.inf
    driver: threading.Thread | None = None
    tickets: deque[object] = field(default_factory=deque)  # whose turn it is, then who waits for one
    viewers: dict[str, float] = field(default_factory=dict)  # and when they last looked
    looked_at: float = -math.inf
    state: State | None = None
    steps_left: Iterator[State] | None = None
    step: int = 0
    seconds: float = 0.0
    picture: Any = None
    version: int = 0
    stale: bool = False  # the picture is of an older state
    drawn_at: float = -math.inf
    kept_at: float = math.inf  # or begun, before it was kept once
    kept_step: int = 0
    unkept: Exception | None = None
    error: Exception | None = None


class Jobs:
    """The registry of a process's runs: at most ``slots`` at once, ``queue`` waiting.

    All times are seconds of ``clock``: without a look a run is held after ``pause_after`` and forgotten after
    ``end_after``. ``processes``: how many processes there may be in which runs that are not alone make their steps.
    """

    def __init__(self, slots: int = 2, queue: int = 64, pause_after: float = 20.0, end_after: float = 120.0,
                 clock: Callable[[], float] = time.monotonic, processes: int = 0):  # fmt: skip
        self.slots, self.room, self.clock = slots, queue, clock
        self.pause_after, self.end_after = pause_after, end_after
        self._processes = StepProcesses(processes)
        self._slice = SLICE  # the mean length of time slices, their pictures included
        self._lock = threading.RLock()
        self._runs: dict[str, _Run] = {}
        self._queue: deque[_Run] = deque()
        self._workers: set[threading.Thread] = set()
        self._janitor: threading.Thread | None = None
        self._closed = threading.Event()
        atexit.register(self.close)  # a thread that is inside PyTorch when the interpreter goes away aborts the process

    # What viewers ask.

    def join(self, work: Work, viewer: str, held: bool = False, private: bool = False) -> str:
        """The id of the shared run of ``work.key``, which is started if there is none. Raises Problem if the queue is
        full.

        With ``private`` it is a new run that nobody joins by its key; with ``held`` it also starts paused. A viewer who
        changes to another work should leave the first run.
        """
        private = private or held
        with self._lock:
            same = (run for run in self._runs.values() if run.shared and run.work.key == work.key)
            run = next((run for run in same if run.status != "failed"), None)
            if run is None or private:
                run = _Run(work, dict(work.settings), threading.Condition(self._lock), shared=not private)
                self._set(run, "paused") if held else self._enqueue(run)
                self._register(run)
            return self._find(run.id, viewer).id

    def look(self, run_id: str, viewer: str) -> View | None:
        """The run as it is now; None if there is no such run. Renews the viewer's lease, which a run at rest also
        needs."""
        with self._lock:
            if run_id not in self._runs:
                return None
            run = self._find(run_id, viewer)
            queued = run.status == "queued"
            return View(
                id=run.id,
                key=run.work.key,
                status="paused" if run.status == "lapsed" else run.status,
                wait=(self._queue.index(run) + 1) * self._slice / max(1, self.slots) if queued else None,
                waited=self.clock() - run.queued_at if queued else None,
                step=run.step,
                seconds=run.seconds,
                picture=run.picture,
                version=run.version,
                error=run.error,
                viewers=sum(run.looked_at - looked < self.pause_after for looked in run.viewers.values()),
                leader=run.leader,
                settings=dict(run.settings),
                unkept=run.unkept,
            )

    def key_of(self, run_id: str) -> Hashable | None:
        """The key of the work of a run; None if there is no such run. Does not renew a lease."""
        with self._lock:
            return self._runs[run_id].work.key if run_id in self._runs else None

    def census(self) -> Counter[str]:
        """How many runs there are by status."""
        with self._lock:
            return Counter("paused" if run.status == "lapsed" else run.status for run in self._runs.values())

    @property
    def look_every(self) -> float:
        """How many seconds a viewer should let pass between two looks: more, the more runs are under way."""
        return min(LOOK_EVERY + LOOK_EVERY_RUN * max(0, self._under_way() - 1), LOOK_EVERY_MAX)

    def restore(self, work: Work, viewer: str, standing: Standing, state: State) -> str:
        """The id of the run that was kept so: it is paused, under the name that it had, and the viewer's own. One that
        is there already stays as it is."""
        if self.key_of(standing.id) is None:
            run = _Run(work, dict(standing.settings), threading.Condition(self._lock), standing.id, shared=False)
            run.state, run.step, run.seconds, run.stale = state, standing.step, standing.seconds, True
            run.kept_at, run.kept_step = self.clock(), standing.step
            self._draw(run)  # before anybody can see it: a run at rest is not looked at again soon
            with self._lock:
                if standing.id not in self._runs:
                    self._set(run, "paused")
                    self._register(run)
        return self._find(standing.id, viewer).id

    def state(self, run_id: str, viewer: str) -> State | None:
        """A deep copy of the newest state, None before the first step. Raises Problem when there is no such run."""
        run = self._find(run_id, viewer)
        with self._turn(run):
            return copy.deepcopy(run.state)

    def leave(self, run_id: str, viewer: str) -> None:
        """Give up the viewer's lease at once; a run without viewers is forgotten."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is not None and run.viewers.pop(viewer, None) is not None and not run.viewers:
                self._set(run, "ended")

    def lead(self, run_id: str, viewer: str) -> None:
        """Let the viewer, who alone looks at the run, command it also when others do; nobody joins it by its key. A run
        that others look at already does not change."""
        with self._lock:
            run = self._find(run_id, viewer)
            if len(run.viewers) == 1:
                run.leader, run.shared = viewer, False

    # What viewers command. Each command returns the id of the run that it changed: a private copy if others hold a
    # lease on this one and the viewer does not lead it. Raises Problem if there is no such run, or if the run has to
    # wait and the queue is full.

    def pause(self, run_id: str, viewer: str) -> str:
        """Pause the run and give its slot to the next one. A finished or failed run does not change."""
        with self._commanded(run_id, viewer) as run:
            if run.status not in ("finished", "failed"):
                self._set(run, "paused")
            self._draw(run)
            self._keep(run, at_once=True)
        return run.id

    def step(self, run_id: str, viewer: str, steps: int = 1) -> str:
        """Pause the run and make ``steps`` steps of it at once, without a slot. A finished run does not change."""
        with self._commanded(run_id, viewer) as run:
            if run.status != "finished":
                self._set(run, "paused")
            for _ in range(steps):
                if run.status == "paused":
                    self._advance(run)
            self._draw(run)
            self._keep(run)
            return run.id

    def resume(self, run_id: str, viewer: str) -> str:
        """Queue a paused run, or a failed one, which continues from its last good state. Other runs do not change."""
        with self._commanded(run_id, viewer) as run:
            if run.status != "finished":
                self._enqueue(run)
        return run.id

    def change(self, run_id: str, viewer: str, **settings: Any) -> str:
        """Restart the work from its newest state under new settings. A paused run stays paused."""
        with self._commanded(run_id, viewer) as run:
            if run.status in ("finished", "failed"):
                self._enqueue(run)
            run.settings, run.steps_left = {**run.settings, **settings}, None
        return run.id

    # Leases.

    def sweep(self) -> None:
        """Pause the runs that nobody looked at for ``pause_after`` and delete expired leases. Called regularly."""
        with self._lock:
            now = self.clock()
            for run in list(self._runs.values()):
                run.viewers = {
                    viewer: looked for viewer, looked in run.viewers.items() if now - looked < self.end_after
                }
                if not run.viewers:
                    self._set(run, "ended")
                elif run.status in ("queued", "running") and now - run.looked_at >= self.pause_after:
                    self._set(run, "lapsed")
        self._processes.end_idle()

    def close(self) -> None:
        """Keep the newest state of each run, delete them all, and wait for the threads to end."""
        atexit.unregister(self.close)
        self._closed.set()
        with self._lock:
            runs = list(self._runs.values())
        last = time.monotonic() + CLOSE_WITHIN
        for run in runs:
            try:
                with self._turn(run, max(0.0, last - time.monotonic())):
                    self._keep(run, at_once=True)
            except TimeoutError:
                logging.getLogger(__name__).error("a run was still in a step when the server ended: it was not kept")
            self._set(run, "ended")
        for thread in {*self._workers, self._janitor} - {None}:
            thread.join(timeout=5.0)
        self._processes.close()

    def _clean(self) -> None:
        while not self._closed.wait(self.pause_after / 10):
            self.sweep()
            if not self._runs:
                self._processes.end_idle(0.0)
            with self._lock:
                if not self._runs and not self._processes.started:
                    self._janitor = None
                    return

    # Registry.

    def _register(self, run: _Run) -> None:
        with self._lock:
            self._runs[run.id] = run
            if self._janitor is None:
                self._janitor = threading.Thread(target=self._clean, name="jobs-janitor", daemon=True)
                self._janitor.start()

    def _find(self, run_id: str, viewer: str) -> _Run:
        """The run, with the viewer's lease renewed. A lapsed run is queued again if the queue has room."""
        with self._lock:
            if run_id not in self._runs:
                raise Problem("run_ended")
            run = self._runs[run_id]
            run.viewers[viewer] = run.looked_at = self.clock()
            if run.status == "lapsed" and len(self._queue) < self.room:
                self._enqueue(run)
            return run

    @contextmanager
    def _commanded(self, run_id: str, viewer: str) -> Iterator[_Run]:
        """A turn of the run that the viewer may command. If the command is refused, a copy made for it is deleted."""
        run = self._own(run_id, viewer)
        try:
            with self._turn(run):
                yield run
        except ValueError:
            if run.id != run_id:
                self.leave(run.id, viewer)
                self._find(run_id, viewer)
            raise

    def _own(self, run_id: str, viewer: str) -> _Run:
        """The run that the viewer may command: this one, no longer shared, or a copy if others hold a lease on it and
        the viewer does not lead it."""
        with self._lock:
            run = self._find(run_id, viewer)
            if len(run.viewers) == 1 or run.leader == viewer:
                run.shared = False
                return run
        with self._turn(run):
            fork = replace(
                run,
                id=secrets.token_urlsafe(16),
                shared=False,
                leader=None,
                turned=threading.Condition(self._lock),
                tickets=deque(),
                viewers={viewer: self.clock()},
                status=run.status if run.status in ("paused", "finished", "failed") else "lapsed",
                driver=None,
                state=copy.deepcopy(run.state),
                steps_left=None,
                kept_step=0,
                unkept=None,
            )
        with self._lock:
            run.viewers.pop(viewer, None)
        self._register(fork)
        return fork

    def _under_way(self) -> int:
        with self._lock:
            return sum(run.status in ("queued", "running") for run in self._runs.values())

    def _set(self, run: _Run, status: str, error: Exception | None = None) -> None:
        """Change a status; nothing else does. A run that has ended keeps its status."""
        with self._lock:
            if run.status == "ended":
                return
            if run.status == "queued":
                self._queue.remove(run)
            if status == "queued":
                new = sum(each.step == 0 for each in self._queue)  # these come first
                self._queue.insert(new if run.step == 0 else len(self._queue), run)
                run.queued_at = self.clock()
            elif status == "ended":
                del self._runs[run.id]
            run.status, run.driver, run.error = status, None, error

    def _enqueue(self, run: _Run) -> None:
        with self._lock:
            if run.status in ("queued", "running"):
                return
            if len(self._queue) >= self.room:
                raise Problem("queue_full", room=self.room)
            self._set(run, "queued")
            if len(self._workers) < self.slots and not self._closed.is_set():
                worker = threading.Thread(target=self._work, name="jobs-worker", daemon=True)
                worker.start()
                self._workers.add(worker)

    # Steps. Whoever makes or draws one holds the turn.

    @contextmanager
    def _turn(self, run: _Run, seconds: float | None = None) -> Iterator[None]:
        """Exclusive access to the run between two of its steps, in order of arrival. Raises TimeoutError where its turn
        does not come within ``seconds``."""
        with run.turned:
            run.tickets.append(ticket := object())
            if not run.turned.wait_for(lambda: run.tickets[0] is ticket, seconds):
                run.tickets.remove(ticket)
                raise TimeoutError
        try:
            yield
        finally:
            with run.turned:
                run.tickets.popleft()
                run.turned.notify_all()

    def _work(self) -> None:
        """What a worker does: drive one run after another until the queue is empty or the registry closes."""
        me = threading.current_thread()
        while True:
            with self._lock:
                if not self._queue or self._closed.is_set():
                    self._workers.discard(me)
                    return
                run = self._queue[0]
                self._set(run, "running")
                run.driver = me
            try:
                self._drive(run, me)
            except Exception as error:  # a fault of this file must not cost the slot
                self._set(run, "failed", for_readers(error))

    def _drive(self, run: _Run, me: threading.Thread) -> None:
        """Make steps of the run while this worker is its driver; draw it when a picture is due."""
        began, over, others_waited = self.clock(), False, True
        steps, seconds = (FIRST_STEPS, FIRST_SLICE) if run.step == 0 else (math.inf, SLICE)
        while run.driver is me:
            with self._turn(run):
                if run.driver is me:
                    self._advance(run, SLICE if over else seconds)
                self._keep(run, at_once=run.kept_step > 0 and run.status in ("finished", "lapsed"))
                now = self.clock()
                others_waited = others_waited and bool(self._queue)
                over = now - began >= seconds or run.step >= steps
                if run.driver is me and self._queue and over:
                    self._set(run, "queued")
                if self._is_due(run, now):
                    self._draw(run)
        if over and others_waited:
            with self._lock:
                self._slice += RECENT * (self.clock() - began - self._slice)

    def _is_due(self, run: _Run, now: float) -> bool:
        """Whether to draw a picture: of a run at rest always, else regularly if somebody looks. A time slice that
        others wait for has its picture at the end."""
        if run.status not in ("queued", "running"):
            return True
        if now - run.drawn_at < PICTURE_EVERY or (run.status == "running" and self._queue):
            return False
        return now - run.looked_at < WATCHED_FOR * self.look_every

    def _advance(self, run: _Run, apart: float = 0.0) -> None:
        """Make one step, or those of ``apart`` seconds where a process makes them. The run is finished if there is none
        left, and failed if a step raises an error."""
        if run.step == 0:
            run.kept_at = self.clock()
        made = (self._steps_apart(run, apart) if apart else None) or self._one_step(run)
        run.state, run.step, run.seconds = made.state, run.step + made.steps, run.seconds + made.seconds
        run.stale = run.stale or made.steps > 0
        if made.error:
            run.steps_left, run.stale = None, True  # the state may have been set back
            self._draw(run)
            self._set(run, "failed", made.error)
        elif made.finished:
            run.steps_left = None
            self._draw(run)  # before anybody can see that it is finished
            self._set(run, "finished", run.error)

    def _one_step(self, run: _Run) -> Steps:
        began = self.clock()
        try:
            if run.steps_left is None:
                run.steps_left = iter(run.work.start(run.state, run.settings))
            return Steps(next(run.steps_left), 1, self.clock() - began)
        except StopIteration:
            return Steps(run.state, 0, 0.0, finished=True)
        except Exception as error:
            return Steps(run.state, 0, 0.0, error=for_readers(error))

    def _steps_apart(self, run: _Run, seconds: float) -> Steps | None:
        """The steps of so many seconds, made by a process. None, and nothing has changed, where the run is alone or
        cannot be sent to one, or none is ready."""
        if self._under_way() < 2 or run.work.portable is None or run.state is None:
            return None
        process = self._processes.take()
        if process is None:
            return None
        try:
            made = process.make_steps(run.id, run.work.portable, run.state, run.settings, seconds)
        except ProcessEnded as error:
            logging.getLogger(__name__).error("a process that makes steps has ended: %r", error.__cause__)
            self._processes.give_back(process, ended=True)
            run.work = replace(run.work, portable=None)  # or each slice of this run might end another one
            return None
        self._processes.give_back(process)
        run.steps_left = None
        return made

    def _keep(self, run: _Run, at_once: bool = False) -> None:
        """Keep the newest state where its work asks for it, if that is due or is wanted ``at_once``. An error, as on a
        full disk, is shown until it is kept again, and the run continues."""
        now = self.clock()
        wanted = at_once or now - run.kept_at >= KEEP_EVERY
        if not wanted or run.work.keep is None or run.step == run.kept_step or run.status == "ended":
            return
        run.kept_at = now
        try:
            run.work.keep(Standing(run.id, run.step, run.seconds, run.settings), run.state)
            run.kept_step, run.unkept = run.step, None
        except Exception as error:
            expected = isinstance(error, OSError)  # such as a full disk; of anything else the traceback is of use
            logging.getLogger(__name__).error("a run could not be kept: %s", error, exc_info=not expected)
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            run.unkept = Problem("run_not_kept_full") if full else Problem("run_not_kept")

    def _draw(self, run: _Run) -> None:
        """Draw the newest state if its picture does not exist yet. An error in it is shown, and the run continues."""
        if run.state is None or not run.stale or run.status == "ended":
            return
        try:
            picture = run.work.picture(run.state)
        except Exception as error:
            run.error = for_readers(error)
        else:
            with self._lock:
                run.picture, run.version, run.error = picture, run.version + 1, None
        run.stale, run.drawn_at = False, self.clock()
