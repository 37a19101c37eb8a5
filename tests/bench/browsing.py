"""Servers and visitors for measuring what happens between the two."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import FLAGS, chromium

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


@dataclass(frozen=True)
class Server:
    """A running ``streamlit run``: its process and address, and when (seconds since 1970) it was started and was up."""

    pid: int
    address: str
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
def serving(file: str) -> Iterator[Server]:
    """A fresh server for a file of the repository, ended with the block. Raises RuntimeError if it does not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ("--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true")
    command = [sys.executable, "-m", "streamlit", "run", file, *options, "--server.fileWatcherType=none"]
    started = time.time()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        while not _healthy(address):
            if process.poll() is not None or time.time() > started + PATIENCE:
                raise RuntimeError(f"`{' '.join(command)}` did not start; run it to see why")
            time.sleep(0.02)
        yield Server(process.pid, address, started, time.time())
    finally:
        process.terminate()
        process.wait(timeout=20)


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def browsing() -> Iterator[Browser]:
    """The Chromium of the browser tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright), args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser) -> Iterator[Page]:
    """A page of 1280x800 with nothing in its cache. ``page.received`` lists the bytes of each message of the server."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.received = []
    page.on("websocket", lambda channel: channel.on("framereceived", lambda data: page.received.append(len(data))))
    yield page
    context.close()
