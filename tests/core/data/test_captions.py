"""Pictures with captions: whole kinds held out, words that can be told, captions drawn anew."""

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import captions, images
from core.data.captions import LENGTH, Tokenizer, caption_sampler, emoji, from_folder, kind, tokenizer, tone, words
from core.data.people import is_held_out
from core.data.people_captions import parse, values

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


@pytest.fixture(scope="module")
def pairs():
    return emoji()


def folder(path, rows: str, names=("a.png", "b.png", "c.png")):
    for shade, name in enumerate(names):
        Image.new("RGBA", (9, 7), (shade * 40, 0, 0, 255)).save(path / name)
    (path / "captions.csv").write_text(rows)
    return path


def test_a_kind_is_a_caption_without_its_skin_tones():
    assert kind("person: medium-dark skin tone, bald") == kind("person: bald") == "person bald"
    assert kind("kiss: man, man, dark skin tone, light skin tone") == "kiss man man"
    assert tone("kiss: man, man, dark skin tone, light skin tone") == "dark light"


def test_a_fifth_is_held_out(pairs):
    assert len(pairs.captions) == 3516 and 0.19 < pairs.held_out.double().mean() < 0.22


def test_no_kind_and_no_picture_stands_on_both_sides_of_the_split(pairs):
    sides = [
        ({pairs.kinds[i] for i in part}, {pairs.images[i].numpy().tobytes() for i in part})
        for part in (pairs.indices(held_out=held).tolist() for held in (True, False))
    ]
    assert not sides[0][0] & sides[1][0] and not sides[0][1] & sides[1][1]


def test_each_word_of_a_held_out_kind_is_trained_on(pairs):
    known = tokenizer(pairs)
    assert not [pairs.kinds[i] for i in pairs.indices(held_out=True).tolist() if known.unknown(pairs.kinds[i])]


def test_two_thirds_of_the_combinations_with_an_attribute_are_held_out_and_each_kind_and_tone_is_trained_on(pairs):
    trained = {kind for kind, held in zip(pairs.kinds, pairs.held_out) if not held} & set(captions.COMBINATIONS)
    assert len(trained) * 3 == len(captions.COMBINATIONS)
    for attribute in captions.ARITHMETIC.values():
        left = [(own, tone) for own in attribute for tone in captions.TONES if f"{own} {tone}".strip() in trained]
        kinds, tones = map(set, zip(*left))
        assert kinds == set(attribute) and tones == set(captions.TONES)


def test_the_split_is_the_same_every_time(pairs):
    assert torch.equal(pairs.held_out, emoji().held_out)


