"""Chapter 7 with people: what the shipped model makes of scribbles, halves and edits, and the numbers of the page."""

import pytest
import torch

from core.data.images import pixels, unit
from core.lessons import trained_model_people as lesson
from core.lessons.trained_model_people import PeopleRequest
from core.problems import Problem
from pages.ui.frame import text


@pytest.fixture(scope="module")
def quoted() -> dict:
    return text.catalogue("")["measured"]["trained_model"]


def made(request: PeopleRequest) -> torch.Tensor:
    """The finished pictures of a request."""
    *_, (film,) = lesson.films([request])
    assert film.done and len(film.x) == request.frames
    return film.images


def test_a_higher_level_changes_a_scribble_more_and_makes_people_of_it():
    given = pixels(lesson.scribble("hat"))
    low, high = (made(PeopleRequest(sigma=sigma)) for sigma in (0.3, 3.0))
    assert lesson.change_of(low, given) < 0.3 < 0.45 < lesson.change_of(high, given)
    assert lesson.distance_to_people(high) < 0.5 * lesson.distance_to_people(given)
    spread = [unit(each).std(0).mean().item() for each in (low, high)]
    assert spread[1] > 3 * spread[0]


def test_a_filled_in_picture_keeps_its_half_and_resamplings_bring_it_nearer_to_people(quoted):
    runs = [made(PeopleRequest("fill", known="top", resamplings=number)) for number in (1, 5)]
    known = lesson.person(0).images
    assert all((run[..., :8, :] == known[..., :8, :]).all() for run in runs)
    distances = [f"{lesson.distance_to_people(run):.2f}" for run in runs]
    assert distances == [quoted["fill_1"], quoted["fill_5"]]


def test_the_known_half_is_half_of_the_picture():
    for known in lesson.KNOWN:
        assert lesson.mask(known).sum() == 128
    assert lesson.mask("left")[0, 0, 5, 0] and lesson.mask("top")[0, 0, 0, 5] and lesson.mask("bottom")[0, 0, 15, 5]


def test_filled_in_pictures_have_fewer_beards_than_people_have(quoted):
    once, often, alone = lesson.kept().beards.tolist()
    assert [round(100 * share) for share in (once, often, alone)] == [quoted[f"beards_{n}"] for n in (1, 5, "alone")]
    assert often < once < alone < lesson.BEARDS - 0.05
    assert abs(lesson.share_of_beards(1, each=8) - once) < 0.15
    beards = lesson.people.draw(2000, 1).attributes[:, lesson.NAMES.index("beard")] > 0
    assert abs(beards.double().mean().item() - lesson.BEARDS) < 0.03


@pytest.mark.parametrize("block", lesson.BLOCKS)
def test_a_mosaic_has_the_mean_colour_of_each_block(block: int):
    operator = lesson.mosaic_operator(block)
    assert (operator @ operator.T - torch.eye(len(operator))).abs().max() < 1e-6
    picture = lesson.person(0).images
    blocks = picture.float().unfold(2, block, block).unfold(3, block, block).mean((4, 5))
    coarse = blocks.repeat_interleave(block, 2).repeat_interleave(block, 3)
    assert (lesson.mosaic(picture, block).float() - coarse).abs().max() <= 1


def test_people_who_fit_a_mosaic_have_nearly_the_same_one():
    wanted = lesson.mosaic(lesson.person(4).images, 4)
    found = made(PeopleRequest("measure", person=4))
    apart = lesson.change_of(lesson.mosaic(found, 4), wanted)
    others = lesson.change_of(lesson.mosaic(lesson.person(5, 8).images, 4), wanted)
    assert apart < 0.1 < 0.3 < others and lesson.distance_to_people(found) < 0.2


def test_an_edit_changes_what_is_wanted_and_keeps_the_rest():
    same, edited = (PeopleRequest("invert", change=change) for change in ("same", "red_clothes"))
    images = made(same)
    assert lesson.change_of(images, lesson.person(0, 6).images) < 0.12 and lesson.judged(images, same) == (1, 1)
    assert lesson.judged(made(edited), edited) == (1, 1)


def test_every_edit_names_attributes_that_there_are():
    for change in lesson.CHANGES:
        wanted = lesson.wanted(lesson.person(0, 6), change)
        assert wanted.shape == (6, 12) and wanted.max() >= 0


def test_the_kept_log_likelihoods_say_what_the_page_says(quoted):
    found = lesson.kept()
    likeliest, unlikeliest, average, ground, scribble, noise = found.nats.tolist()
    assert abs(likeliest - unlikeliest - quoted["gap"]) <= 25 and abs(average - quoted["average"]) <= 25
    assert abs(likeliest - found.people.max()) < 50 and abs(unlikeliest - found.people.min()) < 50
    assert unlikeliest > average > ground > scribble > noise


@pytest.mark.slow
def test_the_log_likelihoods_are_those_of_the_model():
    """In fewer steps and with one random sign, which is right to about a hundred nats."""
    found = lesson.kept()
    computed = lesson.log_likelihoods(unit(found.pictures[[0, 4]]), probes=1, steps=25)
    assert (computed - found.nats[[0, 4]]).abs().max() < 150


def test_scribbles_and_halves_that_are_not_there_are_refused():
    with pytest.raises(Problem, match="no shape 'cat'"):
        lesson.scribble("cat")
    with pytest.raises(Problem, match="no shape 'middle'"):
        lesson.mask("middle")
    with pytest.raises(Problem, match="no shape '3'"):
        lesson.mosaic_operator(3)
