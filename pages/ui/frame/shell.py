"""The frame of every chapter: sentence, prediction, picture with its controls, notes, equation, code, tasks, next.

A page reads from top to bottom like this; all its words stand in ``pages/text/<language>/<page>.toml``::

    shell.require_shell()
    shell.chapter("vector_field", Config)
    left, right = shell.columns()
    with left:
        if shell.predict("guess", decides={"show": "fields"}):
            controls.draw("sigma")
    with right:
        player.show(scene(controls.config()), key="field")
    shell.explain("guess", "to_the_mean", shown=controls.value("sigma") > 9)
    shell.notes("fields")
    shell.equation("fields", legend="fields")
    shell.code(samplers.euler)
    shell.tasks({"find_the_mean": done})
    shell.finish()
"""

import html
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import Page

from core.figures import palette
from pages.ui.frame import (
    chapters,
    class_view,
    controls,
    drawn,
    glossary,
    kept,
    keys,
    links,
    plan_view,
    prepare,
    presentation,
    remembered,
    share,
    text,
)
from pages.ui.frame.chapters import PAGES, ROOT, SECTIONS, UNNUMBERED, number_of, page_of, title_of
from pages.ui.frame.chart import light_colours
from pages.ui.frame.drawing import anchor, draw_html, guard, message, prose, theme
from pages.ui.frame.drawing import caption as caption
from pages.ui.frame.drawing import fragment as fragment
from pages.ui.frame.drawing import sorry as sorry
from pages.ui.frame.drawing import table as table
from pages.ui.frame.presentation import alerts as alerts
from pages.ui.frame.presentation import commands as commands
from pages.ui.frame.presentation import sheet as sheet
from pages.ui.frame.text import t

HERE = Path(__file__).parent
RUNS = "pages.ui.runs.training_run"  # which the frame does not import: it comes with PyTorch
PLAIN = "_plain"  # in the session of a page that becomes a plain file
# What Streamlit says by itself.
STREAMLIT = (
    "upload", "file_limit", "enter", "ctrl_enter", "stop", "connecting", "no_page", "no_page_help",
)  # fmt: skip
SHAPES = {"dot": "●", "ring": "○", "cross": "✕", "square": "■", "triangle": "▲"}
KINDS = {"arrow": "→", "line": "━", "dashes": "┄", "frame": "▢"}  # of what is drawn otherwise than by points

_page: ContextVar[str | None] = ContextVar("page", default=None)
_verdicts: ContextVar[dict[str, DeltaGenerator] | None] = ContextVar("verdicts", default=None)  # by question
_address = st.components.v2.component("address", js=(HERE / "address.js").read_text("utf-8"))
_connection = st.components.v2.component("connection", js=(HERE / "connection.js").read_text("utf-8"))


# The frame of all pages


def speak() -> None:
    """From here on speak the visitor's language."""
    remembered.recall_language()
    text.language.set(controls.language())


def navigation() -> dict[str, list[Page]]:
    """The pages that there are by section, for Streamlit's navigation, in the visitor's language."""
    speak()
    sections = {t(f"frame.sections.{name}"): members for name, members in SECTIONS.items()}
    found = {name: [page_of(each) for each in members] for name, members in {"": UNNUMBERED, **sections}.items()}
    join = st.Page(ROOT / "pages" / "join.py", title=t("class.title"), url_path="join", visibility="hidden")
    return {**found, "": [*found[""], join]}


def address_to_share() -> str:
    """The address of the page as it stands, in the visitor's language, without what belongs to one visitor only."""
    given = {name: value for name, value in st.query_params.to_dict().items() if name not in links.OWN}
    if text.language.get() != text.DEFAULT:
        given["lang"] = text.language.get()
    return f"{chapters.address_of(controls.page())}?{urlencode(given)}".rstrip("?")


def show(page: Page) -> None:
    """Draw ``page`` in the frame; an unexpected error ends as a sentence."""
    with frame(page.url_path), guard():
        page.run()


@contextmanager
def frame(page: str) -> Iterator[None]:
    """Inside it a page knows that it is framed."""
    token = _page.set(page or "home")
    speak()
    try:
        draw_html(_style())
        yield
    finally:
        _page.reset(token)


