"""What the page of chapter 9 draws beside the stage: messages about words, cards of neighbours, tables."""

import math

import streamlit as st
import torch
from torch import Tensor

from core.figures import palette
from core.lessons import unclip as lesson
from core.lessons.unclip import Film
from core.models import clip_queries, clip_space
from core.problems import Problem
from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import fixed, t
from pages.ui.lessons import clip_collection as collection
from pages.ui.lessons.unclip import ALL_SETTINGS, FIELDS, SETTINGS, Config, Films, fields, scene
from pages.ui.lessons.unclip_vectors import models, named_captions, space, text_vector
from pages.ui.stage import player
from pages.ui.widgets import html_cards
from pages.ui.widgets.html_cards import Bar, EnglishText

LARGE = 128  # pixels a side at which the browser does not blur the squares of a picture
JUDGED = ("all_stages", "decoder", "prior_skipped")
"""The scenes under which the attributes asked for stand beside those of the pictures."""


def ask(show: str, data: str) -> bool:
    """Draw the controls that say what a scene is of: captions, or a picture. Whether it can be drawn."""
    usable = []
    for name in fields(show, data):
        if name in ("of", "person"):
            controls.draw(name)
        else:
            usable.append(ask_caption(name, data))
    return all(usable)


def settings(show: str, data: str) -> None:
    """Draw the settings that a scene depends on: the guidance scale that it is about, the others folded."""
    names = SETTINGS.get(show, ALL_SETTINGS)
    if show == "prior":
        controls.use(FIELDS[data]["w"])  # so that its film is that of the other stages
    elif names and names[0] in ("w", "wp") and show != "guidance":
        scale = controls.draw(FIELDS[data][names[0]])
        if show == "negative_caption" and scale <= 1:
            shell.caption(t(f"unclip.negative_caption.no_effect.{'at_one' if scale == 1 else 'below'}"))
        names = names[1:]
    if names:
        with st.expander(t("unclip.more")):
            for name in names:
                controls.draw(FIELDS[data].get(name, name))


def ask_caption(name: str, data: str) -> bool:
    """Draw the control of a caption and say what becomes of its words. Whether any of them is understood, or there are
    none."""
    caption, known = controls.draw(name), models(data).known
    words, most = known.known(caption), known.encode([""]).shape[1]
    with shell.alerts():
        return _is_understood(caption, data, len(words), most)


def _is_understood(caption: str, data: str, length: int, most: int) -> bool:
    """Whether any word of a caption is understood, or there are none; says which are not, and how many are too many."""
    if length > most:
        shell.caption(t("unclip.unknown.long", most=most, n=length))
    try:
        unknown = lesson.unknown_words(models(data), data, caption)
        understood = lesson.is_understood(models(data), data, caption)
    except Problem as problem:
        shell.sorry(problem)
        return False
    if unknown and understood:
        warning = t(f"unclip.unknown.{data}", count=len(unknown), words=collection.listed(unknown))
        shell.message("warning", warning, "help")
    elif unknown:
        st.error(t(f"unclip.unknown.no_{data}", words=collection.listed(unknown)), icon=":material/help:")
    return understood or not unknown


def has_unknown(caption: str, data: str) -> bool:
    """Whether a caption has a word that is not understood."""
    return bool(lesson.unknown_words(models(data), data, caption))


def draw(config: Config, films: Films, k: int | None) -> None:
    """The films on the stage, as far as they have come. Those of other data begin at their own start."""
    height = 330 if config.show == "text_vector" else None
    player.show(
        scene(config, films, k, shell.theme()), key="unclip", permalink=True, restart=config.data, height=height
    )


def chips(caption: str, data: str) -> None:
    """The words of a caption, each with whether it is known, over an arrow to the stages that follow."""
    known, most = models(data).known.known(caption), models(data).known.encode([""]).shape[1]
    unknown = lesson.unknown_words(models(data), data, caption)
    known = [word for word in known if word not in unknown]
    parts = [_chip(word, data, known=True) for word in known[:most]]
    parts += [_chip(word, data, known=False) for word in unknown[:most]]
    words = " ".join(parts) if parts else f"<em>{t('unclip.chips.none')}</em>"
    body = f'<div role="group" aria-label="{t("unclip.chips.label")}">{words} {t("unclip.chips.stages")}</div>'
    shell.draw_html(body)


