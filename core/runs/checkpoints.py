"""Checkpoints: a folder of safetensors and one config.json, or the same folder as one zip file to send around.

Never a pickle, because loading a file from a stranger must not run code. A folder is written under another name and
renamed, so that a reader finds a whole checkpoint or none. A checkpoint to sample from may contain the moving average
alone, which is a quarter of the size, and that in half precision, which is an eighth. What is loaded is in single
precision.
"""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from core import limits
from core.data.tables import parse_json
from core.diffusion.denoiser import Denoiser
from core.diffusion.palette import PaletteDenoiser
from core.diffusion.training import TrainConfig, TrainState, as_dict, new_state
from core.networks import make_network
from core.problems import Problem
from core.runs.files import sync

FORMAT = 1
PARTS = ("model", "ema", "optimizer")
CONFIG = "config.json"
FILES = (CONFIG, *(f"{part}.safetensors" for part in PARTS))
CUSTOM = "custom"  # the name of a network that is no part of core


@dataclass(frozen=True)
class Checkpoint:
    """A training state, and its ``config``: network, prediction, data and training settings as plain JSON."""

    state: TrainState
    config: dict[str, Any]

    @property
    def denoiser(self) -> Denoiser:
        """The model to sample with: the moving average."""
        return self.state.ema


def build(config: dict[str, Any], network: nn.Module | None = None) -> nn.Module:
    """An untrained model: "network" holds the arguments of ``make_network``, the other entries those of ``Denoiser``.

    Without a "prediction" it is the network alone (CLIP). network: one's own network, for a config that names one.
    Raises Problem where that is needed and missing.
    """
    if config["network"]["name"] == CUSTOM:
        if network is None:
            raise NetworkNeeded("network_needed", name=config["network"].get("class", "a class of your own"))
    else:
        network = make_network(**config["network"])
    if "prediction" not in config:
        return network
    scale_input = config.get("scale_input", True)
    if not isinstance(scale_input, bool):
        raise Problem("setting_type", name="scale_input", expected="true or false", value=repr(scale_input))
    settings = config["prediction"], config["sigma_data"], scale_input
    if "palette" in config:
        return PaletteDenoiser(network, _palette(config), *settings)
    return Denoiser(network, *settings)


def _palette(config: dict[str, Any]) -> Tensor:
    """The palette of a config in [-1, 1], [K, channels]. Raises Problem unless it fits the network."""
    sizes, colours = config["network"], config["palette"]
    rows = isinstance(colours, list) and len(colours) == sizes["colours"]
    if not rows or not all(
        isinstance(colour, list) and len(colour) == sizes["channels"]
        and all(type(value) is int and 0 <= value <= 255 for value in colour)
        for colour in colours
    ):  # fmt: skip
        raise Problem("config_palette", colours=str(sizes["colours"]), channels=str(sizes["channels"]))
    return torch.tensor(colours, device="cpu") / 127.5 - 1


class NoCheckpoint(Problem, FileNotFoundError):
    """There is no folder of a checkpoint."""


class NetworkNeeded(Problem):
    """The checkpoint is of a network that is no part of core, and no network was given."""


def new_checkpoint(config: dict[str, Any], train: TrainConfig, network: nn.Module | None = None) -> Checkpoint:
    """An untrained checkpoint: ``build(config, network)`` with a new optimizer."""
    if network is not None:
        config = {**config, "network": {"name": CUSTOM, "class": class_name(network)}}
    return Checkpoint(new_state(build(config, network), train), {**config, "train": as_dict(train)})


def class_name(network: nn.Module) -> str:
    """The name of a network's class, with its module."""
    return f"{type(network).__module__}.{type(network).__qualname__}"


def to_files(checkpoint: Checkpoint, parts: Sequence[str] = PARTS, half: bool = False) -> dict[str, bytes]:
    """File name to content: config.json and a safetensors file for each of ``parts``, all or "ema" alone.

    half: store the moving average in half precision (float16).
    """
    state = checkpoint.state
    config = {**checkpoint.config, "format": FORMAT, "step": state.step, "loss": state.loss}
    tensors = {
        "model": lambda: state.model.state_dict(),
        "ema": lambda: _halved(state.ema.state_dict()) if half else state.ema.state_dict(),
        "optimizer": lambda: _optimizer_tensors(state.optimizer),
    }
    files = {f"{part}.safetensors": save(_separate(tensors[part]())) for part in parts}
    return {**files, CONFIG: (json.dumps(config, indent=1) + "\n").encode()}


def _halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, those in single precision in half precision."""
    return {name: tensor.half() if tensor.dtype == torch.float32 else tensor for name, tensor in tensors.items()}


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous, and none of them sharing memory, as safetensors needs them."""
    known: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        tensor = tensor.cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        separate[name] = (
            tensor.clone() if place in known or tensor.untyped_storage().nbytes() > tensor.nbytes else tensor
        )
        known.add(place)
    return separate


