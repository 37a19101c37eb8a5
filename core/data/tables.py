"""Tables and JSON from untrusted files: every one in the project is read here.

A file is text in some encoding (`decode_text`), a table is text with some separator (`records`). Both are recognised
from the file, and a note names them where they are not UTF-8 and a comma. Nothing is guessed about cells: a row with
too many, and a quote that is never closed, are refused with the line, because what follows would be lost or misplaced.
"""

import codecs
import csv
import io
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from core import limits
from core.problems import Problem, join_notes, printable

SEPARATORS = (",", ";", "\t", "|")
SAMPLE, SAMPLE_SIZE = 50, 200_000  # rows that the separator is recognised from, and characters

Row = tuple[int, list[str]]  # the number of its line in the file, from 1, and its cells

# Encodings

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NAMES = {
    "utf-8-sig": "UTF-8 (BOM)", "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32": "UTF-32",
    "cp949": "Windows-949", "gb2312": "GB 2312", "cp932": "Windows-932", "cp1251": "Windows-1251",
    "cp1252": "Windows-1252",
}  # fmt: skip
_CJK = "\u3000-\u303f\uff00-\uffef“”‘’…—·"  # punctuation and full-width signs
_ALPHABETS = {  # what words beyond ASCII look like in each, the first that fits is taken
    "cp949": re.compile(rf"[가-힣{_CJK}]+"),
    "gb2312": re.compile(rf"[\u4e00-\u9fff{_CJK}]+"),
    "cp932": re.compile(rf"[\u3041-\u30ff\u4e00-\u9fff{_CJK}]+"),
    "cp1251": re.compile(r"[«»“”„‘’…–—№]+|[«»“”„]?([А-ЯЁІЇЄҐЎ]?[а-яёіїєґў]+|[А-ЯЁІЇЄҐЎ]+)[»“”…]?"),
    "cp1252": re.compile(r"[«»“”„‘’…–—€£°§¿¡©®™µ½¼¾²³×·ªºÀ-ÖØ-öø-ÿŒœŠšŽžŸ]+"),
}
_HANGUL = set(
    "이다는을의가에고하지로은도사한기를어나인리대서자그시아보정수일해있부과와주상들전구제게장만라스여면적국경중동소우위공비생성조신문것"
    "물안거오모원유진세무실관개당없선간내방마학입말발요미연때명통음반심화분체영양강차교회법드했트었려력산노달데러람름살월남작재집행현후"
    "계용각건결속단더되두등련빨파초검흰큰색꽃새"
)
"""The commonest syllables of Korean. The bytes of Chinese characters give others, mostly."""
_WESTERN = set("àâãäáåçèéêëìíîïñòóôõöùúûüÿßæœ"), set("áâäåæéíðóôöøúüýþšž")
"""The letters of Romance and most Germanic languages, and of Northern ones. Bytes of Central European and Turkish
encodings give letters of both, or what `_NOT_WESTERN` names."""
_ONE_SIGN = re.compile(r"[a-z][^\x00-\x7f](?![^\x00-\x7f])|(?<![^\x00-\x7f])[^\x00-\x7f][a-z]")
_ALONE = re.compile(r"(?<![^\W\d_])[À-ÖØ-öø-ÿ](?![^\W\d_])")
_NOT_WESTERN = re.compile(
    r"(?i:[a-zß-ÿ](?<!\bm)(?<!\b[ckdm]m)[²³]|[a-zß-ÿ][£½¼¾¿¡]|[£²³½¼¾ªº][a-zß-ÿ])"  # signs beside letters, but for m²
    r"|Ÿ[a-z]|[a-z]Ÿ|œ(?![cdilnstu])|õ(?!e)|(?i:[a-zß-ÿ]þ)"  # letters where no word has them
)


@dataclass(frozen=True)
class Text:
    """The text of a file, its encoding by Python's name, and a note on the encoding where it is not plain UTF-8."""

    text: str
    encoding: str
    note: Problem | None = None


def decode_text(data: bytes, file: str, most_guessed: float = math.inf) -> Text:
    """The text in a file: UTF-8, UTF-16 or UTF-32, with a byte order mark or without, or Windows' encodings of Western
    European, Cyrillic, Chinese, Japanese and Korean letters, which are recognised in at most so many bytes.

    Raises Problem for bytes that are no text and for text in another encoding.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    for encoding in [marked] if marked else _unmarked(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return Text(text, encoding, None if encoding == "utf-8" else Problem("text_encoding", encoding=NAMES[encoding]))
    if marked or b"\0" in data:
        raise Problem("text_binary", file=file)
    if len(data) > most_guessed:
        raise Problem("text_encoding_unknown", file=file)
    return _in_windows_encoding(data, file)


def _unmarked(data: bytes) -> list[str]:
    """The encodings of Unicode that bytes without a mark may have: an ASCII letter in UTF-16 has a null beside it. Few
    nulls are no sign of UTF-16 but of damage."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    if not even + odd:
        return ["utf-8"]
    some, few = max(even, odd), min(even, odd)
    return ["utf-16-le" if odd > even else "utf-16-be"] if some >= max(5 * few, len(data) / 10) else []


