"""Words of many scripts: whole, in lower case and in one spelling."""

import unicodedata

import pytest

from core.data.words import has_signs, is_undivided, position, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Man: medium-dark skin tone, O’Neil 2!", ["man", "medium-dark", "skin", "tone", "o'neil", "2"]),
        ("戴眼镜的T恤, red-hot！", ["戴", "眼", "镜", "的", "t", "恤", "red-hot"]),
        ("赤いリンゴ", ["赤", "い", "リンゴ"]),
        ("लाल बिल्ली, नीली", ["लाल", "बिल्ली", "नीली"]),
        ("แมวสีดำ ตัวใหญ่", ["แมวสีดำ", "ตัวใหญ่"]),
        ("قِطَّة سوداء", ["قِطَّة", "سوداء"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("빨간 고양이", ["빨간", "고양이"]),
        ("Красный ёж", ["красный", "ёж"]),
        ("Crème, VIỆT", ["crème", "việt"]),
        ("I ❤\ufe0f you, 1\ufe0f\u20e3 ★", ["i", "you", "1"]),
        ("_ ★ !? ́", []),
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_of_every_script_stay_whole_in_both_forms_of_unicode(text: str, expected: list[str], form: str):
    assert words(unicodedata.normalize(form, text)) == [unicodedata.normalize("NFC", word) for word in expected]


def test_scripts_without_spaces_between_words_are_known():
    assert is_undivided("แมวสีดำ") and is_undivided("ឆ្មា") and not is_undivided("बिल्ली cat 猫")
    assert has_signs("一 cat") and has_signs("ねこ") and not has_signs("リンゴ cat แมว")


def test_a_name_is_found_in_both_forms_of_unicode():
    assert position("café", ["a", "cafe\u0301"]) == position("cafe\u0301", ["a", "café"]) == 1
    assert position(b"caf\xe9".decode("utf-8", "surrogateescape"), [r"caf\udce9"]) == 0
    assert position("猫".encode().decode("ascii", "surrogateescape"), ["猫"]) == 0
    assert position("b", ["a"]) is None and position(0, ["a"]) is None
