"""The next picture of a lecture is made before it is asked for, so that it stands at once.

What a scene computes is kept by caches that the whole process shares. Here a thread computes it from the address alone,
as the command line and the static site do; the run that shows it finds it there.
"""

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

from core.figures import curves, maps
from pages.ui.frame import chapters, links, text

WAITING, KNOWN = 8, 64  # the most scenes that wait, and that are known to be computed

_worker = ThreadPoolExecutor(1, "prepare")  # one after the other: somebody else may be shown something just now
_scenes: dict[tuple, Future] = {}  # by page, parameters and language, from the one asked for first
_lock = threading.Lock()


def scene(page: str, parameters: Mapping[str, str]) -> Future:
    """Compute in the background what a page draws at an address. What was asked for lately is not computed again.

    Where more than `WAITING` wait for their turn, the one that was asked for first is given up: its lecturer has
    probably gone on.
    """
    address = page, tuple(sorted(parameters.items())), text.language.get()
    with _lock:
        known = _scenes.pop(address, None)
        _scenes[address] = known or _worker.submit(text.in_this_language(_compute), page, dict(parameters))
        waiting = [each for each, future in _scenes.items() if not (future.running() or future.done())]
        for each in waiting[:-WAITING]:
            if _scenes[each].cancel():
                del _scenes[each]
        for each in list(_scenes)[:-KNOWN]:
            del _scenes[each]
        return _scenes[address]


@cache
def course() -> Future:
    """Import in the background what the pages draw with, once, so that no first picture of a chapter waits for it."""
    return _worker.submit(_import)


def _import() -> None:
    for module in iter_modules([str(chapters.ROOT / "pages" / "ui" / "lessons")]):
        lesson_of(module.name)
    # Plotly imports most of itself for its first figure of a kind.
    curves.curves([curves.Curve(np.ones(1), np.ones(1), "data", "")], "light", "", "").to_json()
    maps.scatter([maps.Cloud(np.zeros((1, 2)), "data", "circle", "", [""])], "light", "", "").to_json()


def first_scene(page: str) -> str:
    """The scene that a page opens with; "" where it has only one."""
    control = links.controls(lesson_of(page).Config).get("show")
    return str(control.initial) if control else ""


def last_scene(page: str) -> str:
    """The last scene of a page; "" where it has only one."""
    control = links.controls(lesson_of(page).Config).get("show")
    return str(control.choices[-1]) if control else ""


def lesson_of(page: str):
    """The module of a page's lesson, which holds its ``Config`` and its ``SCENES``."""
    return import_module(f"pages.ui.lessons.{page}")  # by name, as the server finds pages: the frame knows no lesson


def _compute(page: str, parameters: dict[str, str]) -> None:
    try:
        lesson = lesson_of(page)
        config, _ = links.parse(lesson.Config, parameters)
        scenes = getattr(lesson, "SCENES", {})
        name = getattr(config, "show", next(iter(scenes), ""))
        if name in scenes:
            scenes[name](config)
    except Exception:  # the run that shows the scene says what is wrong with it
        logging.getLogger(__name__).exception("a scene could not be prepared")
