"""People from latents beside people from pixels: as right, at no more than half the cost of a sample."""

import pytest
import torch

from core.lessons import latent as lesson
from core.models import latent_quality
from core.pretrained import pretrained


def test_random_places_are_standard_normal_and_the_same_for_any_number():
    places = latent_quality.random_places(4000)
    assert torch.equal(places[:10], latent_quality.random_places(10))
    assert places.mean().abs() < 0.05 and abs(places.std() - 1) < 0.05


@pytest.fixture(scope="module")
def reports():
    return latent_quality.people_reports(pretrained("people"), pretrained("people-latent"), lesson.people_space(), 128)


@pytest.mark.slow
def test_attributes_are_right_within_3_points_of_the_pixel_model(reports):
    assert reports["latents"].attributes >= reports["pixels"].attributes - 0.03
    assert reports["rebuilt"].attributes >= 0.995


@pytest.mark.slow
def test_a_sample_costs_no_more_than_half(reports):
    assert reports["latents"].seconds <= 0.5 * reports["pixels"].seconds
