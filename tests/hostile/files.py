"""Files that are made to cost their reader time or memory, or to end it; each follows from its kind and a number.

``KINDS`` names what makes each: it takes a source of chance and the size of its excess, about 1 for the worst that a
page takes, and returns the content. ``DOORS`` says which of them a field of a page is meant for.
"""

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from random import Random

from PIL import Image

from core.data import uploads
from core.models import points
from core.models.points import PointConfig
from core.runs import checkpoints

MOST = 29_000_000  # bytes; a page takes 30 MiB
Maker = Callable[[Random, float], bytes]


# Tables of points


def repeated(*units: bytes) -> Maker:
    """Any of the units again and again."""

    def make(chance: Random, size: float) -> bytes:
        unit = chance.choice(units)
        return unit * max(2, int(MOST * size / len(unit)))

    return make


def random_bytes(chance: Random, size: float) -> bytes:
    """Bytes of no meaning, or of letters of some old encoding."""
    low, high = chance.choice([(0, 256), (1, 256), (192, 256), (48, 58), (97, 123), (161, 255)])
    block = bytes(chance.randrange(low, high) if k % 9 else chance.choice(b" ,\n") for k in range(10_000))
    return block * max(1, int(MOST * size / len(block)))


def endless_cell(chance: Random, size: float) -> bytes:
    """One point, and a cell that never ends."""
    return b"1,2\n" + chance.choice([b"3,", b'"', b"x,y,"]) + chance.choice([b"9", b"a", b"\xff"]) * int(MOST * size)


def many_classes(chance: Random, size: float) -> bytes:
    """Each point of its own class, or with digits without end."""
    form = chance.choice(["{0}.5,{0},c{0}\n", "{0},1e{0}\n", "{0}.25,-{0},{0}\n"])
    return "".join(form.format(k) for k in range(int(1_500_000 * size) + 2)).encode()


# Images


def chunk(name: bytes, body: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@cache
def zeros(megabytes: int) -> bytes:
    """So many compressed zeros."""
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(bytes(10**6)) for _ in range(megabytes)]) + packer.flush()


