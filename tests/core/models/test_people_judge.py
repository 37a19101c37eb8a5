"""The judges of people: what they read in real, blurred and noisy pictures, and what models are asked for."""

import pytest
import torch

from core import metrics
from core.data import people
from core.data.images import unit
from core.data.people import ATTRIBUTES
from core.models import people_judge
from core.models.image_judge import blurred
from core.models.people_judge import JudgeConfig, attributes_of, features_of, nearest, requests, right, stray_pixels

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
COMBINED = [list(ATTRIBUTES).index(name) for name in people.COMBINED]


@pytest.fixture(scope="module")
def drawn():
    return people.draw(200, seed=6, held_out=None)


@pytest.fixture(scope="module")
def visible(drawn):
    return drawn.attributes.where(drawn.visible, -1)


def test_the_network_reads_all_that_can_be_seen(drawn, visible):
    found = right(visible, attributes_of(drawn.images))
    assert found.all(1).double().mean() >= 0.99 and found.double().mean(0).min() >= 0.995


def test_the_network_reads_noisy_pictures(drawn, visible):
    x = unit(drawn.images) + 0.1 * torch.randn(200, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert right(visible, attributes_of(x)).all(1).double().mean() >= 0.98


def test_both_judges_agree_on_real_people(drawn, visible):
    network, exact = (right(visible[:50], judge(drawn.images[:50])) for judge in (attributes_of, exactly))
    assert (network == exact).double().mean() >= 0.99


def exactly(images):
    return nearest(images).attributes


def test_blurred_people_are_far_from_real_ones(drawn):
    real, blur = (features_of(x) for x in (drawn.images, blurred(unit(drawn.images))))
    other = features_of(people.draw(200, seed=7).images)
    assert metrics.frechet(blur, other) > 3 * metrics.frechet(real, other)


def test_stray_pixels_are_counted_above_a_difference():
    difference = torch.zeros(2, 16, 16)
    difference[0, 0, :4], difference[1, 2, 3] = 0.2, 0.5
    assert (stray_pixels(difference, 0.15), stray_pixels(difference, 0.3)) == (2.5, 0.5)


def test_what_was_not_asked_for_is_right():
    wanted, found = torch.tensor([[-1, 2, 1]]), torch.tensor([[5, 2, 0]])
    assert right(wanted, found).tolist() == [[True, True, False]]


@pytest.mark.parametrize("held_out", [None, False, True])
def test_a_request_names_3_to_5_attributes_that_can_be_seen(held_out):
    wanted, real = requests(300, 1, held_out), people_judge.requested_people(300, 1, held_out)
    named = wanted >= 0
    assert set(named.sum(1).tolist()) == {3, 4, 5}
    assert (real.visible | ~named).all() and right(wanted, real.attributes).all()
    assert torch.equal(requests(20, 1, held_out), wanted[:20])


def test_any_attribute_may_be_asked_for():
    assert ((requests(300, 1) >= 0).sum(0) > 30).all()


def test_combinations_differ_only_in_being_held_out():
    held_out, known = (requests(300, 2, kind) for kind in (True, False))
    assert people.is_held_out(held_out).all() and not people.is_held_out(known).any()
    assert torch.equal(held_out >= 0, known >= 0) and (held_out[:, COMBINED] >= 0).all()


def test_a_network_learns_to_read_in_a_few_steps():
    config = JudgeConfig(width=16, batch=64, steps=40, lr=4e-3, warmup=1)
    losses = [state.loss for state in people_judge.run(config, people_judge.new_checkpoint(config).state)]
    assert losses[-1] < 0.8 * losses[0]


def test_pictures_of_another_size_are_refused(refused):
    with refused("people_pictures", shape="2x3x32x32"):
        attributes_of(torch.zeros(2, 3, 32, 32))
