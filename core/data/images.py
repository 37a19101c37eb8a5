"""Images to train on, from every source the same `ImageSet`; and a few single pictures for the first chapter.

An image is stored as bytes and becomes numbers from -1 (black) to 1 (white) when it is drawn. Every problem with what a
learner brings is a ValueError of one sentence that names the problem and the remedy.
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

if TYPE_CHECKING:
    import datasets

ASSETS = Path(__file__).parent / "assets"  # their sources and licences: assets/NOTICE.md
PICTURES = ("snail", "octopus", "penguin", "rocket", "sunflower", "t-shirt", "dress", "sneaker", "bag", "boot")
GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
MAX_CLASSES = 10_000

_PARTS = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images, uint8 [N, C, H, W] with C = 1 (grey) or 3 (red, green, blue).

    ``labels`` [N] (int64) index ``classes``; None and empty where the set has no classes. ``note`` is a sentence for
    the learner when the set is not exactly what was given, else empty. ``flip``: whether the mirror image of an image
    could be one of the set, so that drawing may mirror it. Raises ValueError where images and labels do not fit.
    """

    name: str
    images: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    note: str = ""
    flip: bool = True

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or len(shape) != 4 or shape[1] not in (1, 3) or 0 in shape:
            raise ValueError(
                f"{self.name}: images of shape {shape} and type {str(self.images.dtype).removeprefix('torch.')} are "
                "not at least one image of bytes (uint8) with 1 or 3 channels."
            )
        if self.labels is None:
            return
        if self.labels.shape != shape[:1]:
            raise ValueError(f"{self.name} has {shape[0]:,} images but {self.labels.numel():,} labels; give each one.")
        if not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise ValueError(
                f"{self.name} has labels from {self.labels.min()} to {self.labels.max()}, but {len(self.classes)} "
                "classes, counted from 0."
            )

    @cached_property
    def rms(self) -> float:
        """Root mean square of all values in [-1, 1]: the ``sigma_data`` of a denoiser for this set."""
        count = self.images.flatten().bincount(minlength=256).double()
        return (count @ unit(torch.arange(256)).double().square() / count.sum()).sqrt().item()

    def sample(self, n: int, generator: torch.Generator, flip: bool | None = None) -> tuple[Tensor, Tensor | None]:
        """``n`` images drawn with replacement, float32 [n, C, H, W] in [-1, 1], and their labels [n] (or None).

        Draw k depends on the generator's seed and k only, not on ``n``. With ``flip`` (by default the set's own) every
        other one, at random, is mirrored left to right.
        """
        u = torch.rand(n, 2, generator=generator, dtype=torch.float64)
        chosen = (u[:, 0] * len(self.images)).long()
        x = unit(self.images[chosen])
        if self.flip if flip is None else flip:
            x = torch.where((u[:, 1] < 0.5)[:, None, None, None], x.flip(-1), x)
        return x, None if self.labels is None else self.labels[chosen]

    def resized(self, side: int) -> "ImageSet":
        """The same set with the middle square of every image resized to ``side`` (see `decode.fit`)."""
        return replace(self, images=image_files.fit(self.images, side))


def load(source: str, side: int | None = None, split: str = "train", damaged: str = "refuse") -> ImageSet:
    """The set that a word names: ``digits``, ``fashion``, ``emoji``, a path, ``fashion:FOLDER`` or ``hf:NAME``.

    A path is an ``.npz``, a folder of IDX files, one saved by Hugging Face's ``datasets``, or a folder of images.
    ``side``: resize to that side. ``split``: ``train``, ``test`` or ``all`` where the source has them. ``damaged``
    images of a folder or of a Hugging Face set: ``refuse`` or ``skip``. Raises ValueError as the sources do.
    """
    match source.partition(":"):
        case "digits", "", "":
            found = _undivided(digits(), split)
        case "emoji", "", "":
            found = _undivided(emoji(), split)
        case "fashion", _, folder:
            found = fashion(os.path.expanduser(folder) or None, split)
        case "hf", ":", name:
            return from_hugging_face(name, split, side, damaged)
        case _:
            return _from_path(os.path.expanduser(source), side, split, damaged)
    return found if side is None else found.resized(side)


