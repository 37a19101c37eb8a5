"""The command line: ``python -m core train | sample | evaluate | info``, each with ``--help`` for its flags.

Of captioned pictures: ``train clip | prior | decoder``, ``sample unclip``, ``evaluate unclip`` (see ``captioned``).
"""

import argparse
import inspect
import json
import math
import shlex
import sys
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from core.cli import captions as cli_captions
from core.cli import terminal
from core.data.images import ImageSet, load, pixels
from core.diffusion.samplers import SAMPLERS
from core.models import image_judge
from core.models import images as image_model
from core.models.images import ImageConfig
from core.runs.checkpoints import CONFIG, Checkpoint, load_folder
from core.runs.distributed import losses

FLAT, PLAN = tyro.conf.OmitArgPrefixes, ImageConfig()
Damaged = Literal["refuse", "skip"]
# The registry is read when a command runs, so that it accepts a sampler that was added.
NAMES = tyro.conf.arg(constructor_factory=lambda: Literal[*SAMPLERS], help_behavior_hint="(default: dpmpp_2m)")
Sampler = Annotated[str, NAMES]


def train(
    out: Path,
    plan: Annotated[ImageConfig, FLAT] = PLAN,
    data: str = "digits",
    side: int | None = None,
    damaged: Damaged = "refuse",
    config: Path | None = None,
    resume: bool = False,
    every: int = 1000,
    bf16: bool = False,
    tensorboard: bool = False,
) -> None:
    """Train an image model. On several graphics cards or machines: torchrun --nproc-per-node N -m core train ...

    Args:
        out: the run's folder, for its checkpoint, metrics.jsonl and samples-STEP.png; several machines share it.
        data: digits, fashion, emoji, a folder of images (a class for each subfolder), one of IDX files or one saved by
            Hugging Face's datasets, an .npz, or hf:NAME from Hugging Face.
        side: bring all images to this many pixels a side; the middle square of each is resized.
        damaged: refuse a folder with images that cannot be read, or skip them; they are counted and named.
        config: a JSON file of these flags, such as {"data": "fashion", "steps": 20000}; flags given beside it win.
        resume: go on from OUT's checkpoint, with its data and plan; flags given beside it win, such as more steps.
        every: steps between two checkpoints, each with a sheet of samples. Ctrl-C leaves a checkpoint, too.
        bf16: compute in bfloat16, on a graphics card or a processor that can.
        tensorboard: write the metrics for TensorBoard as well, into OUT/tensorboard.
    """
    _at_least_1(every=every)
    team, folder = terminal.team_here(bf16), terminal.folder_of(out, resume)
    images = load(data, side, damaged=damaged)
    source = {"data": data, "side": side, "damaged": damaged, "bf16": bf16}
    checkpoint = (
        image_model.resume(load_folder(folder), plan, images, source)
        if resume
        else image_model.new_checkpoint(plan, images, source)
    )
    state, seen = image_model.move(checkpoint.state, team.device), losses(team.device)
    if not team.rank:
        parameters = sum(p.numel() for p in state.model.parameters())
        print(f"{images.name}: {len(images.images):,} images; {plan.network}: {parameters:,} parameters; {team.device}")
        if images.note:
            print(images.note)
        if bf16 and not team.bf16:
            print("There is nothing here that computes in bfloat16, so --bf16 changes nothing.")
    steps = image_model.run(plan, images, state, team, seen)
    terminal.carry_out(steps, checkpoint, plan, seen, team, out, every, _sheet, tensorboard)


def _sheet(checkpoint: Checkpoint, file: Path) -> None:
    """Draw 64 samples of a checkpoint."""
    shape, labels = image_model.shape_of(checkpoint.config), _in_turn(checkpoint, 64)
    image_model.write_sheet(image_model.sample(checkpoint.denoiser, shape, labels), 8, file)


