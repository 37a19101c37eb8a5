"""Images that a learner brings: good ones are read, every bad one is refused in one sentence or skipped by name."""

import gzip
import io
import pickle
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import captions, image_files, uploads
from core.data.images import fashion, from_folder, from_hugging_face, from_idx, from_npz, load

COLOURS = ("red", "green", "blue", "white")


def png(colour: str | int = "red", size: tuple[int, int] = (8, 8), mode: str = "RGB", format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, format)
    return file.getvalue()


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


# IDX files


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


def idx_files(n: int = 6) -> dict[str, bytes]:
    pieces = {}
    for part, count in (("train", n), ("t10k", 2)):
        pieces[f"{part}-images-idx3-ubyte"] = idx(np.full((count, 4, 5), len(part), np.uint8))
        pieces[f"{part}-labels-idx1-ubyte"] = idx(np.arange(count, dtype=np.uint8))
    return pieces


def test_idx_files_are_read_plain_and_gzipped_alike(tmp_path: Path):
    plain = from_idx(fill(tmp_path / "plain", idx_files()), "all")
    zipped = {f"{name}.gz": gzip.compress(data) for name, data in idx_files().items()}
    packed = from_idx(fill(tmp_path / "packed", zipped), "all")
    assert torch.equal(plain.images, packed.images) and torch.equal(plain.labels, packed.labels)
    assert plain.images.shape == (8, 1, 4, 5) and plain.classes == tuple("012345")


def test_a_folder_of_idx_files_has_training_images_test_images_and_all(tmp_path: Path, refused):
    fill(tmp_path, idx_files())
    assert [len(load(str(tmp_path), split=split).images) for split in ("train", "test", "all")] == [6, 2, 8]
    assert load(f"fashion:{tmp_path}").classes[5] == "Sandal" and not load(f"fashion:{tmp_path}", split="all").note
    (tmp_path / "1.png").write_bytes(png())
    assert load(str(tmp_path)).note.values == {"lost": 3, "examples": ", ".join(sorted(["1.png", *idx_files()])[:3])}
    with refused("unknown_split", split="validation", known="train, test, all"):
        load(str(tmp_path), split="validation")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("train-images-idx3-ubyte", b"\x89PNG\r\n\x1a\n" + bytes(99), "idx_format"),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 4, 5), np.uint8), kind=13), "idx_format"),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 4, 5), np.uint8))[:-7], "idx_length"),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 4, 5), np.uint8)) + b"x", "idx_length"),
        ("train-images-idx3-ubyte", struct.pack(">HBB3I", 0, 8, 3, 60_000, 60_000, 60_000), "file_unpacks"),
        ("train-images-idx3-ubyte", struct.pack(">HBB3I", 0, 8, 3, 0, 28, 28), "idx_shape"),
        ("train-images-idx3-ubyte", gzip.compress(idx(np.zeros((6, 4, 5), np.uint8)), mtime=0)[:-12], "file_damaged"),
        ("train-images-idx3-ubyte", b"", "file_damaged"),
        ("train-labels-idx1-ubyte", idx(np.zeros((6, 4, 5), np.uint8)), "idx_shape"),
        ("train-labels-idx1-ubyte", idx(np.zeros(5, np.uint8)), "idx_counts"),
        ("train-labels-idx1-ubyte", idx(np.full(6, 11, np.uint8)), "image_set_label_range"),
    ],
)
def test_an_idx_file_that_is_not_whole_or_does_not_fit_is_refused(
    tmp_path: Path, name: str, data: bytes, code: str, refused
):
    fill(tmp_path, {**idx_files(), name: data})
    with refused(code):
        fashion(tmp_path)


def test_parts_of_idx_files_are_joined_only_where_each_fits(tmp_path: Path, refused):
    fill(tmp_path, {**idx_files(), "t10k-images-idx3-ubyte": idx(np.zeros((2, 9, 9), np.uint8))})
    with refused("idx_sizes"):
        from_idx(tmp_path, "all")
    fill(tmp_path, {**idx_files(5), "train-labels-idx1-ubyte": idx(np.arange(6, dtype=np.uint8))})
    with refused("idx_counts", part="train", images=5, labels=6):
        from_idx(tmp_path, "all")


def test_a_missing_idx_file_is_named(tmp_path: Path, refused):
    fill(tmp_path, {name: data for name, data in idx_files().items() if "labels" not in name})
    with refused("idx_missing", file="train-labels-idx1-ubyte"):
        from_idx(tmp_path)


# Arrays


