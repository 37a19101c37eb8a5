"""Chapter 5 without a browser: every scene and control, what the captions claim, training, and the tasks."""

import json
import re

import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.lessons import guidance as guidance_lesson
from core.lessons.guidance import MODELS, GuidanceConfig
from pages.ui.lessons import guidance as guidance_scenes
from pages.ui.runs import training_run
from tests.reading import done, group, header, layers, panels

torch.set_num_threads(1)
SHOWN = {"predictions": "false"}
VERDICT = re.compile(r"(\d+)% hit · (\d+)% cover · ([\d.]+)(?: off|% outside)")
SCENES = ("two fields", "one place", "eight scales", "negative prompt", "beyond", "train live")


@pytest.fixture
def chapter(open_page):
    def show(scene: str, **address: str) -> AppTest:
        return open_page("guidance", **SHOWN, show=scene, **address)

    return show


@pytest.fixture
def fresh_registry():
    training_run.jobs.clear()
    yield
    training_run.jobs().close()
    training_run.jobs.clear()


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return app.run()


def test_samples_and_scales_are_kept_back_until_the_prediction_is_made(open_page):
    app = open_page("guidance")
    assert list(panels(app)) == ["Both fields, and what is between them", "Angle between the two, in degrees"]
    assert not app.slider and not any(part.key == "show" for part in app.get("button_group"))
    app.button(key="_guess_c").click().run()
    assert any("Now choose" in caption.value for caption in app.caption)
    assert group(app, "show").options == list(SCENES)
    group(app, "show").set_value("eight scales").run()
    assert "As you predicted" in app.success[0].value


@pytest.mark.parametrize("scene", SCENES)
def test_every_control_of_a_scene_can_be_moved(chapter, scene, fresh_registry):
    app = chapter(scene)
    group(app, "wanted").set_value("dog").run()
    for select in list(app.selectbox):
        app.selectbox(key=select.key).set_value(select.options[-1]).run()
    for part in ("negative", "dropout"):
        if any(each.key == part for each in app.get("button_group")):
            group(app, part).set_value(group(app, part).options[0]).run()
    for slider in list(app.slider):
        app.slider(key=slider.key).set_value(5.5).run()
    for slider in list(app.select_slider):
        app.select_slider(key=slider.key).set_range("0.02", "0.5").run()
    for number in list(app.number_input):
        app.number_input(key=number.key).increment().run()
    assert panels(app)


@pytest.mark.parametrize("name", [*MODELS, guidance_scenes.EXACT])
def test_every_model_has_a_picture_in_words_and_numbers(chapter, name):
    assert f"the {name} model told nothing, told cat" in header(chapter("two fields", model=name))["alt"]


def test_the_two_fields_and_their_difference_are_three_arrows_at_each_place(chapter):
    drawn = panels(chapter("two fields"))
    first = drawn["Both fields, and what is between them"]
    assert layers(first) == ["points", "arrows", "arrows", "arrows"]
    assert {layer["n"] for layer in first["layers"][1:]} == {guidance_scenes.SIDE**2}
    assert [layer["roles"][0] for layer in first["layers"][1:]] == ["difference", "unconditional", "conditional"]


def test_the_angle_is_a_curve_with_the_clock_on_it_small_at_first_and_large_where_the_arms_are_told_apart(chapter):
    panel = panels(chapter("two fields"))["Angle between the two, in degrees"]
    angles = [int(caption.split("°")[0]) for caption in panel["caption"]]
    assert "marker" in panel["arrays"] and angles[0] < 5 and angles[guidance_scenes.PARTING] == max(angles) > 90


def test_the_formula_is_filled_in_with_numbers_in_both_conventions(chapter):
    app = chapter("one place", scale="3")
    first, second = panels(app).values()
    numbers = [float(n) for n in re.findall(r"[\d.]+(?=[,)])|-[\d.]+(?=[,)])", first["caption"][10].replace("−", "-"))]
    u, d, guided = numbers[:2], numbers[2:4], numbers[4:]
    assert all(abs(a + 3 * b - g) < 0.04 for a, b, g in zip(u, d, guided, strict=True))
    parts = guidance_lesson.anatomy(
        GuidanceConfig(2, scale=3),
        guidance_scenes.subjects()["converged"]().model,
        guidance_scenes.POINTS.rms,
        guidance_scenes.PROBE,
    )
    drawn = guidance_scenes.DRAWN[10, 0] * parts.guided[10]
    assert guided == pytest.approx(drawn.tolist(), abs=0.006)  # where the arrow ends on the axes
    assert second["caption"][10].startswith("(1 + s) c − s u = 3 (") and "− 2 (" in second["caption"][10]
    assert "s = w − 1 = 2" in app.caption[0].value
    assert layers(first) == ["points"] + ["arrows"] * 5 and first["probe"]