def sample(
    checkpoint: Path,
    out: Path,
    n: int = 64,
    classes: tuple[str, ...] = (),
    scale: float = 1.0,
    negative: str | None = None,
    sampler: Sampler = "dpmpp_2m",
    steps: int = 20,
    seed: int = 0,
    columns: int = 8,
) -> None:
    """Draw samples from a checkpoint: a sheet OUT.png, and OUT.npz with images and labels, which `train` can read.

    Args:
        checkpoint: a checkpoint's folder, such as core/pretrained/fashion, or a run's folder that holds one.
        out: the two files' name without its ending.
        n: how many images.
        classes: the classes to draw, in turn, by name or number (info names them); none given: all of them.
        scale: guidance scale w: 0 ignores the class, 1 asks for it plainly, more leads away from what is none of it.
        negative: a class to lead away from, in place of no class.
        sampler: how to walk from noise to images; dpmpp_2m and heun are of second order.
        steps: steps of the walk.
        seed: decides the noise; image k of a seed is the same however many are drawn.
        columns: columns of the sheet.
    """
    _at_least_1(n=n, steps=steps, columns=columns)
    taken = _open(checkpoint)
    labels = _in_turn(taken, n, [_label(name, taken) for name in classes])
    away = None if negative is None else _label(negative, taken)
    x = _drawn(taken, labels, scale, away, sampler, steps, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet, arrays = (out.with_name(out.name + ending) for ending in (".png", ".npz"))
    image_model.write_sheet(x, columns, sheet)
    known = taken.config["data"]["classes"]
    named = {"labels": np.array(labels), "classes": np.array(known)} if known else {}
    np.savez_compressed(arrays, images=pixels(x).numpy(), **named)
    print(f"{n} images in {sheet} and {arrays}")


def evaluate(
    checkpoint: Path,
    data: str | None = None,
    n: int = 2000,
    scale: float = 2.0,
    sampler: tuple[Sampler, ...] = ("dpmpp_2m",),
    steps: int = 20,
    seed: int = 0,
) -> None:
    """Judge samples of a checkpoint by a classifier trained on the real images: a table to place them by.

    Args:
        checkpoint: a checkpoint's folder, such as core/pretrained/fashion, or a run's folder that holds one.
        data: what it was trained on, as for train; by default what the checkpoint says.
        n: how many samples, all classes in turn.
        scale: guidance scale w, as for sample.
        sampler: one way from noise to images or several to compare, such as ddim ddpm_no_noise; a row for each.
        steps: steps of the walk.
        seed: decides the noise.
    """
    _at_least_1(n=n, steps=steps)
    taken = _open(checkpoint)
    images, test, apart = _parted(taken, data)
    print(f"Training a classifier on {len(images.images):,} images of {images.name}.")
    judge = image_judge.judge(images, test)
    labels = _in_turn(taken, n)
    copies = image_judge.blurred(judge.known[: len(judge.real)])
    rows = {
        f"{len(judge.real):,} held-out real images": (judge.real, judge.labels),
        f"{len(copies):,} training images, blurred": (copies, images.labels[: len(copies)]),
    }
    for way in sampler:
        x = _drawn(taken, labels, scale, None, way, steps, seed)
        rows[f"{n:,} samples, w = {scale:g}, {way}, {steps} steps, seed {seed}"] = x, torch.tensor(labels)
    print(f"{images.name}, judged by a classifier right on {judge.accuracy():.1%} of held-out images. This is not FID.")
    if not apart:
        print("No part of this set was kept from the model in its training: only the classifier has not seen it.")
    print("| images | Frechet distance | taken for their class | diversity | nearest training image | detail |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row, (some, kinds) in rows.items():
        seen, detail = judge.report(some, kinds), image_judge.detail(some)
        print(f"| {row} | {seen.frechet:.3g} | {seen.agreement:.1%} | {seen.diversity:.2f} | {seen.nearest:.2f} "
              f"| {detail:.4f} |")  # fmt: skip


def _parted(taken: Checkpoint, data: str | None) -> tuple[ImageSet, ImageSet, bool]:
    """The images to train a classifier on and those to judge it by, of the set that a checkpoint was trained on; and
    whether the set itself keeps them apart, or they are parted at random. Raises ValueError for another set."""
    channels, side, _ = image_model.shape_of(taken.config)
    told = _source(taken.config)

    def part(split: str) -> ImageSet:
        return load(data or told["data"], side, split, told["damaged"])

    try:
        parts = part("train"), part("test"), True
    except ValueError:
        parts = *image_judge.split(part("train")), False
    if (list(parts[0].classes), parts[0].images.shape[1]) != (taken.config["data"]["classes"], channels):
        raise ValueError(f"The checkpoint was not trained on {parts[0].name}: it has other classes or colours.")
    return parts


def info(checkpoint: Path) -> None:
    """Say what a checkpoint is and how it was made.

    Args:
        checkpoint: a checkpoint's folder, such as core/pretrained/fashion, or a run's folder that holds one.
    """
    taken = _open(checkpoint)
    parameters = sum(p.numel() for p in taken.denoiser.parameters())
    print(f"step {taken.state.step:,}, loss {taken.state.loss:.5f}, {parameters:,} parameters")
    for name, value in taken.config.items():
        print(f"{name}: {_brief(value)}")
    if "plan" in taken.config:
        print(f"made by: {_command(taken.config)}")


def _command(config: dict[str, Any]) -> str:
    """What a run is made again by: the flags that say more than the usual ones do."""
    told = _source(config) | asdict(image_model.config_of(config))
    usual = {name: parameter.default for name, parameter in inspect.signature(train).parameters.items()} | asdict(PLAN)
    words = ["python -m core train --out OUT"]
    for name in usual:
        if told.get(name, usual[name]) != usual[name]:
            words.append(f"--{name.replace('_', '-')}")
            words += [] if usual[name] is False else [shlex.quote(str(told[name]))]
    return " ".join(words)


def _brief(value: Any) -> str:
    """A config's entry on one line, long lists cut."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_brief(part)}" for name, part in value.items())
    if isinstance(value, list) and len(value) > 20:
        return f"{len(value)} values, the last {value[-1]}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _open(folder: Path) -> Checkpoint:
    return load_folder(folder if (folder / CONFIG).exists() else folder / "checkpoint")


def _drawn(
    taken: Checkpoint, labels: list[int | None], scale: float, away: int | None, sampler: str, steps: int, seed: int
) -> Tensor:
    """Samples of a checkpoint, made behind a progress bar on the graphics card, if there is one."""
    if not math.isfinite(scale):
        raise ValueError(f"--scale is a number, not {scale}.")
    model = taken.denoiser.to("cuda" if torch.cuda.is_available() else "cpu")
    bar = partial(tqdm, total=steps, desc=sampler, unit="step", leave=False)
    return image_model.sample(
        model, image_model.shape_of(taken.config), labels, scale, away, sampler, steps, seed, bar
    ).cpu()  # fmt: skip


def _in_turn(taken: Checkpoint, n: int, wanted: list[int] | None = None) -> list[int | None]:
    """Labels for n images: those wanted in turn, by default all that the model knows, if it knows any."""
    image_model.shape_of(taken.config)
    of = wanted or list(range(len(taken.config["data"]["classes"]))) or [None]
    return [of[k % len(of)] for k in range(n)]


def _label(name: str, taken: Checkpoint) -> int:
    """The number of a class, given by name or number. Raises ValueError naming those that there are."""
    image_model.shape_of(taken.config)
    classes = taken.config["data"]["classes"]
    if name in classes:
        return classes.index(name)
    if name.isdecimal() and int(name) < len(classes):
        return int(name)
    raise ValueError(f"There is no class {name!r}; there are {', '.join(classes) or 'none in this model'}.")


def _at_least_1(**flags: int) -> None:
    for name, value in flags.items():
        if value < 1:
            raise ValueError(f"--{name} is a whole number from 1 on, not {value}.")


# What train is told apart from its flags


def _source(config: dict[str, Any]) -> dict[str, Any]:
    """The flags of train beside the plan that a checkpoint was made by; of an older one the name of its data alone."""
    data = config["data"]
    return {"data": data["name"], "side": data["side"], "damaged": "refuse", "bf16": False, **data.get("source", {})}


def _defaults(arguments: list[str]) -> dict[str, Any]:
    """What stands in for the flags of train that are not given: what the --config file says, and with --resume what
    the run was told before. Raises ValueError for a file that cannot be read and for what train cannot be told."""
    asked = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--out", "--config"):
        asked.add_argument(flag, type=Path)
    asked.add_argument("--resume", action="store_true")
    asked, _ = asked.parse_known_args(arguments)
    told = {}
    if asked.resume and asked.out:
        config = load_folder(asked.out / "checkpoint").config
        told |= asdict(image_model.config_of(config)) | _source(config)
    if asked.config:
        told |= _read(asked.config)
    own = {name: parameter.annotation for name, parameter in inspect.signature(train).parameters.items()}
    kinds = {field.name: field.type for field in fields(ImageConfig)}
    known = {name: kind for name, kind in own.items() if name not in ("out", "plan", "config", "resume")} | kinds
    if unknown := sorted(told.keys() - known):
        raise ValueError(f"train knows no {', '.join(unknown)} to be told in a file; it knows {', '.join(known)}.")
    for name, value in told.items():
        image_model.check_kind(name, value, known[name])
    plan = ImageConfig(**{name: told.pop(name) for name in kinds if name in told})
    return {"plan": plan, **told}


def _read(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON that can be read: {error}.") from error
    if not isinstance(told, dict):
        raise ValueError(f'{file} holds no flags by their names, such as {{"data": "fashion", "steps": 20000}}.')
    return told


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what is wrong with what was asked for ends as a sentence."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if asked := cli_captions.COMMANDS.get(tuple(arguments[:2])):
            tyro.cli(asked, prog=f"python -m core {' '.join(arguments[:2])}", args=arguments[2:])
            return
        told = _defaults(arguments) if arguments[:1] == ["train"] else {}
        commands = {"train": partial(train, **told), "sample": sample, "evaluate": evaluate, "info": info}
        tyro.extras.subcommand_cli_from_dict(commands, prog="python -m core", args=arguments)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}." if error.strerror else f"{error}")
    except (ValueError, ArithmeticError) as error:
        sys.exit(f"{error}")
    except (MemoryError, torch.OutOfMemoryError):
        sys.exit("There is not enough memory: take a smaller --batch, more parts with --accumulate, or a smaller --n.")
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    finally:
        terminal.disband()
