"""Point sets from a user's own data: a word, an image, a CSV file, a drawing."""

import io
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core import limits, seeds
from core.data import image_files, point_tables
from core.data.points import Draw, PointSet, Shape, from_raw, from_shape, join_strokes, uniform_along
from core.problems import Problem, join_notes

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

CHINESE = Path(__file__).parents[1] / "figures" / "fonts" / "NotoSansSC-subset.ttf"

_IMAGE_SIDE = 160


def from_word(text: str, n: int = 1000, seed: int = 0) -> PointSet:
    """``n`` points spread evenly over the ink of a typed word of at most 12 letters: DejaVu Sans Bold, for Chinese ones
    Noto Sans SC.

    Raises Problem for an empty or too long word and for letters that the font lacks.
    """
    word = " ".join(unicodedata.normalize("NFC", text).split())
    if not word:
        raise Problem("word_empty")
    if len(word) > limits.LETTERS:
        raise Problem("word_too_long", letters=len(word), most=limits.LETTERS)
    return from_shape("word", Shape(_over_ink(_letters(word))), n, seed)


def from_image(data: bytes, n: int = 1000, seed: int = 0) -> PointSet:
    """``n`` points drawn from the dark pixels of an image file, each with probability proportional to its darkness.

    The image is shrunk to at most 160 pixels a side; its lightest grey counts as paper. Raises Problem for a file that
    is not a complete image that `image_files.decode` knows, of at most 30 MB and 20 megapixels, and for an image of one
    brightness.
    """
    if len(data) > limits.IMAGE_MB * 1e6:
        raise Problem("image_file_size", size=len(data) / 1e6, most=limits.IMAGE_MB)
    image = image_files.decode(io.BytesIO(data), _IMAGE_SIDE, _IMAGE_SIDE, limits.MEGAPIXELS)
    grey = np.asarray(image.convert("L"), dtype=np.float64)
    paper, ink = grey.max(), grey.min()
    if paper - ink < 8:
        raise Problem("image_one_brightness")
    darkness = (paper - grey) / (paper - ink)
    # The lightest tenth counts as paper: compression noise on a white page would otherwise attract many points.
    points = from_shape("image", Shape(_over_ink(np.where(darkness < 0.1, 0.0, darkness))), n, seed)
    return replace(points, note=image_files.note_of(image))


def from_csv(data: bytes) -> PointSet:
    """The points of a CSV file: two columns of numbers, x and y, and if there is a third, the class of each point.

    Every dialect that `point_tables.read` knows is read; ``note`` says what was taken for a header, an index or a
    separator. Of more than 5,000 rows a fixed random 5,000 are kept, which ``note`` says too. Raises Problem for
    anything but a text file of at most 15 MB with at least two different finite points and at most 3 classes, and of
    at most 200,000 lines where they are not plain numbers.
    """
    if len(data) > limits.CSV_MB * 1e6:
        raise Problem("csv_file_size", size=len(data) / 1e6, most=limits.CSV_MB)
    if _has_long_line(data, int(limits.CSV_LINE_MB * 1e6)):
        raise Problem("csv_long_line", most=limits.CSV_LINE_MB)
    table = point_tables.read(data)
    raw, labels = torch.from_numpy(table.xy.copy()), None
    if table.labels is not None:
        labels = torch.from_numpy(table.labels)
    total, note = len(raw), table.note
    if total > limits.CSV_POINTS:
        kept = torch.randperm(total, generator=seeds.generator(0))[: limits.CSV_POINTS].sort().values
        raw, labels = raw[kept], None if labels is None else labels[kept]
        note = join_notes(Problem("csv_sampled", total=total, kept=len(kept)), note)

    return from_raw("csv", Shape(partial(_of_rows, raw, labels), classes=table.classes), raw, labels, note)


def _of_rows(raw: Tensor, labels: Tensor | None, u: Tensor) -> tuple[Tensor, Tensor | None]:
    chosen = (u[:, 0] * len(raw)).long()
    return raw[chosen], None if labels is None else labels[chosen]


