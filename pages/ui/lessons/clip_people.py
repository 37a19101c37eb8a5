"""The scenes of chapter 8 on people, whose attributes are known: what is found can be judged exactly.

Each is a pure function of a ``space``, the vectors of the shipped CLIP or of a learner's run, and of what is asked.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.data import people_captions
from core.data.people import ATTRIBUTES
from core.figures.scene import Images, Panel, Points, Scene
from core.lessons import clip_people as lesson
from core.lessons.clip_people import Answers, Description, Named, PeopleSpace
from core.models import clip_space
from core.models.clip_space import Projection
from core.problems import Problem
from core.runs.caching import shared_cache
from pages.ui.frame import text
from pages.ui.frame.text import fixed, t
from pages.ui.lessons import clip_collection as collection
from pages.ui.lessons.clip_collection import Nearest
from pages.ui.lessons.clip_map import CAPTIONS, PICTURES, SYMBOLS, titles

FOUND, BY = 12, ("text", "picture")  # pictures and captions that are shown; what one can search with
GROUPED_BY = tuple(name for name, values in ATTRIBUTES.items() if len(values) <= len(SYMBOLS))
COUPLES = 100


def space_of(language: str) -> PeopleSpace:
    """The vectors of the shipped CLIP in a language."""
    return collection.people_space_of(collection.shipped(lesson.MODEL), language)


def numbers(space: PeopleSpace, which: str) -> Tensor:
    """The numbers of the people who are "held_out", or of "all"."""
    return space.pairs.indices(held_out=True) if which == "held_out" else torch.arange(len(space.people))


def name(space: PeopleSpace, number: int) -> str:
    """The caption of a person."""
    return clip_space.names("people", space.language)[number]


# Retrieval


def by_text(space: PeopleSpace, query: str, among: str) -> Nearest:
    """The people nearest to a text; none where no word of it is known."""
    if not space.tokenizer.known(query):
        return []
    return clip_space.nearest(space.pictures, space.text(query), numbers(space, among), FOUND)


def by_picture(space: PeopleSpace, person: int, among: str) -> Nearest:
    """The captions nearest to a person."""
    return clip_space.nearest(space.captions, space.pictures[person], numbers(space, among), FOUND)


def wanted(query: str) -> list[tuple[str, str]]:
    """The attributes and values that a text asks for; none where it cannot be read."""
    try:
        return list(people_captions.parse(query).wanted.items())
    except Problem:
        return []


def retrieval(space: PeopleSpace, by: str, query: str, person: int, among: str) -> Scene:
    """From words to people, or from a person to captions."""
    if by == "text":
        found = by_text(space, query, among)
        return pictures(space, t("clip.panels.nearest_to_text", text=query), found)
    found = by_picture(space, person, among)
    query_panel = picture(space.people.images[person], name(space, person), "sample")
    names = ", ".join(f"{name(space, i)} {fixed(cosine)}" for i, cosine in found)
    return Scene([query_panel], alt=f"{t('clip.panels.nearest_captions')}: {names}.")


def picture(pixels: Tensor, title: str, role: str = "data") -> Panel:
    """One picture uint8 [3, 16, 16]."""
    return Panel(title, [Images(pixels.movedim(0, -1)[None, None], colour=role)])


def pictures(space: PeopleSpace, title: str, found: Nearest) -> Scene:
    """People with their captions and cosines."""
    if not found:
        return Scene([Panel(t("clip.panels.no_picture"), [])], alt=t("clip.unknown.people"))
    names = [f"{name(space, i)}, {fixed(cosine)}" for i, cosine in found]
    pixels = space.people.images[[i for i, _ in found]].movedim(1, -1)[None]
    return Scene([Panel(title, [Images(pixels, 6, colour="data", names=names)])], alt=f"{title}: {'; '.join(names)}.")


# Zero-shot classification


@shared_cache(4)
def descriptions(space: PeopleSpace) -> list[Description]:
    """What a CLIP says about the held-out people, attribute by attribute."""
    return lesson.describe(space, numbers(space, "held_out"))


def value_of(attribute: str, index: int) -> str:
    """The label of a value."""
    return text.label("attribute_values", ATTRIBUTES[attribute][index])


def described(one: Description) -> str:
    """The most probable value of the attribute of the first person, in words."""
    label = text.label("attributes", one.attribute)
    return t("clip.zero_shot_people.row", attribute=label, value=value_of(one.attribute, one.probabilities[0].argmax()))


def zero_shot(space: PeopleSpace, person: int) -> Scene:
    """A person, and in words the most probable value of each attribute."""
    found = lesson.describe(space, torch.tensor([person]))
    alt = f"{name(space, person)}. {'; '.join(map(described, found))}."
    return Scene([picture(space.people.images[person], name(space, person))], alt=alt)


# Differences


def couple(difference: str, number: int) -> tuple[Tensor, Tensor]:
    """The two pictures of a pair, numbered from 1, of a difference."""
    pair = lesson.pair_of(difference)
    k = min(number, len(pair.values)) - 1
    return pair.first[k], pair.second[k]


def words_of(space: PeopleSpace, difference: str, number: int) -> list[Named]:
    """The words nearest to the difference of a pair."""
    one, other = space.images(torch.stack(couple(difference, number)))
    k = min(number, len(lesson.pair_of(difference).values)) - 1
    return lesson.nearest_words(space, one - other, lesson.meaning_of(difference, k))


@shared_cache(8)
def answers_of(encoders: collection.Encoders, language: str) -> dict[str, Answers]:
    """The nearest words of all pairs: those of the shipped CLIP are stored."""
    if encoders.key == lesson.MODEL:
        return lesson.stored_answers("clip", language)
    return lesson.answers_of(collection.people_space_of(encoders, language))


def analogies(space: PeopleSpace, person: int, minus: str, plus: str) -> Nearest:
    """The people nearest to a person minus a text plus a text, without that person; none where no word is known."""
    if not space.tokenizer.known(f"{minus} {plus}"):
        return []
    vector = lesson.analogy(space, person, minus, plus)
    found = clip_space.nearest(space.pictures, vector, numbers(space, "all"), FOUND + 1)
    return [(i, cosine) for i, cosine in found if i != person][:FOUND]


def difference_scene(one: Tensor, other: Tensor, words: Sequence[Named]) -> Scene:
    """Two pictures uint8 [3, 16, 16] and, in words, what is nearest to their difference."""
    alt = f"{t('clip.arithmetic_people.row')}: {', '.join(f'{w.word} {fixed(w.cosine)}' for w in words)}."
    first, second = t("clip.arithmetic_people.first"), t("clip.arithmetic_people.second")
    return Scene([picture(one, first), picture(other, second, "negative")], alt=alt, caption=alt)


# The map


@shared_cache(8)
def projection(space: PeopleSpace, axes: str, attribute: str) -> Projection:
    """See `core.lessons.clip_people.project`."""
    return lesson.project(space, axes, attribute)


def map_scene(space: PeopleSpace, axes: str, attribute: str, shown: Sequence[str]) -> Scene:
    """The held-out people and their captions as points, in the colour of a value."""
    found, values = projection(space, axes, attribute), lesson.mapped(space, attribute)[1]
    roles, labels = roles_of(attribute), [text.label("attribute_values", value) for value in ATTRIBUTES[attribute]]
    group = torch.tensor([ATTRIBUTES[attribute].index(value) for value in values])
    layers = [
        Points(getattr(found, part), roles, group, size=size, alpha=0.75, shape=shape, label=labels)
        for part, size, shape, labels in ((PICTURES, 2.5, None, labels), (CAPTIONS, 2, "ring", ""))
        if part in shown
    ]
    both = torch.cat([getattr(found, part) for part in shown])
    (left, low), (right, high) = both.amin(0).tolist(), both.amax(0).tolist()
    x, y = titles(found, axes)
    panel = Panel(t("clip.map.title"), layers, (left, right), (low, high), xlabel=x, ylabel=y)
    return Scene([panel], alt=about_map(found, shown))


def roles_of(attribute: str) -> list[str]:
    """The role of each value of an attribute."""
    return [role for role, _ in SYMBOLS.values()][: len(ATTRIBUTES[attribute])]


def about_map(found: Projection, shown: Sequence[str]) -> str:
    """A sentence on what the map shows."""
    names = t("clip.map.both") if len(shown) > 1 else t(f"clip.controls.shown.options.{shown[0]}")
    return t("clip.map_people.about", shown=names, n=len(found.pictures), gap=found.gap)
