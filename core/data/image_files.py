"""Files of images, from anybody, as bytes: a picture, an IDX file, an ``.npz``.

Nothing here can run code or take more memory than a limit: the size that a file announces is looked at before it is
decoded, and a pickle is never opened. Every problem is a ValueError of one sentence.
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

if TYPE_CHECKING:
    from PIL import Image

MAX_MEGAPIXELS = 64
MAX_GB = 16
MAX_SIDE = 4096


class Unreadable(ValueError):
    """A picture that cannot be had from its file; the message ends a sentence that begins with the file's name."""


_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def image(file: Path | BinaryIO, side: int | None = None) -> Tensor:
    """The picture in a file, uint8 [C, H, W], upright and on white; C is 1 for a grey one, else 3. ``side``: see `fit`.

    Raises Unreadable for what is not a whole PNG, JPEG, WebP, GIF or BMP of at most 64 megapixels.
    """
    from PIL import Image  # here, because most pages never decode a picture

    try:
        opened = Image.open(file, formats=_FORMATS)  # reads the header only
    except Image.DecompressionBombError:
        raise Unreadable(f"has more than {MAX_MEGAPIXELS} megapixels") from None
    except Exception:  # of a strange file the decoders raise almost anything, here and below
        raise Unreadable("is not a whole PNG, JPEG, WebP, GIF or BMP image") from None
    with opened:
        if opened.width * opened.height > MAX_MEGAPIXELS * 1e6:
            raise Unreadable(f"has more than {MAX_MEGAPIXELS} megapixels")
        try:
            if side is not None:
                opened.draft(None, (side, side))  # lets a JPEG decode at an eighth of its size
            pixels = np.array(_on_white(opened))
        except Exception:
            raise Unreadable("is damaged or cut short") from None
    whole = torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())
    return whole if side is None else fit(whole[None], side)[0]


def fit(images: Tensor, side: int) -> Tensor:
    """Images uint8 [N, C, H, W], their middle square resized to [N, C, side, side] (bilinear, antialiased).

    Raises ValueError for a side outside 1..4096.
    """
    if not 1 <= side <= MAX_SIDE:
        raise ValueError(f"An image has a side of 1 to {MAX_SIDE:,} pixels, not {side}.")
    height, width = images.shape[-2:]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = images[..., top : top + edge, left : left + edge]
    return square.contiguous() if edge == side else F.interpolate(square, (side, side), mode="bilinear", antialias=True)


def idx(path: Path) -> Tensor:
    """The array of bytes in an IDX file, gzipped or not: uint8, images [N, H, W] or labels [N] (LeCun's MNIST format).

    Raises ValueError for a file that does not begin like one, that announces more than 16 GB, or whose length is not
    the one it announces.
    """
    try:
        with open(path, "rb") as file:
            opener = gzip.open if file.read(2) == b"\x1f\x8b" else open
        with opener(path, "rb") as file:
            zeros, kind, dimensions = struct.unpack(">HBB", file.read(4))
            if zeros or kind != 0x08 or dimensions not in (1, 3):
                raise ValueError(f"{path.name} is not an IDX file of bytes; its first four bytes are others.")
            shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
            announced = math.prod(shape)
            _refuse_large(announced, path)
            data = file.read(announced + 1)
    except (OSError, EOFError, zlib.error, struct.error, MemoryError):
        raise ValueError(f"{path.name} is damaged or cut short, or cannot be opened; fetch it again.") from None
    if len(data) != announced:
        where = "fewer" if len(data) < announced else "more"
        raise ValueError(f"{path.name} holds {where} than the {announced:,} bytes it announces; fetch it again.")
    return torch.from_numpy(np.frombuffer(bytearray(data), np.uint8)).reshape(shape)


def npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of the arrays ``names`` that an ``.npz`` holds.

    Raises ValueError for a file that is not a whole archive of arrays, for one of more than 16 GB unpacked, and for
    pickled objects.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path.name} is not an .npz file, or it cannot be opened; write it with numpy.savez.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = [name for name in names if name in archive.files]
            _refuse_large(sum(member.file_size for member in archive.zip.infolist()), path)
            arrays = {name: archive[name] for name in found}
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise TypeError("a member is not an array")
            return arrays
    except _TooLarge:
        raise
    except Exception as problem:
        if "Object arrays" in str(problem):
            raise ValueError(
                f"{path.name} holds pickled objects, which could run code and are not opened; save plain arrays."
            ) from None
        raise ValueError(f"{path.name} is damaged or cut short; save or fetch it again.") from None


class _TooLarge(ValueError):
    pass


def _refuse_large(size: int, path: Path) -> None:
    if size > MAX_GB * 1e9:
        raise _TooLarge(f"{path.name} unpacks to {size / 1e9:,.0f} GB; split it into files of at most {MAX_GB} GB.")


def _on_white(image: "Image.Image") -> "Image.Image":
    from PIL import Image, ImageOps

    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip rather than scale
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA")
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if grey else "RGB")
