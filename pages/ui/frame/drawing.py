"""How a page draws texts, messages and parts that run by themselves: each text explains its terms, each part speaks the
visitor's language, and an unexpected error ends as one sentence."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

import streamlit as st

from core.problems import Problem
from pages.ui.frame import controls, drawn, glossary, links, text
from pages.ui.frame.text import t


def draw_html(body: str) -> None:
    """Draw HTML, or Markdown with HTML in it, that holds no sentence."""
    # Not st.html: the browser loads that element's script late, and the page would be seen without its style.
    st.markdown(body, unsafe_allow_html=True, width="stretch")


def anchor(name: str) -> None:
    """Mark a place to which a link ``#name`` leads."""
    draw_html(f'<span id="{name}" tabindex="-1"></span>')


def theme() -> str:
    """The visitor's theme: "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def sorry(error: Exception | str) -> None:
    """Show an error as one sentence. What it quotes, such as the name of a file, is shown as it is, not as Markdown."""
    sentence = error if isinstance(error, str) else text.problem(error)
    st.error(links.plain(sentence), icon=":material/error:")


def prose(markdown: str, width: str | int = "stretch") -> None:
    """A text or a table whose terms of the glossary are explained at their first use, as in the notes."""
    if markdown.startswith("| "):
        drawn.now().tables.append(markdown)
    st.markdown(glossary.mark_terms(markdown), unsafe_allow_html=True, width=width)


def caption(markdown: str) -> None:
    """Small print whose terms of the glossary are explained at their first use, as in the notes."""
    st.caption(glossary.mark_terms(markdown), unsafe_allow_html=True)


def message(kind: str, markdown: str, icon: str = "info", place: Any = st) -> None:
    """A message of a kind (success, info or warning) with a Material icon, drawn in ``place``. Its terms of the
    glossary are explained at their first use. What it quotes of a stranger's text must be inert (`links.plain`)."""
    # Not st.info and its like: they draw no HTML, so that no term could be a button.
    body = f":material/{icon}: {glossary.mark_terms(markdown)}"
    place.markdown(f'<div class="message {kind}" role="status">\n\n{body}\n\n</div>', unsafe_allow_html=True)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column holds names and stands on the left, the others hold numbers."""
    ruler = [":--", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


@contextmanager
def guard() -> Iterator[None]:
    """Turn an exception into one sentence with a remedy: a `Problem` into its own; any other into a general one, and
    its traceback goes to the server's log."""
    try:
        yield
    except Problem as problem:
        sorry(problem)
    except Exception:
        logging.getLogger(__name__).exception("a page failed")
        st.error(t("frame.failed"), icon=":material/error:")


def fragment(run_every: float | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the function draws a part of the page that also runs by itself, every ``run_every`` seconds if
    given. Then, without the frame, it still speaks the visitor's language, ends an unexpected error as a sentence, and
    marks the first uses of terms that were its own.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def draw(*args: Any, **given: Any) -> None:
            terms = glossary.part()

            @st.fragment(run_every=run_every)
            @wraps(function)
            def again() -> None:
                text.language.set(controls.language())
                with guard(), terms():
                    function(*args, **given)

            again()

        return draw

    return decorate


def dialog(title: str, contents: Callable[[], None], **given: Any) -> None:
    """Open a dialog whose ``contents`` also run by themselves, like a `fragment`. given: more for Streamlit's."""
    terms = glossary.part()

    def draw() -> None:
        text.language.set(controls.language())
        with guard(), terms():
            contents()

    st.dialog(title, **given)(draw)()


def close_menu() -> None:
    """Close the lecturer's menu: a dialog is opened from it."""
    st.session_state["_dialogs"] = st.session_state.get("_dialogs", 0) + 1
