"""The data set picker: built-in sets, a typed word, a drawing, the dark pixels of an image, a CSV.

A page with the picker has in its configuration the controls ``data``, ``n``, ``fresh``, ``word`` and ``draw``. They
give the points without Streamlit; only an uploaded file is not part of an address.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

import streamlit as st

from core.data import drawings, uploads
from core.data.points import BUILT_IN, PointSet, make_points
from pages.ui.frame import controls, links, shell, stored, text
from pages.ui.frame.text import t
from pages.ui.widgets import brush

N = 100
SIZES = (20, 50, 100, 200, 500, 1000)
WORD = "noise"  # the word to begin with
UPLOADS: dict[str, tuple[list[str] | None, Callable[[bytes], PointSet]]] = {
    "image": (None, uploads.from_image),  # of any ending: the content decides
    "csv": (["csv", "tsv", "txt"], uploads.from_csv),
}
DATA = (*BUILT_IN, "word", "drawing", *UPLOADS)


class Choices(Protocol):
    """The controls of a page that say what the data are."""

    data: str  # one of DATA
    n: int  # points of a finite built-in set
    fresh: bool  # whether training draws fresh points of a built-in set at every step
    word: str
    draw: str | None  # a drawing as the brush writes it


# Without Streamlit


def points_of(config: Choices) -> PointSet:
    """The points that a configuration asks for; the spiral where it asks for a file, or for a drawing and has none.

    Raises ValueError for a word or a drawing that cannot be used.
    """
    if config.data == "word":
        return from_word(config.word)
    if config.data == "drawing" and config.draw:
        return from_drawing(config.draw)
    if config.data in BUILT_IN:
        return built_in(config.data, N if config.fresh else config.n)
    return built_in("spiral", N)


def points_or_spiral(config: Choices) -> PointSet:
    """`points_of`, or the spiral where that raises an error."""
    try:
        return points_of(config)
    except ValueError:
        return built_in("spiral", N)


def is_endless(config: Choices) -> bool:
    """Whether training draws fresh points at every step."""
    return config.fresh if config.data in BUILT_IN else config.data != "csv"


@lru_cache(64)
def built_in(name: str, n: int) -> PointSet:
    """A built-in set of n points."""
    return make_points(name, n)


@lru_cache(64)
def from_word(word: str) -> PointSet:
    """The ink of a word."""
    return uploads.from_word(word, n=1000)


@lru_cache(64)
def from_drawing(written: str) -> PointSet:
    """The lines of a drawing."""
    return uploads.from_drawing(drawings.decode(written), n=400)


# The widgets


def choose(endless: bool = False) -> PointSet:
    """Draw the picker in the current container and return the data; the last good ones if the new ones are bad.
    ``endless``: fresh points are always drawn, so that there is no number of points to choose."""
    kind = controls.draw("data")
    if kind != "drawing":
        controls.use("draw")  # it stays in the address while other data are on
    if kind in BUILT_IN:
        if not endless and not controls.draw("fresh"):
            controls.draw("n")
    elif kind == "word":
        controls.draw("word")
    elif kind == "drawing":
        _draw()
    points = (_uploaded(kind) if kind in UPLOADS else _chosen(kind)) or built_in("spiral", N)
    if points.note:
        shell.caption(links.plain(text.problem(points.note)))
    return points


def choose_other(kind: str, beside: str) -> PointSet:
    """The points of a second set, of another control: a built-in one, or the word or the drawing of the picker, which
    chooses a set of the kind ``beside`` and draws what that one needs."""
    if kind == "word" != beside:
        controls.draw("word")
    elif kind == "drawing" != beside:
        _draw()
    return _chosen(kind) or built_in("spiral", N)


def _draw() -> None:
    """The drawing travels in the address, so that a link carries it."""
    brush.draw_data("brush", height=230)
    if not controls.value("draw"):
        shell.caption(t("widgets.picker.nothing_drawn"))


def _chosen(kind: str) -> PointSet | None:
    """The points that the controls ask for; if they are bad, an error, and the points that were there before."""
    memory = f"_good_{kind}"
    try:
        st.session_state[memory] = points_of(replace(controls.config(), data=kind))
    except ValueError as error:
        _refuse(error)
    return st.session_state.get(memory)


def _uploaded(kind: str) -> PointSet | None:
    """The points of a file, which the browser keeps. A bad file is read once and its error shown as long as the file is
    there; the points that were there before stay."""
    types, read = UPLOADS[kind]
    key, good, last = f"_upload_{kind}", f"_good_{kind}", f"_last_{kind}"
    file = stored.upload(t(f"widgets.picker.{kind}"), types, key)
    if file is None:
        st.session_state.pop(good, None)
        shell.caption(t("widgets.picker.no_file"))
        return None
    read_before, error = st.session_state.get(last, (None, None))
    if file.id != read_before:
        error = None
        try:
            st.session_state[good] = read(file.content)
        except ValueError as refused:
            error = refused
        st.session_state[last] = (file.id, error)
    if error is None:
        stored.keep(key)
    else:
        _refuse(error)
    return st.session_state.get(good)


def _refuse(error: ValueError) -> None:
    shell.sorry(t("widgets.picker.refused", error=text.problem(error)))
