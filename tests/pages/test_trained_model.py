"""Chapter 7 without a browser: the prediction, every control, bad drawings, the tasks."""

import pytest

from core.data import drawings
from core.diffusion import editing
from core.lessons import trained_model as core_lesson
from pages.ui.frame.text import t
from pages.ui.lessons import trained_model as lesson
from pages.ui.lessons.trained_model_config import CONTROLS, Config, drawn_points, given_points, refusal
from tests.reading import group, header, layers, messages, panels, small_print, tasks

SHOWN = {"predictions": "false"}
CIRCLE = drawings.encode([[[0.2, 0.5], [0.5, 0.8], [0.8, 0.5], [0.5, 0.2], [0.2, 0.5]]])
DOT = drawings.encode([[[0.5, 0.5]]])


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("trained_model", **SHOWN | address)


def test_the_curves_and_the_level_wait_for_the_prediction(open_page):
    app = open_page("trained_model")
    assert len(panels(app)) == 1 and not messages(app, "info")
    assert not [each for each in app.select_slider if each.key == "sigma"]
    app.button(key="_guess_both").click().run()
    assert len(panels(app)) == 2 and not messages(app, "info")
    app.button(key="_guess_decide").click().run()
    assert app.select_slider(key="sigma").value == 2 and len(messages(app, "info")) == 1


def test_the_right_answer_is_confirmed(open_page):
    app = open_page("trained_model", guess="farther_start", sigma="2")
    assert messages(app, "success")


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["fix_a_part", "invert", "likelihood", "measurement"])
def test_every_scene_has_three_panels_and_a_text_alternative(chapter, scene: str):
    found = header(chapter(show=scene))
    assert len(found["panels"]) == 3 and found["alt"]


@pytest.mark.slow
def test_every_control_changes_the_page_and_its_address(chapter):
    app = chapter(show="invert")
    group(app, "origin").set_value("person").run()
    group(app, "back").set_value("same").run()
    app.select_slider(key="steps").set_value(20).run()
    group(app, "model").set_value("exact").run()
    assert dict(app.query_params) == SHOWN | {
        "show": "invert", "origin": "person", "back": "same", "steps": "20", "model": "exact",
    }  # fmt: skip
    group(app, "show").set_value("measurement").run()
    app.radio(key="measured").set_value("negative").run()
    assert {each.key for each in app.slider} == {"negative_scale", "positive_scale"}
    assert "wanted" not in [part.key for part in app.get("button_group")]
    app.slider(key="positive_scale").set_value(1.0).run()
    assert group(app, "wanted").value == "cat"


def test_each_scene_draws_controls_that_exist():
    others = {"guess", "show", "of", "measured", "draw", "paint", "probe"}
    assert {name for names in CONTROLS.values() for name in names} | others == set(Config.__dataclass_fields__)


def test_a_drawing_stands_where_it_was_drawn():
    x = drawn_points(CIRCLE)
    assert x.shape == (core_lesson.N, 2) and x.abs().max() < 1.5 and x.mean(0).abs().max() < 0.05


@pytest.mark.parametrize("written, code", [(DOT, "drawing_dot"), (None, "drawing_empty")])
def test_a_drawing_without_a_line_is_refused_and_the_circle_stays(chapter, written, code: str):
    config = Config(shape="drawing", draw=written)
    assert refusal(config).code == code and given_points(config).equal(core_lesson.shape("circle"))
    app = chapter(shape="drawing", **({"draw": written} if written else {}))
    said = [each.value for each in app.error] if written else small_print(app)[:1]
    key = "refused" if written else "nothing_drawn"
    assert not app.exception and len(said) == 1
    assert said[0].endswith(t(f"trained_model.start_at_sigma.{key}", error="").strip())


def test_the_clock_of_a_start_goes_out_to_the_level_and_back():
    scene = lesson.start_at_sigma(Config(sigma=1.0, model="exact"))
    sigmas = scene.clock.values
    assert sigmas[0] == 0 and sigmas[lesson.OUT] == 1.0 and sigmas[-1].item() == pytest.approx(core_lesson.SIGMA_MIN)
    assert len(scene.clock.label) == len(sigmas)
    shown = scene.panels[0].layers[2].xy
    noised = editing.add_noise(core_lesson.shape("circle"), 1.0, 0)
    assert shown[lesson.OUT].allclose(noised / 2**0.5, atol=1e-5)


def test_with_the_exact_denoiser_both_kinds_of_guidance_have_the_same_arrows():
    scene = lesson.by_class(Config(show="measurement"))
    first, second = (panel.layers[-1].by for panel in scene.panels[:2])
    assert (first - second).abs().max() < 1e-4
    learned = lesson.by_class(Config(show="measurement", class_model="learned"))
    first, second = (panel.layers[-1].by for panel in learned.panels[:2])
    assert (first - second).abs().max() > 1e-2


def test_the_captions_of_samples_are_true_of_the_frame_that_is_shown():
    scene = lesson.by_negative(Config(show="measurement", measured="negative", negative_scale=2.0))
    captions = scene.panels[1].caption
    assert len(captions) == len(scene.clock.values) and captions[0] != captions[-1]
    assert captions[-1].endswith(t("trained_model.captions.reached", shares="", reached=4))


def test_the_probe_of_the_address_decides_the_table(chapter):
    first, second = (chapter(show="likelihood", probe=place) for place in ("0,0.9", "1.9,0.3"))
    tables = [next(part.value for part in app.markdown if "| :--" in part.value) for app in (first, second)]
    assert tables[0] != tables[1]
    assert "heat" in layers(panels(first)[t("trained_model.panels.model_density")])


def test_the_small_print_names_what_is_measured(chapter):
    assert t("trained_model.fix_a_part.hint").split(":")[0] in small_print(chapter(show="fix_a_part"))[0]


@pytest.mark.slow
def test_the_tasks_check_themselves(chapter):
    for address, expected in (
        ({}, set()),
        ({"sigma": "0.3"}, {"compromise"}),
        ({"show": "fix_a_part", "value": "-0.6"}, {"hard_value"}),
        ({"show": "measurement", "measured": "negative", "negative_scale": "1"}, {"own_scale"}),
    ):
        assert {name for name, each in tasks(chapter(**address)).items() if each} == expected


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["start_at_sigma", "fix_a_part", "invert", "likelihood", "measurement"])
def test_a_scene_is_shown_with_people_too(open_page, scene: str):
    config = Config(show=scene, of="people", sigma=0.3, measured="mosaic")
    lesson.SCENES[scene](config)  # the page finds the finished film
    app = open_page("trained_model", **SHOWN, show=scene, of="people", sigma="0.3", measured="mosaic")
    kinds = [kind for panel in panels(app).values() for kind in layers(panel)]
    assert set(kinds) == {"images"} and header(app)["alt"]
    assert not app.get("table") and "steps" not in {each.key for each in app.select_slider}
