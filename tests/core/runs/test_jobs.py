"""Runs, their queue, leases, forks and pictures. ``Jobs(slots=0)`` has no workers: only commands make steps there."""

import errno
import math
import subprocess
import sys
import threading
import time
import weakref
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from core.problems import Problem
from core.runs.jobs import FIRST_SLICE, FIRST_STEPS, KEEP_EVERY, RECENT, SLICE, Jobs, Work


@dataclass
class Chain:
    """A state that is worked on in place, and in which every step depends on all before it."""

    step: int = 0
    value: int = 1
    seen: list[Any] = field(default_factory=list)


class Course:
    """Chain steps to be run: counts starts, records pictures, and waits for ``allow`` before each step if ``gated``."""

    def __init__(self, last: int = 1_000_000, gated: bool = False, fails: dict[int, Exception] | None = None):
        self.last, self.gated, self.fails = last, gated, fails or {}
        self.starts: list[int | None] = []
        self.pictures: list[int] = []
        self.begun = 0
        self._gate = threading.Semaphore(0)

    def work(self, key: str = "spiral", **settings: Any) -> Work:
        return Work(key, self.start, self.picture, settings)

    def start(self, state, settings):
        self.starts.append(state and state.step)
        state = state or Chain()
        while state.step < self.last:
            self.begun += 1
            if self.gated:
                assert self._gate.acquire(timeout=5)
            if state.step + 1 in self.fails:
                raise self.fails.pop(state.step + 1)
            state.value = (state.value * 31 + state.step) % 1_000_003
            state.seen = [*state.seen[-9:], settings.get("lr")]
            state.step += 1
            yield state

    def picture(self, state):
        self.pictures.append(state.step)
        return state.step

    def allow(self, steps: int) -> None:
        """Let ``steps`` steps pass and wait until the next one has begun, so that all is settled about these."""
        target = self.begun + steps
        self._gate.release(steps)
        until(lambda: self.begun >= target)

    def open(self) -> None:
        self.gated = False
        self._gate.release()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def until(condition) -> None:
    for _ in range(5000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError("this did not happen within five seconds")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def registry(clock):
    """Makes registries on the test's clock and closes them after the test."""
    made = []

    def make(**options):
        made.append(Jobs(**{"clock": clock} | options))
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()


# Sharing and forks


def test_a_run_joined_to_be_held_is_the_viewers_own_and_waits_for_its_first_step(registry):
    jobs, course = registry(slots=1), Course(gated=True)
    shared, own = jobs.join(course.work(), "ann"), jobs.join(course.work(), "bob", held=True)
    assert own != shared and jobs.look(own, "bob").status == "paused" and jobs.look(own, "bob").step == 0
    course.open()
    assert jobs.step(own, "bob") == own and jobs.look(own, "bob").step == 1


def test_viewers_with_equal_keys_share_one_run(registry):
    jobs, course = registry(slots=1), Course(last=3)
    ids = {jobs.join(course.work(), viewer) for viewer in ("ann", "bob")}
    (run,) = ids
    until(lambda: jobs.look(run, "ann").status == "finished")
    assert course.starts == [None]
    assert jobs.look(run, "bob").viewers == 2


def test_another_key_is_another_run(registry):
    jobs, course = registry(slots=0), Course()
    assert jobs.join(course.work("spiral"), "ann") != jobs.join(course.work("moons"), "ann")


def test_a_command_on_a_watched_run_acts_on_a_fork(registry):
    jobs, course = registry(slots=0), Course()
    run = jobs.join(course.work(), "ann")
    jobs.join(course.work(), "bob")
    fork = jobs.step(run, "ann", 3)
    assert fork != run
    assert (jobs.look(fork, "ann").step, jobs.look(fork, "ann").key) == (3, "spiral")
    seen_by_bob = jobs.look(run, "bob")
    assert (seen_by_bob.status, seen_by_bob.step, seen_by_bob.viewers) == ("queued", 0, 1)


@pytest.mark.parametrize("command", ["pause", "step", "change"])
def test_no_command_disturbs_another_viewer(registry, command):
    jobs, course = registry(slots=0), Course()
    run = jobs.step(jobs.join(course.work(lr=1), "ann"), "ann", 5)
    before, state = jobs.look(run, "bob"), jobs.state(run, "bob")
    assert getattr(jobs, command)(run, "ann") != run
    after = jobs.look(run, "bob")
    assert (after.status, after.step, after.picture, after.settings) == (
        before.status,
        before.step,
        before.picture,
        before.settings,
    )
    assert jobs.state(run, "bob") == state


def test_a_fork_goes_on_exactly_like_its_original(registry):
    jobs, course = registry(slots=0), Course()
    run = jobs.step(jobs.join(course.work(), "ann"), "ann", 5)
    jobs.look(run, "bob")
    fork = jobs.step(run, "bob", 7)
    jobs.step(run, "ann", 7)
    assert jobs.state(fork, "bob") == jobs.state(run, "ann")


def test_a_fork_of_a_running_run_goes_on_at_the_next_look(registry):
    jobs, course = registry(slots=2), Course()
    run = jobs.join(course.work(lr=1), "ann")
    jobs.join(course.work(), "bob")
    until(lambda: jobs.look(run, "bob").step > 0)
    fork = jobs.change(run, "ann", lr=2)
    assert jobs.look(fork, "ann").step > 0
    until(lambda: jobs.look(fork, "ann").status == "running" and 2 in jobs.state(fork, "ann").seen)
    assert jobs.look(run, "bob").settings == {"lr": 1}


def test_a_viewer_alone_commands_the_run_itself_which_is_shared_no_longer(registry):
    jobs, course = registry(slots=0), Course()
    run = jobs.join(course.work(), "ann")
    assert jobs.pause(run, "ann") == run
    assert jobs.join(course.work(), "bob") != run


def test_a_viewer_who_left_does_not_cause_a_fork(registry):
    jobs, course = registry(slots=0), Course()
    run = jobs.join(course.work(), "ann")
    jobs.join(course.work(), "bob")
    jobs.leave(run, "bob")
    assert jobs.pause(run, "ann") == run


# Slots and queue


def test_who_waits_is_told_for_how_long_by_those_ahead_and_the_measured_time_slices(registry, clock):
    jobs, course = registry(slots=1), Course(gated=True)
    first, second, third = (jobs.join(course.work(key), key) for key in ("ann", "bob", "cyd"))
    until(lambda: course.begun == 1)
    waits = [jobs.look(run, who).wait for run, who in ((first, "ann"), (second, "bob"), (third, "cyd"))]
    assert waits == [None, SLICE, 2 * SLICE]
    clock.now = 2.0  # one step of the first takes longer than its slice
    course.allow(1)
    until(lambda: jobs.look(first, "ann").status == "queued")
    view = jobs.look(third, "cyd")
    assert view.wait == pytest.approx(SLICE + RECENT * (2.0 - SLICE)) and view.waited == 2.0
    jobs.leave(second, "bob")
    course.open()
    until(lambda: jobs.look(third, "cyd").status == "running")
    assert jobs.look(third, "cyd").wait is None and jobs.look(third, "cyd").waited is None


def test_no_more_runs_than_slots_are_at_work(registry):
    jobs, course = registry(slots=2), Course(gated=True)
    runs = [jobs.join(course.work(str(k)), "ann") for k in range(5)]
    until(lambda: [jobs.look(run, "ann").status for run in runs] == ["running"] * 2 + ["queued"] * 3)
    assert sum(thread.name == "jobs-worker" for thread in threading.enumerate()) == 2
    course.open()
    course.open()


def test_a_full_queue_is_refused_with_a_sentence(registry, refused):
    jobs, course = registry(slots=0, queue=2), Course()
    paused = jobs.pause(jobs.join(course.work("a"), "ann"), "ann")
    for key in "bc":
        jobs.join(course.work(key), "bob")
    with refused("queue_full", room=2):
        jobs.join(course.work("d"), "dan")
    with refused("queue_full", room=2):
        jobs.resume(paused, "ann")
    assert jobs.look(paused, "ann").status == "paused"


def test_a_paused_run_gives_its_slot_away_and_queues_again(registry):
    jobs, course = registry(slots=1), Course()
    first, second = jobs.join(course.work("a"), "ann"), jobs.join(course.work("b"), "bob")
    until(lambda: jobs.look(first, "ann").step > 0)
    jobs.pause(first, "ann")
    until(lambda: jobs.look(second, "bob").status == "running")
    jobs.resume(first, "ann")
    assert jobs.look(first, "ann").status == "queued"


def test_a_step_needs_no_slot_and_is_done_when_the_command_returns(registry):
    jobs, course = registry(slots=0), Course()
    run = jobs.step(jobs.join(course.work(), "ann"), "ann", 2)
    view = jobs.look(run, "ann")
    assert (view.status, view.step, view.picture) == ("paused", 2, 2)


def test_a_step_of_a_running_run_pauses_it(registry):
    jobs, course = registry(slots=1), Course()
    run = jobs.join(course.work(), "ann")
    until(lambda: jobs.look(run, "ann").step > 0)
    jobs.step(run, "ann")
    view = jobs.look(run, "ann")
    assert view.status == "paused"
    assert view.picture == view.step == jobs.state(run, "ann").step


def test_the_first_time_slice_ends_with_the_first_picture_and_later_ones_are_longer(registry, clock):
    jobs, course = registry(slots=1), Course(gated=True)
    runs = {who: jobs.join(course.work(who), who) for who in ("ann", "bob")}
    until(lambda: course.begun == 1)
    clock.now = FIRST_SLICE
    course.allow(1)
    assert course.pictures == [1] and jobs.look(runs["ann"], "ann").picture == 1  # bob's first step has begun
    course.allow(FIRST_STEPS)
    assert course.pictures == [1, FIRST_STEPS] and jobs.look(runs["bob"], "bob").status == "queued"
    clock.now += 0.9 * SLICE
    course.allow(1)
    assert jobs.look(runs["ann"], "ann").status == "running" and len(course.pictures) == 2
    clock.now += 0.2 * SLICE
    course.allow(1)
    assert jobs.look(runs["ann"], "ann").status == "queued" and course.pictures == [1, FIRST_STEPS, 3]
    assert course.starts == [None, None]
    course.open()


def test_a_run_without_a_step_goes_before_those_that_have_had_a_time_slice(registry, clock):
    jobs, course = registry(slots=1), Course(gated=True)
    runs = {who: jobs.join(course.work(who), who) for who in ("ann", "bob")}
    until(lambda: course.begun == 1)
    clock.now = FIRST_SLICE
    course.allow(1)
    runs |= {who: jobs.join(course.work(who), who) for who in ("cyd", "dan")}
    waits = {who: jobs.look(runs[who], who).wait for who in ("ann", "cyd", "dan")}
    assert waits["cyd"] < waits["dan"] < waits["ann"]
    course.open()


def test_a_run_that_nobody_waits_behind_keeps_its_slot(registry, clock):
    jobs, course = registry(slots=1), Course(gated=True)
    run = jobs.join(course.work(), "ann")
    until(lambda: course.begun == 1)
    clock.now = 100.0
    course.allow(3)
    assert jobs.look(run, "ann").status == "running"
    course.open()


def test_a_time_slice_that_nobody_looks_at_draws_nothing(registry, clock):
    jobs, course = registry(slots=1, pause_after=1000, end_after=1000), Course(gated=True)
    runs = {who: jobs.join(course.work(who), who) for who in ("ann", "bob")}
    until(lambda: course.begun == 1)
    clock.now = 100.0
    course.allow(1)
    assert course.pictures == [] and jobs.look(runs["ann"], "ann").status == "queued"
    course.open()


def test_the_more_runs_there_are_the_less_often_they_are_looked_at(registry):
    jobs, course = registry(slots=0), Course()
    jobs.join(course.work("0"), "ann")
    assert jobs.look_every == 0.5
    for k in range(1, 30):
        jobs.join(course.work(str(k)), "ann")
    assert 1.8 <= jobs.look_every <= 2.2


def test_who_leads_a_run_commands_it_for_all_who_look(registry):
    jobs, course = registry(slots=0), Course()
    run = jobs.join(course.work(), "ann")
    jobs.lead(run, "ann")
    jobs.look(run, "bob")
    assert jobs.join(course.work(), "cyd") != run
    assert jobs.step(run, "ann") == run and jobs.look(run, "bob").step == 1
    own = jobs.step(run, "bob")
    assert own != run and jobs.look(own, "bob").leader is None and jobs.look(run, "ann").leader == "ann"


def test_nobody_takes_the_lead_of_a_run_that_others_look_at_and_a_run_of_ones_own_has_no_others(registry):
    jobs, course = registry(slots=0), Course()
    shared = jobs.join(course.work(), "bob")
    jobs.lead(jobs.join(course.work(), "ann"), "ann")
    assert jobs.look(shared, "bob").leader is None
    own = jobs.join(course.work(), "ann", private=True)
    jobs.lead(own, "ann")
    assert own != shared and jobs.look(own, "ann").leader == "ann" and jobs.join(course.work(), "cyd") == shared


# Leases


def test_a_run_without_viewers_pauses_and_goes_on_at_the_next_look(registry, clock):
    jobs, course = registry(slots=1), Course()
    left, other = jobs.join(course.work("a"), "ann"), jobs.join(course.work("b"), "bob")
    until(lambda: jobs.look(left, "ann").step > 0)
    clock.now = 20.0
    assert jobs.look(other, "bob").status == "queued"
    jobs.sweep()
    until(lambda: jobs.look(other, "bob").status == "running")
    assert jobs.look(left, "ann").status == "queued"
    jobs.leave(other, "bob")
    until(lambda: jobs.look(left, "ann").status == "running")
    assert course.starts == [None, None]


def test_a_run_paused_by_its_viewer_stays_paused_at_a_look(registry, clock):
    jobs, course = registry(slots=1), Course()
    run = jobs.pause(jobs.join(course.work(), "ann"), "ann")
    clock.now = 60.0
    jobs.sweep()
    assert jobs.look(run, "ann").status == "paused"


def test_a_run_is_forgotten_after_its_last_lease(registry, clock, refused):
    jobs, course = registry(slots=0), Course()
    run = jobs.join(course.work(), "ann")
    clock.now = 119.0
    jobs.sweep()
    assert jobs.look(run, "ann") is not None
    clock.now += 120.0
    jobs.sweep()
    assert jobs.look(run, "ann") is None
    with refused("run_ended"):
        jobs.resume(run, "ann")


def test_a_lease_that_is_over_does_not_cause_a_fork(registry, clock):
    jobs, course = registry(slots=0), Course()
    run = jobs.join(course.work(), "ann")
    jobs.join(course.work(), "bob")
    clock.now = 100.0
    jobs.look(run, "ann")
    clock.now = 120.0
    jobs.sweep()
    assert jobs.pause(run, "ann") == run


def test_a_run_ends_and_frees_its_memory_without_any_call(registry):
    jobs, states = registry(slots=1, pause_after=0.05, end_after=0.1, clock=time.monotonic), []

    def start(state, settings):
        state = Chain()
        states.append(weakref.ref(state))
        while True:
            state.step += 1
            yield state

    jobs.join(Work("spiral", start, lambda state: state.step), "ann")
    until(lambda: states)
    until(lambda: states[0]() is None)
    until(lambda: not any(thread.name.startswith("jobs-") for thread in threading.enumerate()))


# Pictures


def test_the_first_picture_comes_at_once_and_later_ones_are_spaced(registry, clock):
    jobs, course = registry(slots=1), Course(gated=True)
    run = jobs.join(course.work(), "ann")
    until(lambda: course.begun == 1)
    course.allow(3)
    assert course.pictures == [1]
    clock.now = 0.4
    course.allow(3)
    assert course.pictures == [1, 4]
    assert jobs.look(run, "ann").version == 2
    course.open()


def test_no_picture_is_drawn_without_viewers(registry, clock):
    jobs, course = registry(slots=1), Course(gated=True)
    run = jobs.join(course.work(), "ann")
    until(lambda: course.begun == 1)
    clock.now = 2.0
    course.allow(2)
    assert course.pictures == []
    jobs.look(run, "ann")
    course.allow(1)
    assert course.pictures == [3]
    course.open()


def test_a_finished_run_shows_its_last_state(registry):
    jobs, course = registry(slots=1), Course(last=50)
    run = jobs.join(course.work(), "ann")
    until(lambda: jobs.look(run, "ann").status == "finished")
    assert jobs.state(run, "ann").step == 50
    for command in (jobs.pause, jobs.step, jobs.resume):
        command(run, "ann")
        assert jobs.look(run, "ann").status == "finished"


def test_the_last_picture_is_there_before_the_run_is_seen_to_be_finished(registry):
    jobs, course, drawn = registry(slots=1), Course(last=3), {}

    def picture(state):
        drawn[state.step] = dict(jobs.census())
        return state.step

    run = jobs.join(Work("spiral", course.start, picture), "ann")
    until(lambda: jobs.look(run, "ann").status == "finished")
    assert jobs.look(run, "ann").picture == 3 and drawn[3] == {"running": 1}


def test_an_error_in_the_last_picture_is_still_shown_when_the_run_is_finished(registry):
    jobs, course = registry(slots=1), Course(last=3)

    def picture(state):
        if state.step == 3:
            raise Problem("metric_empty")

    run = jobs.join(Work("spiral", course.start, picture), "ann")
    until(lambda: jobs.look(run, "ann").status == "finished")
    assert jobs.look(run, "ann").error.code == "metric_empty"


def test_an_error_in_a_picture_is_shown_and_the_run_goes_on(registry, clock):
    jobs, course = registry(slots=1), Course(gated=True)

    def picture(state):
        if state.step == 1:
            raise Problem("no_data_point")
        return state.step

    run = jobs.join(Work("spiral", course.start, picture), "ann")
    until(lambda: course.begun == 1)
    course.allow(1)
    view = jobs.look(run, "ann")
    assert (view.status, view.picture, view.error.code) == ("running", None, "no_data_point")
    clock.now = 0.4
    course.allow(1)
    view = jobs.look(run, "ann")
    assert (view.status, view.picture, view.error) == ("running", 2, None)
    course.open()


def test_a_refused_command_leaves_no_fork_behind(registry, refused):
    jobs, course = registry(slots=1, queue=1), Course(last=2)
    run = jobs.join(course.work(), "ann")
    until(lambda: jobs.look(run, "ann").status == "finished")
    jobs.look(run, "bob")
    gate = Course(gated=True)
    jobs.join(gate.work("other"), "eve")
    until(lambda: jobs.census()["running"] == 1)
    jobs.join(Course().work("third"), "eve")
    before = sum(jobs.census().values())
    with refused("queue_full"):
        jobs.change(run, "bob", lr=1)
    assert sum(jobs.census().values()) == before and jobs.look(run, "bob").viewers == 2
    gate.open()


def test_asking_for_a_runs_key_renews_no_lease(registry):
    jobs = registry(slots=0)
    run = jobs.join(Course().work("moons"), "ann")
    assert jobs.key_of(run) == "moons" and jobs.key_of("nobody") is None
    jobs.leave(run, "ann")
    assert jobs.key_of(run) is None


# Failure, change, state


def test_a_failed_run_keeps_its_last_good_state_and_resumes_from_it(registry):
    jobs, course = registry(slots=1), Course(last=9, fails={4: Problem("diverged", loss=math.nan, step=4, lr=1)})
    run = jobs.join(course.work(), "ann")
    until(lambda: jobs.look(run, "ann").status == "failed")
    view = jobs.look(run, "ann")
    assert view.error.__traceback__ is None
    assert (view.error.code, view.step, view.picture) == ("diverged", 3, 3)
    jobs.resume(run, "ann")
    until(lambda: jobs.look(run, "ann").status == "finished")
    assert course.starts == [None, 3]
    assert jobs.look(run, "ann").error is None


def test_a_change_sets_a_failed_run_going_again(registry):
    jobs, course = registry(slots=1), Course(last=9, fails={4: ValueError("Too fast.")})
    run = jobs.join(course.work(lr=1), "ann")
    until(lambda: jobs.look(run, "ann").status == "failed")
    jobs.change(run, "ann", lr=2)
    until(lambda: jobs.look(run, "ann").status == "finished")
    assert jobs.state(run, "ann").seen == [1] * 3 + [2] * 6


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, FloatingPointError])
def test_an_error_that_was_not_written_for_readers_is_named_without_its_details(registry, kind):
    jobs, course = registry(slots=0), Course(fails={1: kind("/srv/secret")})
    run = jobs.step(jobs.join(course.work(), "ann"), "ann")
    view = jobs.look(run, "ann")
    assert view.status == "failed"
    assert (view.error.code, view.error.values) == ("run_failed", {"kind": kind.__name__})


