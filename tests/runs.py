"""The folder of a run as ``python -m core train`` leaves it, made in a moment."""

import json
from pathlib import Path

from core import seeds
from core.models import images as image_model
from core.models import live_digits
from core.models.images import ImageConfig
from core.runs.checkpoints import Checkpoint, save_folder
from core.runs.distributed import losses

CONFIG = ImageConfig(network="fourier", batch=16, steps=6, warmup=2)


def write_run(run: Path, steps: int = 6, config: ImageConfig = CONFIG) -> Checkpoint:
    """So many steps on digits: a line of the log for each, then a checkpoint and a sheet of two samples."""
    checkpoint, seen = image_model.new_checkpoint(config, live_digits.images()), losses()
    run.mkdir(parents=True, exist_ok=True)
    for state in image_model.run(config, live_digits.images(), checkpoint.state, losses=seen):
        note(run, json.dumps(image_model.log_entry(state, config, seen, 50.0)) + "\n")
        if state.step == steps:
            break
    save(run, checkpoint)
    return checkpoint


def save(run: Path, checkpoint: Checkpoint) -> None:
    """Its checkpoint, and a sheet of two images."""
    save_folder(checkpoint, run / "checkpoint")
    two, _ = live_digits.images().sample(2, seeds.generator(0))
    image_model.write_sheet(two, 2, run / f"samples-{checkpoint.state.step:06}.png")


def note(run: Path, text: str) -> None:
    """Append to the log."""
    with (run / "metrics.jsonl").open("a") as file:
        file.write(text)
