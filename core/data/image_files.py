"""Files of images from untrusted sources: an image file, an IDX file, an ``.npz``.

Nothing here runs code from a file or allocates more memory than a limit: the size that a file announces is checked
before it is decoded, and a pickle is never opened.
"""

import gzip
import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core import limits
from core.data import image_parts
from core.problems import Problem, join_notes

if TYPE_CHECKING:
    from PIL import Image


class UnreadableImage(Problem):
    """An image file that cannot be decoded."""


FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # AVIF last: a Pillow may lack it
ENDINGS = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .webp .gif .bmp .dib .tif .tiff .pbm .pgm .ppm .pnm .avif".split()
)
_RAW = frozenset(".3fr .arw .cr2 .dng .iiq .nef .nrw .orf .pef .rw2 .srw .svs".split())  # TIFFs of a preview, mostly
RANGES = ((0, 1), (-1, 1), (0, 255), (0, 65535))  # what black and white are in arrays


def is_image(path: Path) -> bool:
    """Whether a file is to be decoded: it has the ending of an image, or any other and the header of one."""
    ending = path.suffix.lower()
    if ending in ENDINGS or ending in _RAW:
        return ending in ENDINGS
    try:
        with _open_image(path):
            return True
    except UnreadableImage:
        return False


def decode(
    file: Path | BinaryIO,
    at_least: int | None = None,
    at_most: int | None = None,
    megapixels: int = limits.SET_MEGAPIXELS,
) -> "Image.Image":
    """The image in a file, in mode "L" (grey) or "RGB", upright, on white, 16 bits scaled to 8. Every image of the
    project is decoded here. Of several frames or pages it is the first, which ``info["several"]`` says;
    ``info["dark"]`` is whether it has 16 bits and none of its values reaches a sixteenth of white.

    at_least: a JPEG may be decoded at a fraction of its size, as long as its sides stay that long. at_most: the image
    is shrunk until neither side is longer. Raises UnreadableImage for what is not a complete PNG, JPEG, WebP, GIF,
    BMP, TIFF, PNM or AVIF of at most so many ``megapixels``, and Problem for a side outside 1..4096.
    """
    if at_least is not None:
        check_side(at_least)
    with _open_image(file, megapixels) as opened:
        try:
            several = _has_several(opened)
            if at_least is not None:
                opened.draft(None, (at_least, at_least))
            image = _upright_on_white(opened, at_most)
            dark = opened.mode.startswith("I") and 0 < np.asarray(opened).max() < 4096
        except UnreadableImage:
            raise
        except Exception:
            raise UnreadableImage("image_damaged") from None
    image.info = {"several": several, "dark": dark}
    return image


def _open_image(file: Path | BinaryIO, megapixels: int = limits.SET_MEGAPIXELS) -> "Image.Image":
    """An image of which only the header is read. Raises UnreadableImage for another file and for too large a one."""
    from PIL import Image  # here, because most pages never decode an image

    try:
        if most := image_parts.exceeded(_counted(file)):
            raise UnreadableImage("image_parts", most=most)
        opened = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        raise UnreadableImage("image_megapixels", most=megapixels) from None
    except Exception as error:  # decoders raise almost anything for a malformed file, here and below
        if isinstance(error, UnreadableImage):
            raise
        if isinstance(error, OSError) and error.errno:  # closed to this user, or no longer there
            raise UnreadableImage("image_unopened") from None
        raise UnreadableImage("image_format") from None
    if opened.width * opened.height > megapixels * 1e6:
        opened.close()
        raise UnreadableImage("image_megapixels", most=megapixels)
    return opened


def _counted(file: Path | BinaryIO) -> bytes:
    """The content of a file of a format whose parts can be counted; nothing of any other."""
    with open(file, "rb") if isinstance(file, Path) else nullcontext(file) as stream:
        start = stream.read(8)
        content = start + stream.read() if image_parts.is_known(start) else b""
        stream.seek(0)
    return content


def _has_several(image: "Image.Image") -> bool:
    """Whether there are several frames or pages. Those of an MPO, a photograph, are its previews and do not count."""
    try:
        return image.format != "MPO" and getattr(image, "is_animated", False)
    except Exception:  # the second one is damaged, which is not used
        return False


def _upright_on_white(image: "Image.Image", at_most: int | None) -> "Image.Image":
    from PIL import Image, ImageOps

    image.load()
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # what the camera wrote about the image is damaged, the image is not
        pass
    if image.mode == "F" or image.mode.startswith("I"):  # more than 8 bits, which Pillow would clip
        image = Image.fromarray(_in_8_bits(np.asarray(image)))
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    try:
        image = image.convert("RGBA" if image.has_transparency_data else mode)
    except ValueError:
        raise UnreadableImage("image_mode", mode=image.mode) from None
    if at_most is not None:
        image.thumbnail((at_most, at_most), Image.Resampling.BOX)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _in_8_bits(values: np.ndarray) -> np.ndarray:
    """Grey values of 16 bits, or of floating point, as bytes. Raises UnreadableImage for those of no known range."""
    limits = range_of(values) if values.dtype.kind == "f" else (0, 65535)
    low, high = values.min().item(), values.max().item()
    if limits is None or not limits[0] <= low <= high <= limits[1]:
        raise UnreadableImage("image_values", low=low, high=high)
    return in_bytes(values, limits)


