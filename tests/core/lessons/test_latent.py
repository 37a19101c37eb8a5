"""What chapter 11 computes: the plane and its map, films, and the numbers that the issue asks for."""

import math

import pytest
import torch

from core.data.images import unit
from core.lessons import latent as lesson
from core.lessons.latent import PeopleRequest, PlaneRequest
from core.models import digit_judge, latent_quality, live_digits
from core.models import latent as latent_model
from core.models.latent import AutoencoderConfig
from core.pretrained import pretrained
from core.runs.progress import Progress


@pytest.fixture(scope="module")
def plane():
    return lesson.shipped_plane("digits-autoencoder")


def test_a_tile_of_the_map_is_the_picture_that_its_middle_decodes_to(plane):
    model, side = lesson.autoencoder("digits-autoencoder"), lesson.SIDE
    row, column = 5, 11
    place = torch.tensor([column, row]).add(0.5) / lesson.TILES * 2 * plane.reach - plane.reach
    picture = (model.decode(place[None])[0, 0] + 1).div(2).clamp(0, 1)
    tile = plane.mosaic[row * side : (row + 1) * side, column * side : (column + 1) * side]
    torch.testing.assert_close(tile.flip(0), picture, atol=1e-5, rtol=0)


def test_nearly_all_digits_lie_in_the_plane_that_is_drawn(plane):
    assert (plane.places.abs().amax(1) <= plane.reach).double().mean() > 0.97
    assert plane.rebuilt.shape == (20, 8, 8) and len(plane.places) == len(plane.labels)


def test_60_percent_of_random_places_and_85_of_samples_are_read_as_digits():
    checkpoint = pretrained("digits-latent")
    report = latent_quality.plane_report(lesson.space(), unit(live_digits.images().images), checkpoint, n=512)
    assert report.random >= 0.6 and report.samples >= 0.85 and report.real >= 0.95


def test_the_weight_of_the_divergence_decides_what_random_places_decode_to():
    shares = {weight: lesson.shipped_plane(name).random for weight, name in lesson.WEIGHTS.items()}
    assert shares["0.1"] >= 0.6 > shares["1"] > shares["2"] and shares["2"] < 0.15
    kinds = {}
    for weight in ("0", "0.1"):
        x = lesson.autoencoder(lesson.WEIGHTS[weight]).decode(latent_quality.random_places(500))
        label, sure = digit_judge.read(x)
        kinds[weight] = (label[sure > digit_judge.SURE].bincount(minlength=10) >= 5).sum().item()
    assert kinds["0.1"] == 10 and kinds["0"] <= 7


def test_a_run_is_readable_within_30_seconds_of_one_core():
    """Its 3,000 steps take about 20 seconds and make the shipped plane; a quarter of them bring it halfway there."""
    config = AutoencoderConfig(steps=800).fitted((1, 8, 8))
    checkpoint = latent_model.new_autoencoder(config, live_digits.images())
    for _ in latent_model.run_autoencoder(config, live_digits.images(), checkpoint.state):
        pass
    shot = lesson.snapshot(Progress(checkpoint.state))
    assert shot.step == 800 and shot.plane.random >= 0.4 and math.isnan(shot.bayes_loss)


def test_samples_that_are_asked_for_a_digit_are_that_digit():
    film = lesson.plane_film(PlaneRequest("ddim", 7, 2.0, 0))
    assert film.right >= 0.9 and film.pictures.shape == (lesson.STEPS + 1, lesson.PICTURED, 8, 8)
    assert film.learned.shape == film.exact.shape == (lesson.STEPS + 1, lesson.ARROWS**2, 2)


def test_films_of_both_models_are_made_together():
    values = ((),) * 12
    wanted = [PeopleRequest(in_latents, values, scale=1.0, steps=2) for in_latents in (False, True)]
    *_, films = lesson.people_films(wanted)
    assert all(film.done and film.images.shape == (lesson.PEOPLE, 3, 16, 16) for film in films)


def test_people_are_rebuilt_from_a_sixth_of_the_numbers():
    found = lesson.rebuilt_people(64, 0)
    assert found.channels[0].numel() * 6 == found.originals[0].numel() and found.error < 0.07
