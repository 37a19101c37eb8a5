"""The frame of every chapter: sentence, prediction, picture with its controls, notes, equation, code, tasks.

A page reads from top to bottom like this; all its words stand in ``pages/text/<language>/<page>.toml``::

    shell.require_shell()
    shell.chapter("vector_field", Config)
    left, right = shell.columns()
    with left:
        if shell.predict("guess", answer="to_the_mean"):
            controls.draw("sigma")
            shell.explain("guess", shown=controls.value("sigma") > 9)
    with right:
        player.show(scene(controls.config()), key="field")
    shell.notes("side_by_side")
    shell.equation("denoiser", legend="side_by_side")
    shell.code(samplers.euler)
    shell.tasks({"find_the_mean": done})
    shell.finish()
"""

import html
import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import Page

from core.figures import palette
from pages.ui.frame import controls, links, text
from pages.ui.frame.text import t

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGES = (
    "home",
    "forward_noise",
    "training",
    "vector_field",
    "sampling",
    "guidance",
    "clip",
    "unclip",
    "image_models",
    "lab",
)
UNNUMBERED = ("home", "lab")
UNSHARED = ("run",)  # somebody's own training run: a copied link leaves it out
SHAPES = {"dot": "●", "ring": "○", "cross": "✕", "square": "■", "triangle": "▲"}

_page: ContextVar[str | None] = ContextVar("page", default=None)
_copy_link = st.components.v2.component(
    "copy_link",
    html='<button type="button"></button><span role="status"></span>',
    css=(HERE / "copy_link.css").read_text("utf-8"),
    js=(HERE / "copy_link.js").read_text("utf-8"),
)
_address = st.components.v2.component("address", js=(HERE / "address.js").read_text("utf-8"))


# The way to a page


def present() -> list[str]:
    """The pages that there are, in the order of the lesson."""
    return [name for name in PAGES if (ROOT / "pages" / f"{name}.py").exists()]


def number_of(name: str) -> int:
    """The number of a chapter, from its place among the pages that there are; 0 for a page without one."""
    numbered = [each for each in present() if each not in UNNUMBERED]
    return numbered.index(name) + 1 if name in numbered else 0


def title_of(name: str) -> str:
    """A page as the navigation names it, its number first."""
    return f"{number_of(name) or ''} {t(f'{name}.navigation')}".strip()


def chapters() -> list[Page]:
    """The pages that there are, for Streamlit's navigation, in the visitor's language."""
    text.language.set(controls.language())
    return [
        st.Page(ROOT / "pages" / f"{name}.py", title=title_of(name), url_path=name, default=name == "home")
        for name in present()
    ]


def show(page: Page) -> None:
    """Draw ``page`` in the frame; an unexpected error ends as a sentence."""
    with frame(page.url_path), guard():
        page.run()


@contextmanager
def frame(page: str) -> Iterator[None]:
    """Inside it a page knows that it is framed."""
    token = _page.set(page or "home")
    text.language.set(controls.language())
    try:
        _html(_style())
        yield
    finally:
        _page.reset(token)


def _style() -> str:
    colours = {"--accent": st.get_option(f"theme.{theme()}.primaryColor"), "--paper": palette.BACKGROUND[theme()]}
    variables = "".join(f"{name}:{value};" for name, value in colours.items())
    return f"<style>:root{{{variables}}}{(HERE / 'shell.css').read_text('utf-8')}</style>"


def require_shell() -> None:
    """First line of a page: a fresh server runs a deep link's page without app.py; ask it to begin again with it."""
    if not _page.get():
        if torch := sys.modules.get("torch"):  # imported before app.py could say how many threads it may use
            torch.set_num_threads(1)
        st.navigation(chapters(), position="top")
        st.rerun()


@contextmanager
def guard() -> Iterator[None]:
    """Turn an unexpected exception into one sentence with a remedy; the traceback goes to the server's log.

    A fragment, which runs without the frame, begins with it, so the language is set here as well.
    """
    text.language.set(controls.language())
    try:
        yield
    except Exception:
        logging.getLogger(__name__).exception("a page failed")
        st.error(t("frame.failed"), icon=":material/error:")


def _html(body: str) -> None:
    # Not st.html: the browser loads that element's script late, and the page would be seen without its style.
    st.markdown(body, unsafe_allow_html=True, width="stretch")


