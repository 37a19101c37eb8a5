"""Chapter 8 without a browser: scenes and controls, unknown words and bad files, live training, tasks."""

import re
import time
from dataclasses import replace
from functools import cache, partial
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.lessons import clip as clip_lesson
from core.lessons.clip import WORDINGS
from core.models import clip_space
from core.models.people_queries import DIFFERENCES
from core.problems import Problem
from pages.ui.frame.text import t
from pages.ui.lessons import clip_retrieval
from tests.reading import done, group, header, layers, messages, panels, small_print, tasks

SHOWN = {"predictions": "false", "data": "emoji"}


@pytest.fixture(autouse=True)
def quick_baseline(monkeypatch):
    """The linear baseline takes seconds; here it has a verdict that no baseline would have."""
    monkeypatch.setattr(clip_lesson, "linear_baseline", cache(lambda: (True,) * 47 + (False,)))


@pytest.fixture
def chapter(open_page):
    return lambda scene="train_live", **address: open_page("clip", **SHOWN | address, show=scene)


@pytest.fixture
def people(chapter):
    return partial(chapter, data="people")


def html(app: AppTest) -> str:
    """All Markdown of the page, where its cards stand."""
    assert not app.exception
    return "\n".join(part.value for part in app.markdown)


def pictures(app: AppTest) -> list[str]:
    """The pictures on the page by their names, in order."""
    return re.findall(r'<img [^>]*alt="([^"]*)"', html(app))


def rows(app: AppTest) -> list[str]:
    """The names of the bars, in order."""
    return re.findall(r'<th scope="row">([^<]*)</th>', html(app))


def table(app: AppTest, head: str) -> list[str] | None:
    """The rows of the Markdown table whose first column has the catalogue's ``head``, None where it is not there."""
    found = [part.value for part in app.markdown if part.value.startswith(f"| {t(head)} |")]
    return found[0].splitlines()[2:] if found else None


def until(app: AppTest, condition) -> AppTest:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
        app.run()
    assert condition() and not app.exception
    return app


def trained(app: AppTest) -> AppTest:
    """The page once its run has finished."""
    app.button(key="_main").click().run()
    return until(app, lambda: app.button(key="_main").label == t("runs.buttons.finished"))


def held_out(names: list[str]) -> list[bool]:
    own = clip_space.pairs()
    return [bool(own.held_out[own.captions.index(name)]) for name in names]


# The prediction


@pytest.mark.slow
def test_training_and_scenes_are_kept_back_until_the_prediction_is_made(open_page):
    app = open_page("clip")
    assert app.button(key="_main").disabled and not any(part.key == "show" for part in app.get("button_group"))
    assert len(panels(app)) == 1  # the trained matrix would give the answer away
    app.button(key="_guess_near_zero").click().run()
    assert not app.button(key="_main").disabled and group(app, "show").value == "train_live"
    assert len(panels(app)) == 2 and len(messages(app, "success")) == 1
    app = group(app, "show").set_value("retrieval").run()
    assert not messages(app, "success")
    app.button(key="_guess_decide").click().run()
    assert group(app, "show").value == "train_live" and len(messages(app, "success")) == 1


@pytest.mark.slow
def test_the_words_of_the_collection_are_marked_as_english_on_a_chinese_page(chapter):
    for language, count in (("en", 0), ("zh", clip_retrieval.PICTURES)):
        found = re.findall(r'<figcaption>[^/]*<br><span lang="en">', html(chapter("retrieval", lang=language)))
        assert len(found) == count


# Live training


def test_before_training_an_untrained_matrix_stands_beside_the_shipped_one(chapter):
    app = chapter(which="held_out")
    one, other = panels(app).values()
    assert layers(one) == layers(other) == ["matrix"] and header(app)["T"] == 1
    right = [int(re.search(r"(\d+)", panel["caption"])[1]) for panel in (one, other)]
    assert right[0] <= 4 < right[1]
    assert all(held_out(one["layers"][0]["names"])) and not any(done(app))


