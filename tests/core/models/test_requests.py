"""Requests for attributes: in words, by name, of one value or of any of several."""

import pytest
import torch

from core.data.people import ATTRIBUTES
from core.models import requests

NAMES = list(ATTRIBUTES)


def values(asked) -> dict[str, tuple[int, ...]]:
    """The attributes that a request names, with the numbers of the values that will do."""
    return {name: some for name, some in zip(NAMES, requests.read(asked, ATTRIBUTES).values) if some}


def test_a_sentence_in_either_language_asks_for_what_it_names():
    english = values("a smiling person with long green hair and a beard, no glasses")
    assert english == values(
        {"mouth": "smiling", "hair": "long", "hair_colour": "green", "beard": "beard", "glasses": "none"}
    )
    assert values("戴红帽子和眼镜、没有胡子的人") == {
        "hat": (1, 2, 3),
        "hat_colour": (3,),
        "glasses": (1,),
        "beard": (0,),
    }


def test_words_that_name_no_attribute_are_kept_apart():
    assert requests.read("a woman with a dragon", ATTRIBUTES).unknown == ("woman", "dragon")


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"wings": "two"}, "unknown_attribute"), ({"hat": "crown"}, "unknown_attribute_value"),
     ({"beard": "hat"}, "unknown_attribute_value"), ("bald with long hair", "people_caption_both")],
)  # fmt: skip
def test_what_cannot_be_is_refused(asked, code, refused):
    with refused(code):
        requests.read(asked, ATTRIBUTES)


def test_of_several_values_samples_have_each_in_turn_and_a_negative_has_them_all():
    any_hat = requests.read("a hat", ATTRIBUTES).values
    hats = requests.condition(any_hat, 4)["attributes"][:, NAMES.index("hat")]
    assert hats.tolist() == [1, 2, 3, 1]
    away = [cond["attributes"][:, NAMES.index("hat")].tolist() for cond in requests.negative(any_hat, 2)]
    assert away == [[1, 1], [2, 2], [3, 3]]
    assert len(requests.negative(requests.read({"hat": "cap"}, ATTRIBUTES).values, 2)) == 1


def test_an_attribute_fits_if_it_has_one_of_the_values():
    got = torch.zeros(2, len(NAMES), dtype=torch.long)
    got[1, NAMES.index("hat")] = 2
    found = requests.fits(requests.read("a hat", ATTRIBUTES).values, got)
    assert found[:, NAMES.index("hat")].tolist() == [False, True]
    assert found.sum(1).tolist() == [len(NAMES) - 1, len(NAMES)]
