"""Folders of images as people have them: which files are the images of a set, of which class, and what the others are.

Links are followed. A header says what a file is, not its ending. Folders named for the parts of a set ("train",
"test") are parts; other folders are classes. Every file is an image of the set, or a note counts it.
"""

import os
import re
import unicodedata
from collections import ChainMap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.data import image_files, tables
from core.data.tables import LABEL_COLUMNS, column_of, key, label_text
from core.problems import Problem, count_names, examples, join_notes, left_out_note

METADATA = "metadata.csv", "metadata.tsv", "metadata.jsonl"  # as Hugging Face's ImageFolder has them
NAME_COLUMNS = ("file_name", "filename", "file", "image", "image_name", "path")
PART_COLUMNS = ("split", "subset", "part", "partition", "set")

PARTS = {
    **dict.fromkeys("train training trn trainset trainingset traindata trainval 训练 训练集".split(), "train"),
    **dict.fromkeys("test testing tst testset testdata 测试 测试集".split(), "test"),
    **dict.fromkeys("val valid validation dev eval evaluation valset validset 验证 验证集".split(), "validation"),
    **dict.fromkeys("pred predict prediction extra unlabeled unlabelled holdout".split(), "other"),
    **dict.fromkeys("mask masks annotation annotations segmentation segmentations".split(), "other"),
}
"""Words in the names of folders and arrays, and the part of a set that each names."""

PLAIN = dict.fromkeys("images image imgs img pictures photos jpg jpeg jpegs jpegimages png".split(), "train")
"""Names of folders that say no more than that images are in them: beside "masks" those to train on."""

KINDS = ("file", "hidden", "special", "folder")
_SYSTEM = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}