@pytest.mark.slow
def test_training_shows_the_matrix_over_its_steps_and_the_loss_from_log_n(chapter, fresh_registry, monkeypatch):
    monkeypatch.setattr(clip_lesson, "CONFIG", replace(clip_lesson.CONFIG, width=8, size=16, steps=24))
    app = trained(chapter(batch="16", which="held_out"))
    assert header(app)["T"] >= 4 and "run" in app.query_params
    matrix, loss = panels(app).values()
    assert len(matrix["caption"]) == header(app)["T"]
    assert any("2.77" in label for layer in loss["layers"] for label in layer["label"])  # log 16
    app.button(key="_reset").click().run()
    assert header(app)["T"] == 1


@pytest.mark.slow
def test_a_clip_of_ones_own_answers_in_the_other_scenes(chapter, fresh_registry, monkeypatch):
    monkeypatch.setattr(clip_lesson, "CONFIG", replace(clip_lesson.CONFIG, width=8, size=16, batch=16, steps=3))
    app = trained(chapter(batch="16"))
    group(app, "show").set_value("retrieval").run()
    shipped = pictures(app)
    app.selectbox(key="model").set_value("own_run").run()
    assert len(pictures(app)) == clip_retrieval.PICTURES and pictures(app) != shipped


# Retrieval


@pytest.mark.slow
def test_a_text_finds_pictures_and_says_their_cosines(chapter):
    app = chapter("retrieval")
    assert len(pictures(app)) == clip_retrieval.PICTURES and "cat" in pictures(app)[0]
    cosines = [float(value) for value in re.findall(r"<figcaption>([\d.]+)", html(app))]
    assert len(cosines) == clip_retrieval.PICTURES and cosines == sorted(cosines, reverse=True)
    assert not tasks(app)["held_out"]


@pytest.mark.slow
def test_held_out_pictures_alone_can_be_searched(chapter):
    assert all(held_out(pictures(chapter("retrieval", among="held_out"))))


@pytest.mark.slow
def test_words_that_no_caption_had_are_named_and_the_others_are_searched(chapter):
    app = chapter("retrieval", text="smiling blorp")
    assert "`blorp`" in messages(app, "warning")[0] and len(pictures(app)) == clip_retrieval.PICTURES
    app.text_input(key="text").set_value("blorp [zorgl](!)").run()
    assert "`blorp`, `zorgl`" in messages(app, "warning")[0] and not pictures(app)
    app.text_input(key="text").set_value(" ?! ").run()
    assert messages(app, "info")[0] == t("clip.unknown.emoji") and not pictures(app) and not messages(app, "warning")
    app.text_input(key="text").set_value("猫" * 100).run()
    assert t("clip.unknown.long", most=64, n=100) in small_print(app)


def test_a_picture_of_the_collection_finds_its_own_caption(chapter):
    app = chapter("retrieval", by="picture", of="pizza")
    assert pictures(app) == ["pizza"] and rows(app)[0] == "✓ pizza"


@pytest.mark.slow
def test_a_held_out_picture_found_by_words_does_the_second_task(chapter):
    own = clip_space.pairs()
    captions = [own.captions[i] for i in own.indices(held_out=True).tolist()]
    assert any(tasks(chapter("retrieval", text=caption))["held_out"] for caption in captions[:8])


def test_a_file_is_read_and_a_bad_one_refused_with_a_sentence(chapter):
    app = chapter("retrieval", by="file")
    assert messages(app, "info")[0] == t("clip.retrieval.no_file")

    def bring(name: str, content: bytes) -> None:
        app.file_uploader(key="_picture").set_value((name, content, "image/png")).run()

    def png(pixels: np.ndarray) -> bytes:
        stream = BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        return stream.getvalue()

    pizza = clip_space.pairs().images[clip_space.pairs().captions.index("pizza")]
    content = png(pizza.permute(1, 2, 0).numpy())
    bring("x.png", content)
    assert pictures(app) == [t("clip.retrieval.own_file")] and rows(app)[0] == "pizza"
    bring("grey.png", png(np.zeros((40, 60), np.uint8)))
    assert len(rows(app)) == clip_retrieval.CAPTIONS and not app.error
    stream = BytesIO()
    pages = [Image.fromarray(np.full((40, 60), grey, np.uint8)) for grey in (0, 200)]
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])
    bring("scan without an ending", stream.getvalue())
    assert len(rows(app)) == clip_retrieval.CAPTIONS and not app.error
    assert str(Problem("image_first_frame", frames=2)) in [caption.value for caption in app.caption]
    bring("cut.png", content[:300])
    assert "cut" in app.error[0].value and not rows(app) and not app.exception