def _in_windows_encoding(data: bytes, file: str) -> Text:
    for encoding, alphabet in _ALPHABETS.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        parts = re.finditer(r"[^\s!-&(-/:-@\[-^`{-~]+", text)
        found = dict.fromkeys(part[0] for part in parts if not part[0].isascii())
        if all(_fits(word, encoding, alphabet) for word in found) and _is_typical(encoding, text):
            return Text(text, encoding, _guess(encoding, list(found)))
    raise Problem("text_encoding_unknown", file=file)


def _guess(encoding: str, found: list[str]) -> Problem:
    """A note on an encoding with the longest word that depends on it, if it is not for a space alone."""
    if not found:
        return Problem("text_encoding", encoding=NAMES[encoding])
    return Problem("text_encoding_guess", encoding=NAMES[encoding], example=max(found, key=len)[:20])


def _fits(word: str, encoding: str, alphabet: re.Pattern) -> bool:
    """Whether a word may be one in an encoding. Western words have ASCII letters too, Cyrillic ones have none, and a
    single sign of an East Asian one stands beside no small letter: there it is two accented letters."""
    has_ascii, letters = re.search("[a-zA-Z]", word), sum(map(str.isalpha, word))
    if encoding == "cp1252":
        strange = not has_ascii and letters > 1
    elif encoding == "cp1251":
        strange = has_ascii
    else:
        strange = _ONE_SIGN.search(word)
    return not strange and all(map(alphabet.fullmatch, re.findall(r"[^\x00-\x7f]+", word)))


def _is_typical(encoding: str, text: str) -> bool:
    """Whether a text of fitting words is likely. Korean bytes are Chinese characters too: most syllables have to be
    common for Korean, and none for Chinese. Japanese has kana; Russian has words of several letters, with a vowel."""
    if encoding == "cp1252":
        return _is_western(text)
    if encoding == "cp949":
        return 2 * _common_hangul(text) >= 1
    if encoding == "gb2312":
        try:
            return not _common_hangul(text.encode("gb2312").decode("cp949"))
        except UnicodeError:
            return True
    typical = {"cp932": r"[\u3041-\u30ff]", "cp1251": r"(?i)[а-яё][аеёиоуыэюяіїє]|[аеёиоуыэюяіїє][а-яё]"}
    return re.search(typical[encoding], text) is not None


def _common_hangul(text: str) -> float:
    """The share of common syllables in a Korean text; 0 in any other."""
    found = [letter for letter in text if letter >= "\u3000"]
    return 0.0 if re.search("[\u4e00-\u9fff]", text) else sum(map(_HANGUL.__contains__, found)) / max(1, len(found))


def _is_western(text: str) -> bool:
    """Whether the letters beyond ASCII may be of one Western language: the same bytes are letters of others too."""
    letters = {letter for letter in text.lower() if letter.isalpha() and not letter.isascii()} - set("ªºµ")
    if letters & set("ðýþ") and not letters & set("áíúæ"):  # Icelandic has both; Turkish bytes give the former alone
        return False
    if len(_ALONE.findall(text)) > len(re.findall("[a-zA-Z]{2,}", text)):  # "à" is a word among words, Cyrillic "а" too
        return False
    paired = text.count("¿") <= text.count("?") and text.count("¡") <= text.count("!")
    return paired and any(letters <= alphabet for alphabet in _WESTERN) and not _NOT_WESTERN.search(text)


# Rows


def rows(text: str, separator: str, most: float = math.inf) -> Iterator[Row]:
    """The rows of a table, without empty ones. A space as separator stands for any number of them.

    Raises Problem for a quote that is never closed, or is followed by text, and beyond so many lines.
    """
    if text[:4].lower() == "sep=":  # Excel names the separator in a line of its own
        text = text[text.find("\n") :] if "\n" in text else text[5:]
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator, skipinitialspace=True, strict=True)
    line = 1
    try:
        for cells in reader:
            if line > most:
                raise Problem("csv_lines", most=most)
            if separator == " " and cells and not cells[-1]:
                cells.pop()
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        if "limit" in str(error):
            raise Problem("table_long_cell", line=line, most=csv.field_size_limit()) from None
        raise Problem("table_quote", line=line) from None


def with_width(rows: Iterable[Row], columns: int) -> Iterator[Row]:
    """The rows, each with so many cells: empty cells beyond are dropped. Raises Problem for a row with another number
    of cells."""
    for line, cells in rows:
        if len(cells) > columns and not any(cells[columns:]):
            cells = cells[:columns]
        if len(cells) != columns:
            raise Problem("table_cells", line=line, cells=len(cells), columns=columns)
        yield line, cells


def sample(text: str, separator: str) -> list[list[str]]:
    """The first rows of a table, up to a quote that is never closed."""
    found: list[list[str]] = []
    try:
        found.extend(cells for _, cells in islice(rows(text[:SAMPLE_SIZE], separator), SAMPLE))
    except Problem:
        pass
    return found