def theme() -> str:
    """The visitor's theme: "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def sorry(error: Exception | str) -> None:
    """Show an error as one sentence, whatever it quotes."""
    sentence = error if isinstance(error, str) else text.problem(error)
    st.error(links.plain(sentence), icon=":material/error:")


# The parts of a page, from top to bottom


def chapter(name: str, config: type) -> None:
    """The header of page ``name``: number and title, the one sentence that says what the picture shows, the lecturer's
    switches. Reads the address into the controls of ``config`` (see ``frame.links``)."""
    _page.set(name)
    controls.arrive(name, config)
    ordinal = number_of(name)
    with st.container(horizontal=True, key="heading", vertical_alignment="center"):
        with st.container(gap=None):
            _html(f'<a class="skip" href="#picture" target="_self">{t("frame.skip")}</a>')
            st.title(f":primary[{ordinal}] {t(f'{name}.title')}" if ordinal else t(f"{name}.title"), anchor=False)
            st.markdown(t(f"{name}.sentence"))
            _address(key="address")
        with st.container(horizontal=True, key="switches", width="content"):
            words = {part: t(f"frame.copy_link.{part}") for part in ("label", "copied", "failed")}
            # A list: in a dictionary Streamlit would look for data frames, and import pandas for it.
            _copy_link(key="copy_link", data=[list(UNSHARED), words], width="content")
            if len(text.languages()) > 1:
                controls.draw("lang", label_visibility="collapsed")
            with st.popover(t("frame.lecture"), icon=":material/co_present:", width="content"):
                controls.draw("predictions")
                presenting = controls.draw("present")
        if presenting:
            _html(f"<style>{(HERE / 'present.css').read_text('utf-8')}</style>")


def columns(narrow: int = 5) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Two columns, (controls, picture): the controls narrow on the left, so many nineteenths, the picture wide."""
    left, right = st.columns([narrow, 19 - narrow], gap="medium")
    with right:
        _html('<span id="picture" tabindex="-1"></span>')
    return left.container(key="controls", gap="small"), right.container(key="picture", gap="small")


def asking(left: DeltaGenerator, right: DeltaGenerator) -> DeltaGenerator:
    """Where a page asks for a prediction: with the controls; above the picture where a presentation hides these."""
    return right if controls.value("present") else left


def predict(name: str, hidden: bool = False) -> bool:
    """Ask before the control that answers is shown; True when it may be shown.

    ``name`` is a control of the page, whose options are the answers; the catalogue holds its ``question``, the answers
    (``options``) and ``why``. `explain` compares the learner's answer with the right one. ``hidden`` leaves the card
    out, where the picture is of something else.
    """
    guess, questions = controls.read(name), controls.value("predictions")
    if not questions or hidden:
        return not questions or guess is not None
    row = {"horizontal": True, "wrap": guess is None, "vertical_alignment": "center", "gap": "small"}
    with st.container(border=True, key=f"predict_{name}", **row):
        if guess is None:
            st.markdown(t("frame.predict.question", question=_own(f"predict.{name}.question")), width="stretch")
            # Not a radio: there an arrow key on the way to an answer is an answer.
            for option in controls.options(name):
                st.button(_answer(name, option), key=f"_{name}_{option}", on_click=controls.put, args=(name, option))
        else:
            st.markdown(t("frame.predict.given", answer=_answer(name, guess)), width="stretch")
            again = {"help": t("frame.predict.again_help"), "type": "tertiary", "key": f"_{name}_again"}
            st.button(t("frame.predict.again"), on_click=controls.put, args=(name, None), **again)
    return guess is not None


def _answer(name: str, option: str) -> str:
    return _own(f"predict.{name}.options.{option}")


def explain(name: str, right: str, shown: bool) -> None:
    """Once the learner has ``seen`` the run: the prediction beside what happened, and why."""
    if not shown:
        return
    guess = controls.value(name) if controls.value("predictions") else None
    answer, why = _answer(name, right).rstrip("."), _own(f"predict.{name}.why")
    if guess is None:
        st.info(f"{answer[:1].upper()}{answer[1:]}. {why}", icon=":material/lightbulb:")
    elif guess == right:
        st.success(t("frame.predict.right", answer=answer, why=why), icon=":material/check_circle:")
    else:
        wrong = _answer(name, guess).rstrip(".")
        st.info(t("frame.predict.wrong", guess=wrong, answer=answer, why=why), icon=":material/lightbulb:")


def mark(role: str) -> str:
    """The shape of ``role`` in its colour, as HTML for Markdown text: the legend of the picture inside a sentence.

    "denoise arrow" is an arrow in the colour of the role "denoise": for what the picture draws as arrows.
    """
    role, _, arrow = role.partition(" ")
    shape = "→" if arrow else SHAPES[palette.ROLES[role].shape]
    return f'<span class="mark" style="color:{palette.colour(role, theme())}" aria-hidden="true">{shape}</span>'


