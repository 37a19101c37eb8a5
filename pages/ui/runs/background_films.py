"""Films on a page: made in the background, seen while they form, shared by all who ask for the same, and kept."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Protocol, Self

import streamlit as st

from core.runs.jobs import View, Work
from pages.ui.frame import shell_old as shell
from pages.ui.runs import training_run

KEPT = 96  # films; one of 8 colour images is a megabyte
TICK = 0.5  # seconds between two looks at films under way


class Film(Protocol):
    """A take as far as it has come, with a frame for each step of ``x``. Equal takes are equal films."""

    request: Hashable
    x: Sequence
    done: bool

    def at(self, k: int) -> Self:
        """Its frame k alone; -1: none, where there is none yet."""


Takes, Films = Sequence[Hashable], Sequence[Film]


@dataclass(frozen=True)
class Studio:
    """What makes films. Equal keys make equal films of equal takes.

    make: films of takes, together, after each step. opening: what there is of one before any. steps: how many there
    are in making them. shipped: films that need not be made.
    """

    key: str
    make: Callable[[Takes], Iterator[Films]]
    opening: Callable[[Hashable], Film]
    steps: Callable[[Takes], int]
    shipped: Mapping[Hashable, Film] = field(default_factory=dict)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def kept(key: str, take: str) -> list[Film]:
    """Where the finished film of a take by the studio of that key is kept in this process, empty until then."""
    return []


def known(studio: Studio, takes: Takes) -> dict[Hashable, Film]:
    """The films that need not be made any more."""
    finished = {take: studio.shipped.get(take) or next(iter(kept(studio.key, repr(take))), None) for take in takes}
    return {take: film for take, film in finished.items() if film}


def watch(studio: Studio, takes: Takes, draw: Callable[[Films, int | None], None]) -> tuple[Film, ...]:
    """Draw the films of the takes: whole ones (None) as soon as all are known, and meanwhile the newest frame again and
    again, by its number. The films once they are known, else none."""
    if failed := st.session_state.pop("_failed", ""):
        shell.sorry(failed)
        st.button("Try again", key="_try_again")
        return ()
    found = known(studio, takes)
    whole = tuple(found[take] for take in takes) if len(found) == len({*takes}) else ()
    if whole:
        _leave()

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
    missing = tuple(dict.fromkeys(take for take in takes if take not in found))
    if not missing:
        st.rerun()  # somebody else's look was the first after the end
    view = _newest(studio, missing)
    forming = (view and view.picture) or [studio.opening(take) for take in missing]
    k = len(forming[0].x) - 1
    now = {take: film.at(k) for take, film in found.items()} | {film.request: film.at(k) for film in forming}
    draw([now[take] for take in takes], k)
    if view is not None:
        steps = studio.steps(missing)
        waiting = f"waiting, number {view.place} in the queue" if view.status == "queued" else f"step {view.step}"
        st.progress(min(1.0, view.step / steps), f"Sampling in the background: {waiting} of {steps}")


def _newest(studio: Studio, takes: tuple[Hashable, ...]) -> View | None:
    """How far the films are; None where there is no room for them, which is said. The page runs again when they are
    finished, and when they have failed: what failed is left behind, so that the next look begins anew."""
    work = Work(("films", studio.key, takes), lambda *_: studio.make(takes), picture=tuple)
    registry, me = training_run.jobs(), training_run.viewer()
    if registry.key_of(st.session_state.get("_films", "")) != work.key:
        _leave()
    try:
        run = st.session_state["_films"] = registry.join(work, me)
    except ValueError as busy:
        shell.sorry(str(busy))
        return None
    view = registry.look(run, me)
    if view.status in ("finished", "failed"):
        _leave()
        if view.status == "failed":
            st.session_state["_failed"] = view.error
        else:
            for film in filter(attrgetter("done"), view.picture):
                kept(studio.key, repr(film.request))[:] = [film]
        st.rerun()
    return view


def _leave() -> None:
    """This visitor waits for no films any more."""
    if run := st.session_state.pop("_films", ""):
        training_run.jobs().leave(run, training_run.viewer())