def test_a_change_keeps_the_state_and_a_paused_run_paused(registry):
    jobs, course = registry(slots=0), Course()
    run = jobs.step(jobs.join(course.work(lr=1), "ann"), "ann", 2)
    jobs.change(run, "ann", lr=2)
    assert jobs.look(run, "ann").status == "paused"
    jobs.step(run, "ann", 2)
    assert jobs.state(run, "ann").seen == [1, 1, 2, 2]
    assert course.starts == [None, 2]
    assert jobs.look(run, "ann").settings == {"lr": 2}


def test_a_state_is_copied_between_two_steps_of_a_running_run(registry):
    jobs, course = registry(slots=1), Course()
    run = jobs.join(course.work(), "ann")
    until(lambda: jobs.look(run, "ann").step > 0)
    state = jobs.state(run, "ann")
    until(lambda: jobs.look(run, "ann").step > state.step + 2)
    again = Course(last=state.step)
    *_, expected = again.start(None, {})
    assert state == expected
    assert jobs.look(run, "ann").status == "running"


def test_a_copy_waits_for_the_step_that_is_being_made(registry):
    jobs, course, copies = registry(slots=1), Course(gated=True), []
    run = jobs.join(course.work(), "ann")
    until(lambda: course.begun == 1)
    copier = threading.Thread(target=lambda: copies.append(jobs.state(run, "ann")))
    copier.start()
    copier.join(timeout=0.02)
    assert copies == []
    course.open()
    copier.join(timeout=5)
    assert copies[0].step >= 1


