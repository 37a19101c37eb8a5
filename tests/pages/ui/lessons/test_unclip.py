"""The scenes of chapter 7: films while they form, strips of vectors, what the tasks ask."""

from dataclasses import replace

import torch

from core.figures import palette
from core.lessons.clip import pairs
from core.lessons.unclip import Film, Request
from pages.ui.lessons import unclip
from pages.ui.lessons.unclip import SHOW, Config, requests_of, scene
from pages.ui.lessons.unclip_vectors import LIMIT, space, strips

QUICK = Config(steps=2, n=2, w=1.0)


def test_a_film_before_its_first_step_is_drawn_as_noise():
    for show in SHOW:
        config = replace(QUICK, show=show)
        films = [Film(request) for request in requests_of(config)]
        made = scene(config, films, -1)
        assert made.panels and made.alt and (made.clock is None or len(made.clock.values) == 1)


def test_a_scene_makes_its_films_where_none_are_given():
    made = unclip.SCENES["decoder"](QUICK)
    assert len(made.clock.values) == 3 and made.clock.start == QUICK.steps // 2  # halfway
    assert made.panels[0].layers[0].pixels.shape == (3, 2, 32, 32, 3)


def test_the_requests_of_a_scene_differ_in_what_the_scene_compares():
    def asked(show):
        return requests_of(replace(QUICK, show=show))

    one = QUICK.request
    assert asked("all_stages") == asked("prior") == [one] and asked("text_vector") == []
    both = replace(one, caption=QUICK.prior_caption)
    assert asked("prior_skipped") == [both, replace(both, skip_prior=True)]
    assert [request.scale for request in asked("guidance")] == [0, 1, 2, 4, 8]
    assert pairs().captions[asked("variations")[0].picture] == QUICK.of


def test_the_squares_of_a_vector_take_their_colour_from_its_numbers():
    above, below, none = strips(torch.tensor([[LIMIT, -2 * LIMIT, 0.0, torch.nan]]), "light")[0].flatten(0, 1)[:3]
    for square, colour in ((above, palette.colour("sample", "light")), (below, palette.colour("data", "light")),
                           (none, palette.BACKGROUND["light"])):  # fmt: skip
        assert bytes(square.tolist()).hex() == colour[1:]


def test_the_groups_of_the_ends_of_an_interpolation_are_those_of_the_nearest_pictures():
    names, vectors = pairs().captions, space().pictures
    for other, apart in (("dog face", False), ("pizza", True)):
        ends = vectors[[names.index("cat face"), names.index(other)]]
        assert unclip.ends_in_two_groups(Film(Request(), vectors=ends)) == apart
