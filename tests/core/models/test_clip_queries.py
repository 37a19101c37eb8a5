"""What towers are asked, checked where the answer is known; and the linear baseline."""

from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from core.data.captions import ARITHMETIC, Pairs, emoji, tone
from core.models import clip_queries
from core.models.clip import ClipConfig
from core.models.clip_queries import (
    SHIFT,
    bags_of_words,
    candidate_words,
    differences,
    linear,
    nearest_words,
    ranks,
    recall_at,
)
from core.models.shifts import random_shifts
from core.networks import make_network

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


@pytest.fixture(scope="module")
def pairs():
    return emoji()


def test_a_rank_counts_the_columns_that_beat_the_own_one():
    similarity = torch.tensor([[0.5, 0.9, 0.1], [0.0, 1.0, 0.2], [0.7, 0.8, 0.6]])
    assert ranks(similarity).tolist() == [1, 0, 2]
    assert recall_at(ranks(similarity), 1) == pytest.approx(1 / 3) and recall_at(ranks(similarity), 2) == pytest.approx(
        2 / 3
    )


def test_ties_count_as_chance():
    rank = ranks(torch.ones(1000, 1000))
    assert recall_at(rank, 1) < 0.01 and recall_at(rank, 100) == pytest.approx(0.1, abs=0.03)
    assert (ranks(torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [1.0, 1.0, 1.0]])) < torch.tensor([2, 2, 3])).all()


def test_vectors_do_not_depend_on_how_many_are_asked_for_at_once():
    net, x = make_network("clip", words=3, side=8, width=8), torch.linspace(-1, 1, 7 * 192).view(7, 3, 8, 8)
    torch.testing.assert_close(clip_queries.image_vectors(net, x, size=3), clip_queries.image_vectors(net, x))


def test_there_are_48_held_out_differences_twelve_for_each_attribute(pairs):
    found = differences(pairs)
    assert {name: sum(d.attribute == name for d in found) for name in ARITHMETIC} == dict.fromkeys(ARITHMETIC, 12)
    for d in found:
        assert pairs.held_out[d.with_it] and tone(pairs.captions[d.with_it]) == tone(pairs.captions[d.without])


def test_every_attribute_may_name_a_difference_and_stands_for_the_words_that_come_with_it(pairs):
    found = candidate_words(pairs)
    assert set(ARITHMETIC) <= set(found) and len(found) > 150
    assert "guard" in found["helmet"] and "wearing" in found["turban"] and "with" not in found
    assert not set(found) & {word for same in found.values() for word in same}


def test_the_nearest_word_of_a_difference_is_judged_about_the_mean_of_all_words():
    words = F.normalize(torch.eye(3) + 5.0, dim=1)
    cosines, order = nearest_words(torch.tensor([0.0, 1.0, 0.0]), words)
    assert order[0] == 1 and cosines[0] > 0.8 and cosines[1] < 0


def test_a_steady_vector_is_the_mean_over_all_places_that_training_moves_a_picture_to():
    net, x = make_network("clip", words=3, side=8, width=8), torch.linspace(-1, 1, 2 * 192).view(2, 3, 8, 8).sin()
    draws = [random_shifts(x, 1, torch.Generator().manual_seed(seed)) for seed in range(80)]
    places = {draw[0].numpy().tobytes(): draw[:1] for draw in draws}
    assert len(places) == 9
    expected = torch.cat([clip_queries.image_vectors(net, one) for one in places.values()]).mean(0)
    torch.testing.assert_close(
        clip_queries.mean_over_shifts(partial(clip_queries.image_vectors, net), x, shift=1)[0], expected
    )


def test_pictures_are_asked_in_the_places_that_training_moves_them_to():
    assert ClipConfig().shift == SHIFT


def test_the_vector_of_a_word_is_the_mean_over_the_captions_of_what_it_is_said_of():
    pairs = replace(small(4), keywords=((), ("e",), ("e",), ()), held_out=torch.tensor([False, False, False, True]))
    vectors = {"a c": [1.0, 0.0], "b c": [0.0, 1.0], "a d": [1.0, 1.0], "z": [5.0, 5.0]}
    found = clip_queries.mean_over_captions(pairs, lambda texts: torch.tensor([vectors[text] for text in texts]))
    assert found(["c", "e", "a", "z"]).tolist() == [[0.5, 0.5], [0.5, 1.0], [1.0, 0.5], [5.0, 5.0]]


def small(n: int = 40) -> Pairs:
    """Pictures of two grey squares, each dark or light, with a word for each."""
    captions = tuple(f"{'ab'[i % 2]} {'cd'[i // 2 % 2]}" for i in range(n))
    grey = torch.tensor([[255 * (i % 2), 255 * (i // 2 % 2)] for i in range(n)], dtype=torch.uint8)
    return Pairs("squares", grey.view(n, 1, 1, 2), captions, ((),) * n, captions, torch.zeros(n, dtype=torch.bool))


def test_a_bag_has_a_one_for_each_word_however_often_it_comes():
    assert bags_of_words(clip_queries.tokenizer(small()), ["b b", "", "c a"]).sum(1).tolist() == [1, 0, 2]


def test_the_linear_baseline_finds_what_is_linear():
    pairs = small()
    pair = linear(pairs, pairs.captions, size=2)
    pictures = pair.images(clip_queries.unit(pairs.images[:4]))
    assert (pictures @ pair.texts(pairs.captions[:4]).T).argmax(1).tolist() == [0, 1, 2, 3]