# Threads


def test_many_viewers_at_once_do_not_lock_up_or_disturb_each_other(registry):
    jobs, course, wrong = registry(slots=2, clock=time.monotonic), Course(), []

    def visit(viewer: int) -> None:
        try:
            run = jobs.join(course.work(str(viewer % 3)), str(viewer))
            for turn in range(30):
                commands = [jobs.pause, jobs.resume, jobs.step, jobs.change, jobs.resume]
                run = commands[(viewer + turn) % len(commands)](run, str(viewer))
                jobs.look(run, str(viewer))
                jobs.state(run, str(viewer))
            before = jobs.look(jobs.pause(run, str(viewer)), str(viewer))
            if (before.status, before.viewers) != ("paused", 1):
                wrong.append(before)
            jobs.leave(run, str(viewer))
        except Exception as error:
            wrong.append(error)

    visitors = [threading.Thread(target=visit, args=(k,), daemon=True) for k in range(16)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(timeout=20)
    assert not any(visitor.is_alive() for visitor in visitors)
    assert wrong == []


def test_close_ends_all_threads(registry):
    jobs, course = registry(slots=2), Course()
    run = jobs.join(course.work(), "ann")
    jobs.close()
    assert not any(thread.name.startswith("jobs-") for thread in threading.enumerate())
    assert jobs.look(run, "ann") is None


def test_the_process_ends_cleanly_in_the_middle_of_a_run():
    script = """
import atexit, itertools, threading
from core.runs.jobs import KEEP_EVERY, Jobs, Work
atexit.register(lambda: print(threading.active_count(), "thread left"))
jobs = Jobs()
jobs.join(Work("endless", lambda state, settings: itertools.count(), str), "ann")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 thread left\n", "")


# Kept runs


def test_a_run_is_kept_every_so_often_and_when_it_is_paused_or_ends_but_not_a_short_one(registry, clock):
    jobs, course, kept = registry(slots=1), Course(last=5, gated=True), []
    work = replace(course.work(lr=1.0), keep=lambda standing, state: kept.append((standing.step, state.step)))
    run = jobs.join(work, "ann")
    course.allow(2)
    assert not kept
    clock.now = KEEP_EVERY
    jobs.look(run, "ann")
    course.allow(1)
    until(lambda: kept == [(3, 3)])
    course.allow(1)
    course.open()
    until(lambda: jobs.look(run, "ann").status == "finished")
    assert kept == [(3, 3), (5, 5)]  # a run that was kept is so to its end
    short = jobs.join(replace(work, key="short", start=Course(last=3).start), "bob")
    until(lambda: jobs.look(short, "bob").status == "finished")
    paused = jobs.join(replace(work, key="paused", start=Course().start), "eve", held=True)
    jobs.step(paused, "eve", 4)
    assert len(kept) == 2
    jobs.pause(paused, "eve")
    jobs.pause(paused, "eve")
    assert kept[2:] == [(4, 4)]


def test_a_run_that_cannot_be_kept_goes_on_and_says_so_until_it_is_kept(registry):
    errors, kept = [OSError(errno.ENOSPC, "no room"), ZeroDivisionError()], []

    def keep(standing, state):
        if errors:
            raise errors.pop(0)
        kept.append(standing.step)

    jobs = registry(slots=0)
    run = jobs.join(replace(Course().work(), keep=keep), "ann", held=True)
    said = []
    for _ in range(3):
        jobs.step(run, "ann")
        jobs.pause(run, "ann")
        seen = jobs.look(run, "ann")
        said.append(seen.unkept and seen.unkept.code)
    assert said == ["run_not_kept_full", "run_not_kept", None] and kept == [3] and seen.error is None


def test_what_runs_or_waits_or_is_paused_is_kept_when_the_registry_closes(registry):
    jobs, kept = registry(slots=1), {}
    courses = {name: Course(gated=name == "runs") for name in ("runs", "waits", "new")}
    works = {name: replace(course.work(name), keep=lambda standing, state, name=name: kept.update({name: state.step}))
             for name, course in courses.items()}  # fmt: skip
    jobs.join(works["runs"], "ann")
    courses["runs"].allow(2)
    waits = jobs.join(works["waits"], "bob", held=True)
    jobs.step(waits, "bob", 4)
    jobs.resume(waits, "bob")
    jobs.join(works["new"], "eve")
    closing = threading.Thread(target=jobs.close)
    closing.start()
    courses["runs"].open()
    closing.join(timeout=20)
    assert kept["runs"] >= 3 and kept["waits"] == 4 and "new" not in kept


def test_a_restored_run_is_paused_where_it_was_kept_and_continues_like_one_that_was_never_interrupted(registry):
    jobs, kept = registry(slots=0), []
    work = replace(Course().work(lr=1.0), keep=lambda standing, state: kept.append((standing, deepcopy(state))))
    run = jobs.join(work, "ann", held=True)
    jobs.step(run, "ann", 3)
    jobs.pause(run, "ann")
    jobs.step(run, "ann", 4)
    later, hidden, (standing, state) = registry(slots=0), [], kept[0]
    again = replace(Course().work(), picture=lambda state: hidden.append(later.key_of(run) is None) or state.step)
    assert later.restore(again, "ann", standing, state) == run == later.restore(again, "bob", standing, None)
    seen = later.look(run, "ann")
    assert (seen.status, seen.step, seen.picture, seen.settings) == ("paused", 3, 3, {"lr": 1.0})
    assert hidden == [True]  # nobody sees it before its picture
    later.leave(run, "bob")
    later.step(run, "ann", 4)
    assert later.state(run, "ann") == jobs.state(run, "ann")
