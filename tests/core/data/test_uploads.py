import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from core import limits
from core.data.image_files import UnreadableImage
from core.data.points import PointSet
from core.data.uploads import from_csv, from_drawing, from_image, from_word
from core.metrics import distance_to_curve
from core.problems import Problem


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def blot(size: tuple[int, int] = (60, 40), mode: str = "L") -> Image.Image:
    """A dark block in the lower left of a white page."""
    image = Image.new(mode, size, "white")
    ImageDraw.Draw(image).rectangle((5, size[1] // 2, size[0] // 3, size[1] - 6), fill="black")
    return image


def raw(data: PointSet) -> torch.Tensor:
    return data.affine.invert(data.points.double())


SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9], [0.1, 0.1]]
UPLOADS: dict[str, Callable[[], PointSet]] = {
    "word": lambda: from_word("ab", 300, seed=1),
    "image": lambda: from_image(encoded(blot()), 300, seed=1),
    "csv": lambda: from_csv(b"1,2\n3,4\n5,-6\n"),
    "drawing": lambda: from_drawing([SQUARE], 300, seed=1),
}
every_upload = pytest.mark.parametrize("bring", UPLOADS.values(), ids=UPLOADS)


@every_upload
def test_what_is_brought_is_centred_and_has_the_size_of_the_spiral(bring):
    data = bring()
    assert data.points.double().mean(0).abs().max() < 1e-6
    assert 0.43 < data.rms < 0.48


@every_upload
def test_equal_uploads_give_equal_points_and_leave_global_random_state_alone(bring):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    assert torch.equal(bring().points, bring().points)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])


@every_upload
def test_fresh_draws_do_not_depend_on_how_many_are_drawn(bring):
    data = bring()
    assert torch.equal(data.sample(9, generator())[0], data.sample(50, generator())[0][:9])


# A word


def test_the_points_of_a_word_lie_on_its_letters():
    data = from_word("l l", 400)
    x = raw(data)[:, 0]
    gap = (x.max() + x.min()) / 2
    assert (x - gap).abs().min() > 5  # the space between two upright strokes stays empty


def test_letters_stand_upright_and_read_from_left_to_right():
    x, y = raw(from_word("L", 2000)).unbind(1)
    low, left = y < (y.max() + y.min()) / 2, x < (x.max() + x.min()) / 2
    assert low.double().mean() > 0.6 and left.double().mean() > 0.6


@pytest.mark.parametrize("word", ["été", "Ñandú", "λόγος", "Шар", "e\u0301", "42 ♥", "扩散", "噪声 σ"])
def test_words_of_many_scripts_become_points(word: str):
    assert len(from_word(word, 50).points) == 50


def test_letters_of_two_scripts_stand_on_one_line_side_by_side():
    alone, pair = raw(from_word("L", 2000)), raw(from_word("L一", 2000))
    assert pair[:, 1].max() - pair[:, 1].min() <= alone[:, 1].max() - alone[:, 1].min() + 2
    assert pair[:, 0].max() - pair[:, 0].min() > 2 * (alone[:, 0].max() - alone[:, 0].min())


@pytest.mark.parametrize(
    ("word", "code", "values"),
    [
        ("", "word_empty", {}),
        ("  \t\n ", "word_empty", {}),
        ("\u200b", "word_invisible", {}),
        ("a" * 200, "word_too_long", {"letters": 200, "most": 12}),
        ("扩散龘", "word_letter", {"letter": "龘"}),
        ("hi 🦆", "word_letter", {"letter": "🦆"}),
    ],
    ids=["empty", "spaces", "invisible", "long", "chinese", "emoji"],
)
def test_a_word_without_points_is_refused(word: str, code: str, values: dict, refused):
    with refused(code, **values):
        from_word(word)


# An image


def test_the_points_of_an_image_lie_on_its_dark_pixels_right_way_up():
    x, y = raw(from_image(encoded(blot()), 500)).unbind(1)
    assert x.min() >= 5 and x.max() <= 21
    assert y.min() >= -35 and y.max() <= -20


@pytest.mark.parametrize("format", ["TIFF", "AVIF", "PPM"])
def test_an_image_of_any_format_gives_the_same_points_and_only_its_first_page_counts(format: str):
    plain = raw(from_image(encoded(blot()), 300))
    assert (raw(from_image(encoded(blot(), format), 300)) - plain).abs().max() < 3
    if format != "PPM":
        pages = from_image(encoded(blot(), format, save_all=True, append_images=[blot().rotate(90)]), 300)
        assert (raw(pages) - plain).abs().max() < 3 and pages.note.code == "image_first_frame"


def test_a_pixel_is_drawn_in_proportion_to_its_darkness():
    image = Image.new("L", (40, 20), 255)
    image.paste(0, (0, 0, 10, 20))
    image.paste(155, (30, 0, 40, 20))
    x = raw(from_image(encoded(image), 3550))[:, 0]
    assert (x < 20).sum() == pytest.approx(2550, abs=3)


