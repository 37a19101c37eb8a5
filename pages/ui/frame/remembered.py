"""What a learner has done, from one visit to the next: answers to questions, finished tasks, the language.

The browser keeps it (see ``frame.kept``). What an address says wins over it. A lecturer is asked as if for the first
time, and her answers are the room's; so is a student in a class, whose vote an earlier answer would give away.
"""

import streamlit as st

from pages.ui.frame import class_view, classes, controls, kept
from pages.ui.frame.drawing import prose
from pages.ui.frame.text import t

ANSWER, TASK, RUN, LANGUAGE = "answer ", "task ", "run ", "lang"  # how their names begin


# The language


def recall_language() -> None:
    """Once the browser has said in which language the learner read last, go on in it."""
    chosen = kept.value(LANGUAGE)
    if chosen and "_recalled" not in st.session_state:
        st.session_state["_recalled"] = True
        controls.recall(LANGUAGE, chosen)


def keep_language() -> None:
    """The learner has chosen another language."""
    kept.put(LANGUAGE, st.session_state[LANGUAGE])


# Answers


def answer(name: str, option: str | None) -> None:
    """Answer question ``name`` of the page; None takes the answer back."""
    controls.put(name, option)
    if option is None or not (controls.value("present") or class_view.lecturing()):
        kept.put(f"{ANSWER}{controls.page()}/{name}", option)


def recall_answer(name: str) -> None:
    """Answer question ``name`` of the page as on an earlier visit, unless it is answered or asked in a room."""
    found = kept.value(f"{ANSWER}{controls.page()}/{name}")
    in_a_room = controls.value("present") or class_view.lecturing() or classes.code()
    if controls.value(name) is None and found in controls.options(name) and not in_a_room:
        controls.put(name, found)


# Tasks


def finish_task(name: str) -> None:
    """Task ``name`` of the page is done, and stays so."""
    kept.put(f"{TASK}{controls.page()}/{name}", True)


def finished(name: str) -> bool:
    """Whether task ``name`` of the page was done once."""
    return kept.value(f"{TASK}{controls.page()}/{name}") is True


# To begin anew


def draw() -> None:
    """Say what the browser keeps of the learner's answers and tasks, with the buttons that forget it; nothing where it
    keeps none."""
    prefix = f"{controls.page()}/"
    here, everywhere = ([name for kind in (ANSWER, TASK) for name in kept.names(kind + part)] for part in (prefix, ""))
    if not everywhere:
        return
    with st.popover(t("frame.remembered.title"), icon=":material/history:", type="tertiary", key="remembered"):
        prose(t("frame.remembered.text"))
        buttons = {"here": here, "everywhere": everywhere}
        for which, names in buttons.items():
            given = {"disabled": not names, "key": f"_forget_{which}", "on_click": _forget, "args": (names,)}
            st.button(t(f"frame.remembered.{which}"), **given)


def _forget(names: list[str]) -> None:
    for name in names:
        kept.put(name, None)
        page, _, control = name.removeprefix(ANSWER).partition("/")
        if name.startswith(ANSWER):
            controls.forget(page, control)