def test_tokens_of_a_short_caption_are_filled_up_and_of_a_long_one_cut():
    known = Tokenizer(("a", "b"))
    assert known.encode(["B a", "", "a " * 40], length=4).tolist() == [[2, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]


def test_known_words_beyond_the_longest_caption_are_named():
    known = Tokenizer(("a", "b", "c"))
    assert known.cut("zebra " * 9 + "a " * LENGTH + "b c") == ["b", "c"] and not known.cut("a " * LENGTH)


def test_unknown_words_are_named_once_and_in_order():
    assert Tokenizer(("a",)).unknown("zebra a Yak zebra") == ["zebra", "yak"]


def test_a_hyphenated_word_that_is_not_known_is_read_as_its_parts():
    known = Tokenizer(("red", "nosed", "well-known"))
    assert known.known("red-nosed well-known") == ["red", "nosed", "well-known"]


def test_the_vocabulary_has_no_word_of_held_out_captions_alone(pairs):
    known, told = tokenizer(pairs), set()
    for i in pairs.indices(held_out=False).tolist():
        told |= {word for text in (pairs.captions[i], *pairs.keywords[i]) for word in words(text)}
    assert set(known.vocabulary) == told


def test_drawn_captions_are_names_half_of_the_time_and_else_words_of_the_picture(pairs):
    known = tokenizer(pairs)
    one = next(i for i, caption in enumerate(pairs.captions) if caption == "green apple")
    drawn = caption_sampler(pairs, known)(torch.full((400,), one), torch.Generator().manual_seed(0))
    name = known.encode(["green apple"])
    assert 0.4 < (drawn == name).all(1).double().mean() < 0.7
    assert 0.2 < (drawn[:, 1] == 0).double().mean() < 0.5
    allowed = known.encode([" ".join(["green apple", *pairs.keywords[one]])])
    assert drawn.shape == (400, LENGTH) and set(drawn.unique().tolist()) <= {0, *allowed.unique().tolist()}
    assert (drawn != 0).any(1).all()


def test_a_drawn_caption_follows_from_the_generator(pairs):
    draw = caption_sampler(pairs, tokenizer(pairs))
    first, again = (draw(torch.arange(50), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)


def test_a_folder_with_a_table_of_captions_is_a_set_of_pairs(tmp_path):
    found = from_folder(folder(tmp_path, "file,caption,keywords\na.png,red thing,warm; bright\nb.png,dark thing,\n"), 8)
    assert found.captions == ("red thing", "dark thing") and found.keywords == (("warm", "bright"), ())
    assert found.images.shape == (2, 3, 8, 8) and found.images.dtype == torch.uint8


def codes(note) -> list[str]:
    return [part.code for part in note.parts] if note else []


def test_every_row_and_every_image_is_used_or_named_and_counted(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    Image.new("RGB", (5, 5)).save(tmp_path / "d.png")
    for name in ("a.txt", ".hidden", "film.mp4"):
        (tmp_path / name).write_bytes(b"\1")
    rows = "file,caption,shade\na.png,one,1\nbad.png,two,2\n../a.png,three,3\nb.png,,4\nc.png,four,5\nd.png,★!,6\n"
    found = from_folder(folder(tmp_path, rows, ("a.png", "b.png", "c.png", "e.png")), 8)
    assert found.captions == ("one", "four")
    assert {part.code: (part.values.get("lost"), part.values.get("examples")) for part in found.note.parts} == {
        "captions_columns_unused": (1, "shade"),
        "captions_no_caption": (1, "captions.csv:5: b.png"),
        "captions_no_image": (1, "captions.csv:4: ../a.png"),
        "captions_no_word": (1, "captions.csv:7: d.png"),
        "captions_unreadable": (1, "captions.csv:3: bad.png"),
        "image_format": (None, None),  # the reason, a sentence of its own
        "captions_unlisted": (1, "e.png"),
        "folder_not_images": (2, "a.txt, film.mp4"),
        "folder_hidden": (1, ".hidden"),
    }


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ("picture,text\na.png,one\n", "captions_columns"),
        ("file,caption\na.png,one\n", "captions_too_few"),
        ("", "captions_empty"),
        ("file,caption\na.png,a circle, on white\nb.png,two\n", "table_cells"),
        ('file,caption\na.png,"a circle\nb.png,two\n', "table_quote"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, rows, code, refused):
    with refused(code):
        from_folder(folder(tmp_path, rows), 8)


def test_a_folder_without_a_table_is_refused_with_the_folder_to_give_instead(tmp_path, refused):
    inner = tmp_path / "train"
    inner.mkdir()
    with refused("captions_table"):
        from_folder(tmp_path)
    folder(inner, "file,caption\na.png,one\nb.png,two\n")
    with refused("captions_table_below", below=str(inner)):
        from_folder(tmp_path)
    with refused("captions_no_folder"):
        from_folder(tmp_path / "none")
    assert from_folder(inner / "captions.csv").captions == ("one", "two")


@pytest.mark.parametrize("name", ["a.png", "pictures.ZIP"])
def test_an_image_or_a_zip_in_the_place_of_a_table_is_refused_as_that(tmp_path, name: str, refused):
    (tmp_path / name).write_bytes(b"PK\3\4")
    with refused("captions_no_table", file=name):
        from_folder(tmp_path / name)


def test_a_side_of_no_pixels_is_refused(tmp_path, refused):
    folder(tmp_path, "file,caption\na.png,one\nb.png,two\n")
    with refused("image_side", side=0):
        captions.load(str(tmp_path), side=0)
    with refused("people_side", side=0):
        captions.load("people", side=0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "file_name,text\na.png,one\nsub/b.png,two\n"),
        ("metadata.jsonl", '{"file_name": "a.png", "text": "one"}\n{"file_name": "sub/b.png", "text": "two"}\n'),
        ("Captions.tsv", "Image\tCaption\n./a.png\tone\nsub\\b.png\ttwo\n"),
        ("captions.csv", "file;caption\r\na.png;one\r\nsub/b.png;two\r\n"),
    ],
)
def test_a_table_is_read_under_the_names_that_programs_give_it(tmp_path, name: str, text: str):
    (tmp_path / "sub").mkdir()
    for place in ("a.png", "sub/b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / place)
    (tmp_path / name).write_text(text)
    assert from_folder(tmp_path, 8).captions == ("one", "two")


def test_without_a_table_the_caption_of_an_image_is_the_text_of_its_name(tmp_path):
    for name, text in (("a", "one\n"), ("b", "zwei Füße")):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(text, "cp1252")
    found = from_folder(tmp_path, 8)
    assert found.captions == ("one", "zwei Füße") and codes(found.note) == ["text_encoding_guess"]


def test_a_text_beside_an_image_is_named_as_a_text(tmp_path):
    for name, text in (("a", "one"), ("b", "two"), ("c", ""), ("d", "!")):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(text)
    assert [part.values["examples"] for part in from_folder(tmp_path, 8).note.parts] == ["c.txt: c.png", "d.txt: d.png"]


def test_names_and_captions_are_the_same_in_composed_and_decomposed_letters(tmp_path):
    rows = "file,caption\nne\u0301.png,cafe\u0301\nb.png,café\n"
    found = from_folder(folder(tmp_path, rows, ("né.png", "b.png")), 8)
    assert found.captions == ("café", "café") and tokenizer(found).vocabulary == ("café",)


def test_a_caption_can_be_printed(tmp_path):
    folder(tmp_path, "")
    (tmp_path / "captions.csv").unlink()
    rows = [r'{"file_name": "a.png", "text": "a \ud800 cat"}', '{"file_name": "b.png", "text": "a dog"}']
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows))
    found = from_folder(tmp_path, 8)
    assert all(caption.encode() for caption in found.captions) and "cat" in tokenizer(found).vocabulary


