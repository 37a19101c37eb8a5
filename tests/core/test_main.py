"""The command line: a tiny run from end to end, stopped, killed, and shared between processes."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from core import evaluation
from core.__main__ import main
from core.data.images import load

ROOT = Path(__file__).parents[2]
TINY = ["--network", "fourier", "--batch", "16", "--warmup", "2"]
ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}


def train(out: Path, steps: int, *flags: str) -> None:
    main(["train", "--out", str(out), "--steps", str(steps), *TINY, *flags])


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
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40] and all(line["loss_by_sigma"] for line in lines)


def test_info_says_what_a_checkpoint_is(run, capsys):
    main(["info", "--checkpoint", str(run)])
    said = capsys.readouterr().out
    assert "step 40" in said and "name digits" in said and "batch 16" in said


def test_samples_are_a_sheet_and_a_file_that_can_be_trained_on(run, tmp_path):
    asked = ["--n", "6", "--classes", "3", "8", "--scale", "2", "--negative", "1", "--sampler", "heun", "--steps", "3"]
    main(["sample", "--checkpoint", str(run), "--out", str(tmp_path / "some"), *asked])
    drawn = load(str(tmp_path / "some.npz"))
    assert drawn.images.shape == (6, 1, 8, 8) and drawn.labels.tolist() == [3, 8] * 3
    assert (tmp_path / "some.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_prints_a_table_to_place_samples_by(run, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "judge", partial(evaluation.judge, steps=20))
    asked = ["--n", "20", "--steps", "3", "--sampler", "ddim", "ddpm-no-noise"]
    main(["evaluate", "--checkpoint", str(run), *asked])
    said = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("|")]
    assert "This is not FID" in said and "% of held-out images" in said
    assert "No part of this set was kept from the model" in said
    assert [row[0] for row in rows[2:]] == [
        "359 held-out real images", "359 training images, blurred",
        "20 samples, w = 2, ddim, 3 steps, seed 0", "20 samples, w = 2, ddpm-no-noise, 3 steps, seed 0",
    ]  # fmt: skip
    assert {len(row) for row in rows} == {6} and rows[4] != rows[5]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["info", "--checkpoint", "nowhere"], "no checkpoint at nowhere"),
        (["train", "--out", "OUT", "--data", "nothing-of-the-kind"], "nothing-of-the-kind"),
        (["sample", "--checkpoint", "RUN", "--out", "OUT", "--classes", "cat"], "no class 'cat'"),
        (["train", "--out", "RUN", "--steps", "1"], "--resume"),
        (["train", "--out", "OUT", "--batch", "7"], "multiple of 2"),
    ],
)
def test_what_cannot_be_done_ends_as_a_sentence(run, tmp_path, arguments, said):
    places = {"RUN": str(run), "OUT": str(tmp_path / "out")}
    with pytest.raises(SystemExit, match=said):
        main([places.get(word, word) for word in arguments])


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(run, tmp_path):
    command = [sys.executable, "-m", "core", "train", "--out", str(tmp_path), "--steps", "40", "--every", "1", *TINY]
    killed = subprocess.Popen(command, cwd=ROOT, env=ALONE, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "samples-000003.png").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    train(tmp_path, 40, "--resume")
    assert same(weights(tmp_path), weights(run))


def test_a_run_that_is_asked_to_end_saves_first(tmp_path):
    command = [sys.executable, "-m", "core", "train", "--out", str(tmp_path), "--steps", "1000000", *TINY]
    asked = subprocess.Popen(command, cwd=ROOT, env=ALONE, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    asked.send_signal(signal.SIGTERM)
    said, _ = asked.communicate(timeout=60)
    assert "--resume" in said and weights(tmp_path)["model"]


def test_two_processes_train_as_one_does(run, tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, "-m", "core", "train", "--out", str(tmp_path), "--steps", "40", *TINY]
    done = subprocess.run(command, cwd=ROOT, env=ALONE, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert same(weights(tmp_path), weights(run), tolerance=2e-4)
