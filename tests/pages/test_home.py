"""The home page without a browser: its controls, its links, and what it says of the server."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.frame import shell
from pages.ui.frame.text import t
from tests.reading import group, header, messages, texts

ROOT = Path(__file__).parents[2]
APP = """
import streamlit as st
from pages.ui.frame import shell

page = st.navigation(shell.navigation())
with shell.frame("home"):
    page.run()
"""
SHOWN = {"predictions": "false"}


def home(**address: str) -> AppTest:
    """The page in its frame beside the pages that it links to."""
    app = AppTest.from_string(APP, default_timeout=60)
    for name, value in address.items():
        app.query_params[name] = value
    return app.run()


def sent(app: AppTest) -> bytes:
    """The stage as it goes to the browser, without the number of its turn."""
    assert not app.exception and not app.error
    parts = [part.proto for part in app.get("bidi_component")]
    return next(part.bytes[:-8] for part in parts if part.component_name.startswith("stage_player"))


def test_a_fresh_page_is_drawn_without_torch_and_without_pandas():
    script = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_string({APP!r}, default_timeout=60).run()
assert app.get("bidi_component") and not app.exception, app.exception
print(sorted({{"torch", "pandas"}} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.slow
def test_every_control_changes_the_picture_and_the_address():
    app = home(**SHOWN)
    seen = [sent(app)]
    for key, value in (("wanted", "person"), ("model", "spiral-classes-100"), ("w", 8)):
        seen.append(sent(group(app, key).set_value(value).run()))
    seen.append(sent(app.number_input(key="seed").set_value(3).run()))
    assert len(set(seen)) == 5
    there = {"wanted": "person", "model": "spiral-classes-100", "w": "8", "seed": "3"}
    assert dict(app.query_params) == SHOWN | there
    assert sent(home(**SHOWN, **there)) == seen[-1]
    assert app.get("code")[-1].value.split("?")[-1] == "wanted=person&model=spiral-classes-100&w=8&seed=3"


@pytest.mark.slow
def test_other_noise_is_kept_back_until_the_prediction_is_made():
    app = home()
    assert not app.number_input and len(header(app)["panels"]) == 5
    app.button(key="_guess_same_points").click().run()
    assert not messages(app, "info")
    app.button(key="_guess_decide").click().run()
    assert app.number_input(key="seed").value == 1 and len(messages(app, "info")) == 1
    app.number_input(key="seed").set_value(0).run()
    assert not messages(app, "info")


def test_each_link_leads_to_a_page_that_is_there_and_knows_the_address():
    links = [(link.proto.page, link.proto.query_string) for link in home().get("page_link")]
    panels = [("training", "data=drawing"), ("forward_noise", "show=dissolve"), ("vector_field", ""), ("sampling", "")]
    chapters = [(name, "") for section in shell.SECTIONS.values() for name in section]
    following = [("forward_noise", "")]  # in the header and at the foot
    assert links == [*following, *panels, ("guidance", ""), *chapters, *following]


def test_each_chapter_is_listed_with_its_sentence():
    said = texts(home())
    assert all(t(f"{name}.sentence") in said for section in shell.SECTIONS.values() for name in section)


@pytest.mark.slow
def test_the_runs_of_the_server_are_counted_and_nothing_else_is_told(monkeypatch):
    monkeypatch.delitem(sys.modules, "pages.ui.runs.training_run", raising=False)
    assert t("home.census.none") in texts(home())
    census = Counter(running=2, queued=1, paused=2)
    live = SimpleNamespace(jobs=lambda: SimpleNamespace(census=lambda: census))
    monkeypatch.setitem(sys.modules, "pages.ui.runs.training_run", live)
    counts = ", ".join(t(f"home.census.{status}", runs=runs) for status, runs in census.items())
    assert t("home.census.models", counts=counts) in texts(home())


@pytest.mark.slow
def test_a_presentation_leaves_the_small_print_out():
    assert t("home.lecture.present") in texts(home())
    app = home(present="true")
    assert sent(app) and t("home.lecture.present") not in texts(app)
