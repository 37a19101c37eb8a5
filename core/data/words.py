"""The words of a text in any script.

Scripts differ in what divides words: Latin, Cyrillic, Arabic or Devanagari letters have spaces between words, Chinese
characters have none, and Thai has spaces between sentences. `undivided` says of which captions words are not known.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from core.problems import printable

LENGTH = 64  # words of a caption that are read at most

_SIGNS = "\u3005\u3007\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNDIVIDED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u1aaf\uaa60-\uaa7f]")
_ONE_BY_ONE = re.compile(rf"[{_SIGNS}]")


def words(text: str) -> list[str]:
    """The words of a text in lower case and in composed form (NFC), with their vowel signs and accents.

    Hyphens and apostrophes do not divide: "Man: medium-dark skin tone" has four words. Each Chinese character and each
    hiragana is a word; a run of katakana or of other letters is one.
    """
    text = unicodedata.normalize("NFC", text.lower())
    return [word.replace("’", "'") for word in _pattern(text.isascii()).findall(text)]


@cache
def _pattern(ascii: bool) -> re.Pattern:
    """What a word is. Python's ``\\w`` lacks combining marks, without which words of Hindi or Thai fall apart."""
    marks = "" if ascii else _marks()
    letter = rf"[^\W_{_SIGNS}]"
    run = rf"{letter}(?:{letter}|[{marks}\u200c\u200d])*"
    return re.compile(rf"[{_SIGNS}]|{run}(?:[-'’]{run})*")


def _marks() -> str:
    """All combining marks but those that choose how the sign before them looks, such as an emoji in colour."""
    letters = map(chr, range(0x300, 0x1F000))
    return "".join(
        letter
        for letter in letters
        if unicodedata.category(letter) in ("Mn", "Mc") and not "\ufe00" <= letter <= "\ufe0f"
    )


def is_undivided(text: str) -> bool:
    """Whether a text has letters of Thai, Lao, Burmese or Khmer, which do not divide words by spaces."""
    return _UNDIVIDED.search(text) is not None


def has_signs(text: str) -> bool:
    """Whether a text has Chinese characters or hiragana, each of which counts as a word."""
    return _ONE_BY_ONE.search(text) is not None


def position(name: object, names: Sequence[str]) -> int | None:
    """The place of a name among others, None if it is none of them. Composed and decomposed letters are the same.
    The others are printable, as classes are: what is typed may be any bytes."""
    composed = [unicodedata.normalize("NFC", each) for each in names]
    name = unicodedata.normalize("NFC", printable(name)) if isinstance(name, str) else name
    return composed.index(name) if name in composed else None
