"""Chapter 7 without a browser: every stage and scene, words that nobody knows, no caption, controls, links, tasks."""

import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.lessons import unclip as unclip_lesson
from core.lessons.clip import pairs
from core.lessons.unclip import Take
from pages.ui.lessons import unclip as unclip_scenes
from pages.ui.lessons.unclip import ALL, AWAY, DECODER, PRIOR, SCALES, SKIPPED, VARIATIONS, WAY, WORDS
from tests.reading import done, group, header, layers, panels

QUICK = {"predictions": "false", "steps": "2", "n": "2", "w": "1"}
TASKS = {"strange": 0, "new": 1, "unseen": 2, "apart": 3}


@pytest.fixture
def chapter(open_page) -> Callable[..., AppTest]:
    return lambda **address: open_page("unclip", **QUICK | address)


def formed(app: AppTest) -> AppTest:
    """The page once its films are finished."""
    deadline = time.monotonic() + 60
    while app.get("progress") and time.monotonic() < deadline:
        time.sleep(0.05)
        app.run()
    assert not app.get("progress") and not app.exception
    return app


def text_of(app: AppTest) -> str:
    return "\n".join(part.value for part in app.markdown)


# The prediction


def test_the_stages_are_kept_back_until_the_prediction_is_made(chapter):
    app = formed(chapter(predictions="true"))
    assert list(panels(app)) == ["text vector", "image vector, imagined", "picture"]
    assert not any(part.key == "show" for part in app.get("button_group"))
    app = formed(app.button(key="_guess_c").click().run())
    app = formed(group(app, "show").set_value(SKIPPED).run())
    assert "As you predicted" in app.success[0].value


# Stages and scenes


@pytest.mark.parametrize(
    ("scene", "titles", "frames"),
    [
        (ALL, ["text vector", "image vector, imagined", "picture"], 6),
        (WORDS, ["each word, having seen the others", "text vector"], 1),
        (PRIOR, ["cosine of the guess with …", "where the vectors lie", "nearest pictures"], 3),
        (DECODER, ["state x", "guess x̂₀"], 3),
        (SKIPPED, ["where the vectors lie", "told what the prior imagined", "told the caption’s own vector"], 3),
        (AWAY, ["without a negative caption", "not “red”"], 3),
        (SCALES, ["w = 0", "w = 1", "w = 2", "w = 4", "w = 8"], 3),
        (VARIATIONS, ["the picture", "its vector, new noise"], 3),
        (WAY, ["on the way", "from “woman firefighter” to “woman farmer”"], unclip_lesson.WAY),
    ],
)
def test_each_scene_has_its_panels_on_one_clock_and_says_them(chapter, scene, titles, frames):
    app = formed(chapter(show=scene))
    assert list(panels(app)) == titles and header(app)["T"] == frames
    assert all(title in header(app)["alt"] for title in titles)


def test_films_form_in_the_background_and_are_then_there_for_all(chapter):
    app = chapter(seed="901")
    assert header(app)["T"] == 1 and app.get("progress")
    assert header(formed(app))["T"] == 6
    assert header(chapter(seed="901"))["T"] == 6


def test_all_stages_are_pictures_of_one_film(chapter):
    formed(chapter(seed="902"))
    for scene in (PRIOR, DECODER):
        assert not chapter(seed="902", show=scene).get("progress")


def test_the_clock_of_all_stages_goes_through_the_prior_and_then_through_the_decoder(chapter):
    app = formed(chapter())
    told, drawn = (panels(app)[title]["caption"] for title in ("image vector, imagined", "picture"))
    assert [said.startswith("prior, σ") for said in told] == [True] * 3 + [False] * 3
    assert [said.startswith("decoder, σ") for said in drawn] == [False] * 3 + [True] * 3
    assert header(app)["label"] == "step" and header(app)["start"] == 5


def test_the_stage_of_words_shows_a_vector_for_each_and_what_is_nearest_to_all(chapter):
    app = chapter(show=WORDS, caption="smiling cat")
    each, own = panels(app).values()
    assert each["layers"][0]["names"] == ["smiling", "cat"] and own["layers"][0]["n"] == 1
    assert "The nearest captions" in text_of(app) and "The nearest pictures" in text_of(app)


def test_the_prior_draws_what_its_guess_is_near_to_at_every_level(chapter):
    first, gap, nearest = panels(formed(chapter(show=PRIOR))).values()
    assert layers(first) == ["line"] * 3 and layers(gap) == ["points"] * 3 and nearest["layers"][0]["n"] == 4
    assert all(said.rpartition(", ")[0] in pairs().captions for said in nearest["caption"])


def test_the_table_says_where_vectors_lie_with_the_prior_and_without(chapter):
    text = next(part.value for part in formed(chapter(show=SKIPPED)).markdown if "own vector |" in part.value)
    lines = (line.replace("−", "-").split("|") for line in text.splitlines()[2:])
    rows = {cells[1].strip(): cells[2:] for cells in lines}
    side, cosine = ({name: float(cells[column]) for name, cells in rows.items()} for column in (0, 1))
    assert cosine["the caption’s own vector"] == 1 > cosine["the prior’s vectors"]
    assert side["the caption’s own vector"] < side["the prior’s vectors"]


def test_the_first_picture_of_variations_is_the_one_chosen(chapter):
    app = formed(chapter(show=VARIATIONS, of="red apple"))
    assert panels(app)["the picture"]["layers"][0]["n"] == 1 and app.text_input(key="caption").disabled


