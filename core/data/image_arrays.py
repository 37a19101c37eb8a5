"""Arrays of images as people have them: an ``.npz`` or ``.npy`` of any type of number, and IDX files.

Pixels become bytes, channels come first, and the classes are those that occur: of labels from 1 to 3 there are three.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core import limits
from core.data import image_files
from core.data.image_folders import PARTS, part_of, walk
from core.data.tables import label_text
from core.problems import Problem, count_names, join_notes, left_out_note

IMAGE_NAMES = ("images", "image", "imgs", "x", "data", "samples", "pixels", "arr_0")
LABEL_NAMES = ("labels", "label", "y", "targets", "target", "arr_1")
CLASS_NAMES = ("classes", "class_names", "label_names", "categories")


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images uint8 [N, C, H, W] or clips [N, T, C, H, W], labels [N] (int64, or None) that index ``classes``, and a
    note on what was converted or left out."""

    images: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    note: Problem | None = None


# Labels


def number_classes(values: Sequence[np.ndarray], file: str) -> tuple[list[Tensor], tuple[str, ...]]:
    """Labels [N] (int64) of several parts of a set, and the names of their classes: all that occur in any part.

    Numbers are in order of value, names in alphabetical order. Raises Problem for numbers below 0, an empty name and
    more than 10,000 classes.
    """
    known, numbers = np.unique(np.concatenate(values), return_inverse=True)
    if known[0] == "" if known.dtype.kind == "U" else known[0] < 0:
        raise Problem("class_negative", file=file, label=repr(known[0].item()))
    if len(known) > limits.IMAGE_CLASSES:
        raise Problem("class_numbers", file=file, found=len(known), most=limits.IMAGE_CLASSES)
    ends = np.cumsum([len(part) for part in values])[:-1]
    return [torch.from_numpy(part) for part in np.split(numbers, ends)], tuple(map(str, known.tolist()))


