"""The folder of a run (see ``core.models.images``), read while another process writes it: losses, sheets, checkpoint.

Damaged lines of the log are counted; what is missing or damaged as a whole raises Problem.
"""

import codecs
import json
import math
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from core import limits
from core.data import image_files
from core.data.tables import parse_json, parse_json_line
from core.diffusion.denoiser import Denoiser
from core.models import images as image_model
from core.problems import Problem, printable
from core.runs.checkpoints import CONFIG, Checkpoint, from_files
from core.runs.distributed import BINS

LOG, SAVED, MODEL = "metrics.jsonl", "checkpoint", "ema.safetensors"
LOOK = limits.LOOK_MB * 2**20  # bytes of a log at one look
UNREADABLE = ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError
SHORT = 60  # bytes: the names alone in a line have more
HUGE, LONG = 1e15, 1e10  # no number in a log is so large; no run is so long, in seconds


def runs(folder: Path) -> list[str]:
    """The names of the runs in a folder, in alphabetical order; none if there is no such folder."""
    names = sorted(printable(path.parent.name) for path in Path(folder).glob(f"*/{LOG}"))
    return [name for name in names if not name.startswith(".")]


def place_of(folder: Path, name: str) -> Path:
    """The folder of the run of that name, as `runs` spells it: a folder's name may be no text."""
    return next((path for path in Path(folder).glob("*") if printable(path.name) == name), Path(folder) / name)


# Metrics


class Entry(NamedTuple):
    """A line of the log.

    Attributes:
        step, loss: the step and its loss.
        by_sigma: the loss by noise level, by the lower edge of each bin.
        pace: images per second.
        steps, batch: number of steps of the run, and images per step; None if the log does not say so.
    """

    step: int
    loss: float
    by_sigma: dict[float, float]
    pace: float
    steps: int | None
    batch: int | None


@dataclass(frozen=True, eq=False)
class Log:
    """The log of a run so far.

    Attributes:
        entries: its lines, by ascending step; of very many, every second, fourth, ... one.
        lines: number of lines that have been read.
        damaged: number of lines that could not be read, and the numbers of the first of them.
        cut: whether the last line that was read is not whole, because it is longer than one look.
        written: when the file was last changed.
        file: the inode of the file.
        read: number of bytes that have been read.
    """

    entries: tuple[Entry, ...] = ()
    lines: int = 0
    damaged: int = 0
    examples: tuple[int, ...] = ()
    cut: bool = False
    written: float = 0.0
    file: int = 0
    read: int = 0

    @property
    def left(self) -> float | None:
        """Seconds to the end of the run at its present pace; None if that is unknown."""
        last = self.entries[-1] if self.entries else None
        if last is None or None in (last.steps, last.batch) or last.pace <= 0:
            return None
        left = (last.steps - last.step) * last.batch / last.pace
        return left if 0 < left < LONG else None

    @property
    def finished(self) -> bool:
        """Whether the run has made all its steps."""
        last = self.entries[-1] if self.entries else None
        return last is not None and last.steps is not None and last.step >= last.steps


def read_log(run: Path, before: Log = Log()) -> Log:
    """The log of a run; ``before`` itself if nothing was added. Only what was added since is read.

    A line without an end is still being written and left for the next call. Steps that a resumed run makes again
    replace the earlier ones. Raises Problem if there is no log.
    """
    block, written, before = _look(run, before)
    whole, ended, _ = block.rpartition(b"\n")
    if not ended:
        if len(block) < LOOK:
            return before
        return replace(before, read=before.read + len(block), cut=True)
    lines = whole.removeprefix(b"" if before.read else codecs.BOM_UTF8).split(b"\n")
    if before.cut:
        lines[0] = b"the end of a line that was too long"
    entries, damaged = list(before.entries), []
    for number, line in enumerate(lines, before.lines + 1):
        if not line.strip():
            continue
        if (entry := _entry(line)) is None:
            damaged.append(number)
            continue
        while entries and entries[-1].step >= entry.step:
            entries.pop()
        entries.append(entry)
    while len(entries) > limits.LOG_ENTRIES:
        entries = entries[-1::-2][::-1]
    return replace(
        before, entries=tuple(entries), lines=before.lines + len(lines), damaged=before.damaged + len(damaged),
        examples=(*before.examples, *damaged)[:4], cut=False, read=before.read + len(whole) + 1, written=written,
    )  # fmt: skip


def _look(run: Path, before: Log) -> tuple[bytes, float, Log]:
    """What a log has more than ``before``, at most `LOOK` bytes; when it was written; ``before``, which is empty if the
    file is another one."""
    try:
        with open(run / LOG, "rb") as file:
            stat = os.fstat(file.fileno())
            if stat.st_ino != before.file or stat.st_size < before.read:
                before = Log(file=stat.st_ino)
            file.seek(before.read)
            return file.read(LOOK), stat.st_mtime, before
    except FileNotFoundError as error:
        raise Problem("run_no_log", file=LOG) from error
    except OSError as error:
        raise Problem("run_log_unopened", file=LOG) from error


