"""A cache that many threads share."""

from collections.abc import Callable
from functools import lru_cache, wraps
from threading import RLock
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def shared_cache(maxsize: int | None, stripes: int = 64) -> Callable[[F], F]:
    """``functools.lru_cache`` that computes equal calls from several threads once: the others wait for the result.

    A class that opens one page at the same moment asks for the same picture thirty times. Of what is
    loaded there is only one: other caches know a model by its identity. ``maxsize`` None: all results are kept.
    """

    def decorate(function: F) -> F:
        cached = lru_cache(maxsize)(function)
        locks = [RLock() for _ in range(stripes)]

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with locks[hash((args, *sorted(kwargs.items()))) % stripes]:
                return cached(*args, **kwargs)

        call.cache_info, call.cache_clear = cached.cache_info, cached.cache_clear
        return call

    return decorate
