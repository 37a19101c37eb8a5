"""A run read while it goes on: nothing lost, nothing believed that is not whole."""

import json
import math
import os
import shutil
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image

from core.cli import terminal
from core.models import run_folder
from core.problems import Problem
from core.runs.checkpoints import to_files
from core.runs.distributed import BINS
from tests.runs import CONFIG, note, save, write_run


def line(step: int, loss: float = 0.5, **more) -> str:
    said = {"step": step, "loss": loss, "images_per_second": 20.0, "loss_by_sigma": {"0.1": loss}, **more}
    return json.dumps(said) + "\n"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_the_log_of_a_run_says_how_far_it_is_and_how_long_it_takes(run):
    write_run(run, steps=4)
    log = run_folder.read_log(run)
    assert [entry.step for entry in log.entries] == [1, 2, 3, 4] and not log.finished and not log.damaged
    assert log.left == pytest.approx((CONFIG.steps - 4) * CONFIG.batch / 50)
    assert run_folder.read_log(run, log) == log and run_folder.read_log(run, log) is log


def test_a_half_written_line_is_left_until_it_is_whole(run):
    note(run, line(1) + line(2)[:20])
    before = run_folder.read_log(run)
    assert [entry.step for entry in before.entries] == [1] and not before.damaged
    note(run, line(2)[20:])
    after = run_folder.read_log(run, before)
    assert [entry.step for entry in after.entries] == [1, 2] and not after.damaged


@pytest.mark.parametrize("damage", [
    '{"step": 2, "lo\n', "[]\n", "null\n", "\x00\xff\n", '{"step": 2}\n', "[" * 9999 + "\n",
    line(2).replace("0.5", '"half"'), line(2).replace('"step": 2', '"step": 1e999'),
    line(2, math.nan), line(2, 1e300), line(2, batch=10**400), line(2, loss_by_sigma={"0.1": math.inf}),
    line(2, -0.1), line(2, note="x" * 100_001),
])  # fmt: skip
def test_a_damaged_line_is_counted_and_the_rest_is_read(run, damage):
    note(run, line(1) + damage + line(3))
    log = run_folder.read_log(run)
    assert [entry.step for entry in log.entries] == [1, 3] and (log.damaged, log.examples) == (1, (2,))


def test_a_line_that_is_longer_than_a_look_is_one_damaged_line(run, monkeypatch):
    monkeypatch.setattr(run_folder, "LOOK", 300)
    note(run, line(1) + "x" * 1000 + "\n" + line(3))
    log = run_folder.Log()
    for _ in range(6):
        log = run_folder.read_log(run, log)
    assert [entry.step for entry in log.entries] == [1, 3] and (log.damaged, log.examples) == (1, (2,))
    assert run_folder.read_log(run, log) is log


def test_of_a_very_long_log_some_entries_are_kept_the_last_among_them(run, monkeypatch):
    monkeypatch.setattr(run_folder.limits, "LOG_ENTRIES", 4)
    note(run, "".join(map(line, range(1, 10))))
    assert [entry.step for entry in run_folder.read_log(run).entries] == [1, 5, 9]


def test_a_run_beyond_its_last_step_has_no_time_left(run):
    note(run, line(9, of=8, batch=2))
    assert run_folder.read_log(run).finished and run_folder.read_log(run).left is None


def test_a_byte_order_mark_and_empty_lines_are_no_damage(run):
    (run / run_folder.LOG).write_bytes(b"\xef\xbb\xbf" + f"{line(1)}\r\n\n{line(2)}".encode())
    log = run_folder.read_log(run)
    assert [entry.step for entry in log.entries] == [1, 2] and not log.damaged


def test_a_folder_in_the_place_of_a_log_is_not_a_log_that_is_gone(run, refused):
    with refused("run_no_log"):
        run_folder.read_log(run)
    (run / run_folder.LOG).mkdir()
    with refused("run_log_unopened"):
        run_folder.read_log(run)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_run_whose_name_is_no_text_is_listed_by_a_name_that_finds_it(tmp_path):
    run = tmp_path / os.fsdecode(b"caf\xe9")
    run.mkdir()
    note(run, line(1))
    assert run_folder.runs(tmp_path) == ["caf\\udce9"] and run_folder.place_of(tmp_path, "caf\\udce9") == run


def test_a_run_that_went_back_shows_each_step_once(run):
    note(run, line(1) + line(2) + line(3, 0.9))
    log = run_folder.read_log(run)
    note(run, line(2, 0.4) + line(3, 0.3))
    assert [(entry.step, entry.loss) for entry in run_folder.read_log(run, log).entries] == [
        (1, 0.5),
        (2, 0.4),
        (3, 0.3),
    ]


def test_a_log_begun_anew_is_read_anew(run):
    note(run, line(1) + line(2))
    log = run_folder.read_log(run)
    (run / run_folder.LOG).write_text(line(1, 0.1))
    assert [entry.loss for entry in run_folder.read_log(run, log).entries] == [0.1]


def test_a_resumed_log_that_has_outgrown_what_was_read_is_read_anew(run):
    note(run, line(1) + line(2) + line(3))
    before = run_folder.read_log(run)
    log = terminal.file_log(run / run_folder.LOG, step=1)
    for step in (2, 3, 4):
        log(json.loads(line(step, 0.1)))
    assert [entry.loss for entry in run_folder.read_log(run, before).entries] == [0.5, 0.1, 0.1, 0.1]


