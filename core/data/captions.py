"""Images with captions: pairs from every source, a split by combination, and words as tokens.

A caption to train on is drawn anew each time from the image's name and its keywords, because a user types other words
than the names. Words that no caption had are reported (`Tokenizer.unknown`).
"""

import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from core import seeds
from core.data import caption_folders, images, people_captions
from core.data.images import ASSETS
from core.data.people import SIDE, People, draw
from core.data.words import LENGTH, words
from core.problems import Problem, printable

_PART = 16  # of a random part of a picture's words
N_PEOPLE, HELD_OUT = 20_000, 0.2  # people with captions, and the share of them that is held out
PADDING = 0

_TONE = re.compile(r"[:,]? *(medium-light|medium-dark|light|medium|dark) skin tone,?")
_PLACE = 0xCA97  # keeps the draws of the split apart from all others


@dataclass(frozen=True, eq=False)
class Pairs:
    """N images uint8 [N, C, H, W], the name of each, its keywords, and which are held out from training [N].

    ``kinds`` are the names without an attribute in which near-copies differ (such as a skin tone); all images of a kind
    are on the same side of the split. ``note`` says which rows of a table were left out (a Problem to show, not to
    raise). ``people``: those that the images show, with their attributes, if they are pixel people.
    """

    name: str
    images: Tensor
    captions: tuple[str, ...]
    keywords: tuple[tuple[str, ...], ...]
    kinds: tuple[str, ...]
    held_out: Tensor
    note: Problem | None = None
    people: People | None = None

    def indices(self, held_out: bool) -> Tensor:
        """The indices of the pairs held out, or of those to train on, [n]."""
        return (self.held_out == held_out).nonzero()[:, 0]


# Sources


def emoji() -> Pairs:
    """3,516 emoji with names and keywords, 32x32 (Twemoji, Unicode CLDR; bundled); one in five is held out.

    A kind is a name without its skin tones: all tones of "woman surfing" are held out together, while "man surfing" is
    in the training set. Those with an attribute of ``ARITHMETIC`` are split by combination: of "woman wearing turban"
    two tones are trained on, of "man wearing turban" two others.
    """
    entries = [entry for entry in json.loads((ASSETS / "emoji.json").read_text("utf-8")) if entry["group"] != "Flags"]
    captions, keywords = [entry["caption"] for entry in entries], [entry["tags"] for entry in entries]
    return _pairs("emoji", images.emoji().images, captions, keywords, _combination, COMBINATIONS | PLAIN)


def emoji_in_chinese() -> Pairs:
    """The pairs of `emoji` with Chinese names and keywords (Unicode CLDR; bundled), on the same sides of the split."""
    entries = [json.loads((ASSETS / name).read_text("utf-8")) for name in ("emoji.json", "emoji-zh.json")]
    chinese = [other for entry, other in zip(*entries, strict=True) if entry["group"] != "Flags"]
    names, keywords = (tuple(entry["caption"] for entry in chinese), tuple(tuple(entry["tags"]) for entry in chinese))
    return replace(emoji(), captions=names, keywords=keywords)


def of_people(n: int = N_PEOPLE, side: int = SIDE, seed: int = 0) -> Pairs:
    """n pixel people with captions in English and, as keyword, in Chinese, each of 3 to 5 attributes; one in five has a
    combination that is held out (``people.is_held_out``).

    These captions are the names of the pairs; those to train on are drawn anew (`caption_sampler`). Raises Problem as
    ``people.draw`` does, and for fewer than two people.
    """
    if n < 2:
        raise Problem("captions_people", n=n)
    held = max(1, round(HELD_OUT * n))
    parts = draw(n - held, seed, side=side), draw(held, seed, side=side, held_out=True)
    columns = (torch.cat([getattr(part, name) for part in parts]) for name in ("images", "attributes", "visible"))
    people = People(*columns)
    named = [people_captions.choose(people.named(k), seeds.mix(seed, k), fewest=3, most=5) for k in range(n)]
    texts = [
        [people_captions.caption(some, language, seeds.mix(seed, k)) for k, some in enumerate(named)]
        for language in people_captions.LANGUAGES
    ]
    keywords = tuple((text,) for text in texts[1])
    held_out = torch.arange(n) >= n - held
    return Pairs("people", people.images, tuple(texts[0]), keywords, tuple(texts[0]), held_out, people=people)


def load(source: str, side: int | None = None, n: int | None = None) -> Pairs:
    """The pairs of a name: ``emoji``, ``people``, or a folder of images with a table of captions (`from_folder`).

    side: pixels a side of the images of a folder (32 where none is given) or of people (16). n: only for people, how
    many. Raises Problem as the sources do, and for an n of other data.
    """
    if source == "people":
        return of_people(N_PEOPLE if n is None else n, SIDE if side is None else side)
    if n is not None:
        raise Problem("data_count", name=source)
    return emoji() if source == "emoji" else from_folder(source, 32 if side is None else side)


