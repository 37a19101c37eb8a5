"""Many visitors on one server who only read: each opens another scene or page every five seconds, without a browser.

``python -m tests.bench browse`` takes a hundred and then two hundred of them. What the server holds open and what of it
stays when they have gone is counted on Linux.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from websockets.asyncio.client import connect

from pages.ui.frame import chapters, links, prepare
from tests.bench.crowd import ARRIVAL, OFTEN, Learner, answer, look, request
from tests.bench.figure import Figure
from tests.serving import Server, serving

CROWDS, SECONDS = (100, 200), 60.0
HALF, MOST = 300.0, 1000.0  # milliseconds from an action to the end of its run: the median, and 95 of 100
MEMORY = 1.2 * 1024  # MiB of a server with a hundred


@dataclass
class Visitor(Learner):
    """One session that goes from scene to scene."""

    place: tuple[str, str] = ("home", "")  # the page, and the scene with which it was opened

    def ask(self, fragment: str = "", choose: tuple[str, str] | None = None, **_: str) -> bytes:
        """The message by which a page asks for a run of all of it, of one fragment, or by a segmented control."""
        page, scene = self.place
        query = {"predictions": "false", **({"show": scene} if scene else {})}
        return request(self, query, fragment, choose=choose, page="" if page == "home" else page)

    def move(self, order: random.Random) -> bytes:
        """The message by which another scene of the page is opened, or another page, which is one of three moves."""
        scenes = [(control, names) for control, names in self.choices.items() if control.endswith("-show")]
        if scenes and order.random() < 2 / 3:
            control, names = scenes[-1]
            return self.ask(choose=(control, order.choice(names)))
        self.choices.clear()
        self.place = order.choice(chapters.present()), ""
        return self.ask()


@dataclass(frozen=True)
class Held:
    """What a server holds: MiB of memory, open files, threads."""

    memory: float
    files: int
    threads: int

    @classmethod
    def by(cls, server: Server) -> "Held":
        """What it holds now (Linux)."""
        process = Path(f"/proc/{server.pid}")
        return cls(server.memory() / 2**20, len([*(process / "fd").iterdir()]), len([*(process / "task").iterdir()]))


def scenes() -> list[tuple[str, str]]:
    """Every page with every scene, as (page, scene)."""
    found = []
    for page in chapters.present():
        controls = links.controls(prepare.lesson_of(page).Config) if page != "glossary" else {}
        found += [(page, scene) for scene in (controls["show"].choices if "show" in controls else ("",))]
    return found


async def visit(visitor: Visitor, address: str, wait: float, seconds: float) -> None:
    """Come in and open a scene every five seconds; meanwhile run those parts of the page that are due."""
    await asyncio.sleep(wait)
    order = random.Random(visitor.seed)
    try:
        async with connect(f"ws{address[4:]}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as channel:
            end, moved = time.monotonic() + seconds, 0.0
            while (now := time.monotonic()) < end:
                if now > moved + OFTEN:
                    moved = now
                    await answer(visitor, channel, visitor.move(order), visitor.runs)
                await look(visitor, channel)
    except Exception as error:
        visitor.errors.append(repr(error)[:200])


async def browse(server: Server, visitors: int, seconds: float) -> tuple[list[Visitor], Held]:
    """All visitors, and the most that the server held."""
    found, most = [Visitor(k) for k in range(visitors)], Held(0, 0, 0)
    arrival = min(ARRIVAL, OFTEN / visitors)  # in as many seconds as pass between two actions of one
    everyone = asyncio.gather(*(visit(one, server.address, arrival * k, seconds) for k, one in enumerate(found)))
    while not everyone.done():
        now = Held.by(server)
        most = Held(*(max(getattr(each, part) for each in (now, most)) for part in ("memory", "files", "threads")))
        await asyncio.wait([everyone], timeout=1.0)
    return found, most


def measure(crowds: tuple[int, ...] = CROWDS, seconds: float = SECONDS) -> Iterator[Figure]:
    """A server whose first visitor has seen every scene, then the crowds, one after the other."""
    with serving("app.py") as server:
        asyncio.run(warm(server))
        for visitors in crowds:
            before, work, begun = Held.by(server), server.processor_seconds(), time.monotonic()
            found, most = asyncio.run(browse(server, visitors, seconds))
            load = (server.processor_seconds() - work) / (time.monotonic() - begun)
            cuts = quantiles([ms for one in found for ms in one.runs], n=20)
            errors = sum((one.errors for one in found), [])
            what = f"Browsing: {visitors} visitors on one server, a scene every {OFTEN:g} s"
            yield Figure(f"{what}, half of them within", [cuts[9]], "ms", HALF if visitors <= 100 else None)
            yield Figure(f"{what}, 95 % within", [cuts[18]], "ms", MOST if visitors <= 100 else None)
            yield Figure(f"{what}, errors", [len(errors)], "", 0, next(iter(errors), ""))
            yield Figure(f"{what}, memory", [most.memory], "MiB", MEMORY if visitors <= 100 else None)
            yield Figure(f"{what}, open files for each", [(most.files - before.files) / visitors], "")
            yield Figure(f"{what}, the server's cores in use", [load], "")


async def warm(server: Server) -> None:
    """Visitors see every scene, one after the other."""
    address = f"ws{server.address[4:]}/_stcore/stream"
    for place in scenes():
        visitor = Visitor(0, place=place)
        async with connect(address, subprotocols=["streamlit"], max_size=None) as channel:
            await answer(visitor, channel, visitor.ask(), visitor.runs)