def from_files(files: dict[str, bytes], network: nn.Module | None = None) -> Checkpoint:
    """The checkpoint in those files.

    One with the moving average alone has it as its model, too, and an optimizer without memory. network: see ``build``.
    Raises Problem if a file is missing, damaged or does not fit.
    """
    ema_only = not {"model.safetensors", "optimizer.safetensors"} & files.keys()
    parts = dict.fromkeys(PARTS[:2], "ema") if ema_only else dict(zip(PARTS, PARTS))
    needed = (CONFIG, *dict.fromkeys(f"{part}.safetensors" for part in parts.values()))
    if missing := [name for name in needed if name not in files]:
        raise Problem("checkpoint_incomplete", missing=", ".join(missing))
    config, train, step, loss = _read_config(files[CONFIG])
    try:
        with torch.device("meta"):
            expected = build(config, network).state_dict()
    except NetworkNeeded:
        raise
    except UNREADABLE as error:
        raise Problem("checkpoint_config", file=CONFIG, reason=_reason(error)) from error
    tensors = {part: _read_tensors(file, files[f"{file}.safetensors"]) for part, file in parts.items()}
    # Memory is allocated only for a network that the files contain, not for any that a config describes.
    for part in PARTS[:2]:
        tensors[part] = _restored(tensors[part], expected) if ema_only else tensors[part]
        _check("weights", expected, tensors[part])
    state = new_state(build(config, network), train)
    state.step, state.loss = step, loss
    state.model.load_state_dict(tensors["model"])
    state.ema.load_state_dict(tensors["ema"])
    if not ema_only:
        _fill_optimizer(state.optimizer, tensors["optimizer"])
    return Checkpoint(state, config)


UNREADABLE = ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError


def _reason(error: Exception) -> Problem:
    """What a sentence says of an error in a config, which a page translates."""
    if isinstance(error, Problem):
        return error
    missing = isinstance(error, KeyError) and error.args
    return Problem("config_missing", name=str(error.args[0])) if missing else Problem("config_value")


def _read_config(content: bytes) -> tuple[dict[str, Any], TrainConfig, int, float]:
    """A checkpoint's config without what belongs to its state; training settings, step and loss."""
    if len(content) > limits.CONFIG_MB * 1e6:
        raise Problem("checkpoint_config_size", file=CONFIG, most=limits.CONFIG_MB)
    try:
        config = parse_json(content, CONFIG)
        train = TrainConfig(**{**config["train"], "betas": tuple(config["train"]["betas"])})
        step, loss = int(config["step"]), float(config["loss"])
        if not 0 <= step <= limits.STEPS:
            raise Problem("config_step", step=str(config["step"]), most=limits.STEPS)
        if not (isinstance(config["network"]["name"], str) and isinstance(config.get("data", {}), dict)):
            raise Problem("config_value")
    except UNREADABLE as error:
        raise Problem("checkpoint_config", file=CONFIG, reason=_reason(error)) from error
    return {name: value for name, value in config.items() if name not in ("format", "step", "loss")}, train, step, loss


