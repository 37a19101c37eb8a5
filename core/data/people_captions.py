"""Captions of pixel people in English and Chinese: from attributes to a caption, and from a caption to attributes.

`caption` says named attributes in one of many natural wordings; `parse` reads what a user types. The words of both are
in ``assets/people/words.toml``.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from core import seeds
from core.data.images import ASSETS
from core.data.people import ATTRIBUTES
from core.problems import Problem

LANGUAGES = ("en", "zh")
MOST = 1_000  # characters of a caption
KINDS = {"hat": ATTRIBUTES["hat"][1:]}
"""The value "hat" of the attribute hat is any of these: `values` expands it."""
ABSENT = {"hair": "bald"} | {name: "none" for name, values in ATTRIBUTES.items() if "none" in values}
COLOURS_OF = {"hair": "hair_colour", "beard": "hair_colour", "hat": "hat_colour", "clothes": "clothes_colour",
              "background": "background"}  # fmt: skip
ADJECTIVES_OF = {"hair": ("hair", "hair_colour"), "beard": ("hair_colour",), "clothes": ("pattern",), "skin": ("skin",)}
WEIGHT = {"skin": 0.6, "pattern": 0.6, "background": 0.5, "hair": 1.2, "hair_colour": 1.2, "hat_colour": 2.0}
"""How often captions name an attribute that can be seen, relative to others. Colours of hats that are named seldom
leave hardly a trace in the image vectors of CLIP, and a decoder cannot draw what they lack."""
ABSENCE = 0.2  # how often an absence is said, relative to what can be seen
CLASS = 0.5  # how often a hat is called just that; more often, and its kinds are not learned
_CAPTION, _CHOICE = 0xCA9, 0xC01CE  # keep the draws of wordings and of attributes apart from all others


@cache
def _words(language: str) -> dict[str, Any]:
    return _file()[language]


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads((ASSETS / "people" / "words.toml").read_text("utf-8"))


def values(attribute: str, value: str) -> tuple[str, ...]:
    """The values that a value stands for: itself, but ``values("hat", "hat")`` are all kinds of hats."""
    return KINDS[attribute] if value == attribute and attribute in KINDS else (value,)


# From attributes to a caption


def choose(named: Mapping[str, str], seed: int = 0, fewest: int = 1, most: int = 8) -> dict[str, str]:
    """Some of a person's visible attributes, ``fewest`` to ``most`` of them where there are so many, as a caption would
    name them.

    Absences ("no hat") are chosen seldom. A hat's kind is often replaced by "hat". The colour of a hat is only chosen
    together with the hat, which takes the place before it, and that of a beard that alone shows it with the beard.
    """
    random = Random(seeds.mix(seed, _CHOICE))
    at = {name: random.random() ** (1 / _weight(name, value)) for name, value in named.items()}
    order = sorted(named, key=lambda name: -at[name])
    bearer = "beard" if named.get("hair", "bald") == "bald" and named.get("beard", "none") != "none" else "hair_colour"
    for colour, thing in (("hat_colour", "hat"), ("hair_colour", bearer)):
        if colour in order and thing in order and order.index(colour) < order.index(thing):
            order.remove(thing)
            order.insert(order.index(colour), thing)
    chosen = {name: named[name] for name in order[: random.randint(fewest, most)]}
    if chosen.get("hat", "none") != "none" and random.random() < CLASS:
        chosen["hat"] = "hat"
    return {name: chosen[name] for name in ATTRIBUTES if name in chosen}


def _weight(attribute: str, value: str) -> float:
    return ABSENCE if value == "none" else WEIGHT.get(attribute, 1.0)


def caption(named: Mapping[str, str], language: str = "en", seed: int = 0) -> str:
    """A caption that says all of the ``named`` attributes, in a wording and an order that follow from the seed.

    The colour of a hat without its kind is said of "a hat". ``parse`` gives back what was named. Raises Problem for a
    language that is not in ``LANGUAGES``.
    """
    if language not in LANGUAGES:
        raise Problem("people_language", language=language)
    say = _chinese if language == "zh" else _english
    return say(named, _words(language), Random(seeds.mix(seed, _CAPTION)))


def _pick(random: Random, wordings: Sequence[str]) -> str:
    """The first wording in half of the cases, and otherwise any."""
    return wordings[0] if random.random() < 0.5 else random.choice(wordings)


def _things(named: Mapping[str, str], words: Mapping[str, Any], random: Random) -> dict[str, str]:
    """The noun with its adjectives for each attribute that has one: "long red hair"; without an article."""
    hair, beard = named.get("hair"), named.get("beard", "none")
    wanted = {
        name: named[name] for name in ("beard", "glasses", "hat", "earrings") if named.get(name, "none") != "none"
    }
    colours = {"hat": named.get("hat_colour"), "clothes": named.get("clothes_colour")}
    if colours["hat"]:
        wanted.setdefault("hat", "hat")
    if {"clothes_colour", "pattern"} & named.keys():
        wanted["clothes"] = "clothes"
    bearers = ["hair"] * (hair not in (None, "bald")) + ["beard"] * (beard != "none") or ["hair"]
    if "hair_colour" in named:
        bearers = bearers if random.random() < 0.2 else bearers[:1] if random.random() < 0.8 else bearers[-1:]
        colours |= dict.fromkeys(bearers, named["hair_colour"])
    if hair not in (None, "bald") or "hair" in colours:
        wanted["hair"] = "hair" if hair in (None, "bald") else hair
    return {name: _thing(words, random, name, value, colours.get(name), named) for name, value in wanted.items()}


def _thing(
    words: Mapping[str, Any], random: Random, name: str, value: str, colour: str | None, named: Mapping[str, str]
) -> str:
    nouns, adjectives, chinese = words["nouns"][name], [], "short" in words["says"]
    noun = _pick(random, nouns.get(value) or nouns[name])
    if value not in nouns:
        adjectives.append(_pick(random, words["adjectives"][name][value]))
    pattern = named.get("pattern") if name == "clothes" else None
    if colour:
        adjectives.append(_colour(words, random, COLOURS_OF[name], colour, bool(pattern), noun))
    if chinese and pattern == "plain" and colour:
        adjectives = [words["says"]["plain"], words["colours"][colour][0]]
    elif pattern:
        adjectives.append(_pick(random, words["adjectives"]["pattern"][pattern]))
    if pattern and (pattern == "plain" or random.random() < 0.5) and colour and not chinese:
        adjectives.reverse()
    return ("" if chinese else " ").join([*adjectives, noun])


def _colour(words: Mapping[str, Any], random: Random, name: str, colour: str, pattern: bool, noun: str) -> str:
    wordings = words["colours"][colour] + words["adjectives"].get(name, {}).get(colour, [])
    if "short" not in words["says"]:
        return _pick(random, wordings)
    whole, short, *rest = wordings
    if noun in words["says"]["short"] and not pattern and random.random() < 0.3:
        return short
    return _pick(random, [whole, *rest]) + ("的" if random.random() < 0.1 else "")


def _absent(named: Mapping[str, str], words: Mapping[str, Any], random: Random) -> dict[str, str]:
    """The nouns of what is said to be absent."""
    return {name: _pick(random, words["nouns"][name].get(name) or words["nouns"][name][ATTRIBUTES[name][1]])
            for name in ("hat", "glasses", "beard", "earrings") if named.get(name) == "none"}  # fmt: skip


def _listed(parts: Sequence[str], between: str, last: str) -> str:
    return last.join([between.join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _key_words(parts: Sequence[str], between: str, random: Random) -> str:
    return between.join(random.sample(parts, len(parts)))


def _english(named: Mapping[str, str], words: Mapping[str, Any], random: Random) -> str:
    things, absent = _things(named, words, random), _absent(named, words, random)
    values = ((name, words["values"].get(name, {}).get(named.get(name))) for name in ("hair", "mouth", "skin"))
    adjectives = {name: _pick(random, wordings) for name, wordings in values if wordings}
    if random.random() < 0.2:
        ground = [f"{named['background']} background"] if "background" in named else []
        absences = [f"no {noun}" for noun in absent.values()]
        return _key_words([*things.values(), *adjectives.values(), *ground, *absences], ", ", random)
    mouth = _english_mouth(named, words, random)
    skin = _english_skin(named, words, random)
    clauses = _english_clauses(skin, things, absent, words, random)
    elsewhere = {"mouth": mouth, "skin": skin}
    front = [adjective for name, adjective in adjectives.items() if not elsewhere.get(name)]
    head = _english_head(random.sample(front, len(front)), words, random)
    ground = _pick(random, words["says"]["background"]).format(named["background"]) if "background" in named else ""
    return _english_sentence(head, clauses, mouth, ground, random)


def _english_mouth(named: Mapping[str, str], words: Mapping[str, Any], random: Random) -> list[str]:
    """The mouth as a phrase after the person, "with a smile", in half of the captions that name it."""
    if "mouth" not in named or random.random() >= 0.5:
        return []
    return [_pick(random, words["says"]["mouth"][named["mouth"]])]


def _english_skin(named: Mapping[str, str], words: Mapping[str, Any], random: Random) -> list[str]:
    """The skin as a noun, "tan skin", in most of the captions that name it."""
    if "skin" not in named or random.random() >= 0.7:
        return []
    return [f"{_pick(random, words['adjectives']['skin'][named['skin']])} skin"]


def _english_head(front: Sequence[str], words: Mapping[str, Any], random: Random) -> str:
    """The person with the adjectives before it: "an unhappy person"."""
    adjectives = " ".join(front)
    head = _pick(random, words["people"][: -1 if front else None]).format(f"{adjectives} " if front else "")
    if adjectives[:1] in tuple("aeiou"):
        head = head.replace("a ", "an ", 1) if head.startswith("a " + adjectives) else head.replace("of a ", "of an ")
    return head


def _english_sentence(head: str, clauses: Sequence[str], mouth: list[str], ground: str, random: Random) -> str:
    """Person, clauses, mouth and background with the commas between them."""
    for clause in clauses:  # "a hat with red hair" would be a hat that has hair
        comma = "," if clause != clauses[0] and (clause.startswith("with ") or random.random() < 0.3) else ""
        head = f"{head}{comma} {clause}"
    return ", ".join([head, *mouth, ground] if mouth and ground else [f"{head} {ground}".strip(), *mouth])


def _english_clauses(
    skin: list[str], things: Mapping[str, str], absent: Mapping[str, str], words: Mapping[str, Any], random: Random
) -> list[str]:
    """ "with ...", "wearing ...", "without ...", in any order."""

    def some(*names: str) -> list[str]:
        return [_english_article(things[name], words) for name in names if name in things]

    with_, worn, clothes = [*skin, *some("hair", "beard")], some("hat", "glasses", "earrings"), some("clothes")
    with_, worn = _merged(with_, worn, 0.4, random)
    if worn:
        worn, clothes = _merged(worn, clothes, 0.5, random)
    with_, worn = (random.sample(parts, len(parts)) for parts in (with_, worn))
    verbs = {"wearing": worn, "in": clothes} if worn else {_pick(random, words["says"]["clothes"]): clothes}
    absences = [f"no {noun}" for noun in absent.values()]
    if with_:
        with_, absences = _merged(with_, absences, 0.5, random)
    clauses = random.sample([("with", with_), *verbs.items()], 1 + len(verbs))
    phrases = [f"{verb} {_listed(parts, ', ', ' and ')}" for verb, parts in clauses if parts]
    without = [_english_article(noun, words) for noun in absent.values()] if absences else []
    return phrases + (["without " + _listed(without, ", ", " or ")] if without else [])


def _english_article(thing: str, words: Mapping[str, Any]) -> str:
    return thing if thing.split()[-1] in words["plural"] else f"a {thing}"


def _merged(first: list[str], second: list[str], chance: float, random: Random) -> tuple[list[str], list[str]]:
    """Two lists, or by chance one with all of both and an empty one."""
    return ([*first, *second], []) if second and random.random() < chance else (first, second)


def _chinese(named: Mapping[str, str], words: Mapping[str, Any], random: Random) -> str:
    things, absent, says = _things(named, words, random), _absent(named, words, random), words["says"]
    plain = _chinese_values(named, words, random)
    colour = words["colours"].get(named.get("background"), [""])[0]
    ground = [_pick(random, says["background"]).format(colour)] if colour else []
    style = random.random()
    if style < 0.2:
        absences = [f"没有{noun}" for noun in absent.values()]
        return _key_words([*things.values(), *plain, *ground, *absences], "，", random)
    things = {name: _measured(thing, says["measures"], random) for name, thing in things.items()}
    after = "着" if style < 0.4 or (style < 0.6 and random.random() < 0.5) else ""
    clauses = [*plain, *_chinese_clauses(things, says, after, random)]
    clauses = random.sample(clauses, len(clauses)) + _chinese_absences(absent, says, random)
    if style >= 0.5 and clauses:
        return "，".join([_pick(random, words["people"]).format("、".join(clauses)), *ground])
    if style >= 0.4 and clauses and not plain:
        return "这个人" + "，".join([*clauses, *ground])
    return "，".join(["一个人", *clauses, *ground])


def _chinese_values(named: Mapping[str, str], words: Mapping[str, Any], random: Random) -> list[str]:
    """What is complete in itself: 光头, 面带微笑."""
    bald = [_pick(random, words["values"]["hair"]["bald"])] if named.get("hair") == "bald" else []
    return bald + [_pick(random, words["says"][name][named[name]]) for name in ("mouth", "skin") if name in named]


def _measured(thing: str, measures: Mapping[str, str], random: Random) -> str:
    """A noun with its measure word now and then: 一顶帽子."""
    measure = next((word for part, word in measures.items() if part in thing), "")
    return measure + thing if random.random() < 0.15 else thing


def _chinese_clauses(things: Mapping[str, str], says: Mapping[str, Any], after: str, random: Random) -> list[str]:
    """A verb with its objects for each verb: 戴 (worn on the head), 留 or 扎 (hair and beard), 穿 (clothes)."""

    def clause(verb: str, *names: str) -> list[str]:
        objects = [things[name] for name in names if name in things]
        return [verb + after + _listed(random.sample(objects, len(objects)), "、", "和")] if objects else []

    tied = any(thing in things.get("hair", "") for thing in says["ties"])
    found = clause(says["wear"][0], "hat", "glasses", "earrings") + clause(says["clothes"][0], "clothes")
    if tied:
        found += clause(random.choice(says["tied"]), "hair") + clause(says["beard"][0], "beard")
    else:
        found += clause(says["hair"][0], "hair", "beard")
    return found


def _chinese_absences(absent: Mapping[str, str], says: Mapping[str, Any], random: Random) -> list[str]:
    """不戴 with what is worn, and 没有胡子."""
    found = []
    off = [noun for name, noun in absent.items() if name != "beard"]
    if off:
        found.append(_pick(random, says["without"]["wear"]) + _listed(off, "、", "和"))
    if "beard" in absent:
        found.append(_pick(random, says["without"]["beard"]) + absent["beard"])
    return found


# Words


def attribute_words(language: str) -> dict[str, tuple[str, str]]:
    """The words and phrases of captions, each with the attribute and the value that it names.

    ("colour", "red") is the colour of anything, and ("clothes", "clothes") a part without an attribute of its own.
    """
    words, found = _words(language), {}
    for value, wordings in words["colours"].items():
        found |= dict.fromkeys(wordings, ("colour", value))
    for kind in ("adjectives", "nouns", "values"):
        for name, some in words[kind].items():
            for value, wordings in some.items():
                found |= dict.fromkeys(wordings, (name, value))
    return found


# From a caption to attributes


@dataclass(frozen=True)
class Parsed:
    """What a caption asks for.

    Attributes:
        wanted: attribute -> value, in the order of ``ATTRIBUTES``. ``wanted["hat"]`` may be "hat", any hat (`values`).
        unknown: the words, or phrases such as "no red hat", that name no attribute of these people, in order.
        language: "zh" for a caption with a Chinese character, otherwise "en".
    """

    wanted: dict[str, str]
    unknown: tuple[str, ...]
    language: str


@dataclass(frozen=True)
class _Token:
    """A phrase of the lexicon. ``kind``: noun, adjective, colour, value, a kind of the grammar, or unknown."""

    kind: str
    attribute: str = ""
    value: str = ""
    text: str = ""


def parse(text: str) -> Parsed:
    """The attributes that a caption names, in English or Chinese or in a mixture of both.

    "No hat" asks for the value "none", and so do "no cap" and "no sunglasses" where no other hat or glasses are named.
    Raises Problem for an empty caption, one of more than ``MOST`` characters, one in another script, and one that asks
    for two values of an attribute.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if not text:
        raise Problem("people_caption_empty")
    if len(text) > MOST:
        raise Problem("people_caption_long", n=len(text), most=MOST)
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in text if letter.isalpha()}
    if scripts - {"LATIN", "CJK", "MASCULINE", "FEMININE", "MICRO"}:
        raise Problem("people_caption_language")
    reading = _Reading()
    tokens = list(_tokens(text))
    for k, token in enumerate(tokens):
        reading.read(token, tokens[k + 1 :])
    return Parsed(*reading.end(), "zh" if "CJK" in scripts else "en")


