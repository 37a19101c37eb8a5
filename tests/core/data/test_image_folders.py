"""Folders of images as people have them: every file is an image of the set, or a note counts and names it."""

import io
import json
import os
import tempfile
import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from core.data.image_folders import listing, part_of
from core.data.images import from_folder, load
from core.problems import Problem, examples

COUNT_FILES = {
    "folder_not_images", "folder_hidden", "folder_special", "folder_other_parts", "folder_strange_classes",
    "unreadable_skipped", "metadata_unlisted",
}  # fmt: skip
REFUSALS = {"folder_without_images", "folder_mixed", "folder_parts", "unreadable_all", "metadata_no_image"}
ENDINGS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "PPM": ".ppm",
           "AVIF": ".avif"}  # fmt: skip
MODES = {"PNG": "1 L LA P RGB RGBA I;16", "JPEG": "L RGB CMYK", "WEBP": "RGB RGBA", "GIF": "L P RGB",
         "BMP": "1 L P RGB", "TIFF": "1 L LA P RGB RGBA CMYK YCbCr I;16 I F", "PPM": "1 L RGB I",
         "AVIF": "RGB RGBA"}  # fmt: skip
KINDS = [(format, mode) for format in ENDINGS for mode in MODES[format].split()]


@cache
def image(format: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (8, 8), turned: int = 1) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = turned
    if mode in ("I;16", "I", "F"):
        values = np.full(size[::-1], 0.5) if mode == "F" else np.full(size[::-1], 40_000)
        picture = Image.fromarray(values.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        picture = Image.new("RGB", size, "teal").convert(mode)
    picture.save(file, format, **({"exif": exif} if format in ("PNG", "JPEG", "WEBP", "AVIF") else {}))
    return file.getvalue()


def fill(folder: Path, *names: str, **contents: bytes) -> Path:
    """A folder with images of these names, and other files."""
    for name, data in {**dict.fromkeys(names, image()), **contents}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def notes(found) -> dict[str, dict]:
    return {part.code: part.values for part in found.note.parts} if found.note else {}


def classes(found) -> dict[str, int]:
    return dict(zip(found.classes, found.counts, strict=True))


# Links


def test_links_to_folders_and_files_are_followed_and_those_that_lead_nowhere_or_in_a_circle_are_named(tmp_path: Path):
    real = fill(tmp_path / "real", "cat/1.png", "cat/2.png", "dog/1.png")
    folder = fill(tmp_path / "set", "fox/1.png")
    for name in ("cat", "dog"):
        (folder / name).symlink_to(real / name)
    (folder / "fox" / "2.png").symlink_to(real / "dog" / "1.png")
    (folder / "fox" / "gone.png").symlink_to(tmp_path / "nowhere")
    (folder / "fox" / "self").symlink_to("self")
    (folder / "all").symlink_to(folder)
    found = from_folder(folder)
    assert classes(found) == {"cat": 2, "dog": 1, "fox": 2}
    assert notes(found) == {"folder_special": {"lost": 3, "examples": "all, fox/gone.png, fox/self"}}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_named_as_an_image_is_not_waited_for(tmp_path: Path):
    os.mkfifo(fill(tmp_path, "a.png") / "b.png")
    assert notes(from_folder(tmp_path)) == {"folder_special": {"lost": 1, "examples": "b.png"}}


# What is an image


def test_the_content_of_a_file_decides_and_not_its_ending(tmp_path: Path):
    files = {"a.jfif": "JPEG", "b.tif": "TIFF", "c.avif": "AVIF", "d": "PNG", "e.dat": "WEBP", "f.jpeg": "GIF"}
    fill(tmp_path, **{name: image(format) for name, format in files.items()})
    fill(tmp_path, **{"notes.txt": b"Python", "scan.pdf": b"%PDF-1.4", "raw.nef": image("TIFF"), "g": b"GIF89a"})
    found = from_folder(tmp_path)
    assert len(found) == 6
    assert notes(found) == {"folder_not_images": {"lost": 4, "examples": "g, notes.txt, raw.nef, ..."}}


def test_hidden_files_folders_of_systems_and_empty_folders_are_no_classes_and_are_named(tmp_path: Path):
    fill(tmp_path, "cat/1.png", ".ipynb_checkpoints/1.png", "__MACOSX/cat/._1.png", "cat/.DS_Store", "@eaDir/1/x.jpg")
    fill(tmp_path, **{"docs/read.me": b"x"})
    (tmp_path / "dog" / "puppies").mkdir(parents=True)
    found = from_folder(tmp_path)
    assert classes(found) == {"cat": 1}
    assert notes(found)["folder_hidden"]["lost"] == 4 and notes(found)["folder_not_images"]["lost"] == 1
    assert notes(found)["folder_empty"] == {"lost": 2, "examples": "docs, dog"}


def test_an_image_of_several_pages_is_named(tmp_path: Path):
    first = Image.new("L", (8, 8))
    for name in ("a.tif", "b.gif"):
        first.save(tmp_path / name, save_all=True, append_images=[Image.new("L", (8, 8), 200)])
    first.save(tmp_path / "c.tif")
    assert notes(from_folder(tmp_path)) == {"image_frames": {"lost": 2, "examples": "a.tif, b.gif"}}


@pytest.mark.parametrize("values", [[[0.0, 1.0]], [[0.0, 255.0]], [[-1.0, 1.0]]])
def test_a_tiff_of_fractions_goes_from_black_to_white(tmp_path: Path, values):
    Image.fromarray(np.array(values, np.float32)).save(tmp_path / "1.tif")
    assert from_folder(tmp_path).images.flatten().tolist() == [0, 255]


@pytest.mark.parametrize(("highest", "dark"), [(4095, 1), (4096, 0), (0, 0)])
def test_images_of_16_bits_that_are_all_dark_are_named(tmp_path: Path, highest: int, dark: int):
    for ending in ("png", "tif"):
        Image.fromarray(np.array([[0, highest]], np.uint16)).save(tmp_path / f"1.{ending}")
    assert notes(from_folder(tmp_path)).get("images_dark", {"lost": 0})["lost"] == 2 * dark


def test_a_tiff_of_values_that_are_no_grey_is_named_and_not_clipped(tmp_path: Path, refused):
    Image.fromarray(np.array([[-300.0, 9000.0]], np.float32)).save(tmp_path / "1.tif")
    with refused("unreadable_all", lost=1):
        from_folder(tmp_path)


# Parts of a set


@pytest.mark.parametrize(
    ("train", "test", "inside"),
    [
        ("train", "test", ""),
        ("Training", "Testing", ""),
        ("TRAIN", "val", ""),
        ("seg_train", "seg_test", "seg_{}/"),
        ("training_set", "test_set", "{}ing_set/"),
        ("train2017", "val2017", ""),
        ("trainset", "testset", ""),
        ("训练集", "测试集", ""),
        ("train", "test", "images/"),
    ],
)
def test_folders_of_parts_are_no_classes_and_the_other_part_is_counted(tmp_path: Path, train, test, inside, refused):
    inner = {train: inside.format("train"), test: inside.format("test")}
    names = [f"{train}/{inner[train]}{kind}/{n}.png" for kind in ("cat", "dog", "fox") for n in range(2)]
    fill(tmp_path, *names, *(f"{test}/{inner[test]}{kind}/9.png" for kind in ("cat", "fox", "owl")))
    found = load(str(tmp_path))
    assert classes(found) == {"cat": 2, "dog": 2, "fox": 2} and notes(found)["folder_other_parts"]["lost"] == 3
    found = load(str(tmp_path), split="test")  # with the numbers that the classes have in training
    assert classes(found) == {"cat": 1, "dog": 0, "fox": 1} and notes(found)["folder_other_parts"]["lost"] == 6
    assert notes(found)["classes_without_images"]["examples"] == "dog"
    assert notes(found)["folder_strange_classes"]["lost"] == 1
    assert classes(load(str(tmp_path), split="all")) == {"cat": 3, "dog": 2, "fox": 3, "owl": 1}
    with refused("unknown_split", split="extra"):
        load(str(tmp_path), split="extra")


def test_parts_need_no_classes(tmp_path: Path):
    fill(tmp_path, "train/1.png", "train/2.png", "test/1.png")
    assert (len(load(str(tmp_path))), load(str(tmp_path), split="test").classes) == (2, ())


@pytest.mark.parametrize("names", [("train", "plane"), ("freight_train", "passenger_train"), ("good", "bad_test")])
def test_classes_may_have_the_words_of_parts_in_their_names(tmp_path: Path, names):
    assert set(from_folder(fill(tmp_path, *(f"{name}/1.png" for name in names))).classes) == set(names)


@pytest.mark.parametrize("names", [("trainA", "trainB", "testA", "testB"), ("test", "val"), ("test",)])
def test_parts_of_which_none_is_the_only_one_to_train_on_are_refused_with_the_folders_to_give(tmp_path, names, refused):
    fill(tmp_path, *(f"{name}/1.png" for name in names))
    with refused("folder_parts", known=examples([str(tmp_path / name) for name in sorted(names)])):
        from_folder(tmp_path)


@pytest.mark.parametrize("inner", ["{}", "images", "a/b", "x/x"])
def test_a_double_folder_is_passed_through(tmp_path: Path, inner: str):
    inner = inner.format(tmp_path.name)
    found = from_folder(fill(tmp_path, f"{inner}/cat/1.png", f"{inner}/dog/1.png", "__MACOSX/._cat"))
    assert found.classes == ("cat", "dog") and notes(found)["folder_inner"] == {"folder": inner}


@pytest.mark.parametrize("inner", ["{}", "images", "x/x", "a/jpg", "train/train", "train/images"])
def test_a_folder_that_says_only_that_there_are_images_is_no_class(tmp_path: Path, inner: str):
    assert from_folder(fill(tmp_path, f"{inner.format(tmp_path.name)}/1.png")).classes == ()


@pytest.mark.parametrize(("used", "others"), [("images", ["masks"]), ("train", ["test", "samples"])])
def test_what_lies_beside_the_images_of_a_set_is_no_class(tmp_path: Path, used: str, others: list[str]):
    found = from_folder(fill(tmp_path, *(f"{name}/1.png" for name in (used, *others))))
    assert len(found) == 1 and notes(found)["folder_other_parts"]["others"] == ", ".join(sorted(others))


def test_a_folder_in_a_class_is_no_class_and_is_named(tmp_path: Path):
    found = from_folder(fill(tmp_path, "cat/2020/1.png", "cat/2021/1.png", "dog/1.png"))
    assert classes(found) == {"cat": 2, "dog": 1} and notes(found)["folder_nested"]["examples"] == "cat/2020, cat/2021"


@pytest.mark.parametrize(("name", "part"), [("x_train", "train"), ("valSet", "validation"), ("contest", ""), ("t", "")])
def test_a_part_is_a_word_of_a_name(name: str, part: str):
    assert part_of(name) == part


# Tables of metadata


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("metadata.csv", "file_name,label\na.png,dog\nsub/b.png,cat\nc.png,dog\n"),
        ("metadata.csv", ",label,file_name\n0,dog,./a.png\n1,cat,sub\\b.png\n2,dog,c.png\n"),
        ("metadata.csv", "\ufefffile_name;text;class\na.png;x;dog\nsub/b.png;y;cat\nc.png;z;dog\n"),
        ("metadata.jsonl", '{"file_name": "a.png", "label": "dog"}\n{"file_name": "sub/b.png", "label": "cat"}\n'
                           '{"file_name": "c.png", "label": "dog", "text": "x"}\n'),
    ],
)  # fmt: skip
def test_the_classes_of_a_table_of_metadata_are_read(tmp_path: Path, name: str, table: str):
    fill(tmp_path, "a.png", "sub/b.png", "c.png", **{name: table.encode()})
    found = from_folder(tmp_path)
    assert found.classes == ("cat", "dog") and found.labels.tolist() == [1, 1, 0]  # in the order of the files
    assert not {"folder_not_images", "metadata_rows"} & notes(found).keys()


