"""The doors by which data enter, each with what makes a random input and reads it.

A door takes a source of chance and an empty folder. It may raise ``Problem``, which is a refusal; whatever else it
raises is a fault.
"""

import contextlib
import gzip
import io
import json
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load, save

from core import problems, seeds
from core.cli import commands
from core.cli.flags import defaults
from core.data import captions, drawings, image_files, images, tables, uploads
from core.data.people import ATTRIBUTES
from core.diffusion import training
from core.figures.scene import Scene
from core.models import clip, clip_queries, image_judge, live_digits, live_images, requests, run_folder
from core.models import images as image_model
from core.models import points as point_model
from core.models.clip import ClipConfig
from core.models.images import ImageConfig
from core.models.model import Model
from core.models.points import PointConfig
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint
from core.runs.progress import resume
from pages.ui.frame import text
from tests.fuzz import material
from tests.runs import write_run

Door = Callable[[Random, Path], None]


def try_all(first: Callable[[], Any], *others: Callable[[], Any]) -> None:
    """Call each reader. Raises the Problem of the first one, if there is one: that decides whether an input is read."""
    for reader in others:
        try:
            reader()
        except Problem as problem:
            check_sentences(problem)
    first()


def check_sentences(problem: Problem) -> None:
    """Fail unless the sentences of a problem exist, and are texts, in every language."""
    for part in problem.parts:
        for sentences in (problems.sentences(), text.catalogue("zh")["problems"]):
            problems.fill(sentences[part.code], part.values).encode("utf-8")


# Points


def csv(chance: Random, folder: Path) -> None:
    """A table of points."""
    columns, rows = chance.choice([2, 2, 3, 3, chance.choice([1, 4])]), chance.choice([1, 5, 5, 30, 30])
    odd, names = chance.random() < 0.4, ["x", "y", "class", "note"][:columns]
    if odd:
        names = [chance.choice([*names, "", "0", "1.5", material.text(chance, 6)]) for _ in names]
    cells = [[material.cell(chance, odd) for _ in range(columns)] for _ in range(rows)]
    if columns == 3 and chance.random() < 0.7:
        classes = chance.choice([["0", "1"], ["cat", "dog", "猫"], ["3"]])
        cells = [[*row[:2], chance.choice(classes)] for row in cells]
    points = uploads.from_csv(material.table(chance, names, cells))
    assert points.points.isfinite().all() and len(points.points) >= 2 and points.rms > 0


def word(chance: Random, folder: Path) -> None:
    """A text that somebody types: as points, as a request for people, as a caption."""
    typed = material.text(chance, chance.choice([1, 4, 12, 40]))

    def as_caption() -> None:
        tokens = captions.Tokenizer(("cat", "猫", "red")).encode([typed])
        assert tokens.shape == (1, captions.LENGTH)

    try_all(
        lambda: uploads.from_word(typed, chance.choice([2, 50]), chance.randrange(100)),
        lambda: requests.read(typed, ATTRIBUTES),
        as_caption,
    )


def drawing(chance: Random, folder: Path) -> None:
    """Strokes from a page, and the drawing in an address."""

    def vertex() -> Any:
        odd = (None, [], [0.5], "xy", [1, 2, 3], [chance.choice(material.NUMBERS), 0], [float("nan"), 1], {"x": 1})
        return chance.choice(odd) if wrong and chance.random() < 0.2 else [chance.random(), chance.random()]

    wrong = chance.random() < 0.4
    strokes = [[vertex() for _ in range(chance.choice([0, 1, 2, 30]))] for _ in range(chance.randint(0, 4))]
    strokes = material.value(chance) if chance.random() < 0.1 else strokes
    written = "".join(chance.choice([*drawings.DIGITS, "."]) for _ in range(3 * chance.randint(0, 9)))
    written = written if chance.random() < 0.5 else material.text(chance)
    try_all(lambda: uploads.from_drawing(strokes), lambda: uploads.from_drawing(drawings.decode(written)))


# Images


def image(chance: Random, folder: Path) -> None:
    """A file of an image, as points and as an image to train on."""
    content = material.image_file(chance)
    (folder / "file").write_bytes(content)
    side = chance.choice([None, 1, 7, 32])

    def read() -> None:
        pixels = image_files.image(folder / "file", side)
        assert (
            pixels.dtype == torch.uint8 and len(pixels) in (1, 3) and (side is None or pixels.shape[1:] == (side, side))
        )

    try_all(lambda: uploads.from_image(content, chance.choice([2, 50])), read)


