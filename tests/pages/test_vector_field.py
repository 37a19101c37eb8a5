"""Chapter 3 without a browser: every control, what is drawn, what the captions claim, and the tasks."""

import re

import pytest

from core.data.points import make_points
from core.lessons.training import snapshot
from core.models.points import PointConfig
from pages.ui.frame.text import t
from pages.ui.lessons import vector_field as lesson
from pages.ui.runs import training_run
from pages.ui.runs.point_runs import PointTraining
from tests.reading import group, header, layers, messages, panels, small_print, tasks

SHOWN = {"predictions": "false"}
COSINES = re.compile(r"(-?[\d.]+)\D+(-?[\d.]+)")
LEARNED, EXACT, DIFFERENCE, ERROR = (t(f"vector_field.panels.{n}") for n in ("learned", "exact", "difference", "error"))


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("vector_field", **address)


def test_nothing_gives_the_answer_away_before_the_prediction(chapter):
    def told(app):
        error = t("vector_field.alt_error", coarse=0, fine=0, at="", fine_at="").split("0")[0]
        cosines = bool(panels(app)[LEARNED].get("caption"))
        return list(panels(app)), error in header(app)["alt"], cosines, len(tasks(app))

    app = chapter()
    assert told(app) == ([LEARNED, EXACT], False, False, 1)
    app.button(key="_guess_large_sigma").click().run()
    assert told(app) == ([LEARNED, EXACT, DIFFERENCE], True, True, 3)
    assert app.query_params["guess"] == "large_sigma"


@pytest.mark.slow
def test_after_the_prediction_a_button_leads_to_the_scene_that_decides(chapter):
    app = chapter(guess="small_sigma")
    assert not messages(app, "success") and not app.get("plotly_chart")
    app.button(key="_guess_decide").click().run()
    assert messages(app, "success") and app.get("plotly_chart") and group(app, "show").value == "error"


@pytest.mark.slow
def test_every_control_changes_the_page_and_its_address(chapter):
    app = chapter(**SHOWN)
    for scene in ("error", "one_place"):
        group(app, "show").set_value(scene).run()
        assert len(panels(app)) == 2
    app.selectbox(key="model").set_value("spiral-100-fourier").run()
    app.radio(key="view").set_value("vp").run()
    app.toggle(key="density").set_value(False).run()
    assert "heat" not in layers(panels(app)[EXACT])
    assert len(panels(app)) == 2
    assert dict(app.query_params) == SHOWN | {
        "show": "one_place", "model": "spiral-100-fourier", "view": "vp", "density": "false",
    }  # fmt: skip


def test_the_captions_say_that_arrows_point_to_the_mean_first_and_to_the_nearest_point_last(chapter):
    seen = panels(chapter(**SHOWN))
    for title, sure in ((LEARNED, 0.8), (EXACT, 0.99)):
        mean, nearest = map(float, COSINES.search(seen[title]["caption"][0]).groups())
        assert mean > sure and nearest < 0.6
    mean, nearest = map(float, COSINES.search(seen[EXACT]["caption"][-1]).groups())
    assert nearest > 0.99 and mean < 0.6


def test_the_error_is_a_curve_with_the_clock_on_it_and_a_rival_beside_it(chapter):
    panel = panels(chapter(**SHOWN, show="error"))[ERROR]
    assert "marker" in panel["arrays"] and layers(panel) == ["line", "line"]
    assert panel["x"][0] > panel["x"][1]  # as on the clock, the largest sigma is on the left


@pytest.mark.slow
def test_an_endless_data_set_is_compared_with_its_own_exact_field_and_no_rival(chapter):
    app = chapter(**SHOWN, show="error", model="moons")
    assert layers(panels(app)[ERROR]) == ["line"]
    assert t("vector_field.endless", n=2000) in small_print(app)[0]


def test_the_place_in_the_address_decides_the_numbers_and_the_arrows(chapter):
    app = chapter(**SHOWN, show="one_place", probe="-0.8,-0.9")
    assert "(−0.80, −0.90)" in small_print(app)[0]
    panel = panels(app)[EXACT]
    assert panel["caption"][-1].startswith("x̂₀ (−0.")
    assert layers(panel) == ["heat", "points", "arrows", "arrows", "arrows", "points"]


def test_a_place_beyond_the_window_is_moved_to_its_edge(chapter):
    assert "(1.20, −1.20)" in small_print(chapter(**SHOWN, show="one_place", probe="2,-2"))[0]


@pytest.mark.slow
def test_the_tasks_check_themselves(chapter):
    for address, expected in (
        ({}, set()),
        ({"model": "spiral-100-fourier", "view": "vp"}, {"small_error", "unit_gaussian"}),
        ({"show": "one_place", "probe": "1.1,1.1"}, {"far_apart"}),
    ):
        assert {name for name, each in tasks(chapter(**SHOWN, **address)).items() if each} == expected


@pytest.mark.slow
def test_the_learners_own_run_of_chapter_2_can_be_looked_at(open_page):
    request = PointTraining(make_points("rings", 100), PointConfig(seed=77), snapshot)
    run_id = training_run.jobs().join(request.work(), "me", held=True)
    training_run.jobs().step(run_id, "me")
    app = open_page("vector_field", guess="small_sigma")
    own = t("labels.models.own_run")
    assert own not in app.selectbox(key="model").options
    app.session_state["_viewer"], app.session_state["_runs"] = "me", {request.key: run_id}
    app.session_state["_latest"] = {request.kind: request}
    app.run().selectbox(key="model").set_value(lesson.OWN).run()
    # Only the reference network's error decides the question, so the card offers it.
    group(app, "show").set_value("error").run()
    assert not messages(app, "success") and app.button(key="_guess_decide")
    app.button(key="_guess_decide").click().run()
    assert messages(app, "success") and app.selectbox(key="model").value == lesson.REFERENCE
    group(app, "show").set_value("fields").run()
    app.selectbox(key="model").set_value(lesson.OWN).run()
    assert not app.exception and not app.error and own in header(app)["alt"]
    training_run.jobs().leave(run_id, "me")
    assert app.run().selectbox(key="model").value == lesson.REFERENCE
