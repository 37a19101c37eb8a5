"""Points from a table of numbers, as spreadsheets and programs write them.

What is not a point is recognised and named: a header (also one of numbers, as pandas writes it), a column that counts
the rows, comments. Where the separator and the decimal mark are not a comma and a point, a note says what was found.
A table of numbers alone is read by NumPy; any other, and one with a mistake, cell by cell.
"""

import io
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import isfinite

import numpy as np

from core import limits
from core.data import tables
from core.data.tables import LABEL_COLUMNS, Row
from core.problems import Problem, count_names, join_notes, left_out_note

UNNAMED = ("", "unnamed: 0")  # as pandas writes the index
INDEX_NAMES = (*UNNAMED, "index", "idx", "id", "#", "序号", "编号", "索引")  # "row" may be a coordinate of pixels

_SWAPPED = str.maketrans(".,", ",.")
_SPACED = re.compile(r"(?<=\d)[ \u00a0\u2009\u202f'’](?=\d{3}(?!\d))")
_GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+\.\d+")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}([.,]\d{3})+")
_SEPARATORS = (*tables.SEPARATORS, " ")
_DIALECTS = [(each, ".") for each in _SEPARATORS] + [(",", "")] + [(each, ",") for each in _SEPARATORS]
"""Separators and decimal marks, the plain ones first. "" means that quoted commas divide thousands, as in "1,234"."""


@dataclass(frozen=True)
class PointTable:
    """Points [N, 2] (float64), the number of the class of each and the names of the classes, and a note on what is
    read in another way than as plain CSV."""

    xy: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...]
    note: Problem | None


def read(data: bytes) -> PointTable:
    """The points of a table: x, y and, if there is a third column, the class, a number or a name.

    Commas, semicolons, tabs, bars or spaces separate the columns, with decimal points or commas. Raises Problem for a
    file that is no such table, with the line that cannot be read.
    """
    text, encoding = _text(data)
    separator, mark = _dialect(text)
    comments: list[int] = []
    body = _without_comments(_titled(tables.rows(text, separator, limits.CSV_LINES), mark), comments)
    start = list(islice(body, tables.SAMPLE))
    header, note = _header([cells for _, cells in start], mark)
    start = start[header is not None :]
    if not start:
        raise Problem("csv_empty")
    layout = _layout(header, start, mark)
    values, names = _plain_values(text, start[0][0], layout, separator, mark), None
    if values is None:
        values, names = _values(chain(start, body), layout, mark)
    titled = header is not None and len(header) > 1
    values, index = (values, None) if layout.named else _without_index(values, titled, names is not None)
    if len(values) < 2:
        raise Problem("csv_one_point")
    labels, classes = _classes(values, names, encoding)
    marks = _mark_note([cell for _, cells in start for cell in cells], separator, mark)
    about = left_out_note(Problem("csv_comments", **count_names(comments)))
    notes = encoding, tables.separator_note(separator), marks, note, layout.note, index, about
    return PointTable(values[:, :2], labels, classes, join_notes(*notes))


def _text(data: bytes) -> tuple[str, Problem | None]:
    """The text of a file, with a note. Numbers are ASCII: a header in an unknown encoding does no harm."""
    try:
        found = tables.decode_text(data, "CSV", limits.GUESSED_MB * 1e6)
        return found.text, found.note
    except Problem as problem:
        if problem.code != "text_encoding_unknown":
            raise
        return data.decode("latin-1"), problem


def _titled(rows: Iterator[Row], mark: str) -> Iterator[Row]:
    """The rows. The last comment before the first point with a name for each column is the header, without "#"."""
    start = []
    for row in rows:
        start.append(row)
        if not row[1][0].startswith("#"):
            break
    if start and any(number(cell, mark) is not None for cell in start[-1][1]):
        columns = len(_stripped(start[-1][1]))
        for i, (line, cells) in reversed(list(enumerate(start[:-1]))):
            if _is_header(title := _title(cells, columns), columns, mark):
                start[i] = line, title
                break
    yield from chain(start, rows)


def _title(cells: list[str], columns: int) -> list[str]:
    """A comment as a header: its "#" stands alone or before the first name, or is the name of an index."""
    first = cells[0].lstrip("# ")
    return cells[1:] if not first and len(cells) > columns else [first, *cells[1:]]


def _is_header(cells: list[str], columns: int, mark: str) -> bool:
    return len(cells) == columns and all(number(cell, mark) is None for cell in cells)


def _without_comments(rows: Iterable[Row], comments: list[int]) -> Iterator[Row]:
    """The rows but those that begin with "#", of which the lines are appended to ``comments``."""
    for line, cells in rows:
        if cells[0].startswith("#"):
            comments.append(line)
        else:
            yield line, cells


def _stripped(cells: list[str]) -> list[str]:
    """The cells up to the last one that is not empty, but two at least."""
    return cells[: max([2, *(i for i, cell in enumerate(cells, 1) if cell)])]


# Dialects


