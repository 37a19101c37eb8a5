"""Checkpoints: a folder of safetensors and one config.json, or the same folder as one zip file to send around.

Never a pickle: a file from a stranger must not run code. A folder is written aside and renamed, so that a reader sees a
whole checkpoint or none. One that is only to be sampled from may hold the moving average alone, a quarter of the size.
"""

import io
import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from core.diffusion.denoiser import Denoiser
from core.diffusion.training import TrainConfig, TrainState, as_dict, new_state
from core.networks import make_network

FORMAT = 1
PARTS = ("model", "ema", "optimizer")
CONFIG = "config.json"
SIZE_LIMIT, CONFIG_LIMIT = 200 * 2**20, 16 * 2**20


@dataclass(frozen=True)
class Checkpoint:
    """A state and how it came about: ``config`` holds network, prediction, data, training, all plain JSON."""

    state: TrainState
    config: dict[str, Any]

    @property
    def denoiser(self) -> Denoiser:
        """The model to sample with: the moving average."""
        return self.state.ema


def build(config: dict[str, Any]) -> nn.Module:
    """A fresh model: "network" holds the arguments of ``make_network``, the other entries those of ``Denoiser``.
    Without a "prediction" it is the network alone, which denoises nothing (CLIP)."""
    if "prediction" not in config:
        return make_network(**config["network"])
    scale_input = config.get("scale_input", True)
    if not isinstance(scale_input, bool):
        raise ValueError(f"scale_input is true or false, not {scale_input!r}")
    return Denoiser(make_network(**config["network"]), config["prediction"], config["sigma_data"], scale_input)


def fresh(config: dict[str, Any], train: TrainConfig) -> Checkpoint:
    """An untrained checkpoint: ``build(config)`` with a fresh optimizer."""
    return Checkpoint(new_state(build(config), train), {**config, "train": as_dict(train)})


def to_files(checkpoint: Checkpoint, parts: Sequence[str] = PARTS) -> dict[str, bytes]:
    """File name to content: config.json and a safetensors file for each of ``parts``, all or "ema" alone."""
    state = checkpoint.state
    config = {**checkpoint.config, "format": FORMAT, "step": state.step, "loss": state.loss}
    tensors = {
        "model": state.model.state_dict(),
        "ema": state.ema.state_dict(),
        "optimizer": _optimizer_tensors(state.optimizer),
    }
    files = {f"{part}.safetensors": save({k: v.contiguous() for k, v in tensors[part].items()}) for part in parts}
    return {**files, CONFIG: (json.dumps(config, indent=1) + "\n").encode()}


def from_files(files: dict[str, bytes]) -> Checkpoint:
    """The checkpoint in those files. Of one that holds the moving average alone, that is the model as well, and the
    optimizer has no memory. Raises ValueError with a sentence when a file is missing, damaged or does not fit."""
    alone = not {"model.safetensors", "optimizer.safetensors"} & files.keys()
    parts = dict.fromkeys(PARTS[:2], "ema") if alone else dict(zip(PARTS, PARTS))
    needed = (CONFIG, *dict.fromkeys(f"{part}.safetensors" for part in parts.values()))
    missing = [name for name in needed if name not in files]
    if missing:
        raise ValueError(f"This is no checkpoint of this app: it lacks {', '.join(missing)}.")
    if len(files[CONFIG]) > CONFIG_LIMIT:
        raise ValueError(f"The checkpoint's {CONFIG} is far larger than any that this app writes; it was not read.")
    try:
        config = json.loads(files[CONFIG])
        train = TrainConfig(**{**config["train"], "betas": tuple(config["train"]["betas"])})
        step, loss = int(config["step"]), float(config["loss"])
        if step < 0:
            raise ValueError(f"step {step}")
        with torch.device("meta"):
            due = build(config).state_dict()
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"The checkpoint's {CONFIG} describes no model that this app can build ({error}).") from error
    tensors = {part: _read(source, files[f"{source}.safetensors"]) for part, source in parts.items()}
    # Memory is taken only for a network that the files hold, not for any that a few words describe.
    for part in PARTS[:2]:
        _check("weights", due, tensors[part])
    state = new_state(build(config), train)
    state.step, state.loss = step, loss
    state.model.load_state_dict(tensors["model"])
    state.ema.load_state_dict(tensors["ema"])
    if not alone:
        _fill_optimizer(state.optimizer, tensors["optimizer"])
    return Checkpoint(state, {k: v for k, v in config.items() if k not in ("format", "step", "loss")})