def _from_path(name: str, side: int | None, split: str, damaged: str) -> ImageSet:
    if not os.path.exists(name):  # unlike Path.exists it answers for any text
        raise ValueError(
            f"There is no data set {name[:80]!r}: give digits, fashion, emoji, the path of a folder or of an .npz, "
            "fashion:FOLDER or hf:NAME."
        )
    path = Path(name)
    if (path / "state.json").exists() or (path / "dataset_dict.json").exists():
        return from_hugging_face(name, split, side, damaged)
    if path.is_dir() and not any(path.glob("*-images[-.]idx3-ubyte*")):
        return _undivided(from_folder(path, side, damaged), split)
    found = from_idx(path, split) if path.is_dir() else _undivided(from_npz(path), split)
    return found if side is None else found.resized(side)


def _undivided(found: ImageSet, split: str) -> ImageSet:
    if split not in ("train", "all"):
        raise ValueError(f"{found.name} has no part {split!r}; it is one whole.")
    return found


def digits() -> ImageSet:
    """1,797 handwritten digits, grey, 8x8 (Alpaydin & Kaynak 1998; bundled). The mirror of a digit is none."""
    return replace(from_npz(ASSETS / "digits.npz"), flip=False)


def fashion(folder: str | Path | None = None, split: str = "train") -> ImageSet:
    """Fashion-MNIST, grey, 28x28 (Xiao, Rasul & Vollgraf 2017): ``split`` train, test or all.

    Of a ``folder`` with the four IDX files all 60,000 + 10,000 images; without one the bundled first 9,000 + 2,000.
    Raises ValueError as `from_idx` does.
    """
    found = from_idx(ASSETS / "fashion" if folder is None else folder, split)
    note = "The first 9,000 + 2,000 of Fashion-MNIST's 60,000 + 10,000 images." if folder is None else ""
    # All its shoes point left: a nearest neighbour that knows 93 % of the boots knows none of their mirror images.
    return replace(found, name="fashion", classes=GARMENTS, note=note, flip=False)


def emoji() -> ImageSet:
    """3,516 emoji, colour, 32x32, on white (Twemoji; bundled); the class is the Unicode group. Flags are left out.

    Not mirrored: letters must not be, and most others are nearly symmetric.
    """
    from PIL import Image

    groups = [entry["group"] for entry in json.loads((ASSETS / "emoji.json").read_text())]
    with Image.open(ASSETS / "emoji32.png") as sheet:
        cells = torch.from_numpy(np.array(sheet.convert("RGB"))).unfold(0, 32, 32).unfold(1, 32, 32).flatten(0, 1)
    kept = [i for i, group in enumerate(groups) if group != "Flags"]
    return ImageSet("emoji", cells[kept], *_classified([groups[i] for i in kept]), flip=False)


def from_idx(folder: str | Path, split: str = "train") -> ImageSet:
    """Grey images of IDX files as MNIST and its kin come in, gzipped or not: ``train-images-idx3-ubyte`` and so on.

    ``split``: train, test (the files named ``t10k``) or all. Raises ValueError for a missing, damaged or unfitting file
    and for another split.
    """
    if split not in _PARTS:
        raise ValueError(f"IDX files come as {', '.join(_PARTS)}, not {split!r}.")
    parts = [_idx_part(Path(folder), part) for part in _PARTS[split]]
    if len({images.shape[1:] for images, _ in parts}) > 1:
        raise ValueError(f"The training and test images in {str(folder)!r} differ in size; load one split of them.")
    images, labels = map(torch.cat, zip(*parts))
    return ImageSet(Path(folder).resolve().name, images[:, None], labels, _numbered(labels))


