"""A training run in a terminal, by one process or several: how it is stopped, shown, logged and saved."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from core.cli import interrupts
from core.diffusion.training import Diverged, TrainState
from core.models import images as image_model
from core.models.run_folder import step_of
from core.problems import Problem, count_names
from core.runs import lock
from core.runs.checkpoints import Checkpoint, load_folder, remove_leftovers, save_folder
from core.runs.distributed import ALONE, Losses, Team, is_first, losses
from core.runs.files import sync, write_whole

LOG, LOGGED_EVERY = "metrics.jsonl", 20  # steps
Log = Callable[[dict[str, Any]], None]
Sheet = Callable[[Checkpoint, Path], None]


def print_any_text() -> None:
    """Let this program print every text on every terminal: what its encoding lacks becomes an escape, ``\\u5b57``.

    File names and classes are those of the user, and a terminal or a log may know ASCII alone.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not in a notebook
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def run_folder(out: Path, resume: bool) -> Iterator[Path]:
    """The folder of the checkpoint of a run, into which no other process trains meanwhile.

    Raises Problem if one does, and if a new run would overwrite another.
    """
    with lock.hold(out) if is_first() else nullcontext():  # a team is one run, and its first process writes it
        folder = out / "checkpoint"
        if not resume and (folder.exists() or folder.with_suffix(".old").exists()):
            raise Problem("run_exists", folder=str(out))
        yield folder


def train_judge(
    new: Callable[[Any], Checkpoint], run: Callable[[Any, TrainState], Iterator[TrainState]], out: Path, config: Any,
    resume: bool = False, every: int = 500,
) -> None:  # fmt: skip
    """Train a small network that judges others, on the processor, in the folder ``out``, or go on with that run.

    new: an untrained checkpoint of a configuration; run: trains its state.
    """
    with run_folder(out, resume) as folder:
        checkpoint = load_folder(folder) if resume else new(config)
        carry_out(lambda _: run(config, checkpoint.state), checkpoint, config, ALONE, out, every)


@dataclass
class Keeper:
    """What keeps a run in its folder ``out``.

    A checkpoint implies the lines of the logs up to its step, and its sheet, if the run has them. The lines are on the
    disk before it, with what goes into the next one inside it; the sheet comes after it, or when the run goes on.

    Attributes:
        saved: the step of the checkpoint that is there, None without one.
    """

    checkpoint: Checkpoint
    out: Path
    losses: Losses
    sheet: Sheet | None
    saved: int | None = None

    @property
    def step(self) -> int:
        """The number of steps that were made."""
        return self.checkpoint.state.step

    def save(self, stopped: bool = False) -> None:
        """Save a checkpoint; make its sheet unless the run was stopped between two of them."""
        unlogged = self.losses.stored()
        entries = {**({"unlogged": unlogged} if unlogged else {}), **({"stopped": True} if stopped else {})}
        sync(self.out / LOG)
        kept = {name: value for name, value in self.checkpoint.config.items() if name not in ("unlogged", "stopped")}
        save_folder(replace(self.checkpoint, config={**kept, **entries}), self.out / "checkpoint")
        self.saved = self.step
        if self.sheet and not stopped:
            self.sheet(self.checkpoint, self.file)

    def complete(self) -> None:
        """Make the sheet of a checkpoint that was loaded, if it ought to be there and is not, and tidy up beside it."""
        remove_leftovers(self.out / "checkpoint")
        self.saved = self.step or None
        if self.saved and self.sheet and "stopped" not in self.checkpoint.config and not self.file.exists():
            self.sheet(self.checkpoint, self.file)

    @property
    def file(self) -> Path:
        """The sheet of this step."""
        return self.out / f"samples-{self.step:06}.png"

    def lost(self) -> str:
        """What is lost if the run ends now."""
        if self.saved is None:
            return "all its steps are lost, for no checkpoint was saved yet"
        steps = f"the steps after {self.saved:,} are lost" if self.saved < self.step else "no step is lost"
        return f"{steps}, and --resume goes on from step {self.saved:,}"


