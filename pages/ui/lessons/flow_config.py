"""The controls of chapter 6, which of them each scene has, and what its scenes draw with."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from core.data.images import PICTURES
from core.figures.scene import Clock, Layer, Panel, Points, Scene
from core.lessons import flow_matching as lesson
from pages.ui.frame.links import choice, number, toggle
from pages.ui.frame.text import t

FRAMES = 41  # of the clock t, from 1 to 0
SECONDS = 5  # in which the clock goes from 1 to 0
REACH = 2.6  # half the width of a panel
COARSE = 600  # points that stand in for the endless spiral where many samples are drawn
PAIRS = (1, 2, 5, 20, 100, lesson.EVEN)
STEPS = (1, 2, 4, 8, 16, 64)
ALL_PAIRS, MANY = PAIRS[-1], STEPS[-1]


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("straight", "bent", "random"), style="none")
    show: str = choice("lines", ("lines", "euler", "couplings", "shift"))
    pairs: int = choice(ALL_PAIRS, PAIRS, style="slider", main=True)
    steps: int = choice(4, STEPS, style="slider", main=True)
    batch: int = choice(256, (1, 4, 16, 64, 256), style="slider", main=True)
    classes: bool = toggle(False, main=True)
    image: str = choice("octopus", tuple(name for name in PICTURES if not name.startswith("person")), style="select")
    level: float = choice(2.0, (0.5, 1.0, 2.0, 3.0, 4.0), style="slider", main=True)
    seed: int = number(0, 0, 9999)


CONTROLS: dict[str, tuple[str, ...]] = {
    "lines": ("pairs", "seed"),
    "euler": ("steps", "seed"),
    "couplings": ("classes", "batch", "seed"),
    "shift": ("level", "image", "seed"),
}
"""The controls of each scene."""


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
