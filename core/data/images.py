"""Images to train on: an `ImageSet` from every source, and a few single images for the first chapter.

An image is stored as bytes and becomes numbers from -1 (black) to 1 (white) when it is sampled.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from torch import Tensor

from core.data import image_files
from core.problems import Problem

if TYPE_CHECKING:
    import datasets

ASSETS = Path(__file__).parent / "assets"  # their sources and licences: assets/NOTICE.md
PICTURES = (
    "person", "person-in-hat", "snail", "octopus", "penguin", "rocket", "sunflower", "t-shirt", "dress", "sneaker",
    "bag", "boot",
)  # fmt: skip
GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
MAX_CLASSES = 10_000

_PARTS = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images, uint8 [N, C, H, W], grey (C = 1), in colour (3) or with any other channels; or N arrays of images,
    such as clips [N, T, C, H, W].

    ``labels`` [N] (int64) index ``classes``; None and empty where the set has no classes. ``note`` says where the set
    is not exactly what was given (a Problem to show, not to raise), else None. ``flip``: whether the mirror image of
    an image could be one of the set, so that ``sample`` may mirror it. Raises Problem where images and labels do not
    fit.
    """

    name: str
    images: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    note: Problem | None = None
    flip: bool = True

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or len(shape) < 4 or 0 in shape:
            dtype = str(self.images.dtype).removeprefix("torch.")
            raise Problem("image_set_shape", name=self.name, shape=str(list(shape)), dtype=dtype)
        if self.labels is None:
            return
        if self.labels.shape != shape[:1]:
            raise Problem("image_set_labels", name=self.name, images=shape[0], labels=self.labels.numel())
        low, high = self.labels.min().item(), self.labels.max().item()
        if not 0 <= low <= high < len(self.classes):
            raise Problem("image_set_label_range", name=self.name, low=low, high=high, classes=len(self.classes))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape [C, H, W] of one image."""
        return tuple(self.images.shape[1:])

    @cached_property
    def rms(self) -> float:
        """Root mean square of all values in [-1, 1]: the ``sigma_data`` of a denoiser for this set."""
        count = self.images.flatten().bincount(minlength=256).double()
        return (count @ unit(torch.arange(256)).double().square() / count.sum()).sqrt().item()

    def sample(self, n: int, generator: torch.Generator, flip: bool | None = None) -> tuple[Tensor, Tensor | None]:
        """``n`` images drawn with replacement, float32 [n, C, H, W] in [-1, 1], and their labels [n] (or None).

        Draw k depends on the generator's seed and k only, not on ``n``. With ``flip`` (by default the set's own) half
        of them, at random, are mirrored left to right.
        """
        u = torch.rand(n, 2, generator=generator, dtype=torch.float64)
        chosen = (u[:, 0] * len(self.images)).long()
        x = unit(self.images[chosen])
        if self.flip if flip is None else flip:
            x = torch.where((u[:, 1] < 0.5).view(-1, *[1] * (x.ndim - 1)), x.flip(-1), x)
        return x, None if self.labels is None else self.labels[chosen]

    def resized(self, side: int) -> "ImageSet":
        """The same set with the middle square of every image resized to ``side`` (see `image_files.fit`)."""
        return replace(self, images=image_files.fit(self.images, side))


def load(source: str, side: int | None = None, split: str = "train", damaged: str = "refuse") -> ImageSet:
    """The set of a name: ``digits``, ``fashion``, ``emoji``, a path, ``fashion:FOLDER`` or ``hf:NAME``.

    A path is an ``.npz``, a folder of IDX files, one saved by Hugging Face's ``datasets``, or a folder of images.
    ``side``: resize to that side. ``split``: ``train``, ``test`` or ``all`` where the source has them. ``damaged``
    images of a folder or of a Hugging Face set: ``refuse`` or ``skip``. Raises Problem as the sources do.
    """
    match source.partition(":"):
        case "digits", "", "":
            found = _without_split(digits(), split)
        case "emoji", "", "":
            found = _without_split(emoji(), split)
        case "fashion", _, folder:
            found = fashion(os.path.expanduser(folder) or None, split)
        case "hf", ":", name:
            return from_hugging_face(name, split, side, damaged)
        case _:
            return _from_path(os.path.expanduser(source), side, split, damaged)
    return found if side is None else found.resized(side)


def _from_path(name: str, side: int | None, split: str, damaged: str) -> ImageSet:
    if not os.path.exists(name):  # unlike Path.exists it answers for any text
        raise Problem("unknown_images", name=name[:80])
    path = Path(name)
    if (path / "state.json").exists() or (path / "dataset_dict.json").exists():
        return from_hugging_face(name, split, side, damaged)
    if path.is_dir() and not any(path.glob("*-images[-.]idx3-ubyte*")):
        return _without_split(from_folder(path, side, damaged), split)
    found = from_idx(path, split) if path.is_dir() else _without_split(from_npz(path), split)
    return found if side is None else found.resized(side)


def _without_split(found: ImageSet, split: str) -> ImageSet:
    if split not in ("train", "all"):
        raise Problem("no_splits", name=found.name, split=split)
    return found


def digits() -> ImageSet:
    """1,797 handwritten digits, grey, 8x8 (Alpaydin & Kaynak 1998; bundled). A mirrored digit is not a digit."""
    return replace(from_npz(ASSETS / "digits.npz"), flip=False)


def fashion(folder: str | Path | None = None, split: str = "train") -> ImageSet:
    """Fashion-MNIST, grey, 28x28 (Xiao, Rasul & Vollgraf 2017): ``split`` train, test or all.

    From a ``folder`` with the four IDX files all 60,000 + 10,000 images; without one the bundled first 9,000 + 2,000.
    Raises Problem as `from_idx` does.
    """
    found = from_idx(ASSETS / "fashion" if folder is None else folder, split)
    note = Problem("fashion_part") if folder is None else None
    # All its shoes point left: a nearest-neighbour classifier with 93 % on boots has 0 % on their mirror images.
    return replace(found, name="fashion", classes=GARMENTS, note=note, flip=False)


def emoji() -> ImageSet:
    """3,516 emoji, colour, 32x32, on white (Twemoji; bundled); the class is the Unicode group. Flags are left out.

    Not mirrored: letters must not be, and most others are nearly symmetric.
    """
    groups = [entry["group"] for entry in json.loads((ASSETS / "emoji.json").read_text())]
    sheet = image_files.image(ASSETS / "emoji32.png").movedim(0, -1)
    cells = sheet.unfold(0, 32, 32).unfold(1, 32, 32).flatten(0, 1)
    kept = [i for i, group in enumerate(groups) if group != "Flags"]
    return ImageSet("emoji", cells[kept], *_classified([groups[i] for i in kept]), flip=False)


def from_idx(folder: str | Path, split: str = "train") -> ImageSet:
    """Grey images of IDX files, the format of MNIST, gzipped or not: ``train-images-idx3-ubyte`` and so on.

    ``split``: train, test (the files named ``t10k``) or all. Raises Problem for a missing, damaged or unsuitable file
    and for another split.
    """
    if split not in _PARTS:
        raise Problem("unknown_split", name=str(folder), split=split, known=", ".join(_PARTS))
    parts = [_idx_part(Path(folder), part) for part in _PARTS[split]]
    if len({images.shape[1:] for images, _ in parts}) > 1:
        raise Problem("idx_sizes", folder=str(folder))
    images, labels = map(torch.cat, zip(*parts))
    return ImageSet(Path(folder).resolve().name, images[:, None], labels, _numbered(labels))


def _idx_part(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Images [N, H, W] and labels [N] of one part."""
    images, labels = _idx(folder, f"{part}-images", 3), _idx(folder, f"{part}-labels", 1).long()
    if len(images) != len(labels):
        raise Problem("idx_counts", part=part, images=len(images), labels=len(labels))
    return images, labels


