"""Measure what the app and its library have to reach: ``python -m tests.bench [part ...]``.

The parts are live, race (live beside another library), sampling, flows, video, roofline, images, stage, export, app,
lecture, controls, crowd, browse and class; without one, all of them, in an hour on quiet cores. Nothing is asserted:
the table says what was met. Other libraries to measure against are in ``tests/bench/requirements.txt``.
"""

import argparse
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import torch

from tests.bench.figure import HEAD, Figure, circumstances, save, table

PARTS = (
    "live",
    "race",
    "sampling",
    "flows",
    "video",
    "roofline",
    "images",
    "stage",
    "export",
    "app",
    "lecture",
    "controls",
    "crowd",
    "browse",
    "class",
)


def main(arguments: list[str] | None = None) -> list[Figure]:
    """Measure the parts that were asked for; each figure is printed as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "all"], default="all", help="all of them if none is named")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall", help="whose seconds live, race and images count in"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every repeat and the circumstances")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table and the circumstances")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="where race draws its samples, a PNG")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    where = circumstances()
    print(", ".join(f"{name} {value}" for name, value in where.items()), f"\n\n{HEAD}", flush=True)
    figures = []
    for part in [part for part in PARTS if part in asked.parts or "all" in asked.parts]:
        options = {"clock": asked.clock} if part in ("live", "race", "images") else {}
        options |= {"figure": asked.figure} if part == "race" else {}
        try:
            for figure in _measure(part)(**options):
                print(figure.row(), flush=True)
                figures.append(figure)
        except Exception as error:  # what goes wrong in one part must not cost the figures of the others
            print(f"| {part} | could not be measured: {repr(error)[:200]} | | **no** | |", flush=True)
    if asked.json:
        save(figures, where, asked.json)
    if asked.markdown:
        asked.markdown.write_text(table(figures, where))
    return figures


def _measure(part: str) -> Callable[[], Iterator[Figure]]:
    # Only what is asked for is imported: the library's parts need no browser.
    return import_module(f"tests.bench.{part}").measure


if __name__ == "__main__":
    main()