def test_a_drawing_finds_captions_and_an_empty_one_is_asked_for(chapter):
    assert any("heart" in name for name in rows(chapter("retrieval", by="drawing"))[:5])


# Zero-shot


def test_two_wordings_are_judged_side_by_side(chapter):
    app = chapter("zero_shot", classify="all")
    one, two = ([int(cell) for cell in re.findall(r"(\d+)%", row)] for row in table(app, "clip.zero_shot.head.right"))
    assert len(one) == len(two) == 2 + len(clip_lesson.GROUPS) and two[0] > one[0] + 3
    assert len(pictures(app)) == 4 and sum(row.startswith("◆") for row in rows(app)) == 4


def test_prompts_of_ones_own_need_no_truth(chapter):
    app = chapter("zero_shot", wording1="red\nblue", wording2="red\ngreen")
    assert table(app, "clip.zero_shot.head.right") is None
    assert set(rows(app)) == {"red", "blue", "green"} and not tasks(app)["wording"]


def test_prompts_that_cannot_be_read_are_said_and_unknown_words_are_named(chapter):
    app = chapter("zero_shot")
    app.text_area(key="wording1").set_value("alone").run()
    assert len(app.error) == 1 and not app.exception
    app.text_area(key="wording1").set_value("blorp\nface").run()
    assert any("`blorp`" in said for said in small_print(app)) and not app.error


@pytest.mark.slow
def test_a_better_wording_does_the_third_task(chapter):
    bad = "face: foot\nperson: pizza\nanimal: clock\nfood: arrow\nplace: man\nactivity: red\nobject: dog\nsign: soup"
    assert tasks(chapter("zero_shot", wording1=bad, wording2=WORDINGS[1]))["wording"]
    assert not tasks(chapter("zero_shot", wording1=WORDINGS[1], wording2=WORDINGS[1]))["wording"]


# Arithmetic


@pytest.mark.slow
def test_the_right_words_of_all_differences_are_counted_beside_the_baseline(chapter):
    app = chapter("arithmetic", attribute="bald")
    until(app, lambda: len(table(app, "clip.arithmetic.head.right")) == 2)
    clip, linear = ([int(n) for n in re.findall(r"(\d+) of", row)] for row in table(app, "clip.arithmetic.head.right"))
    assert clip[0] == sum(clip[1:]) >= 36 and linear[0] == 47
    assert len(re.findall("<figcaption>✓", html(app))) == clip[-1]  # below the table: the differences of the attribute


@pytest.mark.slow
def test_each_pair_of_an_attribute_can_be_seen_and_the_hat_is_not_counted(chapter):
    app = chapter("arithmetic", attribute="crown", pair="5")
    assert len(pictures(app)) == 2 + 12
    first = pictures(app)[:2]
    app.number_input(key="pair").set_value(6).run()
    assert pictures(app)[:2] != first
    app.selectbox(key="attribute").set_value("hat").run()
    assert any("hat" in row for row in rows(app))
    assert pictures(app) == list(clip_lesson.HAT) and app.number_input(key="pair").disabled


@pytest.mark.slow
def test_any_two_pictures_can_be_subtracted(chapter):
    app = chapter("arithmetic", kind="pictures", minuend="woman firefighter", subtrahend="woman")
    assert pictures(app) == ["woman firefighter", "woman"] and any("firefighter" in row for row in rows(app)[:3])
    app.selectbox(key="subtrahend").set_value("woman firefighter").run()
    assert messages(app, "info")[0] == t("clip.arithmetic.itself") and not rows(app)


def test_words_make_the_red_apple_green_which_does_the_fourth_task(chapter):
    app = chapter("arithmetic", kind="words", start="red apple", minus="red", plus="green")
    assert "green apple" in pictures(app)[1:4] and tasks(app)["green_apple"]


def test_a_word_that_moves_nothing_is_named(chapter):
    app = chapter("arithmetic", kind="words", minus="blorp", plus="woman")
    assert (
        "`blorp`" in messages(app, "warning")[0]
        and len(pictures(app)) == 1 + clip_retrieval.PICTURES
        and not tasks(app)["green_apple"]
    )


# The map