def test_an_npz_may_have_its_channels_absent_first_or_last(tmp_path: Path):
    first = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    np.savez(tmp_path / "first.npz", images=first)
    np.savez_compressed(tmp_path / "last.npz", images=first.transpose(0, 2, 3, 1))
    np.savez(tmp_path / "grey.npz", images=first[:, 0])
    assert np.array_equal(from_npz(tmp_path / "first.npz").images, first)
    assert np.array_equal(from_npz(tmp_path / "last.npz").images, first)
    assert np.array_equal(load(str(tmp_path / "grey.npz")).images, first[:, :1])


def test_an_npz_brings_labels_and_if_it_wants_their_names(tmp_path: Path):
    grey = np.zeros((3, 4, 4), np.uint8)
    np.savez(tmp_path / "named.npz", images=grey, labels=np.array([1, 0, 1]), classes=np.array(["cat", "dog"]))
    np.savez(tmp_path / "numbered.npz", images=grey, labels=np.array([0, 2, 1], np.int8))
    np.savez(tmp_path / "bare.npz", images=grey)
    assert from_npz(tmp_path / "named.npz").classes == ("cat", "dog")
    assert from_npz(tmp_path / "numbered.npz").classes == ("0", "1", "2")
    assert (from_npz(tmp_path / "bare.npz").labels, from_npz(tmp_path / "bare.npz").classes) == (None, ())


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"pictures": np.zeros((2, 4, 4), np.uint8)}, "npz_no_images"),
        ({"images": np.zeros(4, np.uint8)}, "npz_images"),
        ({"images": np.zeros((2, 4, 4), complex)}, "npz_images"),
        ({"images": np.full((2, 4, 4), -2.0)}, "npz_range"),
        ({"images": np.array([[[0.5, np.nan]]])}, "npz_range"),
        ({"images": np.zeros((0, 4, 4), np.uint8)}, "npz_empty"),
        ({"images": np.array([{}, {}], object)}, "npz_pickled"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.zeros(3, int)}, "image_set_labels"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0.5, 1])}, "npz_labels"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.ones((2, 3))}, "npz_labels"),
        ({"images": np.zeros((10_001, 1, 1), np.uint8), "labels": np.arange(10_001)}, "class_numbers"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, -1])}, "class_negative"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.ones(2, int), "classes": np.array([1])}, "npz_classes"),
        ({"images": np.zeros((1, 4, 4)), "labels": [3], "classes": ["a", "b", "c"]}, "image_set_label_range"),
        ({"x_train": np.zeros((2, 4, 4)), "y_train": np.zeros(1, int)}, "image_set_labels"),
        ({"x_test": np.zeros((2, 4, 4))}, "unknown_split"),
    ],
)
def test_an_npz_of_other_arrays_is_refused(tmp_path: Path, arrays: dict, code: str, refused):
    np.savez(tmp_path / "set.npz", **arrays)
    with refused(code):
        from_npz(tmp_path / "set.npz")


def test_a_file_that_is_no_archive_a_pickle_and_a_damaged_one_are_refused(tmp_path: Path, refused):
    np.savez(tmp_path / "whole.npz", images=np.random.default_rng(0).integers(0, 256, (9, 8, 8), np.uint8))
    whole = bytearray((tmp_path / "whole.npz").read_bytes())
    whole[300:320] = bytes(20)
    fill(tmp_path, {"a.npz": b"hello", "b.npz": pickle.dumps([1]), "c.npz": bytes(whole[:400]), "d.npz": bytes(whole)})
    with zipfile.ZipFile(tmp_path / "e.npz", "w") as archive:
        archive.writestr("images", b"not an array")
    for name, code in zip("abcde", ["npz_format"] * 2 + ["file_damaged"] * 3, strict=True):
        with refused(code, file=f"{name}.npz"):
            from_npz(tmp_path / f"{name}.npz")


def test_an_npz_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch, refused):
    np.savez_compressed(tmp_path / "bomb.npz", images=np.zeros((1000, 32, 32), np.uint8))
    monkeypatch.setattr(image_files.limits, "SET_GB", 1e-3)
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", lambda *_: pytest.fail("it was unpacked"))
    with refused("file_unpacks", file="bomb.npz"):
        from_npz(tmp_path / "bomb.npz")


# Folders of images


def test_subfolders_are_classes_in_alphabetical_order(tmp_path: Path):
    found = load(
        str(fill(tmp_path / "zoo", {"dog/2.png": png("blue"), "cat/x/1.PNG": png(), "dog/1.bmp": png("white")}))
    )
    assert found.name == "zoo" and found.classes == ("cat", "dog") and found.labels.tolist() == [0, 1, 1]
    assert found.images[:, :, 0, 0].tolist() == [[255, 0, 0], [255, 255, 255], [0, 0, 255]]


