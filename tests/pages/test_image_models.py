"""Image models without a browser: films come in the background, every control, the tasks, models of one's own."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE
from core.lessons import image_models as image_lesson
from core.lessons.image_models import MULTISTEP
from core.pretrained import pretrained
from core.problems import Problem
from core.runs.jobs import View
from pages.ui.frame import links, text
from pages.ui.frame.text import t
from pages.ui.lessons import own_models
from pages.ui.runs import background_films, training_run
from tests.reading import group, header, messages, panels, small_print, tasks

SHOWN = {"predictions": "false", "model": "digits", "steps": "3", "w": "1"}


@pytest.fixture
def chapter(open_page) -> Callable[..., AppTest]:
    return lambda **address: open_page("image_models", **address)


def formed(app: AppTest) -> AppTest:
    """The page once its films are finished."""
    return until(app, lambda: header(app)["T"] > 1 or not app.get("progress"))


def until(app: AppTest, condition: Callable[[], bool]) -> AppTest:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
        app.run()
    assert condition() and not app.exception
    return app


def titles(*samplers: str) -> list[str]:
    return [text.label("samplers", sampler) for sampler in samplers]


# The prediction


def test_what_happens_without_the_noise_is_kept_back_until_the_prediction_is_made(chapter):
    app = formed(chapter())
    assert len(panels(app)) == 1
    assert not any(part.key == "show" for part in app.get("button_group")) and not messages(app, "info")
    assert not any(t("image_models.table.blurred") in each.value for each in app.markdown)
    app = formed(app.button(key="_guess_ghosts").click().run())
    assert not messages(app, "success") and app.query_params["guess"] == "ghosts"
    app = formed(app.button(key="_guess_decide").click().run())
    assert list(panels(app)) == titles(DDPM, DDPM_NO_NOISE, DDIM, MULTISTEP) and messages(app, "success")


# A request in words


REQUEST = {"predictions": "false", "steps": "2"}


def table(app: AppTest) -> str:
    """The table of what was asked for and got."""
    return next(each.value for each in app.markdown if t("image_models.request.asked_for") in each.value)


def test_people_come_at_once_with_what_was_asked_for_beside_what_was_got(chapter):
    app = chapter(predictions="false")
    assert header(app)["T"] == 21 and not app.get("progress")
    asked = [row.split("|")[1].strip() for row in table(app).splitlines()[2:]]
    names = [text.label("attributes", name) for name in image_lesson.FIRST_PEOPLE]
    assert sorted(asked[:-1]) == sorted(names) and asked[-1] == t("image_models.request.all")


@pytest.mark.parametrize(("ask", "avoid"), [("a red hat", "glasses"), ("红帽子", "眼镜")])
def test_words_of_either_language_ask_for_attributes_and_avoid_others(chapter, ask, avoid):
    rows = table(formed(chapter(**REQUEST, ask=ask, avoid=avoid))).splitlines()
    kinds = text.label("attributes", "hat")
    glasses = text.label("attribute_values", "glasses")
    asked = [kinds, text.label("attribute_values", "red"), t("image_models.request.unwanted", values=glasses)]
    assert [row.split("|")[2].strip() for row in rows[2:-1]] == asked


def test_words_that_name_no_attribute_are_named_and_others_hold(chapter):
    app = formed(chapter(**REQUEST, ask="a woman with a beard"))
    assert "woman" in messages(app, "info")[0] and not app.error and text.label("attributes", "beard") in table(app)


@pytest.mark.parametrize("ask", ["bald with long hair", "борода"])
def test_words_that_cannot_be_read_are_refused_in_a_sentence(chapter, ask):
    app = chapter(**REQUEST, ask=ask)
    assert len(app.error) + len(messages(app, "info")) == 1 and not app.exception


def test_an_empty_request_of_classes_has_classes_to_choose_from(chapter):
    app = formed(chapter(**SHOWN))
    assert app.selectbox(key="label").value == "every_class" and not any(each.key == "ask" for each in app.text_input)


@pytest.mark.slow
def test_what_decides_is_the_picture_of_people(chapter):
    app = formed(chapter(model="digits", steps="3", guess="ghosts"))
    assert not messages(app, "success")
    assert messages(formed(app.button(key="_guess_decide").click().run()), "success")


# Films


def test_the_first_view_of_a_shipped_model_is_there_at_once(chapter):
    app = chapter(predictions="false", model="digits")
    assert header(app)["T"] == 21 and not app.get("progress") and not any(tasks(app).values())


@pytest.mark.slow
def test_other_films_form_in_the_background_and_are_then_there_for_all(chapter):
    app = chapter(**SHOWN, seed="901")
    assert header(app)["T"] == 1
    formed(app)
    assert header(app)["T"] == 4 and header(app)["start"] == 3 and not app.get("progress")
    assert header(chapter(**SHOWN, seed="901"))["T"] == 4


@pytest.mark.slow
def test_only_the_films_that_are_not_there_yet_are_made(chapter, monkeypatch):
    formed(chapter(**SHOWN, seed="902"))
    asked, real = [], image_lesson.sample
    monkeypatch.setattr(image_lesson, "sample", lambda model, some: asked.append(some) or real(model, some))
    formed(chapter(**SHOWN, seed="902", second="heun"))
    assert [[request.sampler for request in some] for some in asked] == [["heun"]]


def test_who_changes_a_control_waits_no_longer_for_the_old_films(chapter):
    app = chapter(**SHOWN | {"steps": "100"}, seed="903")
    first = app.session_state["_background"]
    app.number_input(key="seed").set_value(904).run()
    second = app.session_state["_background"]
    assert training_run.jobs().key_of(first) is None and training_run.jobs().key_of(second)[2][0].seed == 904
    training_run.jobs().leave(second, app.session_state["_viewer"])


@pytest.mark.slow
def test_films_that_failed_say_so_and_can_be_tried_again(chapter, monkeypatch):
    def failing(*_):
        raise Problem("unequal_steps")
        yield

    with monkeypatch.context() as broken:
        broken.setattr(image_lesson, "sample", failing)
        app = chapter(**SHOWN, seed="905")
        until(app, lambda: app.error)
        assert text.problem(Problem("unequal_steps")) in app.error[0].value and not app.get("progress")
    assert header(formed(app.button(key="_try_again").click().run()))["T"] == 4


def test_no_more_films_are_kept_than_there_is_room_for():
    first = background_films.kept("test", "0")
    first.append("a film")
    assert background_films.kept("test", "0") is first
    for number in range(1, background_films.KEPT + 1):
        background_films.kept("test", str(number))
    assert not background_films.kept("test", "0")
    background_films.kept.cache_clear()


# Controls and tasks


@pytest.mark.slow
def test_every_control_changes_the_page_without_an_exception(chapter):
    app = formed(chapter(**SHOWN))
    for change in (
        lambda: app.slider(key="w").set_value(3.0),
        lambda: app.selectbox(key="label").set_value("7"),
        lambda: app.selectbox(key="negative").set_value("1"),
        lambda: app.number_input(key="steps").set_value(4),
        lambda: app.radio(key="second").set_value("heun"),
        lambda: app.select_slider(key="n").set_value(6),
        lambda: app.number_input(key="seed").set_value(3),
        lambda: group(app, "of").set_value("guess"),
        lambda: group(app, "show").set_value("nearest_training_image"),
        lambda: app.selectbox(key="by").set_value(DDIM),
        lambda: group(app, "show").set_value("guidance"),
        lambda: app.selectbox(key="label").set_value("no_class"),
        lambda: group(app, "show").set_value("train"),
    ):
        change().run()
        assert not app.exception and not app.error and header(app)["panels"]


@pytest.mark.slow
def test_in_the_guidance_scene_the_scale_is_no_control_and_a_task_can_be_done(chapter):
    app = formed(chapter(**SHOWN | {"label": "4"}, show="guidance", negative="9"))
    assert app.slider(key="w").disabled and tasks(app)["away"] and not tasks(app)["few_calls"]


def test_numbers_stand_under_finished_films_and_beside_real_images(chapter):
    app = formed(chapter(**SHOWN))
    assert t("image_models.metrics") in small_print(app)
    group(app, "show").set_value("nearest_training_image").run()
    formed(app)
    assert any(t("image_models.nearest_training_image.whose.training") in said for said in small_print(app))


@pytest.mark.slow
def test_another_model_forgets_a_class_that_it_does_not_have(chapter):
    app = formed(chapter(**SHOWN | {"label": "7"}, negative="1"))
    app.selectbox(key="model").set_value("fashion").run()
    assert not app.exception and app.selectbox(key="label").value == "every_class"
    assert app.selectbox(key="negative").value == "no_negative" and "label" not in app.query_params


def test_a_value_that_no_control_can_have_is_ignored_with_a_notice(chapter):
    app = chapter(**SHOWN | {"label": "Cat"})
    assert not app.exception and "label=Cat" in app.toast[0].value and "label" not in app.query_params


# Models of one's own


def test_a_model_of_ones_own_can_be_chosen(chapter, monkeypatch):
    checkpoint = pretrained("digits")
    monkeypatch.setattr(own_models, "models", lambda: {"own_digits": lambda: checkpoint, "file:mine": None})
    app = formed(chapter(**SHOWN | {"model": "own_digits"}))
    assert app.selectbox(key="model").value == "own_digits" and len(panels(app)) == 1
    labels = [text.label("models", "own_digits"), t("image_models.models.file", name="mine")]
    assert app.selectbox(key="model").options[-2:] == labels


@pytest.mark.slow
def test_a_model_that_still_trains_is_held_as_it_was_until_a_newer_one_is_asked_for(chapter, monkeypatch):
    view, taken = View("run", (), "running", None, None, 70, 1.0, None, 0, None, 1, None, {}), []

    def training():
        net = copy.deepcopy(pretrained("digits"))
        net.state.step = 70 + len(taken)
        next(net.denoiser.parameters()).data += 1e-3 * (1 + len(taken))
        taken.append(net)
        return net

    monkeypatch.setattr(own_models, "models", lambda: {"own_digits": training})
    monkeypatch.setattr(training_run, "newest", lambda kind: view if kind == "digits" else None)
    app = formed(chapter(**SHOWN | {"model": "own_digits"}))
    assert len(taken) == 1 and not any(button.key == "_newer" for button in app.button)
    view = replace(view, step=view.step + 1)
    app.run()
    assert len(taken) == 1 and app.button(key="_newer").label == t("image_models.newer", step=71)
    app.button(key="_newer").click().run()
    assert len(taken) == 2 and not any(button.key == "_newer" for button in app.button)
    assert header(formed(app))["T"] == 4 and len(taken) == 2


def test_a_model_that_is_gone_is_reported_and_a_shipped_one_stands_in(chapter, monkeypatch):
    def gone():
        raise Problem("digits_other")

    monkeypatch.setattr(own_models, "models", lambda: {"own_digits": gone})
    app = chapter(**SHOWN | {"model": "own_digits", "steps": "20"})
    assert app.error[0].value == links.plain(text.problem(Problem("digits_other"))) and not app.exception
