"""Chapter 6 without a browser: every control, what is drawn, what the captions claim, and the tasks."""

import pytest

from pages.ui.frame.text import t
from tests.reading import group, header, layers, messages, panels, tasks, texts

SHOWN = {"predictions": "false"}
FIELD, PART, DISTANCE = (t(f"flow_matching.panels.{name}") for name in ("field", "part", "distance"))


PERFECT = t("flow_matching.table.perfect")


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
    assert layers(panels(app)[FIELD]) == ["points", "points", "arrows", "path"]
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


def test_the_batch_of_optimal_transport_changes_the_lines_and_their_crossings(chapter):
    app = chapter(**SHOWN, show="couplings")
    assert not tasks(app)["few_crossings"]
    app.select_slider(key="batch").set_value(64).run()
    shown = panels(app)[t("flow_matching.panels.transport", batch=64)]
    crossings = int(shown["caption"].split()[0])
    assert layers(shown) == ["points", "line", "points"] and crossings < 100 and tasks(app)["few_crossings"]
    app.select_slider(key="batch").set_value(256).run()
    assert app.query_params["show"] == "couplings" and "batch" not in app.query_params


def test_with_classes_the_starts_are_coloured_and_the_batch_has_one_size(chapter):
    app = chapter(**SHOWN, show="couplings", classes="true")
    shown = panels(app)
    assert list(shown) == [
        t("flow_matching.panels.independent"),
        t("flow_matching.panels.transport", batch=512),
        t("flow_matching.panels.lengths"),
    ]
    assert [part.key for part in app.select_slider] == []
    assert not any(PERFECT in said for said in texts(app))
    app.toggle(key="classes").set_value(False).run()
    assert any(PERFECT in said for said in texts(app))
    assert [part.key for part in app.select_slider] == ["batch"]


def test_a_shift_is_shown_in_levels_samples_and_pictures(chapter):
    app = chapter(**SHOWN, show="shift")
    shown = panels(app)
    assert [t(f"flow_matching.shifted.{shift}") in shown for shift in (1, 3, 8)] == [True] * 3
    app.select_slider(key="level").set_value(1.0).run()
    app.selectbox(key="image").set_value("snail").run()
    assert layers(panels(app)[t("flow_matching.panels.sizes", level=1)]) == ["images"]
    assert app.query_params["image"] == "snail" and app.query_params["level"] == "1"


def test_chapter_1_leads_to_what_a_shift_does(open_page):
    app = open_page("forward_noise", show="schedules")
    assert ("flow_matching", "show=shift") in [
        (link.proto.page, link.proto.query_string) for link in app.get("page_link")
    ]
