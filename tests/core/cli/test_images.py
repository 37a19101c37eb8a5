"""The command line: a tiny run from end to end, stopped, killed, and shared between processes."""

import errno
import json
import multiprocessing
import os
import runpy
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from core.__main__ import main
from core.cli import interrupts, terminal
from core.data.images import load
from core.diffusion import training
from core.models import image_judge
from core.models.images import ImageConfig
from core.problems import Problem
from core.runs import lock
from tests.killed import differences

ROOT = Path(__file__).parents[3]
TINY = ["--network", "fourier", "--batch", "16", "--warmup", "2"]
FORK = multiprocessing.get_context("fork")  # a copy of this process has imported PyTorch


def train(out: Path, steps: int, *flags: str) -> None:
    main(["train", "--out", str(out), "--steps", str(steps), *TINY, *flags])


def config(out: Path) -> dict:
    return json.loads((out / "checkpoint" / "config.json").read_text())


def metrics(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def fill(folder: Path, size: tuple[int, int] = (4, 4), broken: bool = False) -> Path:
    """Eight pictures of two classes, and a ninth that cannot be read."""
    for i in range(8):
        file = folder / ("cat", "dog")[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 30 * i).save(file)
    if broken:
        (folder / "cat" / "8.png").write_bytes(b"no picture")
    return folder


def weights(out: Path) -> dict[str, np.ndarray]:
    return {part: load_file(out / "checkpoint" / f"{part}.safetensors") for part in ("model", "ema", "optimizer")}


def same(one: dict, other: dict, tolerance: float = 0.0) -> bool:
    return all(
        np.allclose(one[part][name], other[part][name], atol=tolerance, rtol=tolerance)
        for part in one
        for name in one[part]
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run of 40 steps."""
    out = tmp_path_factory.mktemp("run")
    train(out, 40, "--every", "20")
    return out


def test_a_run_leaves_a_checkpoint_its_metrics_and_sheets_of_samples(run):
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoint", "metrics.jsonl", "samples-000020.png", "samples-000040.png",
    ]  # fmt: skip
    assert [line["step"] for line in metrics(run)] == [20, 40]
    assert all(len(line["loss_by_sigma"]) > 3 and line["images_per_second"] > 0 for line in metrics(run))


def test_info_says_what_a_checkpoint_is(run, capsys):
    main(["info", "--checkpoint", str(run)])
    said = capsys.readouterr().out
    assert "step 40" in said and "name digits" in said and "batch 16" in said
    assert said.endswith(
        "made by: python -m core train --out OUT --every 20 --network fourier --batch 16 --steps 40 --warmup 2\n"
    )


def test_samples_are_a_sheet_and_a_file_that_can_be_trained_on(run, tmp_path):
    asked = ["--n", "6", "--classes", "3", "8", "--scale", "2", "--negative", "1", "--sampler", "heun", "--steps", "3"]
    main(["sample", "--checkpoint", str(run), "--out", str(tmp_path / "some"), *asked])
    drawn = load(str(tmp_path / "some.npz"))
    assert drawn.images.shape == (6, 1, 8, 8) and drawn.labels.tolist() == [3, 8] * 3
    assert (tmp_path / "some.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """A run on people, of two steps."""
    out = tmp_path_factory.mktemp("people")
    main(["train", "--out", str(out), "--data", "people", "--steps", "2", "--size", "tiny", "--batch", "4"])
    return out


def test_training_begins_with_the_images_of_each_class_and_what_was_left_out(tmp_path, capsys):
    folder = fill(tmp_path / "set")
    (folder / "notes.txt").write_text("x")
    main(["train", "--out", str(tmp_path / "run"), "--data", str(folder), "--steps", "1", *TINY])
    shown = capsys.readouterr().out
    assert "set: 8 images of 1x4x4 in 2 classes: cat (4), dog (4)\n" in shown
    assert str(Problem("folder_not_images", lost=1, examples="notes.txt")) in shown


@pytest.mark.slow
def test_people_are_asked_for_in_words_and_words_that_are_not_understood_are_named(people, tmp_path, capsys):
    asked = ["--n", "3", "--steps", "2", "--scale", "2", "--caption", "a woman with long hair", "--negative", "a hat"]
    main(["sample", "--checkpoint", str(people), "--out", str(tmp_path / "some"), *asked])
    assert load(str(tmp_path / "some.npz")).images.shape == (3, 3, 16, 16)
    assert str(Problem("unknown_words", words="woman")) in capsys.readouterr().out


@pytest.mark.slow
def test_info_gives_the_command_of_a_run_on_people(people, capsys):
    main(["info", "--checkpoint", str(people)])
    shown = capsys.readouterr().out
    assert "hair bald, short" in shown and " --data people " in shown.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "values"),
    [
        (["evaluate"], "evaluate_attributes", {"name": "people"}),
        (["sample", "--caption", ""], "people_caption_empty", {}),
        (["sample", "--caption", "bald with long hair"], "people_caption_both", {}),
        (["sample", "--classes", "cap"], "model_unknown_class", {"name": "cap"}),
        (["train", "--data", "people", "--n", "0"], "people_count", {"n": 0}),
        (["train", "--data", "people", "--n", "2000000000"], "people_count", {"n": 2_000_000_000}),
        (["train", "--data", "digits", "--n", "5"], "data_count", {"name": "digits"}),
    ],
)
def test_what_cannot_be_done_with_people_ends_as_a_sentence(people, tmp_path, arguments, code, values, ends):
    command, *rest = arguments
    where = [] if command == "train" else ["--checkpoint", str(people)]
    out = [] if command == "evaluate" else ["--out", str(tmp_path / "out")]
    with ends(code, **values):
        main([command, *where, *out, *rest])
    assert not (tmp_path / "out").exists()


def test_a_single_person_can_be_trained_on(tmp_path):
    main(["train", "--out", str(tmp_path), "--data", "people", "--n", "1", "--steps", "2", *TINY])
    assert config(tmp_path)["data"]["n"] == 1


@pytest.mark.slow
def test_evaluate_prints_a_table_to_place_samples_by(run, capsys, monkeypatch):
    monkeypatch.setattr(image_judge, "judge", partial(image_judge.judge, steps=20))
    asked = ["--n", "20", "--steps", "3", "--sampler", "ddim", "ddpm_no_noise"]
    main(["evaluate", "--checkpoint", str(run), *asked])
    said = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("|")]
    assert "This is not FID" in said and "% of held-out images" in said
    assert "No part of this set was kept from the model" in said
    assert [row[0] for row in rows[2:]] == [
        "359 held-out real images", "359 training images, blurred",
        "20 samples, w = 2, ddim, 3 steps, seed 0", "20 samples, w = 2, ddpm_no_noise, 3 steps, seed 0",
    ]  # fmt: skip
    assert {len(row) for row in rows} == {6} and rows[4] != rows[5]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "values"),
    [
        (["info", "--checkpoint", "nowhere"], "no_model", {"name": "nowhere"}),
        (["info", "--checkpoint", "ODD"], "no_checkpoint", {}),
        (["train", "--out", "OUT", "--data", "nothing-of-the-kind"], "unknown_images", {"name": "nothing-of-the-kind"}),
        (["train", "--out", "RUN", "--steps", "1"], "run_exists", {}),
        (["train", "--out", "OUT", "--resume"], "run_nothing_to_resume", {}),
        (["train", "--out", "OUT", "--batch", "7", "--accumulate", "2"], "batch_shares", {"multiple": 2}),
        (["train", "--out", "OUT", "--steps", "0"], "train_setting", {"name": "steps", "value": "0"}),
        (["train", "--out", "OUT", "--batch", str(2**70)], "train_setting", {"name": "batch"}),
        (["train", "--out", "OUT", "--batch", "1000000000"], "batch_memory", {"most": 15_625_000}),
        (["train", "--out", "OUT", "--every", "0"], "flag_positive", {"flag": "every"}),
        (["train", "--out", "OUT", "--data", "ODD"], "network_side", {"padded": 12}),
        (["train", "--out", "OUT", "--data", "BROKEN"], "unreadable_images", {"lost": 1, "total": 9}),
        (["train", "--out", "FILE", "--steps", "2", *TINY], (FileExistsError, NotADirectoryError), {}),
        (["train", "--out", "OUT", "--config", "nowhere.json"], FileNotFoundError, {}),
        (["sample", "--checkpoint", "RUN", "--out", "OUT", "--classes", "cat"], "model_unknown_class", {"name": "cat"}),
        (["sample", "--checkpoint", "RUN", "--out", "OUT", "--negative", "10"], "model_unknown_class", {"name": "10"}),
        (
            ["sample", "--checkpoint", "RUN", "--out", "OUT", "--caption", "cat", "--classes", "3"],
            "model_no_attributes",
            {},
        ),
        (["sample", "--checkpoint", "RUN", "--out", "OUT", "--n", "0"], "flag_samples", {"value": 0}),
        (["sample", "--checkpoint", "RUN", "--out", "OUT", "--columns", "0"], "flag_positive", {"flag": "columns"}),
        (["sample", "--checkpoint", "RUN", "--out", "OUT", "--steps", "0"], "sampler_steps", {"steps": 0}),
        (["sample", "--checkpoint", "RUN", "--out", "OUT", "--scale", "nan"], "flag_number", {"flag": "scale"}),
        (["sample", "--checkpoint", "core/pretrained/spiral", "--out", "OUT"], "checkpoint_no_image_model", {}),
        (["evaluate", "--checkpoint", "core/pretrained/spiral"], "checkpoint_no_image_model", {}),
        (["evaluate", "--checkpoint", "RUN", "--data", "emoji"], "evaluate_other_data", {"name": "emoji"}),
        (["evaluate", "--checkpoint", "RUN", "--n", "1"], "flag_samples", {"value": 1, "fewest": 2}),
        (["evaluate", "--checkpoint", "RUN", "--scale", "inf"], "flag_number", {"flag": "scale"}),
        (["sample", "--checkpoint", "RUN", "--out", "/"], "flag_out", {}),
        (["sample", "--checkpoint", "RUN", "--out", "OUT", "--n", "1000000000000"], "flag_samples", {}),
    ],
)
def test_what_cannot_be_done_ends_as_a_sentence(run, tmp_path, monkeypatch, arguments, code, values, ends):
    monkeypatch.chdir(ROOT)
    fill(tmp_path / "odd", (10, 10)), fill(tmp_path / "broken", broken=True)
    (tmp_path / "file").write_text("")
    places = {"RUN": run, **{name.upper(): tmp_path / name for name in ("out", "odd", "broken", "file")}}
    with ends(code, **values):
        main([str(places.get(word, word)) for word in arguments])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["info", "--checkpoint", "OUT"], ["train", "--out", "OUT", "--resume"]])
def test_a_checkpoint_that_does_not_say_its_data_ends_as_a_sentence(tmp_path, arguments, ends):
    train(tmp_path, 1)
    stored = config(tmp_path)
    nameless = {name: value for name, value in stored["data"].items() if name != "name"}
    for data in ({}, {"data": nameless}, {"data": stored["data"] | {"source": 5}}):
        changed = {name: value for name, value in stored.items() if name != "data"} | data
        (tmp_path / "checkpoint" / "config.json").write_text(json.dumps(changed))
        with ends("checkpoint_no_flags"):
            main([str(tmp_path) if word == "OUT" else word for word in arguments])


def test_a_set_too_small_to_hold_images_out_is_refused_before_a_classifier_is_trained(tmp_path, monkeypatch, ends):
    train(tmp_path / "run", 1, "--data", str(fill(tmp_path / "few")))
    monkeypatch.setattr(image_judge, "classifier", lambda *_: pytest.fail("it was trained"))
    with ends("judge_too_few", total=8, test=1):
        main(["evaluate", "--checkpoint", str(tmp_path / "run")])


def test_what_is_left_out_of_the_images_that_samples_are_judged_by_is_named(tmp_path, monkeypatch, capsys, ends):
    fill(tmp_path / "zoo" / "train"), fill(tmp_path / "zoo" / "test", broken=True)
    Path(tmp_path / "zoo" / "test" / "cat" / "8.png").rename(tmp_path / "zoo" / "test" / "notes.txt")
    train(tmp_path / "run", 1, "--data", str(tmp_path / "zoo"))

    def stop(*_):
        raise Problem("word_empty")

    monkeypatch.setattr(image_judge, "judge", stop)
    with ends("word_empty"):
        main(["evaluate", "--checkpoint", str(tmp_path / "run")])
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in shown if line.startswith("zoo, ")] == [
        "zoo, training images",
        "zoo, test images",
    ]
    assert "notes.txt" in shown[-1]


def killed(tmp_path: Path, where: str, call: int, *arguments: str) -> int:
    """Kill a process at that call of what ends a step, or of what writes a file, of which it writes one half. The step
    of the checkpoint that is there then."""

    def die(*_) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            die()

    def until(function: Callable, last: Callable) -> Callable:
        left = count(call, -1)
        return lambda *given: (function if next(left) > 1 else last)(*given)

    def run() -> None:
        if where == "step":
            training.update_ema = until(training.update_ema, die)
        else:
            Path.write_bytes = until(Path.write_bytes, half)
        main([*arguments, "--out", str(tmp_path)])

    process = FORK.Process(target=run)
    process.start()
    process.join(240)
    assert process.exitcode == -signal.SIGKILL
    return json.loads((tmp_path / "checkpoint" / "config.json").read_text())["step"]


@pytest.mark.slow
def test_a_run_killed_while_it_writes_a_checkpoint_and_again_in_a_step_ends_with_the_same_weights(run, tmp_path):
    # The eighth file: after the log, a checkpoint's four at step 10, and its sheet.
    assert killed(tmp_path, "file", 8, "train", "--steps", "40", "--every", "10", *TINY) == 10
    assert (tmp_path / "checkpoint.new").exists()
    assert killed(tmp_path, "step", 17, "train", "--resume", "--every", "5") == 25
    (tmp_path / "metrics.jsonl").open("a").write('{"step": 20, "lo')
    main(["train", "--out", str(tmp_path), "--resume"])
    assert same(weights(tmp_path), weights(run))
    assert [line["step"] for line in metrics(tmp_path)] == [20, 40]


def signalled(monkeypatch, out: Path, how: signal.Signals, *calls: int, signals: int = 1) -> int | None:
    """Train to step 40, with a checkpoint every 20 steps. At these calls of the functions that end a step or
    save, counted together, so many signals arrive. The exit status; None at the end of the run."""
    made = count(1)

    def asking(function: Callable) -> Callable:
        def asked(*given) -> None:
            for _ in range(signals if next(made) in calls else 0):
                signal.raise_signal(how)
            function(*given)

        return asked

    with monkeypatch.context() as patch:
        patch.setattr(interrupts, "TOGETHER", 0)
        patch.setattr(training, "update_ema", asking(training.update_ema))
        patch.setattr(terminal, "save_folder", asking(terminal.save_folder))
        try:
            train(out, 40, "--every", "20")
        except SystemExit as ended:
            return ended.code
    return None


@pytest.mark.parametrize("how", interrupts.SIGNALS)
def test_a_run_that_is_asked_to_end_and_again_while_it_saves_goes_on_as_if_it_had_not(
    run, tmp_path, capfd, monkeypatch, how
):
    before = signal.getsignal(how)
    assert signalled(monkeypatch, tmp_path, how, 7, 8) == 128 + how
    assert "saved at step 7 of 40" in (said := capfd.readouterr()).out and "all its steps are lost" in said.err
    assert signal.getsignal(how) == before
    main(["train", "--out", str(tmp_path), "--resume"])
    assert not differences(run, tmp_path)


def test_a_run_that_is_asked_to_end_while_it_saves_makes_the_sheet_and_ends(tmp_path, monkeypatch):
    assert signalled(monkeypatch, tmp_path, signal.SIGTERM, 21) == 143
    assert config(tmp_path)["step"] == 20 and (tmp_path / "samples-000020.png").exists()


def test_the_third_request_ends_a_run_at_once_and_says_what_is_lost(tmp_path, monkeypatch, capfd):
    assert signalled(monkeypatch, tmp_path, signal.SIGINT, 31, signals=3) == 130
    assert config(tmp_path)["step"] == 20
    assert "Ended at once: the steps after 20 are lost" in capfd.readouterr().err


def test_a_request_that_comes_twice_at_once_counts_once(tmp_path, monkeypatch):
    with interrupts.requests(None) as received:
        for _ in range(5):
            signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM]


def test_a_run_that_is_to_ignore_the_end_of_its_terminal_does(run, tmp_path, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signalled(monkeypatch, tmp_path, signal.SIGHUP, 7) is None
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not differences(run, tmp_path)


def test_a_run_whose_output_nobody_reads_any_more_saves_and_ends(tmp_path, monkeypatch):
    silenced, updates = [], count(1)

    class Unread(terminal.tqdm):
        def update(self, n: float) -> None:
            if next(updates) == 7:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    monkeypatch.setattr(terminal, "tqdm", Unread)
    monkeypatch.setattr(interrupts, "silence", lambda: silenced.append(True))
    with pytest.raises(SystemExit) as ended:
        train(tmp_path, 40)
    assert ended.value.code == 128 + signal.SIGPIPE and silenced and config(tmp_path)["step"] == 7


def test_what_a_checkpoint_implies_is_made_again_when_a_run_goes_on(run, people, tmp_path):
    for whole in (run, people):
        shutil.copytree(whole, cut := tmp_path / whole.name)
        max(cut.glob("samples-*.png")).unlink()
        if (losses := cut / "losses.jsonl").exists():
            losses.write_bytes(losses.read_bytes()[:-9])
        main(["train", "--out", str(cut), "--resume"])
        assert not differences(whole, cut)


def test_two_processes_do_not_train_in_one_folder(run, tmp_path, ends):
    with lock.hold(tmp_path), ends("run_in_use", pid=os.getpid()):
        train(tmp_path, 40)
    assert not any(tmp_path.iterdir())
    with lock.hold(run), ends("run_in_use", folder=str(run)):
        main(["train", "--out", str(run), "--resume", "--steps", "50"])


def test_a_run_that_diverges_keeps_good_weights_and_says_how_to_go_on(tmp_path, ends):
    with ends("run_diverged", lr=1e9 / 3):
        train(tmp_path, 40, "--lr", "1e9")
    main(["train", "--out", str(tmp_path), "--resume", "--lr", "1e-4"])
    assert config(tmp_path)["plan"]["lr"] == 1e-4 and config(tmp_path)["step"] == 40


def test_a_run_goes_on_with_its_own_data_and_plan_but_for_what_flags_say(run, tmp_path, capsys, ends):
    fill(tmp_path / "zoo", broken=True)
    more = ["--data", str(tmp_path / "zoo"), "--side", "4", "--damaged", "skip", "--size", "small"]
    train(tmp_path / "run", 2, *more)
    assert "cannot be read were left out: 1 of 9 (cat/8.png)." in capsys.readouterr().out
    main(["train", "--out", str(tmp_path / "run"), "--resume", "--steps", "4", "--ema", "0.5"])
    assert "zoo: 8 images" in capsys.readouterr().out
    assert config(tmp_path / "run")["step"] == 4 and config(tmp_path / "run")["plan"]["ema"] == 0.5
    assert config(tmp_path / "run")["plan"]["batch"] == 16
    with ends("resume_other_network"):
        main(["train", "--out", str(tmp_path / "run"), "--resume", "--data", "emoji"])


def test_flags_may_come_from_a_file_and_those_given_beside_it_win(tmp_path, capsys):
    told = {"network": "fourier", "batch": 16, "steps": 9, "lr": 1e-4, "flip": True, "data": "digits", "every": 3}
    (tmp_path / "plan.json").write_text(json.dumps(told))
    main(["train", "--out", str(tmp_path / "run"), "--config", str(tmp_path / "plan.json"), "--steps", "6"])
    plan = config(tmp_path / "run")["plan"]
    assert plan == {**asdict(ImageConfig()), **{k: v for k, v in told.items() if k in plan}, "steps": 6}
    assert sorted(path.stem for path in (tmp_path / "run").glob("*.png")) == ["samples-000003", "samples-000006"]


@pytest.mark.parametrize(("encoding", "named"), [("utf-8-sig", "UTF-8 (BOM)"), ("utf-16", "UTF-16")])
def test_a_file_of_flags_may_be_written_by_an_editor_of_another_encoding(tmp_path, capsys, encoding, named):
    (tmp_path / "plan.json").write_text(json.dumps({"steps": 3, "data": "digits"}), encoding)
    train(tmp_path / "run", 1, "--config", str(tmp_path / "plan.json"))
    assert named in capsys.readouterr().out and config(tmp_path / "run")["data"]["source"]["data"] == "digits"


@pytest.mark.parametrize(
    ("content", "code", "values"),
    [
        ('{"stepz": 3, "lr": 0.1}', "unknown_flags", {"flags": "stepz"}),
        ('{"steps": "3"}', "setting_type", {"name": "steps", "value": "'3'"}),
        (f'{{"lr": 1{"0" * 400}}}', "setting_type", {"name": "lr"}),
        ('{"damaged": "mend"}', "setting_type", {"name": "damaged", "value": "'mend'"}),
        ('{"resume": true}', "unknown_flags", {"flags": "resume"}),
        ('{"steps": 3', "json_syntax", {"line": 1}),
        ("[3]", "flags_no_object", {}),
    ],
)
def test_a_file_of_flags_that_train_cannot_take_is_refused_with_a_sentence(tmp_path, content, code, values, ends):
    (tmp_path / "plan.json").write_text(content)
    with ends(code, **values):
        main(["train", "--out", str(tmp_path / "run"), "--config", str(tmp_path / "plan.json")])
    assert not (tmp_path / "run").exists()


def test_without_tensorboard_its_flag_ends_in_a_sentence_and_with_it_the_metrics_are_written(
    tmp_path, monkeypatch, ends
):
    written = []

    class Writer:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def add_scalar(self, *scalar):
            written.append(scalar)

        def flush(self):
            pass

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with ends("no_tensorboard"):
        train(tmp_path / "without", 2, "--tensorboard")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    train(tmp_path / "with", 2, "--tensorboard")
    assert written[0] == (tmp_path / "with" / "tensorboard", None)
    assert {"loss", "lr", "loss at sigma from/1"} <= {name for name, _, step in written[1:] if step == 2}
    main(["train", "--out", str(tmp_path / "with"), "--resume", "--steps", "3"])  # hides the steps of a killed run
    assert (tmp_path / "with" / "tensorboard", 3) in written


@pytest.fixture
def plain_processor(monkeypatch):
    """Whatever this machine is, one whose processor is not quick at bfloat16."""
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)


def test_where_nothing_computes_in_bfloat16_it_is_said_to_change_nothing(run, tmp_path, capsys, plain_processor):
    train(tmp_path, 40, "--bf16")
    assert "--bf16 changes nothing" in capsys.readouterr().out
    assert same(weights(tmp_path), weights(run))


def test_a_run_remembers_that_it_computes_in_bfloat16_until_it_is_told_otherwise(tmp_path, capsys, plain_processor):
    def told(*arguments: str) -> str:
        main([*arguments, str(tmp_path)])
        return capsys.readouterr().out

    train(tmp_path, 2, "--bf16")
    assert " --out OUT --bf16 --network" in told("info", "--checkpoint")
    assert "--bf16 changes nothing" in told("train", "--resume", "--out")
    assert "--bf16" not in told("train", "--resume", "--no-bf16", "--steps", "3", "--out")
    assert "--bf16" not in told("info", "--checkpoint")


def test_a_processor_that_can_computes_in_bfloat16(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    train(tmp_path, 40, "--bf16")
    assert "changes nothing" not in capsys.readouterr().out
    assert not same(weights(tmp_path), weights(run))
    assert metrics(tmp_path)[-1]["loss"] == pytest.approx(metrics(run)[-1]["loss"], rel=0.05)


def torchrun(*arguments: str) -> None:
    """What ``torchrun --standalone --nproc-per-node 2 -m core`` does, in copies of this process, which have PyTorch."""
    one = {"min_nodes": 1, "max_nodes": 1, "rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
    how = LaunchConfig(**one, nproc_per_node=2, run_id="suite", start_method="fork", monitor_interval=0.02)
    elastic_launch(how, run_core)(*arguments)


def run_core(*arguments: str) -> None:
    """``python -m core`` in this process."""
    sys.argv[1:] = arguments
    runpy.run_module("core", run_name="__main__", alter_sys=True)


@pytest.mark.slow
def test_two_processes_train_as_one_does(run, tmp_path):
    torchrun("train", "--out", str(tmp_path), "--steps", "40", *TINY)
    assert same(weights(tmp_path), weights(run), tolerance=2e-4)
    for mine, theirs in zip(metrics(tmp_path), metrics(run), strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert mine["loss_by_sigma"] == pytest.approx(theirs["loss_by_sigma"], rel=1e-4)
