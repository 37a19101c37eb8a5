"""The scenes of image models: which films they ask for, what their panels show, and what is said of them."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.data.images import load, unit
from core.data.people import ATTRIBUTES, draw
from core.diffusion.samplers import DDIM, DDPM, DDPM_NO_NOISE, SAMPLERS
from core.lessons import image_models as image_lesson
from core.lessons.image_models import MULTISTEP, ImageModel
from core.models import requests
from core.pretrained import IMAGE_CONFIGS
from pages.ui.frame import links, text
from pages.ui.frame.text import t
from pages.ui.lessons import image_models as lesson
from pages.ui.lessons.image_models_config import NO_CLASS, Config
from pages.ui.runs import background_films

QUICK = Config(show="four_samplers", model="digits", steps=3, w=1.0)


@pytest.fixture(scope="module")
def model() -> ImageModel:
    return image_lesson.shipped("digits")


def films_of(config: Config, model: ImageModel) -> tuple:
    return background_films.films(lesson.film_maker(model), lesson.requests(config, model))


def panels_of(config: Config, model: ImageModel) -> list:
    return lesson.film_scene(config, model, films_of(config, model)).panels


# Four samplers


def test_each_panel_says_its_calls_and_the_detail_of_its_images(model):
    config = replace(QUICK, w=2.0, second="heun")
    films = films_of(config, model)
    panels = lesson.film_scene(config, model, films).panels
    assert [film.request.sampler for film in films] == [DDPM, DDPM_NO_NOISE, DDIM, "heun"]
    assert [film.request.nfe for film in films] == [6, 6, 6, 10]
    for film, panel in zip(films, panels, strict=True):
        share = lesson.share_of_detail(film, model)
        assert panel.title == text.label("samplers", film.request.sampler)
        assert panel.caption == t("image_models.captions.detail", nfe=film.request.nfe, detail=share)
        assert f"{share:.0%}" in lesson.table(films, model)


def test_a_film_under_way_has_one_frame_and_no_detail(model):
    films = [film.at(1) for film in films_of(QUICK, model)]
    scene = lesson.film_scene(QUICK, model, films, 1)
    assert scene.clock.values.tolist() == image_lesson.levels(3)[1:2].tolist()
    assert scene.panels[0].caption == t("image_models.captions.calls", nfe=3)


def test_state_and_guess_end_alike(model):
    state, guess = (panels_of(replace(QUICK, of=of), model)[0].layers[0].pixels for of in ("state", "guess"))
    assert (state[-1] == guess[-1]).all() and (state[0] != guess[0]).any()


def test_the_text_alternative_names_classes_levels_and_captions(model):
    alt = lesson.film_scene(QUICK, model, films_of(QUICK, model)).alt
    assert "0, 1, 2, 3" in alt and " 80 " in alt
    assert all(f"{panel.title}: {panel.caption}" in alt for panel in panels_of(QUICK, model))


@pytest.mark.parametrize("config", [QUICK, replace(QUICK, label="3"), replace(QUICK, label=NO_CLASS)])
def test_images_have_a_caption_only_where_their_classes_differ(model, config):
    names = panels_of(config, model)[0].layers[0].names
    assert names == (tuple("0123") if config is QUICK else ())


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    return text.catalogue("")["measured"]["image_models"]


def test_the_detail_that_a_note_quotes_is_that_of_the_first_view(measured):
    fashion = image_lesson.shipped("fashion")
    config = Config(show="four_samplers", model="fashion")
    ddpm, no_noise, *_ = (100 * lesson.share_of_detail(film, fashion) for film in films_of(config, fashion))
    assert (round(ddpm), round(no_noise)) == (measured["detail_ddpm"], measured["detail_no_noise"])


def test_the_distances_that_a_note_quotes_are_those_of_the_first_view(measured):
    people = image_lesson.shipped("people")
    films = films_of(Config(show="four_samplers"), people)
    ddpm, no_noise, *_ = (image_lesson.statistics(film.images).distance for film in films)
    assert round(ddpm, 2) == measured["distance_ddpm"] and round(no_noise, 2) == measured["distance_no_noise"]


def test_the_blurred_images_that_a_note_names_are_nearest_of_all():
    fashion = image_lesson.shipped("fashion")
    films = films_of(Config(show="four_samplers", model="fashion"), fashion)
    distances = {film.request.sampler: image_lesson.compare(fashion, film)[0].distance.mean() for film in films}
    assert min(distances, key=distances.get) == DDPM_NO_NOISE


@pytest.mark.slow
def test_more_steps_do_not_make_people_differ_as_a_note_says(measured):
    people = image_lesson.shipped("people")
    request = replace(lesson.request_of(Config(steps=100), people), sampler=DDPM_NO_NOISE)
    (film,) = background_films.films(lesson.film_maker(people), [request])
    distance = image_lesson.statistics(film.images).distance
    assert distance == pytest.approx(measured["distance_no_noise_100"], abs=0.002)


@pytest.mark.slow
def test_more_steps_do_not_help_ddpm_without_noise_as_a_note_says(measured):
    fashion = image_lesson.shipped("fashion")
    request = replace(lesson.request_of(Config(model="fashion", steps=100), fashion), sampler=DDPM_NO_NOISE)
    (film,) = background_films.films(lesson.film_maker(fashion), [request])
    assert 100 * lesson.share_of_detail(film, fashion) == pytest.approx(measured["detail_no_noise_100"], abs=1)


# Nearest training image


def test_every_sample_stands_over_its_nearest_training_image_beside_real_ones(model):
    config = replace(QUICK, show="nearest_training_image", n=4, by=DDPM_NO_NOISE)
    scene = lesson.film_scene(config, model, films_of(config, model))
    (samples, real), sigmas = scene.panels, scene.clock.values
    assert sigmas.tolist() == [0]
    images = samples.layers[0]
    assert samples.title == text.label("samplers", DDPM_NO_NOISE) and images.group == [0, 0, 0, 0, 1, 1, 1, 1]
    distances = [float(name) for name in images.names[4:]]
    found, _ = image_lesson.compare(model, films_of(config, model)[0])
    assert distances == pytest.approx(found.distance.tolist(), abs=0.006)
    assert real.layers[0].label[0] == t("image_models.nearest_training_image.training")


def test_real_images_are_called_held_out_only_where_the_model_has_not_seen_them(model):
    assert "real_training" in lesson.notes_of("nearest_training_image", True, model)
    fashion = image_lesson.shipped("fashion")
    assert "real_held_out" in lesson.notes_of("nearest_training_image", True, fashion)


# Guidance


def test_one_start_goes_under_several_scales(model):
    config = replace(QUICK, show="guidance", label="4")
    films = films_of(config, model)
    assert [film.request.scale for film in films] == list(lesson.SCALES)
    assert [film.request.nfe for film in films] == [3, 3, 6, 6, 6]
    assert all((film.x[0] == films[0].x[0]).all() for film in films)


def test_at_w_0_the_title_names_what_guidance_leads_away_from(model):
    first, *_ = panels_of(replace(QUICK, show="guidance", label="4"), model)
    assert text.label("classes", NO_CLASS) in first.title and not first.layers[0].names


def test_at_w_0_with_a_negative_each_image_is_named_after_what_guidance_leads_away_from(model):
    first, *_, last = panels_of(replace(QUICK, show="guidance", label="4", negative="9"), model)
    assert first.layers[0].names == [text.label("classes", name) for name in (NO_CLASS, "9") * 2]
    assert last.layers[0].names == (t("image_models.guidance.plain"), t("image_models.guidance.negative", name="9")) * 2


# Tasks, addresses


def test_few_calls_with_the_detail_of_the_data_do_a_task(model):
    def done(config: Config) -> bool:
        return lesson.tasks_done(config, model, films_of(config, model))["few_calls"]

    assert done(replace(QUICK, steps=10)) and not done(replace(QUICK, steps=2))


def test_leading_one_class_away_from_another_does_a_task(model):
    def done(**changes) -> bool:
        config = replace(QUICK, show="guidance", **changes)
        return lesson.tasks_done(config, model, films_of(config, model))["away"]

    assert done(label="4", negative="9") and not done(label="4", negative="4") and not done(negative="9")


def test_a_sampler_is_offered_as_soon_as_it_is_registered(model, monkeypatch):
    monkeypatch.setitem(SAMPLERS, "another", SAMPLERS[DDIM])
    config, ignored = links.parse(Config, {"by": "another", "show": "nearest_training_image", "model": "digits"})
    assert not ignored and panels_of(replace(config, steps=2), model)[0].title == "another"


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", "dall-e"), ("label", "Cat"), ("negative", "Cat"), ("w", "11"), ("steps", "1"), ("steps", "many"),
     ("n", "5"), ("seed", "-1"), ("second", "euler"), ("of", "y"), ("show", "all"), ("follow", "../secret")],
)  # fmt: skip
def test_a_value_that_a_control_cannot_have_is_ignored(name, value):
    assert links.parse(Config, {name: value, "seed" if name != "seed" else "n": "4"})[1] == (f"{name}={value}",)


@pytest.mark.parametrize("name", ["people", "fashion"])
def test_the_default_configuration_is_the_first_view_of_a_shipped_model(name):
    shipped, config = image_lesson.shipped(name), Config(model=name)
    first = image_lesson.first_requests(shipped)
    assert tuple(lesson.requests(replace(config, show="four_samplers"), shipped)) == first
    assert lesson.requests(config, shipped) == [first[-1]] and first[-1].sampler == MULTISTEP


@pytest.mark.parametrize("language", text.languages())
def test_the_example_of_each_language_asks_for_what_is_first_seen(language):
    example = text.catalogue(language)["image_models"]["request"]["example"]
    assert requests.read(example, ATTRIBUTES) == requests.read(image_lesson.FIRST_PEOPLE, ATTRIBUTES)


def test_a_negative_in_words_has_a_column_of_its_own_under_every_scale():
    people = image_lesson.shipped("people")
    config = Config(show="guidance", ask="a beard", avoid="a hat", steps=2)
    some = lesson.requests(config, people)
    assert [bool(request.unwanted) for request in some] == [False, True] * len(lesson.SCALES)
    assert [request.nfe for request in some[:4]] == [2, 6, 2, 2]


def unexplained(images: torch.Tensor, patterns: int = 64) -> float:
    """The share of the variance of one half of a set that so many principal components of the other half leave."""
    x = F.avg_pool2d(unit(images), images.shape[-1] // 16).flatten(1).double()
    one, other = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))].chunk(2)
    one, other = one - one.mean(0), other - one.mean(0)
    found = torch.linalg.eigh(one.T @ one).eigenvectors[:, -patterns:]
    return ((other - other @ found @ found.T).square().sum() / other.square().sum()).item()


@pytest.mark.slow
def test_emoji_say_less_about_each_other_than_people_as_a_note_says(measured):
    emoji = load("emoji").images
    assert len(emoji) == measured["emoji"]
    assert round(100 * unexplained(emoji)) == measured["emoji_unexplained"]
    assert round(100 * unexplained(draw(len(emoji)).images)) == measured["people_unexplained"]
    config = IMAGE_CONFIGS["emoji"][1]
    assert config.steps * config.batch / len(emoji) == pytest.approx(measured["emoji_times"], abs=5)