def width(found: list[list[str]]) -> int:
    """The number of cells that most rows have."""
    return Counter(map(len, found)).most_common(1)[0][0] if found else 0


def _separator(text: str) -> str:
    """The separator that divides the header into cells and most rows into as many; a comma where none does."""

    def score(separator: str) -> tuple[float, int]:
        found = sample(text, separator)
        header = len(found[0]) if found else 0
        if header < 2:
            return 0.0, 0
        return sum(len(cells) == header for cells in found) / len(found), header

    return max(SEPARATORS, key=score)


def separator_note(separator: str) -> Problem | None:
    """A note on a separator that is not a comma."""
    shown = {"\t": "\\t"}.get(separator, separator)
    return None if separator == "," else Problem("table_separator", separator=shown)


# Tables with a header


@dataclass(frozen=True)
class Records:
    """The rows of a table by the names of its columns, each with the number of its line, and a note on its dialect.

    A cell is a text, of JSON lines any value; a row lacks the columns of which it has no cell.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, Any]], ...]
    note: Problem | None = None


def records(path: Path) -> Records:
    """A table with a header: JSON lines if the file is named ``.jsonl`` or ``.json``, else CSV with commas,
    semicolons, tabs or bars.

    Raises Problem for a file that cannot be opened, is larger than 200 MB or no table; for a row with more cells than
    the header, for a quote that is never closed, and for two columns of one name.
    """
    data = content(path)
    if path.suffix.lower() in (".jsonl", ".json"):
        return _json_records(data, path.name)
    found = decode_text(data, path.name)
    separator = _separator(found.text)
    body = rows(found.text, separator)
    header = next(body, (1, []))[1]
    while header and not header[-1]:
        header.pop()
    if twice := _twice(header):
        raise Problem("table_column_twice", file=path.name, column=twice[:40])
    padded = ((line, cells + [""] * (len(header) - len(cells))) for line, cells in body)
    named = tuple((line, dict(zip(header, cells))) for line, cells in with_width(padded, len(header)))
    return Records(tuple(header), named, join_notes(found.note, separator_note(separator)))


def _twice(names: Iterable[str]) -> str | None:
    """The first of the names that stands more than once."""
    return next((name for name, n in Counter(names).items() if n > 1), None)


def content(path: Path) -> bytes:
    """The bytes of a table. Raises Problem for a file that cannot be read or is too large."""
    try:
        if path.stat().st_size > limits.TABLE_MB * 1e6:
            raise Problem("table_size", file=path.name, most=limits.TABLE_MB)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, Problem):
            raise
        raise Problem("table_unopened", file=str(path)) from None


# JSON


def parse_json(data: bytes, file: str) -> Any:
    """The value in a JSON file. Raises Problem for what is not JSON."""
    return _json(decode_text(data, file).text, file, 1)


def parse_json_line(line: bytes, file: str) -> Any:
    """The value in one line of JSON lines, which programs write in UTF-8. Raises ValueError for any other line."""
    return _json(line.decode("utf-8"), file, 1)


def _json(text: str, file: str, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=partial(_object, file))
    except Problem:
        raise
    except json.JSONDecodeError as error:
        raise Problem("json_syntax", file=file, line=line + error.lineno - 1, column=error.colno) from None
    except (ValueError, RecursionError):  # a number of thousands of digits, or thousands of brackets
        raise Problem("json_size", file=file) from None


def _object(file: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, of which each name has to stand once: the others would be lost."""
    if twice := _twice(name for name, _ in pairs):
        raise Problem("json_name_twice", file=file, name=twice[:40])
    return dict(pairs)


def _json_records(data: bytes, file: str) -> Records:
    """JSON lines, or one list of objects."""
    found = decode_text(data, file)
    if found.text.lstrip().startswith("["):
        whole = _json(found.text, file, 1)
        values = list(enumerate(whole, 1)) if isinstance(whole, list) else []
    else:
        lines = enumerate(found.text.split("\n"), 1)
        values = [(number, _json(line, file, number)) for number, line in lines if line.strip()]
    for number, value in values:
        if not isinstance(value, dict):
            raise Problem("json_object", file=file, line=number)
    columns = dict.fromkeys(name for _, value in values for name in value)
    return Records(tuple(columns), tuple(values), found.note)


# Columns and cells

LABEL_COLUMNS = ("label", "labels", "class", "category", "target")


def column_of(columns: Sequence[str], known: Sequence[str]) -> str | None:
    """The first of the known columns that a table has, in its own spelling."""
    spelling = {column.strip().lower().replace(" ", "_"): column for column in reversed(columns)}
    return next((spelling[name] for name in known if name in spelling), None)


def label_text(value: object) -> str:
    """A cell as a text that can be printed; empty for what is none, such as a list."""
    return printable(unicodedata.normalize("NFC", str(value).strip())) if isinstance(value, str | int | float) else ""


def key(name: str) -> str:
    """A name as it is compared: a file system may write it with other separators and decomposed letters."""
    return unicodedata.normalize("NFC", name.replace("\\", "/").removeprefix("./"))
