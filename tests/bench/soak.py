"""Thirty learners on one server for a long time: ``python -m tests.bench.soak --minutes 60``.

Half of them train and half go from scene to scene. Each stays for a minute or two and is followed by another, as in a
course with many lessons. Memory, threads and open files should end as they were after a sixth of the time.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator

from tests.bench.browse import Held, Visitor, visit, warm
from tests.bench.crowd import Learner, lesson
from tests.bench.figure import HEAD, Figure
from tests.serving import Server, serving

LEARNERS, STAY = 30, (60.0, 120.0)  # seconds of the first and of the last place in the room
SETTLED, GROWTH = 1 / 6, 1.05  # of the time, after which nothing is to grow; of memory, beyond what it had then


async def place(server: Server, number: int, until: float, found: list[Learner]) -> None:
    """One place in the room: a learner after the other, until the time is over."""
    stay = STAY[0] + (STAY[1] - STAY[0]) * number / LEARNERS
    while (left := until - time.monotonic()) > 0:
        seed = len(found)
        found.append(Learner(seed) if number % 2 else Visitor(seed))
        await (lesson if number % 2 else visit)(found[-1], server.address, 0.0, min(stay, left))


async def soak(server: Server, minutes: float, learners: int = LEARNERS) -> tuple[list[Learner], Held, Held]:
    """All learners; what the server held after a sixth of the time, and at the end, while all are there."""
    found: list[Learner] = []
    begun, seconds = time.monotonic(), 60 * minutes
    everyone = asyncio.gather(*(place(server, k, begun + seconds, found) for k in range(learners)))
    held = []
    for share in (SETTLED, 1.0):
        await asyncio.sleep(max(0.0, begun + share * seconds - 1.0 - time.monotonic()))
        held.append(Held.by(server))
    await everyone
    return found, *held


def measure(minutes: float, learners: int = LEARNERS) -> Iterator[Figure]:
    """One server and its learners for so long."""
    with serving("app.py") as server:
        asyncio.run(warm(server))
        found, early, late = asyncio.run(soak(server, minutes, learners))
    errors = sum((one.errors for one in found), [])
    what = f"Soak: {learners} places for {minutes:g} minutes, {len(found)} learners"
    yield Figure(f"{what}, errors", [len(errors)], "", 0, next(iter(errors), ""))
    yield Figure(
        f"{what}, memory", [late.memory], "MiB", GROWTH * early.memory, f"{early.memory:.0f} MiB after a sixth"
    )
    yield Figure(f"{what}, threads", [late.threads], "", note=f"{early.threads} after a sixth")
    yield Figure(f"{what}, open files", [late.files], "", note=f"{early.files} after a sixth")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    given = parser.parse_args()
    print(HEAD)
    for figure in measure(given.minutes):
        print(figure.row(), flush=True)