def _idx(folder: Path, stem: str, dimensions: int) -> Tensor:
    files = sorted(folder.glob(f"{stem}[-.]idx{dimensions}-ubyte*"))
    if not files:
        raise Problem("idx_missing", folder=str(folder), file=f"{stem}-idx{dimensions}-ubyte")
    array = image_files.idx(files[0])
    if array.ndim != dimensions or not array.numel():
        raise Problem("idx_shape", file=files[0].name, shape=str(list(array.shape)), dimensions=dimensions)
    return array


def from_npz(path: str | Path) -> ImageSet:
    """The arrays of an ``.npz``: ``images`` uint8 and, optionally, ``labels`` [N], whole numbers from 0, and the names
    of the ``classes`` [K].

    Images are [N, H, W], [N, H, W, C] with 1 or 3 channels, [N, C, H, W] with any number, or clips [N, T, C, H, W].
    Raises Problem for other arrays and for anything pickled.
    """
    path = Path(path)
    arrays = image_files.npz(path, ("images", "labels", "classes"))
    images, labels, classes = map(arrays.get, ("images", "labels", "classes"))
    _check_arrays(path.name, images, labels, classes)
    pixels = torch.from_numpy(images)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.ndim == 4 and pixels.shape[-1] in (1, 3):
        pixels = pixels.movedim(-1, 1).contiguous()
    if labels is None:
        return ImageSet(path.stem, pixels, None, ())
    label = torch.from_numpy(labels.astype(np.int64))
    return ImageSet(path.stem, pixels, label, _numbered(label) if classes is None else tuple(classes.tolist()))


