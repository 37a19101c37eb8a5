"""Chapter 1 without a browser: every control, the prediction, and the tasks."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.frame.text import entry, t
from pages.ui.lessons.forward_noise import CONTROLS, SCENES
from tests.reading import group, header, messages, tasks

JUMPING = {"show": "walk_and_jump", "guess": "same", "jumps": "true"}
OTHERS = {"jumps": True, "source": "data", "steps": 5, "stride": 1.4, "schedule": "cosine", "view": "ve", "seed": 1,
          "data": "rings", "image": "boot", "density": False, "shift": 3}  # fmt: skip


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("forward_noise", **address)


def drawn(app: AppTest) -> dict[str, object]:
    """The widgets of the scene by the names of their controls."""
    frame = ("show", "predictions", "present", "lang")
    kinds = ("selectbox", "select_slider", "number_input", "toggle", "button_group")
    return {part.key: part for kind in kinds for part in app.get(kind) if part.key not in frame}


@pytest.mark.parametrize("scene", SCENES)
def test_every_control_of_a_scene_moves_and_is_in_the_address(chapter, scene):
    app = chapter(show=scene, guess="same")
    names = {name for row in CONTROLS[scene] for name in row if name}
    assert set(drawn(app)) == names
    for name in sorted(names):
        drawn(app)[name].set_value(OTHERS[name])
    app.run()
    assert header(app)["T"] > 1
    assert {name: app.query_params[name] for name in names} == {name: str(OTHERS[name]).lower() for name in names}
    assert max(len(part.proto.bytes) for part in app.get("bidi_component")) < 1_000_000


def test_a_fresh_page_shows_the_image_as_a_point_and_as_squares(chapter):
    titles = [panel["title"] for panel in header(chapter())["panels"]]
    assert titles == [t("forward_noise.panels.point"), t("forward_noise.panels.squares")]


@pytest.mark.slow
def test_jumps_and_their_explanation_wait_for_the_prediction(chapter):
    app = chapter(show="walk_and_jump")
    assert "jumps" not in drawn(app) and len(header(app)["panels"]) == 1
    app.button(key="_guess_same").click().run()
    assert "jumps" in drawn(app) and not messages(app, "success")
    app.toggle(key="jumps").set_value(True).run()
    assert messages(app, "success") and len(header(app)["panels"]) == 2
    assert not messages(chapter(**JUMPING, stride="1.4"), "success")  # there the clouds are not the same


def test_that_both_clouds_are_the_same_is_said_while_the_jumps_are_hidden_only_without_questions(chapter):
    result = entry("forward_noise.jumps_hidden.notes")[0]["text"].split(", for")[0]

    def said(**address: str) -> bool:
        return any(result in part.value for part in chapter(show="walk_and_jump", **address).markdown)

    assert said(predictions="false") and not said(predictions="false", stride="1.4")
    assert not said() and not said(guess="nearer")


def test_an_answer_stays_in_the_address_while_another_scene_is_on(chapter):
    app = chapter(show="schedules", guess="farther")
    assert app.query_params["guess"] == "farther" and not app.toast
    group(app, "show").set_value("walk_and_jump").run()
    assert "jumps" in drawn(app)


@pytest.mark.slow
def test_the_tasks_check_themselves(chapter):
    for address, done in (
        ({}, set()),
        ({"start": "-0.95,0.9"}, {"black_and_white"}),
        ({**JUMPING, "source": "data", "steps": "5"}, {"five_steps"}),
        ({"show": "schedules", "schedule": "log-linear"}, {"easiest_schedule"}),
    ):
        assert {name for name, each in tasks(chapter(**address)).items() if each} == done


@pytest.mark.parametrize("start", ["9,9", "1", "nan,0", "a,b", "1,2,3"])
def test_a_nonsense_start_in_the_address_is_ignored_with_a_notice(chapter, start):
    app = chapter(start=start)
    assert not app.exception
    assert [f"start={start}" in toast.value for toast in app.toast] == [True]
