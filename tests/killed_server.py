"""A server killed in the middle of a lesson: ``python -m tests.killed_server [--times 10] [--learners 6]``.

Learners, each in a browser of their own, train models, upload files, draw and vote. So many times the server is killed
(kill -9) at a random moment and started again at its address and with its folders. Every second time the learners wait
until their pages go on by themselves, the other times they open their addresses as on another day. All that a page had
said to be done has to be there again: the answer, file, drawing and vote of each learner, and the run of all but the
last half minute.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from statistics import mean

from playwright.sync_api import Error, Page, expect

from core.runs.jobs import KEEP_EVERY
from pages.ui.frame import chapters, class_view
from pages.ui.frame.text import t
from pages.ui.lecture.polls import Lecturer, Polls
from tests.browser import browsing
from tests.e2e.classroom import COUNTED, PHONE, choice, join, vote
from tests.e2e.conftest import SHARED, SIZE
from tests.e2e.learner import box, rest
from tests.e2e.test_training import STEP, Trainer, drawn
from tests.serving import Server, free_port, serving

QUESTIONS = [f"{page}/guess" for page in chapters.present() if class_view.answers(f"{page}/guess")]
OFFERED = "stBaseButton-secondary"  # an answer that the class does not have from this phone
GUESS = "extent_first"  # what every learner predicts at the chapter of training
PAUSE = 1.5 * KEEP_EVERY  # seconds at most that pass in a round besides what is done in it
PATIENCE, SOON = 60_000, 15_000  # milliseconds that a page may take for anything; after which a person tries again
# Notes twice a second in the page's own memory which step is shown, and when (ms since 1970).
WATCH = """pattern => {
    globalThis.__seen = []
    globalThis.__watch ??= setInterval(() => {
        const shown = new RegExp(pattern).exec(document.querySelector('.st-key-picture')?.innerText ?? '')
        if (shown) __seen.push([Date.now(), +shown[1].replaceAll(',', '')])
    }, 500)
}"""


@dataclass
class Seat:
    """A learner at the chapter of training, with a phone for votes, and what was said to be done there."""

    learner: Trainer
    phone: Page
    address: str  # the parameters with which the learner comes in
    make: Callable[["Seat", int], None]  # what the learner does in a round, besides voting
    file: str = ""
    drawing: str = ""
    votes: dict[str, str] = field(default_factory=dict)  # by question
    repeated: int = 0  # how often something had to be done again, because the page had not taken notice of it

    def train(self) -> None:
        """Begin a run, unless there is one, and note from now on which steps are shown."""
        if "run" not in self.learner.parameters():
            self.twice(self.learner.main.click, "run=")
            self.learner.page.evaluate(WATCH, STEP)

    def twice(self, act: Callable[[], object], address: str) -> None:
        """Do something that the address shows; once more if it does not for a while, as a person would."""
        act()
        try:
            expect(self.learner.page).to_have_url(re.compile(address), timeout=SOON)
        except AssertionError:
            self.repeated += 1
            act()
            self.learner.is_in_the_address(address)

    def upload(self, number: int) -> None:
        """Bring another file, and train on it."""
        rows = "".join(f"{k},{k * k % (11 + number)}\n" for k in range(60)).encode()
        name = f"points-{number}.csv"
        fields = self.learner.page.locator("input[type=file]").first
        fields.set_input_files({"name": name, "mimeType": "text/csv", "buffer": rows})
        expect(self._kept(name)).to_be_visible()
        self.file = name
        self.learner.rests(live=True)
        self.train()

    def _kept(self, name: str):
        return self.learner.page.get_by_text(re.compile(re.escape(t("frame.stored.kept", name=name))))

    def draw(self, number: int) -> None:
        """Draw another line, and train on the drawing."""
        y, brush, mouse = 0.1 + 0.08 * number, drawn(self.learner), self.learner.page.mouse

        def stroke() -> None:
            brush.scroll_into_view_if_needed()
            at = box(brush, live=True)
            for step, (right, up) in enumerate(((0.1, y), (0.9, 1 - y))):
                mouse.move(at["x"] + right * at["width"], at["y"] + (1 - up) * at["height"], steps=8)
                if step == 0:
                    mouse.down()
            mouse.up()

        self.twice(stroke, rf"draw=(?!{re.escape(self.drawing)}(&|$))" if self.drawing else "draw=")
        self.learner.rests(live=True)
        self.drawing = self.learner.parameters()["draw"][0]
        self.train()

    def vote(self, question: str, number: int) -> None:
        """Give the class one of the answers, and wait until it is counted."""
        option = [*class_view.answers(question)][number % 3]
        vote(self.phone, option)
        self.votes[question] = option

    def look_for_all(self, anew: bool) -> None:
        """After a restart: wait until the page and all that was done are there. ``anew``: open it, as another day."""
        page = self.learner.page
        if anew:
            self.learner.open(self.address)
            self.phone.reload()
        expect(page.get_by_role("alert").filter(has_text=t("frame.lost.title"))).to_have_count(0)
        self.learner.rests(live=True)
        self.learner.is_in_the_address(f"guess={GUESS}")
        if self.file:
            expect(self._kept(self.file)).to_be_visible()
        if self.drawing:
            self.learner.is_in_the_address(re.escape(f"draw={self.drawing}"))

    def look_for_vote(self, question: str) -> None:
        """After a restart: the phone shows the answer that it gave."""
        for option in class_view.answers(question):
            given = self.votes.get(question) == option
            expect(choice(self.phone, option)).to_have_attribute("data-testid", COUNTED if given else OFFERED)

    def resume(self, run: str, kept: bool) -> int:
        """Go on with the run, and the step at which it was found; 0 where it was too young to be kept and is begun
        anew."""
        page, step = self.learner.page, 0
        if kept:
            offer, here = self.learner.button("_restore"), page.locator(".message:visible", has_text=HERE)
            expect(offer.or_(here)).to_be_visible()
            (offer if offer.count() else self.learner.main).click()
            self.learner.is_in_the_address(f"run={run}")
            step = self.learner.step()
        self.train()
        page.evaluate(WATCH, STEP)
        return step


HERE = t("runs.restored.here", step=0).partition(",")[0]  # after it come the explanations of terms


def lost(seen: list[list[float]], step: int, moment: float) -> float:
    """For how many seconds a step had been shown at a moment that is no longer there, of the oldest one; 0: none."""
    later = [when for when, shown in seen if shown > step]
    return max(0.0, moment - min(later) / 1000) if later else 0.0


@dataclass
class Lesson:
    """The class, its server's place, and what the kills have cost."""

    address: str
    folder: Path
    polls: Polls
    lecturer: Lecturer
    seats: list[Seat] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of training that a kill took from a run
    back: list[float] = field(default_factory=list)  # seconds from a kill until all pages are there again
    faults: list[str] = field(default_factory=list)

    def serve(self, stack: ExitStack) -> Server:
        """A server at this lesson's address, with its folders."""
        places = {"IMAGE_RUNS": self.folder, "LIVE_RUNS": self.folder / "live", "CLASS_DB": self.folder / "classes.db"}
        environment = {name: str(place) for name, place in places.items()}
        return stack.enter_context(serving("app.py", port=int(self.address.rpartition(":")[2]), **environment))

    def noted(self, what: str, act: partial) -> object:
        """What an act returns; a failure is a fault that is noted, with what the page shows, and the lesson goes on."""
        try:
            return act()
        except (AssertionError, LookupError, TypeError, Error) as error:
            seat = getattr(act.func, "__self__", None) or act.args[0]
            shown = [page.locator("body").inner_text() for page in (seat.learner.page, seat.phone)]
            parts = [" ".join(each.split())[:500] for each in (str(error), *shown)]
            self.faults.append(f"{what}: {parts[0]}\nthe page: {parts[1]}\nthe phone: {parts[2]}")
            print(self.faults[-1], file=sys.stderr, flush=True)

    def round(self, number: int, server: Server, chance: Random) -> tuple[Server, ExitStack]:
        """One round: some act, the server is killed and started again, all look for what they had, the others act."""
        question, seats = QUESTIONS[number], self.seats
        self.polls.ask(self.lecturer, question)
        acts = []
        for k, seat in enumerate(seats):
            acts.append((f"round {number}, learner {k}, making", partial(seat.make, seat, number)))
            acts.append((f"round {number}, learner {k}, voting", partial(seat.vote, question, k)))
        chance.shuffle(acts)
        before = chance.randint(0, len(acts))
        for what, act in acts[:before]:
            self.noted(what, act)
        seats[0].learner.page.wait_for_timeout(1000 * chance.uniform(0, PAUSE))
        os.kill(server.pid, signal.SIGKILL)
        killed = time.time()
        self.read_log(number, server)
        runs = [seat.learner.parameters().get("run", [""])[0] for seat in seats]
        seen = [seat.learner.page.evaluate("globalThis.__seen ?? []") for seat in seats]
        kept = [bool(run) and (self.folder / "live" / f"{run}.zip").exists() for run in runs]
        stack = ExitStack()
        server = self.serve(stack)
        for k, seat in enumerate(seats):
            self.noted(f"round {number}, learner {k}, after it", partial(seat.look_for_all, bool(number % 2)))
        self.back.append(time.time() - killed)
        for k, seat in enumerate(seats):
            self.noted(f"round {number}, learner {k}, vote", partial(seat.look_for_vote, question))
            if runs[k]:
                step = self.noted(f"round {number}, learner {k}, run", partial(seat.resume, runs[k], kept[k]))
                self.seconds.append(lost(seen[k], step or 0, killed))
        for what, act in acts[before:]:
            self.noted(what, act)
        return server, stack

    def read_log(self, number: int, server: Server) -> None:
        """A traceback in the server's log is a fault."""
        log = server.log.read_text(errors="replace")
        if "Traceback" in log:
            self.faults.append(f"server of round {number}: {log[log.index('Traceback') :][:3000]}")
            print(self.faults[-1], file=sys.stderr, flush=True)

    def report(self) -> str:
        """What the kills so far have cost."""
        votes, runs = sum(len(seat.votes) for seat in self.seats), self.seconds or [0.0]
        return f"""{len(self.back)} kills, {len(self.seats)} learners; faults: {len(self.faults)}
done again, because a page took no notice: {sum(seat.repeated for seat in self.seats)}
votes that phones showed as counted: {votes}, lost: {self.votes_lost()}
runs: {len(self.seconds)}; seconds of training lost: mean {mean(runs):.1f}, most {max(runs):.1f}
seconds until all pages are there again: mean {mean(self.back):.1f}, most {max(self.back):.1f}"""

    def votes_lost(self) -> int:
        """How many of the votes that phones showed as counted are not."""
        missing = 0
        for question in QUESTIONS:
            given = Counter(seat.votes[question] for seat in self.seats if question in seat.votes)
            missing += sum((given - Counter(self.polls.counts(self.lecturer, question).get(1, {}))).values())
        return missing