# Words


def test_a_word_that_no_caption_had_is_said_and_the_rest_is_drawn(chapter):
    app = formed(chapter(caption="cat xyzzy"))
    assert "`xyzzy` is a word that no caption had" in app.warning[0].value and "<s>xyzzy</s>" in text_of(app)
    assert header(app)["T"] == 6 and done(app)[TASKS["strange"]]


def test_a_caption_without_a_known_word_is_answered_with_a_sentence_and_drawn_not_at_all(chapter):
    app = chapter(caption="xyzzy plugh")
    assert "No caption had `xyzzy`, `plugh`" in app.error[0].value and not app.exception
    assert "Nothing to draw" in app.info[0].value
    assert not any(part.proto.component_name.startswith("stage_player") for part in app.get("bidi_component"))
    app = formed(app.text_input(key="caption").set_value("dog").run())
    assert header(app)["T"] == 6


def test_no_caption_asks_for_any_picture_and_says_so(chapter):
    app = formed(chapter())
    app = formed(app.text_input(key="caption").set_value("").run())
    assert "no caption: any picture" in text_of(app) and header(app)["T"] == 6
    for scene in (WORDS, PRIOR, SKIPPED, WAY):
        assert header(formed(group(app, "show").set_value(scene).run()))["panels"]


def test_markup_in_a_caption_stays_text(chapter):
    app = formed(chapter(caption="cat <img src=x> ![a](http://b)"))
    assert "<img src=x" not in text_of(app) and "![a]" not in "".join(part.value for part in app.warning)


def test_a_caption_is_cut_at_the_length_that_the_tower_reads_and_that_is_said(chapter):
    app = formed(chapter(caption=" ".join(["cat"] * 20)))
    assert any("16 words" in part.value for part in app.caption)


# Controls and links


def test_every_control_changes_the_page_without_an_exception(chapter):
    app = formed(chapter())
    for change in (
        lambda: app.text_input(key="caption").set_value("green apple"),
        lambda: app.slider(key="w").set_value(3.0),
        lambda: app.slider(key="wp").set_value(3.0),
        lambda: app.select_slider(key="n").set_value(1),
        lambda: app.number_input(key="steps").set_value(3),
        lambda: app.number_input(key="seed").set_value(7),
        lambda: group(app, "show").set_value(AWAY),
        lambda: app.text_input(key="negative").set_value("green"),
        lambda: group(app, "show").set_value(VARIATIONS),
        lambda: app.selectbox(key="of").set_value("pizza"),
        lambda: group(app, "show").set_value(WAY),
        lambda: app.text_input(key="to").set_value("pizza"),
    ):
        change().run()
        assert header(app)["panels"]


def test_a_link_restores_caption_scene_and_controls(chapter):
    app = formed(chapter(caption="green apple", show=WAY, to="pizza", wp="2.5", seed="3"))
    assert list(panels(app))[1] == "from “green apple” to “pizza”"
    assert app.slider(key="wp").value == 2.5 and app.number_input(key="seed").value == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [("w", "11"), ("wp", "-1"), ("n", "3"), ("steps", "1"), ("steps", "41"), ("seed", "x"), ("show", "prior")],
)
def test_a_value_that_is_none_is_ignored_with_a_notice(chapter, name, value):
    app = chapter(**{name: value})
    assert not app.exception and f"{name}=" in app.toast[0].value


def test_guidance_is_no_control_where_the_panels_differ_in_it(chapter):
    assert formed(chapter(show=SCALES)).slider(key="w").disabled


# Tasks


def test_varying_a_held_out_picture_does_a_task(chapter):
    assert not done(formed(chapter(show=VARIATIONS)))[TASKS["unseen"]]
    assert done(formed(chapter(show=VARIATIONS, of="red heart")))[TASKS["unseen"]]


def test_a_prior_that_ends_nearest_to_a_held_out_picture_does_a_task(chapter, monkeypatch):
    real = unclip_lesson.walk

    def ends_at(number):
        def walk(*args):
            found = real(*args)
            found.pictures[-1, 0] = number
            return found

        return walk

    for held_out in (False, True):
        monkeypatch.setattr(unclip_lesson, "walk", ends_at(int(pairs().indices(held_out)[0])))
        assert done(formed(chapter(show=PRIOR)))[TASKS["new"]] == held_out


def test_a_way_between_two_kinds_of_thing_does_a_task(chapter, monkeypatch):
    for apart in (False, True):
        monkeypatch.setattr(unclip_scenes, "apart", lambda film, answer=apart: answer)
        assert done(formed(chapter(show=WAY)))[TASKS["apart"]] == apart


def test_the_groups_of_the_ends_of_a_way_are_those_of_the_nearest_pictures():
    names, vectors = pairs().captions, unclip_scenes.space().pictures
    for other, apart in (("dog face", False), ("pizza", True)):
        told = vectors[[names.index("cat face"), names.index(other)]]
        assert unclip_scenes.apart(unclip_lesson.Film(Take(), told=told)) == apart


@pytest.mark.parametrize(
    ("scene", "shown"),
    [(WORDS, "def forward"), (PRIOR, "def imagine"), (DECODER, "def draw"), (WAY, "def between"), (AWAY, "def cfg")],
)
def test_each_stage_shows_its_own_code(chapter, scene, shown):
    assert any(part.value.startswith(shown) for part in chapter(show=scene).code)
