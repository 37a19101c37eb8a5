"""Chapter 7's films: the pictures of ``unclip.pictures``, step by step; ways, guidance, and where vectors lie."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.data.images import pixels, unit
from core.diffusion import samplers
from core.lessons import clip as clip_lesson
from core.lessons import unclip as unclip_lesson
from core.lessons.clip import pairs
from core.lessons.unclip import Film, Request
from core.models import unclip as unclip_model
from core.models.unclip import Unclip
from core.pretrained import pretrained

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

TAKE = Request("cat face", prior_scale=1.0, n=2, steps=3)


@pytest.fixture(scope="module")
def whole() -> Unclip:
    return unclip_lesson.shipped()


@pytest.fixture(scope="module")
def space():
    return clip_lesson.embed(pretrained("clip"))


def made(whole: Unclip, *requests: Request) -> tuple[Film, ...]:
    """The finished films of takes."""
    *_, films = unclip_lesson.films(whole, takes)
    return films


# Films


@pytest.mark.parametrize(
    "asked",
    [{}, {"negative": "red"}, {"skip_prior": True}, {"skip_prior": True, "negative": "red"}, {"caption": ""},
     {"scale": 1.0, "prior_scale": 2.0, "seed": 5}],
    ids=str,
)  # fmt: skip
def test_a_film_ends_with_the_pictures_that_unclip_makes(whole, asked):
    take = replace(TAKE, **asked)
    pictures = unclip_model.generate(whole, [take.caption] * 2, take.negative, take.scale, take.prior_scale, 3, take.seed,
                               take.skip_prior)  # fmt: skip
    (film,) = made(whole, take)
    assert film.done and len(film.x) == len(film.x0) == 4
    torch.testing.assert_close(film.x[-1], pixels(pictures), atol=1, rtol=0)
    assert torch.equal(film.x[-1], film.x0[-1])


def test_the_prior_ends_at_what_the_decoder_is_told(whole):
    (film,) = made(whole, TAKE)
    assert len(film.guesses) == 4 and torch.equal(film.guesses[-1], film.vectors)


def test_a_film_counts_as_many_steps_as_are_said_before(whole):
    for takes in ([TAKE], [TAKE, replace(TAKE, skip_prior=True)], [replace(TAKE, picture=0)],
                  [replace(TAKE, scale=w) for w in (0, 1, 2)], [TAKE, replace(TAKE, negative="red")]):  # fmt: skip
        assert sum(1 for _ in unclip_lesson.films(whole, takes)) == unclip_lesson.count_steps(takes)


def test_takes_that_differ_in_the_decoders_guidance_ask_the_prior_once(whole):
    asked = []

    def counting(*args):
        asked.append(args)
        return whole.prior(*args)

    one, other = made(replace(whole, prior=counting), TAKE, replace(TAKE, scale=1.5))
    assert len(asked) == 3 and torch.equal(one.vectors, other.vectors) and not torch.equal(one.x[-1], other.x[-1])


def test_equal_seeds_begin_as_the_same_noise_whatever_is_told(whole):
    one, other = made(whole, TAKE, replace(TAKE, skip_prior=True))
    assert torch.equal(one.x[0], other.x[0]) and torch.equal(one.x[0], unclip_lesson.opening(whole, TAKE).x[0])
    assert not torch.equal(one.x[0][0], one.x[0][1])
    assert not torch.equal(one.x[0], unclip_lesson.opening(whole, replace(TAKE, seed=1)).x[0])


def test_a_way_leads_from_one_vector_to_the_other_with_the_same_noise(whole):
    (film,) = made(whole, replace(TAKE, to="pizza", n=3))
    ends = unclip_model.scaled(torch.stack([film.guesses[-1][0], film.guesses[-1][1]]))
    torch.testing.assert_close(film.vectors[[0, 2]], ends)
    near = F.cosine_similarity(film.vectors[1], ends)
    torch.testing.assert_close(near[0], near[1])
    assert all(torch.equal(picture, film.x[0][0]) for picture in film.x[0])


def test_variations_are_told_the_pictures_own_vector(whole):
    take = replace(TAKE, caption="", picture=7)
    (film,) = made(whole, take)
    own = unclip_model.image_vectors(whole, unit(pairs().images[7][None]))
    torch.testing.assert_close(film.vectors, own.expand(2, -1))
    assert not film.guesses and not torch.equal(film.x[-1][0], film.x[-1][1])
    (away,) = made(whole, replace(take, negative="red"))
    assert len(away.guesses[-1]) == 1 and not torch.equal(away.x[-1], film.x[-1])


def test_without_a_caption_and_without_the_prior_the_decoder_is_told_nothing(whole):
    (film,) = made(whole, replace(TAKE, caption="", skip_prior=True))
    assert film.vectors.isnan().all()
    assert torch.equal(film.x[-1], made(whole, replace(TAKE, caption="", skip_prior=True, scale=0.0))[0].x[-1])


def test_a_frame_can_be_seen_alone_and_before_there_is_any(whole):
    (film,) = made(whole, TAKE)
    assert torch.equal(film.at(2).x[0], film.x[2]) and len(film.at(2).x) == 1 and film.at(2).guesses == film.guesses
    assert film.at(-1).x == () and Film(TAKE).at(-1).x0 == () and not Film(TAKE).done


def test_what_cannot_be_made_is_said(whole):
    with pytest.raises(ValueError, match="equally many steps"):
        made(whole, TAKE, replace(TAKE, steps=2))
    with pytest.raises(ValueError, match="no word"):
        made(whole, replace(TAKE, negative="xyzzy"))
    for wrong in ({"steps": 0}, {"steps": unclip_lesson.MAX_STEPS + 1}, {"n": 0}, {"n": 1, "to": "pizza"}):
        with pytest.raises(ValueError):
            replace(TAKE, **wrong)


# Where vectors lie


def test_a_walk_ends_at_itself_among_its_nearest_pictures(whole, space):
    (film,) = made(whole, TAKE)
    walk = unclip_lesson.prior_path(whole, film, space, k=3)
    assert walk.pictures.shape == walk.cosines.shape == (4, 3) and walk.caption.shape == (4,)
    torch.testing.assert_close(walk.end[-1], torch.tensor(1.0))
    assert (walk.cosines.diff(dim=1) <= 0).all()
    own = F.normalize(film.vectors[0], dim=0) @ space.pictures[walk.pictures[-1, 0]]
    torch.testing.assert_close(walk.cosines[-1, 0], own)


def test_a_picture_of_the_collection_lies_at_itself(space):
    place = unclip_lesson.position(3 * space.pictures[:5], space.captions[:5], space)
    assert place.picture == pytest.approx(1, abs=1e-5)
    assert place.caption == pytest.approx((space.pictures[:5] * space.captions[:5]).sum(1).mean().item(), abs=1e-5)


def test_captions_lie_on_one_side_of_the_gap_and_pictures_and_what_the_prior_makes_on_the_other(whole, space):
    held = pairs().part(held_out=True)
    captions, pictures = (
        unclip_lesson.across_gap(space.captions[held], space),
        unclip_lesson.across_gap(space.pictures[held], space),
    )
    assert (captions < 0.5).double().mean() > 0.9 and (pictures > 0.5).double().mean() > 0.9
    torch.testing.assert_close(unclip_lesson.across_gap(space.captions, space).mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    asked = [pairs().captions[i] for i in held[:100].tolist()]
    imagined = samplers.last(unclip_model.sample_prior(whole, asked))
    assert (unclip_lesson.across_gap(imagined, space) > 0.5).double().mean() > 0.8


def test_held_out_captions_lie_farther_from_all_pictures_than_held_out_pictures_do(space):
    held = pairs().part(held_out=True)
    captions = unclip_lesson.position(space.captions[held], space.captions[held], space)
    assert unclip_lesson.held_out_position(space).picture > captions.picture + 0.05


def test_nearly_every_held_out_caption_is_nearest_to_another_caption(space):
    held = pairs().part(held_out=True)
    among = space.captions[held] @ space.captions.T
    among[torch.arange(len(held)), held] = -1
    assert (among.amax(1) > (space.captions[held] @ space.pictures.T).amax(1)).double().mean() > 0.9


def test_a_picture_told_and_drawn_without_fault_is_recognised(whole):
    picture = pairs().images[7][None]
    film = Film(TAKE, vectors=unclip_model.image_vectors(whole, unit(picture)), x=(picture,))
    torch.testing.assert_close(unclip_lesson.condition_cosines(whole, film), torch.ones(1))
    assert unclip_lesson.condition_cosines(whole, replace(film, vectors=film.vectors * torch.nan)).isnan().all()


# What the shipped models are first seen with


def test_the_file_holds_the_film_that_the_shipped_models_would_make(whole):
    kept = unclip_lesson.shipped_films(whole)
    assert set(kept) == {unclip_lesson.FIRST}, "run `python -m core.lessons.unclip` again"
    (film,) = kept.values()
    again = made(whole, unclip_lesson.FIRST)[0]
    assert film.done
    torch.testing.assert_close(film.vectors, again.vectors, atol=1e-3, rtol=0)
    torch.testing.assert_close(film.x[-1], again.x[-1], atol=2, rtol=0)


def test_a_film_of_other_models_is_not_taken_for_theirs(whole, tmp_path):
    other = replace(whole, prior=pretrained("decoder").denoiser)
    assert unclip_lesson.shipped_films(other) == {} == unclip_lesson.shipped_films(whole, tmp_path / "none.npz")
