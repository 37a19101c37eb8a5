"""Chapter 6 without a browser: every scene and control, what is said of strange words and files, training, tasks."""

import re
import time
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.lessons import clip as clip_lesson
from pages.ui.lessons import clip_live, clip_queries
from pages.ui.lessons.clip_zero_shot import WORDINGS
from pages.ui.runs import training_run
from tests.reading import done, group, header, layers, panels

SHOWN = {"predictions": "false"}
SCENES = ("train live", "retrieval", "zero-shot", "arithmetic", "map")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The linear baseline takes seconds; its verdict here is one that nobody believes."""
    monkeypatch.setattr(clip_lesson, "by_linear", lambda: [True] * 47 + [False])
    clip_queries._kept.clear()
    yield
    clip_queries._kept.clear()


@pytest.fixture
def chapter(open_page):
    return lambda scene="train live", **address: open_page("clip", **SHOWN, show=scene, **address)


@pytest.fixture
def fresh_registry():
    training_run.jobs.clear()
    yield
    training_run.jobs().close()
    training_run.jobs.clear()


def html(app: AppTest) -> str:
    """All Markdown and HTML of the page."""
    assert not app.exception
    return "\n".join([part.value for part in app.markdown] + [part.proto.body for part in app.get("html")])


def named(app: AppTest) -> list[str]:
    """The pictures on the page by their names, in order."""
    return re.findall(r'<img [^>]*alt="([^"]*)"', html(app))


def rows(app: AppTest) -> list[str]:
    """The names of the bars, in order."""
    return re.findall(r'<th scope="row">([^<]*)</th>', html(app))


def until(app: AppTest, condition) -> AppTest:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
        app.run()
    assert condition() and not app.exception
    return app


# The prediction


def test_training_and_scenes_are_kept_back_until_the_prediction_is_made(open_page):
    app = open_page("clip")
    assert app.button(key="_main").disabled and not any(part.key == "show" for part in app.get("button_group"))
    app.button(key="_guess_b").click().run()
    assert not app.button(key="_main").disabled and group(app, "show").options == list(SCENES)


# Live


def test_before_training_an_untrained_matrix_stands_beside_the_shipped_one(chapter):
    app = chapter()
    one, other = panels(app).values()
    assert layers(one) == layers(other) == ["matrix"] and header(app)["T"] == 1
    right = [int(re.search(r"(\d+) of 12", panel["caption"])[1]) for panel in (one, other)]
    assert right[0] <= 4 and right[1] >= 11
    assert one["layers"][0]["names"][0] == "cat face"


def test_the_matrix_can_be_of_held_out_pictures(chapter):
    app = chapter(which="held out")
    held_out = clip_lesson.pairs().held_out
    names = next(iter(panels(app).values()))["layers"][0]["names"]
    assert all(held_out[clip_lesson.pairs().captions.index(name)] for name in names)


def test_training_shows_the_matrix_over_its_steps_and_the_loss_from_log_n(chapter, fresh_registry, monkeypatch):
    monkeypatch.setattr(clip_lesson, "PLAN", replace(clip_lesson.PLAN, width=8, size=16, steps=24))
    app = chapter(batch="16", which="held out")
    app.button(key="_main").click().run()
    until(app, lambda: app.button(key="_main").label == "Finished")
    assert header(app)["T"] >= 4 and header(app)["label"] == "step"
    matrix, loss = panels(app).values()
    assert len(matrix["caption"]) == header(app)["T"] and loss["title"] == "Loss of a batch of 16 pairs"
    assert any("log 16 = 2.77" in label for layer in loss["layers"] for label in layer["label"])
    assert "1/128" in app.info[0].value  # the prediction explained
    app.button(key="_reset").click().run()
    assert header(app)["T"] == 1


def test_towers_of_ones_own_answer_in_the_other_scenes(chapter, fresh_registry, monkeypatch):
    monkeypatch.setattr(clip_lesson, "PLAN", replace(clip_lesson.PLAN, width=8, size=16, batch=16, steps=3))
    app = chapter()
    app.button(key="_main").click().run()
    until(app, lambda: app.button(key="_main").label == "Finished")
    group(app, "show").set_value("retrieval").run()
    shipped = named(app)
    app.selectbox(key="model").set_value(clip_queries.OWN).run()
    assert len(named(app)) == clip_queries.K and named(app) != shipped


def test_all_captions_at_their_pictures_do_the_first_task(chapter, monkeypatch):
    monkeypatch.setattr(clip_live, "show", lambda *_: (True, True))
    app = chapter()
    assert done(app) == [True, False, False, False]


# Retrieval


def test_a_text_finds_pictures_and_says_their_cosines(chapter):
    app = chapter("retrieval", text="smiling cat")
    assert len(named(app)) == clip_queries.K and "cat" in named(app)[0]
    assert "“smiling cat”" in html(app)
    cosines = [float(value) for value in re.findall(r"<figcaption>([\d.]+)", html(app))]
    assert len(cosines) == clip_queries.K and cosines == sorted(cosines, reverse=True)


def test_held_out_pictures_alone_can_be_searched(chapter):
    app = chapter("retrieval", among="held out")
    held_out = clip_lesson.pairs().held_out
    assert all(held_out[clip_lesson.pairs().captions.index(name)] for name in named(app))


def test_words_that_no_caption_had_are_named_and_the_others_are_searched(chapter):
    app = chapter("retrieval", text="smiling blorp")
    assert "`blorp` is a word that no caption had" in app.warning[0].value and len(named(app)) == clip_queries.K
    app = chapter("retrieval", text="blorp [zorgl](!)")
    assert "`blorp`, `zorgl` are words that no caption had" in app.warning[0].value and not named(app)


def test_an_empty_text_gets_a_sentence(chapter):
    app = chapter("retrieval")
    app.text_input(key="text").set_value(" ?! ").run()
    assert "Type some words" in app.info[0].value and not named(app) and not app.warning


def test_a_picture_of_the_collection_finds_its_own_caption(chapter):
    app = chapter("retrieval", by="picture", of="pizza")
    assert named(app) == ["pizza"] and rows(app)[0] == "✓ pizza"


def test_a_held_out_picture_found_by_words_does_the_second_task(chapter):
    assert done(chapter("retrieval", text="smiling cat"))[1] is False
    held_out = [clip_lesson.pairs().captions[i] for i in clip_lesson.pairs().indices(held_out=True).tolist()]
    assert any(done(chapter("retrieval", text=text))[1] for text in held_out[:8])


def test_a_file_is_read_and_a_bad_one_refused_with_a_sentence(chapter):
    app = chapter("retrieval", by="file")
    assert "Choose a file" in app.info[0].value
    stream = BytesIO()
    pizza = clip_lesson.pairs().images[clip_lesson.pairs().captions.index("pizza")]
    Image.fromarray(pizza.permute(1, 2, 0).numpy()).save(stream, "PNG")
    app.file_uploader(key="_picture").set_value(("x.png", stream.getvalue(), "image/png")).run()
    assert named(app) == ["your file"] and rows(app)[0] == "pizza"
    app.file_uploader(key="_picture").set_value(("cut.png", stream.getvalue()[:300], "image/png")).run()
    assert "cut" in app.error[0].value and app.error[0].value.endswith("choose another.") and not app.exception


def test_a_grey_file_is_looked_at_as_well(chapter):
    stream = BytesIO()
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(stream, "PNG")
    app = chapter("retrieval", by="file")
    app.file_uploader(key="_picture").set_value(("grey.png", stream.getvalue(), "image/png")).run()
    assert len(rows(app)) == 10 and not app.error


def test_a_drawing_is_painted_in_the_colour_chosen(chapter):
    assert any("heart" in name for name in rows(chapter("retrieval", by="drawing"))[:5])
    square = [[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75], [0.25, 0.25]]]
    full, line = (clip_queries.painted(square, "#ff0000", filled) for filled in (True, False))
    assert full[:, 16, 16].tolist() == [255, 0, 0] and line[:, 16, 16].tolist() == [255] * 3
    assert line[:, 8, 16].tolist() == [255, 0, 0] and full[:, 2, 2].tolist() == [255] * 3


# Zero-shot


def test_two_wordings_are_judged_side_by_side(chapter):
    app = chapter("zero-shot", classify="all")
    table = next(part.value for part in app.markdown if part.value.startswith("| Right of"))
    one, two = ([int(cell) for cell in re.findall(r"(\d+)%", line)] for line in table.splitlines()[2:])
    assert len(one) == len(two) == 2 + len(clip_lesson.GROUPS) and two[0] > one[0] + 3
    assert len(named(app)) == 4 and sum(row.startswith("◆") for row in rows(app)) == 4


def test_prompts_of_ones_own_need_no_truth(chapter):
    app = chapter("zero-shot", wording1="red\nblue", wording2="red\ngreen")
    assert not any(part.value.startswith("| Right of") for part in app.markdown)
    assert set(rows(app)) == {"red", "blue", "green"}


def test_prompts_that_cannot_be_read_are_said_and_unknown_words_are_named(chapter):
    app = chapter("zero-shot")
    app.text_area(key="wording1").set_value("alone").run()
    assert "give 2 to 12" in app.error[0].value and not app.exception
    app.text_area(key="wording1").set_value("blorp\nface").run()
    assert any("`blorp`" in caption.value for caption in app.caption) and not app.error


def test_a_better_wording_does_the_third_task(chapter):
    bad = "face: foot\nperson: pizza\nanimal: clock\nfood: arrow\nplace: man\nactivity: red\nobject: dog\nsign: soup"
    assert done(chapter("zero-shot", wording1=bad, wording2=WORDINGS[1]))[2] is True
    assert done(chapter("zero-shot", wording1=WORDINGS[1], wording2=WORDINGS[1]))[2] is False


# Arithmetic


def test_the_right_words_of_all_differences_are_counted_beside_the_baseline(chapter):
    app = chapter("arithmetic", attribute="bald")
    until(app, lambda: "47 of 48" in html(app))
    table = next(part.value for part in app.markdown if part.value.startswith("| Right word first"))
    own = [int(n) for n in re.findall(r"(\d+) of", table.splitlines()[2])]
    assert own[0] == sum(own[1:]) >= 36
    assert len(re.findall("<figcaption>✓", html(app))) == own[-1]  # below the table: the differences of the attribute


def test_each_pair_of_an_attribute_can_be_seen_and_the_hat_is_not_counted(chapter):
    app = chapter("arithmetic", attribute="crown", pair="5")
    assert len(named(app)) == 2 + 12
    first = named(app)[:2]
    app.number_input(key="pair").set_value(6).run()
    assert named(app)[:2] != first
    app.selectbox(key="attribute").set_value("hat").run()
    assert any("hat" in row for row in rows(app))
    assert named(app) == list(clip_lesson.HAT) and app.number_input(key="pair").disabled


def test_any_two_pictures_can_be_subtracted(chapter):
    app = chapter("arithmetic", kind="pictures", one="woman firefighter", other="woman")
    assert named(app) == ["woman firefighter", "woman"] and any("firefighter" in row for row in rows(app)[:3])
    app.selectbox(key="other").set_value("woman firefighter").run()
    assert "minus itself" in app.info[0].value and not rows(app)


def test_words_make_the_red_apple_green_which_does_the_fourth_task(chapter):
    app = chapter("arithmetic", kind="words", one="red apple", minus="red", plus="green")
    assert "green apple" in named(app)[1:4] and done(app)[3] is True
    assert done(chapter("arithmetic", kind="words"))[3] is False


def test_a_word_that_moves_nothing_is_named(chapter):
    app = chapter("arithmetic", kind="words", minus="blorp", plus="woman")
    assert "`blorp`" in app.warning[0].value and len(named(app)) == 1 + clip_queries.K


# The map


@pytest.mark.parametrize("axes", clip_lesson.AXES)
def test_the_map_is_drawn_along_each_pair_of_axes(chapter, axes):
    app = chapter("map", axes=axes)
    spec = app.get("plotly_chart")[0].proto.spec
    assert spec.count('"scattergl"') == 16 and "of the variance" in spec


def test_pictures_or_captions_can_be_left_out(chapter):
    app = chapter("map")
    app.multiselect(key="shown").set_value(["captions"]).run()
    assert app.get("plotly_chart")[0].proto.spec.count('"scattergl"') == 8
    app.multiselect(key="shown").set_value([]).run()
    assert not app.exception and any(part.value.startswith("The pictures of") for part in app.caption)


# Links


@pytest.mark.parametrize(
    ("scene", "name", "value"),
    [("train live", "batch", "7"), ("train live", "which", "none"), ("train live", "lr", "-1"),
     ("retrieval", "by", "ear"), ("retrieval", "among", "few"), ("zero-shot", "example", "-2"),
     ("arithmetic", "attribute", "wig"), ("arithmetic", "pair", "13"), ("map", "axes", "z"),
     ("retrieval", "model", "dall-e")],
)  # fmt: skip
def test_a_value_that_is_none_is_ignored_with_a_notice(chapter, scene, name, value):
    app = chapter(scene, **{name: value})
    assert not app.exception and f"{name}=" in app.toast[0].value
