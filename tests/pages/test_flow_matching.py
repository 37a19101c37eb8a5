"""Chapter 6 without a browser: every control, what is drawn, what the captions claim, and the tasks."""

import pytest

from pages.ui.frame.text import t
from tests.reading import group, header, layers, messages, panels, tasks

SHOWN = {"predictions": "false"}
FIELD, PART, DISTANCE = (t(f"flow_matching.panels.{name}") for name in ("field", "part", "distance"))


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("flow_matching", **address)


def test_nothing_gives_the_answer_away_before_the_prediction(chapter):
    def shown(app):
        return len(panels(app)), "straightness" in header(app)["alt"], bool(messages(app, "success"))

    app = chapter()
    assert shown(app) == (1, False, False)
    app.button(key="_guess_bent").click().run()
    assert shown(app) == (3, True, True)


def test_one_data_point_makes_straight_paths_and_is_a_task(chapter):
    app = chapter(**SHOWN)
    assert layers(panels(app)[FIELD]) == ["points", "arrows", "path"]
    assert not tasks(app)["straight_path"]
    app.select_slider(key="pairs").set_value(1).run()
    assert "0.00" in panels(app)[FIELD]["caption"] and tasks(app)["straight_path"]
    assert app.query_params["pairs"] == "1"


def test_the_clock_goes_to_the_right_on_the_curve_of_the_loss_too(chapter):
    panel = panels(chapter(**SHOWN))[PART]
    assert "marker" in panel["arrays"] and panel["x"] == [1.0, 0.0]


def test_the_number_of_steps_changes_the_cloud_and_its_distance(chapter):
    app = chapter(**SHOWN, show="euler")
    assert t("flow_matching.panels.steps", count=4) in panels(app)
    group(app, "show").set_value("euler").run()
    app.select_slider(key="steps").set_value(1).run()
    assert panels(app)[t("flow_matching.panels.steps", count=1)]["caption"] == t("flow_matching.floors.1")
    assert tasks(app)["on_the_mean"] and DISTANCE in panels(app)
