"""Images sampled in several ways: same noise, one clock, their neighbours, and what becomes of them without noise."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch

from core.data.images import ImageSet, digits, pixels, unit
from core.data.people import ATTRIBUTES, PeopleSet
from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE, SAMPLERS
from core.lessons import image_models as lesson
from core.lessons.films import Film
from core.lessons.image_models import ImageModel, Request
from core.models import image_judge, people_judge, requests
from core.models import images as image_model
from core.problems import Problem

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

SHORT = Request(labels=(3, 0, None), scale=2.0, negative=5, steps=4, seed=7)


@pytest.fixture(scope="module")
def model() -> ImageModel:
    """An untrained network whose answers depend on its condition."""
    begun = image_model.new_checkpoint(image_model.ImageConfig(network="unet", size="tiny"), digits())
    generator = torch.Generator().manual_seed(0)
    for weights in begun.denoiser.parameters():
        weights.data += 0.05 * torch.randn(weights.shape, generator=generator)
    return lesson.model_of(begun)


@pytest.fixture(scope="module")
def people() -> ImageModel:
    """An untrained network of ten people whose answers depend on attributes."""
    begun = image_model.new_checkpoint(image_model.ImageConfig(network="unet", size="tiny"), PeopleSet(10))
    generator = torch.Generator().manual_seed(0)
    for weights in begun.denoiser.parameters():
        weights.data += 0.05 * torch.randn(weights.shape, generator=generator)
    return lesson.model_of(begun)


def sampled(model: ImageModel, *requests: Request) -> tuple[Film, ...]:
    """The finished films."""
    *_, finished = lesson.sample(model, requests)
    return finished


# Requests


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"sampler": "ddqm"}, "unknown_sampler"), ({"steps": 0}, "sampler_steps"), ({"steps": 101}, "sampler_steps"),
     ({"scale": float("nan")}, "guidance_scale"), ({"labels": ()}, "image_labels"),
     ({"labels": (0, -1)}, "image_labels"), ({"negative": -1}, "image_labels")],
)  # fmt: skip
def test_a_request_that_no_sampler_can_have_is_refused(wrong, code):
    with pytest.raises(Problem) as problem:
        Request(**wrong)
    assert problem.value.code == code and str(problem.value)


@pytest.mark.parametrize("wrong", [{"labels": (10,)}, {"negative": 10}])
def test_a_class_that_a_model_does_not_know_is_refused(model, wrong):
    with pytest.raises(Problem) as problem:
        lesson.sample(model, [Request(**wrong)])
    assert problem.value.code == "unknown_label" and problem.value.values == {"known": 10}


@pytest.mark.parametrize(
    "wrong",
    [{"wanted": ((),) * 11}, {"unwanted": ((3,), *((),) * 11)}, {"wanted": ((0,),)}],
    ids=["few", "value", "one"],
)
def test_attributes_that_a_model_does_not_have_are_refused(people, wrong):
    with pytest.raises(Problem) as problem:
        lesson.sample(people, [Request(labels=(None,), **wrong)])
    assert problem.value.code == "unknown_attributes"


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.0])
def test_each_of_several_unwanted_values_is_a_network_call(people, scale):
    images = []
    hook = people.denoiser.register_forward_pre_hook(lambda _, given: images.append(len(given[0])))
    hats = requests.read({"hat": "hat"}, ATTRIBUTES).values
    for unwanted in ((), hats, requests.read({"beard": "beard"}, ATTRIBUTES).values):
        request = Request(labels=(None,) * 2, scale=scale, steps=2, wanted=hats, unwanted=unwanted)
        images.clear()
        sampled(people, request)
        assert sum(images) == request.nfe * len(request.labels)
    hook.remove()


def test_real_people_to_compare_with_have_what_was_asked_for(people):
    hats = requests.read({"hat": "hat", "beard": "beard"}, ATTRIBUTES).values
    request = Request(labels=(None,) * 4, steps=2, wanted=hats)
    (film,) = sampled(people, request)
    samples, real = lesson.compare(people, film)
    assert requests.fits(hats, people_judge.attributes_of(real.images)).all()
    assert samples.distance.shape == real.distance.shape == (4,)
    assert lesson.real_statistics(people, request.labels, hats) != lesson.real_statistics(people, request.labels)


def test_both_judges_read_real_people_rightly_and_know_what_is_unwanted(people):
    hats, beard = ({"hat": "hat"}, {"beard": "beard"})
    hats, beard = (requests.read(each, ATTRIBUTES).values for each in (hats, beard))
    real = lesson.real_people(hats, 16, 0)
    found = lesson.judged(replace(Film(Request(labels=(None,) * 16)), x=(real,)))
    assert all(right.float().mean() >= 0.9 for right in found.right(hats, ()))
    assert not any(right.any() for right in found.right((), hats)) and found.difference.max() < 0.3
    network, nearest = found.right((), beard)
    assert (network == nearest).float().mean() >= 0.9 and network.any() and not network.all()


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.0, 1.0, 2.0])
def test_a_request_knows_its_network_calls(model, scale):
    images = []
    hook = model.denoiser.register_forward_pre_hook(lambda _, given: images.append(len(given[0])))
    for sampler in SAMPLERS:
        request = replace(SHORT, sampler=sampler, scale=scale)
        images.clear()
        sampled(model, request)
        assert sum(images) == request.nfe * len(request.labels)
    hook.remove()


# Films


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_a_film_ends_with_the_images_of_the_command_line(model, sampler):
    (film,) = sampled(model, replace(SHORT, sampler=sampler))
    labels, rest = list(SHORT.labels), (SHORT.scale, SHORT.negative, sampler, SHORT.steps, SHORT.seed)
    assert torch.equal(film.images, pixels(image_model.sample(model.denoiser, model.shape, labels, *rest)))


@pytest.mark.slow
def test_all_requests_of_a_seed_start_from_the_same_noise(model):
    requests = [replace(SHORT, sampler=sampler, scale=scale) for sampler in SAMPLERS for scale in (1.0, 3.0)]
    one, *others = (film.x[0] for film in sampled(model, *requests, replace(SHORT, negative=None)))
    assert all(torch.equal(one, other) for other in others)
    (more,) = sampled(model, replace(SHORT, labels=(3, 0, None, 1, 2)))
    assert torch.equal(more.x[0][:3], one)
    assert not torch.equal(sampled(model, replace(SHORT, seed=8))[0].x[0], one)


def test_together_or_alone_a_request_gives_the_same_film(model):
    together = sampled(model, SHORT, replace(SHORT, sampler=DDPM))[1]
    (alone,) = sampled(model, replace(SHORT, sampler=DDPM))
    assert all(map(torch.equal, together.x + together.x0, alone.x + alone.x0))


def test_a_scale_of_1_is_plain_conditional_whatever_the_negative_class(model):
    plain, negative = sampled(model, replace(SHORT, scale=1.0, negative=None), replace(SHORT, scale=1.0))
    label = torch.tensor([3, 0, -1])
    *_, last = lesson.steps_of(
        SHORT, lambda x, sigma: model.denoiser(x, sigma, {"label": label}), lesson.start(model, SHORT)
    )
    assert torch.equal(plain.images, negative.images) and torch.equal(plain.images, pixels(last.x_next))


def test_without_noise_a_step_of_ddpm_goes_to_its_mean(model):
    (film,) = sampled(model, replace(SHORT, sampler=DDPM_NO_NOISE))
    x = lesson.start(model, SHORT)
    denoise, sigmas = lesson.guided(model, SHORT), image_model.grid(SHORT.steps).tolist()
    for sigma, sigma_next in zip(sigmas, sigmas[1:]):
        x0 = denoise(x, x.new_full((3,), sigma)).detach()
        x = x0 + (sigma_next / sigma) ** 2 * (x - x0)
    assert (film.images.int() - pixels(x).int()).abs().max() <= 1


@pytest.mark.parametrize("steps", [1, 2, 13, 24, 25, 97])
def test_the_levels_fall_from_80_to_0_with_one_for_each_frame(steps):
    levels = lesson.levels(steps)
    assert levels[0] == 80 and levels[-1] == 0 and (levels.diff() < 0).all()
    assert len(levels) == Request(steps=steps).frames == min(steps, 24) + 1


def test_a_film_grows_by_a_frame_a_step_until_it_is_done(model):
    grown = [film for (film,) in lesson.sample(model, [SHORT])]
    assert [len(film.x) for film in grown] == [1, 2, 3, 5]
    assert [film.done for film in grown] == [False, False, False, True]
    (long,) = sampled(model, replace(SHORT, steps=30, scale=1.0))
    assert len(long.x) == len(lesson.levels(30)) and long.done


def test_the_first_frame_needs_no_network_and_shows_noise_at_one_size(model):
    film = lesson.first_frame(model, SHORT)
    assert torch.equal(film.x[0], sampled(model, SHORT)[0].x[0]) and len(film.x) == 1
    assert unit(film.x[0]).std().item() == pytest.approx(0.72, abs=0.03)  # of a unit Gaussian cut at -1 and 1


def test_requests_of_unequal_steps_are_refused(model):
    with pytest.raises(Problem) as problem:
        next(lesson.sample(model, [SHORT, replace(SHORT, steps=5)]))
    assert problem.value.code == "unequal_steps"


# How images compare with real ones


def tiny(flip: bool = False) -> ImageSet:
    """A hundred random images of two classes."""
    draw = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (100, 1, 4, 4), generator=draw, dtype=torch.uint8)
    return ImageSet("tiny", images, torch.arange(100) % 2, ("even", "odd"), flip=flip)


@pytest.mark.parametrize("part", [7, 1000])
def test_the_nearest_image_is_the_nearest(part):
    images = torch.randint(0, 256, (9, 1, 4, 4), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    found = lesson.neighbours(images, tiny(), part)
    apart = (unit(images)[:, None] - unit(tiny().images)).flatten(2).square().mean(2).sqrt()
    torch.testing.assert_close(found.distance.float(), apart.min(1).values)
    assert torch.equal(found.nearest, tiny().images[apart.argmin(1)])


def test_a_copy_has_distance_0_and_so_has_its_mirror_image_where_the_set_is_mirrored():
    copies = tiny().images[[4, 90]]
    assert lesson.neighbours(copies, tiny(), 7).distance.tolist() == [0, 0]
    mirrored = copies.flip(-1)
    assert lesson.neighbours(mirrored, tiny()).distance.min() > 0.1
    assert lesson.neighbours(mirrored, tiny(flip=True), 7).distance.tolist() == [0, 0]


def test_real_images_are_of_the_classes_asked_for_and_differ():
    labels = (1, 1, 0, 1, 0)
    indices = lesson.real_indices(tiny(), labels)
    assert (tiny().labels[indices] == torch.tensor(labels)).all() and len(indices.unique()) == 5
    assert len(lesson.real_indices(tiny(), (None,) * 100).unique()) == 100
    assert torch.equal(lesson.real_indices(tiny(), labels, 3), lesson.real_indices(tiny(), labels, 3))


def test_statistics_tell_blurred_and_equal_images():
    images = tiny().images
    assert lesson.statistics(images).detail > 4 * lesson.statistics(pixels(image_judge.blurred(unit(images)))).detail
    assert lesson.statistics(images[:1].expand(5, -1, -1, -1)).distance == 0 < lesson.statistics(images).distance


def test_real_images_of_an_undivided_set_are_compared_with_the_others(model):
    (film,) = sampled(model, replace(SHORT, labels=(1, 2, 3)))
    samples, real = lesson.compare(model, film)
    assert torch.equal(samples.images, film.images) and real.distance.min() > 0
    assert model.held_out is None and len(model.images.images) == 1797


@pytest.mark.parametrize(
    "other",
    [{"name": "/etc"}, {"n": 7}, {"classes": [*"abcdefghij"]}, {"classes": [*"9876543210"]}, {"shape": [3, 8, 8]}],
)
def test_a_model_of_unknown_images_has_nothing_to_be_compared_with(model, other):
    stranger = replace(model, config={**model.config, "data": {**model.config["data"], **other}})
    (film,) = sampled(model, SHORT)
    assert lesson.compare(stranger, film) is None and lesson.real_statistics(stranger, (0, 1)) is None


@pytest.mark.slow
def test_no_cache_holds_a_model_or_what_it_was_trained_with():
    begun = image_model.new_checkpoint(image_model.ImageConfig(size="tiny", seed=3), digits())
    seen = lesson.model_of(begun)
    trained, denoiser = weakref.ref(begun.state.model), weakref.ref(seen.denoiser)
    (film,) = sampled(seen, SHORT)
    lesson.first_films(seen), lesson.real_statistics(seen, (0,)), lesson.compare(seen, film)
    del begun
    assert trained() is None and denoiser() is seen.denoiser
    del seen
    gc.collect()
    assert denoiser() is None


# What the shipped models are first seen with


@pytest.mark.slow
def test_the_file_gives_back_what_the_network_would_make(model, tmp_path):
    digits, file = lesson.shipped("digits"), tmp_path / "films.npz"
    lesson.write_first_films([digits], file)
    found = lesson.first_films(digits, file)
    for film in sampled(digits, *lesson.first_requests(digits)):
        again = found[film.request]
        assert all(map(torch.equal, film.x0, again.x0)) and torch.equal(film.images, again.images)
        assert max((one.float() - two.float()).abs().mean() for one, two in zip(film.x, again.x)) < 0.02 * 255
    assert lesson.first_films(model, file) == {} == lesson.first_films(digits, tmp_path / "none.npz")


@pytest.mark.parametrize("name", list(lesson.IMAGE_CONFIGS))
def test_the_file_holds_what_each_shipped_model_is_first_seen_with(name):
    model = lesson.shipped(name)
    assert set(lesson.first_films(model)) == set(lesson.first_requests(model)), (
        "run `python -m core.lessons.image_models` again"
    )
    assert lesson.FILE.stat().st_size < 1_500_000


# Phenomena, with the shipped models


@pytest.mark.parametrize("label", [0, 3, None])
def test_without_its_noise_ddpm_makes_digits_that_are_all_alike(label):
    requests = [Request(sampler, (label,) * 8) for sampler in (DDPM, DDPM_NO_NOISE, DDIM)]
    ddpm, no_noise, ddim = (lesson.statistics(film.images) for film in sampled(lesson.shipped("digits"), *requests))
    assert no_noise.distance < 0.1 * min(ddim.distance, ddpm.distance)


@pytest.mark.slow
def test_without_its_noise_ddpm_makes_garments_that_are_blurred_too():
    requests = [Request(sampler, (None,) * 4, steps=12) for sampler in (DDPM_NO_NOISE, DDIM)]
    no_noise, ddim = (lesson.statistics(film.images) for film in sampled(lesson.shipped("fashion"), *requests))
    assert no_noise.detail < 0.3 * ddim.detail and no_noise.distance < 0.5 * ddim.distance


@pytest.mark.slow
@pytest.mark.parametrize(("name", "label"), [("digits", 3), ("fashion", 8), ("emoji", 6)])
def test_without_its_noise_guided_images_of_one_class_are_less_than_half_as_far_apart_as_real_ones(name, label):
    model = lesson.shipped(name)
    (film,) = sampled(model, Request(DDPM_NO_NOISE, (label,) * 3, scale=2.0, steps=12))
    assert lesson.statistics(film.images).distance < 0.5 * lesson.real_statistics(model, (label,))[0].distance


@pytest.mark.parametrize(("name", "blurred"), [("digits", False), ("fashion", True)])
def test_what_is_first_seen_without_noise_is_a_blur_of_garments_but_not_of_digits(name, blurred):
    model = lesson.shipped(name)
    film = lesson.first_films(model)[lesson.first_requests(model)[1]]
    share = lesson.statistics(film.images).detail / lesson.real_statistics(model, film.request.labels)[0].detail
    assert share < 0.5 if blurred else share > 0.8


@pytest.mark.slow
def test_without_the_noise_most_kinds_of_emoji_lose_more_than_half_of_their_detail():
    model, labels = lesson.shipped("emoji"), (0, 1, 3, 5, 6, 7)
    films = sampled(model, *(Request(DDPM_NO_NOISE, (label,) * 4, scale=2.0, steps=12) for label in labels))
    real = [lesson.real_statistics(model, (label,))[0].detail for label in labels]
    assert sum(lesson.statistics(film.images).detail < 0.5 * own for film, own in zip(films, real)) >= 4


@pytest.mark.slow
def test_a_scale_of_8_makes_garments_hard_white_and_emoji_gaudier():
    def both(name: str) -> tuple[torch.Tensor, ...]:
        model = lesson.shipped(name)
        requests = [Request(labels=model.labels(9), scale=scale, steps=8) for scale in (1.0, 8.0)]
        return tuple(film.images.float() for film in sampled(model, *requests))

    plain, hard = ((images > 250).float().mean() for images in both("fashion"))
    assert hard > 3 * plain
    plain, gaudy = ((images.amax(1) - images.amin(1)).mean() for images in both("emoji"))
    assert gaudy > 1.2 * plain


@pytest.mark.slow
def test_more_steps_do_not_mend_it():
    requests = (Request(DDPM_NO_NOISE, (3,) * 8, steps=steps) for steps in (20, 100))
    few, many = (lesson.statistics(sampled(lesson.shipped("digits"), each)[0].images) for each in requests)
    assert many.distance < 2 * few.distance < 0.1