def test_what_is_cut_off_or_not_divided_into_words_is_named_and_counted(tmp_path):
    rows = f'file,caption\na.png,{"very " * 70}\nb.png,แมวสีดำ\nc.png,"一\n只猫"\n'
    note = from_folder(folder(tmp_path, rows), 8).note
    assert codes(note) == ["captions_lines", "captions_long", "captions_undivided", "captions_signs"]
    assert note.parts[1].values == {"lost": 1, "most": LENGTH, "cut": 6, "examples": "a.png"}


def test_an_image_may_have_several_captions(tmp_path):
    rows = ['{"file_name": "a.png", "text": ["one", "two"]}', '{"file_name": "b.png", "text": 3}']
    (folder(tmp_path, "") / "captions.csv").unlink()
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows))
    assert from_folder(tmp_path, 8).captions == ("one", "two", "3")


def test_pictures_of_captions_are_decoded_as_all_others(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    left_black = Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 2, 0).repeat(8, 0).repeat(8, 1))
    for name in ("a.jpg", "b.jpg"):
        left_black.save(tmp_path / name, exif=turned.tobytes(), quality=95)
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "c.png")
    (tmp_path / "captions.csv").write_text("file,caption\na.jpg,one\nb.jpg,two\nc.png,three\n")
    found = from_folder(tmp_path, 16).images
    whole = images.from_folder(tmp_path, 16).images
    assert torch.equal(found, whole.expand(-1, 3, -1, -1)) and found[2, 0, 0, 0] == 40_000 >> 8


def test_a_small_set_has_held_out_pairs_only_while_their_words_stay():
    pictures = torch.arange(12, dtype=torch.uint8).view(12, 1, 1, 1)
    kinds = [f"{who} {what}" for who in ("cat", "dog", "cow") for what in ("runs", "sits", "eats", "naps")]
    held = captions.hold_out(pictures, kinds, share=1.0)
    left = [word for name, out in zip(kinds, held) if not out for word in name.split()]
    assert any(held) and all(left.count(word) >= 2 for name in kinds for word in name.split())


def test_look_alikes_go_together():
    pictures = torch.zeros(6, 1, 1, 1, dtype=torch.uint8)
    assert len(set(captions.hold_out(pictures, list("abcdef"), decided={"c": True}))) == 1
    assert np.all(captions.hold_out(pictures, list("abcdef"), decided={"c": True}))


def test_chinese_names_belong_to_the_same_emoji_on_the_same_side(pairs):
    chinese = captions.emoji_in_chinese()
    names = dict(zip(pairs.captions, chinese.captions, strict=True))
    assert names["red apple"] == "红苹果" and names["rocket"] == "火箭"
    assert torch.equal(chinese.held_out, pairs.held_out) and torch.equal(chinese.images, pairs.images)


# People


@pytest.fixture(scope="module")
def people_pairs():
    return captions.load("people", n=400)


def test_a_fifth_of_people_is_held_out_by_combination(people_pairs):
    assert people_pairs.images.shape == (400, 3, 16, 16) and people_pairs.held_out.sum() == 80
    assert torch.equal(people_pairs.held_out, is_held_out(people_pairs.people.attributes))


def test_the_captions_of_people_name_what_can_be_seen_of_them_in_both_languages(people_pairs):
    for k in range(0, 400, 7):
        named, texts = people_pairs.people.named(k), (people_pairs.captions[k], *people_pairs.keywords[k])
        english, chinese = (parse(text).wanted for text in texts)
        assert english == chinese and 3 <= len(english) <= 5
        assert all(named[name] in values(name, value) for name, value in english.items())


def test_person_k_and_its_caption_do_not_depend_on_how_many_are_loaded(people_pairs):
    more = captions.load("people", n=500)
    assert torch.equal(more.images[:320], people_pairs.images[:320])
    assert more.captions[:320] == people_pairs.captions[:320]


def test_drawn_captions_of_people_are_new_each_time_in_two_languages_and_of_known_words(people_pairs):
    known = tokenizer(captions.load("people", n=4000))
    draw = caption_sampler(people_pairs, known)
    drawn = draw(torch.zeros(200, dtype=torch.long), torch.Generator().manual_seed(0))
    assert drawn.shape == (200, LENGTH) and len(drawn.unique(dim=0)) > 150 and (drawn != 0).any(1).all()
    chinese = torch.tensor([0, *(word >= "\u3400" for word in known.vocabulary)])[drawn].any(1)
    assert 60 < chinese.sum() < 140


@pytest.mark.parametrize(("n", "code"), [(1, "captions_people"), (10**9, "people_count")])
def test_numbers_of_people_without_a_split_are_refused(n, code, refused):
    with refused(code, n=n if n == 1 else 8 * n // 10):
        captions.load("people", n=n)


def test_only_people_come_in_any_number(refused):
    with refused("data_count", name="emoji"):
        captions.load("emoji", n=10)
