"""Films on a page: made in the background, drawn while they form, shared by all who ask for the same, and kept."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import streamlit as st

from core.runs.caching import shared_cache
from core.runs.jobs import View, Work
from pages.ui.frame import shell
from pages.ui.runs import background

KEPT = 96  # films; one of 8 colour images is a megabyte
TICK = 0.5  # seconds between two looks at films under way


class Film(Protocol):
    """What ``request`` asks for, as far as it is made, with a frame for each step of ``x``. Equal takes, equal films."""

    request: Hashable
    x: Sequence
    done: bool

    def at(self, k: int) -> Self:
        """Its frame k alone; -1: none, where there is none yet."""


Takes, Films = Sequence[Hashable], Sequence[Film]


@dataclass(frozen=True)
class Studio:
    """How films are made. Equal keys make equal films of equal takes.

    Attributes:
        key: what identifies the maker.
        make: makes films of takes, all together; yields them after each step.
        opening: what there is of a film before any step.
        steps: the number of steps of making films of takes.
        shipped: films that need not be made.
    """

    key: str
    make: Callable[[Takes], Iterator[Films]]
    opening: Callable[[Hashable], Film]
    steps: Callable[[Takes], int]
    shipped: Mapping[Hashable, Film] = field(default_factory=dict)


@shared_cache(KEPT)
def kept(key: str, take: str) -> list[Film]:
    """Where this process keeps the finished film of a take by the studio of that key; empty until then."""
    return []


def known(studio: Studio, takes: Takes) -> dict[Hashable, Film]:
    """The films that need not be made any more, by take."""
    finished = {take: studio.shipped.get(take) or next(iter(kept(studio.key, repr(take))), None) for take in takes}
    return {take: film for take, film in finished.items() if film}


def films(studio: Studio, takes: Takes) -> tuple[Film, ...]:
    """The finished films of takes; those that are not known yet are made here and now."""
    found = known(studio, takes)
    if missing := _missing(takes, found):
        for made in studio.make(missing):
            last = made
        _keep(studio, last)
        found |= {film.request: film for film in last}
    return tuple(found[take] for take in takes)


def watch(studio: Studio, takes: Takes, draw: Callable[[Films, int | None], None]) -> tuple[Film, ...]:
    """Draw the films of the takes: whole ones (None) as soon as all are known, and meanwhile the newest frame again and
    again, by its number. The films once they are known, else none."""
    if background.failed():
        return ()
    found = known(studio, takes)
    whole = () if _missing(takes, found) else tuple(found[take] for take in takes)
    if whole:
        background.leave()

    @st.fragment(run_every=None if whole else TICK)
    def tick() -> None:
        with shell.guard():
            if whole:
                draw(whole, None)
            else:
                _forming(studio, takes, draw)

    tick()
    return whole


def _forming(studio: Studio, takes: Takes, draw: Callable[[Films, int | None], None]) -> None:
    """The newest frame of films under way. When they are finished the page runs again to show them whole."""
    found = known(studio, takes)
    missing = _missing(takes, found)
    if not missing:
        st.rerun()  # somebody else's look was the first after the end
    view = _newest(studio, missing)
    forming = (view and view.picture) or [studio.opening(take) for take in missing]
    k = len(forming[0].x) - 1
    now = {take: film.at(k) for take, film in found.items()} | {film.request: film.at(k) for film in forming}
    draw([now[take] for take in takes], k)
    if view is not None:
        background.progress(view, studio.steps(missing))


def _newest(studio: Studio, takes: Takes) -> View | None:
    work = Work(("films", studio.key, takes), lambda *_: studio.make(takes), picture=tuple)
    return background.newest(work, lambda made: _keep(studio, made))


def _missing(takes: Takes, found: Mapping[Hashable, Film]) -> tuple[Hashable, ...]:
    return tuple(dict.fromkeys(take for take in takes if take not in found))


def _keep(studio: Studio, made: Films) -> None:
    for film in made:
        if film.done:
            kept(studio.key, repr(film.request))[:] = [film]
