"""Where a learner's runs outlive their server: on its disk, and by their names and addresses in the browser.

The folder is the one that the environment's ``LIVE_RUNS`` names, else ``live`` in the folder of runs. Servers that
share it can each take up the runs of the others.
"""

import os
import threading
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import streamlit as st

from core.runs import live_runs
from pages.ui.frame import chapters, controls, kept, links, shell
from pages.ui.frame.remembered import RUN
from pages.ui.frame.text import t

RUNS = Path(os.environ.get("IMAGE_RUNS", shell.ROOT / ".runs"))  # the runs on this server's disk
SWEEP_EVERY = 3600.0  # seconds between two looks for runs that are a day old
MOST = 8  # runs of its own that a browser keeps the names of


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
    return _known().get(digest, [""])[0]


def keep_name(digest: str, run_id: str | None) -> None:
    """Let the browser keep which run of a request is its own, and at which address; None: none is any more."""
    if name_of(digest) != (run_id or ""):
        kept.put(RUN + digest, [run_id, _address(), round(time.time())] if run_id else None)
        for old in [*_known()][:-MOST]:
            kept.put(RUN + old, None)


def lead_back() -> None:
    """On a page that trains nothing: a link to the newest of this browser's runs that are kept here; nothing where none
    is."""
    for run_id, address, _ in reversed(_known().values()):
        page, _, query = address.partition("?")
        found = live_runs.head(folder(), run_id)
        if found is not None and page in chapters.present():
            label = t("runs.restored.elsewhere", chapter=chapters.title_of(page), step=found.standing.step)
            given = {"icon": ":material/restore:", "query_params": {**dict(parse_qsl(query)), "run": run_id}}
            st.page_link(chapters.page_of(page), label=label, **given)
            return


def _address() -> str:
    """The page and its parameters as they stand, without the run and what is each visitor's own."""
    shared = {name: value for name, value in st.query_params.to_dict().items() if name not in links.OWN}
    return f"{controls.page()}?{urlencode(shared)}"


def _known() -> dict[str, tuple[str, str, int]]:
    """Name and address of this browser's runs and when they began, by digest; the newest comes last."""
    found = {name.removeprefix(RUN): kept.value(name) for name in kept.names(RUN)}
    fit = [(key, run) for key, run in found.items() if isinstance(run, list) and [*map(type, run)] == [str, str, int]]
    return {key: tuple(run) for key, run in sorted(fit, key=lambda one: one[1][2])}
