"""A server of the app, or of a small app of a test, that ends with a block."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds until a server answers


@dataclass(frozen=True)
class Server:
    """A running ``streamlit run``: its process and address, the files of its classes and its log, and when (seconds
    since 1970) it was started and was up."""

    pid: int
    address: str
    classes: Path
    log: Path
    started: float
    up: float

    def processor_seconds(self) -> float:
        """Processor time that the process and those beside it have used so far, ended threads included (Linux)."""
        # The clocks that clock_getcpuclockid(3) names.
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in (self.pid, *self.beside()))

    def memory(self) -> float:
        """Bytes of memory that the process and those beside it have now (Linux)."""
        return sum(_status(pid, "VmRSS") for pid in (self.pid, *self.beside()))

    def peak_memory(self) -> float:
        """Bytes of memory that the process had at most since the peak was reset (Linux)."""
        return _status(self.pid, "VmHWM")

    def beside(self) -> list[int]:
        """The processes that it has started and that are not over, such as those that make steps (Linux)."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in _read(task).split() if "\nVmRSS" in _read(f"/proc/{pid}/status")]


def _status(pid: int, name: str) -> float:
    found = [float(line.split()[1]) for line in _read(f"/proc/{pid}/status").splitlines() if line.startswith(name)]
    return 1024 * sum(found)  # of a process that is over, nothing


def _read(file: Path | str) -> str:
    try:
        return Path(file).read_text()
    except OSError:  # the thread or process is over
        return ""


@contextmanager
def serving(file: str, path: str = "", port: int = 0, **environment: str) -> Iterator[Server]:
    """A fresh server for a file of the repository, with classes of its own, ended with the block. Raises RuntimeError
    with the end of what it wrote if it does not start.

    ``path``: of the app in its addresses, such as "/lesson"; ``port``: 0 is one that is free; ``environment``: more
    variables of its process.
    """
    with tempfile.TemporaryDirectory() as folder:
        log, classes = Path(folder, "log.txt"), Path(folder, "classes.db")
        address, started = f"http://127.0.0.1:{port or free_port()}", time.time()
        process = _start(file, address, log, {"server.baseUrlPath": path}, {"CLASS_DB": str(classes), **environment})
        try:
            await_start(process, partial(healthy, address + path), log)
            yield Server(process.pid, address, classes, log, started, time.time())
        finally:
            process.terminate()
            process.wait(timeout=20)


def await_start(process: subprocess.Popen, ready: Callable[[], bool], log: Path) -> None:
    """Wait until a server is up. Raises RuntimeError with the end of its log if it ends or takes a minute."""
    until = time.time() + PATIENCE
    while not ready():
        if process.poll() is not None or time.time() > until:
            said = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"{' '.join(map(str, process.args))} did not start:\n{said}")
        time.sleep(0.02)


def _start(
    file: str, address: str, log: Path, options: dict[str, str], environment: dict[str, str]
) -> subprocess.Popen:
    options = {
        **options,
        "server.address": "127.0.0.1",
        "server.port": address.rpartition(":")[2],
        "server.headless": "true",
        "server.fileWatcherType": "none",
    }
    command = [sys.executable, "-m", "streamlit", "run", file, *(f"--{name}={each}" for name, each in options.items())]
    with log.open("w") as out:
        return subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )


def free_port() -> int:
    """A port that no program listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def healthy(address: str) -> bool:
    """Whether a server of the app answers there."""
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