def folder(chance: Random, folder: Path) -> None:
    """A folder of images with classes, parts, links and junk."""
    classes = [material.file_name(chance) for _ in range(chance.choice([0, 0, 1, 2, 3]))]
    parts = chance.choice([[""], [""], [""], ["train", "test"], ["train", "val", "test"]])
    places = [Path(part, name) for part in parts for name in classes or [""]]
    for place in [*places, Path(chance.choice(["", ".git", "__MACOSX", "empty"]))]:
        (folder / place).mkdir(parents=True, exist_ok=True)
    size, kind = (chance.randint(1, 9), chance.randint(1, 9)), chance.choice(["PNG", "JPEG", "BMP"])
    for _ in range(chance.choice([0, 3, 6, 12])):
        place = folder / chance.choice(places)
        name = material.file_name(chance) + chance.choice(
            [f".{kind.lower()}", f".{kind}", ".png", ".jpg", ".jfif", ".txt", ""]
        )
        stream = io.BytesIO()
        material.picture(chance, any_mode=False).resize(size).save(stream, kind)
        same = chance.random() < 0.8
        write(place / name, stream.getvalue() if same else material.image_file(chance))
        if chance.random() < 0.1:
            link(place / material.file_name(chance), chance.choice([place / name, folder, folder / "nowhere"]))
    read_images(chance, folder)


ODD_OPTIONS = (
    (1, 0, -1, 10**10),
    ("test", "all", "x"),
    ("refuse", "mend"),
)  # sides, splits, what to do with damaged ones


def read_images(chance: Random, path: Path) -> None:
    """Load a set, and draw from it."""
    side, split, lost = chance.choice([None, 8]), "train", "skip"
    if chance.random() < 0.2:
        side, split, lost = (chance.choice(some) for some in ODD_OPTIONS)
    found = images.load(str(path), side, split, lost)
    x, labels = found.sample(4, seeds.generator(0))
    assert x.shape == (4, *found.shape) and x.isfinite().all()
    assert (labels is None) == (not found.classes) and len(str(found.note)) > 0
    for name in (found.name, *found.classes):
        name.encode("utf-8")


def npz(chance: Random, folder: Path) -> None:
    """An archive of arrays."""
    draw, n = np.random.default_rng(chance.getrandbits(32)), chance.randint(1, 9)
    arrays = {}
    if chance.random() < 0.8:
        pixels, labels = chance.choice(PAIRED) if chance.random() < 0.9 else chance.sample(ARRAYS, 2)
        kind, low = chance.choice(["u1", "u1", "u1", "f4", "i8", "f8", "?"]), chance.choice([0, 0, 1, -1])
        shape = chance.choice([(n, 4, 4), (n, 4, 4, 3), (n, 1, 4, 4), (n, 3, 4, 5), (n, 4, 4, 4)])
        arrays[pixels] = draw.integers(0, 256, shape).astype(kind)
        if kind in ("f4", "f8"):
            arrays[pixels] /= chance.choice([1, 255])
        arrays[labels] = draw.integers(low, 3, chance.choice([n, n, n, n + 1, (n, 1), (n, 3)]))
    for _ in range(chance.choice([0, 0, 1, 3])):
        arrays[chance.choice(ARRAYS)] = material.array(chance)
    stream = io.BytesIO()
    chance.choice([np.savez, np.savez_compressed])(stream, **arrays)
    (folder / "set.npz").write_bytes(material.sometimes_damaged(chance, stream.getvalue(), 0.2))
    read_images(chance, folder / "set.npz")


PAIRED = (("images", "labels"), ("x_train", "y_train"), ("train_images", "train_labels"), ("arr_0", "arr_1"))
ARRAYS = (*(name for pair in PAIRED for name in pair), "classes", "x_test", "y_test", "X", "y", "data", "猫")


