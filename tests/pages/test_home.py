"""Chapter 0 without a browser: five panels, every control, its links, and what it says of the server."""

import json
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from streamlit.testing.v1 import AppTest

from tests.reading import group

ROOT = Path(__file__).parents[2]
APP = """
import streamlit as st
from pages.ui.frame import shell_old as shell

page = st.navigation(shell.chapters())
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
    """The stage as it goes to the browser."""
    assert not app.exception and not app.error
    parts = [part.proto for part in app.get("bidi_component")]
    return next(part.bytes for part in parts if part.component_name.startswith("stage_player"))


def drawn(app: AppTest) -> list[dict]:
    """The panels of the stage."""
    whole = sent(app)
    return json.loads(whole[4 : 4 + struct.unpack("<I", whole[:4])[0]])["panels"]


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_the_story_has_five_panels_on_one_clock():
    titles = [panel["title"] for panel in drawn(home())]
    assert titles == ["Data", "→ Noise", "→ Field", "→ Samples", "→ Guided samples"]


def test_a_fresh_page_is_drawn_without_torch():
    script = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_string({APP!r}, default_timeout=60).run()
assert app.get("bidi_component") and not app.exception, app.exception
print("torch" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr


def test_every_control_changes_the_picture_without_an_exception():
    app = home(**SHOWN)
    seen = [sent(app)]
    for key, value in (("class", "person"), ("model", "early"), ("w", 8)):
        seen.append(sent(group(app, key).set_value(value).run()))
    seen.append(sent(app.number_input(key="seed").set_value(3).run()))
    assert len(set(seen)) == 5


def test_an_address_sets_every_control():
    app = home(**SHOWN, **{"class": "dog", "w": "4", "model": "early", "seed": "7"})
    values = [group(app, key).value for key in ("class", "w", "model")]
    assert [*values, app.number_input(key="seed").value] == ["dog", 4, "early", 7]
    assert drawn(app)[-1]["caption"][-1].endswith("dog’s arm")


def test_other_noise_is_kept_back_until_the_prediction_is_made():
    app = home()
    assert not app.number_input
    app.button(key="_guess_a").click().run()
    app.number_input(key="seed").set_value(1).run()
    assert "**You predicted:** on the same points" in app.info[0].value


def test_each_link_leads_to_a_page_that_is_there():
    links = [link.proto for link in home().get("page_link")]
    chapters = ["training", "forward_noise", "vector_field", "sampling", "guidance"]
    assert [link.page for link in links] == chapters
    assert links[0].query_string == "data=your+drawing" and links[1].query_string == "scene=Dissolve"


def test_the_captions_say_which_half_of_the_clock_it_is():
    noise, samples = drawn(home())[1]["caption"], drawn(home())[3]["caption"]
    assert noise[0] == "out: 100% on the spiral" and samples[0] == "waiting, at σ = 5"
    assert noise[-1] == "stays noise, at σ = 5" and samples[-1].startswith("back: ")


def test_the_runs_of_the_server_are_counted_and_nothing_else_is_told(monkeypatch):
    census = Counter(running=2, queued=1, paused=2)
    live = SimpleNamespace(jobs=lambda: SimpleNamespace(census=lambda: census))
    monkeypatch.setitem(sys.modules, "pages.ui.runs.training_run", live)
    assert "Models: 2 training, 1 waiting, 2 paused." in texts(home())


def test_a_server_on_which_nobody_trained_says_so(monkeypatch):
    monkeypatch.delitem(sys.modules, "pages.ui.runs.training_run", raising=False)
    assert "No model is being trained." in texts(home())


def test_the_citation_holds_the_controls():
    assert home(**{"class": "dog"}).get("code")[-1].value.endswith("?class=dog")


def test_a_presentation_leaves_the_small_print_out():
    app = home(present="true")
    assert drawn(app) and "To present" not in texts(app)
