"""A server of the app, or of a small app of a test, that ends with a block."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
        """Processor time that the process has used so far, its ended threads included (Linux)."""
        return time.clock_gettime(~self.pid << 3 | 2)  # the clock that clock_getcpuclockid(3) names

    def memory(self) -> float:
        """Bytes of memory that the process has now (Linux)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return 1024 * next(float(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@contextmanager
def serving(file: str, **environment: str) -> Iterator[Server]:
    """A fresh server for a file of the repository, with classes of its own, ended with the block. ``environment``: more
    variables for its process. Raises RuntimeError with the end of what it wrote if it does not start."""
    with tempfile.TemporaryDirectory() as folder:
        log, classes = Path(folder, "log.txt"), Path(folder, "classes.db")
        address, started = f"http://127.0.0.1:{_free_port()}", time.time()
        process = _start(file, address, log, {"CLASS_DB": str(classes), **environment})
        try:
            while not _healthy(address):
                if process.poll() is not None or time.time() > started + PATIENCE:
                    raise RuntimeError(f"the server for {file} did not start:\n{log.read_text()[-2000:]}")
                time.sleep(0.02)
            yield Server(process.pid, address, classes, log, started, time.time())
        finally:
            process.terminate()
            process.wait(timeout=20)


def _start(file: str, address: str, log: Path, environment: dict[str, str]) -> subprocess.Popen:
    options = {
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
