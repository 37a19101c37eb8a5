"""On a graphics card: train, resume, sheet, sample, and two processes. Skipped where there is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core.data.images import digits
from core.models import images as image_model
from core.models.images import ImageConfig
from core.models.model import load, save, train
from tests.core.cli.test_captions import CLIP, HALF, data
from tests.core.cli.test_images import ROOT, same, weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card and PyTorch with CUDA"),
]
TINY = ["--network", "unet", "--size", "tiny", "--batch", "16", "--warmup", "2"]


def command(*arguments: str | Path, processes: int = 1) -> str:
    """Run ``python -m core`` in processes of its own; what it printed."""
    launch = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    )
    words = [sys.executable, *launch, "-m", "core", *map(str, arguments)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=ROOT, env=alone, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def step(run: Path) -> int:
    return json.loads((run / "checkpoint" / "config.json").read_text())["step"]


def test_an_image_model_is_trained_and_resumed_with_its_sheets(tmp_path):
    out = tmp_path / "run"
    assert "cuda" in command("train", "--out", out, "--steps", "20", "--bf16", *TINY)
    command("train", "--out", out, "--resume", "--steps", "40")
    assert step(out) == 40 and {path.name for path in out.glob("*.png")} == {"samples-000020.png", "samples-000040.png"}
    command("sample", "--checkpoint", out, "--out", tmp_path / "x", "--n", "10", "--scale", "2")
    assert np.load(tmp_path / "x.npz")["images"].shape == (10, 1, 8, 8)
    assert "| 20 samples" in command("evaluate", "--checkpoint", out, "--n", "20")


def test_the_whole_memory_of_the_optimizer_is_on_the_card_after_a_resume(tmp_path):
    config = ImageConfig(network="unet", size="tiny", batch=16, steps=4, warmup=1)
    for training in train(config, digits()):
        if training.step == 2:
            save(training.model, tmp_path / "run")
    model = load(tmp_path / "run")
    for memory in model.checkpoint.state.optimizer.state.values():
        assert {value.device.type for value in memory.values()} == {"cuda"}
    *_, resumed = train(config, digits(), model=model)
    one, other = (each.model.denoiser.state_dict() for each in (training, resumed))
    assert all(torch.allclose(one[name], other[name], atol=1e-4) for name in one)
    assert image_model.device_of(resumed.model.denoiser).type == "cuda" and resumed.model.sample(3).device.type == "cpu"


def test_clip_prior_and_decoder_are_trained_resumed_and_used(tmp_path, folder):
    for seed, name in enumerate(("clip", "judge")):
        command("train", "clip", "--out", tmp_path / name, *CLIP, "--seed", seed, *data(folder))
    for part, more in {"prior": [], "decoder": ["--size", "tiny"]}.items():
        begin = ["train", part, "--out", tmp_path / part]
        command(*begin, "--encoders", tmp_path / "clip", *HALF, *more, *data(folder))
        command(*begin, "--resume", "--steps", "3")
        assert step(tmp_path / part) == 3
    assert (tmp_path / "decoder" / "samples-000003.png").exists()
    parts = [word for flag, name in (("--encoders", "clip"), ("--prior", "prior"), ("--decoder", "decoder"))
             for word in (flag, tmp_path / name)]  # fmt: skip
    command("sample", "unclip", "--caption", "shade1 top", "--n", "2", "--steps", "2", "--out", tmp_path / "x", *parts)
    command("evaluate", "unclip", *parts, "--judge", tmp_path / "judge", "--steps", "2", *data(folder))


@pytest.mark.parametrize("what", [["train", *TINY, "--steps", "20"], ["train", "clip", *CLIP]], ids=["images", "clip"])
def test_two_processes_train_as_one_does(tmp_path, folder, what):
    """Each on a card of its own by NCCL, or both on one card by Gloo."""
    more = data(folder) if "clip" in what else []
    for processes in (1, 2):
        command(*what, "--out", tmp_path / str(processes), *more, processes=processes)
    assert same(weights(tmp_path / "1"), weights(tmp_path / "2"), tolerance=1e-3)
