"""A class on one server: learners who open a page, train, poll and move controls, all at once, without a browser.

Each speaks the protocol of Streamlit's own page over a websocket. What a browser would do with the answers is not in
the figures; what the server takes to give them is, while this driver takes its share of the same cores.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import quantiles
from urllib.parse import urlencode

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from tests.bench.figure import Figure
from tests.reading import without_entries
from tests.serving import Server, serving

LEARNERS, SEEDS, SECONDS = 30, 4, 40.0  # several learners share the run of one seed
ARRIVAL = 0.2  # seconds between two arrivals
OFTEN = 5.0  # seconds between two moves of a control
PATIENCE = 60.0  # seconds without a word after which a learner gives up, which is an error
SOON, STEP = 500.0, re.compile(r"step ([\d,]+)")


@dataclass
class Learner:
    """One session: what the server has shown it, and how long each of its runs took, in ms."""

    seed: int
    runs: list[float] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    steps: list[tuple[float, int]] = field(default_factory=list)  # (when, training step)
    every: dict[str, tuple[float, float]] = field(default_factory=dict)  # fragment: interval, due
    buttons: dict[str, str] = field(default_factory=dict)  # by key
    choices: dict[str, list[str]] = field(default_factory=dict)  # segmented control: its options
    page: str = ""  # the server's name of the page that it shows
    known: set[str] = field(default_factory=set)  # hashes of large messages, which are then sent once

    def ask(self, fragment: str = "", press: str = "", choose: tuple[str, str] | None = None) -> bytes:
        """The message by which a page asks for a run: of one fragment, by a button, or by a segmented control."""
        place = {"page": "" if self.page else "training", "script": self.page}
        return request(self, {"predictions": "false", "seed": self.seed}, fragment, press, choose, **place)

    def hear(self, raw: bytes) -> bool:
        """Take in one message of the server; whether it ends a run."""
        message = ForwardMsg.FromString(raw)
        kind = message.WhichOneof("type")
        if message.hash and len(raw) > 10_000:
            self.known.add(message.hash)
        if kind == "navigation":
            self.page = message.navigation.page_script_hash
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self.every.clear()  # a run of the whole page says anew which of its parts are to be looked at again
        elif kind == "auto_rerun":
            every = message.auto_rerun.interval
            self.every[message.auto_rerun.fragment_id] = every, time.monotonic() + every
        elif kind == "stop_auto_rerun":
            self.every.pop(message.stop_auto_rerun.fragment_id, None)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self.see(message.delta.new_element)
        elif kind == "session_event" and message.session_event.WhichOneof("type") == "script_compilation_exception":
            self.errors.append("the page does not compile")
        return kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN

    def see(self, element) -> None:
        """Remember what can be pressed and moved, what went wrong, and how far training is."""
        kind = element.WhichOneof("type")
        if kind == "button":
            self.buttons[element.button.id.rsplit("-", 1)[-1]] = element.button.id
        elif kind == "button_group":
            self.choices[element.button_group.id] = [option.content for option in element.button_group.options]
        elif kind == "exception":
            self.errors.append(element.exception.message)
        elif kind == "alert" and element.alert.format == Alert.ERROR:  # how a page says that it failed
            self.errors.append(element.alert.body)
        elif kind == "markdown" and (found := STEP.search(without_entries(element.markdown.body))):
            self.steps.append((time.monotonic(), int(found[1].replace(",", ""))))


def request(
    learner: Learner,
    query: Mapping[str, object],
    fragment: str = "",
    press: str = "",
    choose: tuple[str, str] | None = None,
    page: str = "",
    script: str = "",
    told: Mapping[str, object] | None = None,
) -> bytes:
    """The message by which a browser asks for a run: of a page, of one fragment because it is due, by a button, or by a
    segmented control.

    ``query``: of the page's address; ``page``, ``script``: its name, or the server's name of the one that is shown;
    ``told``: what components say, by their id.
    """
    message = BackMsg()
    run = message.rerun_script
    run.query_string, run.page_name, run.page_script_hash = urlencode(query), page, script
    run.fragment_id, run.is_auto_rerun = fragment, bool(fragment and not press)
    run.cached_message_hashes.extend(learner.known)
    for name, value in (told or {}).items():
        run.widget_states.widgets.add(id=name, json_value=json.dumps(value))
    if press:
        run.widget_states.widgets.add(id=press, trigger_value=True)
    if choose:
        run.widget_states.widgets.add(id=choose[0]).string_array_value.data.append(choose[1])
    return message.SerializeToString()


async def answer(learner: Learner, channel: ClientConnection, message: bytes, times: list[float]) -> None:
    """Send a message and hear all that follows, to the end of the run."""
    begun = time.monotonic()
    await channel.send(message)
    while not learner.hear(await asyncio.wait_for(channel.recv(), PATIENCE)):
        pass
    times.append(1000 * (time.monotonic() - begun))


async def look(learner: Learner, channel: ClientConnection) -> None:
    """Run those parts of the page that are due, as its browser would."""
    now = time.monotonic()
    for fragment in [one for one, (_, due) in learner.every.items() if due <= now]:
        if fragment not in learner.every:  # another's run was one of the whole page
            continue
        interval = learner.every[fragment][0]
        learner.every[fragment] = interval, now + interval
        await answer(learner, channel, learner.ask(fragment), learner.ticks)
    await asyncio.sleep(0.02)


async def lesson(learner: Learner, address: str, wait: float, seconds: float) -> None:
    """Come in, open the page, press Train, then poll as the page asks for it and now and then look at another scene."""
    await asyncio.sleep(wait)
    try:
        async with connect(f"ws{address[4:]}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as channel:
            await answer(learner, channel, learner.ask(), learner.runs)
            await answer(learner, channel, learner.ask(press=learner.buttons["_main"]), learner.runs)
            control, options = next(iter(learner.choices.items()))
            end, moved, scene = time.monotonic() + seconds, time.monotonic(), 0
            while (now := time.monotonic()) < end:
                if now > moved + OFTEN:
                    moved, scene = now, (scene + 1) % 2
                    await answer(learner, channel, learner.ask(choose=(control, options[scene])), learner.runs)
                await look(learner, channel)
    except Exception as error:
        learner.errors.append(repr(error)[:200])


@dataclass(frozen=True)
class Class:
    """What a class has seen, and what it took of its server: bytes of memory at most, seconds of its cores, seconds."""

    learners: list[Learner]
    memory: float
    work: float
    seconds: float


async def crowd(server: Server, learners: int, seconds: float) -> Class:
    """All learners, one arriving after the other and staying equally long."""
    found = [Learner(k % SEEDS) for k in range(learners)]
    begun, work, most = time.monotonic(), server.processor_seconds(), server.memory()
    everyone = asyncio.gather(*(lesson(one, server.address, ARRIVAL * k, seconds) for k, one in enumerate(found)))
    while not everyone.done():
        most = max(most, server.memory())
        await asyncio.wait([everyone], timeout=0.5)
    return Class(found, most, server.processor_seconds() - work, time.monotonic() - begun)


def measure(learners: int = LEARNERS, seconds: float = SECONDS, repeats: int = 3) -> Iterator[Figure]:
    """A class that trains with settings of its own; then in each repeat a server, a first visitor who warms it, and a
    class that shares its runs."""
    from tests.bench import own_settings  # which speaks to the server as the learners here do

    yield from own_settings.measure(learners)
    classes, grown = [], []
    for _ in range(repeats):
        with serving("app.py") as server:
            asyncio.run(crowd(server, 1, 3.0))
            before = server.memory()
            classes.append(asyncio.run(crowd(server, learners, seconds)))
            grown.append((classes[-1].memory - before) / learners / 2**20)
    what = f"Crowd: {learners} learners on one server"
    for kind, note in {"runs": "a page opened, Train pressed, a scene changed", "ticks": "a look at training"}.items():
        times = [[ms for one in each.learners for ms in getattr(one, kind)] for each in classes]
        cuts = [quantiles(some, n=20) for some in times]
        each = f"{len(times[0]):,} in the first repeat"
        yield Figure(f"{what}, {note}, half of them within", [cut[9] for cut in cuts], "ms", note=each)
        yield Figure(f"{what}, {note}, 95 % within", [cut[18] for cut in cuts], "ms", SOON)
    errors = [[error for one in each.learners for error in one.errors] for each in classes]
    yield Figure(f"{what}, errors", [*map(len, errors)], "", 0, next(iter(sum(errors, [])), ""))
    yield Figure(f"{what}, memory of a session with its share of the runs", grown, "MiB")
    paces = [sum(map(pace, _by_seed(each.learners))) for each in classes]
    yield Figure(f"{what}, training", paces, "steps/s", note="all runs together")
    yield Figure(f"{what}, the server's cores in use", [each.work / each.seconds for each in classes], "")


def pace(looks: list[tuple[float, int]]) -> float:
    """Training steps a second of one run, from the looks that were had at it."""
    (begun, first), (ended, last) = min(looks), max(looks)
    return (last - first) / (ended - begun) if ended > begun else 0.0


def _by_seed(found: list[Learner]) -> list[list[tuple[float, int]]]:
    """What was seen of each run: learners of one seed share it."""
    seen = [[look for one in found if one.seed == seed for look in one.steps] for seed in range(SEEDS)]
    return [looks for looks in seen if looks]