def labels_of(array: np.ndarray, file: str) -> np.ndarray:
    """Labels [N], whole numbers or texts, of an array [N], [N, 1] or, one-hot, [N, classes] of any type.

    Raises Problem for an array of others.
    """
    kind, shape = array.dtype.kind, array.shape
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and kind in "biuf" and ((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all():
        array = array.argmax(1)
    whole = kind in "US" or (kind in "biuf" and np.isfinite(array).all() and (array == np.trunc(array)).all())
    if array.ndim != 1 or not array.size or not whole:
        raise Problem("npz_labels", file=file, shape=str(list(shape)), dtype=str(array.dtype))
    return _texts(array, file) if kind in "US" else array.astype(np.int64)


def _texts(array: np.ndarray, file: str) -> np.ndarray:
    """Names of classes as texts that are equal if they look alike. Raises Problem for bytes that are not UTF-8."""
    known, numbers = np.unique(array, return_inverse=True)
    return np.array([label_text(_text(name, file)) for name in known.tolist()])[numbers]


def _text(name: str | bytes, file: str) -> str:
    try:
        return name if isinstance(name, str) else name.decode()
    except UnicodeDecodeError:
        raise Problem("npz_encoding", file=file, name=str(name)[1:]) from None


# Pixels


def pixels_of(array: np.ndarray, file: str) -> tuple[Tensor, Problem | None]:
    """Images as bytes [N, C, H, W] or [N, T, C, H, W], and a note if they were other numbers.

    Raises Problem for an array of another shape and for values that are no pixels.
    """
    shape, dtype = str(list(array.shape)), str(array.dtype)
    if array.dtype.kind not in "biuf" or not 3 <= array.ndim <= 5:
        raise Problem("npz_images", file=file, shape=shape, dtype=dtype)
    if axes := _unusual_axes(array.shape):
        raise Problem("npz_axes", file=file, shape=shape, axes=axes)
    if not array.size:
        raise Problem("npz_empty", file=file, shape=shape)
    limits = image_files.range_of(array)
    if limits is None:
        raise Problem("npz_range", file=file, low=array.min().item(), high=array.max().item())
    same = array.dtype == np.uint8 and limits == (0, 255)
    note = None if same else Problem("npz_converted", file=file, dtype=dtype, low=limits[0], high=limits[1])
    return _channels_first(torch.from_numpy(image_files.in_bytes(array, limits))), note


def _unusual_axes(shape: tuple[int, ...]) -> str:
    """The order of the axes of one picture, or of pictures along the last axis (MATLAB); "" for the usual orders."""
    if min(shape[:2]) > 4:
        if len(shape) == 3 and shape[2] in (1, 3, 4):
            return "[H, W, C]"
        if len(shape) == 4 and shape[2] in (3, 4) and shape[3] > 4:
            return "[H, W, C, N]"
    return ""


def _channels_first(pixels: Tensor) -> Tensor:
    first, last = pixels.shape[-3], pixels.shape[-1]
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim == 4 and (last in (1, 3) or (last in (2, 4) and first > 4)):
        return pixels.movedim(-1, 1).contiguous()
    if pixels.ndim == 5 and last in (1, 3) and first > 4:
        return pixels.movedim(-1, 2).contiguous()
    return pixels


# An .npz


def from_npz(path: Path, split: str = "train") -> Arrays:
    """The images of an ``.npz`` or ``.npy``, by the usual names of arrays: ``images`` and ``labels``, ``x_train`` and
    ``y_train``, ``train_images`` and ``train_labels``, ``arr_0`` and ``arr_1``; and ``classes``, names [K].

    ``split``: train, test, validation or all of arrays that are named for a part. Raises Problem for a file without
    images, for arrays that are no images, labels or names, and for another split.
    """
    found = image_files.npz_names(path)
    parts = _parts_of(found)
    chosen = _parts_in_split(path, parts, split, found)
    pictures = [parts[part]["images"] for part in chosen]
    labelled = _label_names(parts, chosen)
    names = [name for name in found if labelled and name.lower() in CLASS_NAMES][:1]
    arrays = image_files.npz(path, (*pictures, *labelled.values(), *names))
    images, note = _all_pixels([arrays[name] for name in pictures], path.name)
    unused = sorted({*found} - {*pictures, *names, *map(labelled.get, chosen)})
    note = join_notes(note, Problem("npz_unused", file=path.name, arrays=", ".join(unused)) if unused else None)
    if not labelled:
        return Arrays(images, None, (), note)
    labels = {part: labels_of(arrays[name], path.name) for part, name in labelled.items()}
    _check_counts(path, [arrays[name] for name in pictures], [labels[part] for part in chosen])
    numbers, classes = _class_numbers(labels, arrays[names[0]] if names else None, path.name)
    return Arrays(images, torch.cat([numbers[part] for part in chosen]), classes, note)


def _label_names(parts: dict[str, dict[str, str]], chosen: list[str]) -> dict[str, str]:
    """The array of labels of each part; empty if a chosen part has none."""
    found = {part: roles["labels"] for part, roles in parts.items() if "labels" in roles}
    return found if set(chosen) <= found.keys() else {}


def _all_pixels(arrays: list[np.ndarray], file: str) -> tuple[Tensor, Problem | None]:
    images, notes = zip(*(pixels_of(array, file) for array in arrays))
    if len({part.shape[1:] for part in images}) > 1:
        raise Problem("npz_sizes", file=file)
    return torch.cat(images), join_notes(*notes)


def _check_counts(path: Path, images: list[np.ndarray], labels: list[np.ndarray]) -> None:
    for some, numbers in zip(images, labels):
        if len(some) != len(numbers):
            raise Problem("image_set_labels", name=path.stem, images=len(some), labels=len(numbers))


def _parts_of(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The names of the arrays of each part of a set ("" for a set without parts), by "images" and "labels"."""
    parts: dict[str, dict[str, str]] = {}
    for role, known in (("images", IMAGE_NAMES), ("labels", LABEL_NAMES)):
        for name in sorted(names, key=lambda name: _place(name, known)):
            if _place(name, known) < len(known):
                parts.setdefault(part_of(name), {}).setdefault(role, name)
    return {part: roles for part, roles in parts.items() if "images" in roles}


def _place(name: str, known: Sequence[str]) -> int:
    """Where among the known names one stands, without the word for a part of a set; their number if nowhere."""
    words = [word for word in re.split(r"[\W_]+", name.lower()) if word not in PARTS]
    plain = "_".join(words)
    return known.index(plain) if plain in known else len(known)


def _parts_in_split(path: Path, parts: dict[str, dict[str, str]], split: str, names: Sequence[str]) -> list[str]:
    """The parts of a split."""
    if not parts:
        if any(Path(name).suffix.lower() in image_files.ENDINGS for name in names):
            raise Problem("npz_zip", file=path.name)
        raise Problem("npz_no_images", file=path.name, arrays=", ".join(names[:10]) or "-")
    if "train" not in parts and "" in parts:
        if split not in ("train", "all"):
            raise Problem("no_splits", name=path.stem, split=split)
        return [""]
    known = [part for part in parts if part]
    if split == "all":
        return known
    wanted = "validation" if split == "test" and "test" not in known else split
    if wanted not in known:
        raise Problem("unknown_split", name=path.name, split=split, known=", ".join(known))
    return [wanted]


def _class_numbers(
    labels: dict[str, np.ndarray], names: np.ndarray | None, file: str
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The labels of each part as numbers, and the names of the classes. Names are those of the numbers from 0."""
    if names is not None and (names.dtype.kind not in "US" or names.ndim != 1):
        raise Problem("npz_classes", file=file)
    if names is None or any(part.dtype.kind == "U" for part in labels.values()):
        numbers, classes = number_classes(list(labels.values()), file)
        return dict(zip(labels, numbers)), classes
    return {part: torch.from_numpy(values) for part, values in labels.items()}, tuple(_texts(names, file).tolist())


# IDX files

_IDX = re.compile(
    r"(?P<set>.*?)[-_.]?(?P<part>train|t10k|test)[-_.](?P<role>images|labels)[-_.]idx[13][-_.]ubyte(\.gz)?",
    re.IGNORECASE,
)
_IDX_PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}


def is_idx(path: Path) -> bool:
    """Whether a file has the name of an IDX file of a set."""
    return _IDX.fullmatch(path.name) is not None


def idx_sets(folder: Path) -> dict[str, dict[tuple[str, str], Path]]:
    """The sets of IDX files in a folder itself, by what stands before "train": ``emnist-letters``, mostly "". Of each
    set the file of each part (train, test) and role (images, labels)."""
    return _sets(folder, folder.glob("*ubyte*"))


def idx_sets_below(folder: Path) -> dict[str, dict[tuple[str, str], Path]]:
    """The sets of IDX files in the subfolders of a folder. Raises Problem for two of the same name."""
    return _sets(folder, (folder / place for place, _ in walk(folder)))


def _sets(folder: Path, files: Iterable[Path]) -> dict[str, dict[tuple[str, str], Path]]:
    sets: dict[str, dict[tuple[str, str], Path]] = {}
    for file in sorted(file for file in files if _IDX.fullmatch(file.name) and file.is_file()):  # without .gz first
        match = _IDX.fullmatch(file.name)
        part = match["part"].lower().replace("t10k", "test")
        place = sets.setdefault(match["set"].rstrip("-_."), {})
        first = place.setdefault((part, match["role"].lower()), file)
        if first.parent != file.parent:
            raise Problem("idx_several", folder=str(folder), known=f"{first.parent}, {file.parent}")
    return sets


def from_idx(
    folder: Path, split: str = "train", name: str | None = None, classes: Sequence[str] | None = None
) -> Arrays:
    """Grey images of IDX files, the format of MNIST, gzipped or not: ``train-images-idx3-ubyte`` and so on.

    ``split``: train, test (files named ``t10k`` or ``test``) or all. ``name``: which of several sets, such as
    ``emnist-letters``. ``classes``: the names of labels from 0; by default the numbers that occur. Images of EMNIST,
    which are stored on their side, are turned. Raises Problem for a missing, damaged or unsuitable file, for another
    split, and for several sets without a name.
    """
    if split not in _IDX_PARTS:
        raise Problem("unknown_split", name=str(folder), split=split, known=", ".join(_IDX_PARTS))
    name, files = _idx_set(folder, name)
    parts = [_idx_part(folder, files, part) for part in _IDX_PARTS[split]]
    if len({images.shape[1:] for images, _ in parts}) > 1:
        raise Problem("idx_sizes", folder=str(folder))
    images, labels = (torch.cat(some)[:, None] for some in zip(*parts))
    labels = labels[:, 0]
    note = _other_files(folder, {path for (part, _), path in files.items() if part in _IDX_PARTS[split]})
    if name.lower().startswith("emnist"):
        images, note = images.mT.contiguous(), join_notes(Problem("idx_turned", name=name), note)
    if classes is None:
        everywhere = [_idx_array(folder, files, part, role).long() for part, role in files if role == "labels"]
        (labels, *_), classes = number_classes([part.numpy() for part in (labels, *everywhere)], folder.name)
    return Arrays(images, labels, tuple(classes), note)


def _other_files(folder: Path, used: set[Path]) -> Problem | None:
    """A note on the files of a folder beside those used."""
    unused = [place for place, kind in walk(folder) if kind != "folder" and folder / place not in used]
    return left_out_note(Problem("idx_unused", **count_names(unused)))


def _idx_set(folder: Path, name: str | None) -> tuple[str, dict[tuple[str, str], Path]]:
    """The name and the files of the set of that name; of the only set if there is no name."""
    sets = idx_sets(folder) or idx_sets_below(folder)
    if name is None and len(sets) > 1:
        known = sorted(str(next(iter(files.values())).parent / each) for each, files in sets.items())
        raise Problem("idx_several", folder=str(folder), known=", ".join(known))
    found = next(iter(sets), "") if name is None else name
    return found, sets.get(found, {})


def _idx_part(folder: Path, files: dict[tuple[str, str], Path], part: str) -> tuple[Tensor, Tensor]:
    """Images [N, H, W] and labels [N] of one part."""
    images, labels = _idx_array(folder, files, part, "images"), _idx_array(folder, files, part, "labels").long()
    if len(images) != len(labels):
        raise Problem("idx_counts", part=part, images=len(images), labels=len(labels))
    return images, labels


def _idx_array(folder: Path, files: dict[tuple[str, str], Path], part: str, role: str) -> Tensor:
    dimensions = {"images": 3, "labels": 1}[role]
    if (part, role) not in files:
        stem = {"train": "train", "test": "t10k"}[part]
        raise Problem("idx_missing", folder=str(folder), file=f"{stem}-{role}-idx{dimensions}-ubyte")
    file = files[part, role]
    array = image_files.idx(file)
    if array.ndim != dimensions or not array.numel():
        raise Problem("idx_shape", file=file.name, shape=str(list(array.shape)), dimensions=dimensions)
    return array