def test_rows_without_an_image_and_images_without_a_row_are_counted(tmp_path: Path):
    rows = ["a.png,10", "b.png,9", "b.png,10", "gone.png,9", "../a.png,9", "c.png,", "é.png,9"]
    fill(tmp_path / "train", "a.png", "b.png", "c.png", "d.png", unicodedata.normalize("NFD", "é.png"))
    fill(tmp_path / "train", **{"metadata.csv": "\n".join(["file_name,label", *rows]).encode()})
    found = from_folder(tmp_path)
    assert classes(found) == {"9": 2, "10": 1}
    assert notes(found)["metadata_rows"] == {"lost": 3, "table": "train/metadata.csv", "lines": "4, 5, 6"}
    assert notes(found)["metadata_unlisted"]["examples"] == "train/c.png, train/d.png"


def test_a_table_whose_rows_name_no_image_is_refused(tmp_path: Path, refused):
    fill(tmp_path, "a.png", **{"metadata.csv": b"file_name,label\na,cat\n"})
    with refused("metadata_no_image", name="a"):
        from_folder(tmp_path)


def test_a_table_without_labels_leaves_the_classes_to_the_folders(tmp_path: Path):
    fill(tmp_path, "cat/a.png", "dog/b.png", **{"metadata.csv": b"file_name,text\ncat/a.png,a cat\n"})
    fill(tmp_path, **{"cat/metadata.csv": b"file_name,label\na.png,tom\n", "metadata.json": b"{"})
    found = from_folder(tmp_path)
    assert found.classes == ("cat", "dog") and notes(found)["folder_not_images"]["lost"] == 3


