"""The nearest person that can be composed: composed people are found exactly, and others are measured."""

import pytest
import torch

from core.data import people
from core.data.images import unit
from core.data.nearest_person import nearest
from core.models.image_judge import blurred

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


@pytest.fixture(scope="module")
def drawn():
    return people.draw(100, seed=5, held_out=None)


@pytest.fixture(scope="module")
def found(drawn):
    return nearest(drawn.images)


def test_a_composed_person_is_found_exactly(drawn, found):
    assert (found.images == drawn.images).flatten(1).all(1).double().mean() >= 0.99
    assert ((found.attributes == drawn.attributes) | ~drawn.visible).all(1).double().mean() >= 0.99
    assert found.difference.median() < 0.01


def test_a_little_noise_changes_no_attribute(drawn, found):
    x = unit(drawn.images[:20])
    noisy = nearest(x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)))
    same = (noisy.attributes == found.attributes[:20]) | ~drawn.visible[:20]
    assert same.all(1).double().mean() >= 0.95


def test_a_pixel_of_another_colour_is_measured_and_nothing_else(drawn, found):
    x = unit(drawn.images[:8])
    x[:, 1, 0, 0] -= 0.5
    difference = nearest(x).difference
    assert torch.allclose(difference[:, 0, 0], torch.tensor(0.5), atol=0.02)
    difference[:, 0, 0] = 0
    assert difference.max() < 0.02


def test_no_person_is_near_to_a_blurred_one(drawn):
    stray = (nearest(blurred(unit(drawn.images[:20]))).difference > 0.15).double().sum((1, 2)).mean()
    assert 150 < stray < 230


def test_the_nearest_person_does_not_depend_on_the_other_pictures(drawn, found):
    assert torch.equal(nearest(drawn.images[90:]).attributes, found.attributes[90:])


def test_the_nearest_of_pictures_between_two_people_is_nearer_than_both(drawn):
    """A picture halfway between two people has a nearest person at most as far as either."""
    one, other = unit(drawn.images[:50]), unit(drawn.images[50:])
    between = nearest((one + other) / 2)
    distance = (unit(between.images) - (one + other) / 2).square().sum((1, 2, 3))
    assert (distance <= ((one - other) / 2).square().sum((1, 2, 3)) + 0.01).double().mean() >= 0.9


@pytest.mark.parametrize("shape", [(0, 3, 16, 16), (2, 1, 16, 16), (2, 3, 32, 32), (3, 16, 16)])
def test_pictures_of_another_shape_are_refused(shape, refused):
    with refused("people_pictures", shape="x".join(map(str, shape))):
        nearest(torch.zeros(shape))