@pytest.mark.parametrize("mode", ["1", "P", "RGB", "RGBA", "CMYK"])
def test_every_kind_of_pixel_is_understood(mode: str):
    data = from_image(encoded(blot().convert(mode), "JPEG" if mode == "CMYK" else "PNG"), 300)
    assert raw(data)[:, 0].max() < 30


def test_sixteen_bit_grey_keeps_its_shades():
    grey = np.full((20, 40), 65535, np.uint16)
    grey[:, :10], grey[:, 30:] = 0, 155 * 257
    x = raw(from_image(encoded(Image.fromarray(grey)), 3550))[:, 0]
    assert (x < 20).sum() == pytest.approx(2550, abs=3)


def test_transparent_pixels_count_as_white_paper():
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 10, 40))
    assert raw(from_image(encoded(image), 200))[:, 0].max() <= 10


def test_a_photograph_is_turned_the_way_its_camera_says():
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held on its side: what is lower left in the file is upper left in truth
    data = from_image(encoded(blot((60, 60)), "JPEG", exif=turned.tobytes(), quality=95), 300)
    x, y = raw(data).unbind(1)
    assert x.max() < 32 and y.min() > -22


def test_a_large_image_is_shrunk():
    assert raw(from_image(encoded(blot((1600, 1200))), 200)).abs().max() <= 160


def test_a_forty_megapixel_image_is_refused(refused):
    with refused("image_megapixels", most=20):
        from_image(encoded(Image.new("1", (8000, 5000), 1)))


def test_a_decompression_bomb_is_refused_from_its_header(refused):
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    with refused("image_megapixels", most=20):
        from_image(bomb + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_a_truncated_image_is_refused(kind: str):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    whole = encoded(noise, kind)
    assert len(from_image(whole, 10).points) == 10
    with pytest.raises(UnreadableImage):
        from_image(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    "junk", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\x89PNG\r\n\x1a\n"]
)
def test_a_file_that_is_not_an_image_is_refused(junk: bytes, refused):
    with refused("image_format"):
        from_image(junk)


@pytest.mark.parametrize("level", [255, 0])
def test_an_image_of_one_brightness_is_refused(level: int, refused):
    with refused("image_one_brightness"):
        from_image(encoded(Image.new("L", (50, 50), level)))


def test_a_file_of_too_many_bytes_is_refused_before_it_is_read(refused):
    with refused("image_file_size", size=31, most=30):
        from_image(bytes(31_000_000))
    with refused("csv_file_size", size=31, most=15):
        from_csv(bytes(31_000_000))


# A CSV

POINTS = [[1.0, 2.0], [3.0, 4.5], [-5.0, 0.0]]


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4.5\n-5,0\n",
        "x,y\n1,2\n3,4.5\n-5,0",
        "# measured on Monday\n\n x , y \r\n1, 2\r\n\r\n3 ,4.5\r\n-5,0\r\n\r\n",
        '"x";"y"\n1;2\n3;4,5\n-5;0\n',
        "1\t2\n3\t4.5\n-5\t0\n",
        "1 2\n3  4.5\n -5 0\n",
        '"1","2"\n"3","4.5"\n"-5","0"\n',
    ],
    ids=["plain", "header", "comment", "semicolon", "tab", "space", "quoted"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_is_read_in_its_many_dialects(text: str, encoding: str):
    data = from_csv(text.encode(encoding))
    assert torch.allclose(raw(data), torch.tensor(POINTS, dtype=torch.float64), atol=1e-5)
    plain = encoding == "utf-8" and "," in text.partition("1")[2][:3] and "#" not in text
    assert data.labels is None and (data.note is None) == plain


@pytest.mark.parametrize("offset", [0.0, 1.7e9, -3e9])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-200, 1e200])
def test_points_of_any_offset_and_scale_are_the_same_set(offset: float, scale: float):
    shape = np.array([[0, 0], [1, 0.5], [2, 3], [4, 1]])
    rows = shape * scale + (offset if scale >= 1e-3 else 0)
    data = from_csv("\n".join(f"{x!r},{y!r}" for x, y in rows.tolist()).encode())
    plain = from_csv("\n".join(f"{x!r},{y!r}" for x, y in shape.tolist()).encode())
    assert torch.allclose(data.points, plain.points, atol=1e-3 if offset else 1e-6)
    assert data.points.double().mean(0).abs().max() < 1e-3


def test_a_header_in_another_encoding_is_skipped():
    assert len(from_csv("横,纵\n1,2\n3,4\n".encode("gbk")).points) == 2


def test_a_third_column_is_the_class():
    data = from_csv(b"x,y,class\n1,2,7\n3,4,5\n5,6,7\n")
    assert data.classes == ("5", "7") and data.labels.tolist() == [1, 0, 1]
    fresh, labels = data.sample(50, generator())
    assert torch.equal(labels, (data.affine.invert(fresh)[:, 0].sub(3).abs() > 1).long())


def test_fresh_draws_from_a_csv_are_its_points():
    data = from_csv(b"1,2\n3,4.5\n-5,0\n")
    fresh, _ = data.sample(100, generator())
    assert set(map(tuple, fresh.tolist())) == set(map(tuple, data.points.tolist()))


