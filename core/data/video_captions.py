"""Captions of clips in English and Chinese: a person, a motion, and now and then what is wrong with the clip.

`caption` says what is named in one of many wordings; `parse` reads what a user types. The words are in
``assets/people/video.toml``; those of people are in ``people_captions``.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from core import seeds
from core.data import people_captions
from core.data.images import ASSETS
from core.data.video import FAULTS, Clips
from core.problems import Problem

MOST_NAMED = 5  # attributes of the person in a caption
NAMES_FAULT = 0.5  # the share of the captions of spoiled clips that say so
GENERAL = 0.4  # of these, the share that says "low quality" and names no fault
SPOILED = "spoiled"
PART = 0.05  # the share of captions that leave out the person, and of those that leave out the motion
FAULTS_ALONE = 0.25  # the share of captions with faults that name nothing else
_CHOICE, _WORDING = 0x51DE1, 0x51DE2  # keep the draws of what is named and of its wording apart from all others


@cache
def _words(language: str) -> dict[str, Any]:
    return tomllib.loads((ASSETS / "people" / "video.toml").read_text("utf-8"))[language]


# From clips to captions


@dataclass(frozen=True)
class Named:
    """What a caption names.

    Attributes:
        person: attribute -> value, as in ``people_captions``.
        motion: one of ``MOTIONS``, None for none.
        faults: some of ``FAULTS``, or ("spoiled",) for any of them.
    """

    person: Mapping[str, str]
    motion: str | None = None
    faults: tuple[str, ...] = ()


def choose(clips: Clips, k: int, seed: int = 0) -> Named:
    """What a caption of clip k names: some of the person, the motion, and the faults of half of the spoiled clips.

    Now and then it leaves out the person or the motion, so that a model knows captions of one of them, or of faults
    alone.
    """
    random = Random(seeds.mix(seed, _CHOICE))
    person = people_captions.choose(clips.named(k), seed, most=MOST_NAMED)
    faults = clips.faults_of(k)
    if faults and random.random() >= NAMES_FAULT:
        faults = ()
    elif faults and random.random() < GENERAL:
        faults = (SPOILED,)
    motion, left_out = clips.motion(k), random.random()
    if faults and left_out < FAULTS_ALONE:
        person, motion = {}, None
    elif left_out < PART:
        person = {}
    elif left_out < 2 * PART:
        motion = None
    return Named(person, motion, faults)


def caption(named: Named, language: str = "en", seed: int = 0) -> str:
    """A caption that says all that is named, in a wording and an order that follow from the seed. ``parse`` gives back
    what was named. Raises Problem for a language that is not in ``people_captions.LANGUAGES``."""
    random = Random(seeds.mix(seed, _WORDING))
    if language not in people_captions.LANGUAGES:
        raise Problem("people_language", language=language)
    words = _words(language)
    motion = [_pick(random, words["motions"][named.motion])] if named.motion else []
    faults = [_pick(random, words["spoiled"] if name == SPOILED else words["faults"][name]) for name in named.faults]
    person = [people_captions.caption(named.person, language, seed)] if named.person else []
    parts = motion + person if random.random() < 0.25 else person + motion
    parts = faults + parts if random.random() < 0.25 else parts + random.sample(faults, len(faults))
    return words["between"].join(parts)


def _pick(random: Random, wordings: Sequence[str]) -> str:
    """The first wording in half of the cases, and otherwise any."""
    return wordings[0] if random.random() < 0.5 else random.choice(wordings)


def all_faults(language: str) -> str:
    """The long list of what nobody wants to see: any fault, and each of them."""
    words = _words(language)
    return words["between"].join([words["spoiled"][0], *(words["faults"][name][0] for name in FAULTS)])


# From a caption to what it names


@dataclass(frozen=True)
class Parsed:
    """What a caption of a clip asks for.

    Attributes:
        named: person, motion and faults.
        unknown: the words that name nothing of these clips, in order.
        language: "zh" for a caption with a Chinese character, otherwise "en".
    """

    named: Named
    unknown: tuple[str, ...]
    language: str


def parse(text: str) -> Parsed:
    """What a caption names, in English or Chinese or in a mixture of both.

    A caption that names a motion of hats and no hat asks for a hat. Raises Problem for a caption of two motions, and as
    ``people_captions.parse`` does.
    """
    if not text.strip() or len(text) > people_captions.MOST:
        people_captions.parse(text)  # raises
    found: dict[str, list[tuple[str, str]]] = {"motions": [], "faults": []}

    def take(match: re.Match[str]) -> str:
        phrase = match.group().lower()
        kind, value = _phrases()[re.sub(r"\s+", " ", phrase)]
        found[kind].append((value, phrase))
        return ", "

    rest = _pattern().sub(take, text)
    motions = dict(reversed(found["motions"]))
    if len(motions) > 1:
        first, second = reversed(motions.values())
        raise Problem("video_motions", first=first, second=second)
    language = "zh" if re.search("[㐀-鿿]", text) else "en"
    person = people_captions.parse(rest) if re.search(r"\w", rest) else people_captions.Parsed({}, (), language)
    faults = tuple(dict.fromkeys(value for value, _ in found["faults"]))
    return Parsed(Named(person.wanted, next(iter(motions), None), faults), person.unknown, language)


@cache
def _phrases() -> dict[str, tuple[str, str]]:
    """The kind and the value of each phrase of a motion or a fault, in either language."""
    found = {}
    for words in map(_words, people_captions.LANGUAGES):
        found |= dict.fromkeys(words["spoiled"], ("faults", SPOILED))
        for kind in ("motions", "faults"):
            for value, phrases in words[kind].items():
                found |= dict.fromkeys(phrases, (kind, value))
    return found


@cache
def _pattern() -> re.Pattern[str]:
    """Any of these phrases, the longest first; Latin words as a whole."""
    phrases = sorted(_phrases(), key=len, reverse=True)

    def whole(phrase: str) -> str:
        escaped = r"\s+".join(map(re.escape, phrase.split()))
        return rf"(?<![^\W\d_㐀-鿿]){escaped}(?![^\W\d_㐀-鿿])" if phrase.isascii() else escaped

    return re.compile("|".join(map(whole, phrases)), re.IGNORECASE)
