"""The player's JavaScript as one text, for the component of a page and for a file that stands alone."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from core.figures.palette import ROLES, SEQUENTIAL
from pages.ui.frame import text

HERE = Path(__file__).parent
FILES = ("layout.js", "matrix.js", "paint.js", "readout.js", "input.js", "stage.js")
WORDS = (
    "player", "role", "figure", "play", "pause", "back", "forward", "loop", "speed", "whole", "save", "export", "frame",
    "clock", "keys", "keys_probe", "probe", "point", "arrow", "vector", "particle", "value", "curve", "image", "pixel",
    "cell",
)  # fmt: skip
"""What the player shows or tells a screen reader: names of entries of the catalogue."""


def words(languages: Iterable[str]) -> dict[str, dict[str, str]]:
    """The texts of ``WORDS`` in each language; their placeholders are filled in the browser. They travel with the
    player's code, and a scene names its language only."""
    found = {}
    for name in languages:
        token = text.language.set(name)
        found[name] = {word: text.entry(f"frame.stage.{word}") for word in WORDS}
        text.language.reset(token)
    return found


def source(languages: Iterable[str]) -> str:
    """The code that defines ``show``: palette, style and player in one script, without indentation and comment lines.
    It speaks ``languages``."""
    roles = {name: [role.light, role.dark, role.shape, role.dash] for name, role in ROLES.items()}
    style = (HERE / "stage.css").read_text("utf-8")
    constants = {"ROLES": roles, "RAMPS": SEQUENTIAL, "WORDS": words(languages), "CSS": style}
    given = [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    code = "\n".join([*given, *((HERE / name).read_text("utf-8") for name in FILES)])
    return re.sub(r"^\s*(//.*)?\n?", "", code, flags=re.MULTILINE)
