"""Chapter 3 without a browser: every control, what is drawn, what the captions claim, and the tasks."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from core.data.points import make
from core.models.points import PointConfig
from pages.ui.runs import training_run
from pages.ui.runs.point_runs import PointTraining
from pages.ui.widgets import dataset_picker
from tests.reading import done, group, layers, panels

SHOWN = {"predictions": "false"}
COSINES = re.compile(r"mean (-?[\d.]+), to the nearest (-?[\d.]+)")


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("vector_field", **address)


def sent(app: AppTest) -> str:
    """The words that go to the stage."""
    parts = [part.proto for part in app.get("bidi_component")]
    return next(str(part.bytes) for part in parts if part.component_name.startswith("stage_player"))


def test_the_difference_is_kept_back_until_the_prediction_is_made(chapter):
    app = chapter()
    assert list(panels(app)) == ["Learned", "Exact"] and not app.get("button_group")[0].key == "show"
    app = app.button(key="_guess_b").click().run()
    assert list(panels(app)) == ["Learned", "Exact", "Difference"]


def test_nothing_gives_the_answer_away_before_the_prediction(chapter):
    def told(app):
        return "\n".join([m.value for m in app.markdown]), bool(app.get("plotly_chart"))

    words, chart = told(chapter())
    assert not chart and "difference" not in words.lower() and "relative error" not in sent(chapter())
    words, chart = told(chapter(guess="a"))
    assert chart and "**The difference**" in words and "relative error" in sent(chapter(guess="a"))


def test_after_the_prediction_the_next_step_is_named_until_it_is_done(chapter):
    def hint(app):
        return any("Now show the *error*" in caption.value for caption in app.caption)

    assert not hint(chapter()) and hint(chapter(guess="a")) and not hint(chapter(guess="a", show="error"))


def test_every_control_changes_the_page_without_an_exception(chapter):
    app = chapter(**SHOWN)
    for scene in ("error", "one place"):
        group(app, "show").set_value(scene).run()
        assert len(panels(app)) == 2
    app.selectbox(key="model").set_value("Fourier network").run()
    app.radio(key="view").set_value("variance preserving").run()
    app.toggle(key="density").set_value(False).run()
    assert "heat" not in layers(panels(app)["Exact"])
    app.select_slider(key="slide").set_value("0.01").run()
    group(app, "file").set_value("pdf").run()
    assert len(panels(app)) == 2


def test_the_captions_say_that_arrows_point_to_the_mean_first_and_to_the_nearest_point_last(chapter):
    seen = panels(chapter(**SHOWN))
    for title, sure in (("Learned", 0.8), ("Exact", 0.99)):
        mean, nearest = map(float, COSINES.search(seen[title]["caption"][0]).groups())
        assert mean > sure and nearest < 0.6
    mean, nearest = map(float, COSINES.search(seen["Exact"]["caption"][-1]).groups())
    assert nearest > 0.99 and mean < 0.6


def test_the_error_is_a_curve_with_the_clock_on_it_and_a_rival_beside_it(chapter):
    panel = panels(chapter(**SHOWN, show="error"))["Relative error of the field"]
    assert "marker" in panel["arrays"] and layers(panel) == ["line", "line"]


def test_an_endless_data_set_is_compared_with_its_own_exact_field_and_no_rival(chapter):
    app = chapter(**SHOWN, show="error", model="Fourier network, endless moons")
    assert layers(panels(app)["Relative error of the field"]) == ["line"]
    assert "2,000 even points" in app.caption[0].value


def test_the_place_in_the_address_decides_the_numbers_and_the_arrows(chapter):
    app = chapter(**SHOWN, show="one place", probe="-0.8,-0.9")
    assert "x = (−0.80, −0.90)" in app.caption[0].value
    panel = panels(app)["Exact"]
    assert panel["caption"][-1].startswith("x̂₀ (−0.") and "score (" in panel["caption"][-1]
    assert layers(panel) == ["heat", "points", "arrows", "arrows", "arrows", "points"]


@pytest.mark.parametrize("nonsense", ["here", "nan,0", "1,2,3", "9,9"])
def test_a_place_that_is_none_is_ignored_with_a_notice(chapter, nonsense):
    app = chapter(**SHOWN, show="one place", probe=nonsense)
    assert "x = (0.70, −0.80)" in app.caption[0].value
    assert "probe" in app.toast[0].value


def test_a_place_beyond_the_window_is_moved_to_its_edge(chapter):
    assert "x = (1.20, −1.20)" in chapter(**SHOWN, show="one place", probe="2,-2").caption[0].value


def test_the_tasks_check_themselves(chapter):
    assert done(chapter(**SHOWN)) == [False, False, False]
    assert done(chapter(**SHOWN, model="Fourier network", view="variance preserving")) == [True, False, True]
    assert done(chapter(**SHOWN, show="one place", probe="1.1,1.1")) == [False, True, False]


def test_the_learners_own_run_of_chapter_2_can_be_looked_at(open_page):
    plan = PointTraining(dataset_picker.Data(make("rings", 100), True), PointConfig(seed=77))
    run_id = training_run.jobs().join(plan.work(), "me", held=True)
    training_run.jobs().step(run_id, "me")
    app = open_page("vector_field", guess="b")
    assert "your run in chapter 2" not in app.selectbox(key="model").options
    app.session_state["_viewer"], app.session_state["_runs"] = "me", {plan.key: run_id}
    app.session_state["_latest"] = {plan.kind: plan}
    app.run().selectbox(key="model").set_value("your run in chapter 2").run()
    assert not app.exception and not app.error
    training_run.jobs().leave(run_id, "me")
    assert app.run().selectbox(key="model").value == "reference network"
