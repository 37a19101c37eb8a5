"""The data-set picker: built-in sets, a typed word, a drawing, an image's dark pixels, a CSV. Bad input is refused."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from core.data import uploads
from core.data.points import PointSet, make_points
from pages.ui.frame import shell_old as shell
from pages.ui.frame import text
from pages.ui.widgets import brush

N = 100
SETS = {"spiral": "spiral", "two moons": "moons", "rings": "rings", "checkerboard": "checkerboard",
        "eight Gaussians": "eight-gaussians", "pinwheel": "pinwheel"}  # fmt: skip
OWN = ("your word", "your drawing", "your image", "your CSV")
SIZES = (20, 50, 100, 200, 500, 1000)
START_WORD = "noise"


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


@st.cache_resource(max_entries=64, show_spinner=False)
def built_in(name: str, n: int, seed: int) -> PointSet:
    return make_points(name, n, seed)


@st.cache_resource(max_entries=64, show_spinner=False)
def from_word(word: str) -> PointSet:
    return uploads.from_word(word, n=1000)


def choose() -> Data:
    """Draw the picker in the current container and return the data; the last good ones if the new ones are bad."""
    kind = shell.selectbox("Data", (*SETS, *OWN), key="data")
    if kind != "your drawing":
        shell.param("draw", brush.decode, None)  # it stays in the address while other data are on
    if kind in SETS:
        about = "Off: the same few points, again and again."
        endless = shell.toggle("Fresh points at every step", True, key="fresh", help=about)
        n = N if endless else shell.select_slider("Points", SIZES, N, key="n")
        return Data(built_in(SETS[kind], n, 0), endless)
    points = dict(zip(OWN, (_word, _drawing, _image, _csv), strict=True))[kind]()
    if points.note:
        st.caption(text.problem(points.note))
    return Data(points, endless=kind != "your CSV")


def _word() -> PointSet:
    word = shell.text("Word", START_WORD, key="word", max_chars=uploads.MAX_LETTERS)
    return _kept("word", lambda: from_word(word), from_word(START_WORD))


def _drawing() -> PointSet:
    """The drawing travels in the address, so that a link carries it."""
    strokes = shell.param("draw", brush.decode, st.session_state.get("_drawing", []))
    written = brush.encode(brush.brush("brush", strokes, height=230))
    shell.set_param("draw", written or None)
    # What the address can hold is the drawing: otherwise it would change a little, and be other data, at the next run.
    drawn = st.session_state["_drawing"] = brush.decode(written)
    if not drawn:
        st.caption(
            "Draw with the pointer, or focus the canvas and use the arrow keys and space. Until then: the spiral."
        )
        return built_in("spiral", N, 0)
    return _kept("drawing", lambda: uploads.from_drawing(drawn, n=400), built_in("spiral", N, 0))


def _image() -> PointSet:
    return _uploaded("image", ["png", "jpg", "jpeg", "webp", "gif", "bmp"], uploads.from_image)


def _csv() -> PointSet:
    return _uploaded("csv", ["csv", "tsv", "txt"], uploads.from_csv)


def _uploaded(kind: str, types: list[str], read: Callable[[bytes], PointSet]) -> PointSet:
    """An uploaded file, remembered for this session: leaving the page does not lose it."""
    file = st.file_uploader(
        {"image": "Image", "csv": "CSV: x, y and maybe a class"}[kind], types, key=f"_upload_{kind}"
    )
    memory = f"_good_{kind}"
    if file is None and memory not in st.session_state:
        st.caption("Choose a file. Until then: the spiral. A file is not part of the link.")
    fallback = st.session_state.get(memory) or built_in("spiral", N, 0)
    return fallback if file is None else _kept(kind, lambda: read(file.getvalue()), fallback, file.file_id)


def _kept(kind: str, read: Callable[[], PointSet], fallback: PointSet, source: str | None = None) -> PointSet:
    """What ``read`` gives, else its error as a sentence and what was there before. A ``source`` is read only once."""
    memory, last = f"_good_{kind}", f"_last_{kind}"
    known, said = st.session_state.get(last, (None, ""))
    if source is None or source != known:
        said = ""
        try:
            st.session_state[memory] = read()
        except ValueError as error:
            said = f"{error} The data stay as they were."
        st.session_state[last] = (source, said)
    if said:
        shell.sorry(said)
    return st.session_state.get(memory, fallback)
