"""The benchmark runs and tells what it measured. How fast anything is, no test asserts."""

import asyncio
import json
import sys
from functools import partial
from importlib import import_module
from statistics import median

import pytest
import torch
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from torch.utils.flop_counter import FlopCounterMode

from core.data.points import make_points
from core.diffusion.training import diffusion_loss
from core.models import points as point_model
from core.models.points import PointConfig
from pages.ui.frame import links
from tests.bench import __main__ as bench
from tests.bench import app, crowd, images, own_settings, peers, race, roofline, sampling, soak
from tests.bench.figure import Figure
from tests.serving import ROOT, serving

pytestmark = pytest.mark.slow


def test_a_part_prints_a_table_and_writes_every_repeat(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sampling, "measure", partial(sampling.measure, walks=3, calls=()))
    monkeypatch.setattr(sampling, "PEERS", {})
    bench.main(["sampling", "--json", str(tmp_path / "figures.json"), "--markdown", str(tmp_path / "figures.md")])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4 and {line.count("|") for line in lines} == {6}
    assert [line for line in (tmp_path / "figures.md").read_text().splitlines() if line.startswith("|")] == lines
    saved = json.loads((tmp_path / "figures.json").read_text())
    assert saved["circumstances"]["torch"] and [len(figure["values"]) for figure in saved["figures"]] == [3] * 4


def test_a_race_compares_runs_that_took_turns_and_draws_the_first(monkeypatch, tmp_path):
    monkeypatch.setattr(race, "RACERS", {race.OURS: race.ours, race.ENDLESS: race.ours})
    monkeypatch.setattr(race, "library", lambda *_: None)
    monkeypatch.setattr(race, "transport", lambda *_: 1.0)
    monkeypatch.setattr(race, "N", 50)
    monkeypatch.setattr(race, "WARM_UP", 1)
    rows = list(race.measure(data=["spiral"], runs=2, marks=(0.01, 0.02), figure=tmp_path / "race.png"))
    assert all(len(row.values) == 2 for row in rows)
    assert "not within 0.02 s" in rows[-1].note and rows[-1].least
    assert (tmp_path / "race.png").stat().st_size > 1000


def test_a_race_without_the_peer_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "smalldiffusion", None)
    (row,) = race.measure(data=["spiral"])
    assert row.values == [] and "-r tests/bench/requirements.txt" in row.note


def test_a_peer_that_is_missing_costs_its_own_step_alone(monkeypatch):
    def absent():
        raise peers.Missing("absent does not import")

    monkeypatch.setattr(sampling, "PEERS", {"absent": ("DDIM", absent), "another": ("DDIM", lambda: 20.0)})
    rows = list(sampling.costs(walks=2))
    assert [row.note for row in rows if not row.values] == ["absent does not import"]
    assert any("another" in row.name and len(row.values) == 2 for row in rows)


def test_the_first_clean_look_counts_and_the_end_where_there_is_none():
    def looks(*off):
        return [race.Look(seconds, 1, torch.zeros(1, 2), share, 1.0) for seconds, share in zip((1.0, 2.0, 40.0), off)]

    assert race.first_clean(looks(9, 4, 6)) == 2 and race.first_clean(looks(9, 5, 6)) is None
    never = {race.OURS: looks(4, 3, 2), race.DOCUMENTED: looks(80, 70, 60)}
    bound = race.sooner("spiral", race.DOCUMENTED, [never])
    assert bound.values == [40] and bound.met and "ours after 1 s; smalldiffusion not within 40 s" in bound.note


def test_a_race_is_looked_at_at_every_mark_and_more_often_between_them():
    found = race.moments((0.25, 1.0))
    assert found[0] == 0.25 and found[-1] == 1.0 and len(found) == 9


def test_our_loss_in_a_race_is_that_of_the_last_steps():
    points = make_points("spiral", 100)
    racer = race.ours(points, 0)
    racer.step()
    first = racer.loss()
    for _ in range(399):
        racer.step()
    assert 0.7 < racer.loss() < first


def test_a_backward_pass_by_hand_finds_the_gradient_of_autograd():
    points, how = make_points("spiral", 100), PointConfig()
    model, batch = point_model.new_checkpoint(how, points).state.model, point_model.batches(how, points)(0)
    with torch.no_grad():
        model.net.layers[-1].weight.normal_(generator=torch.Generator().manual_seed(0))  # it starts at zero
    loss = diffusion_loss(model, batch).mean()
    loss.backward()
    expected = [weight.grad for weight in model.parameters()]
    assert roofline.by_hand(model, batch) == pytest.approx(loss.item(), rel=1e-5)
    for weight, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-6)


def test_every_page_has_a_control_that_is_timed():
    pages = {page.stem for page in (ROOT / "pages").glob("*.py")} - {"glossary", "join"}  # they have no picture
    assert {change.page for change in app.CHANGES.values()} == pages
    named = [change for change in app.CHANGES.values() if not change.control.startswith("_")]
    assert not [c for c in named if c.control not in links.controls(import_module(f"pages.ui.lessons.{c.page}").Config)]


def test_a_backward_pass_by_hand_and_all_else_that_was_tried_is_timed():
    rows = list(roofline.measure(repeats=1, steps=2))
    assert all(len(row.values) == 1 for row in rows)
    assert sum(row.name.startswith("Tried: ") for row in rows) == len(roofline.TRIED)


