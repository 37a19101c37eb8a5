"""How unCLIP's people are judged: requests, captions of them, what counts as right."""

import pytest
import torch

from core.data import people, people_captions
from core.data.people import ATTRIBUTES
from core.models import people_judge, unclip, unclip_people
from core.models.unclip_people import accuracy, caption_of, has
from core.pretrained import pretrained

NAMES = list(ATTRIBUTES)
pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_caption_of_a_request_names_all_of_it(language):
    for k, request in enumerate(people_judge.requests(50, seed=2)):
        wanted = people_captions.parse(caption_of(request, language, k)).wanted
        for name, number in zip(NAMES, request.tolist(), strict=True):
            assert number < 0 or wanted[name] == ATTRIBUTES[name][number]


@pytest.fixture
def judge_of_real_people(monkeypatch):
    """A judge that knows the attributes of 40 people; they are returned."""
    drawn = people.draw(40, 5)
    monkeypatch.setattr(unclip_people.people_judge, "attributes_of", lambda images: drawn.attributes[: len(images)])
    return drawn


def test_accuracy_counts_only_what_was_asked_for(judge_of_real_people):
    asked = torch.full((4, 12), -1)
    asked[:, NAMES.index("hat")] = judge_of_real_people.attributes[:4, NAMES.index("hat")]
    asked[0, NAMES.index("skin")] = (judge_of_real_people.attributes[0, NAMES.index("skin")] + 1) % 3
    found = accuracy(asked, judge_of_real_people.images[:4])
    assert (found.attributes, found.all) == (0.8, 0.75)


def test_a_picture_has_a_hat_of_any_kind_and_all_else_that_a_caption_names(judge_of_real_people):
    hat, glasses = (judge_of_real_people.attributes[:, NAMES.index(name)] for name in ("hat", "glasses"))
    assert torch.equal(has(judge_of_real_people.images, "hat"), hat > 0)
    assert torch.equal(has(judge_of_real_people.images, "a top hat and sunglasses"), (hat == 3) & (glasses == 2))


@pytest.mark.slow
def test_the_shipped_models_draw_what_captions_ask_for_and_leave_out_what_negative_captions_name():
    shipped = unclip.assemble(*(pretrained(f"people-{part}") for part in ("clip", "prior", "decoder")))
    wanted = people_judge.requests(40, 7)
    for language in ("en", "zh"):
        assert accuracy(wanted, unclip_people.draw(shipped, wanted, language)).attributes >= 0.88
    without, with_negative = unclip_people.unwanted_shares(shipped, "a person with glasses", "hat", 40)
    assert without > 0.4 and with_negative < without / 5
