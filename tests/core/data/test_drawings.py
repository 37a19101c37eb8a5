"""A drawing as text: it comes back, it stays short, and nonsense is refused."""

import re

import numpy as np
import pytest

from core.data.drawings import decode, encode
from core.limits import LINK_VERTICES as VERTICES

CIRCLE = [[0.5 + 0.4 * np.cos(a), 0.5 + 0.4 * np.sin(a)] for a in np.linspace(0, 6, 90)]


def test_a_drawing_comes_back_to_a_thousandth():
    strokes = [CIRCLE, [[0, 1]], [[1, 0], [0.333, 0.667]]]
    back = decode(encode(strokes))
    assert [len(stroke) for stroke in back] == [90, 1, 2]
    assert max(np.abs(np.array(a) - b).max() for a, b in zip(back, strokes, strict=True)) < 0.0016


def test_encoding_what_was_decoded_changes_nothing():
    text = encode([CIRCLE, [[0.2, 0.3]]])
    assert encode(decode(text)) == text


def test_the_text_needs_no_escaping_in_an_address():
    text = encode([np.random.default_rng(0).random((300, 2)), [[0, 0]]])
    assert re.fullmatch(r"[A-Za-z0-9._-]+", text)


@pytest.mark.parametrize("strokes", [[], [[]]])
def test_an_empty_drawing_is_empty_text(strokes):
    assert encode(strokes) == "" and decode("") == []


def test_a_long_stroke_is_simplified_along_its_own_line():
    angle = np.linspace(0, 30, 5000)
    spiral = np.stack([0.5 + angle / 65 * np.cos(angle), 0.5 + angle / 65 * np.sin(angle)], axis=1)
    (back,) = decode(encode([spiral]))
    assert len(back) <= VERTICES
    away = np.linalg.norm(spiral[:, None] - np.array(back), axis=-1).min(0)
    assert away.max() < 0.002


def test_more_dots_than_fit_are_thinned_out_over_the_whole_drawing():
    dots = [[[k / 1999, 0.5]] for k in range(2000)]
    back = decode(encode(dots))
    assert VERTICES / 2 < len(back) <= VERTICES and back[-1][0][0] > 0.99


@pytest.mark.parametrize("text", ["A", "AAAA", "AAA..AAA", "AA!", ".", "<script>", "AAA AAA", "ÄÄÄ"])
def test_nonsense_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match="The drawing in the address is damaged"):
        decode(text)


def test_an_overlong_text_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="more than 400 points"):
        decode("AAA" * 5000)