def test_each_part_may_have_a_table_of_its_own(tmp_path: Path):
    for part, names in (("train", "ab"), ("test", "c")):
        rows = "".join(f"images/{name}.png,{name}\n" for name in names)
        fill(tmp_path / part, *(f"images/{name}.png" for name in names))
        fill(tmp_path / part, **{"metadata.csv": f"file_name,label\n{rows}".encode()})
    fill(tmp_path / "test", "images/d.png", **{"metadata.csv": b"file_name,label\nimages/c.png,b\nimages/d.png,x\n"})
    assert classes(load(str(tmp_path))) == {"a": 1, "b": 1}
    test = load(str(tmp_path), split="test")
    assert (
        classes(test) == {"a": 0, "b": 1} and notes(test)["folder_strange_classes"]["examples"] == "test/images/d.png"
    )


def test_a_table_above_the_parts_names_the_classes_of_each_and_divides_nothing_else(tmp_path: Path):
    places = [f"{part}/{n}.png" for part in ("train", "test") for n in range(3)]
    rows = "".join(f"{place},{'ab'[n % 2]}\n" for n, place in enumerate(places))
    fill(tmp_path, *places, **{"metadata.csv": f"file_name,label\n{rows}gone.png,a\n".encode()})
    for split, n, others in (("train", 3, 3), ("test", 3, 3), ("all", 6, 0)):
        found = load(str(tmp_path), split=split)
        assert len(found) == n and found.classes == ("a", "b") and notes(found)["metadata_rows"]["lines"] == "8"
        assert notes(found).get("folder_other_parts", {"lost": 0})["lost"] == others


