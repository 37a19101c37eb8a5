"""One process at a time writes into the folder of a run.

The file ``lock.json`` in the folder names the process and its machine. The operating system holds the file for the
process and lets go of it whenever the process ends, so that what a killed one leaves behind stands in nobody's way. A
folder that machines share may hold a file for its own machine only, or for none: there the text in the file decides.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from core.problems import Problem

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

NAME = "lock.json"
FAR = 2**30  # the byte that is held on Windows, where nobody may read what is held


@dataclass(frozen=True)
class Holder:
    """A process: its machine, its number there, and what tells it from others of that number (see ``born``)."""

    host: str
    pid: int
    born: str | None


def this_process() -> Holder:
    """The process that this runs in."""
    return Holder(socket.gethostname(), os.getpid(), born(os.getpid()))


def born(pid: int) -> str | None:
    """The start of the machine, and the tick of its clock at which a process of it began. None if there is no such
    process, or if the system does not say (it is no Linux)."""
    with suppress(OSError, IndexError):
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {ticks}"
    return None


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other processes out of the folder of a run, which is made if it is not there.

    Raises Problem if another process holds it, or if that cannot be known.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    file = folder / NAME
    with _claimed(file) as handle:
        try:
            handle.truncate(0)
            handle.seek(0)
            handle.write(json.dumps(asdict(this_process())).encode())
            handle.flush()
            os.fsync(handle.fileno())  # so that after a power failure the file is not empty
            yield
        finally:
            with suppress(OSError):  # Windows removes no open file; the next process takes it over
                file.unlink()
            with suppress(OSError):  # something is in them
                for path in made:
                    path.rmdir()


def _claimed(file: Path) -> BinaryIO:
    """The lock file, open and held for this process. Raises Problem if it is another one's."""
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # the one who held it has removed it at this moment
            return _claim(file)


def _claim(file: Path) -> BinaryIO:
    """The same at the first try. Raises FileNotFoundError if it or its folder is removed meanwhile."""
    try:
        number, new = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
    except FileExistsError:
        number, new = os.open(file, os.O_RDWR), False
    handle = os.fdopen(number, "r+b")
    held, holder = _held(handle, wait=new), _read(handle)
    if held is False or not new and not _is_over(holder, held):
        handle.close()
        host, pid = (holder.host, holder.pid) if holder else ("?", "?")  # it is writing them, or was stopped there
        if held is False or holder and holder.host == socket.gethostname() and holder.born:
            raise Problem("run_in_use", folder=str(file.parent), pid=pid, host=host)
        raise Problem("run_locked", folder=str(file.parent), pid=pid, host=host, file=str(file))
    if os.path.samestat(os.fstat(number), file.stat()):
        return handle
    handle.close()
    raise FileNotFoundError(file)


def _held(handle: BinaryIO, wait: bool) -> bool | None:
    """Have the system hold a file for this process, until it is closed. False: it is another one's. None: files of this
    place cannot be held. wait: until another process, which has only looked at the file, lets go of it."""
    try:
        if os.name == "nt":
            handle.seek(FAR)
            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def _read(handle: BinaryIO) -> Holder | None:
    """The process that a lock file names; None for an empty file, or one of something else."""
    try:
        handle.seek(0)
        holder = Holder(**json.loads(handle.read()))
    except (ValueError, TypeError, RecursionError):
        return None
    return holder if isinstance(holder.pid, int) else None


def _is_over(holder: Holder | None, held: bool | None) -> bool:
    """Whether the process that a lock file names has ended, as far as this machine can tell. held: whether the system
    holds the file for this process now, and so for no other on this machine."""
    if holder is None or holder.host != socket.gethostname():
        return False
    return bool(held) or holder.born is not None and born(holder.pid) != holder.born
