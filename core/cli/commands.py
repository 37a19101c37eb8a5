"""The command line: ``python -m core COMMAND``, each with ``--help`` for its flags.

``train | sample | evaluate | info`` for image models, ``train clip | prior | decoder``, ``sample unclip`` and
``evaluate unclip`` for captioned images, ``evaluate people`` for pixel people.
"""

import signal
import sys
from functools import partial

import torch
import tyro

from core.cli import captions, flags, images, interrupts, people, terminal
from core.runs import distributed

COMMANDS = {
    ("train", "clip"): captions.train_clip,
    ("train", "prior"): captions.train_prior,
    ("train", "decoder"): captions.train_decoder,
    ("sample", "unclip"): captions.sample,
    ("evaluate", "unclip"): captions.evaluate,
    ("evaluate", "people"): people.evaluate,
    ("train",): images.train,
    ("sample",): images.sample,
    ("evaluate",): images.evaluate,
    ("info",): images.info,
}
TRAINING = {training.function: training for training in (images.TRAINING, *captions.TRAINING)}


def main(arguments: list[str] | None = None) -> None:
    """Run a command. An error in what was asked for ends the program with a sentence."""
    terminal.print_any_text()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        _run(arguments)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}." if error.strerror else f"{error}")
    except (ValueError, ArithmeticError) as error:
        sys.exit(f"{error}")
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        sys.exit("There is not enough memory: take a smaller --batch, more parts with --accumulate, or a smaller --n.")
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(interrupts.exit_status(signal.SIGINT))
    finally:
        distributed.leave()


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
