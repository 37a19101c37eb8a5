"""Two small pages in the frame: both have a control called `seed`, with other ranges and other defaults."""

from dataclasses import dataclass

import streamlit as st

from core.figures import palette
from pages.ui.frame import controls, shell, text
from pages.ui.frame.links import choice, code, number, toggle

WORDS = {
    "first": {
        "navigation": "First",
        "title": "First",
        "sentence": "It has a prediction.",
        "why": "It asks first.",
        "next": "Another seed.",
        "controls": {"seed": {"label": "Seed"}, "steps": {"label": "Steps"}},
        "predict": {
            "guess": {
                "question": "Where does it end?",
                "options": {"here": "here", "there": "there"},
                "why": "It is so.",
            }
        },
        "all": {"why": "To see.", "how": "By drawing.", "notes": [{"mark": "data", "text": "the data"}]},
        "tasks": {"seven": {"what": "Take the seed 7.", "hint": "The first slider."}},
    },
    "second": {
        "navigation": "Second",
        "title": "Second",
        "sentence": "It has another seed.",
        "why": "It asks nothing.",
        "controls": {"seed": {"label": "Seed"}, "broken": {"label": "Break the page"}},
    },
}
text.catalogue("en").update(WORDS)
text.catalogue("")["formulas"]["first"] = {"data": [["x_0", "data"]]}


@dataclass(frozen=True)
class First:
    """The controls of the first page."""

    seed: int = number(3, 0, 9, style="slider")
    guess: str | None = choice(None, ("here", "there"), style="none")
    steps: int = number(16, 1, 64, style="slider")
    run: str | None = code(str)


@dataclass(frozen=True)
class Second:
    """The controls of the second page."""

    seed: int = number(50, 0, 99, style="slider")
    broken: bool = toggle(False)


def first() -> None:
    shell.chapter("first", First)
    left, right = shell.columns()
    with left:
        seed = controls.draw("seed")
        if shell.predict("guess"):
            steps = controls.draw("steps")
            shell.explain("guess", "there", shown=steps > 16)
    controls.use("run")
    right.html(f'<div style="height:560px">first {seed}</div>')
    shell.notes("all")
    shell.equation("data")
    shell.code(palette.colour)
    shell.tasks({"seven": seed == 7})
    shell.finish()


def second() -> None:
    shell.chapter("second", Second)
    left, right = shell.columns()
    with left:
        seed, broken = controls.draw("seed"), controls.draw("broken")
    right.write(f"second {seed}")
    if broken:
        raise KeyError("secret of the server")
    shell.finish()


st.set_page_config(layout="wide")
shell.show(st.navigation([st.Page(first, default=True), st.Page(second)], position="top"))
