"""A class in which everybody trains with settings of their own: how long until each sees a first step, and a spiral.

All open the page, then press Train within a few seconds. A run is decided by its seed, whoever trains beside it; so the
step at which its samples lie on the spiral is found here, alone, and the class is asked when it has seen that step.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from statistics import quantiles

from websockets.asyncio.client import connect

from core import metrics
from core.data.points import make_points
from core.models import points as point_model
from core.models.points import PointConfig
from core.runs.progress import Progress
from pages.ui.frame.slots import cores
from tests.bench.crowd import ARRIVAL, PATIENCE, Learner, answer, crowd, look
from tests.bench.figure import Figure
from tests.serving import Server, serving

SEED = 100  # of the first learner; the visitor who warms the server has another
OFF_CURVE, EVERY, MOST, N = 0.05, 50, 1500, 1000  # the share that may be off; steps between two judgements; samples
FIRST_STEP, TIMES_ALONE = 5.0, 1.5  # seconds for 95 % of the class; of all runs one after the other on all cores
CLOCK = os.sysconf("SC_CLK_TCK")


def alone(seed: int) -> tuple[int, float]:
    """The first step at which the run of a seed has its spiral, and the seconds that this takes with nobody beside
    it."""
    points, config = make_points("spiral", 100), PointConfig(seed=seed)
    begun, judged = time.perf_counter(), 0.0
    progress = Progress(point_model.new_checkpoint(config, points).state)
    for _ in islice(point_model.run(config, points, progress), MOST):
        if progress.state.step % EVERY == 0:
            before, model = time.perf_counter(), progress.state.ema
            cloud = point_model.sample(model, N, model.sigma_data, seed=5)[-1]
            off = metrics.off_curve(cloud, points.curve)
            judged += time.perf_counter() - before
            if off < OFF_CURVE:
                break
    return progress.state.step, time.perf_counter() - begun - judged


async def train(learner: Learner, address: str, everybody: asyncio.Barrier, wait: float, until: int) -> float:
    """Open the page, press Train with everybody, look as the page asks for it until that step is seen, and pause.
    Returns when Train was pressed."""
    async with connect(f"ws{address[4:]}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as channel:
        await answer(learner, channel, learner.ask(), learner.runs)
        await everybody.wait()
        await asyncio.sleep(wait)
        learner.steps.clear()  # of the model that the page shows at first
        pressed = time.monotonic()
        await answer(learner, channel, learner.ask(press=learner.buttons["_main"]), learner.runs)
        while seen(learner, until) is None and time.monotonic() < pressed + 10 * PATIENCE:
            await look(learner, channel)
        await answer(learner, channel, learner.ask(press=learner.buttons["_main"]), learner.runs)
        await everybody.wait()
        return pressed


def seen(learner: Learner, step: int) -> float | None:
    """When a learner saw that step of the run, or a later one."""
    return next((when for when, at in learner.steps if at >= step), None)


def threads(server: Server) -> dict[str, float]:
    """Seconds of processor time of each thread of the server, and of each process beside it (Linux)."""
    places = {f"thread {task.name}": task for task in Path(f"/proc/{server.pid}/task").iterdir()}
    places |= {f"process {pid}": Path(f"/proc/{pid}") for pid in server.beside()}
    found = {}
    for name, place in places.items():
        with suppress(OSError):  # it has ended
            user, system = place.joinpath("stat").read_text().rpartition(")")[2].split()[11:13]
            found[name] = (int(user) + int(system)) / CLOCK
    return found


async def course(server: Server, needed: list[int]) -> tuple[list[Learner], list[float], dict[str, float]]:
    """A class in which learner k trains with seed ``SEED`` + k up to step ``needed[k]``, or a little further: what they
    saw, when they pressed Train, and the processor time of each thread and process meanwhile."""
    learners, everybody = [Learner(SEED + k) for k in range(len(needed))], asyncio.Barrier(len(needed))
    before, spent = threads(server), {}
    each = [train(one, server.address, everybody, ARRIVAL * k, needed[k]) for k, one in enumerate(learners)]
    everyone = asyncio.gather(*each)
    while not everyone.done():
        spent |= threads(server)
        await asyncio.wait([everyone], timeout=0.2)
    return learners, everyone.result(), {name: each - before.get(name, 0.0) for name, each in spent.items()}


def measure(learners: int) -> Iterator[Figure]:
    """One class on a fresh server, which a first visitor has warmed."""
    alone(SEED)  # a warm process
    needed, seconds = zip(*map(alone, range(SEED, SEED + learners)))
    with serving("app.py") as server:
        asyncio.run(crowd(server, 1, 3.0))
        own, begun = time.process_time(), time.monotonic()
        found, pressed, spent = asyncio.run(course(server, list(needed)))
        own, lasted = time.process_time() - own, time.monotonic() - begun
    what = f"Crowd: {learners} learners with settings of their own"
    first = [seen(one, 1) - at for one, at in zip(found, pressed)]
    spiral = [seen(one, step) - at for one, step, at in zip(found, needed, pressed)]
    for name, waits, target in (("a first step", first, FIRST_STEP), ("a spiral", spiral, None)):
        cuts = quantiles(waits, n=20)
        yield Figure(f"{what}, {name} seen by half of them within", [cuts[9]], "s")
        yield Figure(f"{what}, {name} seen by 95 % within", [cuts[18]], "s", target)
    spirals = max(seen(one, step) for one, step in zip(found, needed)) - min(pressed)
    share = sum(seconds) / cores()
    note = (
        f"alone {min(needed)} to {max(needed)} steps, {sum(seconds):.1f} s together, {share:.1f} s on {cores()} cores"
    )
    yield Figure(f"{what}, every spiral within {100 * OFF_CURVE:.0f} % of the curve", [spirals], "s", note=note)
    yield Figure(f"{what}, the same, of the time alone on all cores", [spirals / share], "×", TIMES_ALONE)
    main = spent.pop(f"thread {server.pid}", 0.0)
    steps = sum(spent.pop(name) for name in [*spent] if name.startswith("process"))
    slots = sum(sorted(spent.values())[-cores() :])
    pages = sum(spent.values()) - slots
    parts = {"processes for steps": steps, "slots": slots, "page runs": pages}
    parts |= {"the server's own thread": main, "this driver": own}
    note = ", ".join(f"{name} {part / lasted:.2f}" for name, part in parts.items())
    yield Figure(f"{what}, cores in use", [sum(parts.values()) / lasted], "", note=note)
    ticks = quantiles([ms for one in found for ms in one.ticks], n=20)
    yield Figure(f"{what}, 95 % of {sum(len(one.ticks) for one in found):,} looks within", [ticks[18]], "ms")
    errors = [error for one in found for error in one.errors]
    yield Figure(f"{what}, errors", [len(errors)], "", 0, next(iter(errors), ""))