@pytest.mark.parametrize(("words", "n"), [(("train", "train", "test"), 2), (("a", "b", "c"), 3)])
def test_a_column_of_a_table_may_divide_a_set_and_other_columns_are_named(tmp_path: Path, words: tuple, n: int):
    rows = "".join(f"{i}.png,{'ab'[i % 2]},{word},x\n" for i, word in enumerate(words))
    fill(tmp_path, "0.png", "1.png", "2.png", **{"metadata.csv": f"file_name,label,split,artist\n{rows}".encode()})
    found = load(str(tmp_path))
    assert len(found) == n and len(load(str(tmp_path), split="all")) == 3
    assert notes(found)["metadata_columns"]["examples"] == ("artist" if n == 2 else "split, artist")
    assert notes(found).get("folder_other_parts", {"lost": 0})["lost"] == 3 - n
    if n == 2:
        assert load(str(tmp_path), split="test").counts == (1, 0)


# Every file of a random folder


NAMES = "cat dog café 猫 собака קוף बिल्ली 1 a.b".split()
LAYOUTS = [[""], ["", ".git", "cat/2020"], [*NAMES, "cat/2020", ".git"],
           ["train/cat", "train/猫", "test/猫", "test/dog"],
           ["set/cat", "set/dog", "__MACOSX"]]  # fmt: skip