def _entry(line: bytes) -> Entry | None:
    if len(line) < SHORT:
        return None
    try:
        fields = _fields(line)
        by_sigma = {float(low): _number(loss) for low, loss in fields["loss_by_sigma"].items() if float(low) in BINS}
        steps, batch = (None if fields.get(name) is None else int(_number(fields[name])) for name in ("of", "batch"))
        step, loss, pace = (_number(fields[name]) for name in ("step", "loss", "images_per_second"))
        return Entry(int(step), loss, by_sigma, pace, steps, batch)
    except UNREADABLE:
        return None


def step_of(line: bytes) -> int | None:
    """The step of a line of a log; None if it cannot be read, or has a step or a loss that no run has."""
    try:
        fields = _fields(line)
        _number(fields.get("loss", 0))
        return int(_number(fields["step"]))
    except UNREADABLE:
        return None


def _fields(line: bytes) -> Any:
    if len(line) > limits.LINE_MB * 1e6:
        raise ValueError("the line is too long")
    return parse_json_line(line, LOG)


def _number(value: Any) -> float:
    """The value as a number from 0 on, as all in a log are. Raises ValueError, TypeError or OverflowError for other
    values and for huge numbers."""
    number = float(value)
    if not 0 <= number < HUGE:
        raise ValueError(f"no run has {number}")
    return number


def mean_loss_by_sigma(entries: Sequence[Entry], step: int, most: int = 20) -> Tensor:
    """The loss in each bin of ``BINS``, mean over the last ``most`` entries up to a step, [bins]; NaN for an empty
    bin."""
    recent = [entry.by_sigma for entry in entries if entry.step <= step][-most:] or [{}]
    table = np.array([[losses.get(low, np.nan) for low in BINS[:-1]] for losses in recent])
    present = np.isfinite(table)
    count = present.sum(0)
    means = np.where(present, table, 0).sum(0) / np.maximum(count, 1)
    return torch.from_numpy(np.where(count > 0, means, np.nan)).float()


# Samples


def sheets(run: Path) -> dict[int, Path]:
    """The sheets of samples of a run, by ascending step."""
    try:
        named = [(re.fullmatch(r"samples-(\d{1,15})\.png", path.name), path) for path in run.iterdir()]
    except OSError:
        return {}
    return dict(sorted((int(match[1]), path) for match, path in named if match))


def read_sheet(path: Path) -> Tensor | None:
    """A sheet, uint8 [H, W] or [H, W, 3]; None if it is incomplete or damaged."""
    try:
        found = image_files.as_tensor(image_files.decode(path, megapixels=limits.SHEET_MEGAPIXELS))
    except image_files.UnreadableImage:
        return None
    return found[0] if len(found) == 1 else found.movedim(0, -1)


# The checkpoint


def _place(run: Path) -> Path:
    """The folder of its newest checkpoint, which is set aside while a new one takes its place."""
    place = run / SAVED
    return place if place.is_dir() else place.with_name(f"{SAVED}.old")


def saved_step(run: Path) -> int | None:
    """The step of the newest checkpoint of a run; None if none can be read."""
    try:
        with open(_place(run) / CONFIG, "rb") as file:
            content = file.read(int(limits.CONFIG_MB * 1e6))
        return int(_number(parse_json(content, CONFIG)["step"]))
    except (OSError, *UNREADABLE):
        return None


def saved_at(run: Path) -> int:
    """When the newest checkpoint of a run was written, in nanoseconds; 0 if there is none."""
    try:
        return (_place(run) / CONFIG).stat().st_mtime_ns
    except OSError:
        return 0


def load_checkpoint(run: Path, tries: int = 3) -> Checkpoint:
    """The newest checkpoint of a run, its moving average alone. Raises Problem if there is no whole one, and as
    ``check`` does."""
    for _ in range(tries):
        place = _place(run)
        try:
            # The folder may be replaced between two of its files: both must come from the same.
            before = place.stat().st_ino
            files = {name: (place / name).read_bytes() for name in (CONFIG, MODEL)}
            if place.stat().st_ino == before:
                return check(from_files(files))
        except OSError:
            time.sleep(0.05)
    raise Problem("run_no_checkpoint")


def check(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint, its texts as a page can show them. Raises Problem unless it is of an image model that the
    page can show: images with 1 or 3 channels and sides of at most 64 pixels."""
    shape = image_model.shape_of(checkpoint.config)
    image_model.config_of(checkpoint.config)
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise Problem("run_no_images", shape="x".join(map(str, shape)))
    channels, height, width = shape
    if max(height, width) > limits.SHOWN_SIDE:
        raise Problem("run_images_too_large", side=max(height, width), most=limits.SHOWN_SIDE)
    network, side = checkpoint.config["network"], width if height == width else [height, width]
    fits = (network.get("side"), network.get("channels")) == (side, channels) or network.get("dim") == math.prod(shape)
    if not (
        fits and isinstance(checkpoint.denoiser, Denoiser) and isinstance(checkpoint.config["data"].get("name"), str)
    ):
        raise Problem("run_config_misfit")
    # Half a pair of surrogates, which JSON can say, would end the page.
    shown = json.loads(json.dumps(checkpoint.config, ensure_ascii=False).encode("utf-8", "replace"))
    return replace(checkpoint, config=shown)
