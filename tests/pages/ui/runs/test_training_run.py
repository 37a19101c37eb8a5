"""Runs of every kind that the app trains live: what outlives the server goes on as if nothing had happened."""

from dataclasses import replace

import pytest

from core.data.points import make_points
from core.models.points import PointConfig
from core.runs import checkpoints, jobs
from core.runs.progress import Progress
from pages.ui.lessons import clip_live, guidance_live
from pages.ui.lessons.own_models import DigitTraining, PeopleTraining
from pages.ui.runs import training_run
from pages.ui.runs.point_runs import PointTraining

REQUESTS = {
    "points": lambda: PointTraining(make_points("spiral", 40), PointConfig(batch=32), id),
    "endless points": lambda: PointTraining(make_points("spiral", 40), PointConfig(batch=32, endless=True), id),
    "labelled points": lambda: guidance_live.training_of(0.2),
    "digits": DigitTraining,
    "people": PeopleTraining,
    "clip of emoji": lambda: clip_live.training("emoji", clip_live.lesson.CONFIG),
    "clip of people": lambda: clip_live.training("people", clip_live.lesson.CONFIG),
}
LR = 7e-4  # a rate that the learner chooses under way


@pytest.fixture
def server(monkeypatch, tmp_path):
    """``server()`` is the registry of a process that was just started; only commands make steps."""
    monkeypatch.setenv("LIVE_RUNS", str(tmp_path))
    monkeypatch.setattr(training_run, "viewer", lambda: "ann")
    begun = []

    def start() -> jobs.Jobs:
        begun.append(jobs.Jobs(slots=0))
        monkeypatch.setattr(training_run, "jobs", lambda: begun[-1])
        return begun[-1]

    yield start
    for each in begun:
        each.close()


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_run_that_a_new_server_takes_up_ends_bit_for_bit_like_one_that_was_never_interrupted(server, kind):
    request = replace(REQUESTS[kind](), picture=id)  # nobody looks
    before = server()
    run = before.join(request.work_of(request, lambda: Progress(request.begin().state), "new"), "ann", held=True)
    before.step(run, "ann", 2)
    before.change(run, "ann", lr=LR)
    before.step(run, "ann")
    before.pause(run, "ann")

    after = server()
    training_run.restore(request, run)
    for each in (before, after):
        each.step(run, "ann", 2)
    ends = [request.at(LR).checkpoint(each.state(run, "ann")) for each in (before, after)]
    one, other = map(checkpoints.to_bytes, ends)
    assert ends[0].state.step == 5 and one == other
