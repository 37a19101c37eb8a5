"""The cache that many threads share."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

from core.runs.caching import shared_cache


def test_equal_calls_from_many_threads_are_computed_once():
    together, calls, go = Barrier(9), [], Event()

    @shared_cache(4)
    def slow(x: int) -> int:
        calls.append(x)
        go.wait(10)
        return 2 * x

    def ask(_: int) -> int:
        together.wait(10)
        return slow(3)

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(ask, range(8))
        together.wait(10)
        go.set()
        assert list(answers) == [6] * 8
    assert calls == [3]


def test_the_oldest_result_is_dropped_and_an_error_is_not_kept():
    calls = []

    @shared_cache(1)
    def half(x: int) -> float:
        calls.append(x)
        return 1 / x

    for x in (1, 2, 1):
        half(x)
    for _ in range(2):
        try:
            half(0)
        except ZeroDivisionError:
            pass
    assert calls == [1, 2, 1, 0, 0]
