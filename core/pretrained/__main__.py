"""``python -m core.pretrained [NAME ...]``: train the shipped models again (without a name: all), with their logs."""

import sys
import time

import torch

from core import metrics, recipe, seeds
from core.checkpoints import save_folder
from core.pretrained import FOLDER, RECIPES, points_of


def make(name: str) -> None:
    """Train one shipped model; write checkpoint and ``log.csv``: step, seconds, loss, exact loss, energy distance."""
    how = RECIPES[name][1]
    points = points_of(name)
    draw = points.sample if how.endless else recipe.resample(points)
    real = draw(2000, seeds.generator(1234))[0]
    floor = recipe.floor(how, points)
    begun = time.perf_counter()
    rows = ["step,seconds,loss,exact_loss,energy_distance"]
    for progress in recipe.run(how, points):
        state = progress.state
        if state.step % 1000 == 0 or state.step == how.steps:
            samples = recipe.sample(state.ema, 2000, state.ema.sigma_data, seed=1)[-1]
            distance = metrics.energy_distance(samples, real)
            seconds = time.perf_counter() - begun
            rows.append(f"{state.step},{seconds:.1f},{progress.losses[-1]:.5f},{floor:.5f},{distance:.6f}")
            print(name, rows[-1], flush=True)
    progress.floor = floor
    save_folder(recipe.keep(progress, how, points), FOLDER / name)
    (FOLDER / name / "log.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or RECIPES:
        make(wanted)