def trainer(seat: Seat, number: int) -> None:
    """Who only trains goes on with the run, and begins another once it is at its end."""
    if seat.learner.main.is_disabled():
        seat.learner.reset.click()
        seat.learner.rests()
    seat.train()


ROLES = (("seed={seed}", trainer), ("seed={seed}&data=csv", Seat.upload), ("seed={seed}&data=drawing", Seat.draw))


def arrive(lesson: Lesson, learners: int, contexts: Iterator) -> None:
    """Everybody comes in, predicts, and joins the class."""
    for number, context in zip(range(learners), contexts):
        address, make = ROLES[number % len(ROLES)]
        seat = Seat(
            Trainer(context.new_page(), lesson.address), context.new_page(), address.format(seed=300 + number), make
        )
        seat.phone.set_default_timeout(PATIENCE)
        seat.phone.set_viewport_size(PHONE)
        lesson.seats.append(seat)
        seat.learner.open(seat.address)
        seat.learner.button(f"_guess_{GUESS}").click()
        seat.learner.is_in_the_address(f"guess={GUESS}")
        join(seat.phone, f"{lesson.address}/join?class={lesson.lecturer.code}")
        rest(seat.phone)


def kill(times: int, learners: int, folder: Path) -> Lesson:
    """The whole lesson, and what it has cost."""
    expect.set_options(timeout=PATIENCE)
    polls = Polls(folder / "classes.db")
    lesson = Lesson(f"http://127.0.0.1:{free_port()}", folder, polls, polls.open_class())
    with ExitStack() as last, browsing(SHARED) as browser:
        server = lesson.serve(last)
        windows = (browser.new_context(viewport=SIZE, reduced_motion="reduce") for _ in range(learners))
        arrive(lesson, learners, windows)
        for number in range(times):
            server, stack = lesson.round(number, server, Random(number))
            last.push(stack)
            print(lesson.report(), file=sys.stderr, flush=True)
        lesson.read_log(times, server)
    return lesson


def main(arguments: list[str] | None = None) -> int:
    """Hold the lesson and print what it has cost; the number of things that were lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.killed_server", description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, choices=range(1, len(QUESTIONS) + 1), metavar="TIMES")
    parser.add_argument("--learners", type=int, default=6)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        lesson = kill(given.times, given.learners, Path(folder))
        print(lesson.report())
        return len(lesson.faults) + lesson.votes_lost() + sum(each > KEEP_EVERY for each in lesson.seconds)


if __name__ == "__main__":
    sys.exit(main() > 0)
