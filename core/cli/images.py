"""The commands of image models: ``python -m core train | sample | evaluate | info``."""

import inspect
import math
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from core.cli import terminal
from core.cli.flags import Training, stored_flags
from core.data.images import ImageSet, pixels
from core.data.people import PeopleSet
from core.data.words import position
from core.diffusion.denoiser import Cond
from core.diffusion.samplers import SAMPLERS
from core.models import image_judge, memorization, requests
from core.models import images as image_model
from core.models.images import ImageConfig, TrainingSet
from core.models.model import open_checkpoint
from core.models.sources import load
from core.problems import Problem
from core.runs import distributed
from core.runs.checkpoints import Checkpoint, load_folder
from core.runs.files import sync

FLAT, CONFIG = tyro.conf.OmitArgPrefixes, ImageConfig()
Damaged = Literal["refuse", "skip"]
# The registry is read when a command runs, so that it accepts a sampler that was added.
NAMES = tyro.conf.arg(constructor_factory=lambda: Literal[*SAMPLERS], help_behavior_hint="(default: dpmpp_2m)")
Sampler = Annotated[str, NAMES]
SHEET = 64  # samples
MOST = 1_000_000  # samples of one command
NAMED = 30  # classes whose images are counted when training starts


def train(
    out: Path,
    config: Annotated[ImageConfig, FLAT] = CONFIG,
    data: str = "digits",
    n: int | None = None,
    side: int | None = None,
    damaged: Damaged = "refuse",
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None,
    resume: bool = False,
    every: int = 1000,
    bf16: bool = False,
    tensorboard: bool = False,
) -> None:
    """Train an image model. On several graphics cards or machines: torchrun --nproc-per-node N -m core train ...

    Args:
        out: the run's folder, for its checkpoint, metrics.jsonl and samples-STEP.png; several machines share it.
        config: how to train.
        data: digits, fashion, emoji, people, a folder of images (classes by subfolder or by metadata.csv; of folders
            train and test the first is used), one of IDX files or one saved by Hugging Face's datasets, an .npz or
            .npy, or hf:NAME from Hugging Face. What is left out of it is counted and named.
        n: only for people: the number of different people; none given: without end.
        side: bring all images to this many pixels a side; the middle square of each is resized.
        damaged: refuse a folder with images that cannot be read, or skip them; they are counted and named.
        config_file: a JSON file of these flags, such as {"data": "fashion", "steps": 20000}; flags given beside it win.
        resume: go on from OUT's checkpoint, with its data and settings; flags given beside it win, such as more steps.
        every: steps between two checkpoints, each with a sheet of samples, and for people with the loss on people of
            the training and on others, in OUT/losses.jsonl. Ctrl-C leaves a checkpoint, too.
        bf16: compute in bfloat16, on a graphics card or a processor that can.
        tensorboard: write the metrics for TensorBoard as well, into OUT/tensorboard.
    """
    check_positive(every=every)
    with terminal.run_folder(out, resume) as folder:
        images = load(data, side, damaged=damaged, n=n)
        source = {"data": data, "n": n, "side": side, "damaged": damaged, "bf16": bf16, "every": every,
                  "tensorboard": tensorboard}  # fmt: skip
        checkpoint = (
            image_model.resume(load_folder(folder), config, images, source)
            if resume
            else image_model.new_checkpoint(config, images, source)
        )
        team = distributed.join(bf16)
        state = image_model.move(checkpoint.state, team.device)
        if not team.rank:
            parameters = sum(p.numel() for p in state.model.parameters())
            print(f"{images.name}: {_described(images)}")
            print(f"{config.network}: {parameters:,} parameters; {team.device}")
            if images.note:
                print(images.note)
            if bf16 and not team.bf16:
                print("There is nothing here that computes in bfloat16, so --bf16 changes nothing.")
        terminal.carry_out(
            lambda losses: image_model.run(config, images, state, team, losses), checkpoint, config, team, out, every,
            _keeper(images, out), tensorboard,
        )  # fmt: skip


