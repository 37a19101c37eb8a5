"""Chapter 8: live training of a small CLIP, and what the shipped one answers."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from core.data.captions import ARITHMETIC
from core.lessons import clip as clip_lesson
from core.lessons.clip import CONFIG, GROUPS, N, Space, matrix_pairs, parse_prompts, project
from core.models import clip as clip_model
from core.models import clip_queries, clip_space
from core.models.clip_space import AXES, nearest, pairs
from core.pretrained import pretrained
from core.problems import Problem
from core.runs.progress import Progress
from pages.ui.frame.text import catalogue

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

MEASURED = catalogue("")["measured"]["clip"]
DIFFERENCES = ("differences", "differences_right", "linear_right")
SMALL = replace(CONFIG, width=8, size=16, batch=16, steps=40, warmup=5)


@pytest.fixture(scope="module")
def space() -> Space:
    return clip_lesson.embed(pretrained("clip"))


def place(caption: str) -> int:
    return pairs().captions.index(caption)


# Live


def test_the_pictures_of_a_matrix_are_all_trained_on_or_all_held_out():
    for held_out in (False, True):
        assert len(set(matrix_pairs(held_out))) == N
        assert all(bool(pairs().held_out[i]) is held_out for i in matrix_pairs(held_out))


@pytest.mark.slow
def test_a_run_keeps_matrices_of_its_past_and_shows_the_newest_last():
    progress = Progress(clip_model.new_checkpoint(SMALL, pairs()).state)
    *_, lesson = islice(clip_lesson.run(SMALL, progress), 14)
    shot = clip_lesson.snapshot(lesson)
    assert shot.steps.tolist() == [0, 10, 12, 14] and shot.cosines.shape == (4, 2, N, N)
    torch.testing.assert_close(shot.cosines[-1], clip_lesson.matrix(lesson.state.ema, clip_lesson.tokenizer()))
    assert len(shot.losses) == 2 and shot.step == 14


@pytest.mark.slow
def test_a_run_that_goes_on_is_the_same_run():
    whole, part = (Progress(clip_model.new_checkpoint(SMALL, pairs()).state) for _ in range(2))
    *_, whole = islice(clip_lesson.run(SMALL, whole), 12)
    *_, part = islice(clip_lesson.run(SMALL, part), 7)
    *_, part = islice(clip_lesson.run(SMALL, part), 5)
    assert torch.equal(clip_lesson.matrix(whole.state.ema, clip_lesson.tokenizer()),
                       clip_lesson.matrix(part.state.ema, clip_lesson.tokenizer()))  # fmt: skip
    assert set(whole.frames) == {0, 10, 12} and set(part.frames) == {0, 7, 10, 12}


@pytest.mark.slow
def test_some_hundred_steps_make_the_diagonal_stand_out():
    *_, lesson = islice(clip_lesson.run(CONFIG, Progress(clip_model.new_checkpoint(CONFIG, pairs()).state)), 160)
    before, after = lesson.frames[0][0], clip_lesson.snapshot(lesson).cosines[-1, 0]
    others = ~torch.eye(N, dtype=torch.bool)
    assert (before.diag().mean() - before[others].mean()).abs() < 0.1
    assert after.diag().mean() > after[others].mean() + 0.15
    assert clip_lesson.count_matches(after) > clip_lesson.count_matches(before) + 2
    assert lesson.losses[0] > 4.5 > 4 > lesson.losses[-1]


def test_a_caption_is_right_when_no_other_picture_is_nearer():
    cosines = torch.tensor([[0.9, 0.1], [0.8, 0.2]])
    assert clip_lesson.count_matches(cosines) == 1 and clip_lesson.count_matches(cosines.T) == 2


# The shipped pair


def test_the_shipped_pair_has_learned_the_pairs_of_the_matrix(space):
    assert clip_lesson.count_matches(clip_lesson.matrix(space.clip, space.tokenizer)[0]) >= N - 1


def test_half_of_the_held_out_pictures_find_their_own_caption(space):
    first, ten = clip_space.retrieval_accuracy(space)
    assert first > 0.45 and ten > 0.7


@pytest.mark.slow
def test_the_shipped_pair_finds_the_caption_of_a_held_out_picture_more_often_than_a_linear_pair_does(space):
    first, ten = clip_space.retrieval_accuracy(space)
    theirs = clip_queries.held_out_ranks(pairs(), clip_lesson.linear().images, clip_lesson.linear().texts)
    assert first > 2 * clip_queries.recall_at(theirs, 1) and ten > clip_queries.recall_at(theirs, 10) + 0.15


def test_nearest_sorts_only_what_it_is_to_search(space):
    among = pairs().indices(held_out=True)
    found = nearest(space.pictures, 3 * space.text("red heart"), among, 5)
    cosines = [cosine for _, cosine in found]
    assert cosines == sorted(cosines, reverse=True) and max(cosines) <= 1 + 1e-6
    assert {i for i, _ in found} <= set(among.tolist())
    assert place("red heart") in [i for i, _ in found]


def test_a_clip_for_other_pictures_is_refused():
    other = clip_model.new_checkpoint(SMALL, replace(pairs(), images=pairs().images[..., ::2, ::2]))
    with pytest.raises(Problem) as caught:
        clip_lesson.embed(other)
    assert caught.value.code == "clip_other_pictures"


def test_training_raises_the_cosines_of_the_pairs_and_leaves_the_others_near_zero_on_average(space):
    for cosines in clip_lesson.matrix(space.clip, space.tokenizer):
        others = cosines[~torch.eye(len(cosines), dtype=torch.bool)]
        assert cosines.diag().mean() > 0.4 and others.mean().abs() < 0.05 and others.min() > -0.5


def test_people_and_signs_lie_apart_on_the_map(space):
    found = clip_lesson.project(space, "between_groups")
    groups = [clip_lesson.groups()[i] for i in clip_lesson.without_skin_tone()]
    person, sign = (torch.tensor([group == name for group in groups]) for name in ("person", "sign"))
    others = ~(person | sign)
    assert (found.pictures[person, 0] > found.pictures[others, 0].quantile(0.9)).double().mean() > 0.7
    assert (found.pictures[sign, 1] > found.pictures[others, 1].quantile(0.9)).double().mean() > 0.5


def test_the_numbers_that_the_page_quotes(space):
    held_out = clip_lesson.matrix(space.clip, space.tokenizer)[1]
    rates, means = [], []
    for wording in clip_lesson.WORDINGS:
        prompts, among = parse_prompts(wording), torch.arange(len(pairs().captions))
        accuracy = clip_lesson.accuracy(prompts, clip_lesson.classify(space, prompts, among), among)
        rates.append(accuracy.overall)
        means.append(accuracy.mean)
    hat = clip_lesson.hat()
    percent = [round(100 * share) for share in (*clip_space.retrieval_accuracy(space), *rates, *means)]
    names = "retrieval_first", "retrieval_ten", "wording_1", "wording_2", "wording_mean_1", "wording_mean_2"
    assert {
        "vector_size": space.pictures.shape[1],
        "held_out_right": clip_lesson.count_matches(held_out),
        **dict(zip(names, percent, strict=True)),
        "hat_rank": clip_lesson.word_rank(space, "hat", space.directions([hat])[0])[0],
    } == {name: value for name, value in MEASURED.items() if name not in DIFFERENCES and "people" not in name}


@pytest.mark.slow
def test_the_numbers_of_differences_that_the_page_quotes(space):
    answers = clip_lesson.answers(space)
    found = len(answers), sum(answer.correct for answer in answers), sum(clip_lesson.linear_baseline())
    assert found == tuple(MEASURED[name] for name in DIFFERENCES)


# Zero-shot


def test_prompts_are_names_with_texts_or_both_at_once():
    one, two = parse_prompts("cat\n\n food : fruit, sweet , \n")
    assert (one.name, one.texts) == ("cat", ("cat",)) and (two.name, two.texts) == ("food", ("fruit", "sweet"))


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "clip_prompt_count"), ("cat", "clip_prompt_count"), ("\n".join(map(str, range(13))), "clip_prompt_count"),
     ("cat\ncat", "clip_prompt_name"), (":\n:,", "clip_prompt_count"), (": cat\ndog", "clip_prompt_name")],
)  # fmt: skip
def test_prompts_that_cannot_be_read_are_refused(text, code):
    with pytest.raises(Problem) as caught:
        parse_prompts(text)
    assert caught.value.code == code and str(caught.value)


def test_probabilities_are_the_softmax_of_scaled_cosines(space):
    asked, among = parse_prompts("cat\nfood: fruit, sweet"), torch.arange(5)
    p = clip_lesson.classify(space, asked, among)
    vectors = torch.stack(
        [space.text("cat"), clip_queries.F.normalize(space.text("fruit") + space.text("sweet"), dim=0)]
    )
    logits = space.clip.temperature().detach() * space.pictures[:5] @ vectors.T
    torch.testing.assert_close(p, logits.softmax(1))


def test_a_score_counts_pictures_whose_group_is_among_the_names():
    groups = clip_lesson.groups()
    among = torch.tensor([groups.index("food"), groups.index("animal"), groups.index("sign")])
    first = torch.tensor([[1.0, 0, 0]]).expand(3, -1)
    found = clip_lesson.accuracy(parse_prompts("food\nanimal\ndream"), first, among)
    assert (found.n, found.overall, found.mean, found.by_group) == (2, 0.5, 0.5, {"food": 1.0, "animal": 0.0})


def test_without_a_group_among_the_names_nobody_knows_what_is_right(space):
    asked = parse_prompts("up\ndown")
    assert clip_lesson.accuracy(asked, clip_lesson.classify(space, asked, torch.arange(9)), torch.arange(9)) is None


def test_the_wording_of_prompts_matters(space):
    among = torch.arange(len(pairs().captions))
    both = (
        parse_prompts("person\nsign\nfood"),
        parse_prompts("person: person, man, woman, hand\nsign: square, button\nfood"),
    )
    few, many = (clip_lesson.accuracy(one, clip_lesson.classify(space, one, among), among).overall for one in both)
    assert abs(many - few) > 0.02 and min(few, many) > 1 / 3


# Arithmetic


@pytest.mark.slow
def test_the_right_word_is_first_for_most_held_out_differences(space):
    answers = clip_lesson.answers(space)
    assert len(answers) == 48 and {a.difference.attribute for a in answers} == set(ARITHMETIC)
    assert sum(answer.correct for answer in answers) >= 45


def test_a_difference_is_named_by_words_with_falling_cosines(space):
    hat = clip_lesson.hat()
    words = clip_lesson.nearest_words(space, space.directions([hat])[0], 5)
    assert len(words) == 5 and [c for _, c in words] == sorted((c for _, c in words), reverse=True)
    assert all(word in space.synonyms for word, _ in words)


@pytest.mark.slow
def test_a_word_has_the_place_that_the_list_gives_it(space):
    crown = next(answer for answer in clip_lesson.answers(space) if answer.difference.attribute == "crown").difference
    (direction,) = space.directions([crown])
    for k, (word, cosine) in enumerate(clip_lesson.nearest_words(space, direction, 4), 1):
        assert clip_lesson.word_rank(space, word, direction) == (k, pytest.approx(cosine, abs=1e-5))


def test_nothing_has_no_name(space):
    assert clip_lesson.nearest_words(space, torch.zeros(space.pictures.shape[1])) == ()


def test_words_move_a_picture(space):
    found = nearest(space.pictures, clip_lesson.analogy(space, place("red apple"), "red", "green"),
                    torch.arange(len(pairs().captions)), 4)  # fmt: skip
    assert place("green apple") in [i for i, _ in found]


def test_no_words_leave_a_picture_where_it_is(space):
    torch.testing.assert_close(clip_lesson.analogy(space, 7, "", "  "), space.pictures[7])


# The map


@pytest.mark.parametrize("axes", AXES)
def test_a_map_shows_a_share_of_the_variance_and_every_plain_picture(space, axes):
    found = project(space, axes)
    assert found.pictures.shape == found.captions.shape == (len(clip_lesson.without_skin_tone()), 2)
    assert 0 < sum(found.shares) < 0.5
    torch.testing.assert_close((found.pictures + found.captions).mean(0), torch.zeros(2), atol=1e-5, rtol=0)


def test_principal_axes_hold_the_most_variance(space):
    shares = {axes: sum(project(space, axes).shares) for axes in AXES}
    assert max(shares, key=shares.get) == "principal"


def test_pictures_lie_apart_from_captions_across_the_gap(space):
    found = project(space, "across_gap")
    apart = found.pictures.mean(0) - found.captions.mean(0)
    torch.testing.assert_close(apart, torch.tensor([found.gap, 0.0]), atol=1e-5, rtol=0)
    assert found.gap > 0.1


def test_every_short_name_of_a_group_has_pictures():
    assert set(GROUPS) <= set(clip_lesson.groups())