def test_a_folder_without_subfolders_has_no_classes_and_other_files_do_not_matter(tmp_path: Path):
    fill(tmp_path, {"1.png": png(), "notes.txt": b"mine", ".hidden.png": b"x", ".cache/2.png": png()})
    found = from_folder(tmp_path)
    assert found.labels is None and found.classes == () and len(found.images) == 1


def test_only_images_that_are_all_grey_are_stored_in_one_channel(tmp_path: Path):
    fill(tmp_path / "grey", {"1.png": png(7, mode="L"), "2.png": png(1, mode="1")})
    fill(tmp_path / "both", {"1.png": png(7, mode="L"), "2.png": png("red")})
    assert from_folder(tmp_path / "grey").images[:, :, 0, 0].tolist() == [[7], [255]]
    assert from_folder(tmp_path / "both").images[:, :, 0, 0].tolist() == [[7, 7, 7], [255, 0, 0]]


def test_transparent_is_white_and_sixteen_bits_are_scaled(tmp_path: Path):
    deep = io.BytesIO()
    Image.fromarray(np.full((8, 8), 128 * 256, np.uint16)).save(deep, "PNG")
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    fill(tmp_path, {"deep.png": deep.getvalue()})
    assert from_folder(tmp_path).images[:, :, 0, 0].tolist() == [[255] * 3, [128] * 3]


def kinds_of_picture() -> dict[str, tuple[bytes, list[int]]]:
    """Files of one colour, and what the colour is."""

    def file(image: Image.Image, format: str = "PNG", **options) -> bytes:
        stream = io.BytesIO()
        image.save(stream, format, **options)
        return stream.getvalue()

    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    frames = {"save_all": True, "append_images": [blue], "duration": 90}
    clear = Image.new("P", (8, 8), 1)
    clear.putpalette([0, 0, 0, 255, 0, 0])
    return {
        "palette": (file(red.convert("P")), [255, 0, 0]),
        "palette, the colour transparent": (file(clear, transparency=1), [255, 255, 255]),
        "grey, half transparent": (file(Image.new("LA", (8, 8), (0, 127))), [128]),
        "colour, half transparent": (file(Image.new("RGBA", (8, 8), (255, 0, 0, 127))), [255, 128, 128]),
        "four inks": (file(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), [254, 0, 0]),
        "animated GIF": (file(red, "GIF", **frames), [255, 0, 0]),
        "animated PNG": (file(red, "PNG", **frames), [255, 0, 0]),
        "animated WebP": (file(red, "WEBP", lossless=True, **frames), [255, 0, 0]),
        "BMP": (file(red, "BMP"), [255, 0, 0]),
        "grey JPEG": (file(Image.new("L", (8, 8), 77), "JPEG"), [77]),
        "grey, 16 bits": (file(Image.fromarray(np.full((8, 8), 77 * 256 + 200, np.uint16))), [77]),
    }


@pytest.mark.parametrize("kind", kinds_of_picture())
def test_every_kind_of_picture_is_read_as_grey_or_as_three_colours_its_first_frame_on_white(tmp_path: Path, kind: str):
    data, colour = kinds_of_picture()[kind]
    image = from_folder(fill(tmp_path, {"1.png": data})).images[0]
    assert image.shape == (len(colour), 8, 8)
    assert (image.flatten(1).float() - torch.tensor(colour)[:, None]).abs().max() <= 2


def test_a_photograph_is_shown_upright_and_its_middle_square_resized(tmp_path: Path):
    photo = Image.new("RGB", (90, 60), "black")
    photo.paste("white", (45, 0, 90, 60))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left side belongs on top
    photo.save(tmp_path / "photo.jpg", exif=exif)
    x = from_folder(tmp_path, side=8).images[0]
    assert x.shape == (3, 8, 8) and (x[:, :3] < 20).all() and (x[:, 5:] > 235).all()


@pytest.mark.parametrize("side", [None, 8])
def test_images_of_other_sizes_are_resized_only_when_asked(tmp_path: Path, side: int | None, refused):
    fill(tmp_path, {"a/1.png": png(), "a/2.png": png(size=(8, 9)), "b/1.png": png(size=(30, 20))})
    if side:
        assert from_folder(tmp_path, side=side).images.shape == (3, 3, 8, 8)
    else:
        with refused("image_sizes", name="a/2.png", size="8x9", first="a/1.png", first_size="8x8"):
            from_folder(tmp_path)