def _described(images: TrainingSet) -> str:
    """The number of images, their shape, and the number of each class, in the order of their numbers."""
    count = f"{len(images):,}" if len(images) else "endless"
    about = f"{count} images of {'x'.join(map(str, images.shape))}"
    if not isinstance(images, ImageSet):
        return about
    classes = [f"{name} ({n:,})" for name, n in zip(images.classes[:NAMED], images.counts)]
    more = [f"and {len(images.classes) - NAMED:,} more"] if len(images.classes) > NAMED else []
    return (
        f"{about} in {len(images.classes):,} classes: {', '.join([*classes, *more])}"
        if classes
        else f"{about}, no classes"
    )


def _keeper(images: TrainingSet, out: Path) -> Callable[[Checkpoint, Path], None]:
    """What writes the sheet of a checkpoint, and for people the losses beside it."""
    if not isinstance(images, PeopleSet):
        return _write_sheet

    def keep(checkpoint: Checkpoint, file: Path) -> None:
        losses, step = out / "losses.jsonl", checkpoint.state.step
        terminal.file_log(losses, step - 1)({"step": step, **memorization.train_and_test_loss(checkpoint, images)})
        sync(losses)
        _write_sheet(checkpoint, file)  # last: where there is a sheet, its losses are there, too

    return keep


def _write_sheet(checkpoint: Checkpoint, file: Path) -> None:
    """Draw a sheet of samples of a checkpoint."""
    shape, labels = image_model.shape_of(checkpoint.config), labels_in_turn(checkpoint, SHEET)
    image_model.write_sheet(image_model.sample(checkpoint.denoiser, shape, labels), 8, file)