def test_a_log_without_totals_does_not_guess_the_time_left(run):
    note(run, line(1))
    assert run_folder.read_log(run).left is None and not run_folder.read_log(run).finished


def test_a_pace_of_almost_nothing_does_not_say_the_time_left(run):
    note(run, line(1, of=10**14, batch=10**14, images_per_second=1e-300))
    assert run_folder.read_log(run).entries and run_folder.read_log(run).left is None


def test_a_vanished_run_is_a_sentence(run, refused):
    with refused("run_no_log"):
        run_folder.read_log(run / "nowhere")


def test_only_folders_with_a_log_are_runs(tmp_path):
    for name in ("b", "a", ".hidden", "empty"):
        (tmp_path / name).mkdir()
        if name != "empty":
            note(tmp_path / name, line(1))
    assert run_folder.runs(tmp_path) == ["a", "b"] and run_folder.runs(tmp_path / "nowhere") == []


def test_the_loss_by_noise_level_is_a_mean_over_the_last_lines_up_to_a_step(run):
    note(run, line(1, 1.0) + line(2, 0.5) + line(3, 0.1))
    means = run_folder.mean_loss_by_sigma(run_folder.read_log(run).entries, step=2)
    assert means[BINS.index(0.1)] == 0.75 and means.isnan().sum() == len(BINS) - 2


def test_sheets_come_by_step_and_a_half_written_one_is_none(run):
    for step, name in ((1000, "samples-001000.png"), (20, "samples-000020.png")):
        Image.new("L", (9, 5), step % 256).save(run / name)
    (run / "samples-002000.png").write_bytes((run / "samples-000020.png").read_bytes()[:40])
    (run / "samples-best.png").write_bytes(b"")
    found = run_folder.sheets(run)
    assert list(found) == [20, 1000, 2000] and run_folder.read_sheet(found[2000]) is None
    assert run_folder.read_sheet(found[20]).shape == (5, 9) and run_folder.sheets(run / "nowhere") == {}


def test_a_sheet_in_colour_has_its_channels_last(run):
    Image.new("RGB", (9, 5)).save(run / "samples-1.png")
    assert run_folder.read_sheet(run / "samples-1.png").shape == (5, 9, 3)


def test_the_checkpoint_of_a_run_is_its_moving_average(run):
    made = write_run(run)
    found = run_folder.load_checkpoint(run)
    assert run_folder.saved_step(run) == found.state.step == 6
    assert to_files(found, ("ema",))["ema.safetensors"] == to_files(made, ("ema",))["ema.safetensors"]


def test_a_checkpoint_whose_replacement_was_cut_off_is_the_one_before(run):
    write_run(run)
    written = run_folder.saved_at(run)
    (run / "checkpoint").rename(run / "checkpoint.old")
    assert (
        run_folder.load_checkpoint(run).state.step == run_folder.saved_step(run) == 6
        and run_folder.saved_at(run) == written > 0
    )


@pytest.mark.parametrize("step", ["Infinity", "NaN", "1" + 400 * "0"], ids=["infinite", "no number", "huge"])
def test_a_checkpoint_of_no_step_there_is_has_none(run, step):
    (run / "checkpoint").mkdir()
    (run / "checkpoint" / "config.json").write_text(f'{{"step": {step}}}')
    assert run_folder.saved_step(run) is None


def damaged(run, name: str) -> None:
    path = run / "checkpoint" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("spoil", [
    lambda run: damaged(run, "ema.safetensors"),
    lambda run: damaged(run, "config.json"),
    lambda run: (run / "checkpoint" / "ema.safetensors").unlink(),
    lambda run: shutil.rmtree(run / "checkpoint"),
], ids=["weights cut short", "config cut short", "no weights", "no checkpoint"])  # fmt: skip
def test_a_checkpoint_that_is_not_whole_is_refused_with_a_sentence(run, spoil):
    write_run(run)
    spoil(run)
    with pytest.raises(Problem):
        run_folder.load_checkpoint(run, tries=1)


@pytest.mark.parametrize(
    "lie", [{"shape": [1, 9, 9]}, {"classes": ["0"]}, {"classes": 10}, {"name": 7}, {"shape": [3, 8, 8]}]
)
def test_a_config_that_does_not_fit_its_network_is_refused_with_a_sentence(run, lie):
    made = write_run(run)
    liar = replace(made, config={**made.config, "data": {**made.config["data"], **lie}})
    with pytest.raises(Problem):
        run_folder.check(liar)


def test_images_too_large_for_a_page_are_refused_with_the_remedy(run, refused):
    made = write_run(run)
    large = replace(made, config={**made.config, "data": {**made.config["data"], "shape": [1, 65, 65]}})
    with refused("run_images_too_large", side=65, most=64):
        run_folder.check(large)


def test_a_newer_checkpoint_is_noticed(run):
    made = write_run(run)
    made.state.step = 9
    save(run, made)
    assert run_folder.saved_step(run) == 9 and list(run_folder.sheets(run)) == [6, 9]


def test_the_model_of_a_followed_run_answers_as_the_one_that_was_trained(run):
    made, x = write_run(run), torch.zeros(2, 1, 8, 8)
    there = run_folder.load_checkpoint(run).denoiser(x, torch.ones(2), {"label": torch.tensor([3, -1])})
    assert torch.equal(there, made.denoiser(x, torch.ones(2), {"label": torch.tensor([3, -1])}))
