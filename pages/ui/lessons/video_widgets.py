"""What the page of chapter 12 draws beside the stage: the controls, messages about captions, tables."""

from functools import partial

import streamlit as st

from core.data import video_captions
from core.data.people import ATTRIBUTES
from core.data.people_captions import values
from core.data.video import FAULTS, FRAMES, MOTIONS
from core.lessons import video as lesson
from core.lessons.video import ClipFilm, Measures
from core.models import video_queries
from core.problems import Problem
from pages.ui.frame import controls, links, shell, text
from pages.ui.frame.text import t
from pages.ui.lessons import video as scenes
from pages.ui.lessons.video import Films
from pages.ui.lessons.video_config import CONTROLS, Config
from pages.ui.runs import background_films
from pages.ui.stage import player

NAMES = list(ATTRIBUTES)


def draw_controls(show: str) -> None:
    """Draw the controls of a scene, and the captions to choose from where one can be written."""
    for name in CONTROLS[show]:
        controls.draw(name)
        if name == "caption":
            _examples()


def _examples() -> None:
    """Captions in both languages that fill the field."""
    with st.popover(t("video.examples"), icon=":material/list:"):
        for speaks, captions in lesson.CAPTIONS.items():
            for k, caption in enumerate(captions):
                key = f"_example_{speaks}_{k}"
                st.button(f"`{caption}`", key=key, type="tertiary", on_click=controls.put, args=("caption", caption))


def readable(config: Config) -> bool:
    """Whether clips can be drawn from what was written; says what is wrong, and which words have no effect."""
    written = {"clip": config.caption, "guidance": config.caption, "negative": config.word}.get(config.show)
    if written is None:
        return True
    with shell.alerts():
        try:
            remarks = _remarks_on_word(written) if config.show == "negative" else _remarks_on_caption(written)
        except Problem as problem:
            shell.sorry(problem)
            return False
        for note in remarks:
            shell.message("info", links.plain(note))
    return True


def _remarks_on_caption(caption: str) -> list[str]:
    """What to say of a caption that can be read: words without effect, and no motion."""
    if any(caption in captions for captions in lesson.CAPTIONS.values()):
        return []  # without a look at the model, which takes time to load
    return [text.problem(note) for note in video_queries.notes(lesson.model(), caption)]


def _remarks_on_word(word: str) -> list[str]:
    """What to say of a negative prompt: words without effect, and nothing to lead away from."""
    if not word.strip():
        return [t("video.remarks.no_word")]
    parsed = video_captions.parse(word)
    if parsed.unknown:
        return [text.problem(Problem("video_unknown_words", words=t("frame.comma").join(parsed.unknown)))]
    return [] if parsed.named.faults else [t("video.remarks.no_fault")]


def show_picture(config: Config) -> Films:
    """Draw the picture of a scene, clips while they form; returns the finished ones."""
    requests = scenes.requests_of(config)
    if not requests:
        _play(config, scenes.SCENES[config.show](config))
        return ()
    return background_films.watch(scenes.film_maker(), requests, partial(_draw, config))


def _draw(config: Config, films: Films, frame: int | None) -> None:
    _play(config, scenes.film_scene(config, films, frame))


def _play(config: Config, scene: scenes.Scene) -> None:
    player.show(scene, key="video", permalink=True, loop=True, autoplay=True, restart=config.what)


# Tables


def explain_numbers(config: Config, films: Films) -> None:
    """What stands below the picture: captions, what the judge read, what was measured of many clips."""
    with shell.sheet():
        if config.show == "data":
            shell.prose(captions_table(config))
        elif config.show == "negative":
            shell.prose(t("video.negative.list", **{each: video_captions.all_faults(each) for each in lesson.CAPTIONS}))
        if config.show == "clip" and films:
            shell.prose(judged_table(config, films[0]))
        if config.show in ROWS and lesson.measured():
            shell.prose(measured_table(config.show))
        if text.has(f"video.{config.show}.hint"):
            counts = {"n": lesson.MEASURED, "standing": lesson.STANDING}
            shell.caption(t(f"video.{config.show}.hint", scale=lesson.NEGATIVE_SCALE, **counts))


