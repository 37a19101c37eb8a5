"""Chapter 9 without a browser: stages and scenes, unknown words, no caption, controls, links, tasks."""

import re
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.data.captions import LENGTH
from core.lessons import unclip as unclip_lesson
from pages.ui.frame.text import label, t
from pages.ui.lessons import unclip
from tests.reading import done, group, header, layers, messages, panels, small_print

QUICK = {"predictions": "false", "steps": "2", "n": "2", "w": "1"}
TASKS = {"unknown_word": 0, "new_picture": 1, "unseen_picture": 2, "two_ends": 3}
FIRST = unclip_lesson.examples("people", "en")


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


def markdown(app: AppTest) -> str:
    return "\n".join(part.value for part in app.markdown)


def title(name: str, **values) -> str:
    return t(f"unclip.panels.{name}", **values)


# The prediction


@pytest.mark.slow
def test_the_stages_are_kept_back_until_the_prediction_is_made(chapter):
    app = formed(chapter(predictions="true"))
    assert len(panels(app)) == 3 and not any(part.key == "show" for part in app.get("button_group"))
    app = formed(app.button(key="_guess_nearly_alike").click().run())
    assert not messages(app, "success")
    app = formed(app.button(key="_guess_decide").click().run())
    assert group(app, "show").value == "prior_skipped" and len(messages(app, "success")) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "shown", [{"data": "people"}, {"n": "1"}, {"prior_emoji": "pizza"}, {"prior_emoji": "pizza", "n": "1"}]
)
def test_the_verdict_speaks_only_of_the_caption_and_the_pictures_that_show_it(chapter, shown):
    app = formed(chapter(predictions="true", guess="noise", show="prior_skipped", **shown))
    assert t("unclip.predict.guess.why") not in "".join(messages(app, "info"))
    app = formed(app.button(key="_guess_decide").click().run())
    assert t("unclip.predict.guess.why") in "".join(messages(app, "info"))


# Stages and scenes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "titles", "frames"),
    [
        ("all_stages", ["text_vector", "image_vector", "picture"], 6),
        ("text_vector", ["words", "text_vector"], 1),
        ("prior", ["cosines", "gap", "nearest"], 3),
        ("decoder", ["state", "guess"], 3),
        ("prior_skipped", ["gap", "imagined", "own"], 3),
        ("negative_caption", ["no_negative", "negative"], 3),
        ("variations", ["the_picture", "variations"], 3),
        ("interpolation", ["on_the_way", "whole_way"], unclip_lesson.INTERPOLATED),
    ],
)
def test_each_scene_has_its_panels_on_one_clock_and_says_them(chapter, scene, titles, frames):
    app = formed(chapter(show=scene))
    caption = FIRST.positive if scene == "negative_caption" else FIRST.caption
    values = {"negative": FIRST.negative, "caption": caption, "to": FIRST.to}
    expected = [title(name, **values) for name in titles]
    assert list(panels(app)) == expected and header(app)["T"] == frames
    assert all(name in header(app)["alt"] for name in expected)


@pytest.mark.slow
def test_the_panels_of_guidance_differ_in_their_scale_which_is_then_no_control(chapter):
    app = formed(chapter(show="guidance"))
    assert list(panels(app)) == ["w = 0", "w = 1", "w = 2", "w = 4", "w = 8"]
    assert [slider.key for slider in app.slider] == ["wp"]


def test_a_caption_of_one_scene_does_not_reach_a_scene_with_its_own(chapter):
    app = formed(chapter(caption="a purple beanie", show="negative_caption", wp="1"))
    assert app.text_input(key="positive_caption").value == FIRST.positive and "beanie" not in header(app)["alt"]
    assert t("unclip.negative_caption.no_effect.at_one") in small_print(app)
    assert formed(chapter(w="2", show="prior_skipped")).text_input(key="prior_caption").value == FIRST.alone


@pytest.mark.slow
def test_films_form_in_the_background_and_are_then_there_for_all(chapter):
    app = chapter(seed="901")
    assert header(app)["T"] == 1 and app.get("progress")
    assert header(formed(app))["T"] == 6
    for scene in ("all_stages", "prior", "decoder"):
        assert not chapter(seed="901", show=scene).get("progress")