def idx(chance: Random, folder: Path) -> None:
    """A folder of IDX files."""
    parts = chance.choice([["train"], ["train", "t10k"], ["emnist-letters-train", "emnist-letters-test"]])
    n, side = chance.randint(0, 9), chance.randint(1, 6)
    for part in parts:
        for kind, shape in (("images", (n, side, side)), ("labels", (n,))):
            if chance.random() < 0.1:
                continue
            shape = (
                shape
                if chance.random() < 0.9
                else chance.choice([(), (n,), (2**31, 2**31, 4), (n, 0, 3), (n, 2, 2, 3)])
            )
            body = bytes(
                chance.randrange(256 if kind == "images" else 4)
                for _ in range(n * (side**2 if kind == "images" else 1))
            )
            header = struct.pack(
                ">HBB", 0, 8 if chance.random() < 0.95 else chance.choice([9, 13]), len(shape)
            ) + struct.pack(f">{len(shape)}I", *shape)
            content = material.sometimes_damaged(chance, header + body, 0.15)
            name = f"{part}-{kind}{chance.choice('-.')}idx{len(shape)}-ubyte"
            if chance.random() < 0.4:
                content, name = material.sometimes_damaged(chance, gzip.compress(content), 0.15), f"{name}.gz"
            write(folder / chance.choice([name, name, name.removesuffix(".gz")]), content)
    read_images(chance, folder)


# Captions


def captioned(chance: Random, folder: Path) -> None:
    """A folder of pictures with a table of captions."""
    write_captioned(chance, folder)
    usual = chance.random() < 0.9
    pairs = captions.load(str(folder), 8 if usual else chance.choice([None, 0, -1, 10**9]), None if usual else 5)
    assert len(pairs.captions) == len(pairs.images) == len(pairs.held_out) and (~pairs.held_out).sum() >= 1
    known, part = captions.tokenizer(pairs), pairs.indices(held_out=False)
    assert captions.caption_sampler(pairs, known)(part, seeds.generator(1)).shape == (len(part), captions.LENGTH)
    " ".join(pairs.captions).encode("utf-8")


def write_captioned(chance: Random, folder: Path) -> None:
    """Write pictures and their table, which is mostly one that can be read."""
    rows = []
    for k in range(chance.choice([0, 1, 9, 9, 9, 9])):
        name = chance.choice([f"{k}.png", f"{material.file_name(chance)}.png"])
        stream = io.BytesIO()
        material.picture(chance, any_mode=False).save(stream, "PNG")
        write(folder / name, material.sometimes_damaged(chance, stream.getvalue(), 0.1))
        caption = f"a {chance.choice(['red', 'blue'])} cat {chance.randrange(3)}"
        if chance.random() < 0.4:
            caption = chance.choice(
                [material.text(chance), material.text(chance, everything=False), "!?", "x " * 90, ""]
            )
        if chance.random() < 0.2:
            name = chance.choice([f"../{name}", "/etc/passwd", "", material.text(chance)])
        rows.append([name, caption, "a;b"])
    columns = chance.choice([["file", "caption", "keywords"], ["file_name", "text", "tags"]])
    if chance.random() < 0.1:
        columns = chance.choice([["file", "caption", "caption"], ["a", "b", "c"], ["file", "", ""]])
    name = chance.choice(["captions.csv", "captions.csv", "metadata.csv", "metadata.jsonl", "captions.tsv"])
    if name.endswith("jsonl"):
        lines = [{**dict(zip(columns, row)), "n": material.value(chance)} for row in rows]
        content = b"\n".join(material.json_file(chance, line if chance.random() < 0.95 else [line]) for line in lines)
    else:
        content = material.table(chance, columns, rows)
    write(folder / name, content)


# JSON


def json_files(chance: Random, folder: Path) -> None:
    """A file of flags for each command that trains, and a table in JSON lines."""
    names = (
        "steps",
        "lr",
        "batch",
        "network",
        "data",
        "side",
        "damaged",
        "flip",
        "out",
        "encoders",
        "n",
        "width",
        "seed",
    )
    flags = {chance.choice(names): material.value(chance) for _ in range(chance.randint(0, 3))}
    content = material.json_file(chance, flags if chance.random() < 0.8 else material.value(chance))
    for name in ("flags.json", "rows.jsonl"):
        (folder / name).write_bytes(content)
    given = ["--config", str(folder / "flags.json")]
    readers = [partial(defaults, command, given) for command in commands.TRAINING.values()]
    try_all(*readers, lambda: tables.records(folder / "rows.jsonl"))


# Checkpoints and logs