def captions_table(config: Config) -> str:
    """A caption of each real clip that is shown, in both languages, as a Markdown table."""
    head = [t(f"video.captions_table.{part}") for part in ("clip", "en", "zh")]
    if config.what == "motions":
        clips = lesson.clips_of_motions(config.seed)
        rows = [(text.label("motions", name), k, ()) for k, name in enumerate(MOTIONS)]
    else:
        clips, _ = lesson.spoiled_clips(config.seed)
        rows = [(text.label("faults", name), 0, (name,)) for name in FAULTS]
    speaks = lesson.CAPTIONS
    written = [
        [name, *(f"`{lesson.caption_of(clips, k, each, faults)}`" for each in speaks)] for name, k, faults in rows
    ]
    return shell.table(head, written).replace("--:", ":--")  # they are texts, not numbers


def judged_table(config: Config, film: ClipFilm) -> str:
    """What a caption asks for and what the judges read in the clip, as a Markdown table."""
    named, found = video_captions.parse(config.caption).named, lesson.verdict_of(film)
    rows = []
    for name, value in named.person.items():
        column = [ATTRIBUTES[name][k] for k in found.attributes[0, :, NAMES.index(name)].tolist()]
        right = sum(each in values(name, value) for each in column)
        got = t("video.judged.frames", n=right, of=FRAMES)
        rows.append([text.label("attributes", name), _value(name, value), f"{_sign(right > FRAMES / 2)} {got}"])
    motion = MOTIONS[int(found.motions[0])]
    wanted = text.label("motions", named.motion) if named.motion else t("video.judged.any")
    sign = _sign(motion == named.motion) if named.motion else ""
    rows.append([t("video.judged.motion"), wanted, f"{sign} {text.label('motions', motion)}".strip()])
    faults = [text.label("faults", name) for name, spoils in zip(FAULTS, found.faults[0].tolist()) if spoils]
    rows.append([t("video.judged.faults"), "–", t("frame.comma").join(faults) or t("video.judged.none")])
    return shell.table([t(f"video.judged.{part}") for part in ("what", "asked", "got")], rows).replace("--:", ":--")


def _value(name: str, value: str) -> str:
    known = value in ATTRIBUTES[name]
    return text.label("attribute_values", value) if known else text.label("attributes", value)


def _sign(right: bool) -> str:
    return "✓" if right else "✗"


ROWS: dict[str, tuple[str, ...]] = {
    "attention": ("real", "together", "apart"),
    "guidance": ("real", "plain", "guided", "scale_3", "scale_5"),
    "negative": ("real", "plain", "guided", "word", "list_en", "list_zh"),
}
"""What is measured of many clips, by scene."""
COLUMNS: dict[str, tuple[str, ...]] = {
    "attention": ("flicker",),
    "guidance": ("right", "spoiled", "contrast"),
    "negative": ("spoiled", "right", "flicker", "sharpness", "contrast", "moved"),
}
"""The measures that a scene shows."""


def measured_table(show: str) -> str:
    """What was measured of many clips, as a Markdown table."""
    head = [t("video.measures.way"), *(t(f"video.measures.{name}") for name in COLUMNS[show])]
    found, rows = lesson.measured(), []
    for name in ROWS[show]:
        still = show == "attention" and name == "real"
        cells = ["0"] if still else [_cell(found[name], column) for column in COLUMNS[show]]
        rows.append([t(f"video.ways.{show}.{name}", scale=lesson.NEGATIVE_SCALE), *cells])
    return shell.table(head, rows)


def _cell(measures: Measures, column: str) -> str:
    value = getattr(measures, column)
    return f"{value:.1%}" if column in ("spoiled", "right", "moved") else f"{value:.3f}"