def _dialect(text: str) -> tuple[str, str]:
    """The separator and the decimal mark with which most cells of most rows are numbers; the plain ones if several are
    as good."""

    def score(dialect: tuple[str, str]) -> float:
        found = [cells for cells in tables.sample(text, dialect[0]) if not cells[0].startswith("#")]
        columns = tables.width(found[1:] or found)  # the first row may be a header
        numbers = sum(number(cell, dialect[1]) is not None for row in found if len(row) == columns for cell in row)
        return numbers / (columns * len(found)) if columns > 1 else 0.0

    return max(_DIALECTS, key=score)


def _mark_note(cells: list[str], separator: str, mark: str) -> Problem | None:
    """A note on a decimal comma, on commas between thousands, and on a decimal mark that may divide thousands: three
    digits follow it everywhere. In plain CSV it does not, because there a thousand is quoted."""
    grouped = [cell for cell in cells if _THOUSANDS.fullmatch(cell)]
    if not mark:
        return Problem("table_thousands", example=grouped[0]) if grouped else None
    comma = Problem("table_decimal_comma") if mark == "," else None
    if separator in (",", " ") or not grouped or any(mark in cell for cell in cells if cell not in grouped):
        return comma
    value = number(grouped[0], mark)
    return join_notes(comma, Problem("table_maybe_thousands", example=grouped[0], value=value))


def number(cell: str, mark: str) -> float | None:
    """A cell as a number with that decimal mark, None if it is none. "1.234" is none where commas are decimal, because
    it may be a thousand. Without a mark, commas divide thousands."""
    if not mark:
        return number(cell.replace(",", "") if _THOUSANDS.fullmatch(cell) and "." not in cell else cell, ".")
    plain = cell if mark == "." else cell.translate(_SWAPPED)
    try:
        value = float(plain)
    except ValueError:
        ungrouped = _ungrouped(plain)
        return None if ungrouped == plain else number(ungrouped, ".")
    return None if "_" in plain else value  # float() takes 1_000


def _ungrouped(cell: str) -> str:
    """A number without spaces, or commas before a decimal point, between its thousands, and with a minus of ASCII."""
    cell = _SPACED.sub("", cell.replace("−", "-"))
    return cell.replace(",", "") if _GROUPED.fullmatch(cell) else cell


# Headers and indices


def _header(found: list[list[str]], mark: str) -> tuple[list[str] | None, Problem | None]:
    """The header, None if the first row is a point, and a note where it consists of numbers.

    pandas writes the numbers of columns without a name. They are a header if they are followed by other than whole
    numbers.
    """
    first = _stripped(found[0]) if found else []
    index = first[:1] == [""]
    places = [str(i) for i in range(len(first) - index)]
    if len(first) < 2 or first[index:] != places:
        return first if first and all(number(cell, mark) is None for cell in first) else None, None
    listed = ", ".join(places)
    if index or not _are_whole(found[1:]):
        return first, Problem("csv_header_of_numbers", header=listed)
    return None, Problem("csv_first_point", header=listed) if len(found) > 1 else None


def _are_whole(rows: list[list[str]]) -> bool:
    """Whether the first two cells of all rows are whole numbers."""
    return all(cell.lstrip("+-").isdigit() for cells in rows for cell in cells[:2] if cell)


@dataclass(frozen=True)
class _Layout:
    """The number of columns, and the places of those that are used: x, y and maybe the class.

    ``named``: whether the header says so; else there may be an index before them. ``note``: on columns left out.
    """

    columns: int
    used: Sequence[int]
    named: bool = False
    note: Problem | None = None


def _layout(header: list[str] | None, rows: list[Row], mark: str) -> _Layout:
    """What the columns are, by their names or else by their order. A header of one cell is a title; one that lacks a
    cell is that of a table with an index."""
    line, first = rows[0]
    columns = len(_stripped(first))
    if header is not None and len(header) > 1:
        if len(header) == columns - 1 > 1 and _is_index([number(cells[0], mark) for _, cells in rows]):
            return _indexed(columns)
        if len(header) < columns or len(header) > len(first):
            raise Problem("table_cells", line=line, cells=columns, columns=len(header))
        if found := _named([name.lower() for name in header], rows):
            return found
        columns = len(header)
    if columns not in (2, 3, 4):
        raise Problem("csv_columns", columns=columns)
    return _Layout(columns, range(columns))


def _named(names: list[str], rows: list[Row]) -> _Layout | None:
    """The layout of a table whose columns are named; None where their order decides. After x and y, a third column of
    any name is the class if its first rows may be classes."""
    index, classes, rest = _roles(names)
    if {"x", "y"} <= set(names):
        rest = list(dict.fromkeys([names.index("x"), names.index("y"), *rest]))
    elif not index and not (classes and len(rest) == 2):
        return None
    if not classes and len(rest) == 3 and rest[2] > max(rest[:2]):
        values = {cells[rest[2]] if len(cells) > rest[2] else "" for _, cells in rows}
        classes = rest[2:] if len(values) <= limits.POINT_CLASSES and "" not in values else []
    return _of_columns(names, index, [*rest[:2], *classes])


