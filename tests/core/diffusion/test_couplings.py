"""Couplings: they change which start belongs to which point, and nothing else."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch

from core import seeds
from core.data.points import make_points
from core.diffusion import couplings, samplers, training
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.schedules import rectified_flow

POINTS = make_points("spiral", 60)


def independent(data=POINTS.sample, shape=(2,)):
    return couplings.independent(data, couplings.gaussian(shape))


def drawn(coupling, n=64, seed=3):
    return coupling(n, seeds.generator(seed))


def test_optimal_transport_keeps_the_starts_the_points_and_the_labels_of_the_points():
    (x0, x1, labels), (near, same, theirs) = drawn(independent()), drawn(couplings.optimal_transport(independent(), 16))
    assert same.equal(x1) and not near.equal(x0)
    for block in range(0, 64, 16):
        before, after = (
            sorted(zip(part[block : block + 16].tolist(), of[block : block + 16].tolist()))
            for part, of in ((x0, labels), (near, theirs))
        )
        assert before == after


def test_an_assignment_costs_the_least_of_all_orders():
    x0, x1 = seeds.gaussian((5, 3), 1), seeds.gaussian((5, 3), 2)
    least = min(couplings.transport_cost(x0[list(order)], x1) for order in permutations(range(5)))
    assert couplings.transport_cost(x0[couplings.assignment(x0, x1)], x1) == pytest.approx(least, rel=1e-9)


def test_a_batch_of_one_is_the_independent_coupling_and_larger_ones_cost_less():
    costs = [
        couplings.transport_cost(*drawn(couplings.optimal_transport(independent(), batch), 256)[:2])
        for batch in (1, 4, 16, 64)
    ]
    assert costs[0] == couplings.transport_cost(*drawn(independent(), 256)[:2])
    assert costs == sorted(costs, reverse=True) and costs[3] < costs[0] / 2


def test_stored_pairs_stay_pairs():
    x0, x1, labels = torch.arange(9.0)[:, None], -torch.arange(9.0)[:, None], torch.arange(9)
    found = drawn(couplings.stored(x0, x1, labels))
    assert found[0].equal(-found[1]) and found[0][:, 0].equal(found[2].float())


def test_data_and_starts_of_different_shapes_and_an_empty_batch_are_refused(refused):
    with refused("coupling_shapes", data="[2]", start="[3]"):
        drawn(independent(shape=(3,)))
    with refused("coupling_batch", batch=0):
        couplings.optimal_transport(independent(), 0)


def test_sets_that_do_not_fit_and_batches_that_are_larger_than_the_data_are_refused(refused):
    with refused("coupling_shapes", data="[2]", start="[3]"):
        couplings.between(POINTS, replace(POINTS, points=torch.zeros(60, 3)))
    with refused("coupling_classes", data=3, start=2):
        couplings.between(POINTS, replace(POINTS, classes=("a", "b")))
    with refused("coupling_batch_larger", batch=65, n=64):
        drawn(couplings.optimal_transport(independent(), 65))


def test_a_set_of_points_can_be_the_source():
    x0, x1, labels = drawn(couplings.between(POINTS, make_points("moons", 60)))
    assert x0.shape == x1.shape == (64, 2) and len(labels) == 64 and not x0.equal(x1)


def test_straight_paths_at_even_speed_have_a_straightness_of_zero_and_those_of_the_exact_flow_do_not():
    x0, x1 = seeds.gaussian((50, 2), 1), seeds.gaussian((50, 2), 2)
    t = torch.linspace(1, 0, 9)[:, None, None]
    assert couplings.straightness((1 - t) * x0 + t * x1) == pytest.approx(0, abs=1e-9)
    assert couplings.straightness((1 - t**2) * x0 + t**2 * x1) > 0.1
    times = torch.linspace(0.999, 0, 33, dtype=torch.float64)
    sigmas = times / (1 - times)
    states = samplers.path(samplers.euler(EmpiricalDenoiser(*POINTS.even(500)), x1 / (1 - times[0]).float(), sigmas))
    assert couplings.straightness(states * (1 - times)[:, None, None].float()) > 0.1


def test_a_batch_of_pairs_has_the_starts_in_the_place_of_noise_and_follows_from_its_step():
    batches = training.pair_batches(
        couplings.optimal_transport(independent(), 8), rectified_flow(), 32, seed=5, dropout=0.5
    )
    (x0, sigma, x1, cond), again = batches(7), batches(7)
    assert all(one.equal(other) for one, other in zip((x0, sigma, x1), again))
    assert couplings.transport_cost(x0, x1) < couplings.transport_cost(
        x0, x1[torch.randperm(32, generator=seeds.generator(1))]
    )
    assert 0 < (cond["label"] == -1).sum() < 32 and not batches(8)[0].equal(x0)
