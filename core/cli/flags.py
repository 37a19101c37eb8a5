"""What stands in for the flags of a training command that are not given: a file of flags, and the run to resume."""

import argparse
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from core.data.tables import decode_text, parse_json
from core.models.images import check_type
from core.problems import Problem
from core.runs.checkpoints import NoCheckpoint, load_folder

UNREMEMBERED = ("out", "config", "config_file", "resume")


@dataclass(frozen=True)
class Training:
    """A command that trains.

    Attributes:
        function: the command; its parameter ``config`` is an instance of the type of configuration.
        config: its default configuration.
        config_of: the configuration in a checkpoint's config.
        other_flags: the other flags in a checkpoint's config.
    """

    function: Callable[..., None]
    config: Any
    config_of: Callable[[dict[str, Any]], Any]
    other_flags: Callable[[dict[str, Any]], dict[str, Any]]


def stored_flags(command: Training, stored: dict[str, Any]) -> dict[str, Any]:
    """The flags that a checkpoint was trained with. Raises Problem if it does not say them."""
    try:
        return asdict(command.config_of(stored)) | command.other_flags(stored)
    except (LookupError, TypeError, AttributeError):
        raise Problem("checkpoint_no_flags") from None


def defaults(command: Training, arguments: list[str]) -> dict[str, Any]:
    """The arguments of a training command that take the place of its defaults.

    With ``--resume`` they are those that the run was trained with before; those in the file of ``--config`` win over
    these. Raises Problem for a file that cannot be read, and for flags that the command does not have.
    """
    given = _parse(arguments)
    flags = {}
    if given.resume and given.out:
        flags |= _flags_of_run(command, given.out)
    if given.config:
        flags |= _read(given.config)
    parameters = inspect.signature(command.function).parameters
    types = {field.name: field.type for field in fields(command.config)}
    known = {name: each.annotation for name, each in parameters.items() if name not in UNREMEMBERED} | types
    if unknown := sorted(flags.keys() - known):
        raise Problem("unknown_flags", flags=", ".join(unknown), known=", ".join(known))
    flags = {name: _checked(name, value, known[name]) for name, value in flags.items()}
    config = type(command.config)(**{**asdict(command.config), **{n: flags.pop(n) for n in types if n in flags}})
    return {"config": config, **flags}


def _flags_of_run(command: Training, out: Path) -> dict[str, Any]:
    """The flags that the run in a folder was trained with. Raises Problem if there is none, or one of another kind."""
    try:
        return stored_flags(command, load_folder(out / "checkpoint").config)
    except NoCheckpoint:
        raise Problem("run_nothing_to_resume", folder=str(out)) from None
    except Problem as problem:
        if problem.code in ("checkpoint_no_part", "checkpoint_no_image_config"):
            raise Problem("run_other_kind", folder=str(out)) from problem
        raise


def _parse(arguments: list[str]) -> argparse.Namespace:
    """The flags that decide where defaults come from."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--out", "--config"):
        parser.add_argument(flag, type=Path)
    parser.add_argument("--resume", action="store_true")
    return parser.parse_known_args(arguments)[0]


def _checked(name: str, value: Any, annotation: Any) -> Any:
    """A flag's value from JSON as the command takes it. Raises Problem for one of another type."""
    if isinstance(value, str) and Path in (get_args(annotation) or (annotation,)):
        return Path(value)
    check_type(name, value, annotation)
    return value


def _read(file: Path) -> dict[str, Any]:
    """The flags in a file. Prints a note on an encoding that is not plain UTF-8."""
    content = file.read_bytes()
    if note := decode_text(content, str(file)).note:
        print(note)
    flags = parse_json(content, str(file))
    if not isinstance(flags, dict):
        raise Problem("flags_no_object", file=str(file))
    return flags
