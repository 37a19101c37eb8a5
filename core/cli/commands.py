"""The command line: ``python -m core COMMAND``, each with ``--help`` for its flags.

``train | sample | evaluate | info`` for image models, ``train clip | prior | decoder``, ``sample unclip`` and
``evaluate unclip`` for captioned images, ``evaluate people`` for pixel people, ``train autoencoder | latent``,
``sample latent`` and ``evaluate latent`` for latent diffusion, ``train text | video``, ``sample video`` and
``evaluate video`` for clips of people.
"""

import errno
import os
import signal
import sys
import tempfile
import traceback
from functools import partial

import torch
import tyro

from core.cli import captions, flags, images, interrupts, latent, people, terminal, video
from core.problems import Problem
from core.runs import distributed

COMMANDS = {
    ("train", "clip"): captions.train_clip,
    ("train", "prior"): captions.train_prior,
    ("train", "decoder"): captions.train_decoder,
    ("train", "autoencoder"): latent.train_autoencoder,
    ("train", "latent"): latent.train_latent,
    ("train", "text"): video.train_text,
    ("train", "video"): video.train_video,
    ("sample", "unclip"): captions.sample,
    ("sample", "latent"): latent.sample,
    ("sample", "video"): video.sample,
    ("evaluate", "unclip"): captions.evaluate,
    ("evaluate", "people"): people.evaluate,
    ("evaluate", "latent"): latent.evaluate,
    ("evaluate", "video"): video.evaluate,
    ("train",): images.train,
    ("sample",): images.sample,
    ("evaluate",): images.evaluate,
    ("info",): images.info,
}
TRAINED = (images.TRAINING, *captions.TRAINING, *latent.TRAINING, *video.TRAINING)
TRAINING = {training.function: training for training in TRAINED}


def main(arguments: list[str] | None = None) -> None:
    """Run a command. An error in what was asked for ends the program with a sentence."""
    terminal.print_any_text()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        _run(arguments)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(interrupts.exit_status(signal.SIGINT))
    except Exception as error:
        sys.exit(f"{_problem_of(error, arguments)}")
    finally:
        distributed.leave()


def _problem_of(error: Exception, arguments: list[str]) -> Problem:
    """What to say of an error that ended a command."""
    if isinstance(error, Problem):
        return error
    if _out_of_memory(error):
        return Problem("out_of_memory")
    return _of_file(error, arguments) if isinstance(error, OSError) else _unexpected(error)


def _of_file(error: OSError, arguments: list[str]) -> Problem:
    """What to say of a file that cannot be opened, read or written. The system does not name one that is written to a
    full disk: then it is what --out names."""
    out = next((after for flag, after in zip(arguments, arguments[1:]) if flag == "--out"), os.getcwd())
    file = str(error.filename or out)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Problem("disk_full", file=file)
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return Problem("file_denied", file=file)
        case errno.ENOENT:
            return Problem("file_missing", file=file)
    return Problem("file_unusable", file=file, reason=error.strerror or type(error).__name__)


def _unexpected(error: Exception) -> Problem:
    """What to say of any other error. Its traceback goes into a file."""
    handle, name = tempfile.mkstemp(".txt", "core-")
    with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return Problem("command_failed", kind=type(error).__name__, file=name)


def _out_of_memory(error: Exception) -> bool:
    """Whether memory is missing, which PyTorch reports of a processor as a plain RuntimeError."""
    missing = "can't allocate memory" in str(error) or "Storage size calculation overflowed" in str(error)
    return missing or isinstance(error, MemoryError | torch.OutOfMemoryError)


def _run(arguments: list[str]) -> None:
    name = next((name for name in COMMANDS if tuple(arguments[: len(name)]) == name), None)
    if name is None:  # prints the commands there are
        single = {words[0]: function for words, function in COMMANDS.items() if len(words) == 1}
        tyro.extras.subcommand_cli_from_dict(single, prog="python -m core", args=arguments)
        return
    function, rest = COMMANDS[name], arguments[len(name) :]
    if function in TRAINING:
        function = partial(function, **flags.defaults(TRAINING[function], rest))
    tyro.cli(function, prog=f"python -m core {' '.join(name)}", args=rest)