@dataclass(frozen=True)
class Listing:
    """The images of a set in a folder.

    Attributes:
        images: the place of each in the folder, in the order of their names.
        labels: the name of the class of each; empty if the set has no classes.
        classes: the names of all classes; those of the training images, also for the other parts of a set.
        note: what of the folder is not in the set, and why.
    """

    images: tuple[Path, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    note: Problem | None


@dataclass(frozen=True)
class _Part:
    """The images of one part of a set, "" for a set without parts. Their classes are the folders at ``depth``.

    ``table``: where the names of the parts stand, if they are no folders.
    """

    kind: str
    images: list[Path]
    depth: int
    table: Path | None = None

    @property
    def folder(self) -> Path:
        return Path(*self.images[0].parts[: self.depth])

    @property
    def name(self) -> str:
        return f"{self.kind} ({self.table.as_posix()})" if self.table else self.folder.as_posix()


@dataclass(frozen=True)
class _Table:
    """The rows (line, name of a file, class) of a table of metadata, and the part of a set that each file is of, by the
    key of its name; empty if no column says it."""

    place: Path
    rows: list[tuple[int, str, str]]
    parts: dict[str, str]
    note: Problem | None


def listing(top: Path, split: str = "train") -> Listing:
    """The images of a folder and their classes.

    The class of an image is that of a table ``metadata.csv`` or ``metadata.jsonl`` with a column of file names and one
    of labels; else its folder. ``split``: train, test, validation or all of a folder that is divided into such parts.
    Raises Problem for a folder without images, for images beside subfolders, for an unknown split, and for parts that
    cannot be told apart.
    """
    found = walk(top)
    files = sorted(place for place, kind in found if kind == "file")
    images = [place for place in files if image_files.is_image(top / place)]
    if not images:
        raise Problem("folder_without_images", folder=str(top), files=len(files))
    labelled = _tables(top, files)
    parts = _parts(images, labelled, top.resolve().name, split)
    chosen = _parts_in_split(top, parts, split)
    places, labels, classes, note = _images_and_classes(chosen, parts, labelled)
    used = {*images, *(table.place for part in chosen if (table := _table_of(part, labelled)))}
    others = [place for place in files if place not in used]
    hidden, special, folders = ([place for place, is_a in found if is_a == kind] for kind in KINDS[1:])
    left_out = left_out_note(
        Problem("folder_not_images", **count_names(others)),
        Problem("folder_hidden", **count_names(hidden)),
        Problem("folder_special", **count_names(special)),
        Problem("folder_empty", **count_names(_empty(folders, images))),
    )
    note = join_notes(_inner(chosen, parts), _other_parts(chosen, parts), note, left_out)
    return Listing(tuple(places), tuple(labels), tuple(classes), note)


# Files


def walk(top: Path) -> list[tuple[Path, str]]:
    """The entries below a folder: (place, kind). Kinds are "file", "folder", "hidden" (a file that is hidden or lies in
    a hidden folder), and "special": what cannot be opened, and a link to a folder that it lies in."""
    found: list[tuple[Path, str]] = []
    waiting = [(top, Path(), False, frozenset([_identity(top)]))]
    while waiting:
        folder, inside, hidden, around = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            found.append((inside, "special"))
            continue
        for entry in entries:
            place = inside / entry.name
            is_hidden = hidden or entry.name.startswith(".") or entry.name.lower() in _SYSTEM
            is_folder = os.path.isdir(entry.path)
            if is_folder and (identity := _identity(entry.path)) not in around:
                found += [] if is_hidden else [(place, "folder")]
                waiting.append((Path(entry.path), place, is_hidden, around | {identity}))
            elif is_hidden:
                found.append((place, "hidden"))
            else:
                found.append((place, "file" if os.path.isfile(entry.path) else "special"))
    return sorted(found)


def _identity(folder: Path | str) -> str:
    return os.path.realpath(folder)


def _empty(folders: list[Path], images: list[Path]) -> list[Path]:
    """The folders without an image, but not those in one of them."""
    full = {parent for place in images for parent in place.parents}
    return [folder for folder in folders if folder not in full and folder.parent in full]


# Parts of a set


def _parts(images: list[Path], labelled: dict[Path, _Table], name: str, split: str) -> list[_Part]:
    """The parts that folders divide the images into; one of no kind if they do not, or if one table names all."""
    depth = _depth(images, labelled, name, 0, _kinds)
    whole = _Part("", images, depth)
    if (table := labelled.get(whole.folder)) and (split == "all" or table.parts):
        return [whole] if split == "all" else _parts_of_table(whole, table)
    kinds = _kinds(_folders(images, depth))
    parts = []
    for folder, kind in kinds.items():
        some = [place for place in images if place.parts[depth] == folder]
        parts.append(_Part(kind, some, _depth(some, labelled, folder, depth + 1, lambda _: None)))
    return parts or [whole]


def _parts_of_table(whole: _Part, table: _Table) -> list[_Part]:
    """The parts that a column of a table divides images into. Those without a row are with the training images."""
    kinds = [table.parts.get(key(place.relative_to(whole.folder).as_posix()), "train") for place in whole.images]
    return [
        _Part(kind, [place for place, each in zip(whole.images, kinds) if each == kind], whole.depth, table.place)
        for kind in sorted(set(kinds))
    ]


def _depth(
    images: list[Path], labelled: dict[Path, _Table], name: str, depth: int, stop: Callable[[set[str]], object]
) -> int:
    """How deep the classes lie, from ``depth`` on, or the folders that ``stop`` knows. A folder that is the only one is
    passed through, as a zip's double folder, if it has the ``name`` of the folder around it or a plain one, or no image
    of its own."""
    while True:
        around, folders = Path(*images[0].parts[:depth]), _folders(images, depth)
        if around in labelled or len(folders) != 1 or stop(folders):
            return depth
        (only,) = folders
        is_class = only != name and only.lower() not in PLAIN
        if is_class and any(len(place.parts) == depth + 2 for place in images):
            return depth
        name, depth = only, depth + 1


def _folders(images: list[Path], depth: int) -> set[str]:
    """The names of the folders at a depth, empty if images lie beside them."""
    if any(len(place.parts) == depth + 1 for place in images):
        return set()
    return {place.parts[depth] for place in images}


def _kinds(folders: set[str]) -> dict[str, str]:
    """The part of a set that each folder names; empty if one names none, or if they may as well be classes.

    Folders "train" and "test" are parts whatever lies beside them, and so are "images" beside "masks".
    """
    exact = {PARTS.get(folder.lower(), "") for folder in folders}
    divided = exact & {"test", "validation"}
    if "" not in exact and (divided or "train" in exact):
        return {folder: PARTS[folder.lower()] for folder in sorted(folders)}
    rest = "other" if "train" in exact and divided else ""
    kinds = {folder: part_of(folder) or rest or PLAIN.get(folder.lower(), "") for folder in sorted(folders)}
    named = set(kinds.values())
    return kinds if named > {"train"} and "" not in named else {}


def part_of(name: str) -> str:
    """The part of a set that a word of a name stands for: train, test, validation or other; "" if there is none."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[^\W\d_a-zA-Z]+", name)
    return next((PARTS[word.lower()] for word in words if word.lower() in PARTS), "")


def _parts_in_split(top: Path, parts: list[_Part], split: str) -> list[_Part]:
    """The parts of a split. Raises Problem if it names none, or several of which one has to be given."""
    kinds = {part.kind for part in parts}
    if split == "all" or (split == "train" and kinds == {""}):
        return parts
    if kinds == {""}:
        raise Problem("no_splits", name=top.resolve().name, split=split)
    chosen = _of_kind(parts, split) or (_of_kind(parts, "validation") if split == "test" else [])
    if len(chosen) > 1 or (split == "train" and not chosen):
        raise Problem("folder_parts", folder=str(top), known=examples([str(top / part.folder) for part in parts]))
    if not chosen:
        raise Problem("unknown_split", name=top.resolve().name, split=split, known=", ".join(sorted(kinds)))
    return chosen


def _of_kind(parts: list[_Part], kind: str) -> list[_Part]:
    return [part for part in parts if part.kind == kind]


def _inner(chosen: list[_Part], parts: list[_Part]) -> Problem | None:
    """A note on the folder that was passed through to find the classes of a set without parts."""
    if parts[0].kind or not chosen[0].depth:
        return None
    return Problem("folder_inner", folder=chosen[0].folder.as_posix())


def _other_parts(chosen: list[_Part], parts: list[_Part]) -> Problem | None:
    others = [part for part in parts if part not in chosen]
    lost = sum(len(part.images) for part in others)
    used, left = (examples([part.name for part in some]) for some in (chosen, others))
    return Problem("folder_other_parts", used=used, lost=lost, others=left) if others else None


# Classes


def _images_and_classes(
    chosen: list[_Part], parts: list[_Part], labelled: dict[Path, _Table]
) -> tuple[list[Path], list[str], Sequence[str], Problem | None]:
    """The images of the chosen parts, the class of each, the classes of the training part, and a note."""
    named = [_labels(part, parts, labelled) for part in chosen]
    labels = dict(ChainMap(*(some for some, _ in named)))
    known = set() if any(part.kind == "train" for part in chosen) else _training_classes(parts, labelled)
    strange = [place for place, label in labels.items() if known and label and label not in known]
    note = join_notes(
        *(note for _, note in named), left_out_note(Problem("folder_strange_classes", **count_names(strange)))
    )
    places = sorted({*labels} - {*strange})
    if not places:
        raise note
    names = _all_or_none([(place, labels[place]) for place in places])
    order = in_order if labelled else sorted
    return places, names, order(known or set(names)) if names else (), note


def _all_or_none(labels: list[tuple[Path, str]]) -> list[str]:
    """The classes of images, or nothing if none has one. Raises Problem if only some have one."""
    loose = [place for place, label in labels if not label]
    if 0 < len(loose) < len(labels):
        raise Problem("folder_mixed", file=loose[0].as_posix())
    return [] if loose else [label for _, label in labels]


def _training_classes(parts: list[_Part], labelled: dict[Path, _Table]) -> set[str]:
    """The classes of the training images."""
    named = [_labels(part, parts, labelled)[0] for part in parts if part.kind == "train"]
    return {label for labels in named for label in labels.values() if label}


def _labels(part: _Part, parts: list[_Part], labelled: dict[Path, _Table]) -> tuple[dict[Path, str], Problem | None]:
    """The class of each image of a part, "" for those that lie in no folder of a class, and a note."""
    if table := _table_of(part, labelled):
        return _from_table(part, parts, table)
    labels = {
        place: unicodedata.normalize("NFC", place.parts[part.depth]) if len(place.parts) > part.depth + 1 else ""
        for place in part.images
    }
    deeper = sorted({place.parent for place in part.images if len(place.parts) > part.depth + 2})
    return labels, left_out_note(Problem("folder_nested", **count_names(deeper)))


def _table_of(part: _Part, labelled: dict[Path, _Table]) -> _Table | None:
    """The table that names the classes of a part: in its folder, or in one around it."""
    return next((labelled[folder] for folder in (part.folder, *part.folder.parents) if folder in labelled), None)


def _from_table(part: _Part, parts: list[_Part], table: _Table) -> tuple[dict[Path, str], Problem | None]:
    """The class of each image of a part by a table, which may also name images of other parts, and a note."""
    images, mine = _by_key(parts, table.place.parent), {*part.images}
    labels: dict[Path, str] = {}
    others = []
    for line, name, label in table.rows:
        place = images.get(key(name))
        if place in mine and label and place not in labels:
            labels[place] = label
        else:
            others.append((line, place))
    if not labels:
        raise Problem("metadata_no_image", table=table.place.as_posix(), name=table.rows[0][1] if table.rows else "")
    lost = [line for line, place in others if place is None or place in labels]
    unlisted = [place for place in part.images if place not in labels]
    where = table.place.as_posix()
    rows = Problem("metadata_rows", lost=len(lost), table=where, lines=examples(lost))
    return labels, join_notes(
        table.note, left_out_note(rows, Problem("metadata_unlisted", table=where, **count_names(unlisted)))
    )


def _by_key(parts: list[_Part], top: Path) -> dict[str, Path]:
    """The images of all parts that lie in a folder, by the keys of their names there."""
    inside = (place for part in parts for place in part.images if place.is_relative_to(top))
    return {key(place.relative_to(top).as_posix()): place for place in inside}


def _tables(top: Path, files: list[Path]) -> dict[Path, _Table]:
    """The tables of metadata that name a class of each file, by their folders. Raises Problem for one that is no
    table."""
    found = {}
    for place in files:
        if place.name.lower() in METADATA:
            records = tables.records(top / place)
            name, label = (column_of(records.columns, known) for known in (NAME_COLUMNS, LABEL_COLUMNS))
            if name is not None and label is not None:
                found.setdefault(place.parent, _table(place, records, name, label))
    return found


def _table(place: Path, records: tables.Records, name: str, label: str) -> _Table:
    """The table of metadata with these columns of names and labels."""
    rows = [(line, label_text(row.get(name)), label_text(row.get(label))) for line, row in records.rows]
    column, parts = column_of(records.columns, PART_COLUMNS), {}
    if column is not None:
        parts = {
            key(label_text(row.get(name))): PARTS.get(label_text(row.get(column)).lower()) for _, row in records.rows
        }
    if not all(parts.values()):  # it is something else
        column, parts = None, {}
    unused = [each for each in records.columns if each.strip() and each not in (name, label, column)]
    columns = Problem("metadata_columns", table=place.as_posix(), **count_names(unused))
    return _Table(place, rows, parts, join_notes(records.note, left_out_note(columns)))


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes from a table: whole numbers by their value, others in alphabetical order."""
    names = sorted(set(names))
    if all(map(str.isdecimal, names)):
        names.sort(key=lambda name: (len(name.lstrip("0")), name.lstrip("0")))
    return tuple(names)
