"""How many parts an image file has is known before a decoder goes through them."""

import io
from random import Random

import pytest
from PIL import Image

from core import limits
from core.data import image_parts, uploads
from core.problems import Problem
from tests.hostile import files


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "PPM", "WEBP", "BMP"])
@pytest.mark.parametrize("frames", [0, 3])
def test_a_usual_image_exceeds_no_limit(kind, frames):
    stream, image = io.BytesIO(), Image.effect_noise((300, 200), 50)
    more = {"save_all": True, "append_images": [image] * frames} if frames and kind in ("GIF", "TIFF", "WEBP") else {}
    image.save(stream, kind, **more, **({"progressive": True} if kind == "JPEG" else {}))
    assert image_parts.exceeded(stream.getvalue()) is None
    assert image_parts.exceeded(stream.getvalue()[: len(stream.getvalue()) // 2]) is None


@pytest.mark.parametrize("limit, content", [
    ("IMAGE_PARTS", b"\xff\xd8" + b"\xff\xe1\0\x08Exif\0\0" * 600),
    ("SCANS", b"\xff\xd8" + b"\xff\xda\0\x02\x11\xff\0\x22" * 60),
    ("CHUNKS", b"\x89PNG\r\n\x1a\n" + files.chunk(b"tEXt", b"a\0b") * 100_001),
    ("BLOCKS", b"GIF89a" + bytes(7) + b"!\xfe\x01a\0" * 200_001),
    ("TAG_VALUES", b"II*\0\x08\0\0\0\x01\0\x11\x01\x04\0" + (10**6).to_bytes(4, "little") + bytes(8)),
    ("NETPBM_HEADER", b"P6\n" + b"#\n" * 10_000 + b"2 2 255\n"),
    ("NETPBM_TEXT", b"P2 2000 2000 255\n" + b"9 " * 2_000_000),
])  # fmt: skip
def test_a_file_of_very_many_parts_is_refused_by_its_limit(limit, content):
    most = image_parts.exceeded(content)
    assert most == getattr(limits, limit)
    with pytest.raises(Problem) as refused:
        uploads.from_image(content)
    assert (refused.value.code, refused.value.values) == ("image_parts", {"most": most})


def test_what_is_no_image_has_no_parts():
    chance = Random(0)
    assert all(image_parts.exceeded(chance.randbytes(99)) is None for _ in range(200))