def _idx_part(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Images [N, H, W] and labels [N] of one part."""
    images, labels = _idx(folder, f"{part}-images", 3), _idx(folder, f"{part}-labels", 1).long()
    if len(images) != len(labels):
        raise ValueError(f"{part} has {len(images):,} images but {len(labels):,} labels; fetch the IDX files again.")
    return images, labels


def _idx(folder: Path, stem: str, dimensions: int) -> Tensor:
    files = sorted(folder.glob(f"{stem}[-.]idx{dimensions}-ubyte*"))
    if not files:
        raise ValueError(f"{str(folder)!r} has no {stem}-idx{dimensions}-ubyte, gzipped or not; put it there.")
    array = image_files.idx(files[0])
    if array.ndim != dimensions or not array.numel():
        raise ValueError(f"{files[0].name} has the shape {list(array.shape)}; it does not hold {stem.split('-')[1]}.")
    return array


def from_npz(path: str | Path) -> ImageSet:
    """The arrays of an ``.npz``: ``images`` uint8, [N, H, W], [N, H, W, C] or [N, C, H, W], and if there are any the
    ``labels`` [N], whole numbers from 0, and the names of the ``classes`` [K].

    Raises ValueError for other arrays and for anything pickled.
    """
    path = Path(path)
    arrays = image_files.npz(path, ("images", "labels", "classes"))
    images, labels, classes = map(arrays.get, ("images", "labels", "classes"))
    if images is None or images.dtype != np.uint8 or images.ndim not in (3, 4):
        given = "no array" if images is None else f"shape {list(images.shape)} and type {images.dtype} as"
        raise ValueError(f"{path.name} has {given} 'images'; save uint8 [N, H, W], [N, H, W, C] or [N, C, H, W].")
    if labels is not None and (labels.dtype.kind not in "iu" or not labels.size):
        raise ValueError(f"{path.name} has 'labels' of type {labels.dtype}; save whole numbers from 0, one an image.")
    if classes is not None and (classes.dtype.kind != "U" or classes.ndim != 1):
        raise ValueError(f"{path.name} has 'classes' that are not a list of names; save them as one array of strings.")
    pixels = torch.from_numpy(images)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.shape[-1] in (1, 3):
        pixels = pixels.movedim(-1, 1).contiguous()
    if labels is None:
        return ImageSet(path.stem, pixels, None, ())
    label = torch.from_numpy(labels.astype(np.int64))
    return ImageSet(path.stem, pixels, label, _numbered(label) if classes is None else tuple(classes.tolist()))


def from_folder(path: str | Path, side: int | None = None, damaged: str = "refuse") -> ImageSet:
    """The images of a folder, in the order of their names; if they lie in subfolders, each of these is a class.

    Only PNG, JPEG, WebP, GIF and BMP files count, and no hidden ones. With ``side`` the middle square of each is
    resized to it; else all must have one size. ``damaged`` ones: ``refuse`` the folder, or ``skip`` them, which
    ``note`` then says. Raises ValueError for that, for a folder without images and for images beside subfolders.
    """
    top = Path(path)
    suffixes = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}
    places = sorted(file.relative_to(top) for file in top.rglob("*") if file.suffix.lower() in suffixes)
    places = [place for place in places if not any(part.startswith(".") for part in place.parts)]
    if not places:
        raise ValueError(f"{str(top)!r} holds no image; give a folder of PNG, JPEG, WebP, GIF or BMP files.")
    loose = [place for place in places if len(place.parts) == 1]
    if 0 < len(loose) < len(places):
        raise ValueError(f"{loose[0]} lies beside subfolders, each of which is a class; move it into one of them.")
    images, kept, note = _decoded(((str(place), top / place) for place in places), side, damaged)
    labels, classes = _classified([places[i].parts[0] for i in kept]) if not loose else (None, ())
    return ImageSet(top.resolve().name, images, labels, classes, note)


def from_hugging_face(
    name_or_path: str, split: str = "train", side: int | None = None, damaged: str = "refuse"
) -> ImageSet:
    """A data set of the Hugging Face hub, or one saved on disk: its first column of images and first of class labels.

    Needs the package ``datasets``. ``side`` and ``damaged`` as in `from_folder`. Raises ValueError without that
    package, for a set that cannot be had and for one without images.
    """
    try:
        import datasets
    except ImportError:
        raise ValueError("A Hugging Face data set needs the package `datasets`; install it with pip.") from None
    table = _table(name_or_path, split)
    columns, label_columns = (
        [name for name, feature in table.features.items() if isinstance(feature, kind)]
        for kind in (datasets.Image, datasets.ClassLabel)
    )
    if not columns:
        raise ValueError(f"{name_or_path!r} has no column of images, only {', '.join(table.column_names)}.")
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
        raise ValueError(f"The data set {name_or_path!r} cannot be loaded: {reason}") from None
    if split not in splits:
        raise ValueError(f"{name_or_path!r} has no split {split!r}; it has {', '.join(splits)}.")
    return splits[split]


def _stored(cell: dict | None) -> Path | BinaryIO:
    # An absent image is as good as an empty file: both are reported as what cannot be read.
    if cell and cell["bytes"] is None and cell["path"]:
        return Path(cell["path"])
    return BytesIO(cell["bytes"] or b"" if cell else b"")


def _decoded(
    files: Iterable[tuple[str, Path | BinaryIO]], side: int | None, damaged: str
) -> tuple[Tensor, list[int], str]:
    """Images [N, C, H, W] of named files, which files they are, and a note on those that could not be read."""
    if damaged not in ("refuse", "skip"):
        raise ValueError(f"Damaged images are met with 'refuse' or 'skip', not {damaged!r}.")
    images, kept, lost, first = [], [], [], ""
    for i, (name, file) in enumerate(files):
        try:
            image = image_files.image(file, side)
        except image_files.Unreadable as problem:
            lost.append(f"{name} {problem}")
            continue
        first = first or name
        if images and image.shape[1:] != images[0].shape[1:]:
            raise ValueError(
                f"{name} has {_size(image)} pixels, but {first} has {_size(images[0])}; choose a side to resize all to."
            )
        images.append(image)
        kept.append(i)
    note = ""
    if lost:
        more = f"; and {len(lost) - 3:,} more" if len(lost) > 3 else ""
        note = f"{len(lost):,} of {len(lost) + len(kept):,} images cannot be read: {'; '.join(lost[:3])}{more}."
    if lost and (damaged == "refuse" or not kept):
        raise ValueError(f"{note} Mend or remove them{', or skip what is damaged' if kept else ''}.")
    channels = max((len(image) for image in images), default=1)
    return torch.stack([image.expand(channels, -1, -1) for image in images]), kept, note


def _size(image: Tensor) -> str:
    return f"{image.shape[2]}x{image.shape[1]}"


def _classified(names: list[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Labels [N] and classes of N names of classes, in alphabetical order."""
    classes, labels = np.unique(names, return_inverse=True)
    return torch.from_numpy(labels), tuple(classes.tolist())


def _numbered(labels: Tensor) -> tuple[str, ...]:
    """Names for classes that have none: their numbers."""
    if labels.max() >= MAX_CLASSES:
        raise ValueError(f"A label is {labels.max():,}; number the classes from 0, at most {MAX_CLASSES:,} of them.")
    return tuple(map(str, range(int(labels.max()) + 1)))


def unit(pixels: Tensor) -> Tensor:
    """Bytes as numbers from -1 to 1, float32."""
    return pixels.float() / 127.5 - 1


@cache
def picture(name: str) -> Tensor:
    """A bundled picture in [-1, 1], float32: [32, 32, 3] an emoji, [28, 28] a grey garment of Fashion-MNIST.

    Raises ValueError for a name that is not one of `PICTURES`.
    """
    if name not in PICTURES:
        raise ValueError(f"There is no picture named {name!r}; choose one of {', '.join(PICTURES)}.")
    from PIL import Image  # here, because most pages never show a picture

    with Image.open(ASSETS / f"{name}.png") as image:
        return unit(torch.from_numpy(np.array(image)))


def pixels(x: Tensor) -> Tensor:
    """What a screen shows of x, same shape, uint8: -1 and below is black (0), 1 and above is white (255)."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
