"""The scenes of chapter 9: films while they form, strips of vectors, what the tasks ask."""

from dataclasses import replace

import pytest
import torch

from core.data import people
from core.figures import palette
from core.lessons.unclip import Film, Request, first_requests
from core.models.clip_space import pairs
from pages.ui.frame.text import language
from pages.ui.lessons import unclip
from pages.ui.lessons.unclip import SHOW, Config, requests_of, scene
from pages.ui.lessons.unclip_vectors import LIMIT, space, strips

QUICK = Config(steps=2, n=2, w=1.0)
EMOJI = replace(QUICK, data="emoji")


def test_a_film_before_its_first_step_is_drawn_as_noise():
    for show in SHOW:
        config = replace(QUICK, show=show)
        films = [Film(request) for request in requests_of(config)]
        made = scene(config, films, -1)
        assert made.panels and made.alt and (made.clock is None or len(made.clock.values) == 1)


def test_a_scene_makes_its_films_where_none_are_given():
    made = unclip.SCENES["decoder"](QUICK)
    assert len(made.clock.values) == 3 and made.clock.start == QUICK.steps // 2  # halfway
    assert made.panels[0].layers[0].pixels.shape == (3, 2, 16, 16, 3)


def test_the_clock_of_all_stages_counts_the_steps_of_both():
    assert unclip.SCENES["all_stages"](QUICK).clock.values == [0, 1, 2, 2, 3, 4]


def test_the_requests_of_a_scene_differ_in_what_the_scene_compares():
    def asked(show):
        return requests_of(replace(QUICK, show=show))

    one = QUICK.request
    assert asked("all_stages") == asked("prior") == [one] and asked("text_vector") == []
    both, positive = (replace(one, caption=each) for each in (QUICK.prior_caption, QUICK.positive_caption))
    assert asked("prior_skipped") == [both, replace(both, skip_prior=True)]
    assert asked("negative_caption") == [positive, replace(positive, negative=QUICK.negative)]
    assert [request.scale for request in asked("guidance")] == [0, 1, 2, 4, 8]
    assert asked("variations")[0].picture == QUICK.person
    emoji = requests_of(replace(EMOJI, show="variations"))[0]
    assert pairs().captions[emoji.picture] == EMOJI.of and emoji.data == "emoji"


def test_the_page_opens_with_the_films_that_are_stored_in_either_language():
    for name in ("en", "zh"):
        token = language.set(name)
        opened = [request for show in SHOW for request in requests_of(Config(show=show))]
        language.reset(token)
        assert {*opened} == {*first_requests("people", name)}
    opened = [request for show in SHOW for request in requests_of(Config(show=show, data="emoji"))]
    assert {*opened} == {*first_requests("emoji", "zh")}


def test_the_squares_of_a_vector_take_their_colour_from_its_numbers():
    above, below, none = strips(torch.tensor([[LIMIT, -2 * LIMIT, 0.0, torch.nan]]), "light")[0].flatten(0, 1)[:3]
    for square, colour in ((above, palette.colour("sample", "light")), (below, palette.colour("data", "light")),
                           (none, palette.BACKGROUND["light"])):  # fmt: skip
        assert bytes(square.tolist()).hex() == colour[1:]


@pytest.mark.slow
def test_the_groups_of_the_ends_of_an_interpolation_are_those_of_the_nearest_pictures():
    names, vectors = pairs().captions, space("emoji").pictures
    for other, apart in (("dog face", False), ("pizza", True)):
        ends = vectors[[names.index("cat face"), names.index(other)]]
        assert unclip.ends_differ(Film(Request("emoji"), vectors=ends)) == apart


def test_the_ends_of_an_interpolation_of_people_differ_if_one_has_a_hat():
    drawn = people.draw(64, 0)
    hats = drawn.attributes[:, list(people.ATTRIBUTES).index("hat")] > 0
    bare, other = (~hats).nonzero()[:2, 0].tolist()
    for end, apart in ((other, False), (int(hats.nonzero()[0]), True)):
        assert unclip.ends_differ(Film(Request(), x=(drawn.images[[bare, end]],))) == apart
