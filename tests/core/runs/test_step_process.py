"""Steps that another process makes: they are those that would be made here, and nothing is lost when it ends."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import torch

from core.data import uploads
from core.data.points import BUILT_IN, make_points
from core.models import points as point_model
from core.models.points import PointConfig
from core.problems import Problem
from core.runs import step_process
from core.runs.jobs import Jobs, Work
from core.runs.progress import Progress
from core.runs.step_process import ProcessEnded, StepProcess, StepProcesses, make_steps


def count(state, settings):
    """Counts up by ``settings["by"]`` to ``settings["last"]``, where it fails or ends."""
    state = state or [0]
    while state[0] < settings["last"]:
        state[0] += settings["by"]
        yield state
    if settings.get("fails"):
        raise settings["fails"]


@pytest.fixture(scope="module")
def process():
    found = StepProcess()
    yield found
    found.close()


def test_the_steps_of_a_run_are_those_that_would_be_made_here(process):
    points, config = make_points("moons", 50), PointConfig(seed=4, batch=32)
    here = Progress(point_model.new_checkpoint(config, points).state)
    start, settings = partial(point_model.run_on, config, points), {"lr": 0.02}
    there = here
    for _ in range(3):
        made = process.make_steps("moons", start, there, settings, 0.02)
        there = made.state
    for _ in islice(start(here, settings), there.state.step):
        pass
    assert there is not here and there.state.step >= 3 and there.losses == here.losses
    assert all(map(torch.equal, there.state.ema.parameters(), here.state.ema.parameters()))


@pytest.mark.parametrize(
    ("settings", "steps", "finished", "error"),
    [
        ({"last": 6, "by": 2}, 3, True, None),
        ({"last": 6, "by": 2, "fails": Problem("run_ended")}, 3, False, "run_ended"),
        ({"last": 6, "by": 2, "fails": OSError("no")}, 3, False, "run_failed"),
    ],
)
def test_the_end_and_an_error_are_told_with_the_steps_before_them(process, settings, steps, finished, error):
    for made in (make_steps(count, [0], settings, 9.0), process.make_steps("count", count, [0], settings, 9.0)):
        assert (made.state, made.steps, made.finished) == ([6], steps, finished)
        assert error == (made.error and made.error.code)


@pytest.mark.parametrize(
    "points",
    [
        *(partial(make_points, name, 20) for name in BUILT_IN),
        partial(uploads.from_word, "ab", 20),
        partial(uploads.from_drawing, [[[0, 0], [1, 1]]], 20),
        partial(uploads.from_csv, b"1,2,a\n3,4,b\n2,2,a\n"),
    ],
    ids=[*BUILT_IN, "word", "drawing", "csv"],
)
def test_every_set_of_points_can_be_sent(points):
    points = points()
    assert pickle.loads(pickle.dumps(points)).digest == points.digest


def test_runs_that_are_not_alone_make_their_steps_in_a_process():
    registry = Jobs(slots=1, processes=1)
    seen = [registry.join(_counting(name), "ada") for name in ("one", "other")]
    _until(lambda: all((registry.state(run, "ada") or [])[1:] == ["elsewhere"] for run in seen))
    registry.close()


def test_runs_that_nobody_queues_behind_leave_their_slots_for_processes_too_which_are_started_one_by_one(monkeypatch):
    started, ready = [], threading.Event()

    def start():
        started.append(1)
        assert ready.wait(60)
        raise OSError("none today")

    monkeypatch.setattr(step_process, "StepProcess", start)
    registry = Jobs(slots=2, processes=2)
    seen = [registry.join(_counting(name), "ada") for name in ("one", "other")]
    _until(lambda: started and all(registry.look(run, "ada").step > 700 for run in seen))
    assert len(started) == 1
    ready.set()
    registry.close()


def test_a_process_that_ends_loses_nothing_and_the_run_goes_on_here(monkeypatch):
    ended = StepProcess()
    os.kill(ended.pid, signal.SIGKILL)
    state = [0]
    with pytest.raises(ProcessEnded):
        ended.make_steps("count", count, state, {"last": 9, "by": 1}, 9.0)
    assert state == [0]
    ready = [ended]
    monkeypatch.setattr(StepProcesses, "take", lambda self: ready.pop() if ready else None)
    registry = Jobs(slots=1, processes=1)
    seen = [registry.join(_counting(name), "ada") for name in ("one", "other")]
    _until(lambda: all(registry.look(run, "ada").step > 300 for run in seen))
    assert not ready and all(registry.state(run, "ada")[1:] == ["here"] for run in seen)
    registry.close()


def test_a_process_ends_with_its_server_however_that_ends():
    program = (
        "import time\nfrom core.runs.step_process import StepProcesses\nprocesses = StepProcesses(1)\n"
        "while not (found := processes.take()): time.sleep(0.01)\n"
        "print(found.pid, flush=True)\ntime.sleep(60)"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root) as server:
        pid = int(server.stdout.readline())
        os.kill(pid, 0)
        server.send_signal(signal.SIGKILL)
    _until(lambda: not _is_alive(pid))


def _counting(name):
    return Work(name, _where, list, {"by": 1, "last": 10**9, "home": os.getpid()}, portable=_where)


def _where(state, settings):
    """Counts, and notes whether the newest step was made in this process or elsewhere."""
    for now in count(state, settings):
        time.sleep(0.001)
        now[1:] = ["here" if os.getpid() == settings["home"] else "elsewhere"]
        yield now


def _is_alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _until(condition):
    for _ in range(30_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError
