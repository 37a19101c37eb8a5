"""What a CLIP of people is asked, with encoders that know the attributes: they reach what can be reached, no more."""

import re

import pytest
import torch
import torch.nn.functional as F

from core import seeds
from core.data import people, people_captions
from core.data.people import ATTRIBUTES
from core.models import people_queries
from core.models.people_queries import DIFFERENCES, matching, name_difference, pairs, retrieve, words

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
PLACES = [(name, value) for name, values in ATTRIBUTES.items() for value in values]


def texts(captions):
    """1 at each value that a caption names, and at each that it may mean."""
    rows = torch.zeros(len(captions), len(PLACES))
    for row, caption in zip(rows, captions):
        for name, value in people_captions.parse(caption).wanted.items():
            for one in people_captions.values(name, value):
                row[PLACES.index((name, one))] = 1
    return F.normalize(rows, dim=1)


def one_hot(some):
    """1 at each value of a person that can be seen."""
    parts = [F.one_hot(column, len(values)) for column, values in zip(some.attributes.T, ATTRIBUTES.values())]
    shown = [mask[:, None] * part for mask, part in zip(some.visible.T, parts)]
    return torch.cat(shown, 1).float()


@pytest.mark.parametrize("name", DIFFERENCES)
def test_pairs_differ_in_one_attribute_alone_and_show_it(name):
    found = pairs(name, n=20)
    assert len(found.first) == len(found.second) == len(found.values) == 20
    assert (found.first != found.second).flatten(1).any(1).all()
    assert set(found.values) == set(DIFFERENCES[name][1])


def test_a_difference_in_glasses_changes_the_rows_of_the_eyes_only():
    found = pairs("glasses", n=30)
    changed = (found.first != found.second).any(1)
    assert not changed[:, :4].any() and not changed[:, 9:].any()


def of_words(language):
    """A vector of its own for each word at the end of a caption of more than one part."""
    phrases = list(people_captions.attribute_words(language))

    def vectors(captions):
        ends = [re.split(", |，", caption)[-1] for caption in captions]
        return torch.eye(len(phrases) + 1)[[phrases.index(end) if end in phrases else -1 for end in ends]]

    return vectors


@pytest.mark.parametrize("language", people_captions.LANGUAGES)
def test_there_are_at_least_60_candidates_and_each_means_what_is_read_in_it(language):
    candidates = words(of_words(language), language)
    assert len(candidates.phrases) >= 60 and len(set(candidates.phrases)) == len(candidates.phrases)
    nouns = [k for k, (name, value) in enumerate(candidates.meanings) if name in ("beard", "glasses", "hat", "mouth")]
    assert len(nouns) >= 15
    for k in nouns:
        assert people_captions.parse(candidates.phrases[k]).wanted == dict([candidates.meanings[k]])


def test_a_word_is_what_it_adds_to_captions():
    """By vectors that count characters, every word adds as many as it has, and two."""

    def texts(captions):
        return torch.tensor([[float(len(caption))] for caption in captions])

    candidates = words(texts, "en", wordings=3)
    assert candidates.vectors[:, 0].tolist() == [2.0 + len(phrase) for phrase in candidates.phrases]


def test_an_encoder_that_knows_the_attributes_finds_what_captions_determine():
    shown = people.draw(300, seeds.mix(0, people_queries._CAPTIONS), held_out=True)
    for language in people_captions.LANGUAGES:
        found = retrieve(lambda _: one_hot(shown), texts, language, n=300)
        assert found.top1 == pytest.approx(found.determined, abs=0.05) and 0.2 < found.determined < 0.9
        blind = retrieve(lambda x: torch.ones(len(x), len(PLACES)), texts, language, n=300)
        assert blind.top1 < 0.03


def test_who_matches_a_caption_is_decided_by_what_can_be_seen():
    shown = people.draw(500, seed=1)
    matched = matching(shown, {"hat": "hat", "glasses": "none"})
    columns = [list(ATTRIBUTES).index(name) for name in ("hat", "glasses")]
    assert torch.equal(matched, (shown.attributes[:, columns[0]] > 0) & (shown.attributes[:, columns[1]] == 0))
    bald = matching(shown, {"hair": "bald"})
    assert bald.any() and (shown.attributes[bald, columns[0]] == 0).all()


@pytest.mark.slow
def test_the_nearest_word_of_a_difference_counts_by_its_meaning():
    """Directions to a given word, whatever the picture: "cap" names one kind of hat, "hat" all, "red" none."""
    candidates = words(of_words("en"), "en")

    def to(word):
        direction = candidates.vectors[candidates.phrases.index(word)]
        signs = iter((1.0, 0.0))
        return lambda x: next(signs) * direction.expand(len(x), -1)

    share = sum(value == "cap" for value in pairs("hat").values) / 100
    results = {word: name_difference("hat", to(word), candidates) for word in ("cap", "hat", "red")}
    assert results["cap"].right == pytest.approx(share) and results["cap"].by_class == 0
    assert results["hat"].right == results["hat"].by_class == 1
    assert results["cap"].class_next < 1 == results["hat"].class_next
    assert results["red"].right == 0 and set(results["red"].nearest) == {"red"}