@cache
def trained() -> tuple[Checkpoint, ...]:
    """A model of digits, one of points and a CLIP, hardly trained."""
    config, points = PointConfig(steps=1, batch=16), uploads.from_drawing([[(0, 0), (1, 1)]], 8)
    *_, progress = point_model.run(config, points)
    digits = image_model.new_checkpoint(ImageConfig(network="fourier", batch=2, steps=1), live_digits.images())
    for state in image_model.run(image_model.config_of(digits.config), live_digits.images(), digits.state):
        digits = Checkpoint(state, digits.config)
    pictures = torch.arange(2 * 3 * 8 * 8, dtype=torch.uint8).view(2, 3, 8, 8)
    pairs = captions.Pairs(
        "two", pictures, ("a cat", "a dog"), ((), ()), ("a cat", "a dog"), torch.tensor([False, False])
    )
    encoders = clip.new_checkpoint(ClipConfig(width=4, size=4, batch=2, steps=1), pairs)
    return digits, point_model.checkpoint_of(progress, config, points), encoders


def checkpoint(chance: Random, folder: Path) -> None:
    """A checkpoint in a zip file and in a folder."""
    files = dict(checkpoints.to_files(chance.choice(trained()), chance.choice([checkpoints.PARTS, ("ema",)])))
    for _ in range(chance.choice([0, 1, 1, 2])):
        name = chance.choice(list(files))
        if chance.random() < 0.1:
            del files[name]
            break
        change = changed_config if name == checkpoints.CONFIG else changed_tensors
        files[name] = material.damaged(chance, files[name]) if chance.random() < 0.2 else change(chance, files[name])
    stream, around = io.BytesIO(), chance.choice(["", "", "checkpoint/", "a/b/"])
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(around + name, content)
            write(folder / "checkpoint" / name, content)
    packed = material.sometimes_damaged(chance, stream.getvalue(), 0.1)
    try_all(lambda: use(checkpoints.from_bytes(packed)), lambda: command(["info", "--checkpoint", str(folder)]))


def changed_config(chance: Random, content: bytes) -> bytes:
    """A config with another value somewhere, or one more or less."""
    try:
        config = part = json.loads(content)
    except ValueError:
        return content
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        if not keys:
            break
        key = chance.choice(keys)
        if isinstance(part[key], dict | list) and part[key] and chance.random() < 0.8:
            part = part[key]
            continue
        if chance.random() < 0.2:
            del part[key]
        else:
            part[key] = chance.choice(
                [material.value(chance), chance.choice(material.NUMBERS), chance.choice(material.WHOLE)]
            )
        break
    return json.dumps(config).encode()


