"""The frame of every chapter: sentence, prediction, picture with its controls, notes, equation, code, tasks.

A page reads from top to bottom like this::

    shell.require_shell()
    shell.chapter(3, "The vector field", "Every arrow points to where the data are on average, seen from here.")
    controls, picture = shell.picture()
    with controls:
        seed = shell.slider("Seed", 0, 99, 0, key="seed")
        if shell.predict("guess", "Where do the arrows point?", ("to the mean", "to an arm"), 0, "Because ..."):
            t = shell.slider("t", 0.0, 1.0, 0.5, key="t")
            shell.explain("guess", seen=t > 0.9)
    with picture:
        ...
    shell.notes([("data", "the points are ...")])
    shell.equation([(r"\\hat x_0", "denoise"), (r" = x - \\sigma", None)], [("denoise", "the network's guess")])
    shell.code(samplers.euler)
    shell.tasks([("Find ...", t > 0.9, "Look at ...")])
    shell.finish()
"""

import html
import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.figures import palette
from pages.ui.frame import links_old as links
from pages.ui.frame import shell as new
from pages.ui.frame.links_old import (  # noqa: F401  the controls that pages call as shell.slider(...)
    between,
    multiselect,
    number,
    param,
    place,
    radio,
    segmented,
    select_slider,
    selectbox,
    set_param,
    slider,
    text,
    text_area,
    toggle,
)
from pages.ui.frame.shell import chapters, frame, guard, require_shell, show  # noqa: F401

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CHAPTERS = {
    "home": "Home",
    "forward_noise": "1 Forward noise",
    "training": "2 Training",
    "vector_field": "3 Vector field",
    "sampling": "4 Sampling",
    "guidance": "5 Guidance",
    "clip": "6 CLIP",
    "unclip": "7 unCLIP",
    "image_models": "8 Image models",
    "lab": "Lab",
}
SHAPES = {"dot": "●", "ring": "○", "cross": "✕", "square": "■", "triangle": "▲"}

_inside = ContextVar("inside the shell", default=False)


# The way to a page


def _style() -> str:
    colours = {"--accent": st.get_option(f"theme.{theme()}.primaryColor"), "--paper": palette.BACKGROUND[theme()]}
    variables = "".join(f"{name}:{value};" for name, value in colours.items())
    return f"<style>:root{{{variables}}}{(HERE / 'shell.css').read_text()}</style>"


def _html(body: str) -> None:
    # Not st.html: the browser loads that element's script late, and the page would be seen without its style.
    st.markdown(body, unsafe_allow_html=True, width="stretch")


def theme() -> str:
    """The visitor's theme: "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def sorry(sentence: str) -> None:
    """An error as one sentence, whatever it quotes."""
    st.error(links.plain(sentence), icon=":material/error:")


# The parts of a page, from top to bottom


def chapter(ordinal: int, title: str, sentence: str) -> None:
    """The header: number and title, the one sentence that says what the picture shows, the lecturer's switches."""
    links.arrive(new._page.get())
    with st.container(horizontal=True, key="heading", vertical_alignment="center"):
        with st.container(gap=None):
            _html('<a class="skip" href="#picture" target="_self">Skip to the picture</a>')
            st.title(f":primary[{ordinal}] {title}" if ordinal else title, anchor=False)
            st.markdown(sentence)
        with st.container(horizontal=True, key="switches", width="content"):
            words = {"label": "Copy link", "copied": "Copied", "failed": "Copy the address bar instead"}
            new._copy_link(key="copy_link", data=[["run"], words], width="content")
            with st.popover("Lecture", icon=":material/co_present:", width="content"):
                toggle("Ask for predictions", True, key="predictions")
                presenting = toggle("Presentation: picture and large type only", key="present")
        if presenting:
            _html(f"<style>{(HERE / 'present.css').read_text()}</style>")