def from_folder(folder: str | Path, side: int = 32) -> Pairs:
    """Images of a folder with a table of captions, such as ``captions.csv`` with columns file, caption and keywords, or
    ``metadata.csv`` or ``metadata.jsonl`` with file_name and text (see `caption_folders.read`).

    In colour, the middle square of each resized to ``side``. ``note`` counts and names what is left out. Raises Problem
    for a folder without such a table or with fewer than two pairs.
    """
    path = Path(os.path.expanduser(folder))
    found = caption_folders.read(path, side)
    name = printable((path.parent if path.is_file() else path).resolve().name)
    return _pairs(name, found.images, found.captions, found.keywords, note=found.note)


# The split

ARITHMETIC: dict[str, dict[str, str]] = {
    "crown": {"person with crown": "person", "princess": "woman", "prince": "man"},
    "turban": {"person wearing turban": "person", "woman wearing turban": "woman", "man wearing turban": "man"},
    "helmet": {"guard": "person", "woman guard": "woman", "man guard": "man"},
    "bald": {"person bald": "person", "woman bald": "woman", "man bald": "man"},
}
"""For each attribute the kinds of emoji that have it, and for each of these the kind that differs in it alone."""

TONES = ("", "light", "medium-light", "medium", "medium-dark", "dark")
PLACE = {kind: place for kinds in ARITHMETIC.values() for place, kind in enumerate(kinds)}

COMBINATIONS = {f"{kind} {tone}".strip(): (PLACE[kind] + n) % 3 > 0 for kind in PLACE for n, tone in enumerate(TONES)}
"""Whether a kind with a skin tone is held out: two in three are, and of each kind and each tone some are not."""

PLAIN = {plain: False for kinds in ARITHMETIC.values() for plain in kinds.values()}
"""The kinds without an attribute are trained on, in all tones: only the combination is new."""


def kind(caption: str) -> str:
    """A caption's words without its skin tones: what near-copies have in common."""
    return " ".join(words(_TONE.sub(" ", caption))) or caption


def tone(caption: str) -> str:
    """A caption's skin tones, empty if it names none."""
    return " ".join(_TONE.findall(caption))


def _combination(caption: str) -> str:
    name = kind(caption)
    return f"{name} {tone(caption)}".strip() if name in PLACE else name


def _pairs(
    name: str, pictures: Tensor, captions: Sequence[str], keywords: Sequence[Sequence[str]],
    unit: Callable[[str], str] = kind, decided: Mapping[str, bool] = MappingProxyType({}), note: Problem | None = None,
) -> Pairs:  # fmt: skip
    kinds = tuple(map(unit, captions))
    held = torch.tensor(hold_out(pictures, kinds, decided))
    return Pairs(name, pictures, tuple(captions), tuple(map(tuple, keywords)), kinds, held, note)


def hold_out(
    pictures: Tensor,
    kinds: Sequence[str],
    decided: Mapping[str, bool] = MappingProxyType({}),
    share: float = 0.2,
    seed: int = 0,
) -> list[bool]:
    """Which pairs to hold out, about ``share`` of all: whole kinds, each a new combination of words still trained on.

    Kinds with an image in common are held out together. A kind is held out only while each of its words remains in the
    kinds of at least two others that are not; ``decided`` fixes some kinds.
    """
    group = _groups(pictures, kinds)
    members, vocabulary = Counter(group), _vocabularies(group, kinds)
    left = Counter(word for some in vocabulary.values() for word in some)
    fixed = {group[i]: decided[name] for i, name in enumerate(kinds) if name in decided}
    held = {number for number, out in fixed.items() if out}
    for number in held:
        left.subtract(vocabulary[number])
    count, order = sum(members[number] for number in held), list(members)
    for i in torch.randperm(len(order), generator=seeds.generator(seed, _PLACE)).tolist():
        number = order[i]
        if number not in fixed and count < share * len(kinds) and all(left[word] > 2 for word in vocabulary[number]):
            held.add(number)
            left.subtract(vocabulary[number])
            count += members[number]
    return [number in held for number in group]


def _vocabularies(group: Sequence[int], kinds: Sequence[str]) -> dict[int, set[str]]:
    """The words of the kinds of each group."""
    words: dict[int, set[str]] = {}
    for number, kind in zip(group, kinds, strict=True):
        words.setdefault(number, set()).update(kind.split())
    return words