def carry_out(
    start: Callable[[Losses], Iterator[TrainState]], checkpoint: Checkpoint, config: Any, team: Team, out: Path,
    every: int, sheet: Sheet | None = None, tensorboard: bool = False,
) -> None:  # fmt: skip
    """Train a checkpoint to the end, or until the run is asked to stop, which ends the program.

    The run is shown with a progress bar, logged in ``out``, and saved there every so many steps, with a ``sheet`` of
    samples. A run that was killed at any moment and goes on leaves the same files as one that was not.

    start: makes the training steps, which add their loss by noise level to what they are given. config: has steps,
    batch, lr and ``train``. Raises Problem with the remedy if the loss diverges, with the last good weights saved, and
    SystemExit if the run was stopped.
    """
    state, level_losses = checkpoint.state, losses(team.device, checkpoint.config.get("unlogged", ()))
    keeper = Keeper(checkpoint, out, level_losses, sheet)
    with interrupts.requests(None if team.rank else keeper.lost) as received:
        steps = until_stopped(start(level_losses), received, team)
        if team.rank:
            for _ in logged(steps, config, level_losses, every, team, []):
                pass
            return
        logs = [tensorboard_log(out / "tensorboard", state.step)] if tensorboard else []
        logs += [file_log(out / LOG, state.step)]
        keeper.complete()
        try:
            for now in with_progress_bar(logged(steps, config, level_losses, every, team, logs), state.step, config):
                if is_saved(now.step, config, every):
                    keeper.save()
        except Diverged as error:
            level_losses.clear()  # they go on from other weights
            keeper.save(stopped=True)
            raise Problem("run_diverged", reason=str(error), lr=config.lr / 3) from error
        except BrokenPipeError:  # nobody reads the progress bar any more, as after Ctrl-C beside ``tee``
            interrupts.silence()
            received.append(interrupts.UNREAD)
        if keeper.saved != state.step:
            keeper.save(stopped=True)
    if state.step >= config.steps:
        return print_at_end(f"The run is at its end, step {state.step:,}. With --resume and more --steps it goes on.")
    print_at_end(f"\nStopped and saved at step {state.step:,} of {config.steps:,}. Go on with --resume.")
    sys.exit(interrupts.exit_status(received[0] if received else signal.SIGTERM))


def print_at_end(text: str) -> None:
    """Print what a run says last; nobody may be there any more to read it."""
    try:
        print(text, flush=True)
    except OSError:
        interrupts.silence()


def is_saved(step: int, config: Any, every: int) -> bool:
    """Whether a run saves a checkpoint at a step: every so many, and at its end."""
    return step % every == 0 or step == config.steps


def until_stopped(steps: Iterator[TrainState], received: Sequence[int], team: Team) -> Iterator[TrainState]:
    """The steps up to the one in which any process of the team has ``received`` a signal.

    Between two steps the state is whole, and all processes end together.
    """
    for state in steps:
        yield state
        stop = bool(received)
        if team.world > 1:
            share = torch.tensor(float(stop), device=team.device)
            team.average_([share])
            stop = share.item() > 0
        if stop:
            return


def logged(
    steps: Iterator[TrainState], config: Any, losses: Losses, every: int, team: Team, logs: list[Log]
) -> Iterator[TrainState]:
    """The steps; every so many of them are written to the logs. A checkpoint finds the losses of all processes of the
    team in ``losses``."""
    since, images = time.perf_counter(), 0
    for state in steps:
        images += config.batch
        log_now = state.step % LOGGED_EVERY == 0 or state.step == config.steps
        if log_now:
            entry = image_model.log_entry(state, config, losses, images / (time.perf_counter() - since), team)
            for log in logs:
                log(entry)
        elif is_saved(state.step, config, every):
            losses.pool(team)
        yield state
        if log_now:
            since, images = time.perf_counter(), 0
    losses.pool(team)


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
    """Append to metrics.jsonl. Lines after ``step`` are dropped, because a killed run will write them again; those that
    cannot be read are, too, and counted.

    The other lines are copied to a new file, so that nothing is lost half-way, and a reader sees that it is another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_bytes().splitlines() if path.exists() else []
    steps = [step_of(line) for line in lines]
    lost = [number for number, (line, at) in enumerate(zip(lines, steps), 1) if line.strip() and at is None]
    if lost:
        print(Problem("log_lines", file=path.name, **count_names(lost)))
    write_whole(path, b"".join(line + b"\n" for line, at in zip(lines, steps) if at is not None and at <= step))

    def log(entry: dict[str, Any]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    return log


def tensorboard_log(folder: Path, step: int) -> Log:
    """Write for TensorBoard, which hides what it was told of later steps than ``step``. Raises Problem if that is not
    installed, and for a folder whose name it cannot write."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise Problem("no_tensorboard") from None
    try:
        writer = SummaryWriter(folder, purge_step=step + 1 if step else None)
    except UnicodeEncodeError:
        raise Problem("tensorboard_folder", folder=str(folder)) from None

    def log(entry: dict[str, Any]) -> None:
        for name in ("loss", "lr", "images_per_second"):
            writer.add_scalar(name, entry[name], entry["step"])
        for low, loss in entry["loss_by_sigma"].items():
            writer.add_scalar(f"loss at sigma from/{low}", loss, entry["step"])
        writer.flush()

    return log
