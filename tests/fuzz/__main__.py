"""Random data at every door: ``python -m tests.fuzz [door ...]`` tries 1,000 inputs at each.

An input is read, or refused with a sentence; anything else is a fault, is printed and makes the exit status 1. Input k
of a door follows from its name and k alone: ``python -m tests.fuzz csv --first 17 --n 1`` tries that one again.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from core.problems import Problem
from tests.fuzz.doors import DOORS, Door, check_sentences


@dataclass(frozen=True)
class Outcome:
    """What became of an input: the code of the Problem that refused it, or the traceback of a fault; neither if it was
    read."""

    door: str
    number: int
    seconds: float
    code: str | None = None
    fault: str | None = None


def attempt(door: str, number: int) -> Outcome:
    """Try an input of a door."""
    begun, code, fault = time.perf_counter(), None, None
    silent = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), silent:
        warnings.simplefilter("ignore")
        try:
            code = _refusal(DOORS[door], Random(f"{door} {number}"), Path(folder))
        except Exception:
            fault = traceback.format_exc()
    return Outcome(door, number, time.perf_counter() - begun, code, fault)


def _refusal(door: Door, chance: Random, folder: Path) -> str | None:
    """The code of the Problem that refuses an input; None if it is read."""
    try:
        door(chance, folder)
    except Problem as problem:
        check_sentences(problem)
        return problem.code
    return None


def main(arguments: list[str] | None = None) -> int:
    """Try random inputs, print a row for each door and every fault; the number of faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument(
        "doors", nargs="*", metavar="door", help=f"one of {', '.join(DOORS)}; all of them if none is named"
    )
    parser.add_argument("--n", type=int, default=1000, help="inputs of each door")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    given = parser.parse_args(arguments)
    if unknown := set(given.doors) - set(DOORS):
        parser.error(f"there is no door {', '.join(unknown)}")
    torch.set_num_threads(1)
    faults = 0
    print("| door | inputs | read | refused | sentences | faults | slowest, s |\n" + "| --- " * 7 + "|")
    for door in given.doors or DOORS:
        outcomes = [attempt(door, number) for number in range(given.first, given.first + given.n)]
        wrong = [outcome for outcome in outcomes if outcome.fault]
        codes = Counter(outcome.code for outcome in outcomes if not outcome.fault)
        read, slowest = codes.pop(None, 0), max(outcomes, key=lambda outcome: outcome.seconds)
        print(f"| {door} | {len(outcomes):,} | {read:,} | {codes.total():,} | {len(codes)} | {len(wrong)} "
              f"| {slowest.seconds:.1f} (input {slowest.number}) |", flush=True)  # fmt: skip
        for outcome in wrong:
            print(f"\n{door}, input {outcome.number}:\n{outcome.fault}", file=sys.stderr)
        faults += len(wrong)
    return faults


if __name__ == "__main__":
    sys.exit(main() > 0)
