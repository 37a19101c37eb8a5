"""The controls of chapter 12, and which of them each scene has."""

from dataclasses import dataclass

from core.data.people import SIDE
from core.data.video import MOTIONS
from core.lessons import video as lesson
from pages.ui.frame.links import choice, number, text
from pages.ui.frame.text import language

SHOW = ("data", "clip", "time_axis", "attention", "guidance", "negative")
LONGEST = 300  # characters of a caption


@dataclass(frozen=True)
class Config:
    """The controls of the page."""

    guess: str | None = choice(None, ("none", "one_in_seven", "one_in_four"), style="none")
    show: str = choice("data", SHOW)
    what: str = choice("motions", ("motions", "faults"), main=True)
    caption: str = text(lambda: lesson.CAPTIONS[language.get()][0], LONGEST, main=True)
    w: float = number(lesson.SCALE, 0.0, 6.0, 0.5, "slider", main=True)
    motion: str = choice("walks_right", MOTIONS, "motions", "select", main=True)
    row: int = number(15, 1, SIDE, 1, "slider", main=True)
    doing: str = choice("stands", MOTIONS, "motions", "select", main=True)
    word: str = text(lambda: lesson.WORD[language.get()], LONGEST, main=True)
    w_negative: float = number(lesson.NEGATIVE_SCALE, 1.0, 6.0, 0.5, "slider", main=True)
    seed: int = number(0, 0, 9999)


CONTROLS: dict[str, tuple[str, ...]] = {
    "data": ("what", "seed"),
    "clip": ("caption", "w", "seed"),
    "time_axis": ("motion", "row", "seed"),
    "attention": ("doing", "seed"),
    "guidance": ("caption", "seed"),
    "negative": ("word", "w_negative", "seed"),
}
"""The controls of each scene, in the order in which the page draws them."""
