"""What random inputs are made of. All of it follows from a ``random.Random``."""

import io
import json
import os
from random import Random
from typing import Any

import numpy as np
from PIL import Image

LETTERS = (
    "abcXYZ 0189.,;:'\"-_/\\|#%{}[]()<>$`*~@!?=+&",
    "éüßñçøœÅþ",
    "ДжЖщыё",
    "你好猫狗红色帽子",
    "ねこカタカナ",
    "고양이한글",
    "नमस्तेक्षि",
    "สวัสดีแมว",
    "مرحباقطة",
    "שלוםחתול",
    "👍👩‍🚀🏽🇫🇷🙂",
    "e\u0301a\u0308\u200b\u200d\u202e\ufeff\u00a0\u3000",
    "\t\r\n\x0b\x0c\x00\x1b\x7f",
    "\ud800\udce9",
)  # the last two only where any code point may come
NUMBERS = (0, 1, -1, 2, 3, 5, 8, 0.5, -0.0, 1e-320, 1e-9, 1e9, 1e38, 1e300, 2**31, 2**53 + 1, 2**63, -(2**64), 10**40)
WHOLE = (-(2**64), -1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 33, 2**63, 10**40)
ENCODINGS = ("utf-8-sig", "utf-8-sig", "utf-8-sig", "utf-16", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1",
             "cp1252", "cp1251", "gb18030", "shift_jis", "utf-7")  # fmt: skip
ODD_CELLS = (
    "",
    "nan",
    "inf",
    "-",
    "1e",
    "0x1f",
    "1_000",
    "1 000",
    "１",
    "٣",
    "2026-01-31",
    "12:30",
    "10%",
    "€5",
    "cat",
)
LINE_ENDS = ("\n", "\r\n", "\r")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "ICO", "PPM", "TGA", "JPEG2000", "PDF", "PCX")


def text(chance: Random, most: int = 12, everything: bool = True) -> str:
    """A text of one or two scripts; everything: also control characters and halves of surrogates."""
    scripts = chance.sample(LETTERS if everything else LETTERS[:-2], 2)
    return "".join(chance.choice(chance.choice(scripts)) for _ in range(chance.randint(0, most)))


def file_name(chance: Random) -> str:
    """A name that a file can have on this system; on Linux sometimes bytes that are no text."""
    bare = "".join(sign for sign in text(chance, everything=False) if sign not in '/\\<>:"|?*\r\n')
    if os.name == "posix" and chance.random() < 0.05:
        bare = os.fsdecode(b"caf\xe9" + bytes([chance.randrange(128, 256)]))
    return chance.choice(["", "", "", ".", "-"]) + (bare.strip() or "x") + str(chance.randrange(100))


def value(chance: Random, depth: int = 2) -> Any:
    """Something that JSON can say."""
    kind = chance.randrange(8 if depth else 6)
    if kind == 6:
        return [value(chance, depth - 1) for _ in range(chance.randint(0, 4))]
    if kind == 7:
        return {text(chance, 6): value(chance, depth - 1) for _ in range(chance.randint(0, 3))}
    plain = (None, True, False, float("nan"), float("inf"), "")
    return (chance.choice(plain), chance.choice(NUMBERS), text(chance), chance.randint(-9, 99), chance.random(), "1")[
        kind
    ]


def json_file(chance: Random, content: Any) -> bytes:
    """A value as JSON, in some encoding, sometimes damaged."""
    written = json.dumps(content, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1]))
    return sometimes_damaged(chance, encoded(chance, written), 0.2)


def encoded(chance: Random, written: str) -> bytes:
    """A text in some encoding, mostly UTF-8."""
    encoding = "utf-8" if chance.random() < 0.8 else chance.choice(ENCODINGS)
    return written.encode(encoding, "surrogatepass" if encoding.startswith("utf-8") else "replace")


