"""``python -m core.pretrained [NAME ...]``: train the shipped models again (without a name: all), with their logs."""

import shutil
import sys
import time
from functools import partial
from pathlib import Path

import torch

from core import metrics, seeds
from core.cli import captions as cli_captions
from core.cli import images as command
from core.models import points as point_model
from core.pretrained import CAPTION_CONFIGS, FOLDER, IMAGE_CONFIGS, POINT_CONFIGS, points_of
from core.runs.checkpoints import load_folder, save_folder

TRAIN = {"clip": cli_captions.train_clip, "judge": cli_captions.train_clip, "prior": cli_captions.train_prior,
         "decoder": partial(cli_captions.train_decoder, bf16=True)}  # fmt: skip


def make_images(name: str) -> None:
    """Train one shipped model of images as ``python -m core train`` does, in ``.runs/NAME``, or go on there."""
    data, plan = IMAGE_CONFIGS[name]
    run = Path(".runs") / name
    command.train(run, plan, data, resume=(run / "checkpoint").exists(), every=500, bf16=plan.size == "patched")
    keep(name, plan.steps)


def make_captioned(name: str) -> None:
    """Train one shipped model of captioned pictures as ``python -m core train clip`` does, or prior, or decoder."""
    run = Path(".runs") / name
    TRAIN[name](run, config=CAPTION_CONFIGS[name], resume=(run / "checkpoint").exists(), every=500)
    keep(name, CAPTION_CONFIGS[name].steps)


def keep(name: str, steps: int) -> None:
    """Of a run in ``.runs`` that has come to its end keep the moving average, its metrics as ``log.jsonl`` and the last
    sheet, if any. Ends the program where it was stopped before, so that what is shipped stays."""
    run = Path(".runs") / name
    made = load_folder(run / "checkpoint")
    if made.state.step < steps:
        raise SystemExit(f"{name} was stopped before its end; the same command goes on.")
    save_folder(made, FOLDER / name, parts=("ema",))
    shutil.copy(run / "metrics.jsonl", FOLDER / name / "log.jsonl")
    for sheet in sorted(run.glob("samples-*.png"))[-1:]:
        shutil.copy(sheet, FOLDER / name / "samples.png")


def make_points(name: str) -> None:
    """Train one shipped model of points; write its checkpoint whole and ``log.csv``: step, seconds, loss, exact loss,
    energy distance."""
    how = POINT_CONFIGS[name][1]
    points = points_of(name)
    draw = points.sample if how.endless else point_model.resample(points)
    real = draw(2000, seeds.generator(1234))[0]
    floor = point_model.bayes_loss(how, points)
    begun = time.perf_counter()
    rows = ["step,seconds,loss,exact_loss,energy_distance"]
    for progress in point_model.run(how, points):
        state = progress.state
        if state.step % 1000 == 0 or state.step == how.steps:
            samples = point_model.sample(state.ema, 2000, state.ema.sigma_data, seed=1)[-1]
            distance = metrics.energy_distance(samples, real)
            seconds = time.perf_counter() - begun
            rows.append(f"{state.step},{seconds:.1f},{progress.losses[-1]:.5f},{floor:.5f},{distance:.6f}")
            print(name, rows[-1], flush=True)
    progress.bayes_loss = floor
    save_folder(point_model.checkpoint_of(progress, how, points), FOLDER / name)
    (FOLDER / name / "log.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or [*POINT_CONFIGS, *IMAGE_CONFIGS, *CAPTION_CONFIGS]:
        (make_points if wanted in POINT_CONFIGS else make_images if wanted in IMAGE_CONFIGS else make_captioned)(wanted)
