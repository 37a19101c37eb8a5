"""A training run in a terminal, by one process or several: how it is stopped, shown, logged and saved."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from core.data.tables import parse_json
from core.diffusion.training import Diverged, TrainState
from core.models import images as image_model
from core.problems import Problem
from core.runs.checkpoints import Checkpoint, save_folder
from core.runs.distributed import Losses, Team, losses

LOGGED_EVERY = 20  # steps
Log = Callable[[dict[str, Any]], None]


def print_any_text() -> None:
    """Let this program print every text on every terminal: what its encoding lacks becomes an escape, ``\\u5b57``.

    File names and classes are those of the user, and a terminal or a log may know ASCII alone.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not in a notebook
            stream.reconfigure(errors="backslashreplace")


def checkpoint_folder(out: Path, resume: bool) -> Path:
    """The folder of the checkpoint of a run. Raises Problem if a new run would overwrite another."""
    folder = out / "checkpoint"
    if not resume and (folder.exists() or folder.with_suffix(".old").exists()):
        raise Problem("run_exists", folder=str(out))
    return folder


def carry_out(
    start: Callable[[Losses], Iterator[TrainState]], checkpoint: Checkpoint, config: Any, team: Team, out: Path,
    every: int, sheet: Callable[[Checkpoint, Path], None] | None = None, tensorboard: bool = False,
) -> None:  # fmt: skip
    """Train a checkpoint to the end, or until the run is asked to stop.

    The run is shown with a progress bar, logged in ``out``, and saved there every so many steps, with a ``sheet`` of
    samples.

    start: makes the training steps, which add their loss by noise level to what they are given. config: has steps,
    batch, lr and ``train``. Raises Problem with the remedy if the loss diverges; the last good weights are saved.
    """
    state, level_losses = checkpoint.state, losses(team.device)
    steps = until_stopped(start(level_losses), team)
    if team.rank:
        for _ in logged(steps, config, level_losses, team, []):
            pass
        return
    logs = [tensorboard_log(out / "tensorboard")] if tensorboard else []
    logs += [file_log(out / "metrics.jsonl", state.step)]
    try:
        for now in with_progress_bar(logged(steps, config, level_losses, team, logs), state.step, config):
            if now.step % every == 0 or now.step == config.steps:
                save_folder(checkpoint, out / "checkpoint")
                if sheet:
                    sheet(checkpoint, out / f"samples-{now.step:06}.png")
    except Diverged as error:
        save_folder(checkpoint, out / "checkpoint")
        raise Problem("run_diverged", reason=str(error), lr=config.lr / 3) from error
    if state.step < config.steps:
        save_folder(checkpoint, out / "checkpoint")
        print(f"\nStopped and saved at step {state.step:,} of {config.steps:,}. Go on with --resume.")
    else:
        print(f"The run is at its end, step {state.step:,}. With --resume and more --steps it goes on.")


def until_stopped(steps: Iterator[TrainState], team: Team) -> Iterator[TrainState]:
    """The steps up to the one in which any process of the team receives Ctrl-C or SIGTERM.

    Between two steps the state is whole, and all processes end together.
    """
    received = []
    before = {each: signal.signal(each, lambda *_: received.append(True)) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        for state in steps:
            yield state
            stop = bool(received)
            if team.world > 1:
                share = torch.tensor(float(stop), device=team.device)
                team.average_([share])
                stop = share.item() > 0
            if stop:
                return
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def logged(
    steps: Iterator[TrainState], config: Any, losses: Losses, team: Team, logs: list[Log]
) -> Iterator[TrainState]:
    """The steps; every so many of them are written to the logs."""
    since, images = time.perf_counter(), 0
    for state in steps:
        images += config.batch
        log_now = state.step % LOGGED_EVERY == 0 or state.step == config.steps
        if log_now:
            entry = image_model.log_entry(state, config, losses, images / (time.perf_counter() - since), team)
            for log in logs:
                log(entry)
        yield state
        if log_now:
            since, images = time.perf_counter(), 0


def with_progress_bar(steps: Iterator[TrainState], done: int, config: Any) -> Iterator[TrainState]:
    """The steps behind a progress bar: time left, images per second, loss. Seldom redrawn if it goes into a file."""
    interval = 0.1 if sys.stderr.isatty() else 10
    total = config.steps * config.batch
    with tqdm(total=total, initial=done * config.batch, unit="img", unit_scale=True, mininterval=interval) as bar:
        for state in steps:
            bar.set_postfix_str(f"step {state.step}, loss {state.loss:.4f}", refresh=False)
            bar.update(config.batch)
            yield state


def file_log(path: Path, step: int) -> Log:
    """Append to metrics.jsonl. Lines after ``step`` are dropped, because a killed run will write them again.

    The other lines are copied to a new file, so that nothing is lost half-way, and a reader sees that it is another.
    """

    def is_earlier(line: bytes) -> bool:
        try:
            return parse_json(line, path.name)["step"] <= step
        except (ValueError, LookupError, TypeError, RecursionError):  # cut short
            return False

    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [line for line in path.read_bytes().splitlines() if is_earlier(line)] if path.exists() else []
    aside = path.with_name(f"{path.name}.new")
    aside.write_bytes(b"".join(line + b"\n" for line in lines))
    aside.replace(path)

    def log(entry: dict[str, Any]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    return log


def tensorboard_log(folder: Path) -> Log:
    """Write for TensorBoard. Raises Problem if that is not installed, and for a folder whose name it cannot write."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise Problem("no_tensorboard") from None
    try:
        writer = SummaryWriter(folder)
    except UnicodeEncodeError:
        raise Problem("tensorboard_folder", folder=str(folder)) from None

    def log(entry: dict[str, Any]) -> None:
        for name in ("loss", "lr", "images_per_second"):
            writer.add_scalar(name, entry[name], entry["step"])
        for low, loss in entry["loss_by_sigma"].items():
            writer.add_scalar(f"loss at sigma from/{low}", loss, entry["step"])
        writer.flush()

    return log
