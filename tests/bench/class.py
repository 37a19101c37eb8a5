"""A class that votes: students on their phones join, look for news as their pages do, and answer within ten seconds.

Each speaks the protocol of Streamlit's own page over a websocket, as in `tests.bench.crowd`. The lecturer opens the
class and reads the votes in the same file as the server.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import quantiles

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from pages.ui.lecture.polls import Polls
from tests.bench.crowd import PATIENCE, Learner, answer, request
from tests.bench.figure import Figure
from tests.serving import serving

QUESTION, OPTIONS = "guidance/guess", ("third", "two_thirds", "nearly_all")
CLASSES = {60: 300.0, 200: None}  # students, and the milliseconds within which 95 % of the taps are to be answered
SECONDS, ARRIVAL = 10.0, 0.05  # in which all vote; between two who join


@dataclass
class Student(Learner):
    """One phone: the code of its class, and by which part of the page each button is drawn."""

    seed: int = 0
    code: str = ""
    parts: dict[str, str] = field(default_factory=dict)
    kept: str = ""  # the id of the component that says who the browser is
    session: str = ""  # what it has to repeat
    late: list[float] = field(default_factory=list)

    def ask(self, fragment: str = "", press: str = "", choose: object = None) -> bytes:
        """The message by which a phone asks for a run: of the page, of a part of it, or for a tap on a button."""
        me = {"values": json.dumps([self.session, {"student": f"{self.seed:032x}"}])}
        told = {self.kept: me} if self.kept else {}
        return request(self, {"class": self.code}, fragment, press, page="join", told=told)

    def hear(self, raw: bytes) -> bool:
        """Take in one message of the server; whether it ends a run."""
        message = ForwardMsg.FromString(raw)
        element = message.delta.new_element
        kind = element.WhichOneof("type") if message.WhichOneof("type") == "delta" else None
        if kind == "button":
            self.parts[element.button.id.rsplit("-", 1)[-1]] = message.delta.fragment_id
        elif kind == "bidi_component" and element.bidi_component.component_name.endswith("kept"):
            *_, self.session = json.loads(element.bidi_component.json)
            self.kept = element.bidi_component.id
        return super().hear(raw)


async def attend(student: Student, address: str, begin: asyncio.Event, wait: float) -> None:
    """Join, look for news as often as the page asks for it, and vote ``wait`` seconds after the beginning."""
    await asyncio.sleep(ARRIVAL * student.seed)
    try:
        async with connect(f"ws{address[4:]}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as channel:
            await answer(student, channel, student.ask(), student.runs)
            await answer(student, channel, student.ask(), student.runs)  # now it says who it is
            key = f"_vote_1_{OPTIONS[student.seed % len(OPTIONS)]}"
            due = None
            while due is None or not student.late or time.monotonic() < due + SECONDS - wait:
                now = time.monotonic()
                if begin.is_set() and due is None:
                    due = now + wait
                if due and now >= due and not student.late:
                    await answer(student, channel, student.ask(student.parts[key], student.buttons[key]), student.late)
                for part, (every, moment) in list(student.every.items()):
                    if moment <= now:
                        student.every[part] = every, now + every
                        await answer(student, channel, student.ask(part), student.ticks)
                await asyncio.sleep(0.02)
    except Exception as error:
        student.errors.append(repr(error)[:200])


async def vote(address: str, code: str, count: int) -> list[Student]:
    """All students of a class."""
    begin, found = asyncio.Event(), [Student(seed=k, code=code) for k in range(count)]
    everyone = asyncio.gather(*(attend(one, address, begin, SECONDS * one.seed / count) for one in found))
    last = time.monotonic() + ARRIVAL * count + PATIENCE
    while not everyone.done() and not all(one.buttons or one.errors for one in found):
        if time.monotonic() > last:
            everyone.cancel()
            raise TimeoutError("not everybody was shown the question")
        await asyncio.sleep(0.1)
    begin.set()
    await everyone
    return found


def measure(repeats: int = 3, classes: dict[int, float | None] = CLASSES) -> Iterator[Figure]:
    """In each repeat a server, a student who warms it, then the class."""
    for count, target in classes.items():
        done, lost, cores = [], [], []
        for _ in range(repeats):
            with serving("app.py") as server:
                polls = Polls(server.classes)
                first, lecturer = polls.open_class(), polls.open_class()
                for each in (first, lecturer):
                    polls.ask(each, QUESTION)
                asyncio.run(vote(server.address, first.code, 1))
                work, begun = server.processor_seconds(), time.monotonic()
                done.append(asyncio.run(vote(server.address, lecturer.code, count)))
                cores.append((server.processor_seconds() - work) / (time.monotonic() - begun))
                lost.append(count - sum(polls.counts(lecturer, QUESTION)[1].values()))
                polls.close_file()
        what = f"Class: {count} students vote within {SECONDS:g} seconds"
        taps = [quantiles([ms for one in each for ms in one.late], n=20) for each in done]
        yield Figure(f"{what}, half of the taps answered within", [cut[9] for cut in taps], "ms")
        yield Figure(f"{what}, 95 % of the taps answered within", [cut[18] for cut in taps], "ms", target)
        looks = [quantiles([ms for one in each for ms in one.ticks], n=20)[18] for each in done]
        yield Figure(f"{what}, 95 % of the looks for news answered within", looks, "ms")
        yield Figure(f"{what}, the server's cores in use", cores, "")
        errors = next((error for each in done for one in each for error in one.errors), "")
        yield Figure(f"{what}, votes lost", lost, "", 0, errors)
