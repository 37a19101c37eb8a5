"""What the page of chapter 8 draws of people: cards, tables and a chart."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from core.data.people import ATTRIBUTES, enlarge
from core.figures.maps import Cloud, scatter
from core.figures.scene import Scene
from core.lessons import clip_people as lesson
from core.lessons.clip_people import Answers, Description, Named, PeopleSpace
from core.models import clip_space
from core.models.clip_space import Projection
from core.models.people_queries import DIFFERENCES
from pages.ui.frame import controls, shell, text
from pages.ui.frame.chart import draw_chart
from pages.ui.frame.links import plain
from pages.ui.frame.text import fixed, t
from pages.ui.lessons import clip as scenes
from pages.ui.lessons import clip_collection as collection
from pages.ui.lessons import clip_map, clip_retrieval, clip_view
from pages.ui.lessons import clip_people as people
from pages.ui.lessons.clip import Config
from pages.ui.lessons.clip_collection import Encoders, Nearest
from pages.ui.lessons.clip_map import CAPTIONS, PICTURES, SYMBOLS
from pages.ui.stage import player
from pages.ui.widgets import html_cards
from pages.ui.widgets.html_cards import Bar, ChineseText, EnglishText

CRISP = 128  # pixels a side at which the browser does not blur the squares of a picture


def options(name: str) -> dict[str, Any]:
    """What else a control of people is drawn with: people are searched with a text or with a picture."""
    return {"options": people.BY} if name == "by" else {}


def ask(show: str) -> Encoders:
    """Draw the controls of a scene that follow the first ones: the encoders asked."""
    encoders = clip_view.choose_encoders("people")
    chosen = {"retrieval": "by", "arithmetic": "kind"}.get(show)
    for name in scenes.MORE_CONTROLS["people"].get(controls.value(chosen), ()) if chosen else ():
        controls.draw(name)
    return encoders


def draw(config: Config, encoders: Encoders) -> bool:
    """Draw a scene of people; whether its task is done."""
    with st.spinner(t("clip.embedding")):
        space = collection.people_space_of(encoders, config.language)
    if config.show == "arithmetic":
        return arithmetic(config, space, encoders)
    return {"retrieval": retrieval, "zero_shot": zero_shot, "map": vector_map}[config.show](config, space)


def scene(config: Config, encoders: Encoders) -> Scene:
    """The scene of what `draw` shows, for a file."""
    return scenes.SCENES[config.show](config, collection.people_space_of(encoders, config.language))


def spoken(line: str, language: str) -> str:
    """A text of the data in a language."""
    return (ChineseText if language == "zh" else EnglishText)(line)


def image(space: PeopleSpace, number: int) -> str:
    """A person as HTML, named by the caption."""
    return _image(number, space.language, text.language.get())


@cache
def _image(number: int, language: str, page: str) -> str:
    name = spoken(clip_space.names("people", language)[number], language)
    return html_cards.image(enlarge(clip_space.pairs("people").images[number], CRISP), name)


def figure(space: PeopleSpace, number: int) -> str:
    """A person over the number, as HTML."""
    return html_cards.figure(image(space, number), t("clip.people.number", n=number + 1))


# Retrieval


def retrieval(config: Config, space: PeopleSpace) -> bool:
    """The people nearest to a text, or the captions nearest to a person. True where the first of all people is one that
    was held out."""
    if config.by == "text":
        clip_view.warn_of_unknown_words(space, config.query)
        found = people.by_text(space, config.query, config.among)
        if found:
            shell.prose(t("clip.retrieval.nearest", text=plain(config.query)))
            shelf(space, found, t("clip.retrieval.shelf", n=people.FOUND), people.wanted(config.query))
        return bool(found) and config.among == "all" and bool(space.pairs.held_out[found[0][0]])
    number = config.person - 1
    found = people.by_picture(space, number, config.among)
    rows = [(spoken(people.name(space, i), space.language), [Bar(value, fixed(value))]) for i, value in found]
    marked = [k for k, (i, _) in enumerate(found) if i == number]
    table = html_cards.bars(rows, t("clip.retrieval.captions"), marked)
    html_cards.row(figure(space, number), "→", table, label=t("clip.retrieval.row"))
    first, ten = clip_retrieval.accuracy_of(space)
    shell.caption(t("clip.retrieval.accuracy", first=first, ten=ten))
    return False


def shelf(space: PeopleSpace, found: Nearest, label: str, wanted: Sequence[tuple[str, str]] = ()) -> None:
    """People with their cosines, and how many of the attributes wanted each has; a mark for those held out."""
    figures = []
    for i, cosine in found:
        right = lesson.count_right(space.people, i, wanted)
        judged = [t("clip.retrieval_people.right", right=right, n=len(wanted))] if wanted else []
        figures.append(
            html_cards.figure(image(space, i), fixed(cosine) + " ◇" * bool(space.pairs.held_out[i]), *judged)
        )
    html_cards.shelf(figures, label)
    shell.caption(t("clip.retrieval_people.legend" if wanted else "clip.retrieval_people.plain"))


# Zero-shot classification


def zero_shot(config: Config, space: PeopleSpace) -> bool:
    """A person, and the most probable value of each attribute, with the share of held-out people for whom it is right.
    True where one of them is wrong."""
    number = config.person - 1
    found, everyone = lesson.describe(space, torch.tensor([number])), people.descriptions(space)
    rows = [_row(one, all_.right) for one, all_ in zip(found, everyone, strict=True)]
    marked = [k for k, one in enumerate(found) if one.truth[0] == one.probabilities[0].argmax()]
    table = html_cards.bars(rows, t("clip.zero_shot_people.table"), marked)
    html_cards.row(figure(space, number), "→", table, label=t("clip.zero_shot_people.table"))
    marks = [f"{shell.mark(f'{role} line')} {t(f'clip.zero_shot_people.{name}', n=len(everyone[0].truth))}"
             for role, name in (("data", "probability"), ("sample", "accuracy"))]  # fmt: skip
    shell.caption(f"{' · '.join(marks)} · {t('clip.zero_shot_people.legend')}")
    return any(one.truth[0] >= 0 for k, one in enumerate(found) if k not in marked)


def _row(one: Description, accuracy: float) -> tuple[str, list[Bar]]:
    """A row of the table: the attribute with its most probable value, its probability, and the accuracy."""
    description, probability, truth = people.described(one), one.probabilities[0].max().item(), int(one.truth[0])
    if truth < 0:
        description = t("clip.zero_shot_people.hidden", row=description)
    elif truth != one.probabilities[0].argmax():
        description = t("clip.zero_shot_people.wrong", row=description, value=people.value_of(one.attribute, truth))
    return description, [Bar(probability, f"{probability:.0%}"), Bar(accuracy, f"{accuracy:.0%}", "sample")]


# Differences


def arithmetic(config: Config, space: PeopleSpace, encoders: Encoders) -> bool:
    """A picture minus another, or minus and plus words. True where a word that is not right comes first."""
    if config.kind == "words":
        clip_view.warn_of_unknown_words(space, config.remove, config.add)
        found = people.analogies(space, config.start_person - 1, config.remove, config.add)
        if found:
            texts = [(sign, f"“{one}”") for sign, one in (("−", config.remove), ("+", config.add)) if one.strip()]
            signs = (part for pair in texts for part in pair)
            html_cards.row(figure(space, config.start_person - 1), *signs, "=", label=t("clip.arithmetic.shelf"))
            shelf(space, found, t("clip.arithmetic.shelf"), people.wanted(config.add))
        return False
    found = scenes.named(config, space)
    if not found:
        shell.message("info", t("clip.arithmetic.itself"), "edit")
        return False
    words(space, scenes.pictures_of(config), found)
    if config.kind != "held_out_pairs":
        return False
    with st.spinner(t("clip.arithmetic_people.answering")):
        answers = people.answers_of(encoders, space.language)
    linear = lesson.stored_answers("linear", space.language)
    k = min(config.couple, len(linear[config.thing].words)) - 1
    sign = "✓" if linear[config.thing].right[k] else "✗"
    shell.caption(t("clip.arithmetic_people.linear", sign=sign, word=linear[config.thing].words[k]))
    answer_table({"clip": answers, "linear": linear})
    return not found[0].right


def words(space: PeopleSpace, pair: tuple[Tensor, Tensor], found: Sequence[Named]) -> None:
    """Two pictures, the minus between them, and the words nearest to the difference."""
    rows = [(spoken(one.word, space.language), [Bar(one.cosine, fixed(one.cosine))]) for one in found]
    right = [k for k, one in enumerate(found) if one.right]
    table = html_cards.bars(rows, t("clip.arithmetic_people.words", n=len(space.words.phrases)), right)
    first, second = (
        html_cards.figure(html_cards.image(enlarge(pixels, CRISP), t(f"clip.arithmetic_people.{name}")))
        for pixels, name in zip(pair, ("first", "second"), strict=True)
    )
    html_cards.row(first, "−", second, "=", table, label=t("clip.arithmetic_people.row"))


def answer_table(answers: dict[str, dict[str, Answers]]) -> None:
    """For how many pairs a right word is the nearest: those of a CLIP, and of the linear baseline."""
    rows = []
    for who, found in answers.items():
        everything = [hit for one in found.values() for hit in one.right]
        cells = [f"{sum(one.right) / len(one.right):.0%}" for one in found.values()]
        rows.append([t(f"clip.arithmetic.rows.{who}"), f"**{sum(everything) / len(everything):.0%}**", *cells])
    names = [controls.option("thing", name) for name in DIFFERENCES]
    n = sum(len(one.right) for one in answers["linear"].values())
    shell.prose(shell.table([t("clip.arithmetic.head.right"), t("clip.arithmetic.head.all"), *names], rows))
    shell.caption(t("clip.arithmetic_people.counted", n=n))


# The map


def vector_map(config: Config, space: PeopleSpace) -> bool:
    """The vectors in two dimensions, and in words what is on it: a chart to zoom into, or presented the scene."""
    found, shown = people.projection(space, config.axes, config.grouped_by), config.projected
    if clip_view.plays("map"):
        player.show(scenes.SCENES["map"](config, space), key="map")
    else:
        titles = clip_map.titles(found, config.axes)
        chart = scatter(clouds(space, found, config.grouped_by, shown), shell.theme(), *titles)
        draw_chart(chart, "map", scrollZoom=True)
    clip_view.about_map(people.about_map(found, shown))
    return False


def clouds(space: PeopleSpace, found: Projection, attribute: str, shown: Sequence[str]) -> list[Cloud]:
    """Filled marks for pictures, open ones for captions, in the colour and shape of their value."""
    numbers, values = lesson.mapped(space, attribute)
    names, made = [people.name(space, i) for i in numbers.tolist()], []
    for value, (role, symbol) in zip(ATTRIBUTES[attribute], SYMBOLS.values()):
        places = [k for k, one in enumerate(values) if one == value]
        for part, suffix in ((PICTURES, ""), (CAPTIONS, "-open")):
            if part in shown and places:
                texts = [t(f"clip.map.texts.{part}", caption=names[k]) for k in places]
                label = t(f"clip.map.legend.{part}", group=text.label("attribute_values", value))
                made.append(Cloud(getattr(found, part)[places].numpy(), role, symbol + suffix, label, texts))
    return made
