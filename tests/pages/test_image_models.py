"""Chapter 8 without a browser: films come in the background, every control, what the numbers claim, tasks, links."""

import copy
import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE
from core.lessons import image_models as image_lesson
from core.lessons.image_models import MULTISTEP
from core.runs.jobs import View
from pages.ui.lessons import image_models as image_scenes
from pages.ui.runs import background_films, training_run
from tests.reading import done, group, header, layers, panels

SHOWN = {"predictions": "false", "model": "digits", "steps": "3", "w": "1"}
GARMENT = {"predictions": "false", "class": "Bag", "steps": "2", "n": "4"}


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


def table(app: AppTest) -> dict[str, list[str]]:
    """The numbers under the pictures by the names of their rows."""
    text = next(part.value for part in app.markdown if part.value.startswith("| Images"))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    return {name: cells for name, *cells in rows}


# The prediction


def test_what_happens_without_the_noise_is_kept_back_until_the_prediction_is_made(chapter):
    app = formed(chapter(model="digits", steps="3"))
    assert list(panels(app)) == [DDPM, DDIM, MULTISTEP]
    assert not any(part.key == "show" for part in app.get("button_group")) and not app.info
    app = formed(app.button(key="_guess_b").click().run())
    assert list(panels(app)) == [DDPM, DDPM_NO_NOISE, DDIM, MULTISTEP]
    assert "As you predicted" in app.success[0].value


# Films


def test_the_first_view_of_a_shipped_model_is_there_at_once(chapter):
    app = chapter(predictions="false", model="digits")
    assert header(app)["T"] == 21 and not app.get("progress")


def test_other_films_form_in_the_background_and_are_then_there_for_all(chapter):
    app = chapter(**SHOWN, seed="901")
    assert header(app)["T"] == 1
    formed(app)
    assert header(app)["T"] == 4 and header(app)["start"] == 3 and not app.get("progress")
    assert header(chapter(**SHOWN, seed="901"))["T"] == 4


def test_only_the_films_that_are_not_there_yet_are_made(chapter, monkeypatch):
    formed(chapter(**SHOWN, seed="902"))
    asked, real = [], image_lesson.sample
    monkeypatch.setattr(image_lesson, "sample", lambda model, takes: asked.append(takes) or real(model, takes))
    formed(chapter(**SHOWN, seed="902", second="heun"))
    assert [[take.sampler for take in takes] for takes in asked] == [["heun"]]


def test_who_changes_a_control_waits_no_longer_for_the_old_films(chapter):
    app = chapter(**SHOWN | {"steps": "100"}, seed="903")
    first = app.session_state["_background"]
    app.number_input(key="seed").set_value(904).run()
    second = app.session_state["_background"]
    assert training_run.jobs().key_of(first) is None and training_run.jobs().key_of(second)[2][0].seed == 904
    training_run.jobs().leave(second, app.session_state["_viewer"])


def test_films_that_failed_say_so_and_can_be_tried_again(chapter, monkeypatch):
    def failing(*_):
        raise ValueError("There is no room.")
        yield

    with monkeypatch.context() as broken:
        broken.setattr(image_lesson, "sample", failing)
        app = chapter(**SHOWN, seed="905")
        until(app, lambda: app.error)
        assert app.error[0].value == "There is no room." and not app.get("progress")
    assert header(formed(app.button(key="_try_again").click().run()))["T"] == 4


def test_no_more_films_are_kept_than_there_is_room_for():
    first = background_films.kept("test", "0")
    first.append("a film")
    assert background_films.kept("test", "0") is first
    for number in range(1, background_films.KEPT + 1):
        background_films.kept("test", str(number))
    assert not background_films.kept("test", "0")
    background_films.kept.cache_clear()


# Four samplers


def test_each_panel_says_its_calls_and_how_much_detail_its_images_have(chapter):
    app = formed(chapter(**SHOWN | {"w": "2"}, second="heun"))
    said = {title: panel["caption"] for title, panel in panels(app).items()}
    assert {title: int(text.split()[0]) for title, text in said.items()} == {
        DDPM: 6,
        DDPM_NO_NOISE: 6,
        DDIM: 6,
        "heun": 10,
    }
    found = table(app)
    assert all(said[title].endswith(f"detail {found[title][2]}") for title in said)
    assert found["the data"][2] == "100%" and "the data, each pixel the mean of 3 × 3" in found


