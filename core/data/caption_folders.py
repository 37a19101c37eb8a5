"""Folders of images with captions in a table, as people have them: which image has which caption, and what is left out.

Every row of the table and every image of the folder is used, or a note counts and names it.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.data import image_files, image_folders, tables
from core.data.tables import column_of, key, label_text
from core.data.words import LENGTH, has_signs, is_undivided, words
from core.problems import Problem, count_names, examples, join_notes, left_out_note

TABLES = "captions.csv", *image_folders.METADATA, "captions.jsonl", "captions.tsv", "captions.txt"
FILES = image_folders.NAME_COLUMNS
CAPTIONS = "caption", "text", "prompt", "description", "comment"
KEYWORDS = "keywords", "tags"


@dataclass(frozen=True, eq=False)
class Captioned:
    """N images in colour, uint8 [N, 3, side, side], with captions and keywords, and a note on what was left out."""

    images: Tensor
    captions: tuple[str, ...]
    keywords: tuple[tuple[str, ...], ...]
    note: Problem | None


@dataclass(frozen=True)
class _Row:
    """What a row says, and the place of its image in the folder, None where there is no such image.

    ``source`` is where it stands, as "captions.csv:3" for line or entry 3, or a text of its own.
    """

    source: str
    name: str
    place: Path | None
    caption: str
    keywords: tuple[str, ...]


def read(path: Path, side: int) -> Captioned:
    """The images of a folder that have a caption, the middle square of each resized to ``side``.

    The captions are in a table, the first of ``TABLES`` in the folder or the given path itself. It names a file, a
    caption and, maybe, keywords (divided by semicolons) in columns of ``FILES``, ``CAPTIONS`` and ``KEYWORDS``. Without
    a table, the caption of ``a.png`` is the text in ``a.txt``. Raises Problem for a folder without captions, for a
    table that cannot be read (`tables.records`) and for fewer than two images.
    """
    table, others = _table(path)
    folder = table.parent if table else path
    walked = image_folders.walk(folder)
    places = [place for place, kind in walked if kind == "file"]
    images = {place for place in places if image_files.is_image(folder / place)}
    rows, sources, about = _of_table(table, places) if table else _of_texts(path, places, images)
    kept, pixels, lost = _decoded(rows, folder, side)
    named = {row.place for row in rows}
    note = join_notes(
        Problem("captions_other_tables", table=table.name, others=", ".join(others)) if others else None,
        about,
        lost,
        left_out_note(
            Problem("captions_unlisted", **count_names([place for place in places if place in images - named]))
        ),
        _about_words(kept),
        _others(walked, {*images, *named, *sources, *map(Path, others)}),
    )
    if len(kept) < 2:
        raise join_notes(Problem("captions_too_few", folder=str(path), found=len(kept)), note)
    captions, keywords = (tuple(getattr(row, name) for row in kept) for name in ("caption", "keywords"))
    return Captioned(torch.stack(pixels), captions, keywords, note)


def _others(walked: list[tuple[Path, str]], named: set[Path | None]) -> Problem | None:
    """A note on what else is in a folder, as of folders of images."""
    files, hidden, special = ([place for place, kind in walked if kind == wanted] for wanted in image_folders.KINDS[:3])
    return left_out_note(
        Problem("folder_not_images", **count_names([place for place in files if place not in named])),
        Problem("folder_hidden", **count_names(hidden)),
        Problem("folder_special", **count_names(special)),
    )


# The table


def _table(path: Path) -> tuple[Path | None, list[str]]:
    """The table of a folder, None if there is none, and the names of others that could be it. Raises Problem for an
    image or a zip in the place of a table."""
    if os.path.isfile(path):
        if path.suffix.lower() in (".zip", *image_files.ENDINGS):
            raise Problem("captions_no_table", file=path.name)
        return path, []
    if not os.path.isdir(path):  # unlike Path.is_dir it answers for any text
        raise Problem("captions_no_folder", folder=str(path)[:80])
    found = _named(path)
    return (path / found[0] if found else None), found[1:]


def _named(folder: Path) -> list[str]:
    """The names in a folder that a table of captions may have, the likeliest first."""
    try:
        found = [name for name in os.listdir(folder) if name.lower() in TABLES]
    except OSError:
        return []
    return sorted(found, key=lambda name: (TABLES.index(name.lower()), name))


def _of_table(table: Path, places: list[Path]) -> tuple[list[_Row], set[Path], Problem | None]:
    """The rows of a table, the files that they are in, and a note on the table. Raises Problem where it has no column
    of files or of captions."""
    found = tables.records(table)
    file, caption, keywords = _columns(table, found.columns)
    by_name = {key(place.as_posix()): place for place in places}
    rows = []
    for line, row in found.rows:
        name, place = label_text(row.get(file)), f"{table.name}:{line}"
        rows += [
            _Row(place, name, by_name.get(key(name)), label_text(text), _keywords(row.get(keywords)))
            for text in _captions(row.get(caption))
        ]
    unused = [_short(name) for name in found.columns if name and name not in (file, caption, keywords)]
    note = left_out_note(Problem("captions_columns_unused", **count_names(unused)))
    return rows, {Path(table.name)}, join_notes(found.note, note)


def _columns(table: Path, columns: Sequence[str]) -> tuple[str, str, str | None]:
    """The names of the columns of files, of captions and of keywords."""
    if not columns:
        raise Problem("captions_empty", table=str(table))
    file, caption, keywords = (column_of(columns, known) for known in (FILES, CAPTIONS, KEYWORDS))
    if file is None or caption is None:
        listed = examples([_short(name) or "-" for name in columns])
        raise Problem("captions_columns", table=str(table), columns=listed)
    return file, caption, keywords


def _captions(cell: Any) -> list[Any]:
    """The captions in a cell: JSON may hold several of one image."""
    return cell if cell and isinstance(cell, list) else [cell]


def _keywords(cell: Any) -> tuple[str, ...]:
    """Keywords divided by semicolons, or a list of them."""
    several = cell if isinstance(cell, list) else str(cell or "").split(";")
    return tuple(filter(None, map(label_text, several)))


# Texts beside images


def _of_texts(folder: Path, places: list[Path], images: set[Path]) -> tuple[list[_Row], set[Path], Problem | None]:
    """A row for each image with a text of its name, these texts, and a note on encodings. Raises Problem if there is
    none."""
    texts = {place.with_suffix(""): place for place in places if place.suffix.lower() == ".txt"}
    found, used, notes = [], set(), {}
    for place in sorted(images):
        if text := texts.get(place.with_suffix("")):
            read = tables.decode_text(tables.content(folder / text), text.as_posix())
            caption = label_text(" ".join(read.text.split()))
            found.append(_Row(text.as_posix(), place.as_posix(), place, caption, ()))
            used.add(text)
            notes.setdefault(read.encoding, read.note)
    if not found:
        raise _no_captions(folder)
    return found, used, join_notes(*notes.values())


def _no_captions(folder: Path) -> Problem:
    below = [inner for inner in sorted(folder.iterdir()) if inner.is_dir() and _named(inner)]
    if below:
        return Problem("captions_table_below", folder=str(folder), below=", ".join(map(str, below[:3])))
    return Problem("captions_table", folder=str(folder), tables=", ".join(TABLES))


# Images


def _decoded(rows: list[_Row], folder: Path, side: int) -> tuple[list[_Row], list[Tensor], Problem | None]:
    """The rows that can be used, their images, and a note on the others."""
    kept, images = [], []
    lost: dict[str, list[str]] = {"caption": [], "image": [], "word": []}
    unreadable, reasons, several, dark = [], {}, [], []
    for row in rows:
        if lack := _lack(row):
            lost[lack].append(_shown(row))
            continue
        try:
            decoded = image_files.decode(folder / row.place, at_least=side)
        except image_files.UnreadableImage as problem:
            unreadable.append(_shown(row))
            reasons.setdefault(problem.code, problem)
            continue
        images.append(image_files.as_tensor(decoded, side).expand(3, -1, -1))
        several += [_short(row.name)] if decoded.info["several"] else []
        dark += [_short(row.name)] if decoded.info["dark"] else []
        kept.append(row)
    notes = [Problem(f"captions_no_{lack}", **count_names(names)) for lack, names in lost.items()]
    why = join_notes(
        left_out_note(*notes, Problem("captions_unreadable", **count_names(unreadable))), *reasons.values()
    )
    about = left_out_note(Problem("image_frames", **count_names(several)), Problem("images_dark", **count_names(dark)))
    return kept, images, join_notes(why, about)


def _shown(row: _Row) -> str:
    """A row as a note quotes it, such as "captions.csv:3: a.png"."""
    return f"{row.source}: {_short(row.name) or '-'}"


def _lack(row: _Row) -> str:
    """What a row lacks to be a pair: a caption, an image, a word, or nothing."""
    if not row.caption:
        return "caption"
    if row.place is None:
        return "image"
    return "" if any(map(words, (row.caption, *row.keywords))) else "word"


# Words


def _about_words(rows: list[_Row]) -> Problem | None:
    """A note on captions of which words are cut off, or are not divided as their readers would."""
    lengths = [len(words(row.caption)) for row in rows]
    long = [_short(row.name) for row, length in zip(rows, lengths) if length > LENGTH]
    cut = sum(max(0, length - LENGTH) for length in lengths)
    broken = [_short(row.name) for row in rows if "\n" in row.caption]
    undivided, signs = (
        [_short(row.caption) for row in rows if test(row.caption)] for test in (is_undivided, has_signs)
    )
    return left_out_note(
        Problem("captions_lines", **count_names(broken)),
        Problem("captions_long", most=LENGTH, cut=cut, **count_names(long)),
        Problem("captions_undivided", **count_names(undivided)),
        Problem("captions_signs", **count_names(signs)),
    )


def _short(text: str) -> str:
    """The beginning of a cell, on one line, as a note quotes it."""
    return " ".join(text.split())[:40]