@pytest.mark.slow
def test_of_a_million_rows_a_fixed_random_part_is_kept_and_the_note_says_so():
    rows = "\n".join(f"{i % 10},{i % 7}" for i in range(1000)).encode() + b"\n"
    data = from_csv(rows * 1000)
    assert len(data.points) == limits.CSV_POINTS == 5000
    assert data.note.code == "csv_sampled" and data.note.values == {"total": 1_000_000, "kept": 5000}
    assert raw(data)[:, 0].mean() == pytest.approx(4.5, abs=0.2)


@pytest.mark.parametrize(
    ("content", "code", "values"),
    [
        (b"", "csv_empty", {}),
        (b"\n\n  \n", "csv_empty", {}),
        (b"x,y\n", "csv_empty", {}),
        (b"1,2\n", "csv_one_point", {}),
        (b"1,2\n1,2\n1,2\n", "points_coincide", {}),
        (b"1.7e308,2\n-1.7e308,5\n", "points_too_large", {}),
        (b"1e-310,2e-310\n0,0\n", "points_too_small", {}),
        (b"1e20,1\n100000000000000010000,2\n", "points_too_fine", {}),
        (b"x,y\n1,2\n3,abc\n", "csv_not_number", {"line": 3, "text": "'abc'", "column": 2}),
        (b"1,2\n3,\n", "csv_not_number", {"line": 2, "text": "''"}),
        (b"1,two\n3,4\n", "csv_not_number", {"line": 1, "text": "'two'"}),
        (b"1,2\n3,4\nnan,6\n", "csv_not_finite", {"line": 3}),
        (b"1,2\n3,-inf\n", "csv_not_finite", {"line": 2}),
        (b"1,2\n3,1e999\n", "csv_not_finite", {"line": 2}),
        (b"1\n2\n3\n", "csv_columns", {"columns": 1}),
        (b"1,2,3,4\n5,6,7,8\n", "csv_columns", {"columns": 4}),
        (b"1,2\n3,4\n5,6,7\n", "table_cells", {"line": 3, "cells": 3, "columns": 2}),
        (b"1,2,1\n3,4,2\n5,6,3\n7,8,4\n", "csv_classes", {"found": 4, "most": 3}),
        (bytes(range(256)) * 20, "text_binary", {}),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\xfd,\xfc" * 50, None, {}),
        (b"\xff\xfe" + bytes(range(1, 255)) * 3, None, {}),
        (b"1," * 100_000, "csv_columns", {"columns": 100_000}),
    ],
)
def test_a_bad_csv_is_refused_with_a_short_sentence(content: bytes, code: str | None, values: dict):
    with pytest.raises(Problem) as refused:
        from_csv(content)
    assert code in (None, refused.value.code) and refused.value.values | values == refused.value.values
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 160


# A drawing


def test_a_drawing_is_covered_evenly_by_length():
    data = from_drawing([SQUARE], 400)
    assert distance_to_curve(data.points, data.curve).max() < 1e-6
    x, y = raw(data).unbind(1)
    sides = [(y - 0.1).abs(), (x - 0.9).abs(), (y - 0.9).abs(), (x - 0.1).abs()]
    assert [side.lt(1e-6).sum().item() for side in sides] == pytest.approx([100] * 4, abs=1)


def test_nothing_is_drawn_between_two_strokes():
    data = from_drawing([[[0.1, 0.1], [0.1, 0.9]], [[0.5, 0.5]], [[0.9, 0.1], [0.9, 0.9], [0.9, 0.9]]], 100)
    fresh = data.affine.invert(data.sample(1000, generator())[0].double())
    assert fresh.isfinite().all()
    assert torch.minimum((fresh[:, 0] - 0.1).abs(), (fresh[:, 0] - 0.9).abs()).max() < 1e-6


def test_what_left_the_canvas_is_moved_to_its_edge():
    assert raw(from_drawing([[[0.5, -3.0], [0.5, 2.0]]], 50)).min() > 0


@pytest.mark.parametrize(
    ("strokes", "code"),
    [
        ([], "drawing_empty"),
        ([[]], "drawing_empty"),
        ([[[0.5, 0.5]]], "drawing_dot"),
        ([[[0.5, 0.5]] * 9], "drawing_dot"),
        ([[[0.2, 0.2]], [[0.8, 0.8]]], "drawing_dot"),
        ([[[0.5, 0.5], [0.505, 0.5]]], "drawing_dot"),
        ([[[0.1, 0.1], [float("nan"), 0.9]]], "drawing_stroke"),
        ([[[0.1, 0.1], [0.9]]], "drawing_stroke"),
        ([[[0.1, 0.1, 0.1], [0.9, 0.9, 0.9]]], "drawing_stroke"),
        (["scribble"], "drawing_stroke"),
        ([np.zeros((100_001, 2))], "drawing_vertices"),
    ],
)
def test_a_drawing_without_a_line_is_refused(strokes, code: str, refused):
    with refused(code):
        from_drawing(strokes)