def picture(controls: int = 5) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Two columns, (controls, picture): the controls narrow on the left, so many nineteenths, the picture wide."""
    left, right = st.columns([controls, 19 - controls], gap="medium")
    with right:
        _html('<span id="picture" tabindex="-1"></span>')
    return left.container(key="controls", gap="small"), right.container(key="picture", gap="small")


def asking(controls: DeltaGenerator, picture: DeltaGenerator) -> DeltaGenerator:
    """Where a page asks for a prediction: with the controls; above the picture where a presentation hides these."""
    return picture if st.session_state["present"] else controls


@dataclass(frozen=True)
class Prediction:
    """A question as it was asked, and what the learner said (an index into options, None before the answer)."""

    options: Sequence[str]
    answer: int
    why: str
    guess: int | None


def predict(key: str, question: str, options: Sequence[str], answer: int, why: str, hidden: bool = False) -> bool:
    """Ask before the control that answers is shown; True when it may be shown.

    `answer` is the index of the right one of `options`. The learner's choice is the parameter `key` of the address,
    as a letter. `explain(key, seen)` compares the two and gives `why` once the learner has seen the run. `hidden`
    leaves the card out, where the picture is of something else.
    """
    asked = st.session_state["predictions"]
    guess = param(key, lambda letter: _index(letter, len(options)), None)
    st.session_state[f"_prediction {key}"] = Prediction(options, answer, why, guess if asked else None)
    if not asked or hidden:
        return not asked or guess is not None
    row = {"horizontal": True, "wrap": guess is None, "vertical_alignment": "center", "gap": "small"}
    with st.container(border=True, key=f"predict_{key}", **row):
        if guess is None:
            st.markdown(f"**Predict first.** {question}", width="stretch")
            # Not a radio: there an arrow key on the way to an answer is an answer.
            for letter, option in zip(ascii_lowercase, options, strict=False):
                st.button(option, key=f"_{key}_{letter}", on_click=set_param, args=(key, letter))
        else:
            st.markdown(f"**You predict:** {options[guess]}", width="stretch")
            again = {"help": "Ask me again", "type": "tertiary", "key": f"_{key}_again"}
            st.button("Again", on_click=set_param, args=(key, None), **again)
    return guess is not None


def _index(letter: str, count: int) -> int:
    return ascii_lowercase[:count].index(letter or "-")


def explain(key: str, seen: bool) -> None:
    """Once the learner has `seen` the run: the prediction beside what happened, and why."""
    prediction: Prediction = st.session_state[f"_prediction {key}"]
    if not seen:
        return
    said, right = prediction.guess, prediction.options[prediction.answer].rstrip(".")
    if said is None:
        st.info(f"{right[:1].upper()}{right[1:]}. {prediction.why}", icon=":material/lightbulb:")
    elif said == prediction.answer:
        st.success(f"**As you predicted:** {right}. {prediction.why}", icon=":material/check_circle:")
    else:
        verdict = f"**You predicted:** {prediction.options[said].rstrip('.')}. **It is:** {right}. {prediction.why}"
        st.info(verdict, icon=":material/lightbulb:")


def mark(role: str) -> str:
    """The shape of `role` in its colour, as HTML for Markdown text: the legend of the picture inside a sentence.

    "denoise arrow" is an arrow in the colour of the role "denoise": for what the picture draws as arrows.
    """
    role, _, arrow = role.partition(" ")
    shape = "→" if arrow else SHAPES[palette.ROLES[role].shape]
    return f'<span class="mark" style="color:{palette.colour(role, theme())}" aria-hidden="true">{shape}</span>'


def notes(items: Sequence[tuple[str, str]]) -> None:
    """What you see: numbered (role, Markdown text); each begins with the mark of what it names in the picture."""
    lines = [f"{ordinal}. {mark(role)} {note}" for ordinal, (role, note) in enumerate(items, 1)]
    with st.container(key="notes", gap="small"):
        st.header("What you see", anchor=False)
        _html("\n".join(lines))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column holds names and stands on the left, the others hold numbers."""
    transform = [":--", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, transform, *rows))


def tint(role: str | None, tex: str) -> str:
    """`tex` in the colour of `role` for the visitor's theme, as LaTeX."""
    return tex if role is None else rf"\textcolor{{{palette.colour(role, theme())}}}{{{tex}}}"


def equation(terms: Sequence[tuple[str, str | None]], legend: Sequence[tuple[str, str]] = ()) -> None:
    """Terms (LaTeX, role or None) on one line, each in the colour of what it stands for; legend of (role, Markdown)."""
    with st.container(key="equation", gap="small"):
        st.header("The equation", anchor=False)
        st.latex("".join(tint(role, tex) for tex, role in terms))
        if legend:
            _html(" &emsp; ".join(f"{mark(role)} {meaning}" for role, meaning in legend))


def lead_to(name: str, label: str, address: dict[str, str] | None = None) -> None:
    """A link to another chapter, if that is there."""
    for page in chapters():
        if page.url_path == name:
            st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=address)


def code(*functions: Callable) -> None:
    """The lines of core/ that made the picture, read from the source now."""
    with st.expander("The code that made this picture", icon=":material/code:", key="code"):
        for function in map(inspect.unwrap, functions):
            lines, first = inspect.getsourcelines(function)
            path = Path(inspect.getsourcefile(function)).resolve().relative_to(ROOT)
            st.caption(f"`{path}`, line {first}")
            st.code(inspect.cleandoc("".join(lines)), language="python")


def tasks(items: Sequence[tuple[str, bool, str]]) -> None:
    """Try this: (what to do, done, hint) with plain text; a task checks itself from the state of the page, and what was
    done once stays so for the visit."""
    earned = st.session_state.setdefault("_earned", set())
    earned |= {what for what, done, _ in items if done}
    rows = [_task(what, what in earned, hint) for what, _, hint in items]
    done = sum(what in earned for what, _, _ in items)
    with st.container(key="tasks", gap="small"):
        st.header("Try this", anchor=False)
        _html(f'<ul role="list">{"".join(rows)}</ul><p role="status">{done} of {len(items)} done</p>')


def _task(what: str, done: bool, hint: str) -> str:
    sign, word = ("✓", "Done") if done else ("○", "To do")
    help_ = "" if done or not hint else f"<details><summary>Hint</summary>{html.escape(hint)}</details>"
    state = f'<span class="{"done" if done else "open"}">{sign} <small>{word}</small></span>'
    return f"<li>{state} <span>{html.escape(what)} {help_}</span></li>"


def finish() -> None:
    """Last line of a page: the notice for what was ignored in its link; and runs begun here are kept meanwhile."""
    links.notice()
    if "_latest" in st.session_state:
        _keep_runs()


@st.fragment(run_every=15)
def _keep_runs() -> None:
    # Not imported: before anybody trains, a page need not load what training needs.
    if live := sys.modules.get("pages.ui.runs.training_run"):
        live.keep()
