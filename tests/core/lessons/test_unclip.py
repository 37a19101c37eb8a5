"""Chapter 9: films of what ``core.models.unclip.generate`` makes, interpolations, and where vectors lie."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.data.images import pixels, unit
from core.diffusion import samplers
from core.lessons import unclip as unclip_lesson
from core.lessons.unclip import Film, Request, Space
from core.models import unclip as unclip_model
from core.models.clip_space import pairs
from core.models.unclip import Unclip
from core.pretrained import pretrained
from core.problems import Problem
from pages.ui.frame.text import catalogue

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

MEASURED = catalogue("")["measured"]["unclip"]
REQUEST = Request("emoji", "cat face", scale=4.0, prior_scale=1.0, n=2, steps=3)


@pytest.fixture(scope="module")
def models() -> Unclip:
    return unclip_lesson.shipped("emoji")


@pytest.fixture(scope="module")
def space(models):
    return unclip_lesson.embed(models, pairs())


def made(models: Unclip, *requests: Request) -> tuple[Film, ...]:
    """The finished films of requests."""
    *_, films = unclip_lesson.films(models, requests)
    return films


# Films


@pytest.mark.parametrize(
    "changes",
    [{}, {"negative": "red"}, {"skip_prior": True}, {"skip_prior": True, "negative": "red"}, {"caption": ""},
     {"scale": 1.0, "prior_scale": 2.0, "seed": 5}],
    ids=str,
)  # fmt: skip
def test_a_film_ends_with_the_pictures_that_unclip_makes(models, changes):
    request = replace(REQUEST, **changes)
    options = request.negative, request.scale, request.prior_scale, 3, request.seed, request.skip_prior
    pictures = unclip_model.generate(models, [request.caption] * 2, *options)
    (film,) = made(models, request)
    assert film.done and len(film.x) == len(film.x0) == 4
    torch.testing.assert_close(film.x[-1], pixels(pictures), atol=1, rtol=0)
    assert torch.equal(film.x[-1], film.x0[-1])


def test_the_prior_ends_at_the_condition_of_the_decoder(models):
    (film,) = made(models, REQUEST)
    assert len(film.guesses) == 4 and torch.equal(film.guesses[-1], film.vectors)


@pytest.mark.slow
def test_a_film_counts_as_many_steps_as_are_said_before(models):
    changes = ([{}], [{}, {"skip_prior": True}], [{"picture": 0}], [{"scale": w} for w in (0, 1, 2)],
               [{}, {"negative": "red"}])  # fmt: skip
    for requests in ([replace(REQUEST, **change) for change in some] for some in changes):
        assert sum(1 for _ in unclip_lesson.films(models, requests)) == unclip_lesson.count_steps(requests)


def test_requests_that_differ_in_the_decoders_guidance_ask_the_prior_once(models):
    asked = []

    def counting(*args):
        asked.append(args)
        return models.prior(*args)

    one, other = made(replace(models, prior=counting), REQUEST, replace(REQUEST, scale=1.5))
    assert len(asked) == 3 and torch.equal(one.vectors, other.vectors) and not torch.equal(one.x[-1], other.x[-1])


def test_equal_seeds_begin_as_the_same_noise_under_any_condition(models):
    one, other = made(models, REQUEST, replace(REQUEST, skip_prior=True))
    assert torch.equal(one.x[0], other.x[0]) and torch.equal(one.x[0], unclip_lesson.opening(models, REQUEST).x[0])
    assert not torch.equal(one.x[0][0], one.x[0][1])
    assert not torch.equal(one.x[0], unclip_lesson.opening(models, replace(REQUEST, seed=1)).x[0])


def test_an_interpolation_leads_from_one_vector_to_the_other_with_the_same_noise(models):
    (film,) = made(models, replace(REQUEST, to="pizza", n=3))
    ends = unclip_model.scaled(torch.stack([film.guesses[-1][0], film.guesses[-1][1]]))
    torch.testing.assert_close(film.vectors[[0, 2]], ends)
    near = F.cosine_similarity(film.vectors[1], ends)
    torch.testing.assert_close(near[0], near[1])
    assert all(torch.equal(picture, film.x[0][0]) for picture in film.x[0])


def test_variations_are_conditioned_on_the_pictures_own_vector(models):
    request = replace(REQUEST, caption="", picture=7)
    (film,) = made(models, request)
    own = unclip_model.image_vectors(models, unit(pairs().images[7][None]))
    torch.testing.assert_close(film.vectors, own.expand(2, -1))
    assert not film.guesses and not torch.equal(film.x[-1][0], film.x[-1][1])
    (away,) = made(models, replace(request, negative="red"))
    assert not away.guesses and not torch.equal(away.x[-1], film.x[-1])


def test_without_a_caption_and_without_the_prior_the_decoder_has_no_condition(models):
    (film,) = made(models, replace(REQUEST, caption="", skip_prior=True))
    assert film.vectors.isnan().all()
    assert torch.equal(film.x[-1], made(models, replace(REQUEST, caption="", skip_prior=True, scale=0.0))[0].x[-1])


def test_a_frame_can_be_seen_alone_and_before_there_is_any(models):
    (film,) = made(models, REQUEST)
    assert torch.equal(film.at(2).x[0], film.x[2]) and len(film.at(2).x) == 1 and film.at(2).guesses == film.guesses
    assert film.at(-1).x == () and Film(REQUEST).at(-1).x0 == () and not Film(REQUEST).done


def test_what_cannot_be_made_is_refused(models):
    def code(make) -> str:
        with pytest.raises(Problem) as caught:
            make()
        assert str(caught.value)
        return caught.value.code

    assert code(lambda: made(models, REQUEST, replace(REQUEST, steps=2))) == "unequal_steps"
    assert code(lambda: made(models, replace(REQUEST, negative="xyzzy"))) == "unclip_unknown_words"
    for steps in (0, unclip_lesson.MAX_STEPS + 1):
        assert code(lambda steps=steps: replace(REQUEST, steps=steps)) == "unclip_steps"
    for few in ({"n": 0}, {"n": 1, "to": "pizza"}):
        assert code(lambda few=few: replace(REQUEST, **few)) == "unclip_pictures"


# Where vectors lie


@pytest.mark.slow
def test_a_path_ends_at_itself_among_its_nearest_pictures(models, space):
    (film,) = made(models, REQUEST)
    path = unclip_lesson.prior_path(models, film, space, k=3)
    assert path.pictures.shape == path.cosines.shape == (4, 3) and path.caption.shape == (4,)
    torch.testing.assert_close(path.end[-1], torch.tensor(1.0))
    assert (path.cosines.diff(dim=1) <= 0).all()
    own = F.normalize(film.vectors[0], dim=0) @ space.pictures[path.pictures[-1, 0]]
    torch.testing.assert_close(path.cosines[-1, 0], own)


def test_a_picture_of_the_collection_lies_at_itself(space):
    place = unclip_lesson.position(3 * space.pictures[:5], space.captions[:5], space)
    assert place.picture == pytest.approx(1, abs=1e-5)
    assert place.caption == pytest.approx((space.pictures[:5] * space.captions[:5]).sum(1).mean().item(), abs=1e-5)


@pytest.mark.slow
def test_captions_lie_on_one_side_of_the_gap_and_pictures_and_what_the_prior_makes_on_the_other(models, space):
    held = pairs().indices(held_out=True)
    captions, pictures = (
        unclip_lesson.across_gap(space.captions[held], space),
        unclip_lesson.across_gap(space.pictures[held], space),
    )
    assert (captions < 0.5).double().mean() > 0.9 and (pictures > 0.5).double().mean() > 0.9
    torch.testing.assert_close(
        unclip_lesson.across_gap(space.captions, space).mean(), torch.tensor(0.0), atol=1e-5, rtol=0
    )
    texts = [pairs().captions[i] for i in held[:100].tolist()]
    imagined = samplers.last(unclip_model.sample_prior(models, texts))
    assert (unclip_lesson.across_gap(imagined, space) > 0.5).double().mean() > 0.8


def test_held_out_captions_lie_farther_from_all_pictures_than_held_out_pictures_do(space):
    held = pairs().indices(held_out=True)
    captions = unclip_lesson.position(space.captions[held], space.captions[held], space)
    assert unclip_lesson.held_out_position(space, pairs()).picture > captions.picture + 0.05


def test_nearly_every_held_out_caption_is_nearest_to_another_caption(space):
    held = pairs().indices(held_out=True)
    first = caption_is_nearer(space, held).double().mean()
    assert (
        round(100 * first.item()) == MEASURED["captions_first"] and space.captions.shape[1] == MEASURED["vector_size"]
    )
    exception = pairs().captions.index(unclip_lesson.examples("emoji", "en").caption)
    assert not caption_is_nearer(space, torch.tensor([exception]))


def test_the_vector_of_a_word_has_as_many_numbers_as_the_page_says(models):
    condition = unclip_model.prior_condition(models.clip, models.known.encode(["cat"]))
    assert condition["tokens"].shape[-1] == MEASURED["word_size"]


def caption_is_nearer(space: Space, numbers: torch.Tensor) -> torch.Tensor:
    """Whether another caption is nearer to each caption than any picture."""
    among = space.captions[numbers] @ space.captions.T
    among[torch.arange(len(numbers)), numbers] = -1
    return among.amax(1) > (space.captions[numbers] @ space.pictures.T).amax(1)


def test_pictures_drawn_without_fault_have_the_vector_of_the_condition(models):
    picture = pairs().images[7][None]
    film = Film(REQUEST, vectors=unclip_model.image_vectors(models, unit(picture)), x=(picture,))
    torch.testing.assert_close(unclip_lesson.condition_cosines(models, film), torch.ones(1))
    assert unclip_lesson.condition_cosines(models, replace(film, vectors=film.vectors * torch.nan)).isnan().all()


# What the page says of them


def quoted(models: Unclip, **requests: Request) -> dict[str, Film]:
    return dict(zip(requests, made(models, *requests.values()), strict=True))


@pytest.mark.slow
def test_a_prior_makes_pictures_that_differ(models, space):
    request = Request("emoji", "princess", scale=4.0, prior_scale=2.0)
    films = quoted(models, with_prior=request, without=replace(request, skip_prior=True))
    alike = {name: unclip_lesson.mutual_cosine(models, film) for name, film in films.items()}
    assert alike["with_prior"] < alike["without"] - 0.1
    with_prior, without = (unclip_lesson.across_gap(film.vectors, space) for film in films.values())
    assert without.max() < 0.5 < with_prior.min()


@pytest.mark.slow
def test_a_negative_caption_takes_most_of_the_blue_away(models):
    request = Request("emoji", "circle")
    films = quoted(models, without=request, with_negative=replace(request, negative="blue"))
    blue = {name: unclip_lesson.share_of_blue(film.images) for name, film in films.items()}
    assert blue["with_negative"] < blue["without"] / 3


@pytest.mark.slow
def test_a_firefighter_keeps_the_red_helmet_as_the_page_says(models):
    (film,) = made(models, Request("emoji", "woman firefighter", negative="red"))
    red, green, blue = film.images.float().unbind(1)
    assert ((red > 150) & (green < 110) & (blue < 110)).float().mean() > 0.08


@pytest.mark.slow
def test_scales_and_variations_are_as_the_page_says(models):
    films = made(
        models,
        *(Request("emoji", "woman firefighter", scale=w, prior_scale=2.0, n=2) for w in (0.0, 1.0, 2.0, 4.0, 8.0)),
    )
    none, *followed, most = (unclip_lesson.condition_cosines(models, film).mean().item() for film in films)
    assert none < 0.5 < most < min(followed) - 0.02 and max(followed) - min(followed) < 0.04
    cook = pairs().captions.index("man cook")
    few, many = made(models, *(Request("emoji", picture=cook, scale=w) for w in (1.0, 4.0)))
    assert unclip_lesson.mutual_cosine(models, many) > unclip_lesson.mutual_cosine(models, few) + 0.02


def test_a_single_picture_has_no_cosine_with_others(models):
    assert math.isnan(unclip_lesson.mutual_cosine(models, Film(REQUEST, x=(pairs().images[:1],))))


def test_a_pixel_is_blue_where_blue_is_most(models):
    pixels = torch.tensor([[0, 0, 200], [200, 0, 200], [90, 100, 105], [0, 200, 100]], dtype=torch.uint8)
    assert unclip_lesson.share_of_blue(pixels.T[None, :, None, :]) == 0.25


# What the shipped models are first seen with


@pytest.mark.slow
@pytest.mark.parametrize("data", unclip_lesson.PARTS)
def test_the_file_holds_the_films_of_all_scenes_that_the_shipped_models_make(data):
    models = unclip_lesson.shipped(data)
    films = unclip_lesson.shipped_films(models, data)
    languages = [language for of, language in unclip_lesson.EXAMPLES if of == data]
    first = {request for language in languages for request in unclip_lesson.first_requests(data, language)}
    assert set(films) == first, "run `python -m core.lessons.unclip` again"
    request = unclip_lesson.first_requests(data, "en")[0]
    film, (again,) = films[request], made(models, request)
    assert film.done and len(film.guesses) == len(again.guesses)
    torch.testing.assert_close(film.vectors, again.vectors, atol=1e-3, rtol=0)
    for part, same in ((film.x, again.x), (film.x0, again.x0)):  # guesses are stored as bytes
        assert (torch.stack(part).int() - torch.stack(same).int()).abs().float().mean() < 5
    torch.testing.assert_close(film.images, again.images, atol=2, rtol=0)


def test_a_film_of_other_models_is_not_taken_for_theirs(models, tmp_path):
    other = replace(models, prior=pretrained("decoder").denoiser)
    shipped = (
        unclip_lesson.shipped_films(other, "emoji"),
        unclip_lesson.shipped_films(models, "emoji", tmp_path / "x"),
    )
    assert shipped == ({}, {})
