"""The data set picker: built-in sets, a typed word, a drawing, the dark pixels of an image, a CSV.

A page with the picker has in its configuration the controls ``data``, ``n``, ``fresh``, ``word`` and ``draw``. What they
mean follows without Streamlit, but for an uploaded file, which is not part of an address.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import streamlit as st

from core.data import uploads
from core.data.points import BUILT_IN, PointSet, make_points
from core.runs.caching import shared_cache
from pages.ui.frame import controls, shell, text
from pages.ui.frame.text import t
from pages.ui.widgets import brush

N = 100
SIZES = (20, 50, 100, 200, 500, 1000)
WORD = "noise"  # the word to begin with
UPLOADS: dict[str, tuple[list[str], Callable[[bytes], PointSet]]] = {
    "image": (["png", "jpg", "jpeg", "webp", "gif", "bmp"], uploads.from_image),
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


@dataclass(frozen=True, eq=False)
class Data:
    """A learner's choice: the points, and whether training draws fresh ones at every step. Equal by content."""

    points: PointSet
    endless: bool

    @property
    def name(self) -> str:
        """The name of the data set."""
        return self.points.name

    @property
    def key(self) -> str:
        """Equal for equal data only."""
        return f"{self.name} {'endless' if self.endless else 'finite'} {self.points.digest}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Data) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


# Without Streamlit


def points_of(config: Choices, upload: PointSet | None = None) -> PointSet:
    """The points that a configuration asks for; the spiral where it asks for a drawing or a file and there is none.

    Raises ValueError for a word or a drawing that cannot be used.
    """
    if config.data in BUILT_IN:
        return built_in(config.data, N if config.fresh else config.n)
    if config.data == "word":
        return from_word(config.word)
    if config.data == "drawing" and config.draw:
        return from_drawing(config.draw)
    return (config.data in UPLOADS and upload) or built_in("spiral", N)


def data_of(config: Choices, points: PointSet | None = None) -> Data:
    """The data of a configuration, or those ``points`` in the place of its own; the spiral where it has none to use."""
    if points is None:
        try:
            points = points_of(config)
        except ValueError:
            points = built_in("spiral", N)
    return Data(points, endless=config.fresh if config.data in BUILT_IN else config.data != "csv")


@shared_cache(64)
def built_in(name: str, n: int) -> PointSet:
    """A built-in set of n points."""
    return make_points(name, n)


@shared_cache(64)
def from_word(word: str) -> PointSet:
    """The ink of a word."""
    return uploads.from_word(word, n=1000)


@shared_cache(64)
def from_drawing(written: str) -> PointSet:
    """The lines of a drawing."""
    return uploads.from_drawing(brush.decode(written), n=400)


# The widgets


def choose() -> Data:
    """Draw the picker in the current container and return the data; the last good ones if the new ones are bad."""
    kind = controls.draw("data")
    if kind != "drawing":
        controls.read("draw")  # it stays in the address while other data are on
    if kind in BUILT_IN:
        if not controls.draw("fresh"):
            controls.draw("n")
    elif kind == "word":
        controls.draw("word")
    elif kind == "drawing":
        _draw()
    points = _uploaded(kind) if kind in UPLOADS else _last_good(kind)
    if points is not None and points.note:
        st.caption(text.problem(points.note))
    return data_of(controls.config(), points)


def _draw() -> None:
    """The drawing travels in the address, so that a link carries it."""
    drawn = brush.brush("brush", brush.decode(controls.value("draw") or ""), height=230)
    # What the address can hold is the drawing: otherwise it would change a little, and be other data, at the next run.
    controls.put("draw", brush.encode(drawn) or None)
    if not controls.value("draw"):
        st.caption(t("widgets.picker.nothing_drawn"))


def _last_good(kind: str) -> PointSet | None:
    """The points that the controls ask for; if they are bad, an error, and the points that were there before."""
    memory = f"_good_{kind}"
    try:
        st.session_state[memory] = points_of(controls.config())
    except ValueError as error:
        _refuse(error)
    return st.session_state.get(memory)


def _uploaded(kind: str) -> PointSet | None:
    """The points of a file, remembered for this session: leaving the page does not lose them. A bad file is read once
    and its error shown as long as the file is there; the points that were there before stay."""
    types, read = UPLOADS[kind]
    file = st.file_uploader(t(f"widgets.picker.{kind}"), types, key=f"_upload_{kind}")
    good, last = f"_good_{kind}", f"_last_{kind}"
    if file is None and good not in st.session_state:
        st.caption(t("widgets.picker.no_file"))
    if file is not None:
        read_before, error = st.session_state.get(last, (None, None))
        if file.file_id != read_before:
            error = None
            try:
                st.session_state[good] = read(file.getvalue())
            except ValueError as refused:
                error = refused
            st.session_state[last] = (file.file_id, error)
        if error is not None:
            _refuse(error)
    return st.session_state.get(good)


def _refuse(error: ValueError) -> None:
    shell.sorry(t("widgets.picker.refused", error=text.problem(error)))
