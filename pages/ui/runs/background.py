"""Computations in the background that a page waits for, shared by all who ask for the same."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.runs.jobs import View, Work
from pages.ui.frame import shell
from pages.ui.frame.text import t
from pages.ui.frame.visitor import viewer
from pages.ui.runs.training_run import jobs, seconds_left


def newest(work: Work, keep: Callable[[Any], None]) -> View | None:
    """How far ``work`` is; None where there is no room for it, which is said.

    A visitor waits for one computation at a time: another one is left. When it is finished, ``keep`` takes its last
    picture and the page runs again; so it does after a failure, which `failed` then shows.
    """
    registry, me = jobs(), viewer()
    if registry.key_of(st.session_state.get("_background", "")) != work.key:
        leave()
    try:
        run = st.session_state["_background"] = registry.join(work, me)
    except ValueError as busy:
        shell.sorry(busy)
        return None
    view = registry.look(run, me)
    if view.status in ("finished", "failed"):
        leave()
        if view.status == "failed":
            st.session_state["_failed"] = view.error
        else:
            keep(view.picture)
        st.rerun()
    return view


def progress(view: View, steps: int) -> None:
    """A bar that shows how many of its steps a computation has made."""
    status = "queued" if view.status == "queued" else "running"
    wait = {"seconds": seconds_left(view)} if status == "queued" else {}
    st.progress(min(1.0, view.step / steps), t(f"runs.background.{status}", step=view.step, steps=steps, **wait))


def failed() -> bool:
    """Whether this visitor's last computation failed; the error is shown once, with a button to try again."""
    error = st.session_state.pop("_failed", None)
    if error is not None:
        shell.sorry(error)
        st.button(t("runs.background.again"), key="_try_again")
    return error is not None


def leave() -> None:
    """This visitor waits for no computation any more."""
    if run := st.session_state.pop("_background", ""):
        jobs().leave(run, viewer())
