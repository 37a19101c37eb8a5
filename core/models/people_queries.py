"""What a CLIP of people is named: the word for what two pictures differ in, and whose caption a caption is.

Both have exact answers, because the attributes of each person are known; `clip_queries.linear` is a baseline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from core import seeds
from core.data import captions, people, people_captions
from core.data.images import unit
from core.data.people import ATTRIBUTES, People
from core.models import clip_queries
from core.models.clip import tokenizer_of
from core.models.clip_queries import Images, Texts, ranks
from core.runs.checkpoints import Checkpoint

DIFFERENCES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "hat": ("hat", ATTRIBUTES["hat"][1:], "none"),
    "glasses": ("glasses", ("glasses",), "none"),
    "sunglasses": ("glasses", ("sunglasses",), "none"),
    "beard": ("beard", ("beard",), "none"),
    "long hair": ("hair", ("long",), "short"),
    "earrings": ("earrings", ("earrings",), "none"),
    "smile": ("mouth", ("smiling",), "serious"),
}
"""Differences of two pictures: the attribute, its values in the first picture, and its value in the second."""

CLASSES = [(name, name) for name in people_captions.KINDS]  # what words for any kind mean
PER_DIFFERENCE, AMONG = 100, 1_000
WORDINGS, SHORT = 32, 3  # captions that a word is added to, and the attributes that they name at most
_PLACE, _CAPTIONS = 0xD1FF, 0xCA95  # keep the draws of pairs and of captions apart from all others


@dataclass(frozen=True, eq=False)
class Pair:
    """n pairs of pictures that differ in one attribute alone, uint8 [n, 3, 16, 16] each; ``values`` [n] are those of
    the attribute in the first ones."""

    attribute: str
    first: Tensor
    second: Tensor
    values: tuple[str, ...]


def pairs(name: str, n: int = PER_DIFFERENCE, seed: int = 0) -> Pair:
    """Pairs with one of the ``DIFFERENCES``; the first picture's combination is held out from training.

    In both pictures the attribute can be seen, and all else is the same.
    """
    attribute, values, other = DIFFERENCES[name]
    column, known = list(ATTRIBUTES).index(attribute), ATTRIBUTES[attribute]
    drawn = people.draw(40 * n, seeds.mix(seed, _PLACE), held_out=None).attributes
    generator = seeds.generator(seed, _PLACE, list(DIFFERENCES).index(name))
    chances = torch.rand(len(drawn), 2 + len(ATTRIBUTES), generator=generator)
    numbers = torch.tensor([known.index(value) for value in values])
    first, second = drawn.clone(), drawn.clone()
    first[:, column] = numbers[torch.randint(len(numbers), (len(drawn),), generator=generator)]
    second[:, column] = known.index(other)
    (one, _, shown), (two, _, also) = people.compose(first, chances), people.compose(second, chances)
    usable = (people.is_held_out(first) & shown[:, column] & also[:, column]).nonzero()[:n, 0]
    return Pair(attribute, one[usable], two[usable], tuple(known[k] for k in first[usable, column].tolist()))


@dataclass(frozen=True)
class Words:
    """Candidates for a difference: phrases, the attribute and value that each names, and their vectors [W, size]."""

    phrases: tuple[str, ...]
    meanings: tuple[tuple[str, str], ...]
    vectors: Tensor


def words(texts: Texts, language: str, wordings: int = WORDINGS) -> Words:
    """All attribute words that captions use, each with what it adds to a caption: the vector of the caption with the
    word at its end minus that of the caption, the mean over ``wordings`` captions.

    So both sides are differences, of two pictures and of two captions. A word alone is a caption that is seldom drawn,
    and the more special of two words ("top hat", "hat") is farther from the mean of all words.
    """
    meanings, between = people_captions.attribute_words(language), {"en": ", ", "zh": "，"}[language]
    drawn = people.draw(wordings, seeds.mix(0, _CAPTIONS))
    some = [people_captions.choose(drawn.named(k), k, most=SHORT) for k in range(wordings)]
    without = [people_captions.caption(named, language, k) for k, named in enumerate(some)]
    before = texts(without)
    vectors = [(texts([caption + between + phrase for caption in without]) - before).mean(0) for phrase in meanings]
    return Words(tuple(meanings), tuple(meanings.values()), torch.stack(vectors))


@dataclass(frozen=True)
class Naming:
    """How n differences are named, as shares.

    Attributes:
        right: a right word is the nearest: one for the value, or of a hat the word for any ("hat").
        by_class: the word for any hat is the nearest.
        class_next: it is the nearest of all words that do not name the hat's kind.
        nearest: the nearest word of each difference.
    """

    right: float
    by_class: float
    class_next: float
    nearest: tuple[str, ...]


def name_difference(name: str, images: Images, candidates: Words, n: int = PER_DIFFERENCE, seed: int = 0) -> Naming:
    """The word whose vector has the largest cosine with the difference of the vectors of two pictures, for ``n`` pairs
    with one of the ``DIFFERENCES``."""
    pair = pairs(name, n, seed)
    cosines = (images(unit(pair.first)) - images(unit(pair.second))) @ F.normalize(candidates.vectors, dim=1).T
    nearest, named = cosines.argmax(1).tolist(), candidates.meanings
    right = [
        named[k][0] == pair.attribute and value in people_captions.values(*named[k])
        for k, value in zip(nearest, pair.values, strict=True)
    ]
    own_kind = torch.tensor([[meaning == (pair.attribute, value) for meaning in named] for value in pair.values])
    following = cosines.masked_fill(own_kind, -torch.inf).argmax(1).tolist()
    by_class, class_next = ([named[k] in CLASSES for k in order] for order in (nearest, following))
    shares = (sum(flags) / len(flags) for flags in (right, by_class, class_next))
    return Naming(*shares, tuple(candidates.phrases[k] for k in nearest))


# Captions


@dataclass(frozen=True)
class Retrieval:
    """The share of captions whose own person is nearest, and the share that the captions determine."""

    top1: float
    determined: float


def retrieve(
    images: Images, texts: Texts, language: str, fewest: int = 3, most: int = 5, n: int = AMONG, seed: int = 0
) -> Retrieval:
    """Captions of ``fewest`` to ``most`` attributes, each to find its person among ``n`` of held-out combinations.

    Where m people are as the caption says, no one who knows all attributes finds the right one more often than once in
    m: the mean is what the captions determine.
    """
    shown = people.draw(n, seeds.mix(seed, _CAPTIONS), held_out=True)
    named = [people_captions.choose(shown.named(k), seeds.mix(seed, k), fewest, most) for k in range(n)]
    queries = [people_captions.caption(some, language, seeds.mix(seed, k)) for k, some in enumerate(named)]
    rank = ranks(texts(queries) @ images(unit(shown.images)).T)
    determined = sum(1 / matching(shown, some).sum().item() for some in named) / n
    return Retrieval((rank == 0).double().mean().item(), determined)


def matching(shown: People, named: Mapping[str, str]) -> Tensor:
    """Which people visibly have all the attributes named for, bool [n]."""
    right = torch.ones(len(shown), dtype=torch.bool)
    for name, value in named.items():
        column = list(ATTRIBUTES).index(name)
        numbers = torch.tensor([ATTRIBUTES[name].index(one) for one in people_captions.values(name, value)])
        right &= shown.visible[:, column] & torch.isin(shown.attributes[:, column], numbers)
    return right


# Evaluation


def encoders(checkpoint: Checkpoint) -> tuple[Images, Texts]:
    """The encoders of a trained CLIP. Raises Problem for a checkpoint of something else."""
    clip, tokenizer = checkpoint.state.ema, tokenizer_of(checkpoint.config)
    return partial(clip_queries.image_vectors, clip), partial(clip_queries.text_vectors, clip, tokenizer)


def baseline(n: int = captions.N_PEOPLE) -> tuple[Images, Texts]:
    """The linear baseline (`clip_queries.linear`) for n people with their captions in both languages."""
    known = captions.of_people(n)
    texts = [" ".join((caption, *more)) for caption, more in zip(known.captions, known.keywords, strict=True)]
    maps = clip_queries.linear(known, texts)
    return maps.images, maps.texts


def table(encoders_of: Mapping[str, tuple[Images, Texts]], seed: int = 0) -> list[tuple[str, ...]]:
    """The rows of an evaluation, the first of them the head: a row for each of the encoders, by their
    names, and each language."""
    rows = [("encoders, language", "words", *DIFFERENCES, '"hat" itself', "but for the kind",
             "3 to 5 named: top-1 of determined", "all named: top-1 of determined")]  # fmt: skip
    for name, (images, texts) in encoders_of.items():
        for language in people_captions.LANGUAGES:
            candidates = words(texts, language)
            found = {each: name_difference(each, images, candidates, seed=seed) for each in DIFFERENCES}
            few = retrieve(images, texts, language, seed=seed)
            whole = retrieve(images, texts, language, len(ATTRIBUTES), len(ATTRIBUTES), seed=seed)
            rows.append((
                f"{name}, {language}", str(len(candidates.phrases)), *(f"{one.right:.0%}" for one in found.values()),
                f"{found['hat'].by_class:.0%}", f"{found['hat'].class_next:.0%}",
                *(f"{one.top1:.1%} of {one.determined:.1%} ({one.top1 / one.determined:.0%})" for one in (few, whole)),
            ))  # fmt: skip
    return rows
