"""Chapter 1 without a browser: every control, what is drawn, and the tasks."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.reading import done, header

SCENES = ("Two pixels", "Walk and jump", "Dissolve", "Schedules")
JUMPING = {"scene": "Walk and jump", "guess": "c", "jumps": "true"}


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("forward_noise", **address)


def titles(app: AppTest) -> list[str]:
    return [panel["title"] for panel in header(app)["panels"]]


def said(app: AppTest) -> str:
    """All text of the page that is Markdown or HTML."""
    return "\n".join([element.value for element in app.markdown] + [element.proto.body for element in app.get("html")])


def moved(app: AppTest) -> Iterator[str]:
    """Move each control in turn to another value than it has, and run."""
    for kind in ("selectbox", "select_slider", "number_input", "toggle", "button_group"):
        for key in [control.key for control in app.get(kind) if control.key not in ("scene", "predictions", "present")]:
            control = next(control for control in app.get(kind) if control.key == key)
            if kind == "toggle":
                control.set_value(not control.value)
            elif kind == "number_input":
                control.increment()
            else:
                control.set_value(next(o for o in control.options if str(o) != str(control.value)))
            app.run()
            yield key


@pytest.mark.parametrize(("scene", "controls"), [
    ("Two pixels", {"schedule", "view", "seed"}),
    ("Walk and jump", {"schedule", "view", "seed", "data", "jumps", "from", "steps", "stride"}),
    ("Dissolve", {"schedule", "view", "seed", "data", "image", "density"}),
    ("Schedules", {"schedule", "view", "seed", "data"}),
])  # fmt: skip
def test_every_control_of_every_scene_moves_without_an_exception(chapter, scene: str, controls: set[str]):
    app = chapter(scene=scene, guess="c", jumps="true")
    seen = set()
    for key in moved(app):
        assert header(app)["T"] > 1
        seen.add(key)
    assert seen == controls


def test_a_fresh_page_shows_the_image_as_a_point_and_as_squares(chapter):
    assert titles(chapter()) == ["The image as a point", "The image as a picture"]


def test_jumps_and_their_explanation_wait_for_the_prediction(chapter):
    app = chapter(scene="Walk and jump")
    assert "jumps" not in {toggle.key for toggle in app.toggle}
    assert titles(app) == ["200 times from one point"]
    assert "add up to one" not in said(app)
    app = chapter(**JUMPING)
    assert titles(app) == ["200 times from one point", "How different are the clouds?"]
    assert any("As you predicted" in box.value for box in app.success)


def test_an_answer_stays_in_the_address_while_another_scene_is_on(chapter):
    app = chapter(scene="Schedules", guess="b")
    assert app.query_params["guess"] == "b" and not app.toast


def test_five_schedules_stand_side_by_side_with_their_curves(chapter):
    scene = header(chapter(scene="Schedules", schedule="karras"))
    assert [panel["title"] for panel in scene["panels"]] == [
        "ddpm-linear", "cosine", "log-linear", "karras (chosen)", "rectified-flow", "log(signal / noise) over t"
    ]  # fmt: skip
    assert "marker" in scene["panels"][-1]["arrays"]


def test_a_cloud_over_its_density_and_a_picture_share_one_clock(chapter):
    cloud, picture = header(chapter(scene="Dissolve", image="boot"))["panels"]
    assert [layer["kind"] for layer in cloud["layers"]] == ["heat", "points"]
    assert picture["title"] == "One picture of 784 numbers"


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_travels_in_less_than_a_megabyte(chapter, scene: str):
    app = chapter(scene=scene, guess="c", jumps="true")
    assert max(len(part.proto.bytes) for part in app.get("bidi_component")) < 1_000_000


def test_the_tasks_check_themselves(chapter):
    assert done(chapter()) == [False, False, False]
    assert done(chapter(start="-0.95,0.9")) == [True, False, False]
    assert done(chapter(**JUMPING, steps="1")) == [False, True, False]
    assert done(chapter(scene="Schedules", schedule="log-linear")) == [False, False, True]


@pytest.mark.parametrize("start", ["9,9", "1", "nan,0", "a,b", "1,2,3"])
def test_a_nonsense_start_in_the_address_is_ignored_with_a_notice(chapter, start: str):
    app = chapter(start=start)
    assert not app.exception
    assert [f"start={start}" in toast.value for toast in app.toast] == [True]