def png(chance: Random, size: float) -> bytes:
    """A PNG of enormous sides, of all pixels that are allowed, or with enormous text, profile or number of parts."""
    side = chance.choice([1, 300, 4_470, 8_000, 65_000, 2**31 - 1])
    depth, colour = chance.choice([(8, 6), (8, 2), (16, 6), (16, 0), (1, 0), (8, 3), (8, 4), (3, 9)])
    header = struct.pack(">IIBBBBB", side, side if side < 2**20 else 1, depth, colour, 0, 0, chance.choice([0, 0, 1]))
    more = {
        "none": b"",
        "text": chunk(b"zTXt", b"k\0\0" + zeros(int(300 * size) + 1)) * 2,
        "profile": chunk(b"iCCP", b"k\0\0" + zeros(int(300 * size) + 1)),
        "parts": chunk(b"tEXt", b"a\0b") * int(1_500_000 * size),
        "frames": chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)),
    }[chance.choice(["none", "none", "text", "profile", "parts", "frames"])]
    palette = chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(256)) if colour == 3 else b""
    body = chunk(b"IDAT", zeros(min(170, int(200 * size) + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + palette + body + chunk(b"IEND", b"")


def gif(chance: Random, size: float) -> bytes:
    """A GIF of very many frames, some of them larger than the whole."""
    side = chance.choice([1, 4_000, 65_535])
    head = b"GIF89a" + struct.pack("<HHBBB", side, chance.choice([1, side]), 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    frame = b"!\xf9\x04\x09\x01\0\0\0," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\0"
    return head + frame * int(chance.choice([2, 100_000, 1_000_000]) * size + 1) + chance.choice([b";", b""])


def jpeg(chance: Random, size: float) -> bytes:
    """A JPEG whose scans, or markers, never end, or of enormous sides."""
    stream, side = io.BytesIO(), chance.choice([16, 4_400])
    Image.new("RGB", (side, side), "red").save(stream, "JPEG", progressive=True)
    whole = stream.getvalue()
    scan = whole.rfind(b"\xff\xda")
    kind = chance.choice(["scans", "scans", "markers", "sides", "cut"])
    if kind == "scans":
        return whole[:scan] + whole[scan:-2] * int(20_000 * size + 1) + b"\xff\xd9"
    if kind == "markers":
        return whole[:2] + (b"\xff\xe1\0\x10Exif\0\0II*\0\x08\0\0\0" + b"\xff\xfe\0\x03a") * int(1e6 * size) + whole[2:]
    if kind == "sides":
        place = whole.find(b"\xff\xc2")
        return whole[: place + 5] + b"\xff\xfe\xff\xfe" + whole[place + 9 :]
    return whole[: chance.randrange(len(whole))]


def tiff(chance: Random, size: float) -> bytes:
    """A TIFF of very many pages, of pages in a circle, of enormous counts, or that unpacks to far more."""
    pages = int(chance.choice([1, 1, 300_000]) * size + 1)
    side = chance.choice([1, 4_400, 60_000])
    strip = zeros(min(170, int(60 * size) + 1))
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8),
            (277, 3, 1, 1), (278, 4, 1, side), (279, 4, 1, len(strip)),
            (700, 1, chance.choice([1, 2**31]), chance.choice([8, 2**31]))]  # fmt: skip
    body, length = io.BytesIO(), 2 + 12 * len(tags) + 4
    first = 8 + len(strip)
    body.write(b"II*\0" + struct.pack("<I", first) + strip)
    for k in range(pages):
        after = first + (k + 1) * length if k + 1 < pages else chance.choice([0, first])
        body.write(struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags))
        body.write(struct.pack("<I", after))
    return body.getvalue()


def netpbm(chance: Random, size: float) -> bytes:
    """A PNM with a header without end, or of other numbers than its pixels."""
    filling = chance.choice([b"# a\n", b" ", b"0", b"9"]) * int(5_000_000 * size)
    return chance.choice([b"P6", b"P2", b"P1", b"Pf", b"P7"]) + b"\n" + filling + b" 4400 4400 255\n" + bytes(1000)


# Checkpoints


def zipped(files: dict[str, bytes], packed: bool = True) -> bytes:
    """A zip of files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@cache
def model() -> dict[str, bytes]:
    """The files of a small model of points."""
    config, data = PointConfig(steps=1, batch=16), uploads.from_drawing([[(0, 0), (1, 1)]], 8)
    *_, progress = points.run(config, data)
    return checkpoints.to_files(points.checkpoint_of(progress, config, data))


def tensors(chance: Random, size: float) -> bytes:
    """A checkpoint whose header of tensors is enormous, deep, or a lie."""
    kind = chance.choice(["many", "many", "deep", "long", "lie", "name", "shape", "dict"])
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = {
        "many": lambda: ",".join(f'"{k}":{json.dumps(entry)}' for k in range(int(1e6 * size))),
        "deep": lambda: '"a":' + "[" * int(MOST * size),
        "long": lambda: '"a":' + " " * int(MOST * size) + json.dumps(entry),
        "lie": lambda: '"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}',
        "name": lambda: '"' + "a" * int(MOST * size) + '":' + json.dumps(entry),
        "shape": lambda: '"a":{"dtype":"F32","shape":[' + "1," * int(1e7 * size) + '0],"data_offsets":[0,0]}',
        "dict": lambda: '"__metadata__":{' + ",".join(f'"{k}":"a"' for k in range(int(1e6 * size))) + "}",
    }[kind]()
    body = b"{" + header.encode() + b"}"
    length = chance.choice([len(body), len(body), 2**63, 0, len(body) + 10**9])
    part = struct.pack("<Q", length) + body
    return zipped({**model(), chance.choice(["model", "ema", "optimizer"]) + ".safetensors": part})


def config(chance: Random, size: float) -> bytes:
    """A checkpoint whose settings are enormous or impossible."""
    files, stored = dict(model()), json.loads(model()["config.json"])
    many = int(3e6 * size)
    odd = [2**70, 10**400, -1, 0, 1e308, float("nan"), float("inf"), "9" * many, "\ud800", None, [], {}, [[]] * 9,
           [0.5] * many, dict.fromkeys(map(str, range(many // 4)), 1), 10**12, 65_537]  # fmt: skip
    part = stored
    while True:
        name = chance.choice(list(part) if isinstance(part, dict) else list(range(len(part))))
        if not (isinstance(part[name], dict | list) and part[name]) or chance.random() < 0.1:
            break
        part = part[name]
    part[name] = chance.choice(odd)
    text = json.dumps(stored)
    if chance.random() < 0.3:
        text = chance.choice(['{"a":' * many, "[" * many, " " * many + text, f'{{"a":{"9" * many}}}', text * 2])
    files["config.json"] = text.encode()
    return zipped(files)


def archive(chance: Random, size: float) -> bytes:
    """A zip that unpacks to far more than it is, has very many members, or lies about them."""
    files = dict(model())
    kind = chance.choice(["bomb", "members", "twice", "lie", "places", "link", "cut", "locked"])
    if kind == "bomb":
        name = chance.choice(["config.json", "model.safetensors", "ema.safetensors", "other"])
        files[name] = chance.choice([b" ", b"\0"]) * int(chance.choice([190, 400]) * 1e6 * size + 1)
    elif kind == "members":
        return zipped({f"{k}/config.json": b"" for k in range(int(150_000 * size) + 2)} | files, packed=False)
    elif kind == "places":
        files = {chance.choice(["../", "/etc/", "a/" * 999, "C:\\", "a\0", ""]) + name: files[name] for name in files}
    elif kind == "link":
        files["config.json"] = b"/etc/passwd"
    content = bytearray(zipped(files))
    if kind == "lie":
        content = content.replace(struct.pack("<I", len(files["config.json"])), struct.pack("<I", 5))
    elif kind == "twice":
        content = content + content
    elif kind == "locked":
        content = content.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    return bytes(content[: chance.randrange(len(content))] if kind == "cut" else content)


def pickled(chance: Random, size: float) -> bytes:
    """A pickle, alone or as PyTorch packs it."""

    class Runs:
        def __reduce__(self) -> tuple:
            return print, ("a stranger's code has run",)

    body = pickle.dumps([Runs()], protocol=chance.choice([0, 2, 4, 5]))
    return chance.choice([body, zipped({"archive/data.pkl": body}), zipped({**model(), "data.pkl": body})])


# Lecture plans


def plan(chance: Random, size: float) -> bytes:
    """A plan that is deep, long or odd."""
    many = int(1e6 * size)
    view = '[[view]]\naddress = "home?w=1"\n'
    return chance.choice([
        "a = " + "[" * many, "a." * (many // 3) + "b = 1", "a = " + "{a=" * (many // 4), view * (many // len(view)),
        f"version = 1\n{view}minutes = {'9' * many}", f'version = 1\ntitle = "{"x" * many}"', "[a]\n" * (many // 5),
        "\n".join(f"[{'.'.join('abcdefgh'[:1 + k % 8])}.x{k}]" for k in range(many // 15)),
        f'version = 1\n{view}minutes = inf\n{view}minutes = nan', "version = 1979-05-27T07:32:00Z", "'''" + "'" * many,
        f'version = 1\n[[view]]\naddress = "{"[" * 9}"', f'version = 1\n[[view]]\naddress = "home?{"a&" * 3000}"',
    ]).encode()  # fmt: skip


KINDS: dict[str, Maker] = {
    "repeated": repeated(b"1,", b'"', b"1,2\n", b"1;2;\n", b"\n", b" ", b"#\n", b"\0", b"\xff\xfe", b"1 2 3 4\r",
                         b",,\n", b'""', b"sep=,\n", b"1,2,a\n", "１,２\n".encode(), b"1.234.567,8;9\n",
                         b'"1,234","5,678"\n', b"1e999,2\n", b"x,y\n", "é,1\n".encode("latin-1"),
                         "你,1\n".encode("gb2312")),
    "random_bytes": random_bytes, "endless_cell": endless_cell, "many_classes": many_classes,
    "png": png, "gif": gif, "jpeg": jpeg, "tiff": tiff, "netpbm": netpbm,
    "tensors": tensors, "config": config, "archive": archive, "pickled": pickled,
    "plan": plan,
}  # fmt: skip
DOORS = {
    "csv": ("repeated", "random_bytes", "endless_cell", "many_classes"),
    "image": ("png", "gif", "jpeg", "tiff", "netpbm"),
    "checkpoint": ("tensors", "config", "archive", "pickled"),
    "plan": ("plan",),
}


def make(number: int, size: float = 1.0) -> tuple[str, str, bytes]:
    """The file of that number: the door it is meant for, which one in ten misses, its kind and its content."""
    chance = Random(f"file {number}")
    door = list(DOORS)[number % 16 % 5 if number % 16 % 5 < 4 else 1]
    kind = chance.choice(DOORS[door])
    content = KINDS[kind](chance, size * chance.choice([1, 1, 0.1]))[:MOST]
    content = content[: chance.randrange(len(content) + 1)] if chance.random() < 0.1 else content
    return chance.choice(list(DOORS)) if chance.random() < 0.1 else door, kind, content