def sample(
    checkpoint: Path,
    out: Path,
    n: int = 64,
    classes: tuple[str, ...] = (),
    caption: str | None = None,
    scale: float = 1.0,
    negative: str | None = None,
    sampler: Sampler = "dpmpp_2m",
    steps: int = 20,
    seed: int = 0,
    columns: int = 8,
) -> None:
    """Draw samples from a checkpoint: a sheet OUT.png, and OUT.npz with images and labels, which `train` can read.

    Args:
        checkpoint: a checkpoint's folder, a run's folder that holds one, a zip file of either, or the name of a shipped
            model, such as fashion.
        out: the two files' name without its ending.
        n: how many images.
        classes: the classes to draw, in turn, by name or number (info names them); none given: all of them.
        caption: what to draw, in words, for a model of people: "a smiling person with long green hair, no glasses", or
            in Chinese.
        scale: guidance scale w: 0 ignores the class or the caption, 1 asks for it plainly, more leads away from what
            is none of it.
        negative: a class to lead away from, in place of no class; for a model of people words, such as "a hat".
        sampler: how to go from noise to images; dpmpp_2m and heun are of second order.
        steps: steps of the sampler.
        seed: decides the noise; image k of a seed is the same however many are drawn.
        columns: columns of the sheet.
    """
    check_count(n)
    check_sampling(steps, [sampler], scale=scale)
    check_positive(columns=columns)
    files = output_files(out)
    opened = open_checkpoint(checkpoint)
    labels = labels_in_turn(opened, n, [label_of(name, opened) for name in classes])
    if caption is not None or requests.attributes_of(opened.config):
        wanted = requests.condition(values_of({} if caption is None else caption, opened), n)
        away = None if negative is None else requests.negative(values_of(negative, opened), n)
    else:
        wanted, away = labels, None if negative is None else label_of(negative, opened)
    x = _samples(opened, wanted, scale, away, sampler, steps, seed)
    sheet, arrays = files
    image_model.write_sheet(x, min(n, columns), sheet)
    names = opened.config["data"]["classes"]
    named = {"labels": np.array(labels), "classes": np.array(names)} if names else {}
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
        checkpoint: a checkpoint's folder, a run's folder that holds one, a zip file of either, or the name of a shipped
            model, such as fashion.
        data: what it was trained on, as for train; by default what the checkpoint says.
        n: how many samples, all classes in turn.
        scale: guidance scale w, as for sample.
        sampler: one sampler or several to compare, such as ddim ddpm_no_noise; a row for each.
        steps: steps of the sampler.
        seed: decides the noise.
    """
    check_count(n, fewest=2)
    check_sampling(steps, sampler, scale=scale)
    opened = open_checkpoint(checkpoint)
    if requests.attributes_of(opened.config):
        raise Problem("evaluate_attributes", name=opened.config["data"]["name"], checkpoint=str(checkpoint))
    images, test, kept_apart = _split(opened, data)
    image_judge.check(images, test)
    print(f"Training a classifier on {len(images):,} images of {images.name}.")
    for part, some in {"training": images, **({"test": test} if kept_apart else {})}.items():
        if some.note:
            print(f"{images.name}, {part} images: {some.note}")
    judge = image_judge.judge(images, test)
    labels = labels_in_turn(opened, n)
    copies = image_judge.blurred(judge.known[: len(judge.real)])
    rows = {
        f"{len(judge.real):,} held-out real images": (judge.real, judge.labels),
        f"{len(copies):,} training images, blurred": (copies, images.labels[: len(copies)]),
    }
    for name in sampler:
        x = _samples(opened, labels, scale, None, name, steps, seed)
        rows[f"{n:,} samples, w = {scale:g}, {name}, {steps} steps, seed {seed}"] = x, torch.tensor(labels)
    print(f"{images.name}, judged by a classifier right on {judge.accuracy():.1%} of held-out images. This is not FID.")
    if not kept_apart:
        print("No part of this set was kept from the model in its training: only the classifier has not seen it.")
    print("| images | Frechet distance | taken for their class | diversity | nearest training image | detail |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row, (some, kinds) in rows.items():
        report, detail = judge.report(some, kinds), image_judge.detail(some)
        ratios = ("undefined" if math.isnan(ratio) else f"{ratio:.2f}" for ratio in (report.diversity, report.nearest))
        print(f"| {row} | {report.frechet:.3g} | {report.agreement:.1%} | {' | '.join(ratios)} | {detail:.4f} |")


def _split(checkpoint: Checkpoint, data: str | None) -> tuple[ImageSet, ImageSet, bool]:
    """The images to train a classifier on and those to judge it by, of the set that a checkpoint was trained on; and
    whether the set itself separates them, or they are split at random. Raises Problem for another set."""
    shape, flags = image_model.shape_of(checkpoint.config), stored_flags(TRAINING, checkpoint.config)
    side = shape[-1] if len(set(shape[-2:])) == 1 else None  # images that are no squares were never resized

    def part(split: str) -> ImageSet:
        return load(data or flags["data"], side, split, flags["damaged"])

    images = part("train")
    if (list(images.classes), images.shape) != (checkpoint.config["data"]["classes"], shape):
        raise Problem("evaluate_other_data", name=images.name)
    try:
        test = part("test")
        if (test.classes, test.shape) == (images.classes, images.shape):
            return images, test, True
    except ValueError:
        pass
    return *image_judge.random_split(images), False


def info(checkpoint: Path) -> None:
    """Say what a checkpoint is and how it was made.

    Args:
        checkpoint: a checkpoint's folder, a run's folder that holds one, a zip file of either, or the name of a shipped
            model.
    """
    opened = open_checkpoint(checkpoint)
    parameters = sum(p.numel() for p in opened.denoiser.parameters())
    print(f"step {opened.state.step:,}, loss {opened.state.loss:.5f}, {parameters:,} parameters")
    for name, value in opened.config.items():
        print(f"{name}: {_brief(value)}")
    if "plan" in opened.config:
        print(f"made by: {_command(opened.config)}")


def _command(stored: dict[str, Any]) -> str:
    """The command that makes a run again, with the flags that differ from their defaults."""
    flags = stored_flags(TRAINING, stored)
    default = {name: each.default for name, each in inspect.signature(train).parameters.items()} | asdict(CONFIG)
    words = ["python -m core train --out OUT"]
    for name in default:
        if flags.get(name, default[name]) != default[name]:
            words.append(f"--{name.replace('_', '-')}")
            words += [] if default[name] is False else [shlex.quote(str(flags[name]))]
    return " ".join(words)


def _brief(value: Any) -> str:
    """An entry of a config on one line, long lists shortened."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_brief(part)}" for name, part in value.items())
    if isinstance(value, list) and len(value) > 20:
        return f"{len(value)} values, the last {value[-1]}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def values_of(query: str | Mapping[str, str], checkpoint: Checkpoint) -> requests.Values:
    """The values of each attribute that words ask for. Prints the words that name no attribute."""
    request = requests.read(query, requests.attributes_of(checkpoint.config))
    if request.unknown:
        print(Problem("unknown_words", words=", ".join(request.unknown)))
    return request.values


