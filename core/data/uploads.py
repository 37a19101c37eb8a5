"""Data sets that a learner brings: a word, an image, a CSV of points, a drawing.

Every problem with what was brought is a ValueError of one sentence that names the problem and the remedy.
"""

import codecs
import io
import math
import re
import unicodedata
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core import seeds
from core.data.points import Draw, PointSet, Shape, from_raw, from_shape, join_strokes, uniform_along

if TYPE_CHECKING:
    from PIL import Image

MAX_LETTERS = 12
MAX_MEGAPIXELS = 20
MAX_IMAGE_MB = 30
MAX_CSV_MB = 30
MAX_CSV_POINTS = 5_000
MAX_CLASSES = 3
MAX_VERTICES = 100_000

_IMAGE_SIDE = 160
_IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def from_word(text: str, n: int = 1000, seed: int = 0) -> PointSet:
    """``n`` points spread evenly over the ink of a typed word of at most 12 letters, in DejaVu Sans Bold.

    Raises ValueError for an empty or too long word and for letters that the font lacks.
    """
    word = " ".join(unicodedata.normalize("NFC", text).split())
    if not word:
        raise ValueError("There is no word yet; type at least one letter.")
    if len(word) > MAX_LETTERS:
        raise ValueError(f"The word has {len(word)} letters, too many to be told apart; type at most {MAX_LETTERS}.")
    return from_shape("word", Shape(_over_ink(_letters(word))), n, seed)


def from_image(data: bytes, n: int = 1000, seed: int = 0) -> PointSet:
    """``n`` points drawn from the dark pixels of an image file, each with probability proportional to its darkness.

    The image is laid on white and shrunk to at most 160 pixels a side; its lightest grey counts as paper. Raises
    ValueError for a file that is not a whole PNG, JPEG, WebP, GIF or BMP of at most 30 MB and 20 megapixels, and for
    an image of one brightness.
    """
    grey = _grey(data)
    paper, ink = grey.max(), grey.min()
    if paper - ink < 8:
        raise ValueError("The image has one brightness all over; choose one with dark shapes on a light background.")
    darkness = (paper - grey) / (paper - ink)
    # A tenth of the way to the ink is still paper: compression noise on a white page would otherwise claim many points.
    return from_shape("image", Shape(_over_ink(np.where(darkness < 0.1, 0.0, darkness))), n, seed)


def from_csv(data: bytes) -> PointSet:
    """The points of a CSV file: two columns of numbers, x and y, and if there is a third, the class of each point.

    Comma, semicolon (then a decimal comma is understood), tab or space separate the columns; one header line is
    skipped. Of more than 5,000 rows a fixed random 5,000 are kept, and ``note`` says so. Raises ValueError for
    anything else than a text file of at most 30 MB with at least two different finite points and at most 3 classes.
    """
    table = _table(data)
    kept = table
    if len(table) > MAX_CSV_POINTS:
        kept = table[torch.randperm(len(table), generator=seeds.generator(0))[:MAX_CSV_POINTS].sort().values]
    raw, labels, classes = kept[:, :2], None, ()
    if table.shape[1] == 3:
        values = table[:, 2].unique()
        if len(values) > MAX_CLASSES:
            raise ValueError(
                f"The third column is read as the class and has {len(values):,} different values; "
                f"leave it out or use at most {MAX_CLASSES} classes."
            )
        labels, classes = torch.searchsorted(values, kept[:, 2].contiguous()), tuple(f"{v:g}" for v in values.tolist())

    def draw(u: Tensor) -> tuple[Tensor, Tensor | None]:
        chosen = (u[:, 0] * len(raw)).long()
        return raw[chosen], None if labels is None else labels[chosen]

    note = f"The file has {len(table):,} points; a random {len(kept):,} of them are used." if kept is not table else ""
    return from_raw("csv", Shape(draw, classes=classes), raw, labels, note)


def from_drawing(strokes: Sequence[np.ndarray | Sequence[Sequence[float]]], n: int = 200, seed: int = 0) -> PointSet:
    """``n`` points spread evenly, by arc length, along strokes [k, 2] in the unit square, y upwards.

    What left the square is moved to its edge. Raises ValueError for an empty drawing, for one that is only dots, and
    for strokes that are not lists of at most 100,000 finite pairs.
    """
    lines = [line for line in map(_stroke, strokes) if len(line) > 1]
    if not any(len(stroke) for stroke in strokes):
        raise ValueError("The drawing is empty; draw a line first.")
    if sum(len(line) for line in lines) > MAX_VERTICES:
        raise ValueError(f"The drawing has more than {MAX_VERTICES:,} corners; draw a simpler one.")
    if sum(line.diff(dim=0).norm(dim=1).sum().item() for line in lines) < 0.02:
        raise ValueError("The drawing is only a dot; draw a line.")
    curve = join_strokes(lines)
    return from_shape("drawing", Shape(uniform_along(curve), curve=curve), n, seed)


def _stroke(vertices: np.ndarray | Sequence[Sequence[float]]) -> Tensor:
    try:
        line = torch.as_tensor(np.asarray(vertices, dtype=np.float64))
    except (TypeError, ValueError):
        line = torch.zeros(())
    if line.numel() == 0:
        return torch.zeros(0, 2, dtype=torch.float64)
    if line.shape[1:] != (2,) or not line.isfinite().all():
        raise ValueError("A stroke is not a list of pairs of finite numbers; clear the drawing and draw it again.")
    return line.clamp(0, 1)


