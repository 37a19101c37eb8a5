"""Where a learner's runs outlive their server: on its disk, and by their names in the browser.

The folder is the one that the environment's ``LIVE_RUNS`` names, else ``live`` in the folder of runs. Servers that
share it can each take up the runs of the others.
"""

import os
import threading
from pathlib import Path

from core.runs import live_runs
from pages.ui.frame import kept, shell

RUNS = Path(os.environ.get("IMAGE_RUNS", shell.ROOT / ".runs"))  # the runs on this server's disk
SWEEP_EVERY = 3600.0  # seconds between two looks for runs that are a day old
NAME, MOST = "runs", 8  # under this name the browser keeps which runs are its own, the newest few


def folder() -> Path:
    """The folder of the learners' runs."""
    return Path(os.environ.get("LIVE_RUNS") or RUNS / "live")


def sweep() -> None:
    """Delete the runs that are a day old; from then on it is done every hour."""
    timer = threading.Timer(SWEEP_EVERY, sweep)
    timer.daemon = True
    timer.start()
    live_runs.sweep(folder())


def name_of(digest: str) -> str:
    """The name of this browser's run of the request of that digest; empty where it knows of none."""
    return _names().get(digest, "")


def keep_name(digest: str, run_id: str | None) -> None:
    """Let the browser keep which run of a request is its own; None: none is any more."""
    if name_of(digest) != (run_id or ""):
        others = [(key, each) for key, each in _names().items() if key != digest]
        newest = others[1 - MOST :] + ([(digest, run_id)] if run_id else [])
        kept.put(NAME, dict(newest) or None)


def _names() -> dict[str, str]:
    """The names of this browser's runs by digest; the newest comes last."""
    found = kept.value(NAME)
    return {key: name for key, name in found.items() if isinstance(name, str)} if isinstance(found, dict) else {}