def test_the_clock_of_all_stages_goes_through_the_prior_and_then_through_the_decoder(chapter):
    app = formed(chapter())
    guesses, pictures = (panels(app)[title(name)]["caption"] for name in ("image_vector", "picture"))
    assert ["σ" in caption for caption in guesses] == [True] * 3 + [False] * 3
    assert ["σ" in caption for caption in pictures] == [False] * 3 + [True] * 3
    assert header(app)["start"] == 5


def test_the_stage_of_words_shows_a_vector_for_each_and_what_is_nearest_to_all(chapter):
    app = chapter(show="text_vector", caption="smiling person")
    each, own = panels(app).values()
    assert each["layers"][0]["names"] == ["smiling", "person"] and own["layers"][0]["n"] == 1
    assert markdown(app).count('<th scope="row">') == 6 and markdown(app).count("<figure>") == 6


def test_a_caption_is_compared_with_captions_of_the_language_of_the_page(chapter):
    rows = re.findall(r'<th scope="row">(.*?)</th>', markdown(chapter(show="text_vector", lang="zh")))
    assert len(rows) == 6 and all(re.search("[一-鿿]", row) for row in rows)


def test_the_prior_draws_what_its_guess_is_near_to_at_every_level(chapter):
    first, gap, nearest = panels(formed(chapter(show="prior", data="emoji"))).values()
    assert layers(first) == ["line"] * 3 and layers(gap) == ["points"] * 3 and nearest["layers"][0]["n"] == 4
    known = unclip_lesson.pairs("emoji").captions
    assert all(caption.rpartition(", ")[0] in known for caption in nearest["caption"])


def test_the_table_says_where_vectors_lie_with_the_prior_and_without(chapter):
    head = f"| {t('unclip.positions.head.of')} |"
    table = next(p.value for p in formed(chapter(show="prior_skipped")).markdown if p.value.startswith(head))
    prior, caption, _ = ([cell.replace("−", "-") for cell in row.split("|")[2:-1]] for row in table.splitlines()[2:])
    assert float(caption[1]) == 1 > float(prior[1])  # the cosine with the caption's vector
    assert float(caption[0]) < float(prior[0])  # across the gap


def test_what_is_asked_for_stands_beside_what_the_judge_finds(chapter):
    app = formed(chapter(caption="a person with a red hat"))
    table = next(part.value for part in app.markdown if t("unclip.judged.asked") in part.value)
    hat, colour = (label("attributes", name) for name in ("hat", "hat_colour"))
    assert f"| {hat}: {label('attribute_values', 'hat')} |" in table and f"| {colour}: " in table
    assert t("unclip.judged.picture", k=2) in table and t("unclip.judged.picture", k=3) not in table
    emoji = formed(chapter(data="emoji"))
    assert not any(t("unclip.judged.asked") in part.value for part in emoji.markdown)


# Words


@pytest.mark.parametrize("caption", ["a bald person with long hair", "человек в шляпе"])
def test_a_caption_that_contradicts_itself_or_is_of_a_third_language_is_answered_with_a_sentence(chapter, caption):
    app = chapter(caption=caption)
    assert len(app.error) == 1 and not app.exception and messages(app, "info")[0] == t("unclip.nothing")


def test_a_word_that_no_caption_had_is_said_and_the_rest_is_drawn(chapter):
    app = formed(chapter(caption="a hat xyzzy"))
    assert "`xyzzy`" in messages(app, "warning")[0] and "<s>xyzzy</s>" in markdown(app)
    assert header(app)["T"] == 6 and done(app)[TASKS["unknown_word"]]


@pytest.mark.slow
def test_a_caption_without_a_known_word_is_answered_with_a_sentence_and_drawn_not_at_all(chapter):
    app = chapter(caption="xyzzy plugh")
    assert "`xyzzy`, `plugh`" in app.error[0].value and not app.exception
    assert messages(app, "info")[0] == t("unclip.nothing")
    assert not any(part.proto.component_name.startswith("stage_player") for part in app.get("bidi_component"))
    app = formed(app.text_input(key="caption").set_value("a hat").run())
    assert header(app)["T"] == 6