def test_the_numbers_show_the_collapse_of_one_class_without_the_noise(chapter):
    app = formed(chapter(predictions="false", model="digits", steps="20", **{"class": "3"}))
    apart = {name: float(cells[-1]) for name, cells in table(app).items()}
    assert apart[DDPM_NO_NOISE] < 0.1 * apart[DDIM] and apart["the data"] > 0.4


def test_state_and_guess_are_seen_on_the_same_clock_and_end_alike(chapter):
    film = formed(chapter(**SHOWN, of=image_scenes.GUESS))
    assert header(film)["T"] == 4 and group(film, "of").value == image_scenes.GUESS
    guess, state = pixels_of(film), pixels_of(formed(chapter(**SHOWN)))
    assert guess[0] != state[0] and guess[-1] == state[-1]


def pixels_of(app: AppTest) -> list[bytes]:
    """The frames of the first panel's images."""
    sent = next(part.proto.bytes for part in app.get("bidi_component") if "player" in part.proto.component_name)
    body = sent[4 + int.from_bytes(sent[:4], "little") :]
    _, offset, length = header(app)["panels"][0]["layers"][0]["arrays"]["pixels"]
    size = length // header(app)["T"]
    return [body[at : at + size] for at in range(offset, offset + length, size)]


def test_the_text_alternative_names_classes_and_numbers(chapter):
    text = header(formed(chapter(**SHOWN)))["alt"]
    assert "sigma 80 to sigma 0" in text and "0, 1, 2, 3, 4, 5" in text
    assert re.search(r"DDPM, noise left out: 3 calls · detail \d+%", text)


# The other scenes


def test_every_sample_stands_over_its_nearest_training_image_beside_real_ones(chapter):
    app = formed(chapter(**GARMENT, show="nearest training image"))
    made, real = panels(app).values()
    assert layers(made) == ["images"] and made["layers"][0]["group"] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert made["layers"][0]["label"] == ["sample", "nearest training image"]
    assert real["layers"][0]["label"] == ["held-out image", "nearest training image"]
    distances = [float(name) for name in made["layers"][0]["names"] if name]
    assert len(distances) == 4 and f"{sum(distances) / 4:.2f}"[:3] == made["caption"].split()[-1][:3]
    assert "held-out real images from theirs" in " ".join(part.value for part in app.caption)


@pytest.mark.parametrize(("model", "seen"), [("Fashion-MNIST", False), ("digits", True)])
def test_real_images_are_called_unseen_only_where_the_model_has_not_seen_them(chapter, model, seen):
    app = formed(chapter(predictions="false", model=model, show="nearest training image", steps="2", n="4"))
    text = " ".join([part.proto.body for part in app.get("html")] + [part.value for part in app.markdown])
    assert ("that the model never saw" in text) is not seen and ("of the training set" in text) is seen


def test_the_sampler_whose_neighbours_are_shown_can_be_chosen(chapter):
    app = formed(chapter(**SHOWN, show="nearest training image", by=DDPM_NO_NOISE))
    assert DDPM_NO_NOISE in panels(app) and list(panels(app).values())[1]["layers"][0]["label"][0] == "training image"


def test_one_start_goes_under_several_scales(chapter):
    app = formed(chapter(**SHOWN | {"class": "4"}, show="guidance"))
    assert list(panels(app)) == ["w = 0", "w = 1", "w = 2", "w = 4", "w = 8"]
    assert [panel["caption"].split()[0] for panel in panels(app).values()] == ["3", "3", "6", "6", "6"]
    assert app.slider(key="w").disabled


def test_with_a_negative_class_each_start_is_seen_with_it_and_without(chapter):
    app = formed(chapter(**SHOWN | {"class": "4"}, show="guidance", negative="9"))
    images = panels(app)["w = 1"]["layers"][0]
    assert images["n"] == 6 and images["names"] == ["plain", "not 9"] * 3
    assert done(app)[1]


def test_at_w_0_an_image_is_named_after_what_guidance_leads_away_from(chapter):
    for negative, names in (("nothing", ["no class"] * 6), ("9", ["no class", "9"] * 3)):
        app = formed(chapter(**SHOWN | {"class": "4"}, show="guidance", negative=negative))
        assert panels(app)["w = 0"]["layers"][0]["names"] == names