@pytest.mark.slow
def test_the_map_shows_pictures_captions_or_both(chapter):
    def traces(app):
        return app.get("plotly_chart")[0].proto.spec.count('"scattergl"')

    app = chapter("map", axes="across_gap")
    assert traces(app) == 16
    app.multiselect(key="shown").set_value(["captions"]).run()
    assert traces(app) == 8
    app.multiselect(key="shown").set_value([]).run()
    assert traces(app) == 8 and not app.exception


# People


@pytest.mark.parametrize("language", ("en", "zh"))
def test_the_page_opens_with_the_matrix_of_people_in_the_language_of_the_page(people, language):
    one, other = panels(people(lang=language)).values()
    assert layers(one) == layers(other) == ["matrix"]
    assert one["layers"][0]["names"] == list(clip_lesson.matrix_captions(False, "people", language))
    right = [int(found) for found in re.findall(r"\d+", other["caption"])[:2]]
    assert 10 <= min(right) and max(right) == clip_lesson.N


def test_the_captions_can_be_those_of_the_other_language(people):
    captions = next(iter(panels(people(captions_in="other")).values()))["layers"][0]["names"]
    assert captions == list(clip_lesson.matrix_captions(False, "people", "zh"))


@pytest.mark.slow
@pytest.mark.parametrize("language", ("en", "zh"))
def test_a_person_with_a_hat_minus_one_without_is_a_word_for_a_hat(people, language):
    app = people("arithmetic", lang=language)
    assert rows(app)[0].startswith("✓") and len(pictures(app)) == 2
    (found,) = [part.value for part in app.markdown if part.value.startswith("| ")]
    clip, linear = ([int(n) for n in re.findall(r"(\d+)%", row)] for row in found.splitlines()[2:])
    assert len(clip) == len(linear) == 1 + len(DIFFERENCES)
    assert clip[0] >= 98 and linear[0] < clip[0]


@pytest.mark.slow
def test_any_two_people_can_be_subtracted_and_words_move_a_person(people):
    app = people("arithmetic", kind="pictures")
    assert len(pictures(app)) == 2 and len(rows(app)) == 8
    app.number_input(key="second_person").set_value(app.number_input(key="first_person").value).run()
    assert messages(app, "info")[0] == t("clip.arithmetic.itself") and not rows(app)
    app = people("arithmetic", kind="words")
    assert len(pictures(app)) == 1 + 12


@pytest.mark.parametrize("query", ("a sad person with a green hat", "留长发、戴眼镜、微笑着的人"))
def test_a_caption_in_either_language_finds_people_who_are_as_it_says(people, query):
    app = people("retrieval", query=query)
    assert len(pictures(app)) == 12
    counts = re.findall(r"(\d) of 3 right", html(app))
    assert len(counts) == 12 and counts[:3] == ["3"] * 3


def test_what_no_caption_of_people_had_is_named(people):
    app = people("retrieval", query="a dragon with glasses")
    assert "`dragon`" in messages(app, "warning")[0] and len(pictures(app)) == 12
    app.text_input(key="query").set_value("собака").run()
    assert "`собака`" in messages(app, "warning")[0] and not pictures(app)
    app.text_input(key="query").set_value("  ").run()
    assert messages(app, "info")[0] == t("clip.unknown.people") and not pictures(app)
    app = people("retrieval", query="x" * 10_000)
    assert len(app.toast) == 1 and len(pictures(app)) == 12


def test_a_person_finds_captions_and_is_described_attribute_by_attribute(people):
    found = rows(people("retrieval", by="picture"))
    assert len(found) == 12
    described = rows(people("zero_shot"))
    assert len(described) == 12 and sum(row.startswith("✓") for row in described) >= 8


def test_the_map_of_people_has_a_trace_for_each_value(people):
    app = people("map", grouped_by="hat", shown="pictures")
    assert app.get("plotly_chart")[0].proto.spec.count('"scattergl"') == 4


# Links


@pytest.mark.slow
def test_values_that_a_control_cannot_have_are_ignored_with_a_notice(chapter):
    wrong = {"batch": "7", "which": "none", "lr": "-1", "by": "ear", "model": "dall-e", "pair": "13", "of": "no emoji"}
    for names in (["batch", "which", "lr", "by"], ["model", "pair", "of"]):
        app = chapter(**{name: wrong[name] for name in names})
        assert not app.exception and all(f"{name}={wrong[name]}" in app.toast[0].value for name in names)