_UNIT = re.compile(r"[^\W\d_㐀-鿿]+(?:['’][^\W\d_㐀-鿿]+)*|\d+|[㐀-鿿]|[,.;:!?、。&]")
_LONGEST = 5  # units of a phrase


def _units(text: str) -> list[str]:
    """Latin words in lower case, single Chinese characters, and punctuation."""
    return [unit.replace("’", "'") for unit in _UNIT.findall(text.lower())]


def _joined(units: Sequence[str]) -> str:
    """Units as one text, with a space between Latin words."""
    return re.sub(r"(?<=[㐀-鿿]) | (?=[㐀-鿿])", "", " ".join(units))


@cache
def _lexicon() -> dict[str, _Token]:
    """The token of each phrase of either language."""
    found = {",": _Token("comma"), ".": _Token("comma"), ";": _Token("comma"), "。": _Token("comma")}
    found |= dict.fromkeys(("!", "?"), _Token("comma"))
    for words in map(_words, LANGUAGES):
        for kind, phrases in words["grammar"].items():
            found |= {_joined(_units(phrase)): _Token(kind) for phrase in phrases}
        for table in (words["also"], words):
            for name, wordings in table.get("colours", {}).items():
                found |= {_joined(_units(phrase)): _Token("colour", "", name) for phrase in wordings}
            for kind in ("values", "adjectives", "nouns"):
                for name, some in table.get(kind, {}).items():
                    for value, wordings in some.items():
                        found |= {_joined(_units(one)): _Token(kind[:-1], name, value) for one in wordings}
    return found


