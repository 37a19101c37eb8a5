"""The menu of a picture: a dialog that makes a file of what was shown when it was opened."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import streamlit as st

from core.figures.frames import count_frames
from core.figures.scene import Scene
from core.problems import Problem
from pages.export import files, scenes, texts
from pages.ui.frame import chapters, controls, drawing, drawn, links, shell, text
from pages.ui.frame.drawn import Drawn
from pages.ui.frame.text import t
from pages.ui.frame.visitor import viewer
from pages.ui.stage import exporting
from pages.ui.stage.exporting import ExportRequest
from pages.ui.stage.packing import pack

KEY = "_menu"
TICK = 0.5  # seconds between two looks at a film under way
# What can be chosen for some kinds of files; nothing where it makes no difference.
THEMES = {"html": ("light", "dark", "auto"), "npz": (), "csv": ()}
WIDTHS = {"html": 0, "npz": 0, "csv": 0, "gif": 960, "mp4": 1920}


@dataclass(eq=False)
class Menu:
    """What the menu is open for, and what it has made.

    Attributes:
        request: the scene.
        page, name: of the scene.
        base, given: the address of the page, and its parameters.
        language: of the page.
        drawn: what the page shows beside the picture.
        link: the address, read, where it alone makes this very scene, which can then be made in any language.
        film: the run of the jobs that makes a film, and what it makes.
        file: the finished film and what it is of.
        error: why there is no film.
    """

    request: ExportRequest
    page: str
    name: str
    base: str
    given: dict[str, str]
    language: str
    drawn: Drawn
    link: scenes.Link | None
    film: tuple[str, Hashable] | None = None
    file: tuple[Hashable, bytes] | None = None
    error: Exception | None = None
    others: dict[str, Scene] = field(default_factory=dict)  # the scene in other languages

    @property
    def frames(self) -> int:
        """How many frames the scene has."""
        return count_frames(self.request.scene.panels, self.request.scene.clock)

    def scene(self, language: str) -> Scene:
        """The scene in a language, described."""
        token = text.language.set(language)
        try:
            made = self.request.scene
            if language != self.language:
                if language not in self.others:
                    self.others[language] = scenes.make_scene(self.page, self.link.config, self.request.chart)
                made = self.others[language]
            link = scenes.address(self.base, self.given, made, self.request.frame, self.request.zoom)
            return scenes.describe(made, self.page, self.name, link)
        finally:
            text.language.reset(token)


def draw(page: str) -> None:
    """Draw the menu if it is open: the last thing on a page."""
    request = exporting.pending()
    if request is None:
        return
    opened = st.session_state.get(KEY)
    if opened is None or opened.request is not request:
        opened = st.session_state[KEY] = _open(request, page)
    if opened.page != page:
        _close()
        return
    drawing.dialog(t("frame.export.title"), partial(_contents, opened), width="medium", on_dismiss=_close)


def _open(request: ExportRequest, page: str) -> Menu:
    name, config = scenes.scene_name(page, controls.config()), controls.config()
    base = chapters.address_of(page)
    opened = Menu(request, page, name, base, st.query_params.to_dict(), controls.language(), drawn.now(), None)
    with shell.guard():
        link = replace(scenes.read(page), config=config)
        again = scenes.make_scene(page, config, request.chart)
        if pack(again.panels, again.clock) == pack(request.scene.panels, request.scene.clock):
            opened.link = link
    return opened


def _close() -> None:
    opened = st.session_state.pop(KEY, None)
    if opened is not None:
        _cancel(opened)
    exporting.close()


# What it shows


def _contents(opened: Menu) -> None:
    scene = opened.request.scene
    kind = st.segmented_control(
        t("frame.export.kind"), files.kinds_of(scene), default="png", required=True, format_func=str.upper,
        key="_export_kind",
    )  # fmt: skip
    shell.caption(t(f"frame.export.kinds.{kind}"))
    language, options = _options(opened, kind)
    holds = _holds(opened, kind, options)
    shell.caption(t(f"frame.export.holds.{holds}", frame=opened.request.frame + 1, count=opened.frames))
    parts = (opened.request.chart or opened.name, *([f"f{opened.request.frame + 1}"] if holds == "still" else ()))
    name = scenes.file_name(opened.page, parts, kind)
    if files.is_film(kind):
        _film(opened, language, kind, options, name)
    else:
        make = partial(_file, opened, language, kind, options)
        _download(t("frame.export.save", file=name), text.in_this_language(make), name, files.KINDS[kind], "primary")
    _beside(opened)


def _holds(opened: Menu, kind: str, options: files.Options) -> str:
    """What of the clock a file has: "still", the one frame; "all"; "opens", all of them, of which
    it shows one first; "whole" where there is no clock."""
    if opened.frames == 1:
        return "whole"
    if options.frame is None:
        return "all"
    return "opens" if kind == "html" else "still"


def _options(opened: Menu, kind: str) -> tuple[str, files.Options]:
    """The language and the options that are chosen for a kind."""
    given: dict[str, Any] = {"frame": opened.request.frame, "zoom": opened.request.zoom}
    language, every = opened.language, files.is_film(kind) or kind == "npz"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if themes := THEMES.get(kind, ("light", "dark")):
            given["theme"] = _choose("theme", themes, shell.theme())
        if opened.link is not None and len(text.languages()) > 1:
            language = _choose("language", text.languages(), language)
        if width := WIDTHS.get(kind, 1280):
            given["width"] = _choose("width", files.WIDTHS, width)
        if kind == "png":
            given["scale"] = _choose("scale", files.SCALES, 2)
        if kind == "csv" and opened.frames > 1:
            every = _choose("frames", ("this", "all"), "this") == "all"
    return language, files.Options(**given | ({"frame": None} if every else {}))


def _choose(name: str, choices: tuple, default: Any) -> Any:
    def label(choice: Any) -> str:
        key = f"frame.export.options.{name}.{choice}"
        return t(key) if text.has(key) else t(f"frame.export.units.{name}", value=choice)

    key = f"_export_{name}_{len(choices)}_{default}"  # a widget of its own for other choices or another default
    return st.selectbox(t(f"frame.export.{name}"), choices, choices.index(default), label, key=key, width=150)


def _file(opened: Menu, language: str, kind: str, options: files.Options) -> bytes:
    """A file of a kind that is made at once."""
    token = text.language.set(language)
    try:
        return files.file_of(opened.scene(language), kind, options, _formula(opened))
    finally:
        text.language.reset(token)


def _formula(opened: Menu) -> list[tuple[str, str]]:
    """The terms of the first formula of the page, in the language of now."""
    for name, _, values in opened.drawn.formulas[:1]:
        return text.formula(opened.page, name, **values)
    return []


def _beside(opened: Menu) -> None:
    """The tables beside the picture and the notes of the page."""
    if not (opened.drawn.tables or opened.drawn.notes):
        return
    shell.caption(t("frame.export.beside"))
    with st.container(horizontal=True):
        several = len(opened.drawn.tables) > 1
        for k, markdown in enumerate(opened.drawn.tables, 1):
            name = scenes.file_name(opened.page, (opened.name, f"table{k}" if several else "table"), "csv")
            _download(name, texts.table(markdown), name, "text/csv")
        if opened.drawn.notes:
            make = text.in_this_language(partial(_notes, opened))
            name = scenes.file_name(opened.page, (opened.name, "notes"), "md")
            _download(name, make, name, "text/markdown")


def _notes(opened: Menu) -> bytes:
    return texts.notes(opened.scene(text.language.get()), opened.page, opened.drawn)


def _download(label: str, data: Any, name: str, mime: str, kind: str = "secondary") -> None:
    icon = ":material/download:"
    st.download_button(
        links.plain(label), data, name, mime, on_click="ignore", type=kind, icon=icon, key=f"_get_{name}"
    )


# Films, which are made in the background


def _film(opened: Menu, language: str, kind: str, options: files.Options, name: str) -> None:
    wanted = (kind, language, options.theme, options.width)
    if opened.film and opened.film[1] != wanted:
        _cancel(opened)
    if opened.file and opened.file[0] == wanted:
        _download(t("frame.export.save", file=name), opened.file[1], name, files.KINDS[kind], "primary")
        return
    if opened.error:
        shell.sorry(opened.error)
    if opened.film:
        shell.fragment(run_every=TICK)(_progress)(opened)
    elif st.button(t("frame.export.make"), type="primary", icon=":material/movie:", key="_export_make"):
        try:
            _begin(opened, wanted, language, kind, options)
        except Problem as error:
            opened.error = error
        st.rerun()


def _begin(opened: Menu, wanted: Hashable, language: str, kind: str, options: files.Options) -> None:
    from core.runs.jobs import Work
    from pages.ui.runs.training_run import jobs

    scene = opened.scene(language)
    work = Work(("film", id(opened), wanted), lambda *_: files.frames(scene, kind, options), picture=lambda step: step)
    opened.error = None
    opened.film = jobs().join(work, viewer()), wanted


def _progress(opened: Menu) -> None:
    """How far the film is, and a button that ends the work. At its end the page runs again and offers it."""
    from pages.ui.runs.training_run import jobs, seconds_left

    if not opened.film:  # the page is about to run again
        return
    run, wanted = opened.film
    view = jobs().look(run, viewer())
    step = view and view.picture
    if view is None or view.status in ("finished", "failed"):
        _cancel(opened)
        if view is not None and view.status == "finished":
            opened.file = wanted, step.file
        else:
            opened.error = view.error if view is not None else Problem("run_ended")
        st.rerun()
    done = step.frame if step else 0
    words = t("frame.export.progress", frame=done, frames=opened.frames)
    if view.status == "queued":
        words = t("frame.export.waiting", progress=words, seconds=seconds_left(view))
    st.progress(done / opened.frames, words)
    if st.button(t("frame.export.cancel"), key="_export_cancel"):
        _cancel(opened)
        st.rerun()


def _cancel(opened: Menu) -> None:
    """End the work on a film, if there is any; nothing of it stays."""
    if opened.film:
        from pages.ui.runs.training_run import jobs

        jobs().leave(opened.film[0], viewer())
        opened.film = None
