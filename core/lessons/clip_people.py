"""Chapter 8 on people: what a trained CLIP answers about pictures whose attributes are exactly known.

Retrieval, attributes by zero-shot classification, and differences of two pictures, in English and in Chinese.
``python -m core.lessons.clip_people`` writes the answers to all differences, which the page opens with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.data import people_captions
from core.data.images import unit
from core.data.people import ATTRIBUTES, People
from core.models import clip as clip_model
from core.models import clip_queries, clip_space, people_queries
from core.models.clip_queries import Texts
from core.models.clip_space import Projection, Vectors
from core.models.people_queries import DIFFERENCES, Pair, Words
from core.pretrained import pretrained
from core.runs.checkpoints import Checkpoint

FILE = Path(__file__).parents[1] / "pretrained" / "clip_people.npz"
MODEL = "people-clip"
PROMPTS = 8  # wordings of a value, whose mean vector stands for it
CONTEXTS = 16  # captions that words of one's own are added to
SHOWN = 8  # words nearest to a difference


@dataclass(frozen=True, eq=False)
class PeopleSpace(Vectors):
    """The vectors of people and of their captions in one language.

    Attributes:
        language: of the captions and words.
        words: all attribute words, each with what it adds to a caption (see ``people_queries.words``).
    """

    language: str
    words: Words

    @property
    def people(self) -> People:
        """The people of the collection."""
        return self.pairs.people

    @property
    def texts(self) -> Texts:
        """From texts to vectors, [n, size]."""
        return partial(clip_queries.text_vectors, self.clip, self.tokenizer)

    def images(self, pixels: Tensor) -> Tensor:
        """The vectors [n, size] of pictures uint8 [n, 3, 16, 16]."""
        return clip_queries.image_vectors(self.clip, unit(pixels))


def embed(checkpoint: Checkpoint, language: str) -> PeopleSpace:
    """The vectors that a CLIP gives to people, and to captions and words of a language. Raises Problem for a CLIP of
    pictures of another size."""
    clip, tokenizer = checkpoint.state.ema, clip_model.tokenizer_of(checkpoint.config)
    pairs, texts = clip_space.pairs("people"), partial(clip_queries.text_vectors, clip, tokenizer)
    pictures, captions = clip_space.picture_vectors(clip, pairs), texts(clip_space.names("people", language))
    return PeopleSpace(clip, tokenizer, pairs, pictures, captions, language, people_queries.words(texts, language))


# Zero-shot classification


@cache
def prompts(language: str, attribute: str) -> tuple[tuple[str, ...], ...]:
    """Captions that name one value of an attribute alone, for each of its values in several wordings."""
    return tuple(
        tuple(people_captions.caption({attribute: value}, language, seed) for seed in range(PROMPTS))
        for value in ATTRIBUTES[attribute]
    )


def classify(space: PeopleSpace, attribute: str, among: Tensor) -> Tensor:
    """The probability of each value of an attribute for the pictures ``among`` [m], as [m, values]: the softmax of the
    cosines with the mean vectors of its captions, multiplied by the scale learned in training."""
    vectors = torch.stack([space.texts(some).mean(0) for some in prompts(space.language, attribute)])
    with torch.no_grad():
        return (space.clip.temperature() * space.pictures[among] @ F.normalize(vectors, dim=1).T).softmax(1)


@dataclass(frozen=True, eq=False)
class Description:
    """What a CLIP says about one attribute.

    Attributes:
        attribute: its name.
        probabilities: of its values, [m, values], for m people.
        truth: the index of the value of each, [m]; -1 where it cannot be seen.
    """

    attribute: str
    probabilities: Tensor
    truth: Tensor

    @property
    def right(self) -> float:
        """The share of people whose most probable value is theirs, of those in whom it can be seen."""
        visible = self.truth >= 0
        return (self.probabilities.argmax(1) == self.truth)[visible].double().mean().item()


def describe(space: PeopleSpace, among: Tensor) -> list[Description]:
    """All attributes of the people ``among`` [m]."""
    truth = space.people.attributes.where(space.people.visible, -1)[among]
    return [Description(name, classify(space, name, among), truth[:, k]) for k, name in enumerate(ATTRIBUTES)]


# Differences of two pictures


@dataclass(frozen=True)
class Named:
    """A word with its cosine, and whether it is right: of a hat its kind or "hat"."""

    word: str
    cosine: float
    right: bool


@cache
def pair_of(name: str) -> Pair:
    """The pairs of pictures of one of the ``people_queries.DIFFERENCES``."""
    return people_queries.pairs(name)


def directions(space: PeopleSpace, name: str) -> Tensor:
    """The vector of the first picture minus that of the second, for all pairs with a difference, [n, size]."""
    return space.images(pair_of(name).first) - space.images(pair_of(name).second)


def nearest_words(space: PeopleSpace, direction: Tensor, meaning: tuple[str, str] | None = None) -> list[Named]:
    """The words nearest to a direction [size], nearest first; none for a direction of length 0.

    meaning: the attribute and the value that are right.
    """
    if direction.norm() < 1e-6:
        return []
    cosines, order = (F.normalize(space.words.vectors, dim=1) @ F.normalize(direction, dim=0)).sort(descending=True)
    return [
        Named(space.words.phrases[i], cosine, meaning is not None and _means(space.words.meanings[i], meaning))
        for i, cosine in zip(order[:SHOWN].tolist(), cosines[:SHOWN].tolist())
    ]


def _means(word: tuple[str, str], meaning: tuple[str, str]) -> bool:
    """Whether a word of an attribute and a value names another value, as "hat" names "cap"."""
    return word[0] == meaning[0] and meaning[1] in people_captions.values(*word)


def meaning_of(name: str, k: int) -> tuple[str, str]:
    """The attribute, and its value in the first picture, of pair k of a difference."""
    return pair_of(name).attribute, pair_of(name).values[k]


def added(space: PeopleSpace, text: str) -> Tensor:
    """What a text adds to a caption of its language: the mean over some captions of the vector with it minus that
    without, [size]."""
    language = "zh" if any("\u4e00" <= sign <= "\u9fff" for sign in text) else "en"
    between, captions = {"en": ", ", "zh": "，"}[language], clip_space.names("people", language)[:CONTEXTS]
    return (space.texts([caption + between + text for caption in captions]) - space.texts(captions)).mean(0)


def analogy(space: PeopleSpace, person: int, minus: str, plus: str) -> Tensor:
    """The vector of a picture minus what one text adds plus what another adds, [size]; an empty text changes
    nothing."""
    parts = [F.normalize(added(space, text), dim=0) if text.strip() else 0 for text in (minus, plus)]
    return F.normalize(space.pictures[person] - parts[0] + parts[1], dim=0)


# The answers to all differences


@dataclass(frozen=True)
class Answers:
    """How the pairs with a difference are named: for each pair the nearest word, and whether it is right."""

    words: tuple[str, ...]
    right: tuple[bool, ...]


def answers(images: clip_queries.Images, candidates: Words) -> dict[str, Answers]:
    """The answers of encoders to all differences, from the word vectors of a language. Takes seconds."""
    found, vectors = {}, F.normalize(candidates.vectors, dim=1)
    for name in DIFFERENCES:
        pair = pair_of(name)
        nearest = ((images(unit(pair.first)) - images(unit(pair.second))) @ vectors.T).argmax(1).tolist()
        right = (_means(candidates.meanings[i], meaning_of(name, k)) for k, i in enumerate(nearest))
        found[name] = Answers(tuple(candidates.phrases[i] for i in nearest), tuple(right))
    return found


def answers_of(space: PeopleSpace) -> dict[str, Answers]:
    """The answers of a CLIP to all differences."""
    return answers(partial(clip_queries.image_vectors, space.clip), space.words)


def write_answers(file: Path = FILE) -> None:
    """Write the answers of the shipped CLIP and of the linear baseline (``people_queries.baseline``) in each
    language."""
    arrays = {}
    encoders = {"clip": people_queries.encoders(pretrained(MODEL)), "linear": people_queries.baseline()}
    for language in people_captions.LANGUAGES:
        for who, (images, texts) in encoders.items():
            for name, found in answers(images, people_queries.words(texts, language)).items():
                arrays[f"{who}/{language}/{name}/words"] = np.array(found.words)
                arrays[f"{who}/{language}/{name}/right"] = np.array(found.right)
    np.savez_compressed(file, **arrays)


@cache
def stored_answers(who: str, language: str) -> dict[str, Answers]:
    """The answers of the shipped "clip" or of the "linear" baseline in a language."""
    with np.load(FILE) as file:
        parts = {name: [file[f"{who}/{language}/{name}/{part}"].tolist() for part in ("words", "right")]
                 for name in DIFFERENCES}  # fmt: skip
    return {name: Answers(*map(tuple, both)) for name, both in parts.items()}


# Projections to two dimensions


def mapped(space: PeopleSpace, attribute: str) -> tuple[Tensor, list[str]]:
    """The held-out people in whom an attribute can be seen: their numbers [n], and the value of each."""
    column, held_out = list(ATTRIBUTES).index(attribute), space.pairs.indices(held_out=True)
    numbers = held_out[space.people.visible[held_out, column]]
    return numbers, [ATTRIBUTES[attribute][value] for value in space.people.attributes[numbers, column].tolist()]


def project(space: PeopleSpace, axes: str, attribute: str) -> Projection:
    """The vectors of these people and of their captions in two dimensions (see ``clip_space.projection``)."""
    numbers, values = mapped(space, attribute)
    return clip_space.projection(space.pictures[numbers], space.captions[numbers], axes, values)


# What a text asks for


def count_right(people: People, k: int, wanted: Sequence[tuple[str, str]]) -> int:
    """How many of the attributes that a text asks for person k visibly has."""
    shown = people.named(k)
    return sum(shown.get(name) in people_captions.values(name, value) for name, value in wanted)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_answers()
