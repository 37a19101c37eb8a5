"""What a page has drawn in this run of its script besides pictures, so that its menu can offer it as files."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

Names, Values = tuple[str, ...], Mapping[str, Any]


@dataclass(eq=False)
class Drawn:
    """Tables as Markdown; the names of notes and of formulas with their legends, each with the values they quote."""

    tables: list[str] = field(default_factory=list)
    notes: list[tuple[Names, Values]] = field(default_factory=list)
    formulas: list[tuple[str, Names, Values]] = field(default_factory=list)


_drawn: ContextVar[Drawn | None] = ContextVar("drawn", default=None)


def begin() -> None:
    """A page begins."""
    _drawn.set(Drawn())


def now() -> Drawn:
    """All that is drawn so far; what is added to it outside of a page is dropped."""
    return _drawn.get() or Drawn()
