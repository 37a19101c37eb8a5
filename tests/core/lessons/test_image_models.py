"""Images made in several ways: same starts, one clock, what they resemble, and what becomes of them without noise."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch

from core.data.images import ImageSet, digits, pixels, unit
from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE, SAMPLERS
from core.lessons import image_models as image_lesson
from core.lessons.image_models import Take, clock, films, looks, neighbours, shown
from core.models import image_judge
from core.models import images as image_model

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
every_sampler = pytest.mark.parametrize("kind", list(SAMPLERS))

SHORT = Take(labels=(3, 0, None), scale=2.0, negative=5, steps=4, seed=7)


@pytest.fixture(scope="module")
def model() -> image_lesson.Model:
    """An untrained network whose answers depend on what it is told."""
    begun = image_model.begin(image_model.ImageConfig(network="unet", size="tiny"), digits())
    generator = torch.Generator().manual_seed(0)
    for weights in begun.denoiser.parameters():
        weights.data += 0.05 * torch.randn(weights.shape, generator=generator)
    return image_lesson.model_of(begun)


def made(model: image_lesson.Model, *takes: Take) -> tuple[image_lesson.Film, ...]:
    """The finished films."""
    *_, finished = films(model, takes)
    return finished


# Takes


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"sampler": "DDQM"}, "DDQM"), ({"steps": 0}, "between 1 and 100"), ({"steps": 101}, "101"),
     ({"scale": float("nan")}, "scale"), ({"labels": ()}, "class"), ({"labels": (0, -1)}, "class"),
     ({"negative": -1}, "class")],
)  # fmt: skip
def test_what_is_no_take_is_refused_with_a_sentence(wrong, named):
    with pytest.raises(ValueError, match=named):
        Take(**wrong)


@pytest.mark.parametrize("wrong", [{"labels": (10,)}, {"negative": 10}])
def test_a_class_that_a_model_does_not_know_is_refused_with_a_sentence(model, wrong):
    with pytest.raises(ValueError, match="knows 10 classes"):
        films(model, [Take(**wrong)])


@every_sampler
@pytest.mark.parametrize("scale", [0.0, 1.0, 2.0])
def test_a_take_knows_its_network_calls(model, kind, scale):
    take, asked = replace(SHORT, sampler=kind, scale=scale), []
    hook = model.denoiser.register_forward_pre_hook(lambda *_: asked.append(1))
    made(model, take)
    hook.remove()
    assert len(asked) == take.nfe


# Films


@every_sampler
def test_a_film_ends_with_the_images_of_the_command_line(model, kind):
    take = replace(SHORT, sampler=kind)
    (film,) = made(model, take)
    shape, sampler = model.shape, kind
    asked = list(take.labels), take.scale, take.negative, sampler, take.steps, take.seed
    images = image_model.sample(model.denoiser, shape, *asked)
    assert torch.equal(film.images, pixels(images))


def test_all_takes_of_a_seed_start_alike_whatever_they_are_and_however_many(model):
    takes = [replace(SHORT, sampler=kind, scale=scale) for kind in SAMPLERS for scale in (1.0, 3.0)]
    one, *others = (film.x[0] for film in made(model, *takes, replace(SHORT, negative=None)))
    assert all(torch.equal(one, other) for other in others)
    (more,) = made(model, replace(SHORT, labels=(3, 0, None, 1, 2)))
    assert torch.equal(more.x[0][:3], one)
    assert not torch.equal(made(model, replace(SHORT, seed=8))[0].x[0], one)


def test_together_or_alone_a_take_gives_the_same_film(model):
    together = made(model, SHORT, replace(SHORT, sampler=DDPM))[1]
    (alone,) = made(model, replace(SHORT, sampler=DDPM))
    assert all(map(torch.equal, together.x + together.x0, alone.x + alone.x0))


def test_a_scale_of_1_is_plain_conditional_whatever_it_leads_away_from(model):
    plain, away = made(model, replace(SHORT, scale=1.0, negative=None), replace(SHORT, scale=1.0))
    asked = torch.tensor([3, 0, -1])
    *_, last = image_lesson.steps_of(
        SHORT, lambda x, sigma: model.denoiser(x, sigma, {"label": asked}), image_lesson.start(model, SHORT)
    )
    assert torch.equal(plain.images, away.images) and torch.equal(plain.images, pixels(last.x_next))


def test_the_noise_left_out_is_the_walk_of_ddpm_without_noise(model):
    (film,) = made(model, replace(SHORT, sampler=DDPM_NO_NOISE))
    x = image_lesson.start(model, SHORT)
    denoise, sigmas = image_lesson.told(model, SHORT), image_model.grid(SHORT.steps)
    for sigma, sigma_next in zip(sigmas.tolist(), sigmas.tolist()[1:]):
        x0 = denoise(x, x.new_full((3,), sigma)).detach()
        x = x0 + (sigma_next / sigma) ** 2 * (x - x0)
    assert (film.images.int() - pixels(x).int()).abs().max() <= 1


@pytest.mark.parametrize("steps", [1, 2, 13, 24, 25, 97])
def test_the_clock_falls_from_the_start_to_0_with_a_level_for_each_frame(model, steps):
    levels = clock(steps)
    assert levels[0] == 80 and levels[-1] == 0 and (levels.diff() < 0).all()
    assert len(levels) == len(shown(steps)) == min(steps, 24) + 1


def test_a_film_grows_by_a_frame_a_step_and_ends_with_the_guess(model):
    grown = [film for (film,) in films(model, [SHORT])]
    assert [len(film.x) for film in grown] == [1, 2, 3, 5]
    assert [film.done for film in grown] == [False, False, False, True]
    assert torch.equal(grown[-1].x[-1], grown[-1].x0[-1])
    (long,) = made(model, replace(SHORT, steps=30, scale=1.0))
    assert len(long.x) == len(clock(30)) and long.done


def test_noise_is_seen_at_one_size_and_the_opening_needs_no_network(model):
    opening = image_lesson.opening(model, SHORT)
    assert torch.equal(opening.x[0], made(model, SHORT)[0].x[0]) and len(opening.x) == 1
    assert unit(opening.x[0]).std().item() == pytest.approx(0.72, abs=0.03)  # of a unit Gaussian cut at -1 and 1


def test_takes_without_a_common_clock_are_refused(model):
    with pytest.raises(ValueError, match="equally many steps"):
        next(films(model, [SHORT, replace(SHORT, steps=5)]))


# What images resemble


def tiny(flip: bool = False) -> ImageSet:
    """A hundred random images of two classes."""
    draw = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (100, 1, 4, 4), generator=draw, dtype=torch.uint8)
    return ImageSet("tiny", images, torch.arange(100) % 2, ("even", "odd"), flip=flip)


@pytest.mark.parametrize("part", [7, 1000])
def test_the_nearest_image_is_the_nearest(part):
    asked = torch.randint(0, 256, (9, 1, 4, 4), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    found = neighbours(asked, tiny(), part)
    apart = (unit(asked)[:, None] - unit(tiny().images)).flatten(2).square().mean(2).sqrt()
    torch.testing.assert_close(found.distance.float(), apart.min(1).values)
    assert torch.equal(found.nearest, tiny().images[apart.argmin(1)])


def test_a_copy_is_found_out_and_the_mirror_of_one_where_the_set_is_mirrored():
    copies = tiny().images[[4, 90]]
    assert neighbours(copies, tiny(), 7).distance.tolist() == [0, 0]
    mirrored = copies.flip(-1)
    assert neighbours(mirrored, tiny()).distance.min() > 0.1
    assert neighbours(mirrored, tiny(flip=True), 7).distance.tolist() == [0, 0]


def test_real_images_are_of_the_classes_asked_for_and_differ():
    labels = (1, 1, 0, 1, 0)
    places = image_lesson.real(tiny(), labels)
    assert (tiny().labels[places] == torch.tensor(labels)).all() and len(places.unique()) == 5
    assert len(image_lesson.real(tiny(), (None,) * 100).unique()) == 100
    assert torch.equal(image_lesson.real(tiny(), labels, 3), image_lesson.real(tiny(), labels, 3))


def test_looks_tell_blur_and_sameness():
    images = tiny().images
    assert looks(images).detail > 4 * looks(pixels(image_judge.blurred(unit(images)))).detail
    assert looks(images[:1].expand(5, -1, -1, -1)).apart == 0 < looks(images).apart


def test_real_digits_are_compared_with_the_others_of_their_set(model):
    (film,) = made(model, replace(SHORT, labels=(1, 2, 3)))
    samples, real = image_lesson.compared(model, film)
    assert torch.equal(samples.images, film.images) and real.distance.min() > 0
    assert model.held_out is None and len(model.images.images) == 1797


@pytest.mark.parametrize(
    "other", [{"name": "/etc"}, {"n": 7}, {"classes": [*"abcdefghij"]}, {"classes": [*"9876543210"]}]
)
def test_a_model_of_unknown_images_has_nothing_to_be_compared_with(model, other):
    stranger = replace(model, config={**model.config, "data": {**model.config["data"], **other}})
    (film,) = made(stranger, SHORT)
    assert image_lesson.compared(stranger, film) is None and image_lesson.benchmark(stranger, (0, 1)) is None


def test_a_model_of_images_in_colour_is_none_of_grey_ones_of_its_name():
    colour = replace(digits(), images=digits().images.expand(-1, 3, -1, -1))
    assert image_lesson.model_of(image_model.begin(image_model.ImageConfig(size="tiny"), colour)).images is None


def test_no_cache_holds_a_model_or_what_it_was_trained_with():
    begun = image_model.begin(image_model.ImageConfig(size="tiny", seed=3), digits())
    seen = image_lesson.model_of(begun)
    trained, sampled = weakref.ref(begun.state.model), weakref.ref(seen.denoiser)
    (film,) = made(seen, SHORT)
    image_lesson.kept(seen), image_lesson.benchmark(seen, (0,)), image_lesson.compared(seen, film)
    del begun
    assert trained() is None and sampled() is seen.denoiser
    del seen
    gc.collect()
    assert sampled() is None


# What the shipped models are first seen with


def test_what_is_kept_is_what_the_network_would_make(tmp_path):
    model = image_lesson.shipped("digits")
    image_lesson.keep([model], tmp_path / "kept.npz")
    kept = image_lesson.kept(model, tmp_path / "kept.npz")
    for film in made(model, *image_lesson.first(model)):
        again = kept[film.request]
        assert all(map(torch.equal, film.x0, again.x0)) and torch.equal(film.images, again.images)
        assert max((one.float() - two.float()).abs().mean() for one, two in zip(film.x, again.x)) < 0.02 * 255


def test_films_of_other_weights_are_not_taken_for_a_models_own(model, tmp_path):
    image_lesson.keep([model], tmp_path / "kept.npz")
    other = image_lesson.model_of(
        image_model.begin(image_model.ImageConfig(network="unet", size="tiny", seed=1), digits())
    )
    assert image_lesson.kept(other, tmp_path / "kept.npz") == {} == image_lesson.kept(model, tmp_path / "none.npz")


@pytest.mark.parametrize("name", list(image_lesson.IMAGES))
def test_the_file_holds_what_each_shipped_model_is_first_seen_with(name):
    model = image_lesson.shipped(name)
    assert set(image_lesson.kept(model)) == set(image_lesson.first(model)), (
        "run `python -m core.lessons.image_models` again"
    )
    assert image_lesson.FILE.stat().st_size < 1_500_000


# Phenomena, with the shipped models


@pytest.mark.parametrize("label", [0, 3, None])
def test_without_its_noise_ddpm_makes_digits_that_are_all_alike(label):
    takes = [Take(kind, (label,) * 8) for kind in (DDPM, DDPM_NO_NOISE, DDIM)]
    ddpm, bare, ddim = (looks(film.images) for film in made(image_lesson.shipped("digits"), *takes))
    assert bare.apart < 0.1 * min(ddim.apart, ddpm.apart)


def test_without_its_noise_ddpm_makes_garments_that_are_blurred_too():
    model = image_lesson.shipped("fashion")
    takes = [Take(kind, (None,) * 4, steps=12) for kind in (DDPM_NO_NOISE, DDIM)]
    bare, ddim = (looks(film.images) for film in made(model, *takes))
    assert bare.detail < 0.3 * ddim.detail and bare.apart < 0.5 * ddim.apart


@pytest.mark.parametrize(("name", "label"), [("digits", 3), ("fashion", 8), ("emoji", 6)])
def test_without_its_noise_guided_images_of_one_class_are_less_than_half_as_far_apart_as_real_ones(name, label):
    (bare,) = made(image_lesson.shipped(name), Take(DDPM_NO_NOISE, (label,) * 3, scale=2.0, steps=12))
    assert looks(bare.images).apart < 0.5 * image_lesson.benchmark(image_lesson.shipped(name), (label,))[0].apart


@pytest.mark.parametrize(("name", "blurred"), [("digits", False), ("fashion", True)])
def test_what_is_first_seen_without_noise_is_a_blur_of_garments_but_not_of_digits(name, blurred):
    model = image_lesson.shipped(name)
    bare = image_lesson.kept(model)[image_lesson.first(model)[1]]
    share = looks(bare.images).detail / image_lesson.benchmark(model, bare.request.labels)[0].detail
    assert share < 0.5 if blurred else share > 0.8


def test_without_the_noise_most_kinds_of_emoji_lose_more_than_half_of_their_detail():
    model, kinds = image_lesson.shipped("emoji"), (0, 1, 3, 5, 6, 7)
    made_of = made(model, *(Take(DDPM_NO_NOISE, (label,) * 4, scale=2.0, steps=12) for label in kinds))
    real = [image_lesson.benchmark(model, (label,))[0].detail for label in kinds]
    assert sum(looks(film.images).detail < 0.5 * own for film, own in zip(made_of, real)) >= 4


def test_a_scale_of_8_makes_garments_hard_white_and_emoji_gaudier():
    def far(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        model = image_lesson.shipped(name)
        takes = [Take(labels=model.in_turn(9), scale=scale, steps=8) for scale in (1.0, 8.0)]
        return tuple(film.images.float() for film in made(model, *takes))

    plain, hard = ((images > 250).float().mean() for images in far("fashion"))
    assert hard > 3 * plain
    plain, gaudy = ((images.amax(1) - images.amin(1)).mean() for images in far("emoji"))
    assert gaudy > 1.2 * plain


def test_more_steps_do_not_mend_it():
    few, many = (
        made(image_lesson.shipped("digits"), Take(DDPM_NO_NOISE, (3,) * 8, steps=steps))[0] for steps in (20, 100)
    )
    assert looks(many.images).apart < 2 * looks(few.images).apart < 0.1
