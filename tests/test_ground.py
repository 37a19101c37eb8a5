"""What a new user meets first: the two commands, the pins, the settings, the first seconds of a process."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.figures import palette

ROOT = Path(__file__).parents[1]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())


def commands() -> list[str]:
    return [
        line.strip() for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("python3 -m venv")
    ]


def lines(name: str) -> list[str]:
    return (ROOT / name).read_text().split("\n")[:-1]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_readme_has_two_commands_that_set_themselves_up():
    start, test = commands()
    assert start.endswith("pip install -q -r requirements.txt && .venv/bin/streamlit run app.py")
    assert test.endswith("pip install -q -r tests/requirements.txt && .venv/bin/python -m pytest")


def test_ci_runs_the_test_command_of_the_readme():
    assert commands()[1] in lines(".ci/run")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("name", ["requirements.txt", "tests/requirements.txt"])
def test_every_requirement_is_pinned_exactly(name):
    loose = [
        line for line in lines(name) if not re.fullmatch(r"[\w-]+==[\d.]+(post\d+)?|-r \.\./requirements\.txt", line)
    ]
    assert not loose


def test_the_garbage_collector_does_not_follow_each_run():
    assert CONFIG["runner"]["postScriptGC"] is False


def test_an_expression_that_stands_alone_is_not_printed_on_a_page():
    assert CONFIG["runner"]["magicEnabled"] is False


def test_a_first_start_asks_for_nothing_and_tells_nobody():
    assert CONFIG["server"]["showEmailPrompt"] is False
    assert CONFIG["browser"]["gatherUsageStats"] is False


def test_no_traceback_is_shown_to_a_visitor():
    assert CONFIG["client"]["showErrorDetails"] == "none"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_has_the_palettes_paper_and_ink(theme):
    colours = CONFIG["theme"][theme]
    assert colours["backgroundColor"] == palette.BACKGROUND[theme]
    assert colours["textColor"] == palette.INK[theme]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind, least", [("textColor", 7), ("linkColor", 4.5), ("primaryColor", 4.5)])
def test_the_theme_is_read_with_ease(theme, kind, least):
    colours = CONFIG["theme"][theme]
    for paper in ("backgroundColor", "secondaryBackgroundColor"):
        assert contrast(colours[kind], colours[paper]) >= least


@pytest.mark.slow
def test_a_process_is_warmed_up_once_frozen_and_single_threaded():
    script = """
import gc, sys
import app
from pages.ui.frame.warmup import warm_up
assert "torch" not in sys.modules
thread = warm_up(0.0)
assert warm_up(0.0) is thread
thread.join()
import torch
print(torch.get_num_threads(), gc.get_freeze_count() > 100_000)
"""
    given = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=given, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "True"], done.stderr


@pytest.mark.slow
def test_the_frame_imports_neither_torch_nor_matplotlib():
    script = "import sys; from pages.ui.frame import shell; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_the_app_starts():
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not app.exception and not app.error
