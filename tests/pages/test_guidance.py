"""Chapter 5 without a browser: the prediction, every control, training, and the tasks."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.frame.text import t
from pages.ui.lessons.guidance import SCENES
from pages.ui.lessons.guidance_config import CONTROLS, EARLY, MODELS, OWN, STRONG, WEAK
from pages.ui.runs import training_run
from tests.reading import group, header, messages, panels, tasks, texts

SHOWN = {"predictions": "false"}
OTHERS = {"model": WEAK, "wanted": "person", "negative": "dog", "scale": "5.5", "seed": "1", "dropout": "0.3",
          "interval": "0.02,0.5", "weak": "spiral-classes-50", "negative_model": STRONG, "negative_scale": "5.5",
          "beyond_scale": "5.5", "beyond_model": WEAK}  # fmt: skip


@pytest.fixture
def chapter(open_page):
    def show(scene: str, **address: str) -> AppTest:
        return open_page("guidance", **SHOWN | {"show": scene} | address)

    return show


def press(app: AppTest, key: str) -> AppTest:
    return app.button(key=key).click().run()


def drawn(app: AppTest) -> list[str]:
    """The controls of the scene that the page draws."""
    kinds = ("selectbox", "button_group", "slider", "select_slider", "number_input")
    return [part.key for kind in kinds for part in app.get(kind) if part.key not in ("show", "lang")]


def test_samples_and_scales_wait_for_the_prediction(open_page):
    app = open_page("guidance")
    assert len(panels(app)) == 2 and sorted(drawn(app)) == ["model", "wanted"]
    press(app, "_guess_nearly_all")
    assert "show" in [part.key for part in app.get("button_group")] and not messages(app, "success")
    press(app, "_guess_decide")
    assert messages(app, "success") and app.query_params["show"] == "weak_and_converged"


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_every_control_of_a_scene_is_drawn_and_changes_its_picture(chapter, scene):
    plain = chapter(scene)
    assert sorted(drawn(plain)) == sorted(CONTROLS[scene])
    others = {name: OTHERS[name] for name in CONTROLS[scene]}
    moved = chapter(scene, **others)
    assert header(moved) != header(plain) and not moved.toast
    assert dict(moved.query_params) == SHOWN | ({} if scene == "two_fields" else {"show": scene}) | others


def test_a_moved_control_changes_the_picture_and_the_address(chapter):
    app = chapter("beyond")
    before = header(app)
    app.select_slider(key="interval").set_range(0.02, 0.5).run()
    assert header(app) != before and app.query_params["interval"] == "0.02,0.5"


@pytest.mark.slow
def test_a_class_is_not_offered_as_a_negative_of_itself(chapter):
    app = chapter("negative_prompt")
    assert len(group(app, "negative").options) == 2 and group(app, "negative").value == "person"
    group(app, "wanted").set_value("person").run()
    assert group(app, "negative").value == "dog" and len(panels(app)) == 3


@pytest.mark.slow
def test_the_place_in_the_address_decides_the_numbers(chapter):
    here, there = (list(panels(chapter("one_place", probe=place)).values())[0] for place in ("0,0.5", "0.6,0"))
    assert here["caption"] != there["caption"] and here["probe"]


@pytest.mark.slow
def test_what_an_address_cannot_mean_is_ignored_with_a_notice(chapter):
    absurd = {
        "beyond_scale": "1e9",
        "beyond_model": "../../etc",
        "seed": "-3",
        "wanted": "cow",
        "weak": "nobody",
        "interval": "1,0.1",
    }
    app = chapter("beyond", **absurd)
    assert (
        panels(app) and app.slider(key="beyond_scale").value == 4 and app.selectbox(key="beyond_model").value == EARLY
    )
    assert "beyond_scale=1e9" in app.toast[0].value and set(app.query_params) == {"predictions", "show"}
    for place in ("here", "nan,0", "99,9"):
        assert "probe" in chapter("one_place", probe=place).toast[0].value


@pytest.mark.slow
def test_the_prediction_is_compared_only_in_the_scene_and_with_the_class_that_it_was_about(chapter):
    asked = chapter("weak_and_converged", predictions="true", guess="nearly_all")
    assert messages(asked, "success") and messages(chapter("weak_and_converged"), "info")
    assert not messages(chapter("weak_and_converged", wanted="dog"), "info") and not messages(
        chapter("eight_scales"), "info"
    )


@pytest.mark.slow
def test_the_curves_are_drawn_and_said_in_numbers(chapter):
    app = chapter("eight_scales")
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    (table,) = (said for said in texts(app) if said.startswith("| w |"))
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert [row[0] for row in rows[2:]] == [trace["name"] for trace in figure["data"]]
    assert len(rows[2:]) == 5 and all(len(row) == 9 for row in rows)


@pytest.mark.slow
def test_where_there_is_nothing_to_remove_a_button_leads_to_a_model_that_has_it(chapter):
    app = press(chapter("negative_prompt", negative_model=STRONG), "_weak")
    assert app.selectbox(key="negative_model").value == WEAK and "negative_model" not in app.query_params
    assert not any(button.key == "_weak" for button in app.button)


@pytest.mark.slow
def test_the_settings_of_the_negative_prompt_are_its_own(chapter):
    app = chapter("eight_scales", model="spiral-classes-50", seed="3")
    group(app, "show").set_value("negative_prompt").run()
    assert app.selectbox(key="negative_model").value == WEAK and app.slider(key="negative_scale").value == 1.25
    app.slider(key="negative_scale").set_value(5.0).run()
    group(app, "show").set_value("one_place").run()
    assert app.selectbox(key="model").value == "spiral-classes-50" and app.slider(key="scale").value == 2


# Training here


@pytest.mark.slow
def test_training_begins_from_nothing_and_its_model_can_be_looked_at(chapter, fresh_registry):
    app = press(press(chapter("train_live"), "_step"), "_step")
    assert len(panels(app)) == 4 and header(app)["alt"].startswith(t("guidance.train_live.alt", step=2, captions=""))
    sent = [part.proto.bytes for part in app.get("bidi_component") if "player" in part.proto.component_name]
    assert len(sent[0]) < 25_000  # it is sent twice a second
    group(app, "show").set_value("eight_scales").run()
    app.selectbox(key="model").set_value(OWN).run()
    assert len(panels(app)) == 8 and app.query_params["model"] == OWN


def test_without_a_run_here_its_model_is_not_offered(chapter, fresh_registry):
    assert len(chapter("two_fields").selectbox(key="model").options) == len(MODELS) - 1


@pytest.mark.slow
def test_runs_of_chapters_2_and_5_are_both_kept_and_each_is_offered_where_it_belongs(
    chapter, open_page, fresh_registry, monkeypatch
):
    now = [0.0]
    monkeypatch.setattr(training_run.jobs(), "clock", lambda: now[0])

    def turn_to(other: AppTest, app: AppTest) -> AppTest:
        """The same visitor on another page, a minute and a half later."""
        now[0] += 90
        for key in ("_viewer", "_runs", "_latest"):
            other.session_state[key] = app.session_state[key]
        other.run()
        training_run.jobs().sweep()
        return other

    def offers(app: AppTest) -> list[str]:
        return app.selectbox(key="model").options

    mine, theirs = t("labels.models.own_class_run"), t("labels.models.own_run")
    app = press(chapter("train_live"), "_step")
    app = turn_to(open_page("vector_field", guess="small_sigma"), app)
    assert theirs not in offers(app)
    app = press(turn_to(open_page("training", **SHOWN), app), "_step")
    for _ in range(2):
        app = turn_to(chapter("two_fields"), app)
    assert mine in offers(app)
    for _ in range(2):
        app = turn_to(open_page("vector_field", guess="small_sigma"), app)
    assert theirs in offers(app)
    assert mine in offers(turn_to(chapter("two_fields"), app))


@pytest.mark.slow
def test_dropout_makes_a_run_of_its_own(chapter, fresh_registry):
    app = press(chapter("train_live"), "_step")
    group(app, "dropout").set_value(0.0).run()
    press(app, "_step")
    recipes = [key[1] for key in app.session_state["_runs"]]
    assert [recipe.label_dropout for recipe in recipes] == [0.1, 0] and all(recipe.conditional for recipe in recipes)


@pytest.mark.slow
def test_training_without_dropout_is_a_task_done_after_some_hundred_steps(chapter, fresh_registry):
    app = press(chapter("train_live", dropout="0"), "_step")
    assert tasks(app) == {"sharp_without_negative": False, "spread_kept": False, "no_dropout": False}
    run_id, viewer = next(iter(app.session_state["_runs"].values())), app.session_state["_viewer"]
    training_run.jobs().step(run_id, viewer, 300)
    assert tasks(app.run())["no_dropout"]