def _check_arrays(file: str, images: np.ndarray | None, labels: np.ndarray | None, classes: np.ndarray | None) -> None:
    """Raise Problem for arrays of an ``.npz`` that are no images, labels or names of classes."""
    if images is None:
        raise Problem("npz_no_images", file=file)
    if images.dtype != np.uint8 or images.ndim < 3:
        raise Problem("npz_images", file=file, shape=str(list(images.shape)), dtype=str(images.dtype))
    if labels is not None and (labels.dtype.kind not in "iu" or not labels.size):
        raise Problem("npz_labels", file=file, dtype=str(labels.dtype))
    if classes is not None and (classes.dtype.kind != "U" or classes.ndim != 1):
        raise Problem("npz_classes", file=file)


def from_folder(path: str | Path, side: int | None = None, damaged: str = "refuse") -> ImageSet:
    """The images of a folder, in the order of their names; if they lie in subfolders, each of these is a class.

    Only PNG, JPEG, WebP, GIF and BMP files count, and no hidden ones. With ``side`` the middle square of each is
    resized to it; else all must have one size. ``damaged`` ones: ``refuse`` the folder, or ``skip`` them, which
    ``note`` then says. Raises Problem for that, for a folder without images and for images beside subfolders.
    """
    top = Path(path)
    suffixes = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}
    places = sorted(file.relative_to(top) for file in top.rglob("*") if file.suffix.lower() in suffixes)
    places = [place for place in places if not any(part.startswith(".") for part in place.parts)]
    if not places:
        raise Problem("folder_without_images", folder=str(top))
    loose = [place for place in places if len(place.parts) == 1]
    if 0 < len(loose) < len(places):
        raise Problem("folder_mixed", file=str(loose[0]))
    images, kept, note = _decoded(((str(place), top / place) for place in places), side, damaged)
    labels, classes = _classified([places[i].parts[0] for i in kept]) if not loose else (None, ())
    return ImageSet(top.resolve().name, images, labels, classes, note)


def from_hugging_face(
    name_or_path: str, split: str = "train", side: int | None = None, damaged: str = "refuse"
) -> ImageSet:
    """A data set of the Hugging Face hub, or one saved on disk: its first column of images and first of class labels.

    Needs the package ``datasets``. ``side`` and ``damaged`` as in `from_folder`. Raises Problem without that package,
    for a set that cannot be loaded and for one without images.
    """
    try:
        import datasets
    except ImportError:
        raise Problem("hf_package") from None
    table = _table(name_or_path, split)
    columns, label_columns = (
        [name for name, feature in table.features.items() if isinstance(feature, kind)]
        for kind in (datasets.Image, datasets.ClassLabel)
    )
    if not columns:
        raise Problem("hf_no_images", name=name_or_path, columns=", ".join(table.column_names))
    column = columns[0]
    rows = table.select_columns(column).cast_column(column, datasets.Image(decode=False))
    files = ((f"image {i}", _stored(row[column])) for i, row in enumerate(rows))
    images, kept, note = _decoded(files, side, damaged)
    labels, classes = None, ()
    if label_columns:
        label = label_columns[0]
        numbers = [-1 if number is None else number for number in table[label]]
        labels, classes = torch.tensor(numbers)[kept], tuple(table.features[label].names)
    return ImageSet(Path(name_or_path).name, images, labels, classes, note)