@pytest.mark.slow
def test_no_caption_asks_for_any_picture_and_says_so(chapter):
    app = formed(chapter())
    app = formed(app.text_input(key="caption").set_value("").run())
    assert t("unclip.chips.none") in markdown(app) and header(app)["T"] == 6
    for scene in ("text_vector", "prior", "interpolation"):
        assert header(formed(group(app, "show").set_value(scene).run()))["panels"]
    for scene, caption in (("prior_skipped", "prior_caption"), ("negative_caption", "negative")):
        app = formed(group(app, "show").set_value(scene).run())
        assert header(formed(app.text_input(key=caption).set_value("").run()))["panels"]


@pytest.mark.slow
def test_markup_in_a_caption_stays_text_and_a_long_one_is_cut(chapter):
    app = formed(chapter(caption="hat <img src=x> ![a](http://b)"))
    assert "<img src=x" not in markdown(app) and "![a]" not in "".join(messages(app, "warning"))
    app = formed(app.text_input(key="caption").set_value("帽" * 80).run())
    assert t("unclip.unknown.long", most=LENGTH, n=80) in small_print(app)


# Controls and links


@pytest.mark.slow
def test_every_control_changes_the_page_without_an_exception(chapter):
    app = formed(chapter())
    for change in (
        lambda: app.text_input(key="caption").set_value("green hair"),
        lambda: app.slider(key="w").set_value(3.0),
        lambda: app.slider(key="wp").set_value(3.0),
        lambda: app.select_slider(key="n").set_value(1),
        lambda: app.number_input(key="steps").set_value(3),
        lambda: app.number_input(key="seed").set_value(7),
        lambda: group(app, "show").set_value("negative_caption"),
        lambda: app.text_input(key="negative").set_value("beard"),
        lambda: group(app, "show").set_value("variations"),
        lambda: app.number_input(key="person").set_value(9),
        lambda: group(app, "show").set_value("interpolation"),
        lambda: app.text_input(key="to").set_value("a purple hat"),
        lambda: group(app, "data").set_value("emoji"),
        lambda: app.text_input(key="to_emoji").set_value("pizza"),
    ):
        change().run()
        assert header(app)["panels"]


@pytest.mark.slow
def test_a_link_restores_caption_scene_and_controls(chapter):
    app = formed(chapter(caption="蓝帽子", show="interpolation", to="a beard", wp="2.5", seed="3"))
    assert "蓝帽子" in header(app)["alt"] and "a beard" in header(app)["alt"]
    assert app.slider(key="wp").value == 2.5 and app.number_input(key="seed").value == 3


@pytest.mark.slow
def test_values_that_a_control_cannot_have_are_ignored_with_a_notice(chapter):
    wrong = {"w": "11", "wp": "-1", "n": "3", "steps": "41", "seed": "x", "show": "1 words"}
    for names in (["w", "wp", "n"], ["steps", "seed", "show"]):
        app = chapter(**{name: wrong[name] for name in names})
        assert not app.exception and all(f"{name}={wrong[name]}" in app.toast[0].value for name in names)


# Tasks


@pytest.mark.slow
def test_varying_a_held_out_picture_does_a_task(chapter):
    app = formed(chapter(show="variations"))
    assert not done(app)[TASKS["unseen_picture"]] and not app.text_input
    held_out = int(unclip_lesson.pairs("people").indices(held_out=True)[0])
    assert done(formed(app.number_input(key="person").set_value(held_out).run()))[TASKS["unseen_picture"]]


@pytest.mark.slow
def test_a_prior_that_ends_nearest_to_a_held_out_picture_does_a_task(chapter, monkeypatch):
    for held_out in (False, True):
        number = int(unclip_lesson.pairs("people").indices(held_out)[0])
        monkeypatch.setattr(unclip, "nearest_picture", lambda film, answer=number: answer)
        assert done(formed(chapter(show="prior")))[TASKS["new_picture"]] == held_out


@pytest.mark.slow
def test_an_interpolation_between_different_ends_does_a_task(chapter, monkeypatch):
    for answer in (False, True):
        monkeypatch.setattr(unclip, "ends_differ", lambda film, answer=answer: answer)
        assert done(formed(chapter(show="interpolation")))[TASKS["two_ends"]] == answer


@pytest.mark.parametrize(
    ("scene", "shown"),
    [("text_vector", "def forward"), ("decoder", "def sample_decoder"), ("negative_caption", "def cfg")],
)
def test_each_stage_shows_its_own_code(chapter, scene, shown):
    assert any(part.value.startswith(shown) for part in chapter(show=scene).code)