@pytest.mark.parametrize("side", [-1, 0, 4097])
def test_a_side_is_checked_before_an_image_is_decoded(tmp_path: Path, side: int, refused):
    fill(tmp_path, {"1.jpg": png(format="JPEG")})
    with refused("image_side", side=side):
        from_folder(tmp_path, side=side)


def test_images_that_would_fill_the_memory_are_refused_at_the_first(tmp_path: Path, monkeypatch, refused):
    fill(tmp_path, {f"{i}.png": png() for i in range(50)})
    np.savez(tmp_path / "set.npz", images=np.zeros((50, 2, 2), np.uint8))
    monkeypatch.setattr(image_files.limits, "SET_GB", 1e-3)
    with refused("image_set_memory", images=50):
        from_folder(tmp_path, side=100)
    with refused("image_set_memory", images=50):
        load(str(tmp_path / "set.npz"), side=200)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (png("red", (64, 64))[:-30], "image_damaged"),
        (png("red", (256, 256), format="JPEG")[:-200], "image_damaged"),
        (b"just text", "image_format"),
        (b"", "image_format"),
        (pickle.dumps([1]), "image_format"),
    ],
)
def test_a_damaged_image_is_named_and_refused_or_skipped(tmp_path: Path, data: bytes, code: str, refused):
    whole = png(size=(64, 64))
    fill(tmp_path, {"cat/1.png": whole, "cat/2.png": data, "dog/1.png": whole})
    with refused(code):
        image_files.image(io.BytesIO(data))
    with refused("unreadable_images", lost=1, total=3):
        from_folder(tmp_path)
    found = load(str(tmp_path), damaged="skip")
    assert [part.code for part in found.note.parts] == ["unreadable_skipped", code]
    assert found.note.values == {"lost": 1, "total": 3, "examples": "cat/2.png"}
    assert found.labels.tolist() == [0, 1]


def test_many_damaged_images_are_counted_and_three_of_them_named(tmp_path: Path, refused):
    fill(tmp_path, {"0.png": png(), **{f"{i}.png": b"x" for i in range(1, 8)}})
    note = from_folder(tmp_path, damaged="skip").note
    assert note.values["lost"] == 7 and "3.png" in note.values["examples"] and "4.png" not in note.values["examples"]
    (tmp_path / "0.png").unlink()
    with refused("unreadable_all", lost=7):
        from_folder(tmp_path, damaged="skip")


def test_an_image_too_large_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch, refused):
    def header(width: int, height: int) -> bytes:
        chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        end = struct.pack(">I", 0) + b"IDAT"
        return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end

    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    for size in ((9000, 9000), (60_000, 60_000)):
        fill(tmp_path, {"huge.png": header(*size)})
        with refused("image_megapixels", most=64):
            image_files.image(tmp_path / "huge.png")


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "folder_without_images"),
        ({"read.me": b"x"}, "folder_without_images"),
        ({"a/1.png": png(), "b.png": png()}, "folder_mixed"),
    ],
)
def test_a_folder_that_is_no_set_is_refused(tmp_path: Path, files: dict, code: str, refused):
    with refused(code):
        from_folder(fill(tmp_path, files))


def test_damage_is_met_with_one_of_two_words(tmp_path: Path, refused):
    with refused("damaged_option", value="ignore"):
        from_folder(fill(tmp_path, {"1.png": png()}), damaged="ignore")


# By name