def save_folder(checkpoint: Checkpoint, folder: Path, parts: Sequence[str] = PARTS, half: bool = False) -> None:
    """Write the checkpoint's ``parts`` to ``folder``, replacing what is there only once the new one is complete. half:
    see ``to_files``.

    After a power failure at any moment the folder holds the old checkpoint or the new one, whole.
    """
    folder = Path(folder)
    aside, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name, content in to_files(checkpoint, parts, half).items():
        (aside / name).write_bytes(content)
        sync(aside / name)
    sync(aside)
    # Without a folder, a crash has left the old one as the only checkpoint: it stays until the new one is in place.
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    aside.rename(folder)
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a crash while saving has left beside the checkpoint in ``folder``, if that is whole."""
    if folder.exists():
        for ending in (".new", ".old"):
            shutil.rmtree(folder.with_name(folder.name + ending), ignore_errors=True)


def load_folder(folder: Path, network: nn.Module | None = None) -> Checkpoint:
    """The checkpoint in ``folder``; the previous one if a crash fell between its two renames. network: see ``build``.

    Raises NoCheckpoint, a FileNotFoundError, without a folder, and Problem for one that is damaged.
    """
    folder = Path(folder)
    if not os.path.exists(folder) and os.path.exists(old := folder.with_name(folder.name + ".old")):
        folder = old
    if not os.path.isdir(folder):  # unlike Path's methods it answers for any text
        raise NoCheckpoint("no_checkpoint", folder=str(folder))
    return from_files({name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}, network)


def load_run(path: Path, network: nn.Module | None = None) -> Checkpoint:
    """The checkpoint in a folder, in the folder of a run that has it as ``checkpoint``, or in a zip file of either.

    A file of a checkpoint stands for its folder. Raises Problem as `load_folder` and `from_bytes` do.
    """
    path = Path(path)
    if path.name in FILES and os.path.isfile(path):
        path = path.parent
    if os.path.isfile(path):
        return from_bytes(path.read_bytes(), network, trusted=True)
    if os.path.exists(path / CONFIG):
        return load_folder(path, network)
    try:
        return load_folder(path / "checkpoint", network)
    except NoCheckpoint:
        raise NoCheckpoint("no_checkpoint", folder=str(path)) from None


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """The checkpoint folder as one zip file, to download."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in to_files(checkpoint).items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def from_bytes(content: bytes, network: nn.Module | None = None, trusted: bool = False) -> Checkpoint:
    """The checkpoint in a zip of its folder or of the folder of a run; nothing in it is executed.

    network: see ``build``. trusted: a file of one's own, which may have any size. Raises Problem if there is none.
    """
    if content[:2] == b"\x80\x02" or content[:1] == b"\x80" and b"." in content[-2:]:
        raise Problem("checkpoint_pickle")
    if content.count(b"PK\1\2") > limits.MEMBERS:  # each begins the entry of a file in the list of the zip
        raise Problem("checkpoint_members", most=limits.MEMBERS)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {name: archive.read(entry) for name, entry in _accepted(archive, trusted).items()}
    except Problem:
        raise
    except Exception as error:  # zipfile and zlib raise a type of their own for each kind of damage
        raise Problem("checkpoint_no_zip") from error
    return from_files(files, network)


def _accepted(archive: zipfile.ZipFile, trusted: bool) -> dict[str, zipfile.ZipInfo]:
    """The files of the checkpoint in an archive, before any is unpacked. Raises Problem where there is a pickle, or too
    much to unpack."""
    if any(name.endswith(".pkl") for name in archive.namelist()):
        raise Problem("checkpoint_pickle")
    entries = _entries(archive)
    if not trusted and sum(entry.file_size for entry in entries.values()) > limits.UPLOAD_MB * 1e6:
        raise Problem("checkpoint_zip_size", most=limits.UPLOAD_MB)
    return entries


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of the checkpoint in an archive, which people also make of the folder around it, with files beside."""
    places = {PurePosixPath(entry.filename.replace("\\", "/")): entry for entry in archive.infolist()}
    configs = [place for place in places if place.name == CONFIG and place.parts[0] != "__MACOSX"]
    folder = min(configs, key=lambda place: len(place.parts), default=PurePosixPath(CONFIG)).parent
    return {name: places[folder / name] for name in FILES if folder / name in places}


def _read_tensors(part: str, content: bytes) -> dict[str, Tensor]:
    if int.from_bytes(content[:8], "little") > limits.HEADER_MB * 1e6:  # the length of what describes the tensors
        raise Problem("checkpoint_header_size", part=part, most=limits.HEADER_MB)
    try:
        return load(content)
    except Exception as error:  # safetensors raises a type of its own for each kind of damage
        raise Problem("checkpoint_part_damaged", part=part) from error


def _restored(tensors: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, those that were stored in half precision in the precision that is expected of them."""
    return {
        name: tensor.to(expected[name].dtype) if name in expected and tensor.dtype == torch.float16 else tensor
        for name, tensor in tensors.items()
    }


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, entry in state.items() for name, value in entry.items()}


def _fill_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Load AdamW's memory: three tensors for each parameter, none for a parameter that never had a gradient."""
    present = {key.partition(".")[0] for key in tensors}
    parameters = enumerate(p for group in optimizer.param_groups for p in group["params"])
    like = {i: {"step": torch.zeros(()), "exp_avg": p, "exp_avg_sq": p} for i, p in parameters if str(i) in present}
    _check("moments", {f"{i}.{name}": value for i, entry in like.items() for name, value in entry.items()}, tensors)
    state = {i: {name: tensors[f"{i}.{name}"] for name in entry} for i, entry in like.items()}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _check(what: str, expected: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    """Raise Problem unless ``tensors`` have the names, shapes and dtypes of the expected ones and are finite."""
    first, second = ({k: (v.shape, v.dtype) for k, v in some.items()} for some in (expected, tensors))
    if wrong := [k for k in first.keys() | second.keys() if first.get(k) != second.get(k)]:
        raise Problem(f"checkpoint_{what}_misfit", number=len(wrong), first=min(wrong))
    if not all(torch.isfinite(v).all() for v in tensors.values()):
        raise Problem(f"checkpoint_{what}_infinite")