def _over_ink(ink: np.ndarray) -> Draw:
    """Draws with density proportional to ``ink`` [h, w] (row 0 on top), uniform within a pixel; units are pixels."""
    width = ink.shape[1]
    share = torch.as_tensor(ink, dtype=torch.float64).flatten().cumsum(0)
    share = share / share[-1]

    def draw(u: Tensor) -> tuple[Tensor, None]:
        pixel = torch.searchsorted(share, u[:, 0].contiguous(), right=True).clamp(max=len(share) - 1)
        corner = torch.stack((pixel % width, -(pixel // width)), 1)
        return corner + u[:, 1:] * torch.tensor([1.0, -1.0], dtype=torch.float64), None

    return draw


def _letters(word: str) -> np.ndarray:
    """The ink of a word, [h, w] in 0..1."""
    from PIL import Image, ImageDraw, ImageFont

    # Matplotlib ships the font and needs Pillow: both are there without importing the former.
    fonts = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"
    font = ImageFont.truetype(fonts / "DejaVuSans-Bold.ttf", 64)
    absent = bytes(font.getmask("\U0010ffff"))
    missing = [letter for letter in word if bytes(font.getmask(letter)) == absent]
    if missing:
        raise ValueError(f"The font has no letter {missing[0]!r}; use Latin, Greek or Cyrillic letters or digits.")
    left, top, right, bottom = font.getbbox(word)
    if right <= left or bottom <= top:
        raise ValueError("The word has no visible letter; type at least one.")
    image = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), word, fill=255, font=font)
    return np.asarray(image) / 255


def _grey(data: bytes) -> np.ndarray:
    """An image file as grey levels [h, w] in 0..255, on white, at most 160 pixels a side."""
    from PIL import Image

    _refuse_large(data, MAX_IMAGE_MB, "image")
    too_large = f"The image has more than {MAX_MEGAPIXELS} megapixels; shrink it and try again."
    try:
        image = Image.open(io.BytesIO(data), formats=_IMAGE_FORMATS)  # reads the header only
    except Image.DecompressionBombError:
        raise ValueError(too_large) from None
    except Exception:  # of a strange file the decoders raise almost anything, here and below
        raise ValueError("The file is not an image; choose a PNG, JPEG, WebP, GIF or BMP.") from None
    if image.width * image.height > MAX_MEGAPIXELS * 1e6:
        raise ValueError(too_large)
    try:
        return np.asarray(_shrink_on_white(image), dtype=np.float64)
    except Exception:
        raise ValueError("The image file is damaged or incomplete; save or download it again.") from None


def _shrink_on_white(image: "Image.Image") -> "Image.Image":
    from PIL import Image, ImageOps

    image.draft("RGB", (_IMAGE_SIDE, _IMAGE_SIDE))  # lets a JPEG decode at an eighth of its size
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip rather than scale
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGBA")
    image.thumbnail((_IMAGE_SIDE, _IMAGE_SIDE), Image.Resampling.BOX)
    image = ImageOps.exif_transpose(image).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("L")


def _table(data: bytes) -> Tensor:
    """A CSV file as numbers [N, 2 or 3], N at least 2, all finite."""
    _refuse_large(data, MAX_CSV_MB, "CSV file")
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in data and not utf16:
        raise ValueError("The file is not plain text; export the points as CSV and upload that.")
    text = io.TextIOWrapper(io.BytesIO(data), "utf-16" if utf16 else "utf-8-sig", errors="replace")
    lines = (line for line in text if line.strip() and not line.startswith("#"))
    first = next(lines, "")
    separator = next((mark for mark in ";\t," if mark in first), None)
    if not any(_is_number(cell) for cell in first.split(separator, 4)):
        first = next(lines, "")
    if not first:
        raise ValueError("The file has no points; it needs one point a line, x and y separated by a comma.")
    columns = first.count(separator) + 1 if separator else len(first.split(None, 4))
    if columns not in (2, 3):
        raise ValueError(
            f"The file has {columns} column{'s' * (columns != 1)}; it needs two, x and y, or a class as third."
        )
    rows = chain([first], lines)
    if separator == ";":
        rows = (row.replace(",", ".") for row in rows)
    try:
        table = np.loadtxt(rows, delimiter=separator, ndmin=2, comments=None, quotechar='"')
    except ValueError as error:
        raise ValueError(_where(str(error))) from None
    if len(table) < 2:
        raise ValueError("The file has only one point; a data set needs at least two different points.")
    finite = np.isfinite(table).all(1)
    if not finite.all():
        raise ValueError(
            f"Point {finite.argmin() + 1} has a value that is NaN or infinite; correct or remove that line."
        )
    return torch.from_numpy(table)


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().strip('"').replace(",", "."))
    except ValueError:
        return False
    return True


def _where(error: str) -> str:
    """What `numpy.loadtxt` could not read, as a sentence that counts points from 1."""
    if cell := re.search(r"string '(.*)' to float64 at row (\d+), column (\d+)", error, re.DOTALL):
        text, row, column = cell[1], int(cell[2]) + 1, cell[3]
        text = text if len(text) <= 20 else text[:20] + "..."
        return f"Point {row} has {text!r} in column {column}, not a number; correct or remove that line."
    if ragged := re.search(r"changed from (\d+) to (\d+) at row (\d+)", error):
        before, here, row = ragged.groups()
        return f"Point {row} has a line of {here} columns after lines of {before}; give all lines the same columns."
    return "The file cannot be read as a table of numbers; it needs one point a line, x and y separated by a comma."


def _refuse_large(data: bytes, megabytes: int, what: str) -> None:
    if len(data) > megabytes * 1e6:
        raise ValueError(f"The {what} has {len(data) / 1e6:.0f} MB; make it smaller than {megabytes} MB.")
