"""A folder is one process's: who is refused, and what a process that was killed leaves in nobody's way."""

import errno
import json
import os
import signal
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from core.runs import lock


def leave(folder: Path, holder: lock.Holder) -> None:
    """What a process leaves in a folder when it is killed."""
    folder.mkdir()
    (folder / lock.NAME).write_text(json.dumps(asdict(holder)))


@pytest.fixture(params=[True, False], ids=["the system holds files", "it does not"])
def system(request, monkeypatch) -> bool:
    """Whether the place of the folder knows files that a process holds, as some shared ones do not."""
    if not request.param:

        def refuse(*_) -> None:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

        monkeypatch.setattr(lock.fcntl, "flock", refuse)
    return request.param


def test_a_folder_is_held_by_one_and_then_by_the_next_and_nothing_stays(system, tmp_path, refused):
    with lock.hold(tmp_path / "run"):
        with refused("run_in_use", pid=os.getpid(), host=lock.this_process().host), lock.hold(tmp_path / "run"):
            pass
        with lock.hold(tmp_path / "another" / "run"):
            pass
    with lock.hold(tmp_path / "run"):
        pass
    assert not any(tmp_path.iterdir())


def test_what_a_killed_process_left_is_taken_over(system, tmp_path):
    if (pid := os.fork()) == 0:
        with lock.hold(tmp_path / "killed"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    # Another process may have its number by now, and a machine may have been started again.
    leave(tmp_path / "reused", replace(lock.this_process(), born="another start 1"))
    for folder in ("killed", "reused"):
        with lock.hold(tmp_path / folder):
            assert json.loads((tmp_path / folder / lock.NAME).read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("text", [None, "", '{"host": "a'], ids=["whole", "not yet written", "cut"])
def test_of_a_process_that_this_machine_does_not_see_it_is_said_how_to_go_on(system, tmp_path, refused, text):
    leave(tmp_path / "run", replace(lock.this_process(), host="node7", pid=1))
    file = tmp_path / "run" / lock.NAME
    if text is not None:
        file.write_text(text)
    known = {"host": "node7", "pid": 1} if text is None else {}
    with refused("run_locked", **known, file=str(file)), lock.hold(tmp_path / "run"):
        pass
    file.unlink()
    with lock.hold(tmp_path / "run"):
        pass
