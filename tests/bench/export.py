"""What a picture costs that leaves the browser: the film and the still files of a scene with a moving field."""

import time
from collections.abc import Iterator
from dataclasses import replace

from core.figures import film, numbers, paper
from core.figures.scene import Scene
from pages.ui.lessons import vector_field
from tests.bench.figure import Figure

NAME = "Three fields of 441 arrows over moving densities"


def measure(repeats: int = 3) -> Iterator[Figure]:
    """The same scene as each kind of file, ``repeats`` times."""
    scene = replace(vector_field.SCENES["fields"](vector_field.Config()), title="The vector field")
    for kind, target in (("mp4", 15.0), ("gif", None)):
        seconds, size = zip(*(_film(scene, kind) for _ in range(repeats)))
        frames = f"{len(scene.clock.values)} frames"
        yield Figure(f"{NAME}: {kind} of {frames}, {film.WIDTHS[kind]} pixels wide", seconds, "s", target)
        yield Figure(f"{NAME}: bytes of the {kind}", size, "MB")
    for kind in paper.KINDS:
        yield Figure(f"{NAME}: {kind}", [_still(scene, kind) for _ in range(repeats)], "s")
    yield Figure(f"{NAME}: npz", [_numbers(scene) for _ in range(repeats)], "s")


def _film(scene: Scene, kind: str) -> tuple[float, float]:
    """Seconds, and millions of bytes."""
    start = time.perf_counter()
    *_, last = film.film(scene, kind)
    return time.perf_counter() - start, len(last.file) / 1e6


def _still(scene: Scene, kind: str) -> float:
    start = time.perf_counter()
    paper.to_file(scene, kind)
    return time.perf_counter() - start


def _numbers(scene: Scene) -> float:
    start = time.perf_counter()
    numbers.to_file(scene, "npz")
    return time.perf_counter() - start