def _roles(names: list[str]) -> tuple[list[int], list[int], list[int]]:
    """The places of the index, of the class, and of the other columns. A name of an index is one only if two others
    remain beside the class."""
    classes = [names.index(name) for name in LABEL_COLUMNS if name in names][:1]
    others = [i for i in range(len(names)) if i not in classes]
    if len(others) == 2 and names[0] in UNNAMED:
        raise Problem("csv_one_column")
    index = others[: len(names) in (3, 4) and names[0] in INDEX_NAMES and len(others) > 2]
    return index, classes, others[len(index) :]


def _of_columns(names: list[str], index: list[int], used: list[int]) -> _Layout:
    others = [name for i, name in enumerate(names) if name and i not in index + used]
    left_out = left_out_note(Problem("csv_unused", **count_names(others)))
    return _Layout(len(names), used, named=True, note=join_notes(Problem("csv_index") if index else None, left_out))


def _indexed(columns: int) -> _Layout:
    return _Layout(columns, range(1, columns), named=True, note=Problem("csv_index"))


def _is_index(values: Sequence[float | None]) -> bool:
    """Whether the cells of a column count from 0 or from 1, or are not all numbers."""
    return None in values or (values[0] in (0, 1) and all(values[i] == values[0] + i for i in range(len(values))))


def _without_index(values: np.ndarray, titled: bool, named: bool) -> tuple[np.ndarray, Problem | None]:
    """The columns without a first one that counts the rows, and a note if there was one.

    Three columns may be points with a class. They are if the classes are ``named``, and if a header stands above them
    (``titled``) and the last has few values.
    """
    columns = values.shape[1]
    if columns == 2 or columns == 3 and (named or titled and len(np.unique(values[:, 2])) <= limits.POINT_CLASSES):
        return values, None
    if len(values) > 2 and _is_index(values[:, 0].tolist()):
        unclear = columns == 3 and not titled
        return values[:, 1:], Problem("csv_index_of_three") if unclear else Problem("csv_index")
    if columns == 4:
        raise Problem("csv_columns", columns=4)
    return values, None


# Cells


def _plain_values(text: str, line: int, layout: _Layout, separator: str, mark: str) -> np.ndarray | None:
    """The numbers in the used columns, from that line on [N, columns], as NumPy reads them, many times as fast as cell
    by cell. None if anything else is in the table: then `_values` reads it, or names the line that cannot be read."""
    if mark == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    try:
        lines = io.StringIO(text, newline=None)
        values = np.loadtxt(lines, delimiter=separator, skiprows=line - 1, comments=None, ndmin=2)
    except ValueError:
        return None
    if values.shape[1] != layout.columns or not np.isfinite(values).all():
        return None
    return values[:, layout.used]


def _values(rows: Iterable[Row], layout: _Layout, mark: str) -> tuple[np.ndarray, list[str] | None]:
    """The numbers in the used columns of a table [N, columns]. If the last of three or more holds names, it gives the
    number of each among the names, in order of appearance."""
    rows = iter(rows)
    first = next(rows)
    *numbers, last = layout.used
    cell = first[1][last] if len(layout.used) > 2 and len(first[1]) > last else ""
    named = cell != "" and number(cell, mark) is None
    names, values = {}, array("d")
    for line, cells in tables.with_width(chain([first], rows), layout.columns):
        values.extend(_number(cells[i], mark, line, i + 1) for i in numbers)
        if named and (name := unicodedata.normalize("NFC", cells[last])):
            values.append(names.setdefault(name, len(names)))
        else:
            values.append(_number(cells[last], mark, line, last + 1))
    return np.frombuffer(values).reshape(-1, len(layout.used)), list(names) if named else None


def _number(cell: str, mark: str, line: int, column: int) -> float:
    value = number(cell, mark)
    if value is not None and isfinite(value):
        return value
    if value is None:
        raise Problem("csv_not_number", line=line, text=repr(_short(cell)), column=column)
    raise Problem("csv_not_finite", line=line)


def _short(cell: str) -> str:
    return cell if len(cell) <= 20 else cell[:20] + "..."


def _classes(
    values: np.ndarray, names: list[str] | None, encoding: Problem | None
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The label of each point and the names of the classes, in the order of the numbers or of the alphabet."""
    if values.shape[1] == 2:
        return None, ()
    found, labels = np.unique(values[:, 2], return_inverse=True)
    if len(found) > limits.POINT_CLASSES:
        raise Problem("csv_classes", found=len(found), most=limits.POINT_CLASSES)
    if names is None:
        return labels, tuple(f"{value:g}" for value in found)
    if encoding and encoding.code == "text_encoding_unknown" and not "".join(names).isascii():
        raise encoding
    order = sorted(range(len(names)), key=lambda n: names[n])
    return np.argsort(order)[labels], tuple(names[n] for n in order)