def _has_long_line(data: bytes, most: int) -> bool:
    """Whether a line has more bytes. Looks for the last line end within reach, so that it need not look at each."""
    place = 0
    while len(data) - place > most:
        reach = place, place + most + 1
        place = 1 + max(data.rfind(b"\n", *reach), data.rfind(b"\r", *reach))
        if not place:
            return True
    return False


def from_drawing(strokes: Sequence[np.ndarray | Sequence[Sequence[float]]], n: int = 200, seed: int = 0) -> PointSet:
    """``n`` points spread evenly, by arc length, along strokes [k, 2] in the unit square, y upwards.

    What lies outside the square is moved to its edge. Raises Problem for an empty drawing, for one that is only dots,
    and for strokes that are not lists of at most 100,000 finite pairs.
    """
    if not isinstance(strokes, Sequence):
        raise Problem("drawing_stroke")
    lines = [line for line in map(_stroke, strokes) if len(line) > 1]
    if not any(len(stroke) for stroke in strokes):
        raise Problem("drawing_empty")
    if sum(len(line) for line in lines) > limits.VERTICES:
        raise Problem("drawing_vertices", most=limits.VERTICES)
    if sum(line.diff(dim=0).norm(dim=1).sum().item() for line in lines) < 0.02:
        raise Problem("drawing_dot")
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
        raise Problem("drawing_stroke")
    return line.clamp(0, 1)


def _over_ink(ink: np.ndarray) -> Draw:
    """Draws with density proportional to ``ink`` [h, w] (row 0 on top), uniform within a pixel; units are pixels."""
    width = ink.shape[1]
    share = torch.as_tensor(ink, dtype=torch.float64).flatten().cumsum(0)
    return partial(_in_pixels, share / share[-1], width)


def _in_pixels(share: Tensor, width: int, u: Tensor) -> tuple[Tensor, None]:
    pixel = torch.searchsorted(share, u[:, 0].contiguous(), right=True).clamp(max=len(share) - 1)
    corner = torch.stack((pixel % width, -(pixel // width)), 1)
    return corner + u[:, 1:] * torch.tensor([1.0, -1.0], dtype=torch.float64), None


def _letters(word: str) -> np.ndarray:
    """The ink of a word, [h, w] in 0..1."""
    from PIL import Image, ImageDraw

    runs = _runs(word)
    ends = np.cumsum([0.0, *(font.getlength(letters) for font, letters in runs)])
    boxes = [font.getbbox(letters, anchor="ls") for font, letters in runs]
    left, right = (fold(x + box[i] for x, box in zip(ends, boxes, strict=False)) for fold, i in ((min, 0), (max, 2)))
    top, bottom = min(box[1] for box in boxes), max(box[3] for box in boxes)
    if right <= left or bottom <= top:
        raise Problem("word_invisible")
    image = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
    draw = ImageDraw.Draw(image)
    for x, (font, letters) in zip(ends, runs, strict=False):
        draw.text((x - left, -top), letters, fill=255, font=font, anchor="ls")
    return np.asarray(image) / 255


def _runs(word: str) -> list[tuple["FreeTypeFont", str]]:
    """The parts of a word, each with the font that has its letters."""
    from PIL import ImageFont

    # Matplotlib ships the first font and needs Pillow: both are there without importing the former.
    latin = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    fonts = [ImageFont.truetype(file, 64) for file in (latin, CHINESE)]
    known = [(font, bytes(font.getmask("\U0010ffff"))) for font in fonts]

    def font_of(letter: str) -> int:
        found = (i for i, (font, absent) in enumerate(known) if bytes(font.getmask(letter)) != absent)
        number = next(found, None)
        if number is None:
            raise Problem("word_letter", letter=letter)
        return number

    return [(fonts[number], "".join(letters)) for number, letters in groupby(word, font_of)]
