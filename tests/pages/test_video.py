"""Chapter 12 without a browser: the prediction, the scenes, captions that cannot be used, the tasks."""

import pytest

from core import problems
from core.data.video import FRAMES
from core.lessons import video as core_lesson
from pages.ui.frame import links, text
from pages.ui.frame.text import t
from pages.ui.lessons import video as lesson
from pages.ui.lessons.video_config import CONTROLS, SHOW, Config
from tests.reading import group, header, layers, messages, panels, tasks

SHOWN = {"predictions": "false"}


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("video", **SHOWN | address)


def sorry(app) -> list[str]:
    return [each.value for each in app.error]


def test_the_scenes_wait_for_the_prediction_and_the_panels_decide_it(open_page):
    app = open_page("video")
    assert list(panels(app)) == [t("video.panels.motions")]
    assert not [part for part in app.get("button_group") if part.key == "show"]
    app.button(key="_guess_one_in_seven").click().run()
    app.button(key="_guess_decide").click().run()
    assert group(app, "show").value == "negative" and len(panels(app)) == 5
    assert len(messages(app, "success")) == 1


@pytest.mark.parametrize("language", text.languages())
@pytest.mark.parametrize("scene, count", [("data", 1), ("clip", 3), ("time_axis", 4), ("attention", 4),
                                          ("guidance", 4), ("negative", 5)])  # fmt: skip
def test_a_scene_opens_with_clips_that_ship(chapter, language: str, scene: str, count: int):
    app = chapter(show=scene, lang=language)
    found = header(app)
    assert len(found["panels"]) == count and {kind for panel in found["panels"] for kind in layers(panel)} == {"images"}
    assert found["alt"] and not app.get("progress")


def test_each_scene_draws_controls_that_exist():
    assert {name for names in CONTROLS.values() for name in names} | {"guess", "show"} == set(
        Config.__dataclass_fields__
    )
    assert tuple(CONTROLS) == SHOW == tuple(lesson.SCENES)


def test_the_faults_stand_beside_the_clean_clip_with_a_caption_of_each(chapter):
    app = chapter(what="faults")
    assert list(panels(app)) == [t("video.panels.clean"), t("video.panels.faults")]


def test_a_clip_forms_on_the_clock_of_sigma_and_plays_on_the_clock_of_time():
    scene = lesson.SCENES["clip"](Config(show="clip"))
    labels, values = scene.clock.label, scene.clock.values
    formed = core_lesson.STEPS + 1
    assert set(labels[:formed]) == {"σ"} and not any(values[formed - 1 :]) and scene.clock.start >= formed
    plays = [t("video.clock.plays", k=k) for k in range(1, FRAMES + 1)]
    assert labels[formed:] == plays * lesson.REPEATS


@pytest.mark.parametrize(
    "written, code",
    [
        ("", "people_caption_empty"),
        ("a person walking left and jumping", "video_motions"),
        ("человек", "people_caption_language"),
    ],
)
def test_a_caption_that_cannot_be_used_is_refused_in_one_sentence(chapter, written: str, code: str):
    app = chapter(show="clip", caption=" " if not written else written)
    assert not app.exception and len(sorry(app)) == 1
    assert sorry(app)[0].startswith(problems.sentences()[code].split("%{")[0])


def test_words_that_are_not_known_and_a_missing_motion_are_named(chapter):
    app = chapter(show="clip", caption="a person with a red cap and a giraffe", w="1")
    notes = messages(app, "info")
    assert len(notes) == 2 and "giraffe" in notes[0]


def test_a_negative_prompt_without_a_fault_is_noted(chapter):
    assert len(messages(chapter(show="negative", word="hat"), "info")) == 1


def test_while_clips_form_the_clock_is_that_of_sigma(fresh_registry):
    config = Config(show="guidance")
    films = [core_lesson.ClipFilm(request) for request in lesson.requests_of(config)]
    scene = lesson.film_scene(config, films, -1)
    assert len(scene.clock.values) == 1 and scene.clock.label == "σ" and len(scene.panels) == 4


def test_the_tasks_check_themselves(chapter):
    assert not any(tasks(chapter()).values())
    config, ignored = links.parse(Config, {"show": "time_axis", "motion": "talks", "row": "15"})
    assert not ignored and lesson.tasks_done(config, ())["still_row"]
    config, _ = links.parse(Config, {"show": "time_axis", "motion": "stands", "row": "15"})
    assert not lesson.tasks_done(config, ())["still_row"]


def test_the_numbers_that_the_page_quotes_are_those_that_were_measured():
    found, quoted = core_lesson.measured(), text.catalogue("")["measured"]["video"]
    left = (found["list_en"].spoiled + found["list_zh"].spoiled) / 2
    shares = {"plain": found["plain"].spoiled, "word": found["word"].spoiled, "list": left,
              "right_1": found["plain"].right, "right_2": found["guided"].right}  # fmt: skip
    assert {name: round(100 * share) for name, share in shares.items()} == {name: quoted[name] for name in shares}
    assert {name: f"{found[name].flicker:.2g}" for name in core_lesson.BY_ITSELF} == {
        name: quoted[name] for name in core_lesson.BY_ITSELF
    }
