"""Arrays of images as people have them: usual names, any type of number, labels from any number on."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from core.data.images import from_npz, load

RAMP = np.arange(0, 256, 51, dtype=np.uint8).reshape(2, 1, 3)  # two images of three pixels, from black to white


def notes(found) -> dict[str, dict]:
    return {part.code: part.values for part in found.note.parts} if found.note else {}


def saved(folder: Path, *arrays: np.ndarray, **named: np.ndarray) -> str:
    np.savez(folder / "set.npz", *arrays, **named)
    return str(folder / "set.npz")


# Pixels


@pytest.mark.parametrize(
    ("pixels", "limits"),
    [
        (RAMP, None),
        (RAMP.astype(np.int64), (0, 255)),
        (RAMP.astype(np.float64), (0, 255)),
        (RAMP.astype(np.float32) / 255, (0, 1)),
        (RAMP.astype(np.float16) / 127.5 - 1, (-1, 1)),
        (RAMP.astype(np.uint16) * 257, (0, 65_535)),
    ],
)
def test_pixels_of_any_type_become_bytes_and_a_note_says_what_was_black_and_white(tmp_path: Path, pixels, limits):
    found = load(saved(tmp_path, images=pixels))
    assert np.array_equal(found.images[:, 0], RAMP)
    assert [(note["low"], note["high"]) for note in notes(found).values()] == ([limits] if limits else [])


@pytest.mark.parametrize("dtype", [bool, np.uint8, float])
def test_masks_are_black_and_white(tmp_path: Path, dtype: type):
    found = load(saved(tmp_path, images=np.eye(4)[None].astype(dtype)))
    assert found.images.unique().tolist() == [0, 255] and "npz_converted" in notes(found)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 8, 6), (1, 8, 6)),
        ((5, 8, 6, 3), (3, 8, 6)),
        ((5, 8, 6, 4), (4, 8, 6)),
        ((5, 4, 8, 8), (4, 8, 8)),
        ((5, 2, 8, 6, 3), (2, 3, 8, 6)),
        ((5, 2, 3, 8, 6), (2, 3, 8, 6)),
    ],
)
def test_channels_come_first(tmp_path: Path, shape: tuple, expected: tuple):
    assert load(saved(tmp_path, images=np.zeros(shape, np.uint8))).shape == expected


@pytest.mark.parametrize(("shape", "axes"), [((9, 8, 3), "[H, W, C]"), ((8, 8, 3, 40), "[H, W, C, N]")])
def test_a_single_picture_and_pictures_along_the_last_axis_are_not_taken_for_others(tmp_path, shape, axes, refused):
    with refused("npz_axes", axes=axes):
        load(saved(tmp_path, images=np.zeros(shape, np.uint8)))


# Names


@pytest.mark.parametrize(
    ("images", "labels"),
    [("images", "labels"), ("x", "y"), ("X_train", "Y_train"), ("train_images", "train_labels"), ("data", "target"),
     ("arr_0", "arr_1"), ("image", "label")],
)  # fmt: skip
def test_the_usual_names_of_arrays_are_known(tmp_path: Path, images: str, labels: str):
    found = load(saved(tmp_path, **{labels: np.array([4, 7]), images: RAMP}))
    assert np.array_equal(found.images[:, 0], RAMP) and found.classes == ("4", "7") and not found.note


@pytest.mark.parametrize("order", [("x_train", "y_train", "x_test", "y_test"),
                                   ("train_images", "train_labels", "val_images", "val_labels")])  # fmt: skip
def test_the_parts_of_an_npz_number_their_classes_alike(tmp_path: Path, order: tuple[str, ...], refused):
    arrays = (RAMP, np.array([[1], [9]], np.uint8), RAMP[:1], np.array([9]))
    path = saved(tmp_path, **dict(zip(order, arrays, strict=True)))
    train, test, both = (load(path, split=split) for split in ("train", "test", "all"))
    assert (
        train.classes == test.classes == ("1", "9") and train.labels.tolist() == [0, 1] and test.labels.tolist() == [1]
    )
    assert len(both) == 3 and notes(train)["npz_unused"]["arrays"] == ", ".join(sorted(order[2:]))
    with refused("unknown_split"):
        load(path, split="extra")


def test_an_npz_without_images_is_refused_with_the_arrays_it_has(tmp_path: Path, refused):
    with refused("npz_no_images", arrays="masks, weights"):
        load(saved(tmp_path, masks=RAMP, weights=RAMP))


def test_an_npy_is_read_and_a_zip_of_images_is_refused_with_what_to_do(tmp_path: Path, refused):
    np.save(tmp_path / "set.npy", RAMP)
    assert np.array_equal(load(str(tmp_path / "set.npy")).images[:, 0], RAMP)
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    with refused("npz_pickled"):
        load(str(tmp_path / "objects.npy"))
    (tmp_path / "set.npy").write_bytes((tmp_path / "set.npy").read_bytes()[:-1])
    with refused("file_damaged"):
        load(str(tmp_path / "set.npy"))
    whole = Path(saved(tmp_path, images=RAMP)).read_bytes()
    for length in (len(whole) - 9, 20, 0):
        (tmp_path / "set.npz").write_bytes(whole[:length])
        with refused("file_damaged"):
            load(str(tmp_path / "set.npz"))
    with refused("npz_zip"):
        load(saved(tmp_path, **{"cat/1.png": RAMP}))


# Labels


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        (np.array([1, 3, 1, 2]), ("1", "2", "3"), [0, 2, 0, 1]),
        (np.array([10, 9, 2, 2], np.uint8), ("2", "9", "10"), [2, 1, 0, 0]),
        (np.array([[1], [3], [1], [2]]), ("1", "2", "3"), [0, 2, 0, 1]),
        (np.eye(5)[[4, 0, 0, 1]], ("0", "1", "4"), [2, 0, 0, 1]),
        (np.array([1.0, 2, 2, 1]), ("1", "2"), [0, 1, 1, 0]),
        (np.array([True, False, True, True]), ("0", "1"), [1, 0, 1, 1]),
        (np.array(["dog", "猫", "dog", "cat"]), ("cat", "dog", "猫"), [1, 2, 1, 0]),
        (np.array([b"dog", b"cat", b"dog", b"cat"]), ("cat", "dog"), [1, 0, 1, 0]),
    ],
)
def test_the_classes_are_those_that_occur(tmp_path: Path, labels, classes, numbers):
    found = from_npz(saved(tmp_path, images=np.zeros((4, 2, 2), np.uint8), labels=labels))
    assert found.classes == classes and found.labels.tolist() == numbers and 0 not in found.counts


def test_names_of_classes_that_look_alike_are_one_and_those_that_cannot_be_read_are_refused(tmp_path: Path, refused):
    looks, found = np.array(["é", "e\u0301"]), np.array([0, 1])
    assert load(saved(tmp_path, images=RAMP, labels=looks)).classes == ("é",)
    with refused("class_twice", label="é"):
        load(saved(tmp_path, images=RAMP, labels=found, classes=looks))
    with refused("npz_encoding", name=r"'\xe9'"):
        load(saved(tmp_path, images=RAMP, labels=np.array([b"\xe9", b"cat"])))
    with refused("class_negative", label="''"):
        load(saved(tmp_path, images=RAMP, labels=np.array(["", "cat"])))


def test_a_named_class_without_an_image_is_named(tmp_path: Path):
    path = saved(tmp_path, images=RAMP, labels=np.array([0, 2]), classes=np.array(["cat", "dog", "fox"]))
    found = load(path)
    assert found.counts == (1, 0, 1) and notes(found) == {"classes_without_images": {"lost": 1, "examples": "dog"}}


# IDX files


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def idx_set(folder: Path, name: str = "", test: str = "t10k", first: int = 0) -> Path:
    """IDX files of three images for training and one for testing, with labels from ``first`` on."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", 3), (test, 1)):
        pixels = np.arange(n * 6).reshape(n, 2, 3)
        (folder / f"{name}{part}-images-idx3-ubyte").write_bytes(idx(pixels))
        packed = gzip.compress(idx(np.arange(first, first + n)), mtime=0)
        (folder / f"{name}{part}-labels-idx1-ubyte.gz").write_bytes(packed)
    return folder