def damaged(chance: Random, content: bytes) -> bytes:
    """The content cut, with bytes changed, added or taken away, or something else altogether."""
    changed = bytearray(content)
    at, size = chance.randint(0, len(content)), chance.randint(0, 40)
    match chance.randrange(7):
        case 0:
            return content[:at]
        case 1:
            changed[at : at + size] = b""
        case 2:
            changed[at:at] = chance.randbytes(size)
        case 3:
            changed[at:at] = content[: chance.randint(0, 400)]
        case 4:
            changed[at : at + size] = bytes(len(changed[at : at + size]))
        case 5 if content:
            for _ in range(chance.randint(1, 8)):
                changed[chance.randrange(len(content))] = chance.randrange(256)
        case _:
            beginning = chance.choice(
                [b"", b"PK\3\4", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b", b"\x93NUMPY", b"\x80\x04", b"{", b"\0"]
            )
            return beginning + chance.randbytes(size)
    return bytes(changed)


def sometimes_damaged(chance: Random, content: bytes, share: float = 0.3) -> bytes:
    """The content, in a share of cases damaged."""
    return damaged(chance, content) if chance.random() < share else content


def table(chance: Random, columns: list[str], rows: list[list[str]]) -> bytes:
    """A table in some dialect, sometimes with ragged rows, comments and empty lines, sometimes damaged."""
    separator, end, header = chance.choice(",,,,;;\t\t| "), chance.choice(LINE_ENDS), chance.random() < 0.8
    quote = "'" if chance.random() < 0.05 else '"'
    lines, ragged = [], chance.random() < 0.2
    for row in [columns, *rows] if header else rows:
        cells = [cell.replace('"', '""') for cell in row]
        if ragged and chance.random() < 0.2:
            cells = cells[:-1] if chance.random() < 0.5 else [*cells, text(chance)]
        whole = chance.random() < 0.3
        lines.append(separator.join(f"{quote}{cell}{quote}" if whole or separator in cell else cell for cell in cells))
        if chance.random() < 0.05:
            lines.append(chance.choice(["", "# a note", separator * 3, " "]))
    return sometimes_damaged(chance, encoded(chance, end.join(lines) + chance.choice(["", end, end * 2])), 0.2)


def cell(chance: Random, odd: bool) -> str:
    """A cell of a table of numbers; odd: now and then what is hardly one."""
    if odd and chance.random() < 0.1:
        return chance.choice(ODD_CELLS)
    number = chance.choice([chance.gauss(0, 1), chance.randint(-9, 9), *([chance.choice(NUMBERS)] if odd else [])])
    written = f"{number:.{chance.randint(0, 9)}g}" if abs(number) < 1e300 else repr(number)
    if odd and chance.random() < 0.3:
        written = written.replace(".", ",")
    return written


def array(chance: Random) -> np.ndarray:
    """An array of any type and of a few axes, some of them empty."""
    shape = tuple(chance.choice([0, 1, 2, 3, 4, 5, 8]) if chance.random() < 0.1 else chance.randint(1, 5)
                  for _ in range(chance.randint(0, 5)))  # fmt: skip
    draw = np.random.default_rng(chance.getrandbits(32))
    kind = chance.choice(["u1", "u1", "u1", "i1", "i8", "u8", "f2", "f4", "f8", "c8", "?", "U3", "S3", "M8[s]", "O"])
    numbers = draw.integers(0, chance.choice([1, 2, 10, 256]), shape)
    if kind in ("f2", "f4", "f8"):
        numbers = numbers / chance.choice([1, 255, 1e30]) - chance.choice([0, 1])
        numbers = np.where(draw.random(shape) < chance.choice([0, 0, 0.1]), np.nan, numbers)
    with np.errstate(all="ignore"):
        return np.asarray(numbers).astype(kind)


def picture(chance: Random, any_mode: bool = True) -> Image.Image:
    """An image of at most 40 pixels a side, of any mode, or grey or in colour."""
    size = tuple(chance.choice([1, 2, 3, 8, chance.randint(1, 40)]) for _ in range(2))
    mode = chance.choice(MODES) if any_mode else chance.choice(["L", "RGB"])
    ramp = Image.frombytes("L", size, chance.randbytes(size[0] * size[1]))
    ramp = ramp if chance.random() < 0.8 else Image.new("L", size)
    if mode in ("LAB", "I;16", "PA"):
        return {"LAB": lambda: Image.merge("LAB", [ramp] * 3), "I;16": lambda: ramp.convert("I").convert("I;16"),
                "PA": lambda: ramp.convert("LA").convert("PA")}[mode]()  # fmt: skip
    return (ramp.convert("RGB") if mode in ("CMYK", "YCbCr", "HSV") else ramp).convert(mode)


def image_file(chance: Random) -> bytes:
    """An image file of some format, sometimes with EXIF orientation, several frames or a profile, sometimes damaged."""
    image, kind = picture(chance), chance.choice(FORMATS)
    more: dict[str, Any] = {}
    if chance.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = chance.choice([*range(10), 2**16 - 1])
        more["exif"] = exif
    if chance.random() < 0.2:
        more |= {"save_all": True, "append_images": [image]}
    if chance.random() < 0.1:
        more["icc_profile"] = chance.randbytes(60)
    stream = io.BytesIO()
    try:
        # Pillow's writer of AVIF crashes on such a profile; its reader is what is tried here.
        image.save(stream, kind, **({} if kind == "AVIF" else more))
    except Exception:  # this format has no such images, for which its writer raises any of many
        stream = io.BytesIO()
        picture(chance, any_mode=False).save(stream, "PNG")
    return sometimes_damaged(chance, stream.getvalue())