def _groups(pictures: Tensor, kinds: Sequence[str]) -> list[int]:
    """A number for each pair: equal for pairs of equal kind or equal image, also by way of other pairs."""
    parent = list(range(len(kinds)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    first: dict[object, int] = {}
    for i, (picture, name) in enumerate(zip(pictures, kinds)):
        for feature in (name, picture.numpy().tobytes()):
            parent[root(i)] = root(first.setdefault(feature, i))
    return [root(i) for i in range(len(kinds))]


# Words as tokens


@dataclass(frozen=True)
class Tokenizer:
    """Words to numbers from 1 on; 0 is padding. ``vocabulary`` is plain strings, so that a checkpoint's config can hold
    it."""

    vocabulary: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_number", {word: n for n, word in enumerate(self.vocabulary, 1)})

    def known(self, text: str) -> list[str]:
        """The words of a text that are known; a hyphenated one that is not, as its parts."""
        return [word for word in self._split(text) if word in self._number]

    def unknown(self, text: str) -> list[str]:
        """The words of a text that no caption of the training set had, each once, in order."""
        return list(dict.fromkeys(word for word in self._split(text) if word not in self._number))

    def cut(self, text: str) -> list[str]:
        """The known words of a text that are not read, because it has too many."""
        return self.known(text)[LENGTH:]

    def encode(self, texts: Sequence[str], length: int = LENGTH) -> Tensor:
        """Texts to tokens [len(texts), length]; longer ones are truncated."""
        rows = [[self._number[word] for word in self.known(text)][:length] for text in texts]
        rows = [row + [PADDING] * (length - len(row)) for row in rows]
        return torch.tensor(rows, dtype=torch.long).reshape(len(rows), length)

    def _split(self, text: str) -> list[str]:
        whole = words(text)
        return [part for word in whole for part in ([word] if word in self._number else words(word.replace("-", " ")))]


def tokenizer(pairs: Pairs) -> Tokenizer:
    """A tokenizer of all words of the captions and keywords to train on, the most frequent first."""
    count = Counter(
        word for i in pairs.indices(held_out=False).tolist() for text in (pairs.captions[i], *pairs.keywords[i])
        for word in words(text)
    )  # fmt: skip
    return Tokenizer(tuple(sorted(count, key=lambda word: (-count[word], word))))


def caption_sampler(pairs: Pairs, known: Tokenizer) -> Callable[[Tensor, torch.Generator], Tensor]:
    """(indices of pairs [n], generator) -> tokens [n, LENGTH] of a caption drawn for each.

    With probability 1/2 it is the image's name, with 1/4 one of its words (rare ones are likelier), and otherwise a
    random part of its words. Of a person it is a caption of some attributes, in English or in Chinese.
    """
    if pairs.people:
        return _people_sampler(pairs.people, known)
    names = _rows(known, pairs.captions)
    all_words = _rows(known, [" ".join([caption, *some]) for caption, some in zip(pairs.captions, pairs.keywords)])
    all_words = [list(dict.fromkeys(row)) for row in all_words]
    count = Counter(token for i in pairs.indices(held_out=False).tolist() for token in all_words[i])

    def draw(chosen: Tensor, generator: torch.Generator) -> Tensor:
        rows, u = [], torch.rand(len(chosen), 2 + LENGTH, generator=generator)
        for i, (which, share, *at) in zip(chosen.tolist(), u.tolist()):
            if which < 0.5 or not all_words[i]:
                row = names[i]
            elif which < 0.75:  # the first of arrivals at the rate 1 / sqrt(count)
                row = [min(zip(all_words[i], at), key=lambda pair: -math.log1p(-pair[1]) * count[pair[0]] ** 0.5)[0]]
            else:
                row = [token for token, one in zip(all_words[i], at) if one < share][:_PART] or names[i]
            rows.append(row + [PADDING] * (LENGTH - len(row)))
        return torch.tensor(rows)

    return draw


def _rows(known: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The tokens of each text, without padding."""
    return [[token for token in row if token != PADDING] for row in known.encode(texts).tolist()]


def _people_sampler(people: People, known: Tokenizer) -> Callable[[Tensor, torch.Generator], Tensor]:
    """The `caption_sampler` of people: each caption follows from a number of its own."""

    def draw(chosen: Tensor, generator: torch.Generator) -> Tensor:
        numbers = torch.randint(2**62, (len(chosen),), generator=generator).tolist()
        named = (people_captions.choose(people.named(k), number) for k, number in zip(chosen.tolist(), numbers))
        languages = people_captions.LANGUAGES
        return known.encode([
            people_captions.caption(some, languages[number % len(languages)], number)
            for some, number in zip(named, numbers)
        ])  # fmt: skip

    return draw