def test_every_control_changes_the_page_without_an_exception(chapter):
    app = formed(chapter(**SHOWN))
    for change in (
        lambda: app.slider(key="w").set_value(3.0),
        lambda: app.selectbox(key="class").set_value("7"),
        lambda: app.selectbox(key="negative").set_value("1"),
        lambda: app.number_input(key="steps").set_value(4),
        lambda: app.radio(key="second").set_value("heun"),
        lambda: app.select_slider(key="n").set_value(4),
        lambda: app.number_input(key="seed").set_value(3),
        lambda: group(app, "of").set_value(image_scenes.GUESS),
        lambda: group(app, "show").set_value("nearest training image"),
        lambda: app.selectbox(key="by").set_value(DDIM),
        lambda: group(app, "show").set_value("guidance"),
        lambda: app.selectbox(key="class").set_value(image_scenes.NO_CLASS),
        lambda: group(app, "show").set_value("train"),
    ):
        change().run()
        assert not app.exception and not app.error and header(app)["panels"]


def test_another_model_forgets_a_class_that_it_does_not_have(chapter):
    app = formed(chapter(**SHOWN | {"class": "7"}, negative="1"))
    app.selectbox(key="model").set_value("Fashion-MNIST").run()
    assert not app.exception and app.selectbox(key="class").value == image_scenes.EVERY
    assert app.selectbox(key="negative").value == image_scenes.NOTHING


# Links and tasks


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", "dall-e"), ("class", "Cat"), ("negative", "Cat"), ("w", "11"), ("steps", "1"), ("steps", "many"),
     ("n", "5"), ("seed", "-1"), ("second", "euler"), ("of", "y"), ("show", "all")],
)  # fmt: skip
def test_a_value_that_is_none_is_ignored_with_a_notice(chapter, name, value):
    app = chapter(**SHOWN | {name: value})
    assert not app.exception and f"{name}=" in app.toast[0].value


def test_few_calls_of_a_second_order_solver_do_the_first_task(chapter):
    assert done(formed(chapter(**SHOWN | {"steps": "10"}))) == [True, False, False]
    assert done(formed(chapter(**SHOWN | {"steps": "2"})))[0] is False


def test_models_of_ones_own_can_be_chosen(chapter, monkeypatch):
    checkpoint = image_lesson.pretrained("digits")
    monkeypatch.setattr(image_scenes.image_runs, "models", lambda: {"your digits": lambda: checkpoint})
    app = formed(chapter(**SHOWN | {"model": "your digits"}))
    assert list(panels(app))[0] == DDPM and "your digits" in app.selectbox(key="model").options


def test_a_model_that_still_trains_is_held_as_it_was_until_a_newer_one_is_asked_for(chapter, monkeypatch):
    view, taken = View("run", (), "running", None, 70, 1.0, None, 0, "", 1, {}), []

    def training():
        net = copy.deepcopy(image_lesson.pretrained("digits"))
        net.state.step = 70 + len(taken)
        next(net.denoiser.parameters()).data += 1e-3 * (1 + len(taken))
        taken.append(net)
        return net

    monkeypatch.setattr(image_scenes.image_runs, "models", lambda: {"your digits": training})
    monkeypatch.setattr(image_scenes.live, "newest", lambda kind: view)
    app = formed(chapter(**SHOWN | {"model": "your digits"}))
    assert len(taken) == 1 and not any(button.key == "_newer" for button in app.button)
    view = replace(view, step=view.step + 1)
    app.run()
    assert len(taken) == 1 and app.button(key="_newer").label == "Use its newer model, step 71"
    app.button(key="_newer").click().run()
    assert len(taken) == 2 and not any(button.key == "_newer" for button in app.button)
    assert header(formed(app))["T"] == 4 and len(taken) == 2


def test_a_model_that_has_gone_is_said_and_a_shipped_one_stands_in(chapter, monkeypatch):
    def gone():
        raise ValueError("That run has ended.")

    monkeypatch.setattr(image_scenes.image_runs, "models", lambda: {"your digits": gone})
    app = chapter(**SHOWN | {"model": "your digits", "steps": "20"})
    assert app.error[0].value == "That run has ended."
    assert not app.exception