def test_emnist_is_read_by_its_names_turned_and_has_no_class_0_where_labels_begin_at_1(tmp_path: Path, refused):
    folder = idx_set(tmp_path / "gzip", "emnist-letters-", "test", first=1)
    found, test = load(str(folder)), load(str(folder), split="test")
    assert torch.equal(found.images[0, 0], torch.tensor([[0, 3], [1, 4], [2, 5]])) and "idx_turned" in notes(found)
    assert found.classes == test.classes == ("1", "2", "3") and found.labels.tolist() == [0, 1, 2]
    idx_set(folder, "emnist-digits-", "test")
    with refused("idx_several", known=f"{folder / 'emnist-digits'}, {folder / 'emnist-letters'}"):
        load(str(folder))
    assert torch.equal(load(str(folder / "emnist-letters")).images, found.images)


def test_one_file_of_a_set_is_refused_with_its_folder_and_a_folder_of_arrays_with_its_files(tmp_path: Path, refused):
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"):
        with refused("one_of_a_set", folder=str(tmp_path / "raw")):
            load(str(idx_set(tmp_path / "raw") / name))
    (tmp_path / "arrays").mkdir()
    path = saved(tmp_path / "arrays", images=RAMP)
    with refused("folder_arrays", known=path):
        load(str(tmp_path / "arrays"))


@pytest.mark.parametrize("inner", ["MNIST/raw", "raw"])
def test_idx_files_may_lie_in_folders_inside(tmp_path: Path, inner: str, refused):
    idx_set(tmp_path / inner)
    assert load(str(tmp_path)).shape == (1, 2, 3)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "mnist").symlink_to(tmp_path / inner)
    assert load(str(tmp_path / "link")).shape == (1, 2, 3)
    (tmp_path / "link" / "mnist").unlink()
    idx_set(tmp_path / "FashionMNIST" / "raw")
    with refused("idx_several"):
        load(str(tmp_path))
