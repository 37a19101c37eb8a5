"""How a text reads: its sentences, their words, and Flesch's reading ease."""

import re
from collections.abc import Iterable, Iterator

FORMULA = re.compile(r"\$[^$]*\$")
CODE = re.compile(r"`[^`]*`")
PLACEHOLDER = re.compile(r"%\{[^}]*\}")
MARKUP = re.compile(r"<[^<>]*>|\*\*|(?<!\w)\*|\*(?!\w)")
WORD = re.compile(r"[^\W\d_](?:[\w₀-₉'’-]|\u0302)*|\d[\d.,]*%?")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def entries(found: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a catalogue with its dotted key; the forms of a plural have keys of their own."""
    if isinstance(found, str):
        yield key, found
    elif isinstance(found, dict | list):
        for name, part in found.items() if isinstance(found, dict) else enumerate(found):
            yield from entries(part, f"{key}.{name}" if key else f"{name}")


def plain(text: str) -> str:
    """A text without markup; a formula is the word "x", code the word "code", a placeholder the number 7."""
    text = PLACEHOLDER.sub("7", FORMULA.sub("x", CODE.sub("code", text)))
    return MARKUP.sub("", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text))


def sentences(text: str) -> list[str]:
    """The English sentences of a text."""
    return [part for part in re.split(r"(?<=[.!?])[”\"’)]*\s+|\n+", plain(text)) if WORD.search(part)]


def words(text: str) -> list[str]:
    """The words and numbers of a plain text."""
    return WORD.findall(text)


def syllables(word: str) -> int:
    """About how many syllables an English word has: groups of vowels, without an e at the end that is not heard."""
    word = re.sub(r"[^a-z]", "", word.lower())
    word = re.sub(r"(?<=[^aeiouyl])e$|(?<=[^aeiouydt])ed$|(?<=[^aeiouyszxhcg])es$", "", word)
    return max(1, len(re.findall(r"[aeiouy]+", word)))


def reading_ease(texts: Iterable[str], terms: Iterable[str] = ()) -> float:
    """Flesch's reading ease of English texts (Flesch 1948); each of the ``terms`` counts as one short word."""
    either = "|".join(sorted(map(re.escape, terms), key=len, reverse=True))
    known = re.compile(rf"(?<!\w)(?:{either})(?:s|'s|’s)?(?!\w)", re.IGNORECASE) if either else None
    found = [sentence for text in texts for sentence in sentences(text)]
    found = [words(known.sub("x", sentence) if known else sentence) for sentence in found]
    count = sum(map(len, found))
    return 206.835 - 1.015 * count / len(found) - 84.6 * sum(syllables(w) for part in found for w in part) / count


def chinese_parts(text: str) -> list[str]:
    """The stretches of a Chinese text between punctuation marks; a formula, a placeholder or a Latin word counts as one
    character."""
    text = re.sub(r"[A-Za-z][\w-]*|\d[\d.,]*", "x", plain(text))
    parts = re.split(r"[，。；：！？、（）“”《》—…,.!?;:()\n]", text)
    return [re.sub(r"\s", "", part) for part in parts if part.strip()]
