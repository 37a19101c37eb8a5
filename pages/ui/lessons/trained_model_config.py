"""The controls of chapter 7, and which of them each scene has."""

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from core.data import CLASSES, drawings, paintings, uploads
from core.lessons import trained_model as lesson
from core.lessons import trained_model_people as people
from core.problems import Problem
from pages.ui.frame.links import choice, code, number, place

SAME = "same"  # the class of the way up, on the way down as well
DRAWING = "drawing"
HALF_WIDTH = 2.3  # of the plane that a drawing by hand fills
MEASUREMENTS = ("class", "coordinate", "negative", "mosaic")


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("nearer_spiral", "farther_start", "both"), style="none")
    show: str = choice("start_at_sigma", ("start_at_sigma", "fix_a_part", "invert", "likelihood", "measurement"))
    of: str = choice("points", ("points", "people"))
    model: str = choice("learned", lesson.MODELS)
    shape: str = choice("circle", (*lesson.SHAPES, DRAWING), style="select")
    sigma: float = choice(0.5, lesson.EDIT_SIGMAS, style="slider", main=True)
    value: float = number(0.0, -1.5, 1.5, 0.1, "slider", main=True)
    resamplings: int = choice(1, (1, 2, 3, 4, 5), main=True)
    origin: str = choice("dog", CLASSES, "classes")
    back: str = choice("cat", (SAME, *CLASSES), main=True)
    steps: int = choice(50, lesson.STEPS, style="slider", main=True)
    measured: str = choice("class", MEASUREMENTS, style="radio")
    class_model: str = choice("exact", lesson.MODELS)  # for which both kinds of guidance are equal
    wanted: str = choice("cat", CLASSES, "classes")
    negative: str = choice("cat", CLASSES, "classes", main=True)
    scale: float = number(1.0, 0.0, 4.0, 0.25, "slider", main=True)
    positive_scale: float = number(0.0, 0.0, 4.0, 0.25, "slider", main=True)
    negative_scale: float = number(0.2, 0.0, 2.0, 0.05, "slider", main=True)
    reading: float = number(0.0, -1.5, 1.5, 0.1, "slider", main=True)
    noise: float = choice(0.3, (0.05, 0.1, 0.2, 0.3, 0.5, 1.0), style="slider", main=True)
    seed: int = number(0, 0, 9999)
    scribble: str = choice("hat", (*people.SCRIBBLES, DRAWING), style="radio")
    known: str = choice("top", people.KNOWN, main=True)
    change: str = choice("top_hat", tuple(people.CHANGES), style="select", main=True)
    block: int = choice(4, people.BLOCKS, main=True)
    person: int = number(0, 0, 999)
    draw: str | None = code(drawings.decode)
    paint: str | None = code(paintings.decode)
    probe: tuple[float, float] = place((0.0, 0.9), lesson.REACH)

    @property
    def origin_label(self) -> int:
        """The number of the class that is inverted."""
        return CLASSES.index(self.origin)

    @property
    def back_label(self) -> int:
        """The number of the class of the way down."""
        return self.origin_label if self.back == SAME else CLASSES.index(self.back)

    @property
    def label(self) -> int:
        """The number of the wanted class."""
        return CLASSES.index(self.wanted)

    @property
    def negative_label(self) -> int:
        """The number of the negative class."""
        return CLASSES.index(self.negative)


CONTROLS: dict[str, tuple[str, ...]] = {
    "start_at_sigma": ("sigma", "shape", "model", "seed"),
    "fix_a_part": ("value", "resamplings", "model", "seed"),
    "invert": ("origin", "back", "steps", "model"),
    "likelihood": ("model",),
    "class": ("wanted", "scale", "class_model", "seed"),
    "coordinate": ("reading", "noise", "model", "seed"),
    "negative": ("negative", "negative_scale", "positive_scale", "wanted", "model", "seed"),
    "mosaic": ("block", "person", "seed"),
    "start_people": ("sigma", "scribble", "seed"),
    "fill_people": ("known", "resamplings", "person", "seed"),
    "invert_people": ("change", "person"),
    "likelihood_people": (),
}
"""The controls of each scene, or of what is measured, in the order in which the page draws them."""


WITH_PEOPLE = {
    "start_at_sigma": "start_people",
    "fix_a_part": "fill_people",
    "invert": "invert_people",
    "likelihood": "likelihood_people",
}
"""The scenes that are also shown with pictures of people, and the names of their controls and texts then."""


def part_of(show: str, of: str, measured: str) -> str:
    """The name under which a scene has its controls and texts."""
    if show == "measurement":
        return measured
    return WITH_PEOPLE[show] if of == "people" else show


@lru_cache(64)
def drawn_points(written: str, n: int = lesson.N) -> Tensor:
    """n points along a drawing, where it was drawn on the plane, [n, 2]. Raises Problem for a drawing without a
    line."""
    points = uploads.from_drawing(drawings.decode(written), n)
    return (HALF_WIDTH * (2 * points.affine.invert(points.points.double()) - 1)).float()


def given_points(config: Config) -> Tensor:
    """The points that a scene starts from, [n, 2]: the circle where a drawing cannot be used."""
    if config.shape != DRAWING:
        return lesson.shape(config.shape)
    return lesson.shape("circle") if refusal(config) else drawn_points(str(config.draw))


def refusal(config: Config) -> Problem | None:
    """Why the drawing of a configuration cannot be used, None if it can or if none is asked for."""
    if config.shape != DRAWING:
        return None
    try:
        drawn_points(config.draw or "")
    except Problem as problem:
        return problem
    return None


def painting_refusal(config: Config) -> Problem | None:
    """Why the painting of a configuration cannot be used, None if it can or if none is asked for."""
    if config.scribble != DRAWING:
        return None
    try:
        paintings.picture(config.paint or "")
    except Problem as problem:
        return problem
    return None
