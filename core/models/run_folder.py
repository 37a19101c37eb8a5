"""A run in a folder (see ``imaging``), read while another process writes it: its losses, its sheets, its checkpoint.

What is missing, cut short or damaged is told in a ValueError of one sentence or counted, and the rest is read.
"""

import json
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

from core.data import image_files
from core.diffusion.denoiser import Denoiser
from core.models import images as image_model
from core.runs.checkpoints import CONFIG, Checkpoint, from_files
from core.runs.distributed import BINS

LOG, SAVED, MODEL = "metrics.jsonl", "checkpoint", "ema.safetensors"
LIMIT = 16 * 2**20  # bytes of a log at one look
MAX_SIDE = 64  # pixels; a page cannot wait for larger images
HUGE, LONG = 1e15, 1e10  # no number in a log is so large; no run is so long, in seconds


def runs(folder: Path) -> list[str]:
    """The names of the runs in a folder, in alphabetical order; none if there is no such folder."""
    names = sorted(path.parent.name for path in Path(folder).glob(f"*/{LOG}"))
    return [name for name in names if not name.startswith(".")]


# Metrics


class Entry(NamedTuple):
    """A line of the log: the loss of a step, at each noise level (by the lower end of its bin), images a second; and of
    how many steps, of how many images, the run is, where it says so."""

    step: int
    loss: float
    by_sigma: dict[float, float]
    pace: float
    steps: int | None
    batch: int | None


@dataclass(frozen=True, eq=False)
class Log:
    """What a log says so far, steps ascending; how many lines of it could not be read; when it was last written to.

    ``file`` and ``read`` tell which file that was, and how many bytes of it are known.
    """

    entries: tuple[Entry, ...] = ()
    damaged: int = 0
    written: float = 0.0
    file: int = 0
    read: int = 0

    @property
    def left(self) -> float | None:
        """Seconds to the end of the run at its present pace; None where nobody can say."""
        last = self.entries[-1] if self.entries else None
        if last is None or None in (last.steps, last.batch) or last.pace <= 0:
            return None
        left = max(0, last.steps - last.step) * last.batch / last.pace
        return left if 0 <= left < LONG else None

    @property
    def finished(self) -> bool:
        """Whether it has made all its steps."""
        return bool(self.entries) and self.entries[-1].step == self.entries[-1].steps


def read_log(run: Path, before: Log = Log()) -> Log:
    """The log of a run; ``before`` itself if that says all there is. Only what is new since then is read.

    A line without an end is still being written, and left for the next time. A run that went back, to go on from its
    checkpoint, has done its later steps in vain: they are dropped. Raises ValueError with a sentence without a log.
    """
    try:
        with (run / LOG).open("rb") as file:
            stat = os.fstat(file.fileno())
            if stat.st_ino != before.file or stat.st_size < before.read:
                before = Log(file=stat.st_ino)
            file.seek(before.read)
            lines, ended, _ = file.read(LIMIT).rpartition(b"\n")
    except OSError as error:
        raise ValueError(f"There is no {LOG} of this run any more; it was moved, removed or not begun.") from error
    if not ended:
        return before
    entries, damaged = list(before.entries), before.damaged
    for line in lines.split(b"\n"):
        if (entry := _entry(line)) is None:
            damaged += 1
            continue
        while entries and entries[-1].step >= entry.step:
            entries.pop()
        entries.append(entry)
    read = before.read + len(lines) + 1
    return replace(before, entries=tuple(entries), damaged=damaged, written=stat.st_mtime, read=read)


def _entry(line: bytes) -> Entry | None:
    try:
        said = json.loads(line)
        by_sigma = {float(low): _number(loss) for low, loss in said["loss_by_sigma"].items()}
        steps, batch = (None if said.get(name) is None else int(_number(said[name])) for name in ("of", "batch"))
        step, loss, pace = (_number(said[name]) for name in ("step", "loss", "images_per_second"))
        return Entry(int(step), loss, by_sigma, pace, steps, batch)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        return None


def _number(value: Any) -> float:
    """The value as a number. Raises ValueError, TypeError or OverflowError for none, and for a huge one."""
    number = float(value)
    if not abs(number) < HUGE:
        raise ValueError(f"{number} is no number that a run can say")
    return number


def mean_loss_by_sigma(entries: Sequence[Entry], step: int, most: int = 20) -> Tensor:
    """The loss in each of ``imaging.BINS`` up to a step, mean over the last ``most`` entries, [bins]; NaN for none."""
    known = [entry.by_sigma for entry in entries if entry.step <= step][-most:] or [{}]
    table = np.array([[found.get(low, np.nan) for low in BINS[:-1]] for found in known])
    there = np.isfinite(table)
    count = there.sum(0)
    means = np.where(there, table, 0).sum(0) / np.maximum(count, 1)
    return torch.from_numpy(np.where(count > 0, means, np.nan)).float()


# Samples


def sheets(run: Path) -> dict[int, Path]:
    """The sheets of samples of a run by their step, ascending."""
    try:
        named = [(re.fullmatch(r"samples-(\d+)\.png", path.name), path) for path in run.iterdir()]
    except OSError:
        return {}
    return dict(sorted((int(said[1]), path) for said, path in named if said))


def read_sheet(path: Path) -> Tensor | None:
    """A sheet as the stage takes it, uint8 [H, W] or [H, W, 3]; None while it is not whole, or damaged."""
    try:
        found = image_files.image(path)
    except image_files.UnreadableImage:
        return None
    return found[0] if len(found) == 1 else found.movedim(0, -1)


# The checkpoint


def _place(run: Path) -> Path:
    """Where its newest checkpoint is: aside, where a new one was about to take its place."""
    place = run / SAVED
    return place if place.is_dir() else place.with_name(f"{SAVED}.old")


def saved_step(run: Path) -> int | None:
    """The step of the newest checkpoint of a run; None if there is none that can be read."""
    try:
        return int(_number(json.loads((_place(run) / CONFIG).read_bytes())["step"]))
    except (OSError, ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None


def saved_at(run: Path) -> int:
    """When the newest checkpoint of a run was written, in nanoseconds; 0 if there is none."""
    try:
        return (_place(run) / CONFIG).stat().st_mtime_ns
    except OSError:
        return 0


def load_checkpoint(run: Path, tries: int = 3) -> Checkpoint:
    """The newest checkpoint of a run, its moving average alone. Raises ValueError with a sentence if there is none that
    is whole, or if it is of no image model."""
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
    raise ValueError("This run has no checkpoint yet that is whole; it saves one every so many steps.")


def check(found: Checkpoint) -> Checkpoint:
    """The same checkpoint. Raises ValueError with a sentence unless it is of an image model that says what it makes,
    images of at most 64 x 64."""
    channels, side, _ = image_model.shape_of(found.config)
    image_model.config_of(found.config)
    if side > MAX_SIDE:
        raise ValueError(
            f"This model's images have a side of {side} pixels, too many to wait for on a page, which takes up to "
            f"{MAX_SIDE}; draw them in a terminal, by python -m core sample."
        )
    network = found.config["network"]
    size = (network.get("side"), network.get("channels"))
    fits = size == (side, channels) or network.get("dim") == channels * side**2
    if not (fits and isinstance(found.denoiser, Denoiser) and isinstance(found.config["data"].get("name"), str)):
        raise ValueError("This checkpoint's config and its network do not agree on what images it makes.")
    return found
