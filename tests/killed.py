"""kill -9 at random moments: ``python -m tests.killed [--kind image prior] [--times 20]``.

Every kind of model is trained once undisturbed. Then, so many times, it is trained anew in another folder, killed at a
random moment, often killed once more while it goes on, and resumed to its end. All files have to be the same bit for
bit: checkpoint, sheets, logs and tables, apart from the pace in the log, which is measured. Half of the moments are
just before a random one of the operations on files, since most of the time of a run passes between these.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch

from core.__main__ import main as core
from core.cli import terminal
from core.models import people_judge
from core.models.people_judge import JudgeConfig

FORK = multiprocessing.get_context("fork")  # a copy of this process has imported PyTorch
LOG, PACE = "metrics.jsonl", "images_per_second"
Train = Callable[[Path, bool], None]  # the folder of the run, and whether to go on with it


def command(*words: str) -> Train:
    """``python -m core train ...`` with these words; it goes on with ``--resume`` alone."""
    names, flags = words[: words.index("--steps")], words[words.index("--steps") :]

    def train(out: Path, resume: bool) -> None:
        core(["train", *names, "--out", str(out), *(["--resume"] if resume else flags)])

    return train


def judge(out: Path, resume: bool) -> None:
    """The training of the network that judges people, which has no command of its own."""
    config = JudgeConfig(width=8, batch=16, steps=30)
    terminal.train_judge(people_judge.new_checkpoint, people_judge.run, out, config, resume, every=12)


# Checkpoints are not at the steps that are logged, so that each falls between two lines of the log.
SHORT = ("--steps", "30", "--every", "12", "--warmup", "5")
FEW = ("--data", "people", "--n", "40", "--batch", "8", *SHORT)
KINDS: dict[str, Train] = {
    "image": command(*SHORT, "--network", "fourier", "--batch", "16"),
    "people": command(*SHORT, "--data", "people", "--size", "tiny", "--batch", "8"),
    "clip": command("clip", *SHORT, "--data", "people", "--n", "60", "--batch", "16", "--width", "8", "--size", "8"),
    "prior": command("prior", *SHORT, *FEW, "--encoders", "people-clip"),
    "decoder": command("decoder", *SHORT, *FEW, "--encoders", "people-clip", "--size", "tiny"),
    "judge": judge,
}


# Moments


@dataclass(frozen=True)
class Moment:
    """When a process is killed: after so many seconds, or just before its operation of that number on the files of the
    run, counted from 1."""

    seconds: float | None = None
    operation: int | None = None

    def __str__(self) -> str:
        return f"file operation {self.operation}" if self.operation else f"{self.seconds:.2f} s"


def random_moments(chance: Random, seconds: float, operations: int) -> Iterator[Moment]:
    """Moments in a run that takes so many seconds and operations."""
    while True:
        if chance.random() < 0.5:
            yield Moment(operation=chance.randint(1, operations))
        else:
            yield Moment(seconds=chance.uniform(0, seconds))


def watch(folder: Path, last: int | None, counted: Any) -> None:
    """Count this process's operations on what is in a folder, and kill it before the last one that it may reach."""

    def hook(event: str, arguments: tuple) -> None:
        if event in OPERATIONS and any(str(each).startswith(str(folder)) for each in arguments[:2]):
            counted.value += 1
            if counted.value == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


# Runs


class Failed(Exception):
    """A run ended with an error; what it said."""


def attempt(train: Train, out: Path, moment: Moment = Moment()) -> tuple[bool, int]:
    """Train in a copy of this process, from the checkpoint if there is one, until the end or a moment. Whether it
    reached its end, and its number of operations on files."""
    counted, said = FORK.Value("i", 0), out.with_name(f"{out.name}.txt")
    resume = any((out / name).exists() for name in ("checkpoint", "checkpoint.old"))

    def child() -> None:
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1), os.dup2(output, 2)
        watch(out, moment.operation, counted)
        train(out, resume)

    process = FORK.Process(target=child)
    process.start()
    process.join(moment.seconds)
    if process.is_alive():
        process.kill()
        process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise Failed(said.read_text(errors="replace"))
    return process.exitcode == 0, counted.value


def killed_and_resumed(train: Train, out: Path, moments: Iterator[Moment]) -> list[Moment]:
    """Train to the end in spite of a kill at the first of these moments that comes before it, and at the next one of
    the run that goes on, if that comes before its end. The moments of the kills."""
    while attempt(train, out, moment := next(moments))[0]:
        shutil.rmtree(out)  # the run was faster than the undisturbed one
    kills = [moment]
    if not attempt(train, out, moment := next(moments))[0]:
        kills.append(moment)
        attempt(train, out)
    return kills


def differences(one: Path, other: Path) -> list[str]:
    """The files of two runs, relative to their folders, that are not the same in both."""
    files = [
        {path.relative_to(run): content(path) for path in run.rglob("*") if path.is_file()} for run in (one, other)
    ]
    return sorted(str(name) for name in {*files[0], *files[1]} if files[0].get(name) != files[1].get(name))


def content(file: Path) -> Any:
    """What is compared of a file: its bytes; of a log its lines without the pace."""
    if file.name != LOG:
        return file.read_bytes()
    return [{**json.loads(line), PACE: None} for line in file.read_text("utf-8").splitlines()]


def main(arguments: list[str] | None = None) -> int:
    """Kill and resume runs of each kind, print a row for each and every difference; the number of runs that differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.killed", description=__doc__.splitlines()[0])
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=[*KINDS], help="all of them if none is named")
    parser.add_argument("--times", type=int, default=20, help="runs of each kind")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    wrong = 0
    print("| kind | runs | kills | equal bit for bit |\n" + "| --- " * 4 + "|", flush=True)
    for kind in given.kind:
        with tempfile.TemporaryDirectory() as folder:
            kills, faults = kill(KINDS[kind], Path(folder), [Random(f"{kind} {k}") for k in range(given.times)])
        print(f"| {kind} | {given.times} | {kills} | {given.times - len(faults)} of {given.times} |", flush=True)
        print("".join(f"{kind}, run {fault}\n" for fault in faults), end="", file=sys.stderr)
        wrong += len(faults)
    return wrong


def kill(train: Train, folder: Path, chances: Sequence[Random]) -> tuple[int, list[str]]:
    """Kill and resume a run for each of the random numbers: how often one was killed, and what became of those that do
    not end as the undisturbed run does."""
    begun = time.perf_counter()
    _, operations = attempt(train, folder / "undisturbed")
    seconds, kills, faults = time.perf_counter() - begun, 0, []
    for k, chance in enumerate(chances):
        run = folder / str(k)
        try:
            moments = killed_and_resumed(train, run, random_moments(chance, seconds, operations))
        except Failed as error:
            faults.append(f"{k}: {error}")
            continue
        kills += len(moments)
        if wrong := differences(folder / "undisturbed", run):
            faults.append(f"{k}, killed at {' and '.join(map(str, moments))}: other {', '.join(wrong)}")
    return kills, faults


if __name__ == "__main__":
    sys.exit(main() > 0)