def _style() -> str:
    variables = {"--accent": st.get_option(f"theme.{theme()}.primaryColor"), "--paper": palette.BACKGROUND[theme()]}
    variables["--ink"] = st.get_option(f"theme.{theme()}.textColor")
    sheets = ["shell.css"]
    if text.language.get() != text.DEFAULT:
        sheets.append("translated.css")
        words = {word: t(f"frame.streamlit.{word}", most=st.get_option("server.maxUploadSize")) for word in STREAMLIT}
        variables |= {f"--say-{word}": f'"{entry}"' for word, entry in words.items()}
    given = "".join(f"{name}:{value};" for name, value in variables.items())
    rules = "".join(map(_sheet, sheets))
    return f"<style>:root{{{given}}}{rules}{_printed_colours() if theme() == 'dark' else ''}</style>"


@cache
def _sheet(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def _printed_colours() -> str:
    """The rules by which marks and formulas of the dark theme are printed in the colours of the light one."""
    rules = []
    for dark, light in light_colours():
        rgb = ", ".join(str(int(dark[i : i + 2], 16)) for i in (1, 3, 5))
        named = ",".join(f'.stMain [style*="{colour}"]' for colour in (f"rgb({rgb})", dark))
        rules.append(f"{named}{{color:{light}!important}}")
    return f"@media print{{{''.join(rules)}}}"


def require_shell() -> None:
    """First line of a page: a fresh server runs a deep link's page without app.py; ask it to begin again with it."""
    if not _page.get():
        st.navigation(navigation(), position="top")
        st.rerun()


# The parts of a page, from top to bottom


def chapter(name: str, config: type) -> None:
    """The header of page ``name``: number and title, what the picture shows and why it matters, the chapters before
    and after, the lecturer's switches. Reads the address into the controls of ``config`` (see ``frame.links``)."""
    _page.set(name)
    _verdicts.set({})
    glossary.begin()
    drawn.begin()
    controls.arrive(name, config)
    presentation.begin()
    ordinal, presenting = number_of(name), controls.upcoming("present")
    class_view.begin(name)
    with st.container(key="heading", gap=None):
        with st.container(horizontal=True, vertical_alignment="center", key="line"):
            draw_html(f'<a class="skip" href="#picture" target="_self">{t("frame.skip")}</a>')
            heading = t(f"{name}.{'navigation' if presenting else 'title'}")
            st.title(f":primary[{ordinal}] {heading}" if ordinal else heading, anchor=False)
            if presenting:
                presentation.header()
            _switches(name, presenting)
        if presenting:
            presentation.unfold()
            draw_html(f"<style>{_sheet('present.css')}</style>")
            plan_view.notes()
        if not presenting:
            _introduce(name)
        _in_browser()
        plan_view.dialog()
        kept.begin(class_view.identity())


def _in_browser() -> None:
    """Draw what has no picture: it keeps the address, and says so when the server does not answer."""
    _address(key="address", data=[text.language.get()])
    _connection(key="connection", data=[t("frame.lost.title"), t("frame.lost.text")])


def _introduce(page: str) -> None:
    """What the picture of a page shows, and why it matters."""
    for part in ("sentence", "why"):
        with st.container(key=f"head_{part}"):
            draw_html(glossary.mark_terms(t(f"{page}.{part}")))


def join() -> None:
    """The page of a student in a class, without what belongs to a chapter."""
    _page.set("join")
    glossary.begin()
    controls.arrive("join", Nothing)
    with st.container(key="join", horizontal=True, vertical_alignment="center"):
        st.title(t("class.title"), anchor=False, width="content")
        _choose_language(label_visibility="collapsed")
        _in_browser()
        kept.begin(class_view.identity())
    class_view.draw_join()
    kept.end()
    controls.settle()


@dataclass(frozen=True)
class Nothing:
    """The configuration of a page without controls."""


def _switches(page: str, presenting: bool) -> None:
    """The way to what comes before and after, the keys, the copied link, the language and what a lecturer sets."""
    with st.container(horizontal=True, key="switches", width="content", vertical_alignment="center"):
        if plan_view.running():
            plan_view.turns()
        elif presenting:
            presentation.turns(page)
        else:
            for direction, name in chapters.neighbours(page).items():
                st.page_link(page_of(name), label=title_of(name), icon=presentation.ICONS[direction], width="content")
        shown = controls.upcoming("show") if controls.scenes() else ""
        keys.listen(presenting, f"{page} {shown} {controls.value('plan')}")
        sent = share.buttons("copy_link", ("copy", "qr", "plan"))
        plan_view.receive(sent.plan)
        if sent.qr:
            class_view.show_code() if class_view.lecturing() else share.show_code(sent.qr)
        if not presenting and len(text.languages()) > 1:
            _choose_language(label_visibility="collapsed")
        # With another key it is another menu, which is closed: it would cover the dialog that was opened from it.
        key = f"lecture-{st.session_state.get('_dialogs', 0)}"
        with st.popover(t("frame.lecture"), icon=":material/co_present:", width="content", key=key):
            controls.draw("predictions")
            controls.draw("present")
            plan_view.menu()
            if presenting and len(text.languages()) > 1:
                _choose_language()
            class_view.menu()


def _choose_language(**given: Any) -> None:
    controls.draw("lang", width=130, on_change=remembered.keep_language, **given)


def columns(narrow: int = 5) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Two columns, (controls, picture): the controls on the left take ``narrow`` of 19 parts of the width."""
    left, right = st.columns([narrow, 19 - narrow], gap="medium")
    with right:
        anchor("picture")
    return left.container(key="controls", gap="small"), right.container(key="picture", gap="small")


def asking(left: DeltaGenerator, right: DeltaGenerator) -> DeltaGenerator:
    """Where a page asks for a prediction: with the controls; above the picture where a presentation hides these."""
    return right if controls.value("present") else left


def predict(name: str, hidden: bool | None = None, decides: Mapping[str, Any] | None = None) -> bool:
    """Ask before the control that answers is shown; True when it may be shown.

    ``name`` is a control of the page, whose options are the answers; the catalogue holds its ``question``, the answers
    (``options``) and ``why``. `explain` puts the verdict into the same card. ``hidden`` leaves the card out, where the
    picture is of something else. ``decides``: the values of the controls at which the run that decides is seen; a
    button sets them. A presented page asks in one scene only, and shows what its address says without an answer.
    """
    questions = controls.value("predictions")
    if questions:
        remembered.recall_answer(name)
    guess = controls.use(name)
    if questions and guess is None and presentation.passes(hidden, decides or {}):
        return True
    if not questions or hidden or class_view.voted_on(f"{_page.get()}/{name}"):
        return not questions or guess is not None
    with st.container(border=True, key=f"predict_{name}", gap="small"):
        anchor("question")
        verdict = _ask(name) if guess is None else _repeat(name, guess, decides or {})
    _verdicts.set({**(_verdicts.get() or {}), name: verdict})
    return guess is not None


def _ask(name: str) -> None:
    """The question and its answers as buttons; in a class its vote."""
    question = _own(f"predict.{name}.question")
    if class_view.lecturing():
        draw_html(glossary.mark_terms(f"**{question}**"))
        class_view.draw_poll(f"{_page.get()}/{name}")
        return
    draw_html(glossary.mark_terms(t("frame.predict.question", question=question)))
    with st.container(horizontal=True, gap="small"):
        # Not a radio: there an arrow key on the way to an answer is an answer.
        for option in controls.options(name):
            key = f"_{name}_{option}"
            st.button(_answer(name, option), key=key, on_click=remembered.answer, args=(name, option))


def _repeat(name: str, guess: str, decides: Mapping[str, Any]) -> DeltaGenerator:
    """The question and the answer that was given; where the verdict will stand. Until then a button leads to it."""
    prose(t("frame.predict.asked", question=_own(f"predict.{name}.question")))
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        predicts = "class.predicts" if class_view.lecturing() else "frame.predict.given"
        st.markdown(t(predicts, answer=_answer(name, guess)), width="stretch")
        again = {"help": t("frame.predict.again_help"), "type": "tertiary", "key": f"_{name}_again"}
        st.button(t("frame.predict.again"), on_click=remembered.answer, args=(name, None), **again)
    class_view.draw_result(f"{_page.get()}/{name}")
    verdict = st.empty()
    if any(controls.upcoming(control) != value for control, value in decides.items()):
        given = {"icon": ":material/arrow_forward:", "key": f"_{name}_decide", "args": (dict(decides),)}
        verdict.button(t("frame.predict.decide"), on_click=_put_all, **given)
    return verdict


def _put_all(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        controls.put(name, value)


def _answer(name: str, option: str) -> str:
    return _own(f"predict.{name}.options.{option}")


def explain(name: str, right: str, shown: bool, **values: Any) -> None:
    """Once the learner has seen the run that decides (``shown``): the verdict, in the card of the question, and why.

    Without a card (no questions are asked, or another scene is shown) it stands where this is called, after the
    question. A presented page keeps it until it is revealed, and has it as soon as it asks.
    """
    class_view.know(f"{_page.get()}/{name}", right)
    cards, answers = _verdicts.get() or {}, presentation.answers()
    if not shown and not (answers and name in cards):
        return
    guess = controls.value(name) if controls.value("predictions") else None
    answer, why = _answer(name, right).rstrip(".。"), _own(f"predict.{name}.why", **values)
    verdict = "right" if guess == right else "answer"
    kind, icon = ("success", "check_circle") if verdict == "right" else ("info", "lightbulb")
    sentences = t(f"frame.predict.{verdict}", answer=answer, why=why)
    if name not in cards:
        sentences = f"{t('frame.predict.asked', question=_own(f'predict.{name}.question'))}\n\n{sentences}"
    if answers:
        hidden = f"<summary>{t('frame.predict.reveal')}</summary>\n\n{glossary.mark_terms(sentences)}\n\n"
        answers.markdown(f'<details class="reveal last">{hidden}</details>', unsafe_allow_html=True)
    else:
        message(kind, sentences, icon, cards.get(name) or st)


def mark(role: str) -> str:
    """The shape of ``role`` in its colour, as HTML for Markdown text: the legend of the picture inside a sentence.

    A word after the role names another mark in its colour, for what the picture draws so: "denoise arrow", "data line"
    (solid), "exact dashes" (a dashed line), "sample frame" (framed images, the diagonal of a matrix).
    """
    role, _, kind = role.partition(" ")
    shape = KINDS[kind] if kind else SHAPES[palette.ROLES[role].shape]
    return f'<span class="mark" style="color:{palette.colour(role, theme())}" aria-hidden="true">{shape}</span>'


def answers_moves() -> bool:
    """Whether the page answers when a visitor moves what is in a picture: plain files do not."""
    return not st.session_state.get(PLAIN)


def _of_note(note: dict[str, str]) -> str:
    return text.join([note["text"], *([note["act"]] if "act" in note and answers_moves() else [])])


def notes(*names: str, **values: Any) -> None:
    """What you see: why it is shown (``NAME.why``), how it works (``NAME.how``), what to do with the picture
    (``NAME.act``), and where to look (``NAME.notes``).

    The entries of all ``names`` of the page's catalogue follow one another; the notes are numbered. A note is a table
    of ``mark``, the role of what it is about (absent: it has none in the picture), ``text``, and ``act`` if there is
    something to do. Placeholders are filled with ``values``.
    """
    page = f"{_page.get()}"
    drawn.now().notes.append((names, values))

    def filled(part: str) -> list[str]:
        keys = [key for key in (f"{page}.{name}.{part}" for name in names) if text.has(key)]
        return [glossary.mark_terms(t(key, **values)) for key in keys]

    found = [note for name in names for note in text.entry(f"{page}.{name}.notes")]
    presentation.let_picture_go_first()
    if not controls.value("present"):
        plan_view.notes()
    else:
        with presentation.sheet():
            _introduce(page)
    with presentation.sheet(), st.container(key="notes", gap="small"):
        st.header(t("frame.headings.notes"), anchor=False)
        acts = filled("act") if answers_moves() else []
        draw_html("\n\n".join([*filled("why"), *filled("how"), *acts]))
        rows = [
            f"{mark(text.fill(page, note['mark'], **values)) if 'mark' in note else ''} "
            f"{glossary.mark_terms(text.fill(page, _of_note(note), **values))}"
            for note in found
        ]
        draw_html("\n".join(f"{ordinal}. {row.strip()}" for ordinal, row in enumerate(rows, 1)))


def tint(role: str | None, tex: str) -> str:
    """``tex`` in the colour of ``role`` for the visitor's theme, as LaTeX."""
    return rf"\textcolor{{{palette.colour(role, theme())}}}{{{tex}}}" if role else tex


def formula(name: str, **values: Any) -> list[tuple[str, str]]:
    """The terms (LaTeX, role or "") of formula ``name`` of the page, from ``formulas.toml``, placeholders filled."""
    return text.formula(str(_page.get()), name, **values)


def equation(name: str, legend: str | Sequence[str] = (), **values: Any) -> None:
    """In symbols, folded: formula ``name`` of the page on one line, each term in the colour of what it stands for;
    under it the catalogue's entries ``LEGEND.legend`` (tables of ``mark`` and ``text``) of one legend or of several,
    which name every symbol."""
    legends = (legend,) if isinstance(legend, str) else tuple(legend)
    drawn.now().formulas.append((name, legends, values))
    opened = {"expanded": controls.value("present"), "icon": ":material/function:", "key": "equation"}
    with presentation.sheet(), st.expander(t("frame.headings.equation"), **opened):
        st.latex("".join(tint(role, tex) for tex, role in formula(name, **values)))
        if legends:
            page = str(_page.get())
            entries = [one for each in legends for one in text.entry(f"{page}.{each}.legend")]
            rows = ((one["mark"], text.fill(page, one["text"], **values)) for one in entries)
            draw_html(
                "\n".join(f"- {mark(role) if role else ''} {glossary.mark_terms(meaning)}" for role, meaning in rows)
            )


def lead_to(name: str, label: str, address: dict[str, str] | None = None) -> None:
    """A link to another chapter; ``label`` is a key of the page's catalogue."""
    st.page_link(page_of(name), label=_own(label), icon=":material/arrow_forward:", query_params=address)


def _next() -> None:
    """The way on: to the next scene of the page (``SCENE.next`` says what it answers), after the last to the next page
    (``next``). Where scenes wait for an answer, that comes first."""
    page = str(_page.get())
    scenes = controls.scenes()
    show = controls.value("show") if scenes else None
    with st.container(key="next", gap="small"):
        st.header(t("frame.headings.next"), anchor=False)
        if show in scenes[:-1]:
            following = scenes[scenes.index(show) + 1]
            prose(_own(f"{show}.next"))
            given = {"icon": ":material/arrow_forward:", "key": "_next", "args": ("show", following)}
            st.button(controls.option("show", following), on_click=controls.put, **given)
        elif page in PAGES:
            if controls.waits("show"):
                prose(t("frame.predict.opens"))
            following = PAGES[(PAGES.index(page) + 1) % len(PAGES)]
            prose(_own("next"))
            st.page_link(page_of(following), label=title_of(following), icon=":material/arrow_forward:")


def code(*functions: Callable) -> None:
    """The lines of core/ that made the picture, read from the source. A presented page has no room for them."""
    if controls.value("present"):
        return
    with st.expander(t("frame.headings.code"), icon=":material/code:", key="code"):
        for function in functions:
            path, first, lines = _source(inspect.unwrap(function))
            st.caption(t("frame.code_place", path=path, line=first))
            st.code(lines, language="python")


@cache
def _source(function: Callable) -> tuple[Path, int, str]:
    """Where a function is defined: file, first line, and its lines."""
    lines, first = inspect.getsourcelines(function)
    path = Path(inspect.getsourcefile(function)).resolve().relative_to(ROOT)
    return path, first, textwrap.dedent("".join(lines)).strip()


def tasks(done: Mapping[str, bool]) -> None:
    """Try this: the tasks of the page's catalogue (``tasks.NAME.what`` and ``.hint``) by name, and whether each is
    done. What was done once stays so. A presented page does not list them."""
    for name in (name for name, now in done.items() if now):
        remembered.finish_task(name)
    if controls.value("present"):
        return
    finished = [name for name in done if remembered.finished(name)]
    rows = [_task(name, name in finished) for name in done]
    count = t("frame.tasks.count", done=len(finished), count=len(done))
    with st.container(key="tasks", gap="small"):
        st.header(t("frame.headings.tasks"), anchor=False)
        draw_html(f'<ul role="list">{"".join(rows)}</ul><p role="status">{count}</p>')


def _task(name: str, done: bool) -> str:
    def explained(key: str) -> str:
        return glossary.mark_terms(html.escape(_own(key), quote=False))

    sign, word = ("✓", t("frame.tasks.done")) if done else ("○", t("frame.tasks.open"))
    what, hint = explained(f"tasks.{name}.what"), f"tasks.{name}.hint"
    help_ = (
        f"<details><summary>{t('frame.tasks.hint')}</summary>{explained(hint)}</details>"
        if text.has(f"{_page.get()}.{hint}")
        else ""
    )
    state = f'<span class="{"done" if done else "open"}" data-task="{name}">{sign} <small>{word}</small></span>'
    return f"<li>{state} <span>{what} {'' if done else help_}</span></li>"


def _own(key: str, **values: Any) -> str:
    """A sentence of the page's own catalogue."""
    return t(f"{_page.get()}.{key}", **values)


def finish() -> None:
    """Last line of a page: the way on, and the notice for what was ignored in its link; runs begun here are kept."""
    if not controls.value("present"):
        _next()
        remembered.draw()
    kept.end()
    controls.settle()
    if controls.value("present"):
        _prepare_next()
    class_view.settle(str(_page.get()))
    if "_latest" in st.session_state:
        _keep_runs()


def _prepare_next() -> None:
    """Let the picture be computed that a lecture shows next."""
    if view := plan_view.upcoming():
        prepare.scene(view.page, view.parameters)
    elif not plan_view.running():
        presentation.prepare_next(f"{_page.get()}")
    prepare.course()


@st.fragment(run_every=15)
def _keep_runs() -> None:
    if RUNS in sys.modules:  # before anybody trains, a page need not load what training needs
        import_module(RUNS).keep()  # which waits where another visitor's page is still importing it
