"""Runs of a server on its disk, so that a learner finds them again when the server was started anew.

A run is one file ``<id>.zip``, a checkpoint like any other whose config has an entry ``run``: how the run stands and by
what it is trained. A file is written aside and renamed. It is deleted after a day, and of too many files, or too large
ones together, the oldest go first.
"""

import logging
import re
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.data.tables import parse_json
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import CONFIG, Checkpoint
from core.runs.files import write_whole
from core.runs.jobs import Standing

DAY = 24 * 3600.0  # seconds that a run is kept for
MOST, ROOM = 256, 2**30  # runs in a folder, and their bytes
_ID = re.compile(r"[\w-]{22}", re.ASCII)  # as ``core.runs.jobs`` names its runs
_FILE = re.compile(rf"{_ID.pattern}\.zip(\.new)?", re.ASCII)  # of a run, or of one that is being written


@dataclass(frozen=True)
class LiveRun:
    """A run on the disk.

    Attributes:
        standing: where it stands.
        key: a text that is equal for runs of equal data and configuration only.
        config: the values of the configuration to train by.
        checkpoint: its checkpoint; None where only its head was read.
    """

    standing: Standing
    key: str
    config: Mapping[str, Any]
    checkpoint: Checkpoint | None = None


def save(folder: Path, run: LiveRun) -> None:
    """Write a run to the disk, in the place of what was written of it before; not where that has more steps already.

    Two servers that share the folder can both go on with a run, such as one that its learner showed to another.
    """
    before = head(folder, run.standing.id)
    if before is not None and before.standing.step > run.standing.step:
        return
    about = {**asdict(run.standing), "key": run.key, "config": dict(run.config)}
    stored = replace(run.checkpoint, config={**run.checkpoint.config, "run": about})
    place = _place(folder, run.standing.id)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, checkpoints.to_bytes(stored))
    sweep(folder)


def head(folder: Path, run_id: str) -> LiveRun | None:
    """How a run stands, without its checkpoint; None where none of that id is kept, or its file is not readable."""
    if not is_kept(folder, run_id):
        return None
    try:
        with zipfile.ZipFile(_place(folder, run_id)) as archive:
            return _read(parse_json(archive.read(CONFIG), CONFIG), run_id)
    except Exception:  # zipfile and zlib raise a type of their own for each kind of damage
        return None


def load(folder: Path, run_id: str) -> LiveRun:
    """The run of that id. Raises Problem for one that is not kept, and for a damaged or foreign file."""
    if not is_kept(folder, run_id):
        raise Problem("live_run_gone")
    try:
        checkpoint = checkpoints.from_bytes(_place(folder, run_id).read_bytes())
    except FileNotFoundError as error:
        raise Problem("live_run_gone") from error
    except (OSError, Problem) as error:
        raise Problem("live_run_damaged") from error
    return replace(_read(checkpoint.config, run_id), checkpoint=checkpoint)


def is_kept(folder: Path, run_id: str) -> bool:
    """Whether a run of that id, which may be any text, is on the disk and not a day old."""
    try:
        return bool(_ID.fullmatch(run_id)) and time.time() - _place(folder, run_id).stat().st_mtime < DAY
    except OSError:
        return False


def delete(folder: Path, run_id: str) -> None:
    """Delete a run, if it is there."""
    if _ID.fullmatch(run_id):
        _place(folder, run_id).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete the runs that are a day old, and the oldest of too many. Other files stay."""
    files, kept, room = [], 0, 0
    for path in filter(lambda path: _FILE.fullmatch(path.name), folder.glob("*")):
        with suppress(OSError):  # another server that shares the folder may have deleted it
            files.append((path.stat().st_mtime, path.stat().st_size, path))
    for written, size, path in sorted(files, reverse=True):
        kept, room = kept + 1, room + size
        if time.time() - written >= DAY or kept > MOST or room > ROOM:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                logging.getLogger(__name__).error("a run could not be deleted: %s", error)


def _place(folder: Path, run_id: str) -> Path:
    return Path(folder) / f"{run_id}.zip"


def _read(stored: Mapping[str, Any], run_id: str) -> LiveRun:
    """What a checkpoint's config says of its run. Raises Problem where it says nothing of this run."""
    try:
        about = stored["run"]
        standing = Standing(run_id, int(about["step"]), float(about["seconds"]), dict(about["settings"]))
        if about["id"] != run_id or not isinstance(about["key"], str):
            raise ValueError(run_id)
        return LiveRun(standing, about["key"], dict(about["config"]))
    except (LookupError, TypeError, ValueError) as error:
        raise Problem("live_run_damaged") from error