def test_a_part_that_fails_says_so_and_keeps_the_figures_before_it(monkeypatch, capsys):
    first = Figure("first", [1.0], "s")

    def measure():
        yield first
        raise ZeroDivisionError

    monkeypatch.setattr(sampling, "measure", measure)
    assert bench.main(["sampling"]) == [first]
    assert "sampling | could not be measured: ZeroDivisionError" in capsys.readouterr().out


def test_a_figure_meets_its_target_by_its_median():
    assert Figure("wait", [1.0, 2.0, 9.0], "s", target=2.0).met
    assert Figure("wait", [1.0, 2.1, 9.0], "s", target=2.0).met is False
    assert Figure("wait", [1.0], "s").met is None


def test_images_compares_turn_by_turn_and_names_a_peer_that_is_missing(monkeypatch):
    def absent(task):
        raise peers.Missing("absent does not import; run the remedy")

    monkeypatch.setattr(images, "CONTENDERS", {"ours": peers.ours, "twin": peers.ours, "absent": absent})
    monkeypatch.setattr(images, "apart", images.trial)
    tiny = peers.Task("digits", batch=4, width=8, multipliers=(1, 2))
    missing, *rows = images.measure(tasks=[tiny], repeats=2, steps=1)
    assert missing.met is None and "8x8x1: absent | not measured" in missing.row() and "run the remedy" in missing.row()
    pace, memory, sampling = rows
    assert all(len(row.values) == 2 and min(row.values) >= 0 and "ours / twin" in row.name for row in rows)
    assert pace.least and pace.met == (median(pace.values) >= 1) and not memory.least and sampling.target is None


def test_images_does_not_compare_networks_of_unequal_weights():
    one, other = (images.Trial(weights, 1.0, None, 1.0) for weights in (1000, 1040))
    task = peers.Task("digits")
    assert [row.values for row in images.figures(task, "peer", [one], [other])] == [[]]
    assert len(list(images.figures(task, "peer", [one], [one]))) == 2  # no memory where nothing tells it


def test_a_peer_that_does_not_import_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(peers.Missing, match="diffusers does not import .* -r tests/bench/requirements.txt"):
        peers.diffusers(peers.Task("digits"))


def test_the_arithmetic_of_a_step_is_what_pytorch_counts():
    how, points = PointConfig(batch=64), make_points("spiral", 100)
    model, batch = point_model.new_checkpoint(how, points).state.model, point_model.batches(how, points)(0)
    with FlopCounterMode(display=False) as counted:
        diffusion_loss(model, batch).mean().backward()
    assert roofline.arithmetic(how, points) == pytest.approx(counted.get_total_flops(), rel=0.01)


def test_what_a_page_calls_an_error_counts_as_one():
    learner = crowd.Learner(seed=0)
    for kind in (Alert.INFO, Alert.ERROR):
        message = ForwardMsg(delta={"new_element": {"alert": {"body": "went wrong", "format": kind}}})
        learner.hear(message.SerializeToString())
    assert learner.errors == ["went wrong"]


def test_a_class_of_two_trains_and_meets_no_error():
    with serving("app.py") as server:
        found = asyncio.run(crowd.crowd(server, 2, 3.0))
        alone, pressed, spent = asyncio.run(own_settings.course(server, [320, 320]))  # the page runs again at step 300
    assert [one.errors for one in found.learners] == [[], []] and found.memory > 0 < found.work
    assert all(len(one.runs) >= 2 and one.ticks for one in found.learners)
    assert any(one.steps for one in found.learners)
    assert all(own_settings.seen(one, 320) > at for one, at in zip(alone, pressed)) and sum(spent.values()) > 0


@pytest.mark.slow
def test_learners_who_come_and_go_meet_no_error_and_what_the_server_holds_is_counted():
    with serving("app.py") as server:
        asyncio.run(crowd.crowd(server, 1, 0.0))
        found, early, late = asyncio.run(soak.soak(server, 0.2, 2))
    assert len(found) == 2 and all(one.runs and not one.errors for one in found)
    assert min(early.memory, late.memory) > 100 and late.files > 0 < late.threads


def test_a_learner_asks_for_parts_of_a_page_only_until_the_whole_page_runs_anew():
    learner = crowd.Learner(seed=0)

    def hears(fragments: tuple[str, ...] = (), **said) -> bool:
        message = ForwardMsg(**said)
        message.metadata.run.fragment_ids.extend(fragments)
        return learner.hear(message.SerializeToString())

    hears(auto_rerun={"interval": 1.0, "fragment_id": "watch"})
    hears(("watch",), new_session={})
    assert list(learner.every) == ["watch"]
    hears(new_session={})
    assert not learner.every
    assert hears(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY)
    assert not hears(script_finished=ForwardMsg.FINISHED_EARLY_FOR_RERUN)


def test_a_class_that_votes_loses_no_vote(monkeypatch):
    voting = import_module("tests.bench.class")
    monkeypatch.setattr(voting, "SECONDS", 3.0)
    rows = list(voting.measure(repeats=1, classes={3: None}))
    assert rows[-1].values == [0] and not rows[-1].note and all(row.values for row in rows)
