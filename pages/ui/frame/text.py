"""The catalogue: every label and sentence that a learner can read, by key and language.

``pages/text/<language>/<file>.toml`` holds the entry of key ``<file>.<name>...``. The languages are the folders: a
new one needs no code, and what it lacks is shown in English. Two more files hold what does not depend on a language:
``formulas.toml``, and ``measured.toml`` with the measured numbers that sentences quote. See ``core.problems.fill``
for the placeholders.
"""

import logging
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, wraps
from pathlib import Path
from typing import Any

from core import problems
from core.problems import Problem

FOLDER = Path(__file__).parents[2] / "text"
DEFAULT = "en"
BOLD = re.compile(r"(?<!\u200a)\*\*[^*]+\*\*(?!\u200a)")
HAIR_SPACE = "\u200a"

language: ContextVar[str] = ContextVar("language", default=DEFAULT)
strict = False  # tests set it: there a missing entry is an error, on a page English or the key stands in


@cache
def catalogue(name: str) -> dict[str, Any]:
    """The entries of a language, or those of "" that hold for all languages."""
    return {file.stem: tomllib.loads(file.read_text("utf-8")) for file in sorted((FOLDER / name).glob("*.toml"))}


@cache
def languages() -> tuple[str, ...]:
    """The languages that there are, English first."""
    return tuple(sorted((folder.name for folder in FOLDER.iterdir() if folder.is_dir()), key=lambda n: n != DEFAULT))


def entry(key: str) -> Any:
    """The entry at a dotted key: a sentence, a list or a table. Raises KeyError where nothing does."""
    for name in dict.fromkeys((language.get(), DEFAULT)):
        found: Any = catalogue(name)
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None:
            return found
        if strict:
            break
    raise KeyError(key)


def has(key: str) -> bool:
    """Whether anything stands at a key."""
    try:
        return entry(key) is not None
    except KeyError:
        return False


def t(key: str, **values: Any) -> str:
    """The sentence at a key, its placeholders filled with ``values`` and with the measured numbers of its file.

    An entry with the forms ``one`` and ``other`` is chosen by ``values["count"]``.
    """
    try:
        found = entry(key)
        if isinstance(found, dict):
            found = found["one" if values.get("count") == 1 and "one" in found else "other"]
        return fill(key, found, **values)
    except KeyError:
        if strict:
            raise
        logging.getLogger(__name__).error("there is no sentence %s", key)
        return key


def fill(key: str, sentence: str, **values: Any) -> str:
    """A sentence that stands at or below ``key``, its placeholders filled as ``t`` does."""
    return emphasis(problems.fill(sentence, {**catalogue("").get("measured", {}).get(key.split(".")[0], {}), **values}))


def formula(page: str, name: str, **values: Any) -> list[tuple[str, str]]:
    """The terms (LaTeX, role or "") of a formula of a page, from ``formulas.toml``, placeholders filled."""
    terms = catalogue("")["formulas"][page][name]
    return [(fill(f"{page}.{name}", tex, **values), role) for tex, role in terms]


def emphasis(markdown: str) -> str:
    """``markdown`` with a hair space outside each bold part, where Markdown would not know its end beside a Chinese
    character: after a full stop or bracket it looks for a space."""
    if language.get() == DEFAULT or "**" not in markdown:
        return markdown
    return BOLD.sub(lambda found: f"{HAIR_SPACE}{found[0]}{HAIR_SPACE}", markdown).strip(HAIR_SPACE)


def in_this_language(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` for another thread, where the visitor's language is not known: it speaks that of now."""
    chosen = language.get()

    @wraps(function)
    def speak(*args: Any, **given: Any) -> Any:
        token = language.set(chosen)
        try:
            return function(*args, **given)
        finally:
            language.reset(token)

    return speak


def label(kind: str, name: Any) -> str:
    """The label of an identifier of a kind ("samplers", "schedules", ...); the identifier itself where it has none."""
    found = catalogue(language.get()).get("labels", {}).get(kind, {}).get(str(name))
    return found or catalogue(DEFAULT).get("labels", {}).get(kind, {}).get(str(name), str(name))


def problem(error: Exception) -> str:
    """The sentence of an error, in the visitor's language where it has a code; so too a Problem among its values."""
    if not isinstance(error, Problem):
        error = Problem("unexpected", kind=type(error).__name__)
    translated = problems.sentences() | catalogue(language.get()).get("problems", {})
    return join(problems.fill(translated[part.code], _translated(part.values)) for part in error.parts)


def _translated(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a sentence, a Problem among them as its own sentence without the full stop."""
    return {
        name: problem(value).rstrip(".。") if isinstance(value, Problem) else value for name, value in values.items()
    }


def join(sentences: Iterable[str]) -> str:
    """Sentences one after the other, with a space between them but after a Chinese full stop."""
    return "".join(each if each.endswith("。") else f"{each} " for each in sentences).rstrip()


# Numbers in sentences


def pair(place: Sequence[float]) -> str:
    """Numbers in brackets, with as many digits as can be told apart."""
    return f"({', '.join(f'{v:z.{2 if abs(v) < 9.95 else 0}f}' for v in place)})".replace("-", "−")


def signed(value: float) -> str:
    """A factor as text, in brackets if it is negative."""
    return f"{value:g}" if value >= 0 else f"(−{-value:g})"


def fixed(value: float) -> str:
    """A number such as a cosine with two digits after the point; a dash for NaN."""
    return "–" if value != value else f"{value:z.2f}".replace("-", "−")
