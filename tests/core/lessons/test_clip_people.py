"""Chapter 8 on people: what the shipped CLIP answers, and the numbers that the page quotes."""

import pytest
import torch

from core.data import people_captions
from core.lessons import clip as clip_lesson
from core.lessons import clip_people as lesson
from core.lessons.clip_people import PeopleSpace
from core.models import clip_space, people_queries
from core.pretrained import pretrained
from pages.ui.frame.text import catalogue

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

MEASURED = {name: value for name, value in catalogue("")["measured"]["clip"].items() if name.startswith("people_")}


@pytest.fixture(scope="module")
def space() -> PeopleSpace:
    return lesson.embed(pretrained(lesson.MODEL), "en")


def percent(found: dict[str, lesson.Answers]) -> int:
    """The share of all pairs whose nearest word is right."""
    right = [hit for one in found.values() for hit in one.right]
    return round(100 * sum(right) / len(right))


@pytest.mark.parametrize("held_out", (False, True))
def test_each_caption_of_a_matrix_of_people_is_true_of_its_own_person_alone(held_out):
    people, numbers = clip_space.pairs("people").people, list(clip_lesson.matrix_pairs(held_out, "people"))
    assert len(numbers) == clip_lesson.N
    for language in people_captions.LANGUAGES:
        for i, caption in zip(numbers, clip_lesson.matrix_captions(held_out, "people", language), strict=True):
            wanted = people_captions.parse(caption).wanted
            fitting = people_queries.matching(people, wanted)[numbers]
            assert len(wanted) >= clip_lesson.NAMED - 1 and [numbers[k] for k in fitting.nonzero()[:, 0]] == [i]


def test_the_numbers_that_the_page_quotes_of_people(space):
    held_out = clip_lesson.matrix(space.clip, space.tokenizer, "people")[clip_lesson.matrix_number(True, "people")]
    first, ten = clip_space.retrieval_accuracy(space)
    right = {one.attribute: one.right for one in lesson.describe(space, space.pairs.indices(held_out=True))}
    assert MEASURED == {
        "people_vector_size": space.pictures.shape[1],
        "people_held_out_right": clip_lesson.count_matches(held_out),
        "people_retrieval_first": round(100 * first),
        "people_retrieval_ten": round(100 * ten),
        "people_glasses": round(100 * right["glasses"]),
        "people_hair_colour": round(100 * right["hair_colour"]),
        **{f"people_{name}_{language}": percent(lesson.stored_answers(who, language))
           for name, who in (("right", "clip"), ("linear", "linear")) for language in people_captions.LANGUAGES},
    }  # fmt: skip


@pytest.mark.slow
def test_the_stored_answers_are_those_of_the_shipped_encoders(space):
    assert lesson.answers_of(space) == lesson.stored_answers("clip", "en")
    images, texts = people_queries.baseline()
    again = lesson.answers(images, people_queries.words(texts, "zh"))
    assert abs(percent(again) - percent(lesson.stored_answers("linear", "zh"))) <= 1


def test_training_leaves_the_cosines_of_other_people_near_zero_on_average(space):
    for cosines in clip_lesson.matrix(space.clip, space.tokenizer, "people"):
        others = cosines[~torch.eye(len(cosines), dtype=torch.bool)]
        assert cosines.diag().mean() > 0.4 and others.mean().abs() < 0.05 and others.min() > -0.6


def test_a_hat_may_be_named_by_its_kind_or_as_a_hat(space):
    k = lesson.pair_of("hat").values.index("cap")
    named = lesson.nearest_words(space, lesson.directions(space, "hat")[k], lesson.meaning_of("hat", k))
    assert {one.word: one.right for one in named} | {"hat": True, "cap": True} == {
        one.word: one.word in ("hat", "cap", "baseball cap") for one in named
    } | {"hat": True, "cap": True}
    assert lesson.nearest_words(space, torch.zeros(space.pictures.shape[1])) == []


def test_a_person_minus_the_word_hat_is_near_people_without_one(space):
    people = space.people
    person = next(k for k in range(3_200, 4_000) if people.named(k)["hat"] != "none")
    found = clip_space.nearest(space.pictures, lesson.analogy(space, person, "hat", ""), torch.arange(4_000), 6)
    assert sum(people.named(i)["hat"] == "none" for i, _ in found if i != person) >= 4
    torch.testing.assert_close(lesson.analogy(space, 7, "", " "), space.pictures[7])


def test_the_gap_between_people_and_captions_is_wide(space):
    found = lesson.project(space, "across_gap", "hat")
    assert found.pictures[:, 0].min() > found.captions[:, 0].max()
