"""Hostile links and files: the first of those that ``python -m tests.hostile`` sends, without a server."""

import math
from collections.abc import Callable
from random import Random

import pytest

from core.data import uploads
from core.problems import Problem
from core.runs import checkpoints
from pages.ui.frame import chapters, links
from pages.ui.lecture import plan
from tests.hostile import addresses, files

READERS: dict[str, Callable] = {
    "csv": uploads.from_csv,
    "image": uploads.from_image,
    "checkpoint": checkpoints.from_bytes,
    "plan": lambda content: plan.read(content, chapters.present()),
}


def numbers(value: object) -> list[float]:
    """All numbers in the value of a control."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers(part)]
    if isinstance(value, tuple | list):
        return [number for part in value for number in numbers(part)]
    return [value] if isinstance(value, int | float) else []


@pytest.mark.parametrize("page", chapters.present())
def test_every_control_of_a_page_takes_a_finite_value_that_it_can_write_or_none(page):
    wrong = []
    for name, control in addresses.pages()[page].items():
        for raw in addresses.ODD:
            try:
                value = links.value_of(control, raw)
            except ValueError:
                continue
            fits = all(map(math.isfinite, numbers(value))) and links.value_of(control, control.write(value)) == value
            wrong += [] if fits else [f"{name}={raw[:40]}"]
    assert not wrong


@pytest.mark.parametrize("kind", files.KINDS)
def test_a_hostile_file_is_read_or_refused_with_a_sentence(kind):
    (door,) = [door for door, kinds in files.DOORS.items() if kind in kinds]
    for k in range(6):
        content = files.KINDS[kind](Random(f"{kind} {k}"), 0.01)
        try:
            READERS[door](content)
        except Problem as problem:
            assert 10 < len(str(problem)) < 1_000