def _chip(word: str, data: str, known: bool) -> str:
    colour, dash = palette.colour("conditional" if known else "negative", shell.theme()), "solid" if known else "dashed"
    style = f"border:2px {dash} {colour};border-radius:1em;padding:0 .6em"
    shown = html_cards.as_html(EnglishText(word) if word.isascii() else word)
    inside = shown if known else f"<s>{shown}</s> {t('unclip.chips.unknown')}"
    return f'<span style="{style}">{inside}</span>'


def neighbours(caption: str, data: str) -> None:
    """The captions and the pictures nearest to a caption's vector; nothing where no word of it is known."""
    whole, known = models(data), lesson.pairs(data)
    if not whole.known.known(caption):
        return
    vector = clip_queries.text_vectors(whole.clip, whole.known, [caption])[0]
    names, vectors = named_captions(data, text.language.get())
    rows = [(_name(names[i]), [Bar(value, fixed(value), "sample")]) for i, value in _nearest(vectors, vector)]
    html_cards.row(html_cards.bars(rows, t("unclip.neighbours.captions")), label=t("unclip.neighbours.captions"))
    shell.caption(t("unclip.neighbours.pictures"))
    figures = [
        html_cards.figure(html_cards.image(_large(known.images[i]), _name(names[i])), fixed(value))
        for i, value in _nearest(space(data).pictures, vector)
    ]
    html_cards.shelf(figures, t("unclip.neighbours.pictures"))


def _nearest(among: Tensor, vector: Tensor) -> list[tuple[int, float]]:
    return clip_space.nearest(among, vector, torch.arange(len(among)), 6)


def _large(pixels: Tensor) -> Tensor:
    """A picture with each pixel repeated, so that the browser does not blur it."""
    times = max(1, LARGE // pixels.shape[-1])
    return pixels.repeat_interleave(times, -1).repeat_interleave(times, -2)


def _name(caption: str) -> str:
    return EnglishText(caption) if caption.isascii() else caption


def positions(films: Films) -> str:
    """Where the decoder's conditions lie, with the prior and without, beside those of real pictures; and how alike the
    finished pictures are. As a Markdown table."""
    data = films[0].request.data
    rows = [[t(f"unclip.positions.{name}"), *_position(film)] for name, film in zip(("prior", "caption"), films)]
    real = lesson.held_out_position(space(data), lesson.pairs(data))
    rows.append([t("unclip.positions.held_out"), *map(fixed, (real.gap, real.caption, real.picture, math.nan))])
    head = [t(f"unclip.positions.head.{part}") for part in ("of", "gap", "caption", "picture", "mutual")]
    return shell.table(head, rows)


def _position(film: Film) -> list[str]:
    data = film.request.data
    position = lesson.position(film.vectors, text_vector(data, film.request.caption), space(data))
    mutual = lesson.mutual_cosine(models(data), film)
    return [fixed(value) for value in (position.gap, position.caption, position.picture, mutual)]


def judged(films: Films) -> str:
    """The attributes that the caption of films asks for, and how many of the pictures of each have them, as a Markdown
    table; "" where it asks for none."""
    caption = films[0].request.caption
    if not caption:
        return ""
    head, rows = [t("unclip.judged.asked")], []
    if len(films) == 1:
        head += [t("unclip.judged.picture", k=k + 1) for k in range(len(films[0].images))]
    else:
        head += [t("unclip.judged.with_prior"), t("unclip.judged.without_prior")]
    for same in zip(*(lesson.asked_and_got(caption, film.images) for film in films)):
        label, value = text.label("attributes", same[0].attribute), text.label("attribute_values", same[0].value)
        cells = _got(same[0]) if len(same) == 1 else [_count(row) for row in same]
        rows.append([t("unclip.judged.row", attribute=label, value=value), *cells])
    return shell.table(head, rows) if rows else ""


def _got(row: lesson.Asked) -> list[str]:
    """A tick for each picture that is right, and the value of each that is not."""
    return ["✓" if right else f"✗ {text.label('attribute_values', value)}" for right, value in zip(row.right, row.got)]


def _count(row: lesson.Asked) -> str:
    return t("unclip.judged.count", n=sum(row.right), of=len(row.right))
