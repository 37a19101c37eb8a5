"""Chapter 6 without a browser: its runs, the shipped models in few steps, chord and tangent."""

import time
from types import SimpleNamespace

import pytest

from core.data import drawings
from core.lessons import few_steps as lesson
from core.lessons.few_steps import CALLS, CHORDS, MEAN, REFLOW
from pages.ui.frame import text
from pages.ui.frame.text import t
from pages.ui.lessons import flow_live
from pages.ui.lessons.flow_config import Config
from pages.ui.lessons.flow_live import OWN_FROM
from pages.ui.runs import training_run
from tests.reading import header, layers, messages, panels, tasks, texts

pytestmark = pytest.mark.usefixtures("fresh_registry")

SHOWN = {"predictions": "false"}


@pytest.fixture
def chapter(open_page):
    return lambda show, **address: open_page("flow_matching", **SHOWN, show=show, **address)


def panel(app, name: str) -> dict:
    return panels(app)[t(f"flow_matching.panels.{name}")]


def view(app):
    (run,) = app.session_state["_runs"].values()
    return training_run.jobs().look(run, app.session_state["_viewer"])


def trained(app, steps: int, seconds: float = 60):
    """The page after so many steps of its run."""
    app.button(key="_main").click().run()
    end = time.monotonic() + seconds
    while view(app).step < steps:
        assert time.monotonic() < end, view(app)
        time.sleep(0.05)
    app.button(key="_main").click().run()
    return app.run()


def test_every_model_stands_beside_the_others_with_its_numbers(chapter):
    app = chapter("few_steps")
    for calls in (CALLS[0], CALLS[2]):
        app.select_slider(key="calls").set_value(calls).run()
        found = lesson.recorded_accuracy(REFLOW, calls)
        caption = panels(app)[text.label("models", REFLOW)]["caption"]
        assert caption == t("flow_matching.captions.accuracy", w=found.wasserstein, d=found.distance)
    assert len(panels(app)) == len(lesson.MODELS)


def test_the_step_of_the_chord_ends_nearer_to_the_path_s_end(chapter):
    for model in (CHORDS, MEAN):
        app = chapter("chords", mean=model)
        captions = [panel(app, name)["caption"][0] for name in ("tangent", "chord")]
        missed = [float(caption.rsplit(" ", 1)[1]) for caption in captions]
        assert missed[1] < 0.5 * missed[0]


def test_a_source_opens_with_a_shipped_flow_and_shows_both_ways_through_a_place(chapter):
    app = chapter("transport")
    assert layers(panel(app, "flow")) == ["points", "points", "path", "path"]
    before = panel(app, "flow")["caption"]
    moved = chapter("transport", probe="-1,0.5")
    assert panel(moved, "flow")["caption"] != before and not messages(moved, "error")


def test_a_flow_between_sets_of_one_s_own_is_trained_and_is_a_task(chapter):
    app = chapter("transport", source="gaussian", data="moons")
    assert t("runs.standing.untrained") in " ".join(texts(app)) and not tasks(app)["own_map"]
    app = trained(app, OWN_FROM)
    assert tasks(app)["own_map"] and header(app)["alt"].count(f"{view(app).picture.step:,}")


def test_a_drawing_of_one_point_is_refused_in_one_sentence(chapter):
    app = chapter("transport", data="drawing", draw=drawings.encode([[(0.5, 0.5)]]))
    assert len(app.error) == 1 and not app.exception


@pytest.mark.slow
def test_straight_paths_to_a_cloud_are_no_task_and_those_to_the_spiral_are(chapter):
    app = chapter("reflow")
    assert not tasks(app)["straightened"]
    app = trained(app, OWN_FROM + 150)
    assert view(app).picture.straightness < 0.05 and not tasks(app)["straightened"]
    config = Config(show="reflow")
    shipped = SimpleNamespace(picture=training_run.initial_picture(flow_live.request_of(config)))
    assert flow_live.tasks(config, shipped)["straightened"]


def test_a_drawing_can_be_the_source(chapter):
    app = chapter("transport", source="drawing", draw=drawings.encode([[(0.1, 0.1), (0.9, 0.5), (0.2, 0.8)]]))
    assert len(layers(panel(app, "source"))) == 1 and t("runs.standing.untrained") in " ".join(texts(app))
    dot = chapter("transport", source="drawing", draw=drawings.encode([[(0.5, 0.5)]]))
    assert len(dot.error) == 1 and not dot.exception
