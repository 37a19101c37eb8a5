"""What a presented page has in the place of its header, for a room that looks at one picture.

One faint line with the chapter and the scene, the one or two controls that the scene is about, what starts a training,
the answer to its question (key R) and the way to the scenes before and after (keys of a clicker). All other controls
stand in a drawer (key C), what explains the picture and the numbers to it on a sheet (key N). Drawer, sheet and answer
are there all the time: ``keys.js`` and ``present.css`` show and hide them without a run of the script. What has no room
in the line is left out of it until the drawer is opened; ``keys.js`` measures that.
"""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.frame import chapters, controls, links, prepare

FIRST = 0.1  # seconds that the picture is ahead of the sheet
_commands: ContextVar[DeltaGenerator | None] = ContextVar("commands", default=None)
_alerts: ContextVar[DeltaGenerator | None] = ContextVar("alerts", default=None)
_sheet: ContextVar[DeltaGenerator | None] = ContextVar("sheet", default=None)
_answers: ContextVar[DeltaGenerator | None] = ContextVar("answers", default=None)
_went: ContextVar[bool] = ContextVar("went", default=False)


def begin() -> None:
    """Begin a page: as yet it has no strip, no sheet and no answers."""
    for place in (controls.strip, _commands, _alerts, _sheet, _answers):
        place.set(None)
    _went.set(False)


def header() -> None:
    """The scene to choose, the strip of its main controls, the commands of its run, where its answer is revealed."""
    if controls.waits("show"):
        controls.draw("show", style="select", label_visibility="collapsed", width=260)
    controls.strip.set(st.container(key="strip", horizontal=True, vertical_alignment="center", gap="small"))
    _commands.set(st.container(key="run", width="content"))
    _answers.set(st.container(key="answers", width="content"))


def unfold() -> None:
    """Make room, at this place of the page, for what is said of controls in the drawer, and for the sheet."""
    _alerts.set(st.container(key="alerts", gap="small"))
    _sheet.set(st.container(key="sheet", gap="small"))


def let_picture_go_first(seconds: float = FIRST) -> None:
    """Let the picture of a presented page be drawn before what comes after it, such as the sheet, which takes the
    browser as long as the picture does. A run of the page waits once, for so many seconds.

    The browser draws at once all that has come until then. It is a time that is waited, and no answer of the browser,
    since an answer would begin another run of the page.
    """
    if controls.value("present") and not _went.get():
        _went.set(True)
        time.sleep(seconds)


def sheet() -> AbstractContextManager:
    """What is drawn inside of it stands on the sheet of a presented page; on any other page where it is drawn."""
    return _sheet.get() or nullcontext()


def alerts() -> AbstractContextManager:
    """What is said inside of it, where the drawer would hide it, stands above the picture of a presented page."""
    return _alerts.get() or nullcontext()


def commands() -> AbstractContextManager:
    """The commands of a run that are drawn inside of it stand in the line of a presented page."""
    return _commands.get() or nullcontext()


def answers() -> DeltaGenerator | None:
    """Where a presented page keeps answers until they are revealed; None on any other page."""
    return _answers.get()


def passes(hidden: bool | None, decides: Mapping[str, Any]) -> bool:
    """Whether a presented page shows what follows its question without an answer to it: in every scene but the one that
    asks (``hidden``; None: all but the first), and where its address itself asks for the run that decides."""
    scenes = controls.scenes()
    elsewhere = hidden if hidden is not None else bool(scenes) and controls.value("show") != scenes[0]
    changed = any(value != controls.initial(name) for name, value in decides.items())
    decided = changed and all(controls.upcoming(name) == value for name, value in decides.items())
    return controls.value("present") and (elsewhere or decided)


def turns(page: str) -> None:
    """The way to the scenes before and after; from the first and the last one, to another chapter."""
    for direction in ICONS:
        given = {"icon": ICONS[direction]}
        with st.container(key=f"view_{direction}", width="content"):
            other, show = _neighbour(page, direction)
            if other == page:
                given |= {"type": "tertiary", "key": f"_view_{direction}"}
                st.button(controls.option("show", show), on_click=controls.put, args=("show", show), **given)
            elif other:
                given |= {"query_params": {"show": show} if show else None}
                st.page_link(chapters.page_of(other), label=chapters.title_of(other), **given)


def _neighbour(page: str, direction: str) -> tuple[str, str]:
    """The page and the scene before or after what a page shows; the next page opens at its first scene, the one before
    at its last."""
    scenes = controls.scenes()
    place = (scenes.index(controls.value("show")) if scenes else 0) + (1 if direction == "next" else -1)
    if 0 <= place < len(scenes):
        return page, scenes[place]
    other = chapters.neighbours(page).get(direction, "")
    scene = prepare.first_scene if direction == "next" else prepare.last_scene
    return other, scene(other) if other else ""


def prepare_next(page: str) -> None:
    """Let the picture that follows the one shown be computed."""
    other, show = _neighbour(page, "next")
    if other:
        left = links.address(controls.as_left()) if other == page else {}
        prepare.scene(other, {**left, **({"show": show} if show else {})})


ICONS = {"previous": ":material/arrow_back:", "next": ":material/arrow_forward:"}
