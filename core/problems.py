"""Errors with a code: ``core`` says what is wrong by code and values, and a page says it in the learner's language.

The English sentence of each code stands in ``problems.toml``, its only copy.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from core import limits

_PLACEHOLDER = re.compile(r"%\{(\w+)(?::([^}]*))?\}")


class Problem(ValueError):
    """An input that cannot be used.

    Args:
        code: the key of its sentence in ``problems.toml``.
        **values: the values that the sentence quotes.

    ``str(problem)`` is the English sentence. ``more`` are the notes that `join_notes` put after this one.
    """

    def __init__(self, code: str, **values: Any):
        super().__init__(code)
        self.code, self.values = code, {name: _shortened(value) for name, value in values.items()}
        self.more: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return " ".join(fill(sentences()[part.code], part.values) for part in self.parts)

    @property
    def parts(self) -> tuple["Problem", ...]:
        """This problem and those that follow it."""
        return (self, *self.more)

    def __reduce__(self) -> tuple:
        return _rebuild, (type(self), self.code, self.values, self.more)


def _shortened(value: Any) -> Any:
    """A value as a sentence quotes it: a stranger's text may be as long as a file."""
    long = isinstance(value, str) and len(value) > limits.QUOTED
    return f"{value[: limits.QUOTED]}…" if long else value


def _rebuild(kind: type[Problem], code: str, values: dict[str, Any], more: tuple[Problem, ...]) -> Problem:
    problem = kind(code, **values)
    problem.more = more
    return problem


def join_notes(*notes: Problem | None) -> Problem | None:
    """Several notes as one, whose sentences follow each other; None where there is none."""
    parts = [part for note in notes if note for part in note.parts]
    return _rebuild(Problem, parts[0].code, parts[0].values, tuple(parts[1:])) if parts else None


def examples(names: Sequence[object]) -> str:
    """The first three of several names."""
    return ", ".join([*map(str, names[:3]), "..."] if len(names) > 3 else map(str, names))


def count_names(names: Sequence[object]) -> dict[str, object]:
    """What a note says of names that were left out: how many they are, and the first three."""
    shown = [name.as_posix() if isinstance(name, Path) else name for name in names]
    return {"lost": len(names), "examples": examples(shown)}


def left_out_note(*notes: Problem) -> Problem | None:
    """The notes of `count_names` names as one, without those that count none."""
    return join_notes(*(note for note in notes if note.values["lost"]))


@cache
def sentences() -> dict[str, str]:
    """The English sentence of each code."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def fill(sentence: str, values: Mapping[str, Any]) -> str:
    """Put ``values`` in the place of the placeholders of a sentence.

    A placeholder is ``%{name}`` or ``%{name:.2f}``, with a format of Python's mini-language after the colon. Braces
    without a percent sign are text, so that a sentence may contain LaTeX. Raises KeyError for a missing value.
    """
    return printable(_PLACEHOLDER.sub(lambda found: format(values[found[1]], found[2] or ""), sentence))


def printable(text: str) -> str:
    """The text with escapes, such as ``\\udce9``, for what no encoding has: file names may be any bytes.

    Bytes that are UTF-8 are read as such, where the system's encoding is another.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def placeholders(sentence: str) -> set[str]:
    """The names of the placeholders of a sentence."""
    return {found[1] for found in _PLACEHOLDER.finditer(sentence)}
