"""What holds of every test of the pages: no scene takes much memory, whatever it shows."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pages.ui.runs import training_run

MOST = 300  # megabytes that a scene may take for a moment, on top of what the process has
PROCESS = Path("/proc/self")


@pytest.fixture(autouse=True)
def memory_is_bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test whose peak of memory is too high. Only Linux counts it in a way that can be set back."""
    keeps_frames = "drawn_once" in request.fixturenames  # of a whole film, which the app writes one by one
    if keeps_frames or not (PROCESS / "clear_refs").exists():
        yield
        return
    (PROCESS / "clear_refs").write_text("5")  # the peak is from now on
    before = megabytes("VmRSS")
    yield
    assert megabytes("VmHWM") - before <= MOST


def megabytes(kind: str) -> float:
    """Memory that the process has now ("VmRSS") or had at its peak ("VmHWM")."""
    return int(re.search(rf"{kind}:\s+(\d+)", (PROCESS / "status").read_text())[1]) / 1024


@pytest.fixture
def fresh_registry() -> Iterator[None]:
    """A registry of runs of the test's own, closed at its end."""
    training_run.jobs.cache_clear()
    yield
    training_run.jobs().close()
    training_run.jobs.cache_clear()