def _tokens(text: str) -> Iterator[_Token]:
    """The longest phrases of the lexicon, from left to right; unknown Chinese characters in a row are one token."""
    units, at, unknown = _units(text), 0, ""
    while at < len(units):
        ends = range(min(len(units), at + _LONGEST), at, -1)
        end = next((end for end in ends if _joined(units[at:end]) in _lexicon()), None)
        phrase = _joined(units[at : end or at + 1])
        if end is None and "㐀" <= phrase <= "鿿":
            unknown += phrase
        else:
            if unknown:
                yield _Token("unknown", text=unknown)
            unknown = ""
            entry = _lexicon().get(phrase, _Token("unknown"))
            if end or phrase.isalnum():
                yield _Token(entry.kind, entry.attribute, entry.value, phrase)
        at = end or at + 1
    if unknown:
        yield _Token("unknown", text=unknown)


@dataclass
class _Reading:
    """What was read of a caption up to a token.

    Attributes:
        found: attribute -> the value named, and the phrase that named it.
        absent: attribute, value and phrase of what is said not to be there.
        unknown: phrases that were not understood.
        pending: adjectives whose noun has not come yet.
        noun: the noun that following adjectives may belong to ("hair is red").
        copula: whether a verb such as "is" follows the noun.
        clothing: whether what follows is worn on the body ("in blue").
        negation: "no" or "without" while what follows is absent, otherwise "".
        negator: its word in the caption.
        negated: whether something was already negated by it.
        last: the noun before, which a copula returns to ("her hair is long, and is red").
    """

    found: dict[str, tuple[str, str]] = field(default_factory=dict)
    absent: list[tuple[str, str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    pending: list[_Token] = field(default_factory=list)
    noun: _Token | None = None
    copula: bool = False
    clothing: bool = False
    negation: str = ""
    negator: str = ""
    negated: bool = False
    last: _Token | None = None

    def read(self, token: _Token, rest: Sequence[_Token]) -> None:
        """Read the next token; ``rest`` are those after it."""
        if token.kind in ("colour", "adjective"):
            self.pending.append(token)
        elif token.kind in ("noun", "value", "unknown"):
            getattr(self, f"_{token.kind}")(token)
        elif token.kind != "ignored":
            self._separator(token, rest)

    def _separator(self, token: _Token, rest: Sequence[_Token]) -> None:
        """A conjunction, a comma, a verb, a copula or a negation: adjectives so far find their noun."""
        kind = token.kind
        if kind in ("verb", "clothing") and self.negation and not self.negated:
            return  # "not wearing"
        self._attach()
        if kind == "copula":
            self.noun, self.copula = self.noun or self.last, True
            return
        if kind in ("verb", "clothing", "no", "without"):
            self._drop()
            self.clothing = kind == "clothing"
        if not (kind == "and" and self.copula):
            self.noun, self.copula = None, False
        self._scope(token, rest)

    def _scope(self, token: _Token, rest: Sequence[_Token]) -> None:
        """How far a negation reaches: "without a hat, glasses or beard", but "no hat, glasses"."""
        kind = token.kind
        if kind in ("no", "without"):
            self.negation, self.negator, self.negated = kind, token.text, False
        elif kind in ("verb", "clothing") or (kind == "and" and self.negation == "no"):
            self.negation = ""
        elif kind == "comma" and self.negation:
            ahead = [one.kind for one in rest]
            stop = next((k for k, one in enumerate(ahead) if one in ("verb", "clothing", "no", "without")), len(ahead))
            self.negation *= "or" in ahead[:stop]

    def _noun(self, token: _Token) -> None:
        pending, self.pending = self.pending, []
        phrase = _joined([*(one.text for one in pending), token.text])
        if self.negation and self._negate(token, phrase, bool(pending)):
            return
        fitting = [one for one in pending if self._fits(one, token)]
        self.unknown += [one.text for one in pending if one not in fitting]
        if token.attribute in ATTRIBUTES and token.attribute not in ("background", "skin"):
            self._set(token.attribute, token.value, phrase)
        for one in fitting:
            self._set(self._attribute(one, token), one.value, _joined([one.text, token.text]))
        self.noun = self.last = token
        self.copula = False

    def _negate(self, token: _Token, phrase: str, described: bool) -> bool:
        """Whether the noun is absent; a list of absent things ends before one that is described ("a red hat")."""
        possible = token.attribute in ABSENT and not described and (token.attribute != "hair" or token.value == "hair")
        if self.negated and not possible:
            self.negation = ""
            return False
        if possible:
            self.absent.append((token.attribute, token.value, _joined([self.negator, phrase])))
        else:
            self.unknown.append(_joined([self.negator, phrase]))
        self.negated = True
        return True

    def _value(self, token: _Token) -> None:
        if self.negation and not self.negated:
            self.unknown.append(_joined([self.negator, token.text]))
            self.negated = True
        else:
            self._set(token.attribute, token.value, token.text)

    def _unknown(self, token: _Token) -> None:
        self.unknown.append(token.text)
        self.negated = True

    def _attribute(self, adjective: _Token, noun: _Token) -> str:
        return adjective.attribute or COLOURS_OF.get(noun.attribute, "")

    def _fits(self, adjective: _Token, noun: _Token) -> bool:
        """Whether these people can have it: "long hair", not "long hat"; a blue hat, not a white one."""
        name = self._attribute(adjective, noun)
        if adjective.kind == "adjective" and name not in ADJECTIVES_OF.get(noun.attribute, ()):
            return False
        if name == "hair" and noun.value != "hair":
            return False
        return adjective.value in ATTRIBUTES.get(name, ())

    def _attach(self) -> None:
        """Give pending adjectives to the noun before them ("the hat is red") unless it has such a one already."""
        if self.noun is None:
            return
        left = []
        for one in self.pending:
            name = self._attribute(one, self.noun)
            if self._fits(one, self.noun) and (self.copula or name not in self.found or self.found[name][0] == name):
                self._set(name, one.value, f"{self.noun.text} {one.text}")
            else:
                left.append(one)
        self.pending = left

    def _drop(self) -> None:
        """Adjectives without a noun: of the clothes ("in blue"), or not understood."""
        for one in self.pending:
            name = "clothes_colour" if one.kind == "colour" else one.attribute
            if self.clothing and name in ("clothes_colour", "pattern") and one.value in ATTRIBUTES[name]:
                self._set(name, one.value, one.text)
            else:
                self.unknown.append(one.text)
        self.pending = []

    def _set(self, name: str, value: str, phrase: str) -> None:
        """Note a value. Raises Problem for another one of the same attribute."""
        before, earlier = self.found.get(name, (value, phrase))
        general = value == name in ("hat", "hair"), before == name in ("hat", "hair")  # "hat" fits with "cap"
        if before != value and (not any(general) or ABSENT[name] in (before, value)):
            raise Problem("people_caption_both", first=earlier, second=phrase)
        self.found[name] = (before, earlier) if general[0] else (value, phrase)

    def end(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """The attributes wanted, and what was not understood."""
        self._attach()
        self._drop()
        for name, value, phrase in self.absent:
            present = self.found.get(name)
            if present and (value in (name, present[0])) and present[0] != ABSENT[name]:
                raise Problem("people_caption_both", first=phrase, second=present[1])
            self.found.setdefault(name, (ABSENT[name], phrase))
        wanted = {name: self.found[name][0] for name in ATTRIBUTES if name in self.found}
        if wanted.get("hair") == "hair":  # "red hair": any that is not bald
            phrase = self.found["hair"][1]
            if "hair_colour" not in wanted and not any(word in phrase for word in self.unknown):
                self.unknown.append(phrase)
            del wanted["hair"]
        return wanted, tuple(dict.fromkeys(self.unknown))
