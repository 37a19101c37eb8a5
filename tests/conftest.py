"""Fixtures for all tests, and how the tests are divided among processes."""

import errno
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from xdist.scheduler import LoadScopeScheduling

from pages.ui.frame import text

text.strict = True  # a sentence that is missing is an error
# Every page under test looks for components in all installed packages, which takes longer than to draw it.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
torch.set_num_threads(1)  # as the app does: two threads in one small product only get in each other's way

ROOT = Path(__file__).parents[1]
FRAMED = """
import streamlit as st
from pages.ui.frame import shell

page = st.navigation([st.Page({path!r}, url_path={name!r}, default=True)])
with shell.frame({name!r}):
    page.run()
"""


@pytest.fixture(autouse=True)
def english() -> None:
    """Each test begins in English, whatever language a command of another test in this process wrote in."""
    text.language.set(text.DEFAULT)


@pytest.fixture(autouse=True, scope="session")
def live_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The runs that learners of tests pause are not put beside those of this machine's users."""
    os.environ["LIVE_RUNS"] = str(tmp_path_factory.mktemp("live"))


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file takes a byte, as on a disk without room."""

    def refuse(path: Path, *given, **more) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "write_text", refuse)


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """``open_page("training", seed="7")`` runs pages/training.py in the frame, as if its address had ``?seed=7``.

    Without the frame's guard: a page's exception is found in ``.exception``. A path to another file opens that page.
    """

    def run(page: str | Path, **address: str) -> AppTest:
        path = Path(page) if Path(page).suffix else ROOT / "pages" / f"{page}.py"
        app = AppTest.from_string(FRAMED.format(path=str(path), name=path.stem), default_timeout=60)
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return run


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every browser test as slow, and put them last: the quick ones fail first, and Playwright keeps an event loop
    in its thread once it runs."""
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: "e2e" in item.path.parts)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process per core, but at most four: each needs a server and a browser of its own for the browser tests.

    None beside this one if a single file is asked for: to start them takes longer than most files.
    """
    files = {argument.split("::")[0] for argument in config.args}
    if len(files) == 1 and Path(*files).is_file():
        return 0
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4)


def pytest_xdist_make_scheduler(config: pytest.Config, log) -> LoadScopeScheduling:
    return WholeFiles(config, log)


class WholeFiles(LoadScopeScheduling):
    """Give each process whole files, so that a fixture of a module is made once; single browser tests, which share
    nothing but the server and are the longest."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith("tests/e2e/") else nodeid.split("::")[0]