def changed_tensors(chance: Random, content: bytes) -> bytes:
    """Weights with a tensor of another shape, type, name or value."""
    try:
        tensors = load(content)
    except Exception:  # damaged before
        return content
    if not tensors:
        return content
    name = chance.choice(list(tensors))
    tensor = tensors.pop(name)
    change = {
        "shape": lambda: tensor[None],
        "less": lambda: tensor.flatten()[: tensor.numel() // 2],
        "type": lambda: tensor.to(chance.choice([torch.float64, torch.float16, torch.int32, torch.bool])),
        "nan": lambda: tensor.double().mul(float("nan")).to(tensor.dtype),
        "huge": lambda: tensor.double().mul(1e30).to(tensor.dtype),
    }.get(chance.choice(["shape", "less", "type", "nan", "huge", "name", "gone"]))
    if change:
        tensors[name] = change().contiguous()
    elif chance.random() < 0.5:
        tensors[material.text(chance, everything=False)] = tensor
    return save(tensors)


def use(found: Checkpoint) -> None:
    """All that pages and commands do with a checkpoint."""
    model = Model(found)
    try_all(
        lambda: model.classes,
        lambda: model.shape,
        lambda: model.attributes,
        lambda: resume(found),
        lambda: run_folder.check(found),
        lambda: point_model.config_of(found.config),
        lambda: live_digits.config_of(found),
        lambda: clip.config_of(found.config),
        lambda: clip_queries.text_vectors(found.state.ema, clip.tokenizer_of(found.config), ["a cat", ""]),
        lambda: train_further(found),
    )
    if isinstance(found.denoiser, training.Denoiser):
        model.sample(2, steps=1)


def train_further(found: Checkpoint) -> None:
    """One more step of a model of points or of digits, as their pages make it."""
    progress = resume(found)
    if "recipe" in found.config:
        config = point_model.config_of(found.config)
        points = uploads.from_drawing([[(0, 0), (1, 1)]], 8)
        next(point_model.run(replace(config, steps=progress.state.step + 1), points, progress), None)
    else:
        _, config = live_digits.config_of(found)
        config = replace(config, steps=progress.state.step + 1)
        next(live_images.run(config, live_digits.images(), progress), None)


def log(chance: Random, folder: Path) -> None:
    """The folder of a run that is followed while it is written."""
    run = folder / material.file_name(chance).lstrip(".")
    shutil.copytree(written_run(), run)
    lines = (run / run_folder.LOG).read_bytes()
    for _ in range(chance.choice([0, 1, 3])):
        entry = {"step": 9, "loss": 1.0, "images_per_second": 2.0, "of": 9, "batch": 2, "loss_by_sigma": {"0.1": 0.5}}
        entry[chance.choice(list(entry))] = chance.choice([material.value(chance), chance.choice(material.NUMBERS)])
        lines += json.dumps(entry).encode() + b"\n"
    write(run / run_folder.LOG, material.sometimes_damaged(chance, lines))
    victim = chance.choice(sorted(path for path in run.rglob("*") if path.is_file()))
    if chance.random() < 0.3:
        victim.unlink()
    if chance.random() < 0.3:
        victim.mkdir() if not victim.exists() else victim.write_bytes(material.damaged(chance, victim.read_bytes()))
    names = run_folder.runs(folder)
    place = run_folder.place_of(folder, names[0]) if names else run
    try_all(lambda: follow(place), lambda: run_folder.load_checkpoint(place, tries=1))


@cache
def written_run() -> Path:
    """The folder of a small run, written once, in a folder of nine pictures with captions."""
    around = Path(tempfile.mkdtemp())
    names = [f"{k}.png,a {('red', 'blue', 'green')[k % 3]} {('cat', 'dog', 'hat')[k // 3]}\n" for k in range(9)]
    write(around / "captions.csv", f"file,caption\n{''.join(names)}".encode())
    for k in range(9):
        Image.new("RGB", (8, 8), (28 * k, 99, 255 - 28 * k)).save(around / f"{k}.png")
    write_run(around / "run")
    return around / "run"


def follow(run: Path) -> None:
    """All that the page shows of a run."""
    from pages.ui.runs import followed

    run_folder.saved_step(run)
    known = run_folder.read_log(run)
    followed.standing(known).encode("utf-8")
    if known.entries:
        for curve in followed.CURVES:
            assert isinstance(followed.scene(run, known, curve), Scene)


# Flags


def flags(chance: Random, folder: Path) -> None:
    """A command line."""
    words, given = chance.choice(list(LINES)), {}
    shutil.copytree(written_run().parent, folder, dirs_exist_ok=True)
    for name, value in LINES[words].items():
        given[name] = value.format(folder=folder) if isinstance(value, str) else value
    for _ in range(chance.choice([0, 0, 1, 1, 2])):
        name = chance.choice([*given, *MORE[words]])
        given[name] = odd_value(chance, name, folder)
    with contextlib.chdir(folder):
        command([*words, *(part for name, value in given.items() for part in (f"--{name}", *shown(value)))])


LINES: dict[tuple[str, ...], dict[str, Any]] = {
    ("train",): {"out": "{folder}/new", "network": "fourier", "batch": 2, "steps": 1, "warmup": 1, "data": "digits"},
    ("sample",): {"checkpoint": "{folder}/run", "out": "{folder}/sheet", "n": 2, "steps": 1},
    ("evaluate",): {"checkpoint": "{folder}/run", "n": 2, "steps": 1},
    ("info",): {"checkpoint": "{folder}/run"},
    ("train", "clip"): {"out": "{folder}/clip", "data": "{folder}", "width": 4, "size": 4, "batch": 2, "steps": 1,
                        "side": 8},
    ("train", "prior"): {"out": "{folder}/prior", "data": "{folder}", "batch": 2, "steps": 1},
    ("train", "decoder"): {"out": "{folder}/decoder", "data": "{folder}", "batch": 2, "steps": 1, "size": "tiny"},
    ("sample", "unclip"): {"out": "{folder}/sheet", "caption": "cat", "n": 1, "steps": 1},
    ("evaluate", "unclip"): {"data": "{folder}", "steps": 1},
    ("evaluate", "people"): {"checkpoint": "{folder}/run", "n": 2, "steps": 1},
    (): {},
    ("trian",): {"out": "x"},
}  # fmt: skip
MORE: dict[tuple[str, ...], list[str]] = {
    ("train",): ["side", "damaged", "n", "resume", "config", "seed", "lr", "mean", "std", "ema", "clip", "accumulate",
                 "label-dropout", "flip", "prediction", "every", "bf16"],
    ("sample",): ["classes", "scale", "negative", "sampler", "seed", "columns", "caption"],
    ("evaluate",): ["data", "scale", "sampler", "seed"],
    ("info",): ["help"],
    ("train", "clip"): ["lr", "ema", "shift", "neighbours", "seed", "resume", "config", "every", "weight-decay", "n"],
    ("train", "prior"): ["encoders", "side", "lr", "seed", "resume", "every", "label-dropout"],
    ("train", "decoder"): ["encoders", "start", "side", "lr", "blur", "seed", "resume", "every", "network"],
    ("sample", "unclip"): ["negative", "scale", "prior-scale", "seed", "skip-prior", "prior", "decoder"],
    ("evaluate", "unclip"): ["encoders", "judge", "n", "side", "scale", "seed"],
    ("evaluate", "people"): ["encoders", "prior", "scales", "seed", "sampler"],
    (): ["help", "version"],
    ("trian",): ["help"],
}  # fmt: skip
PATHS = ("", ".", "/nowhere/x", "{folder}", "{folder}/captions.csv", "{folder}/run", "{folder}/run/checkpoint",
         "{folder}/run/checkpoint/ema.safetensors", "{folder}/run/metrics.jsonl", "digits", "clip",
         "{folder}/none")  # fmt: skip
ODD_NUMBERS = ("nan", "inf", "-inf", "1e400", "-1", "1e-9", "1e9", "99999999999999999999", "x", "", "1,5")
SMALL = ("steps", "n", "side", "batch", "columns", "accumulate", "every", "width", "size", "neighbours", "shift")


def odd_value(chance: Random, name: str, folder: Path) -> Any:
    """What somebody may give as a flag. Numbers that would only take long are left out."""
    if name in ("out", "checkpoint", "data", "encoders", "start", "prior", "decoder", "judge", "config"):
        path = chance.choice([*PATHS[name == "out" :], material.text(chance, everything=False), "x" * 300])
        return path.format(folder=folder) if path in PATHS else path.replace("\0", "").replace("hf:", "")
    if name in SMALL:
        no_number = chance.choice(["x", "1.5", "1e2", "", "nan"])
        return chance.choice([-(2**70), -1, 0, 1, 2, 3, 4, 7, 8, 16, 2**70, no_number])
    if chance.random() < 0.5:
        return chance.choice([0, 1, 2, 7, 0.5, 1e-3])
    typed = material.text(chance, everything=False).replace("\0", "")
    return chance.choice([*ODD_NUMBERS, typed, "cat", "猫", "true", "edm", "ddim", "dit", True, None])


def shown(value: Any) -> list[str]:
    """A value as it is typed; True is a flag alone."""
    return [] if value is True or value is None else [str(value)]


def command(arguments: list[str]) -> None:
    """Run a command. The command line's own answers to what it cannot read or open are refusals, too."""
    quick = patch.object(image_judge, "judge", partial(image_judge.judge, steps=1))
    with quick, contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO()):
        try:
            commands._run(arguments)
        except SystemExit as error:
            raise Problem("unknown_flags", flags=" ".join(arguments), known=printed.getvalue()) from error
        except OSError as error:
            if isinstance(error, Problem) or not error.strerror:
                raise
            raise Problem("file_damaged", file=str(error.filename)) from error
        except (MemoryError, RuntimeError) as error:
            if not commands._out_of_memory(error):
                raise
            raise Problem("network_too_large", weights=0, most=0) from error


# Files


def write(path: Path, content: bytes) -> None:
    """Write a file, if this system has such a name."""
    try:
        path.write_bytes(content)
    except (OSError, ValueError):
        pass


def link(path: Path, to: Path) -> None:
    """Make a symbolic link, if this system can."""
    try:
        os.symlink(to, path)
    except OSError:
        pass


DOORS: dict[str, Door] = {
    "csv": csv, "image": image, "word": word, "drawing": drawing, "checkpoint": checkpoint, "folder": folder,
    "captions": captioned, "npz": npz, "idx": idx, "json": json_files, "flags": flags, "log": log,
}  # fmt: skip
