"""Scenes that all visitors share: a class that opens one page sees one picture, which is made and packed once."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from core.figures.scene import Scene
from core.runs.caching import shared_cache
from pages.ui.frame import text

MOST = 48  # scenes that are kept, of all pages together; the largest hold four megabytes


def shared_scene(make: Callable[..., Scene]) -> Callable[..., Scene]:
    """A function that makes a scene from a page's configuration alone: equal configurations give one and the same scene
    in each language. Called with more, such as a model of the visitor's own, it makes the scene anew."""

    @wraps(make)
    def scene(config: Any, *given: Any, **more: Any) -> Scene:
        if any(each is not None for each in (*given, *more.values())):
            return make(config, *given, **more)
        return _made(make, config, text.language.get())

    return scene


@shared_cache(MOST)
def _made(make: Callable[..., Scene], config: Any, language: str) -> Scene:
    return make(config)