def notes(*names: str, **values: Any) -> None:
    """What you see: the notes at ``NAME.notes`` of the page's catalogue, one list after the other, numbered.

    Each is a table of ``mark``, the role that it begins with, and ``text``, with its placeholders filled.
    """
    key = f"{_page.get()}"
    found = [note for name in names for note in text.entry(f"{key}.{name}.notes")]
    rows = [(text.fill(key, note["mark"], **values), text.fill(key, note["text"], **values)) for note in found]
    with st.container(key="notes", gap="small"):
        st.header(t("frame.headings.notes"), anchor=False)
        _html("\n".join(f"{ordinal}. {mark(role)} {note}" for ordinal, (role, note) in enumerate(rows, 1)))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column holds names and stands on the left, the others hold numbers."""
    ruler = [":--", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def tint(role: str | None, tex: str) -> str:
    """``tex`` in the colour of ``role`` for the visitor's theme, as LaTeX."""
    return rf"\textcolor{{{palette.colour(role, theme())}}}{{{tex}}}" if role else tex


def formula(name: str, **values: Any) -> list[tuple[str, str]]:
    """The terms (LaTeX, role or "") of formula ``name`` of the page, from ``formulas.toml``, placeholders filled."""
    key = f"{_page.get()}.{name}"
    terms = text.catalogue("")["formulas"][str(_page.get())][name]
    return [(text.fill(key, tex, **values), role) for tex, role in terms]


def equation(name: str, legend: str | Sequence[str] = (), **values: Any) -> None:
    """Formula ``name`` of the page on one line, each term in the colour of what it stands for; under it the catalogue's
    entries ``LEGEND.legend`` (tables of ``mark`` and ``text``) of one legend or of several."""
    with st.container(key="equation", gap="small"):
        st.header(t("frame.headings.equation"), anchor=False)
        st.latex("".join(tint(role, tex) for tex, role in formula(name, **values)))
        if legend:
            key, names = f"{_page.get()}", (legend,) if isinstance(legend, str) else legend
            entries = [one for name in names for one in text.entry(f"{key}.{name}.legend")]
            rows = ((one["mark"], text.fill(key, one["text"], **values)) for one in entries)
            _html(" &emsp; ".join(f"{mark(role)} {meaning}" for role, meaning in rows))


def lead_to(name: str, label: str, address: dict[str, str] | None = None) -> None:
    """A link to another chapter, if that is there; ``label`` is a key of the page's catalogue."""
    for page in chapters():
        if page.url_path == name or (name == "home" and not page.url_path):
            st.page_link(page, label=_own(label), icon=":material/arrow_forward:", query_params=address)


def code(*functions: Callable) -> None:
    """The lines of core/ that made the picture, read from the source now."""
    with st.expander(t("frame.headings.code"), icon=":material/code:", key="code"):
        for function in map(inspect.unwrap, functions):
            lines, first = inspect.getsourcelines(function)
            path = Path(inspect.getsourcefile(function)).resolve().relative_to(ROOT)
            st.caption(t("frame.code_place", path=path, line=first))
            st.code(inspect.cleandoc("".join(lines)), language="python")


def tasks(done: Mapping[str, bool]) -> None:
    """Try this: the tasks of the page's catalogue (``tasks.NAME.what`` and ``.hint``) by name, and whether each is
    done. What was done once stays so for the visit."""
    earned = st.session_state.setdefault("_earned", set())
    earned |= {(_page.get(), name) for name, now in done.items() if now}
    finished = [name for name in done if (_page.get(), name) in earned]
    rows = [_task(name, name in finished) for name in done]
    count = t("frame.tasks.count", done=len(finished), count=len(done))
    with st.container(key="tasks", gap="small"):
        st.header(t("frame.headings.tasks"), anchor=False)
        _html(f'<ul role="list">{"".join(rows)}</ul><p role="status">{count}</p>')


def _task(name: str, done: bool) -> str:
    sign, word = ("✓", t("frame.tasks.done")) if done else ("○", t("frame.tasks.open"))
    hint = _own(f"tasks.{name}.hint") if text.has(f"{_page.get()}.tasks.{name}.hint") else ""
    help_ = f"<details><summary>{t('frame.tasks.hint')}</summary>{html.escape(hint)}</details>" if hint else ""
    state = f'<span class="{"done" if done else "open"}" data-task="{name}">{sign} <small>{word}</small></span>'
    return f"<li>{state} <span>{html.escape(_own(f'tasks.{name}.what'))} {'' if done else help_}</span></li>"


def _own(key: str, **values: Any) -> str:
    """A sentence of the page's own catalogue."""
    return t(f"{_page.get()}.{key}", **values)


def finish() -> None:
    """Last line of a page: the notice for what was ignored in its link; and runs begun here are kept meanwhile."""
    controls.settle()
    if "_latest" in st.session_state:
        _keep_runs()


@st.fragment(run_every=15)
def _keep_runs() -> None:
    # Not imported: before anybody trains, a page need not load what training needs.
    if training_run := sys.modules.get("pages.ui.runs.training_run"):
        training_run.keep()
