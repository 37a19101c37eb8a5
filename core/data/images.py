"""Images to train on: an `ImageSet` from every source, and a few single images for the first chapter.

An image is stored as bytes and becomes numbers from -1 (black) to 1 (white) when it is sampled.
"""

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import torch
from torch import Tensor

from core.data import image_arrays, image_files, image_folders
from core.data.image_arrays import Arrays
from core.data.tables import LABEL_COLUMNS, column_of, label_text
from core.problems import Problem, count_names, examples, join_notes, left_out_note, printable

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
        object.__setattr__(self, "name", printable(self.name))  # both may come from names of files
        classes = tuple(printable(unicodedata.normalize("NFC", name)) for name in self.classes)
        object.__setattr__(self, "classes", classes)
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or len(shape) < 4 or 0 in shape:
            dtype = str(self.images.dtype).removeprefix("torch.")
            raise Problem("image_set_shape", name=self.name, shape=str(list(shape)), dtype=dtype)
        if self.labels is None:
            return
        name, times = Counter(classes).most_common(1)[0] if classes else ("", 1)
        if times > 1:
            raise Problem("class_twice", name=self.name, label=name)
        if self.labels.shape != shape[:1]:
            raise Problem("image_set_labels", name=self.name, images=shape[0], labels=self.labels.numel())
        low, high = self.labels.min().item(), self.labels.max().item()
        if not 0 <= low <= high < len(self.classes):
            raise Problem("image_set_label_range", name=self.name, low=low, high=high, classes=len(self.classes))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of images of each class."""
        return () if self.labels is None else tuple(self.labels.bincount(minlength=len(self.classes)).tolist())

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
        image_files.check_memory(self.name, len(self), (*self.shape[:-2], side, side))
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
    return _at_side(found, side)


def _from_path(name: str, side: int | None, split: str, damaged: str) -> ImageSet:
    path = Path(name)
    if not os.path.exists(name):  # unlike Path.exists it answers for any text
        return _at_side(_of_a_name(path, name, split), side)
    if not path.is_dir():
        return _at_side(_from_file(path, split), side)
    return _from_directory(path, side, split, damaged)


def _of_a_name(path: Path, name: str, split: str) -> ImageSet:
    """The set that IDX files in a folder share the name of: ``FOLDER/emnist-letters``."""
    if os.path.isdir(path.parent) and path.name and path.name in image_arrays.idx_sets(path.parent):
        return from_idx(path.parent, split, path.name)
    raise Problem("unknown_images", name=name[:80])


def _from_file(path: Path, split: str) -> ImageSet:
    if image_arrays.is_idx(path) or image_files.is_image(path):
        raise Problem("one_of_a_set", file=path.name, folder=str(path.resolve().parent))
    return from_npz(path, split)


def _from_directory(path: Path, side: int | None, split: str, damaged: str) -> ImageSet:
    if (path / "state.json").exists() or (path / "dataset_dict.json").exists():
        return from_hugging_face(str(path), split, side, damaged)
    if image_arrays.idx_sets(path):
        return _at_side(from_idx(path, split), side)
    try:
        return from_folder(path, side, damaged, split)
    except Problem as problem:
        if problem.code != "folder_without_images":
            raise
        if not image_arrays.idx_sets_below(path):
            raise _arrays_in(path) or problem from None
    return _at_side(from_idx(path, split), side)


def _arrays_in(folder: Path) -> Problem | None:
    """What to say of a folder that has arrays in place of images."""
    files = [str(folder / place) for place, _ in image_folders.walk(folder) if place.suffix in (".npz", ".npy")]
    return Problem("folder_arrays", folder=str(folder), known=examples(files)) if files else None


def _at_side(found: ImageSet, side: int | None) -> ImageSet:
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
    arrays = image_arrays.from_idx(ASSETS / "fashion" if folder is None else Path(folder), split, classes=GARMENTS)
    note = Problem("fashion_part") if folder is None else arrays.note
    # All its shoes point left: a nearest-neighbour classifier with 93 % on boots has 0 % on their mirror images.
    return replace(_of_arrays("fashion", arrays), note=note, flip=False)


def emoji() -> ImageSet:
    """3,516 emoji, colour, 32x32, on white (Twemoji; bundled); the class is the Unicode group. Flags are left out.

    Not mirrored: letters must not be, and most others are nearly symmetric.
    """
    groups = [entry["group"] for entry in json.loads((ASSETS / "emoji.json").read_text("utf-8"))]
    sheet = image_files.image(ASSETS / "emoji32.png").movedim(0, -1)
    cells = sheet.unfold(0, 32, 32).unfold(1, 32, 32).flatten(0, 1)
    kept = [i for i, group in enumerate(groups) if group != "Flags"]
    names = [groups[i] for i in kept]
    classes = tuple(sorted(set(names)))
    return ImageSet("emoji", cells[kept], _numbers(names, classes), classes, flip=False)


def from_idx(folder: str | Path, split: str = "train", name: str | None = None) -> ImageSet:
    """Grey images of IDX files, the format of MNIST and EMNIST; see `image_arrays.from_idx`."""
    return _of_arrays(name or Path(folder).resolve().name, image_arrays.from_idx(Path(folder), split, name))


def from_npz(path: str | Path, split: str = "train") -> ImageSet:
    """The arrays of an ``.npz`` or ``.npy``: images and, optionally, labels and the names of the classes.

    Images are [N, H, W], [N, H, W, C], [N, C, H, W] with any number of channels, or clips [N, T, C, H, W]. See
    `image_arrays.from_npz` for names, types and errors.
    """
    return _of_arrays(Path(path).stem, image_arrays.from_npz(Path(path), split))


def _of_arrays(name: str, arrays: Arrays) -> ImageSet:
    found = ImageSet(name, arrays.images, arrays.labels, arrays.classes, arrays.note)
    return replace(found, note=join_notes(found.note, _without_images(found)))


def _without_images(found: ImageSet) -> Problem | None:
    """A note on the classes that have no image."""
    names = [name for name, n in zip(found.classes, found.counts) if not n]
    return left_out_note(Problem("classes_without_images", **count_names(names)))


def from_folder(path: str | Path, side: int | None = None, damaged: str = "refuse", split: str = "train") -> ImageSet:
    """The images of a folder, in the order of their names, and their classes in alphabetical order: see
    `image_folders.listing`, also for ``split``.

    With ``side`` the middle square of each is resized to it; else all must have one size. ``damaged`` ones: ``refuse``
    the folder, or ``skip`` them. ``note`` says which files were left out. Raises Problem for that and as
    `image_folders.listing` does.
    """
    top = Path(path)
    found = image_folders.listing(top, split)
    files = [(place.as_posix(), top / place) for place in found.images]
    images, kept, note = _read_all(top.resolve().name, files, len(files), side, damaged)
    labels = _numbers([found.labels[i] for i in kept], found.classes) if found.labels else None
    result = ImageSet(top.resolve().name, images, labels, found.classes, join_notes(found.note, note))
    return replace(result, note=join_notes(result.note, _without_images(result)))


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
    name = Path(name_or_path).name
    columns = [column for column, feature in table.features.items() if isinstance(feature, datasets.Image)]
    if not columns:
        raise Problem("hf_no_images", name=name_or_path, columns=", ".join(table.column_names))
    if not len(table):
        raise Problem("hf_no_rows", name=name_or_path, split=split)
    column, (label_columns, names, classes) = columns[0], _table_labels(table)
    rows = table.select_columns(column).cast_column(column, datasets.Image(decode=False))
    labelled = [i for i, label in enumerate(names) if label] or range(len(table))
    files = ((f"image {i}", _file_of(rows[i][column])) for i in labelled)
    images, kept, note = _read_all(name, files, len(labelled), side, damaged)
    used, unused = [column, *label_columns[:1]], [*columns[1:], *label_columns[1:]]
    others = Problem("hf_columns", used=", ".join(used), unused=", ".join(unused)) if unused else None
    nameless = [f"image {i}" for i in sorted({*range(len(table))} - {*labelled})]
    note = join_notes(note, others, left_out_note(Problem("hf_unlabelled", **count_names(nameless))))
    labels = _numbers([names[labelled[k]] for k in kept], classes) if any(names) else None
    found = ImageSet(name, images, labels, classes if any(names) else (), note)
    return replace(found, note=join_notes(found.note, _without_images(found)))


def _table_labels(table: "datasets.Dataset") -> tuple[list[str], list[str], tuple[str, ...]]:
    """The columns that may hold the classes, the class of each row by the first ("" for none), and the classes."""
    import datasets

    columns = [name for name, feature in table.features.items() if isinstance(feature, datasets.ClassLabel)]
    if columns:
        classes = [label_text(name) for name in table.features[columns[0]].names]
        numbers = [-1 if number is None else number for number in table[columns[0]]]
        return columns, [classes[number] if number >= 0 else "" for number in numbers], tuple(classes)
    column = column_of(table.column_names, LABEL_COLUMNS)
    if column is None:
        return [], [], ()
    names = [label_text(value) for value in table[column]]
    return [column], names, image_folders.in_order({*names} - {""})


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


def _file_of(cell: dict | None) -> Path | BinaryIO:
    # An absent image is reported like an empty file: it cannot be decoded.
    if cell and cell["bytes"] is None and cell["path"]:
        return Path(cell["path"])
    return BytesIO(cell["bytes"] or b"" if cell else b"")


def _read_all(
    name: str, files: Iterable[tuple[str, Path | BinaryIO]], n: int, side: int | None, damaged: str
) -> tuple[Tensor, list[int], Problem | None]:
    """Images [N, C, H, W] of the n named files of a set, the indices of their files, and a note on those that could not
    be read."""
    if damaged not in ("refuse", "skip"):
        raise Problem("damaged_option", value=damaged)
    images, kept, lost, several, dark, first, reasons = [], [], [], [], [], "", {}
    for i, (file_name, file) in enumerate(files):
        try:
            decoded = image_files.decode(file, at_least=side)
        except image_files.UnreadableImage as problem:
            lost.append(file_name)
            reasons.setdefault(problem.code, problem)
            continue
        image, first = image_files.as_tensor(decoded, side), first or file_name
        image_files.check_memory(name, n, image.shape)
        if images and image.shape[1:] != images[0].shape[1:]:
            raise Problem("image_sizes", name=file_name, size=_size(image), first=first, first_size=_size(images[0]))
        several += [file_name] if decoded.info["several"] else []
        dark += [file_name] if decoded.info["dark"] else []
        images.append(image)
        kept.append(i)
    note = _unreadable(name, n, lost, list(reasons.values()), damaged == "skip", kept) if lost else None
    channels = max((len(image) for image in images), default=1)
    whole = torch.stack([image.expand(channels, -1, -1) for image in images])
    about = left_out_note(Problem("image_frames", **count_names(several)), Problem("images_dark", **count_names(dark)))
    return whole, kept, join_notes(note, about)


def _unreadable(
    name: str, n: int, lost: list[str], reasons: list[Problem], skip: bool, kept: list[int]
) -> Problem | None:
    """What says that some of n files cannot be read, and why. Raised unless they are to be skipped and others are
    left."""
    if not kept:
        raise join_notes(Problem("unreadable_all", name=name, **count_names(lost)), *reasons)
    if not skip:
        raise join_notes(Problem("unreadable_images", total=n, **count_names(lost)), *reasons)
    return join_notes(Problem("unreadable_skipped", total=n, **count_names(lost)), *reasons)


def _size(image: Tensor) -> str:
    return f"{image.shape[2]}x{image.shape[1]}"


def _numbers(names: Sequence[str], classes: Sequence[str]) -> Tensor:
    """The number of each of N names among the classes, int64 [N]."""
    number = {name: i for i, name in enumerate(classes)}
    return torch.tensor([number[name] for name in names])


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