def note_of(decoded: "Image.Image") -> Problem | None:
    """A note on the frames or pages of a decoded file that are not used, and on values of 16 bits that are all dark."""
    return join_notes(
        Problem("image_first_frame") if decoded.info["several"] else None,
        Problem("image_dark") if decoded.info["dark"] else None,
    )


def image(file: Path | BinaryIO, side: int | None = None) -> Tensor:
    """The image in a file (see `decode`), uint8 [C, H, W]; C is 1 for a grey one, else 3. ``side``: see `fit`."""
    return as_tensor(decode(file, at_least=side), side)


def as_tensor(decoded: "Image.Image", side: int | None = None) -> Tensor:
    """A decoded image as bytes [C, H, W]. ``side``: see `fit`."""
    pixels = np.array(decoded)
    whole = torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())
    return whole if side is None else fit(whole[None], side)[0]


def range_of(values: np.ndarray) -> tuple[int, int] | None:
    """The values of black and white that an array of pixels has, guessed from its least and greatest value: 0 and 1,
    -1 and 1, 0 and 255, or of whole numbers 0 and 65,535. None for an array that fits none, such as one with NaN.

    A byte is from 0 to 255, unless no pixel is more than 1 and some is 1.
    """
    if values.dtype == np.uint8 and values.max() != 1:
        return 0, 255
    low, high = values.min().item(), values.max().item()
    known = RANGES[:3] if values.dtype.kind == "f" else RANGES
    return next((limits for limits in known if limits[0] <= low <= high <= limits[1]), None)


def in_bytes(values: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
    """Pixels with these values of black and white as bytes, same shape."""
    if values.dtype == np.uint8 and limits == (0, 255):
        return values
    low, high = limits
    found = np.empty(values.shape, np.uint8)
    for row, out in zip(values, found, strict=True):  # one by one, because the whole would need eight times the memory
        out[...] = np.rint((row.astype(np.float64) - low) * (255 / (high - low)))
    return found


def check_side(side: int) -> None:
    """Raise Problem for a side outside 1..4096."""
    if not 1 <= side <= limits.SIDE:
        raise Problem("image_side", most=limits.SIDE, side=side)


def check_memory(name: str, images: int, shape: Sequence[int]) -> None:
    """Raise Problem for so many images [*shape] that they would take more than 16 GB."""
    size = images * math.prod(shape) / 1e9
    if size > limits.SET_GB:
        raise Problem("image_set_memory", name=name, images=images, size=size, most=limits.SET_GB)


def fit(images: Tensor, side: int) -> Tensor:
    """Images uint8 [..., H, W], their middle square resized to [..., side, side] (bilinear, antialiased).

    Raises Problem for a side outside 1..4096.
    """
    check_side(side)
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


def npz_names(path: Path) -> list[str]:
    """The names of the arrays of an ``.npz``; that of an ``.npy`` is ``arr_0``, as ``numpy.savez`` would call it.

    Raises Problem for another file.
    """
    if _is_npy(path):
        return ["arr_0"]
    if not zipfile.is_zipfile(path):
        if _start(path) in (b"", b"PK\3\4"):  # as an interrupted download leaves it: the list of a zip is at its end
            raise Problem("file_damaged", file=path.name)
        raise Problem("npz_format", file=path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except Exception:
        raise Problem("file_damaged", file=path.name) from None


def npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays ``names`` of an ``.npz`` or ``.npy`` (see `npz_names`).

    Raises Problem for a damaged file, for more than 16 GB unpacked, and for pickled objects.
    """
    try:
        if _is_npy(path):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            _refuse_large(array.nbytes, path)
            return {"arr_0": np.array(array)}
        with np.load(path, allow_pickle=False) as archive:
            _refuse_large(sum(member.file_size for member in archive.zip.infolist()), path)
            arrays = {name: archive[name] for name in names}
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise TypeError("a member is not an array")
            return arrays
    except Problem:
        raise
    except Exception as error:
        if "Object arrays" in str(error) or "Python objects" in str(error):
            raise Problem("npz_pickled", file=path.name) from None
        raise Problem("file_damaged", file=path.name) from None


def _is_npy(path: Path) -> bool:
    return _start(path) == b"\x93NUM"


def _start(path: Path) -> bytes:
    """The first four bytes of a file; none if it cannot be opened."""
    try:
        with open(path, "rb") as file:
            return file.read(4)
    except OSError:
        return b""


def _refuse_large(size: int, path: Path) -> None:
    if size > limits.SET_GB * 1e9:
        raise Problem("file_unpacks", file=path.name, size=size / 1e9, most=limits.SET_GB)
