"""Processes beside the server that make steps of its runs.

Steps of small networks are mostly Python, and the threads of one process take turns at that: two threads make 1.2 to
1.45 times as many steps as one, two processes 1.7 times, and pages that are computed meanwhile have to wait. So where
several runs are under way, each slot hands a time slice at once to a process: the state goes there and comes back.

Server and process talk through a pipe that nobody else can write to, and what they send are pickles.
"""

import logging
import os
import pickle
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from core.problems import Problem

ROOT = Path(__file__).parents[2]  # of the project, whose packages the process imports
IDLE = 60.0  # seconds after which a process that nobody needed is ended
KNOWN = 64  # works that a process remembers
NICE = 5  # lower priority than the server, whose pages people wait for
State = Any
Continue = Callable[[State, Mapping[str, Any]], Iterator[State]]


@dataclass(frozen=True)
class Steps:
    """What a time slice has made: the state after ``steps`` steps that took ``seconds``.

    ``finished``: there are no more steps. ``error``: what the step after them raised, with a sentence for readers.
    """

    state: State
    steps: int
    seconds: float
    finished: bool = False
    error: Exception | None = None


def make_steps(start: Continue, state: State, settings: Mapping[str, Any], seconds: float) -> Steps:
    """Make steps of ``start(state, settings)`` for so many seconds, one step at least."""
    begun, newest, steps, spent = time.perf_counter(), state, 0, 0.0
    try:
        for newest in start(state, settings):
            steps, spent = steps + 1, time.perf_counter() - begun
            if spent >= seconds:
                return Steps(newest, steps, spent)
    except Exception as error:
        return Steps(newest, steps, spent, error=for_readers(error))
    return Steps(newest, steps, spent, finished=True)


def for_readers(error: Exception) -> Exception:
    """The error itself if its sentence was written for readers, otherwise one that names its type."""
    if isinstance(error, Problem):
        return copy(error)  # without the traceback, whose frames would keep the tensors of the step
    logging.getLogger(__name__).error("unexpected error in a run", exc_info=error)
    return Problem("run_failed", kind=type(error).__name__)


class ProcessEnded(Exception):
    """The process ended before it had answered."""


class StepProcess:
    """A process that makes steps. It ends with the server, however that ends, since its pipe is then closed."""

    def __init__(self) -> None:
        """Start it and wait until it can make steps. Raises ProcessEnded where it cannot."""
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # so that Ctrl-C in the server's terminal does not interrupt it
        )
        self._known: OrderedDict[str, None] = OrderedDict()  # names of works, as the process remembers them
        self.pid, self.used_at = self._process.pid, time.monotonic()
        try:
            self._hear()
        except ProcessEnded:
            self.close()
            raise

    def make_steps(self, name: str, start: Continue, *given: Any) -> Steps:
        """``make_steps(start, *given)`` in the process; ``start`` is sent only if ``name``, which is its own, is new.

        Raises ProcessEnded where the process ends meanwhile; the state that was given has not changed then.
        """
        new = name not in self._known
        _remember(self._known, name, None)
        try:
            pickle.dump((name, start if new else None, *given), self._process.stdin)
            self._process.stdin.flush()
        except Exception as error:  # its end, or something that cannot be sent
            raise ProcessEnded from error
        found = self._hear()
        self.used_at = time.monotonic()
        return found

    def _hear(self) -> Steps | None:
        try:
            return pickle.load(self._process.stdout)
        except Exception as error:  # its end, or an answer that cannot be read, as after an update of the code
            raise ProcessEnded from error

    def close(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except OSError:  # what was written last cannot arrive any more
                pass


class StepProcesses:
    """At most ``most`` processes, started one after the other as they are needed and ended when they have been idle."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._idle: list[StepProcess] = []
        self._started = 0  # processes that are idle, at work or being started
        self._starting = False
        self._lock = threading.Lock()

    def take(self) -> StepProcess | None:
        """An idle process, to be given back; None where there is none, and then one is started if there may be more and
        none is being started."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._started < self.most and not self._starting:
                self._started, self._starting = self._started + 1, True
                threading.Thread(target=self._start, name="jobs-step-process", daemon=True).start()
            return None

    def give_back(self, process: StepProcess, ended: bool = False) -> None:
        """Take back a process, which can be used again unless it has ``ended``."""
        with self._lock:
            if not ended and self.most:
                self._idle.append(process)
                return
            self._started -= 1
        process.close()

    def end_idle(self, idle: float = IDLE) -> None:
        """End the processes that nobody needed for so many seconds."""
        with self._lock:
            old = [each for each in self._idle if time.monotonic() - each.used_at >= idle]
            self._idle = [each for each in self._idle if each not in old]
            self._started -= len(old)
        for process in old:
            process.close()

    @property
    def started(self) -> int:
        """How many there are: idle, at work or being started."""
        return self._started

    def close(self) -> None:
        """End all processes, those at work when they are given back; no others are started."""
        self.most = 0
        self.end_idle(0.0)

    def _start(self) -> None:
        try:
            self.give_back(StepProcess())
        except (OSError, ProcessEnded) as error:
            why = error.__cause__ or error
            logging.getLogger(__name__).error("no process for steps could be started; the server makes them: %r", why)
            with self._lock:
                self.most, self._started = 0, self._started - 1
        self._starting = False


def _remember(known: OrderedDict[str, Any], name: str, value: Any) -> None:
    """Put an entry last; of more than ``KNOWN`` the first goes. Both ends do so in the same order."""
    known[name] = known.pop(name, value)
    while len(known) > KNOWN:
        known.popitem(last=False)


def main() -> None:
    """What the process does: answer until the pipe is closed."""
    import torch

    torch.set_num_threads(1)
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])  # the first one imports for almost two seconds
    if hasattr(os, "nice"):
        os.nice(NICE)
    answers, sys.stdout = sys.stdout.buffer, sys.stderr  # a stray print would disturb them
    try:
        _answer(sys.stdin.buffer, answers)
    except Exception as error:
        if not isinstance(error, (EOFError, OSError, pickle.UnpicklingError)):  # these say that the server has ended
            logging.getLogger(__name__).error("a process that makes steps cannot go on: %r", error)
        os._exit(0)  # without what the pipe still holds, which nobody reads any more


def _answer(questions: BinaryIO, answers: BinaryIO) -> NoReturn:
    starts: OrderedDict[str, Continue] = OrderedDict()
    answer = None  # to no question: ready
    while True:
        pickle.dump(answer, answers)
        answers.flush()
        name, start, *given = pickle.load(questions)
        _remember(starts, name, start)
        answer = make_steps(starts[name], *given)