def _samples(
    checkpoint: Checkpoint, labels: list[int | None] | Cond, scale: float,
    away: int | list[Cond] | None, sampler: str, steps: int, seed: int,
) -> Tensor:  # fmt: skip
    """Samples of a checkpoint on the CPU, drawn behind a progress bar on this process's device."""
    denoiser, shape = checkpoint.denoiser.to(distributed.device()), image_model.shape_of(checkpoint.config)
    bar = partial(tqdm, total=steps, desc=sampler, unit="step", leave=False)
    return image_model.sample(denoiser, shape, labels, scale, away, sampler, steps, seed, bar).cpu()


def labels_in_turn(checkpoint: Checkpoint, n: int, chosen: list[int] | None = None) -> list[int | None]:
    """Labels for n images: the chosen classes in turn, by default all classes of the model, if it has any."""
    image_model.shape_of(checkpoint.config)
    labels = chosen or list(range(len(checkpoint.config["data"]["classes"]))) or [None]
    return [labels[k % len(labels)] for k in range(n)]


def label_of(name: str, checkpoint: Checkpoint) -> int:
    """The number of a class, given by name or number. Raises Problem naming the classes of the model.

    Where all names are numbers, such as 1 to 26, a number is a name.
    """
    image_model.shape_of(checkpoint.config)
    classes = checkpoint.config["data"]["classes"]
    if (number := position(name, classes)) is not None:
        return number
    if not all(map(str.isdecimal, classes)) and name in map(str, range(len(classes))):
        return int(name)
    raise Problem("model_unknown_class", name=name, known=", ".join(classes) or "none in this model")


def check_positive(**flags: int) -> None:
    """Raise Problem unless all flags are at least 1."""
    for name, value in flags.items():
        if value < 1:
            raise Problem("flag_positive", flag=name, value=value)


def check_count(n: int, fewest: int = 1) -> None:
    """Raise Problem unless so many samples can be drawn and used."""
    if not fewest <= n <= MOST:
        raise Problem("flag_samples", value=n, fewest=fewest, most=MOST)


def check_sampling(steps: int, chosen: Iterable[str] = ("dpmpp_2m",), **scales: float) -> None:
    """Raise Problem unless these samplers make so many steps, and all guidance scales are finite: before the work that
    would be lost."""
    for name in chosen:
        image_model.sampler_config(name, steps)
    for flag, value in scales.items():
        if not math.isfinite(value):
            raise Problem("flag_number", flag=flag, value=value)


def output_files(out: Path) -> tuple[Path, Path]:
    """The sheet OUT.png and the arrays OUT.npz; makes their folder. Raises Problem for a path that names no file."""
    if out.name in ("", ".."):
        raise Problem("flag_out", out=str(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.with_name(out.name + ".png"), out.with_name(out.name + ".npz")


def _other_flags(stored: dict[str, Any]) -> dict[str, Any]:
    """The flags of train beside the configuration that a checkpoint was made with; older ones know their data only."""
    data, shape = stored["data"], image_model.shape_of(stored)
    return {"data": data["name"], "side": shape[-1], "damaged": "refuse", "bf16": False, **data.get("source", {})}


TRAINING = Training(train, CONFIG, image_model.config_of, _other_flags)