def test_the_place_in_the_address_decides_the_numbers(chapter):
    here, there = (panels(chapter("one place", probe=place))["Guidance at the probe"] for place in ("0,0.5", "0.6,0"))
    assert here["caption"] != there["caption"]


@pytest.mark.parametrize("nonsense", ["here", "nan,0", "99,9"])
def test_a_place_that_is_none_is_ignored_with_a_notice(chapter, nonsense):
    app = chapter("one place", probe=nonsense)
    assert panels(app) and "probe" in app.toast[0].value


def verdicts(app: AppTest) -> list[tuple[float, ...]]:
    return [tuple(map(float, VERDICT.search(panel["caption"]).groups())) for panel in panels(app).values()]


def test_eight_scales_show_that_a_converged_model_needs_no_guidance_and_what_too_much_costs(chapter):
    told = verdicts(chapter("eight scales"))
    assert len(told) == 8 and 28 <= told[0][0] <= 38
    assert told[2][0] >= 99 and told[3][0] >= 99
    assert told[7][1] < 85 and told[7][2] >= 5  # % outside of the picture


@pytest.mark.parametrize("address", [{"wanted": "dog"}, {"model": "plain network"}, {"model": guidance_scenes.EXACT}])
def test_the_prediction_is_compared_only_beside_the_model_and_class_that_it_was_about(chapter, address):
    assert "Nearly all" in chapter("eight scales").info[0].value
    assert not chapter("eight scales", **address).info


def test_the_price_is_said_in_numbers_that_are_means_over_the_classes(chapter):
    app = chapter("eight scales")
    assert any("Means over the three classes, 300 samples each" in element.value for element in app.markdown)
    (table,) = (element.value for element in app.markdown if element.value.startswith("| w |"))
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    scales = [float(w) for w in rows[0][1:]]
    said = {row[0]: dict(zip(scales, map(float, row[1:]), strict=True)) for row in rows[2:]}
    assert said["hit rate"][1] > 0.99 and 0.93 < said["hit rate, plain network"][1] < 0.97
    assert said["hit rate"][2] > 0.99 and 0.98 < said["hit rate, plain network"][2] < 0.998
    assert [said["spread"][w] for w in (1, 2, 4)] == pytest.approx([1, 0.87, 0.62], abs=0.035)
    assert said["coverage"][12] < 0.6 and said["distance × 10"][12] > 1


def test_eight_scales_show_that_guidance_sharpens_a_weak_model(chapter):
    hits = [hit for hit, _, _ in verdicts(chapter("eight scales", model="plain network"))]
    assert hits[2] < 92 and hits[3] >= 95 and hits[4] >= 98


def test_the_price_of_guidance_is_a_curve_beside_another_models_hit_rate(chapter):
    figure = json.loads(chapter("eight scales").get("plotly_chart")[0].proto.spec)
    names = [trace["name"] for trace in figure["data"]]
    assert names == ["hit rate", "hit rate, plain network", "coverage", "spread", "distance × 10"]


def test_a_negative_prompt_shows_both_classes_and_the_red_field(chapter):
    app = chapter("negative prompt", model="plain network")
    fields, plain, away = panels(app).values()
    assert [layer["roles"][0] for layer in fields["layers"][1:]] == ["difference", "negative", "conditional"]
    assert layers(away) == ["arrows", "points", "points"] and away["layers"][0]["roles"] == ["guided"]
    dogs = [float(re.search(r"dog ([\d.]+)%", panel["caption"])[1]) for panel in (plain, away)]
    assert dogs[0] > 2 and dogs[1] == 0


def test_where_there_is_nothing_to_remove_a_button_leads_to_a_model_that_has_it(chapter):
    app = press(chapter("negative prompt"), "Try the plain network")
    assert app.selectbox(key="model").value == "plain network" and len(panels(app)) == 3
    assert not any(button.key == "_lose" for button in app.button)


def test_the_note_on_a_negative_prompt_says_what_the_picture_says(chapter):
    shares = []
    for scale in ("2", "1.25"):
        app = chapter("negative prompt", model="plain network", scale=scale)
        shares += [re.search(r"dog ([\d.]+)%", p["caption"])[1] for p in list(panels(app).values())[1:]]
    assert shares == ["3.3", "0.0", "6.3", "4.3"]
    (note,) = (element.value for element in app.markdown if "The unwanted class goes" in element.value)
    assert "3.3 % dogs" in note and "from 6.3 to 4.3 %" in note