names = some.builds("{}{}".format, some.sampled_from([*NAMES, ".x", "._y"]), some.integers(0, 9))
sizes = some.sampled_from([(1, 1), (8, 8), (1, 40), (33, 7)])
pictures = some.builds(
    lambda kind, size, turned, ending: (ending or ENDINGS[kind[0]], image(*kind, size, turned)),
    some.sampled_from(KINDS), sizes, some.integers(1, 8), some.sampled_from(["", "", "", ".jfif", ".", ".dat"]),
)  # fmt: skip
JUNK = [
    (".txt", b"Python"), (".json", b"{}"), ("", b""), (".png", b"<html>"),
    (".jpg", image("JPEG", size=(64, 64))[:-400]), (".tif", b"II*\0"), (".gif", b"GIF89a"),
    (".zip", b"PK\3\4"), (".svg", b"<svg/>"), (".heic", b"\0\0\0\x18ftypheic"),
    ("LINK", b"cat"), ("LINK", b".."), ("LINK", b"nowhere"), ("FOLDER", b""),
]  # fmt: skip
files = some.sampled_from(LAYOUTS).flatmap(
    lambda folders: some.lists(
        some.tuples(some.sampled_from(folders), names, pictures | pictures | some.sampled_from(JUNK)),
        min_size=1,
        max_size=9,
    )
)
links = some.lists(some.tuples(some.sampled_from("猫kl"), some.sampled_from([*NAMES, ".", "train", "x"])), max_size=1)
tables = some.sampled_from([None, None, None, "metadata.csv", "metadata.jsonl"])


def write(top: Path, place: Path, ending: str, data: bytes) -> None:
    """One file of a random folder; nothing where one is there already, or lies in the way."""
    try:
        path = top / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if ending == "LINK":
            path.symlink_to(data.decode())
        elif ending == "FOLDER":
            path.mkdir()
        else:
            with open(f"{path}{ending}", "xb") as file:
                file.write(data)
    except OSError:
        pass


def write_table(path: Path, names: list[str]) -> None:
    """A table with a class for each name."""
    if path.suffix == ".csv":
        path.write_text("\n".join(["file_name,label", *(f"{name},{len(name) % 2}" for name in names)]), "utf-8")
    else:
        rows = [{"label": len(name) % 2, "file_name": name} for name in names]
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")


def everything(folder: Path, around: tuple[str, ...] = ()) -> list[Path]:
    """All that is no folder, and links into a folder around them."""
    here = (*around, os.path.realpath(folder))
    inner = [folder / name for name in os.listdir(folder)]
    is_inner = {path: path.is_dir() and os.path.realpath(path) not in here for path in inner}
    return [each for path in inner for each in (everything(path, here) if is_inner[path] else [path])]


def _is_visible(place: Path) -> bool:
    return not any(part.startswith((".", "__MACOSX")) for part in place.parts)


def is_good(path: Path) -> bool:
    """Whether a file is one of `pictures` and not one of `JUNK`."""
    return path.read_bytes() not in {data for _, data in JUNK}


@settings(max_examples=80, derandomize=True, database=None, deadline=None)
@given(files, links, tables)
def test_of_a_random_folder_every_file_is_used_or_counted_and_named(entries, links, table):
    with tempfile.TemporaryDirectory() as place:
        top = Path(place) / "set"
        top.mkdir()
        for folder, name, (ending, data) in entries:
            write(top, Path(folder, name), ending, data)
        for name, target in links:
            write(top, Path(name), "LINK", target.encode())
        if table:
            write_table(top / table, [path.relative_to(top).as_posix() for path in everything(top)][::2])
        there = everything(top)
        try:
            found = from_folder(top, side=8, damaged="skip")
        except Problem as problem:
            assert problem.code in REFUSALS and (table or problem.code != "metadata_no_image")
            return
        if table:
            there.remove(top / table)
        lost = {code: values for code, values in notes(found).items() if code in COUNT_FILES}
        assert len(found) + sum(values["lost"] for values in lost.values()) == len(there)
        used = [top / place for place in listing(top).images]
        assert set(used) <= set(there) and len(used) == len(found) + lost.get("unreadable_skipped", {}).get("lost", 0)
        good = {path for path in there if _is_visible(path.relative_to(top)) and path.is_file() and is_good(path)}
        if not {"folder_other_parts", "metadata_unlisted"} & lost.keys():
            assert good <= set(used) and len(good) == len(found)
        for code, values in lost.items():
            if code not in ("folder_other_parts", "unreadable_skipped"):
                named = {top / name for name in values["examples"].removesuffix(", ...").split(", ")}
                assert named <= set(there) - set(used) and len(named) == min(3, values["lost"])
