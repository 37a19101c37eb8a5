"""Files of images from untrusted sources: an image file, an IDX file, an ``.npz``.

Nothing here runs code from a file or allocates more memory than a limit: the size that a file announces is checked
before it is decoded, and a pickle is never opened.
"""

import gzip
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.problems import Problem

if TYPE_CHECKING:
    from PIL import Image

MAX_MEGAPIXELS = 64
MAX_GB = 16
MAX_SIDE = 4096


class UnreadableImage(Problem):
    """An image file that cannot be decoded."""


_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def decode(
    file: Path | BinaryIO, at_least: int | None = None, at_most: int | None = None, megapixels: int = MAX_MEGAPIXELS
) -> "Image.Image":
    """The image in a file, in mode "L" (grey) or "RGB", upright, on white, 16 bits scaled to 8. Every image of the
    project is decoded here.

    at_least: a JPEG may be decoded at a fraction of its size, as long as its sides stay that long. at_most: the image
    is shrunk until neither side is longer. Raises UnreadableImage for what is not a complete PNG, JPEG, WebP, GIF or
    BMP of at most so many ``megapixels``.
    """
    from PIL import Image  # here, because most pages never decode an image

    try:
        opened = Image.open(file, formats=_FORMATS)  # reads the header only
    except Image.DecompressionBombError:
        raise UnreadableImage("image_megapixels", most=megapixels) from None
    except Exception:  # decoders raise almost anything for a malformed file, here and below
        raise UnreadableImage("image_format") from None
    with opened:
        if opened.width * opened.height > megapixels * 1e6:
            raise UnreadableImage("image_megapixels", most=megapixels)
        try:
            if at_least is not None:
                opened.draft(None, (at_least, at_least))
            return _upright_on_white(opened, at_most)
        except Exception:
            raise UnreadableImage("image_damaged") from None


def _upright_on_white(image: "Image.Image", at_most: int | None) -> "Image.Image":
    from PIL import Image, ImageOps

    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip instead of scaling
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    image = ImageOps.exif_transpose(image)
    image = image.convert("RGBA" if image.has_transparency_data else mode)
    if at_most is not None:
        image.thumbnail((at_most, at_most), Image.Resampling.BOX)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def image(file: Path | BinaryIO, side: int | None = None) -> Tensor:
    """The image in a file (see `decode`), uint8 [C, H, W]; C is 1 for a grey one, else 3. ``side``: see `fit`."""
    pixels = np.array(decode(file, at_least=side))
    whole = torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())
    return whole if side is None else fit(whole[None], side)[0]


def fit(images: Tensor, side: int) -> Tensor:
    """Images uint8 [..., H, W], their middle square resized to [..., side, side] (bilinear, antialiased).

    Raises Problem for a side outside 1..4096.
    """
    if not 1 <= side <= MAX_SIDE:
        raise Problem("image_side", most=MAX_SIDE, side=side)
    height, width = images.shape[-2:]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = images[..., top : top + edge, left : left + edge]
    if edge == side:
        return square.contiguous()
    channels = square.reshape(-1, 1, edge, edge)
    resized = F.interpolate(channels, (side, side), mode="bilinear", antialias=True)
    return resized.reshape(*images.shape[:-2], side, side)


def idx(path: Path) -> Tensor:
    """The array of bytes in an IDX file, gzipped or not: uint8, images [N, H, W] or labels [N] (LeCun's MNIST format).

    Raises Problem for a file without the header of one, for more than 16 GB, and for a length that differs from the
    announced one.
    """
    try:
        with open(path, "rb") as file:
            opener = gzip.open if file.read(2) == b"\x1f\x8b" else open
        with opener(path, "rb") as file:
            zeros, kind, dimensions = struct.unpack(">HBB", file.read(4))
            if zeros or kind != 0x08 or dimensions not in (1, 3):
                raise Problem("idx_format", file=path.name)
            shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
            announced = math.prod(shape)
            _refuse_large(announced, path)
            data = file.read(announced + 1)
    except (OSError, EOFError, zlib.error, struct.error, MemoryError):
        raise Problem("file_damaged", file=path.name) from None
    if len(data) != announced:
        raise Problem("idx_length", file=path.name, announced=announced)
    return torch.from_numpy(np.frombuffer(bytearray(data), np.uint8)).reshape(shape)


def npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of the arrays ``names`` that an ``.npz`` holds.

    Raises Problem for a file that is not a complete archive of arrays, for more than 16 GB unpacked, and for pickled
    objects.
    """
    if not zipfile.is_zipfile(path):
        raise Problem("npz_format", file=path.name)
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = [name for name in names if name in archive.files]
            _refuse_large(sum(member.file_size for member in archive.zip.infolist()), path)
            arrays = {name: archive[name] for name in found}
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise TypeError("a member is not an array")
            return arrays
    except Problem:
        raise
    except Exception as error:
        if "Object arrays" in str(error):
            raise Problem("npz_pickled", file=path.name) from None
        raise Problem("file_damaged", file=path.name) from None


def _refuse_large(size: int, path: Path) -> None:
    if size > MAX_GB * 1e9:
        raise Problem("file_unpacks", file=path.name, size=size / 1e9, most=MAX_GB)