def test_what_is_drawn_as_arrows_is_an_arrow_in_the_notes_and_not_the_shape_of_a_class(chapter):
    (notes,) = (element.value for element in chapter("two fields").markdown if "Told nothing**" in element.value)
    assert notes.count("→</span>") == 3 and "■" not in notes


@pytest.mark.parametrize("scale", ["1", "2"])
def test_the_hint_says_what_the_picture_says(chapter, scale):
    app = chapter("negative prompt", model="plain network", scale=scale)
    hit = float(re.search(r"cat ([\d.]+)%", panels(app)["No negative prompt"]["caption"])[1])
    (hint,) = (found for element in app.markdown for found in re.findall(r"it is \d+ % at w = 1.*w = 2", element.value))
    assert f"{hit:.0f} % at w = {scale}" in hint


def test_a_class_is_no_negative_of_itself(chapter):
    app = chapter("negative prompt")
    assert group(app, "negative").options == ["person", "dog"]
    group(app, "wanted").set_value("dog").run()
    assert group(app, "negative").options == ["person", "cat"] and len(panels(app)) == 3


def test_an_interval_and_autoguidance_stand_beside_plain_guidance(chapter):
    drawn = panels(chapter("beyond", scale="4"))
    spread = [float(panel["caption"].split("spread ")[1]) for panel in drawn.values()]
    assert spread[1] < spread[2] < spread[0] and spread[1] < spread[3]


def test_absurd_values_in_the_address_leave_the_defaults_and_a_notice(chapter):
    app = chapter("beyond", scale="1e9", model="../../etc", seed="-3", wanted="cow", weak="nobody")
    assert panels(app) and app.slider(key="scale").value == 2 and app.selectbox(key="model").value == "converged"
    assert "scale=1e9" in app.toast[0].value


# Training here


def test_training_begins_from_nothing_and_its_model_can_be_looked_at(chapter, fresh_registry):
    app = chapter("train live")
    assert "trained earlier" in " ".join(m.value for m in app.markdown)
    app = press(press(app, "Step"), "Step")
    assert "step 2" in " ".join(m.value for m in app.markdown)
    assert list(panels(app)) == ["Told nothing", "Told cat, w = 1", "Told cat, w = 2", "Loss"]
    group(app, "show").set_value("eight scales").run()
    app.selectbox(key="model").set_value(guidance_scenes.OWN).run()
    assert len(panels(app)) == 8 and app.selectbox(key="model").value == guidance_scenes.OWN


def test_a_live_picture_is_small_enough_to_be_sent_twice_a_second(chapter, fresh_registry):
    app = press(chapter("train live"), "Step")
    sent = [part.proto.bytes for part in app.get("bidi_component") if "player" in part.proto.component_name]
    assert len(sent[0]) < 25_000


def test_the_run_of_chapter_5_is_not_offered_as_one_of_chapter_2(chapter, open_page, fresh_registry):
    app = press(chapter("train live"), "Step")
    other = open_page("vector_field", guess="b")
    for key in ("_viewer", "_runs", "_latest"):
        other.session_state[key] = app.session_state[key]
    assert "your run in chapter 2" not in other.run().selectbox(key="model").options


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

    app = press(open_page("training", guess="b"), "Step")
    app = press(turn_to(chapter("train live"), app), "Step")
    for _ in range(2):
        app = turn_to(chapter("two fields"), app)
    assert guidance_scenes.OWN in app.selectbox(key="model").options
    for _ in range(2):
        app = turn_to(open_page("vector_field", guess="b"), app)
    assert "your run in chapter 2" in app.selectbox(key="model").options
    assert guidance_scenes.OWN in turn_to(chapter("two fields"), app).selectbox(key="model").options


def test_dropout_makes_a_run_of_its_own(chapter, fresh_registry):
    app = press(chapter("train live"), "Step")
    group(app, "dropout").set_value("0").run()
    assert "untrained network" in " ".join(m.value for m in app.markdown)
    press(app, "Step")
    recipes = [key[1] for key in app.session_state["_runs"]]
    assert [recipe.label_dropout for recipe in recipes] == [0.1, 0] and all(recipe.conditional for recipe in recipes)


def test_the_tasks_check_themselves(chapter, fresh_registry):
    assert done(chapter("two fields")) == [False, False, False]
    assert done(chapter("negative prompt", model="plain network")) == [False, False, False]
    assert done(chapter("negative prompt", model="plain network", scale="3")) == [True, False, False]
    assert done(chapter("beyond", scale="4", wanted="person")) == [False, True, False]
    app = press(chapter("train live", dropout="0"), "Step")
    assert done(app) == [False, False, False]
    run_id, viewer = next(iter(app.session_state["_runs"].values())), app.session_state["_viewer"]
    training_run.jobs().step(run_id, viewer, 300)
    assert done(app.run()) == [False, False, True]