@pytest.mark.parametrize("source", ["", "digit", "no/such/folder", "digits:8", "x" * 5000, "nul\0"])
def test_an_unknown_source_is_refused_with_those_there_are(source: str, tmp_path: Path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    with refused("unknown_images", name=source[:80]):
        load(source)


def test_every_source_is_resized_when_asked(tmp_path: Path):
    np.savez(tmp_path / "set.npz", images=np.zeros((2, 4, 6), np.uint8))
    fill(tmp_path / "folder", {"1.png": png()})
    fill(tmp_path / "idx", idx_files())
    for source in ("digits", "emoji", *(str(tmp_path / name) for name in ("set.npz", "folder", "idx"))):
        assert load(source, side=16).images.shape[2:] == (16, 16)


def test_a_set_of_one_piece_has_no_test_images(refused):
    with refused("no_splits", name="digits", split="test"):
        load("digits", split="test")


# Hugging Face


def test_without_the_package_a_hugging_face_set_is_refused_in_one_sentence(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with refused("hf_package"):
        load("hf:someone/something")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A Hugging Face data set saved on disk: four images, the third damaged."""
    datasets = pytest.importorskip("datasets")
    cells = [{"bytes": png(colour), "path": None} for colour in COLOURS]
    cells[2]["bytes"] = cells[2]["bytes"][:40]
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "img": datasets.Image(),
            "kind": datasets.ClassLabel(names=["dull", "bright"]),
        }
    )
    rows = {"text": list(COLOURS), "img": cells, "kind": [0, 1, 0, 1]}
    table = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": table, "validation": table.select([0, 1])}).save_to_disk(tmp_path / "both")
    table.remove_columns(["img"]).save_to_disk(tmp_path / "text")
    return tmp_path


def test_a_hugging_face_set_saved_on_disk_is_read_with_its_classes(saved: Path):
    found = load(str(saved / "both"), split="validation")
    assert found.classes == ("dull", "bright") and found.labels.tolist() == [0, 1] and found.name == "both"
    assert found.images[:, :, 0, 0].tolist() == [[255, 0, 0], [0, 128, 0]]


def test_a_damaged_image_of_a_hugging_face_set_is_named_and_refused_or_skipped(saved: Path, refused):
    with refused("unreadable_images", lost=1, total=4):
        from_hugging_face(str(saved / "both"))
    found = from_hugging_face(str(saved / "both"), side=4, damaged="skip")
    assert found.labels.tolist() == [0, 1, 1] and found.images.shape == (3, 3, 4, 4)


def test_labels_of_a_hugging_face_set_may_be_texts_or_numbers_and_be_absent(tmp_path: Path):
    datasets = pytest.importorskip("datasets")
    cells = [{"bytes": png(colour), "path": None} for colour in COLOURS]
    columns = {"image": cells, "label": ["dog", None, "猫", "dog"], "Category": [10, 9, 9, 2], "other": cells}
    features = datasets.Features({
        "image": datasets.Image(), "label": datasets.Value("string"), "Category": datasets.Value("int64"),
        "other": datasets.Image(),
    })  # fmt: skip
    table = datasets.Dataset.from_dict(columns, features=features)
    table.save_to_disk(tmp_path / "texts")
    table.remove_columns(["label", "other"]).save_to_disk(tmp_path / "numbers")
    texts, numbers = load(str(tmp_path / "texts")), load(str(tmp_path / "numbers"))
    assert texts.classes == ("dog", "猫") and texts.labels.tolist() == [0, 1, 0]
    assert {part.code: part.values for part in texts.note.parts} == {
        "hf_columns": {"used": "image, label", "unused": "other"},
        "hf_unlabelled": {"lost": 1, "examples": "image 1"},
    }
    assert numbers.classes == ("2", "9", "10") and numbers.labels.tolist() == [2, 1, 1, 0] and not numbers.note


def test_a_hugging_face_set_that_is_none_is_refused_in_one_sentence(saved: Path, refused):
    with refused("unknown_split", split="test", known="train, validation"):
        load(str(saved / "both"), split="test")
    with refused("hf_no_images", columns="text, kind"):
        load(str(saved / "text"))
    for file in (saved / "text").glob("*.arrow"):
        file.write_bytes(b"nonsense")
    with refused("hf_load"):
        load(str(saved / "text"))


def test_every_image_is_decoded_in_one_place():
    root = Path(image_files.__file__).parents[2]
    sources = [path for folder in ("core", "pages") for path in (root / folder).rglob("*.py")]
    assert [path.name for path in sources if "Image.open(" in path.read_text("utf-8")] == ["image_files.py"]


@pytest.mark.parametrize("mode", ["I;16", "LA", "P", "1"])
def test_an_upload_a_picture_with_a_caption_and_an_image_of_a_set_are_decoded_alike(tmp_path: Path, mode: str):
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 16).astype(np.uint8), (16, 1)))
    if mode == "I;16":
        ramp = Image.fromarray(np.asarray(ramp).astype(np.uint16) * 257)
    else:
        ramp = ramp.convert(mode)
    for name in "ab":
        ramp.save(tmp_path / f"{name}.png")
    (tmp_path / "captions.csv").write_text("file,caption\na.png,one\nb.png,two\n")
    one = image_files.image(tmp_path / "a.png")
    assert torch.equal(captions.from_folder(tmp_path, 16).images[0], one.expand(3, -1, -1))
    assert torch.equal(from_folder(tmp_path).images[0], one)
    columns = uploads.from_image((tmp_path / "a.png").read_bytes(), 2000)
    assert columns.affine.invert(columns.points)[:, 0].mean() < 7  # more points where the ramp is dark
