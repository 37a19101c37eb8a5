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


class Film(Protocol):
    """What ``request`` asks for, as far as it is made, with a frame for each step of ``x``."""

    request: Hashable
    x: Sequence
    done: bool

    def at(self, k: int) -> Self:
        """Its frame k alone; -1: none, where there is none yet."""


Requests, Films = Sequence[Hashable], Sequence[Film]


@dataclass(frozen=True)
class FilmMaker:
    """How films are made. Equal keys make equal films of equal requests.

    Attributes:
        key: what identifies the maker.
        make: makes films of requests, all together; yields them after each step.
        initial: what there is of a film before any step.
        steps: the number of steps of making films of requests.
        shipped: films that need not be made.
    """

    key: str
    make: Callable[[Requests], Iterator[Films]]
    initial: Callable[[Hashable], Film]
    steps: Callable[[Requests], int]
    shipped: Mapping[Hashable, Film] = field(default_factory=dict)


@shared_cache(KEPT)
def kept(key: str, request: str) -> list[Film]:
    """Where this process keeps the finished film of a request by the maker of that key; empty until then."""
    return []


def known(maker: FilmMaker, requests: Requests) -> dict[Hashable, Film]:
    """The films that need not be made any more, by request."""
    stored = {request: kept(maker.key, repr(request)) for request in requests}
    found = {request: maker.shipped.get(request) or next(iter(films), None) for request, films in stored.items()}
    return {request: film for request, film in found.items() if film}


def films(maker: FilmMaker, requests: Requests) -> tuple[Film, ...]:
    """The finished films of requests; those that are not known yet are made here and now."""
    found = known(maker, requests)
    if missing := _missing(requests, found):
        for made in maker.make(missing):
            last = made
        _keep(maker, last)
        found |= {film.request: film for film in last}
    return tuple(found[request] for request in requests)


def watch(maker: FilmMaker, requests: Requests, draw: Callable[[Films, int | None], None]) -> tuple[Film, ...]:
    """Draw films: ``draw(films, None)`` once all are finished, and ``draw(films, k)`` with the newest frame k again and
    again until then. Returns the films once they are finished, else none."""
    if background.failed():
        return ()
    found = known(maker, requests)
    whole = () if _missing(requests, found) else tuple(found[request] for request in requests)
    if whole:
        background.leave()

    @shell.fragment(run_every=None if whole else background.jobs().look_every)
    def tick() -> None:
        if whole:
            draw(whole, None)
        else:
            _forming(maker, requests, draw)

    tick()
    return whole


def _forming(maker: FilmMaker, requests: Requests, draw: Callable[[Films, int | None], None]) -> None:
    """The newest frame of films under way. When they are finished the page runs again to show them whole."""
    found = known(maker, requests)
    missing = _missing(requests, found)
    if not missing:
        st.rerun()  # somebody else's look was the first after the end
    view = _newest(maker, missing)
    forming = (view and view.picture) or [maker.initial(request) for request in missing]
    k = len(forming[0].x) - 1
    now = {request: film.at(k) for request, film in found.items()} | {film.request: film.at(k) for film in forming}
    draw([now[request] for request in requests], k)
    if view is not None:
        background.progress(view, maker.steps(missing))


def _newest(maker: FilmMaker, requests: Requests) -> View | None:
    work = Work(("films", maker.key, requests), lambda *_: maker.make(requests), picture=tuple)
    return background.newest(work, lambda made: _keep(maker, made))


def _missing(requests: Requests, found: Mapping[Hashable, Film]) -> tuple[Hashable, ...]:
    return tuple(dict.fromkeys(request for request in requests if request not in found))


def _keep(maker: FilmMaker, made: Films) -> None:
    for film in made:
        if film.done:
            kept(maker.key, repr(film.request))[:] = [film]
