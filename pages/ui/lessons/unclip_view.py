"""What the page of chapter 7 draws beside the stage: messages about words, cards of neighbours, a table."""

import math

import streamlit as st

from core.data.captions import LENGTH
from core.figures import palette
from core.lessons import clip as clip_lesson
from core.lessons import unclip as lesson
from core.lessons.unclip import Film
from core.models import clip_queries
from pages.ui.frame import controls, shell
from pages.ui.frame.text import fixed, t
from pages.ui.lessons import clip_collection as collection
from pages.ui.lessons.unclip import ALL_SETTINGS, CAPTIONS, SETTINGS, Config, Films, scene
from pages.ui.lessons.unclip_vectors import models, space, text_vector
from pages.ui.stage import player
from pages.ui.widgets import html_cards
from pages.ui.widgets.html_cards import Bar


def ask(show: str) -> bool:
    """Draw the controls that say what a scene is of: captions, or a picture. Whether it can be drawn."""
    if show == "variations":
        controls.draw("of")
    usable = [ask_caption(name) for name in CAPTIONS.get(show, ("caption",))]
    return all(usable)


def settings(show: str) -> None:
    """Draw the settings that a scene depends on, the guidance of the decoder first."""
    names = SETTINGS.get(show, ALL_SETTINGS)
    if "w" in names:
        w = controls.draw("w")
        if show == "negative_caption" and w <= 1:
            shell.caption(t(f"unclip.negative_caption.no_effect.{'at_one' if w == 1 else 'below'}"))
    elif show == "prior":
        controls.use("w")  # so that its film is that of the other stages
    if names:
        with st.expander(t("unclip.more")):
            for name in names:
                if name != "w":
                    controls.draw(name)


def ask_caption(name: str) -> bool:
    """Draw the control of a caption and say what becomes of its words. Whether any of them is known, or there are
    none."""
    caption = controls.draw(name)
    known, unknown = models().known.known(caption), models().known.unknown(caption)
    if len(known) > LENGTH:
        shell.caption(t("unclip.unknown.long", most=LENGTH, n=len(known)))
    if unknown and known:
        words = t("unclip.unknown.words", count=len(unknown), words=collection.listed(unknown))
        st.warning(words, icon=":material/help:")
    elif unknown:
        st.error(t("unclip.unknown.none", words=collection.listed(unknown)), icon=":material/help:")
    return bool(known) or not unknown


def draw(config: Config, films: Films, k: int | None) -> None:
    """The films on the stage as far as they have come; another scene begins at its own start."""
    height = 330 if config.show == "text_vector" else None
    player.show(
        scene(config, films, k, shell.theme()), key="unclip", permalink=True, restart=config.show, height=height
    )


def chips(text: str) -> None:
    """The words of a caption, each with whether it is known, over an arrow to the stages that follow."""
    known, unknown = models().known.known(text), models().known.unknown(text)
    parts = [_chip(word, known=True) for word in known[:LENGTH]] + [
        _chip(word, known=False) for word in unknown[:LENGTH]
    ]
    words = " ".join(parts) if parts else f"<em>{t('unclip.chips.none')}</em>"
    body = f'<div role="group" aria-label="{t("unclip.chips.label")}">{words} {t("unclip.chips.stages")}</div>'
    st.markdown(body, unsafe_allow_html=True)


def _chip(word: str, known: bool) -> str:
    colour, dash = palette.colour("conditional" if known else "negative", shell.theme()), "solid" if known else "dashed"
    style = f"border:2px {dash} {colour};border-radius:1em;padding:0 .6em"
    shown = html_cards.as_html(html_cards.EnglishText(word))
    inside = shown if known else f"<s>{shown}</s> {t('unclip.chips.unknown')}"
    return f'<span style="{style}">{inside}</span>'


def neighbours(text: str) -> None:
    """The captions and the pictures nearest to a caption's vector; nothing where no word of it is known."""
    if not models().known.known(text):
        return
    vector = clip_queries.text_vectors(models().clip, models().known, [text])[0]
    tables = []
    for name, among, role in (("captions", space().captions, "sample"), ("pictures", space().pictures, "data")):
        found = clip_lesson.nearest(among, vector, collection.numbers("all"), 6)
        rows = [(collection.name(i), [Bar(value, fixed(value), role)]) for i, value in found]
        tables.append(html_cards.bars(rows, t(f"unclip.neighbours.{name}")))
    html_cards.row(*tables, label=t("unclip.neighbours.label"))


def positions(films: Films) -> str:
    """Where the decoder's conditions lie, with the prior and without, beside those of real pictures; and how alike the
    finished pictures are. As a Markdown table."""
    rows = [[t(f"unclip.positions.{name}"), *_position(film)] for name, film in zip(("prior", "caption"), films)]
    real = lesson.held_out_position(space())
    rows.append([t("unclip.positions.held_out"), *map(fixed, (real.gap, real.caption, real.picture, math.nan))])
    head = [t(f"unclip.positions.head.{part}") for part in ("of", "gap", "caption", "picture", "mutual")]
    return shell.table(head, rows)


def _position(film: Film) -> list[str]:
    position = lesson.position(film.vectors, text_vector(film.request.caption), space())
    mutual = lesson.mutual_cosine(models(), film)
    return [fixed(value) for value in (position.gap, position.caption, position.picture, mutual)]