def _table(name_or_path: str, split: str) -> "datasets.Dataset":
    import datasets

    try:
        if not os.path.isdir(name_or_path):
            return datasets.load_dataset(name_or_path, split=split)
        found = datasets.load_from_disk(name_or_path)
        splits = found if isinstance(found, dict) else {"train": found}
    except Exception as problem:  # of no network, no such name, another format, a damaged file: any of many
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        raise Problem("hf_load", name=name_or_path, reason=reason) from None
    if split not in splits:
        raise Problem("unknown_split", name=name_or_path, split=split, known=", ".join(splits))
    return splits[split]


def _stored(cell: dict | None) -> Path | BinaryIO:
    # An absent image is reported like an empty file: it cannot be decoded.
    if cell and cell["bytes"] is None and cell["path"]:
        return Path(cell["path"])
    return BytesIO(cell["bytes"] or b"" if cell else b"")


def _decoded(
    files: Iterable[tuple[str, Path | BinaryIO]], side: int | None, damaged: str
) -> tuple[Tensor, list[int], Problem | None]:
    """Images [N, C, H, W] of named files, the indices of their files, and a note on those that could not be read."""
    if damaged not in ("refuse", "skip"):
        raise Problem("damaged_option", value=damaged)
    images, kept, lost, first = [], [], [], ""
    for i, (name, file) in enumerate(files):
        try:
            image = image_files.image(file, side)
        except image_files.UnreadableImage as problem:
            lost.append(f"{name} ({problem})")
            continue
        first = first or name
        if images and image.shape[1:] != images[0].shape[1:]:
            raise Problem("image_sizes", name=name, size=_size(image), first=first, first_size=_size(images[0]))
        images.append(image)
        kept.append(i)
    note = _unreadable(lost, len(lost) + len(kept)) if lost else None
    if note and (damaged == "refuse" or not kept):
        raise note
    channels = max((len(image) for image in images), default=1)
    return torch.stack([image.expand(channels, -1, -1) for image in images]), kept, note


def _unreadable(lost: list[str], total: int) -> Problem:
    """What says that some of so many images could not be read, with the first three of them."""
    examples = ", ".join([*lost[:3], "..."] if len(lost) > 3 else lost)
    return Problem("unreadable_images", lost=len(lost), total=total, examples=examples)


def _size(image: Tensor) -> str:
    return f"{image.shape[2]}x{image.shape[1]}"


def _classified(names: list[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Labels [N] and classes of N names of classes, in alphabetical order."""
    classes, labels = np.unique(names, return_inverse=True)
    return torch.from_numpy(labels), tuple(classes.tolist())


def _numbered(labels: Tensor) -> tuple[str, ...]:
    """Names for classes that have none: their numbers."""
    if labels.max() >= MAX_CLASSES:
        raise Problem("class_numbers", label=labels.max().item(), most=MAX_CLASSES)
    return tuple(map(str, range(int(labels.max()) + 1)))


def unit(pixels: Tensor) -> Tensor:
    """Bytes as numbers from -1 to 1, float32."""
    return pixels.float() / 127.5 - 1


@cache
def picture(name: str) -> Tensor:
    """A bundled image in [-1, 1], float32: [16, 16, 3] a person, [32, 32, 3] an emoji, [28, 28] a grey garment of
    Fashion-MNIST.

    Raises Problem for a name that is not one of `PICTURES`.
    """
    if name not in PICTURES:
        raise Problem("unknown_picture", name=name, known=", ".join(PICTURES))
    pixels = image_files.image(ASSETS / f"{name}.png")
    return unit(pixels[0] if len(pixels) == 1 else pixels.movedim(0, -1).contiguous())


def pixels(x: Tensor) -> Tensor:
    """x as bytes, same shape, uint8: -1 and below is black (0), 1 and above is white (255)."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
