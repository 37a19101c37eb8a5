"""The command line: ``python -m core train | sample | evaluate | info``, each with ``--help`` for its flags."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro

from core import evaluation, imaging
from core.checkpoints import Checkpoint, load_folder, save_folder
from core.data.images import ImageSet, load, pixels
from core.imaging import Plan, Team
from core.training import TrainState

NOTED_EVERY = 20  # steps
FLAT, PLAN = tyro.conf.OmitArgPrefixes, Plan()


def train(
    out: Path,
    plan: Annotated[Plan, FLAT] = PLAN,
    data: str = "digits",
    side: int | None = None,
    resume: bool = False,
    every: int = 1000,
    bf16: bool = False,
    tensorboard: bool = False,
) -> None:
    """Train an image model. On several graphics cards or machines: torchrun --nproc-per-node N -m core train ...

    Args:
        out: the run's folder, for its checkpoint, metrics.jsonl and samples-STEP.png.
        data: digits, fashion, emoji, a folder of images or of IDX files, an .npz, or hf:NAME from Hugging Face.
        side: bring all images to this many pixels a side.
        resume: go on from the folder's checkpoint with its plan; of the flags only a larger --steps counts.
        every: steps between two checkpoints, each with a sheet of samples.
        bf16: compute in bfloat16, on graphics cards that are quick at it.
        tensorboard: write the metrics for TensorBoard as well, if that is installed.
    """
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    team = Team(
        accelerator.process_index, accelerator.num_processes, accelerator.device, accelerator.prepare,
        lambda loss: accelerator.reduce(loss, "mean"), bf16,
    )  # fmt: skip
    images = load(data, side)
    checkpoint = load_folder(out / "checkpoint") if resume else imaging.begin(plan, images)
    if resume:
        before = imaging.plan_of(checkpoint.config)
        plan = replace(before, steps=max(before.steps, plan.steps))
    elif (out / "checkpoint").exists():
        raise ValueError(f"There is a run in {out} already: go on with --resume, or choose another folder.")
    state, seen = imaging.to(checkpoint.state, team.device), imaging.losses(team.device)
    steps = imaging.run(plan, images, state, team, seen)
    if not accelerator.is_main_process:
        for _ in steps:
            pass
        return
    out.mkdir(parents=True, exist_ok=True)
    parameters = sum(p.numel() for p in state.model.parameters())
    print(f"{images.name}: {len(images.images):,} images; {plan.network}: {parameters:,} parameters; {team.device}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who is asked to end saves first, as at Ctrl-C
    try:
        for now in _noted(_shown(steps, state.step, plan), out, plan, seen, tensorboard):
            if now.step % every == 0 or now.step == plan.steps:
                _keep(checkpoint, out, list(range(len(images.classes))) or [None])
    except KeyboardInterrupt:
        save_folder(checkpoint, out / "checkpoint")
        print(f"\nStopped and saved at step {state.step:,}. Go on with --resume.")


def _shown(steps: Iterator[TrainState], done: int, plan: Plan) -> Iterator[TrainState]:
    """The steps behind a progress bar: time left, images a second, loss."""
    from tqdm import tqdm

    with tqdm(total=plan.steps * plan.batch, initial=done * plan.batch, unit="img", unit_scale=True) as bar:
        for state in steps:
            bar.set_postfix_str(f"step {state.step}, loss {state.loss:.4f}", refresh=False)
            bar.update(plan.batch)
            yield state


def _noted(
    steps: Iterator[TrainState], out: Path, plan: Plan, seen: imaging.Losses, tensorboard: bool
) -> Iterator[TrainState]:
    """The steps, with a line in metrics.jsonl for every so many of them."""
    writer = None
    if tensorboard:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(out)
    since, images = time.perf_counter(), 0
    with (out / "metrics.jsonl").open("a") as file:
        for state in steps:
            images += plan.batch
            if state.step % NOTED_EVERY == 0 or state.step == plan.steps:
                pace = images / (time.perf_counter() - since)
                line = imaging.metrics(state, plan, seen, pace)
                file.write(json.dumps(line) + "\n")
                file.flush()
                if writer:
                    for name in ("loss", "lr", "images_per_second"):
                        writer.add_scalar(name, line[name], state.step)
                since, images = time.perf_counter(), 0
            yield state


def _keep(checkpoint: Checkpoint, out: Path, labels: list[int | None]) -> None:
    """Save the checkpoint, and a sheet of 64 samples of it."""
    save_folder(checkpoint, out / "checkpoint")
    model, shape = checkpoint.denoiser, imaging.shape_of(checkpoint.config)
    samples = imaging.sample(model, shape, [labels[k % len(labels)] for k in range(64)])
    imaging.write_sheet(samples, 8, out / f"samples-{checkpoint.state.step:06}.png")


def sample(
    checkpoint: Path,
    out: Path,
    n: int = 64,
    classes: tuple[str, ...] = (),
    scale: float = 1.0,
    negative: str | None = None,
    sampler: Literal["ddpm", "ddim", "euler", "heun", "dpmpp-2m", "sde"] = "dpmpp-2m",
    steps: int = 20,
    seed: int = 0,
    columns: int = 8,
) -> None:
    """Draw samples from a checkpoint: a sheet OUT.png, and OUT.npz with images and labels, which `train` can read.

    Args:
        checkpoint: a checkpoint's folder, or the run's folder that holds it.
        out: the two files' name without its ending.
        n: how many images.
        classes: names or numbers, taken in turn; none given: all classes in turn.
        scale: guidance scale w; 1 is plain conditional.
        negative: a class to lead away from, in place of no class.
        sampler: how to walk from noise to images.
        steps: of the sampler.
        seed: image k of a seed is the same however many are drawn.
        columns: of the sheet.
    """
    taken = _open(checkpoint)
    known = taken.config["data"]["classes"]
    wanted = [_label(name, known) for name in classes] or list(range(len(known))) or [None]
    labels = [wanted[k % len(wanted)] for k in range(n)]
    away = None if negative is None else _label(negative, known)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x = imaging.sample(
        taken.denoiser.to(device), imaging.shape_of(taken.config), labels, scale, away, sampler, steps, seed
    ).cpu()
    out.parent.mkdir(parents=True, exist_ok=True)
    imaging.write_sheet(x, columns, out.with_suffix(".png"))
    named = {"labels": np.array(labels), "classes": np.array(known)} if known else {}
    np.savez_compressed(out.with_suffix(".npz"), images=pixels(x).numpy(), **named)
    print(f"{n} images in {out.with_suffix('.png')} and {out.with_suffix('.npz')}")


def evaluate(
    checkpoint: Path,
    data: str | None = None,
    n: int = 2000,
    scale: float = 2.0,
    sampler: Literal["ddpm", "ddim", "euler", "heun", "dpmpp-2m", "sde"] = "dpmpp-2m",
    steps: int = 20,
    seed: int = 0,
) -> None:
    """Judge samples of a checkpoint by a classifier trained on the real images: a table to place them by.

    Args:
        checkpoint: a checkpoint's folder, or the run's folder that holds it.
        data: what it was trained on, as for train; by default what the checkpoint names.
        n: how many samples, all classes in turn.
        scale: guidance scale w.
        sampler: how to walk from noise to images.
        steps: of the sampler.
        seed: of the samples.
    """
    taken = _open(checkpoint)
    shape, name = imaging.shape_of(taken.config), data or taken.config["data"]["name"]
    images, test = _parted(name, shape[1])
    judge, real, of = evaluation.judge(images, test)
    labels = [k % len(images.classes) for k in range(n)]
    x = imaging.sample(taken.denoiser, shape, labels, scale, None, sampler, steps, seed)
    copies = evaluation.unit(images.images[: len(real)])
    rows = {
        f"{n:,} samples, w = {scale:g}, {sampler}, {steps} steps, seed {seed}": (x, torch.tensor(labels)),
        f"{len(real):,} held-out real images": (real, of),
        f"{len(copies):,} training images, blurred": (evaluation.blurred(copies), images.labels[: len(copies)]),
    }
    print(f"{images.name}, judged by a classifier right on {judge.accuracy():.1%} of held-out images. This is not FID.")
    print("| images | Frechet distance | taken for their class | diversity | nearest training image | detail |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row, (some, kinds) in rows.items():
        seen, detail = judge.report(some, kinds), evaluation.detail(some)
        print(f"| {row} | {seen.frechet:.2f} | {seen.agreement:.1%} | {seen.diversity:.2f} | {seen.nearest:.2f} "
              f"| {detail:.4f} |")  # fmt: skip


def _parted(name: str, side: int) -> tuple[ImageSet, ImageSet]:
    """The training and the held-out part of a data set: its own, or else parted at random."""
    try:
        return load(name, side, "train"), load(name, side, "test")
    except ValueError:
        return evaluation.held_out(load(name, side))


def info(checkpoint: Path) -> None:
    """Say what a checkpoint is and how it was made.

    Args:
        checkpoint: a checkpoint's folder, or the run's folder that holds it.
    """
    taken = _open(checkpoint)
    parameters = sum(p.numel() for p in taken.denoiser.parameters())
    print(f"step {taken.state.step:,}, loss {taken.state.loss:.5f}, {parameters:,} parameters")
    for name, value in taken.config.items():
        print(f"{name}: {_brief(value)}")


def _brief(value: Any) -> str:
    """A config's entry on one line, long lists cut."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_brief(part)}" for name, part in value.items())
    if isinstance(value, list) and len(value) > 20:
        return f"{len(value)} values, the last {value[-1]}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _open(folder: Path) -> Checkpoint:
    inside = folder / "checkpoint"
    return load_folder(inside if inside.is_dir() else folder)


def _label(name: str, classes: list[str]) -> int:
    """The number of a class, given by name or number. Raises ValueError naming those that there are."""
    if name in classes:
        return classes.index(name)
    if name.isdigit() and int(name) < len(classes):
        return int(name)
    raise ValueError(f"There is no class {name!r}; there are {', '.join(classes) or 'none in this model'}.")


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what is wrong with what was asked for ends as a sentence."""
    commands = {"train": train, "sample": sample, "evaluate": evaluate, "info": info}
    try:
        tyro.extras.subcommand_cli_from_dict(commands, prog="python -m core", args=arguments)
    except (ValueError, ArithmeticError, OSError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
