"""Paintings as text: nothing is lost, nothing foreign is taken, and one without a face is no start."""

import pytest
import torch

from core import seeds
from core.data import paintings
from core.data.drawings import DIGITS
from core.data.paintings import EMPTY, PAINTS
from core.problems import Problem


def random_pixels(colours: int) -> str:
    return "".join(DIGITS[k] for k in torch.randint(colours, (256,), generator=seeds.generator(1)).tolist())


@pytest.mark.parametrize("pixels", [random_pixels(len(PAINTS)), random_pixels(2), "B" * 256, "A" * 100 + "C" * 156])
def test_what_is_written_is_read_again(pixels: str):
    assert paintings.decode(paintings.encode(pixels)) == pixels


def test_an_empty_painting_has_no_text():
    assert paintings.encode(EMPTY) == "" and paintings.decode("") == EMPTY


@pytest.mark.parametrize("written", ["A", "A-é9", "AA", "O-" * 4, "A-" * 300, "A-A-A-A-A-", "A-\nA-A-"])
def test_a_damaged_text_is_refused(written: str):
    with pytest.raises(Problem) as refused:
        paintings.decode(written)
    assert refused.value.code == "drawing_damaged"


def test_a_painting_is_a_picture_with_its_first_row_above():
    picture = paintings.picture(paintings.encode("B" * 16 + "A" * 240))
    assert picture.shape == (1, 3, 16, 16) and (picture[0, :, 0] == 1).all() and (picture[0, 0, 1:] < 1).all()


@pytest.mark.parametrize("written", ["", paintings.encode("C" * 256)])
def test_a_painting_of_one_colour_is_refused(written: str):
    with pytest.raises(Problem) as refused:
        paintings.picture(written)
    assert refused.value.code == "painting_empty"
