"""A training run in a terminal, by one process or many: how it is asked to end, what it shows and writes down."""

import gc
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed
from tqdm import tqdm

from core.diffusion.training import Diverged, TrainState
from core.models import images as image_model
from core.models.images import ImageConfig
from core.runs.checkpoints import Checkpoint, save_folder
from core.runs.distributed import Losses, Team

NOTED_EVERY = 20  # steps
Log = Callable[[dict[str, Any]], None]


def team_here(bf16: bool = False) -> Team:
    """The processes that torchrun started, or this one alone."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    on_card = accelerator.device.type == "cuda"
    able = torch.cuda.is_bf16_supported(including_emulation=False) if on_card else torch.cpu._is_avx512_bf16_supported()
    return Team(
        accelerator.process_index, accelerator.num_processes, accelerator.device, accelerator.prepare,
        lambda value: accelerator.reduce(value, "mean"), _gather if accelerator.num_processes > 1 else lambda own: own,
        bf16 and able,
    )  # fmt: skip


def _gather(own: Tensor) -> Tensor:
    """The rows [B, ...] of all processes, one after the other. Gradients go back through those of this process only,
    times the number of processes: shared gradients are means, and the loss is that of all rows."""
    world, rows = distributed.get_world_size(), [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    fixed = own.detach()
    distributed.all_gather(rows, fixed)
    rows[distributed.get_rank()] = fixed + world * (own - fixed)
    return torch.cat(rows)


def disband() -> None:
    """Part from the other processes, if there are any; one that ends without is at times aborted, for a thread of the
    group may still hold what Python has to free."""
    if distributed.is_initialized():
        gc.collect()
        distributed.destroy_process_group()


def folder_of(out: Path, resume: bool) -> Path:
    """Where the checkpoint of a run in folder ``out`` is kept. Raises ValueError where a new run would meet another."""
    folder = out / "checkpoint"
    if not resume and (folder.exists() or folder.with_suffix(".old").exists()):
        raise ValueError(f"There is a run in {out} already: go on with --resume, or choose another folder.")
    return folder


def carry_out(
    steps: Iterator[TrainState], checkpoint: Checkpoint, plan: Any, seen: Losses, team: Team, out: Path,
    every: int, sheet: Callable[[Checkpoint, Path], None] | None = None, tensorboard: bool = False,
) -> None:  # fmt: skip
    """Train a checkpoint to the end of its steps, or until asked to end: shown, noted in ``out`` and, every so many
    steps, kept there with a ``sheet`` of samples. plan: has steps, batch, lr and ``train``.

    Raises ValueError with what to do where the loss is no number any more; the weights before that are kept.
    """
    state, steps = checkpoint.state, until_asked(steps, team)
    if team.rank:
        for _ in noted(steps, plan, seen, team, lambda line: None):
            pass
        return
    logs = [to_board(out / "tensorboard")] if tensorboard else []
    logs += [to_file(out / "metrics.jsonl", state.step)]
    try:
        for now in shown(noted(steps, plan, seen, team, lambda line: [log(line) for log in logs]), state.step, plan):
            if now.step % every == 0 or now.step == plan.steps:
                save_folder(checkpoint, out / "checkpoint")
                if sheet:
                    sheet(checkpoint, out / f"samples-{now.step:06}.png")
    except Diverged as error:
        save_folder(checkpoint, out / "checkpoint")
        raise ValueError(f"{error} Here: --resume --lr {plan.lr / 3:.2g}") from error
    if state.step < plan.steps:
        save_folder(checkpoint, out / "checkpoint")
        print(f"\nStopped and saved at step {state.step:,} of {plan.steps:,}. Go on with --resume.")
    else:
        print(f"The run is at its end, step {state.step:,}. With --resume and more --steps it goes on.")


def until_asked(steps: Iterator[TrainState], team: Team) -> Iterator[TrainState]:
    """The steps, to the end of the one in which Ctrl-C or SIGTERM asks any process of the team to end.

    Only there the state is whole, and all processes end together.
    """
    asked = []
    before = {each: signal.signal(each, lambda *_: asked.append(True)) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        for state in steps:
            yield state
            if team.average(torch.tensor(float(len(asked)), device=team.device)) > 0:
                return
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def noted(steps: Iterator[TrainState], plan: ImageConfig, seen: Losses, team: Team, log: Log) -> Iterator[TrainState]:
    """The steps; every so many of them are logged as a line of metrics."""
    since, images = time.perf_counter(), 0
    for state in steps:
        images += plan.batch
        due = state.step % NOTED_EVERY == 0 or state.step == plan.steps
        if due:
            log(image_model.log_entry(state, plan, seen, images / (time.perf_counter() - since), team))
        yield state
        if due:
            since, images = time.perf_counter(), 0


def shown(steps: Iterator[TrainState], done: int, plan: ImageConfig) -> Iterator[TrainState]:
    """The steps behind a progress bar: time left, images a second, loss. Seldom redrawn where it goes into a file."""
    often = 0.1 if sys.stderr.isatty() else 10
    total = plan.steps * plan.batch
    with tqdm(total=total, initial=done * plan.batch, unit="img", unit_scale=True, mininterval=often) as bar:
        for state in steps:
            bar.set_postfix_str(f"step {state.step}, loss {state.loss:.4f}", refresh=False)
            bar.update(plan.batch)
            yield state


def to_file(path: Path, step: int) -> Log:
    """Append to metrics.jsonl. What is noted there after ``step`` is dropped: a killed run will note it again.

    What is kept goes into a new file: nothing is lost half-way, and who follows the log sees that it is another.
    """

    def before(line: str) -> bool:
        try:
            return json.loads(line)["step"] <= step
        except (ValueError, LookupError, TypeError):  # cut short
            return False

    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [line for line in path.read_text().splitlines() if before(line)] if path.exists() else []
    aside = path.with_name(f"{path.name}.new")
    aside.write_text("".join(f"{line}\n" for line in kept))
    aside.replace(path)

    def log(line: dict[str, Any]) -> None:
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    return log


def to_board(folder: Path) -> Log:
    """Write for TensorBoard. Raises ValueError where that is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError("--tensorboard needs the package tensorboard; install it with pip.") from None
    writer = SummaryWriter(folder)

    def log(line: dict[str, Any]) -> None:
        for name in ("loss", "lr", "images_per_second"):
            writer.add_scalar(name, line[name], line["step"])
        for low, loss in line["loss_by_sigma"].items():
            writer.add_scalar(f"loss at sigma from/{low}", loss, line["step"])
        writer.flush()

    return log
