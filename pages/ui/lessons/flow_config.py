"""The controls of chapter 6, which of them each scene has, and what its scenes draw with."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from core import limits
from core.data import drawings
from core.data.images import PICTURES
from core.data.points import BUILT_IN
from core.figures.scene import Clock, Layer, Panel, Points, Scene
from core.lessons import flow_matching as lesson
from core.lessons.few_steps import CHORDS, MEAN
from pages.ui.frame.links import choice, code, number, place, text, toggle
from pages.ui.frame.text import t
from pages.ui.runs import training_run
from pages.ui.widgets.dataset_picker import DATA, WORD, N

FRAMES = 41  # of the clock t, from 1 to 0
SECONDS = 5  # in which the clock goes from 1 to 0
REACH = 2.6  # half the width of a panel
COARSE = 600  # points that stand in for the endless spiral where many samples are drawn
PAIRS = (1, 2, 5, 20, 100, lesson.EVEN)
STEPS = (1, 2, 4, 8, 16, 64)
ALL_PAIRS, MANY = PAIRS[-1], STEPS[-1]
GAUSSIAN = "gaussian"  # the source of noise
SOURCES = (GAUSSIAN, *BUILT_IN, "word", "drawing")
CALLS = (1, 2, 4, 8, 64)


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("straight", "bent", "random"), style="none")
    show: str = choice("lines", ("lines", "euler", "couplings", "reflow", "few_steps", "chords", "transport", "shift"))
    pairs: int = choice(ALL_PAIRS, PAIRS, style="slider", main=True)
    steps: int = choice(4, STEPS, style="slider", main=True)
    batch: int = choice(256, (1, 4, 16, 64, 256), style="slider", main=True)
    classes: bool = toggle(False, main=True)
    image: str = choice("octopus", tuple(name for name in PICTURES if not name.startswith("person")), style="select")
    source: str = choice("moons", SOURCES, "data", "select", main=True)
    data: str = choice("spiral", DATA, "data", "select", main=True)
    word: str = text(WORD, limits.LETTERS)
    draw: str | None = code(drawings.decode)
    calls: int = choice(1, CALLS, style="slider", main=True)
    mean: str = choice(CHORDS, (CHORDS, MEAN), "models", "radio")
    probe: tuple[float, float] = place((1.2, -0.9), REACH)
    at: tuple[float, float] = place((-0.9, -1.2), REACH)
    level: float = choice(2.0, (0.5, 1.0, 2.0, 3.0, 4.0), style="slider", main=True)
    seed: int = number(0, 0, 9999)
    run: str | None = code(training_run.check_run)

    @property
    def fresh(self) -> bool:
        """Training of a flow draws fresh points in every step."""
        return True

    @property
    def n(self) -> int:
        """The points of a built-in set that are drawn."""
        return N


CONTROLS: dict[str, tuple[str, ...]] = {
    "lines": ("pairs", "seed"),
    "euler": ("steps", "seed"),
    "transport": (),
    "couplings": ("classes", "batch", "seed"),
    "reflow": (),
    "few_steps": ("calls",),
    "chords": ("mean",),
    "shift": ("level", "image", "seed"),
}
"""The controls of each scene."""
PROBED = {"transport": "probe", "chords": "at"}
"""The control that holds the place of the probe in a scene that has one."""


def frame_times() -> Tensor:
    """The times of the frames, [FRAMES] float64."""
    return lesson.even_times(FRAMES - 1)


def on_clock(panels: Sequence[Panel], alt: str, start: int) -> Scene:
    """Panels on the clock t, which goes from noise to data; a fresh one stands at frame ``start``."""
    return Scene(panels, Clock(frame_times(), "t", 2, start), alt, fps=FRAMES / SECONDS)


def plane(title: str, layers: Sequence[Layer], **options) -> Panel:
    """A panel of the plane."""
    return Panel(title, layers, (-REACH, REACH), (-REACH, REACH), **options)


def data_layer(points: Tensor) -> Points:
    """The data under everything else."""
    return Points(points, "data", size=3 if len(points) <= 20 else 1.8, alpha=0.7, label=t("flow_matching.layers.data"))
