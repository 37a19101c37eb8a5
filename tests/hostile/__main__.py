"""Hostile links and files: ``python -m tests.hostile --links 3000 --files 500`` sends them to a server of its own.

For each it measures how long the answer took and by how much the server's memory grew meanwhile, and at the end it
looks for tracebacks in the server's log. What took more than 5 s or 300 MB, a visitor who was not answered, and a
traceback are faults, are printed and make the exit status 1. Link or file k follows from k alone: ``--first 17 --links
1`` sends that one again. It needs Linux.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from pages.ui.frame import chapters
from tests.hostile.addresses import addresses
from tests.hostile.files import make
from tests.hostile.visitor import Cost, costing, visiting
from tests.serving import Server, serving

SECONDS, MEGABYTES = 5.0, 300.0
FIELDS = {
    "csv": ("training", "data=csv", "_upload_csv"),
    "image": ("training", "data=image", "_upload_image"),
    "picture": ("clip", "show=retrieval&data=emoji&by=file", "_picture"),
    "checkpoint": ("training", "", "_load_training"),
    "images": ("image_models", "show=train&train=live", "_load_image_models"),
}
"""Where a file is taken: the page, its parameters, and the key of the field."""


@dataclass(frozen=True)
class Outcome:
    """What became of a link or a file: what it was, its cost, what the page said, and what went wrong on the way."""

    what: str
    cost: Cost
    said: str = ""
    fault: str = ""

    @property
    def faults(self) -> str:
        """What is wrong with it; nothing if all is well."""
        large = self.cost.seconds > SECONDS or self.cost.megabytes > MEGABYTES
        took = f"{self.cost.seconds:.1f} s, of which the server worked {self.cost.work:.1f} s, and"
        return self.fault or (f"{took} {self.cost.megabytes:.0f} MB" if large else "")


def attempt(server: Server, what: str, do: Callable[[], str]) -> Outcome:
    """Do something that asks the server; it returns what the page said of it."""
    said = fault = ""
    with costing(server) as cost:
        try:
            said = do()
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"[:200]
    return Outcome(what, cost[0], said, fault)


def open_link(server: Server, number: int) -> Outcome:
    """Open a link as a new visitor."""
    page, query = addresses(number)

    def visit() -> str:
        with visiting(server) as visitor:
            visitor.open(page, query)
            return " ".join(visitor.errors)

    return attempt(server, f"link {number}: {page}?{query[:120]}", visit)


def give_file(server: Server, number: int) -> Outcome:
    """Give a file to a field as a new visitor, who looks at the page once more afterwards."""
    door, kind, content = make(number)
    where = {"image": ("image", "picture"), "checkpoint": ("checkpoint", "images"), "plan": ("checkpoint",)}
    places = where.get(door, (door,))
    page, query, key = FIELDS[places[number % len(places)]]
    name = f"{kind}.{'zip' if key.startswith('_load') else 'csv' if key == '_upload_csv' else 'png'}"
    with visiting(server) as visitor:
        visitor.open(page, f"predictions=false&{query}")

        def upload() -> str:
            visitor.upload(key, name, content)
            return " ".join(visitor.errors)

        found = attempt(server, f"file {number}: {kind} of {len(content) / 1e6:.1f} MB on {page}", upload)
        again = attempt(server, f"{found.what}, once more", lambda: visitor.run() or "")
    return max(found, again, key=lambda outcome: bool(outcome.faults))


def look_at_all(server: Server) -> None:
    """Open every scene once: what all visitors share is computed and loaded then."""
    for page in chapters.present():
        for scene in getattr(import_module(f"pages.ui.lessons.{page}"), "SCENES", ("",)):
            with visiting(server) as visitor:
                visitor.open(page, f"predictions=false&show={scene}")


def main(arguments: list[str] | None = None) -> int:
    """Send hostile links and files, print the worst and every fault; the number of faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__.splitlines()[0])
    parser.add_argument("--links", type=int, default=0)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    given = parser.parse_args(arguments)
    # A token would have to be fetched by a browser; it guards against pages of other sites, not against visitors.
    with serving("app.py", STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION="false") as server:
        look_at_all(server)
        faults = 0
        for name, count, send in (("links", given.links, open_link), ("files", given.files, give_file)):
            if count:
                faults += report(name, (twice(send, server, given.first + k) for k in range(count)))
        tracebacks = server.log.read_text().count("Traceback")
        print(f"{tracebacks} tracebacks in the server's log, {server.memory() / 1e6:.0f} MB of memory at the end")
        if tracebacks:
            print(server.log.read_text()[-20_000:], file=sys.stderr)
    return faults + tracebacks


def twice(send: Callable[[Server, int], Outcome], server: Server, number: int) -> Outcome:
    """Send one; where something is wrong with it once more, for others may keep the machine busy for a moment."""
    found = send(server, number)
    return send(server, number) if found.faults else found


def report(name: str, outcomes: Iterator[Outcome]) -> int:
    """Print each fault as it comes, and at the end how long and large the answers were; the number of faults."""
    done, faults = [], 0
    for outcome in outcomes:
        done.append(outcome)
        if outcome.faults:
            faults += 1
            print(f"{outcome.what}: {outcome.faults} {outcome.said}", flush=True)
    seconds, work, memory = (sorted(getattr(outcome.cost, name) for outcome in done) for name in vars(done[0].cost))
    refused = sum(bool(outcome.said) for outcome in done)
    print(f"{len(done):,} {name}: {faults} faults, {refused:,} refused with a sentence. An answer took "
          f"{seconds[len(done) // 2]:.2f} s (half of them), at most {seconds[-1]:.2f} s, {work[-1]:.2f} s of the "
          f"server's processors, and {memory[-1]:.0f} MB.", flush=True)  # fmt: skip
    return faults


if __name__ == "__main__":
    sys.exit(main() > 0)
