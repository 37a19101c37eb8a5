"""Arithmetic with vectors: a picture minus another and the words nearest to that; a picture minus and plus words."""

from core.data.captions import ARITHMETIC
from core.figures.scene import Scene
from core.lessons import clip as lesson
from core.lessons.clip import Answer, Space
from core.models import clip_space
from core.models.clip_queries import Difference
from core.runs.caching import shared_cache
from pages.ui.frame.text import fixed, t
from pages.ui.lessons import clip_collection as collection
from pages.ui.lessons.clip_collection import Nearest
from pages.ui.lessons.clip_retrieval import PICTURES

Words = tuple[tuple[str, float], ...]  # each with its cosine
ATTRIBUTES = (*ARITHMETIC, "hat")


@shared_cache(4)
def answers_of(space: Space) -> list[Answer]:
    """The nearest words of each held-out difference."""
    return lesson.answers(space)


def differences(attribute: str) -> list[Difference]:
    """The held-out differences of an attribute, or the example that is shown and not counted."""
    return [one for one in lesson.differences() if one.attribute == attribute] or [lesson.hat()]


def words_of(space: Space, difference: Difference) -> Words:
    """The words nearest to a difference; none for a picture minus itself."""
    return lesson.nearest_words(space, space.directions([difference])[0])


def analogies(space: Space, start: int, minus: str, plus: str) -> Nearest:
    """The pictures nearest to a picture minus a text plus a text, without the one at the start; none where no word is
    known."""
    if not space.tokenizer.known(f"{minus} {plus}"):
        return []
    vector = lesson.analogy(space, start, minus, plus)
    found = clip_space.nearest(space.pictures, vector, collection.numbers("all"), PICTURES + 1)
    return [(i, cosine) for i, cosine in found if i != start][:PICTURES]


def scene_of_words(difference: Difference, words: Words) -> Scene:
    """Two pictures and, in words, what is nearest to their difference."""
    names = ", ".join(f"{word} {fixed(cosine)}" for word, cosine in words)
    alt = f"{title(difference)}: {names}."
    one, other = collection.picture(difference.with_it), collection.picture(difference.without, role="negative")
    return Scene([one, other], alt=alt, caption=alt)


def scene_of_pictures(start: int, minus: str, plus: str, found: Nearest) -> Scene:
    """A picture, and the pictures nearest to it minus one text plus another."""
    title = analogy_title(collection.captions()[start], minus, plus)
    names = ", ".join(f"{collection.captions()[i]} {fixed(cosine)}" for i, cosine in found)
    return Scene([collection.picture(start), collection.pictures(title, found, columns=6)], alt=f"{title}: {names}.")


def analogy_title(start: str, minus: str, plus: str) -> str:
    """A picture, by its caption, minus a text plus another, in words."""
    return t("clip.arithmetic.analogy", picture=start, minus=minus, plus=plus)


def title(difference: Difference) -> str:
    """One picture minus another, in words."""
    names = collection.captions()
    return t("clip.arithmetic.row", one=names[difference.with_it], other=names[difference.without])