def save_folder(checkpoint: Checkpoint, folder: Path, parts: Sequence[str] = PARTS) -> None:
    """Write the checkpoint's ``parts`` to ``folder``, replacing what is there only once the new one is complete."""
    folder = Path(folder)
    aside, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name, content in to_files(checkpoint, parts).items():
        (aside / name).write_bytes(content)
    # Without a folder, a crash has left the old one as the only checkpoint: it stays until the new one is in place.
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load_folder(folder: Path) -> Checkpoint:
    """The checkpoint in ``folder``; the previous one if a crash fell between its two renames.

    Raises FileNotFoundError without a folder, ValueError for one that is damaged.
    """
    folder = Path(folder)
    if not folder.exists() and (old := folder.with_name(folder.name + ".old")).exists():
        folder = old
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no checkpoint at {folder}.")
    return from_files({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """The checkpoint folder as one zip file, to download."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in to_files(checkpoint).items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def from_bytes(content: bytes) -> Checkpoint:
    """The checkpoint in an uploaded zip; nothing in it is executed. Raises ValueError with a sentence otherwise."""
    if content[:2] == b"\x80\x02" or content[:1] == b"\x80" and b"." in content[-2:]:
        raise ValueError(_PICKLE)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            pickled = any(entry.filename.endswith(".pkl") for entry in entries)
            outsized = sum(entry.file_size for entry in entries) > SIZE_LIMIT or len(entries) > 16
            files = {} if pickled or outsized else {entry.filename: archive.read(entry) for entry in entries}
    except Exception as error:  # zipfile and zlib raise a type of their own for each kind of damage
        raise ValueError(
            "This file is cut short, damaged or no checkpoint: it does not open as a zip file. "
            "Save it again from the app."
        ) from error
    if pickled:
        raise ValueError(_PICKLE)
    if outsized:
        raise ValueError("This file unpacks to far more than a checkpoint of this app; it was not opened.")
    return from_files(files)


_PICKLE = (
    "This is a PyTorch pickle. Opening one can run a stranger's code, so it was not opened; "
    "load a checkpoint that this app saved (a zip of safetensors files)."
)


def _read(part: str, content: bytes) -> dict[str, Tensor]:
    try:
        return load(content)
    except Exception as error:  # safetensors raises a type of its own for each kind of damage
        raise ValueError(f"The checkpoint's {part}.safetensors is cut short or damaged. Save it again.") from error


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, entry in state.items() for name, value in entry.items()}


def _fill_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """AdamW's memory: three tensors for each parameter, or none for one that never had a gradient."""
    present = {key.partition(".")[0] for key in tensors}
    parameters = enumerate(p for group in optimizer.param_groups for p in group["params"])
    own = {i: {"step": torch.zeros(()), "exp_avg": p, "exp_avg_sq": p} for i, p in parameters if str(i) in present}
    flat = {f"{i}.{name}": like for i, entry in own.items() for name, like in entry.items()}
    _check("optimizer moments", flat, tensors)
    state = {i: {name: tensors[f"{i}.{name}"] for name in entry} for i, entry in own.items()}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _check(what: str, own: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    """Raise ValueError unless ``tensors`` are like ``own`` in names, shapes and dtypes, and finite."""
    due, given = ({k: (v.shape, v.dtype) for k, v in some.items()} for some in (own, tensors))
    wrong = [k for k in due.keys() | given.keys() if due.get(k) != given.get(k)]
    if wrong:
        raise ValueError(
            f"The checkpoint's {what} belong to another network: {len(wrong)} of the tensors do not fit, "
            f"{min(wrong)} among them."
        )
    if not all(torch.isfinite(v).all() for v in tensors.values()):
        raise ValueError(f"The checkpoint's {what} hold numbers that are not finite; it came from a run that diverged.")
