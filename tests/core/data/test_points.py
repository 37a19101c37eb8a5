import math
from dataclasses import replace

import pytest
import torch

from core.data.points import BUILT_IN, PointSet, at_unit_rms, make_points, spiral
from core.metrics import distance_to_curve
from core.models.trajectories import exact_model


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


every_set = pytest.mark.parametrize("name", BUILT_IN)


@every_set
def test_points_are_centred(name: str):
    points = make_points(name, 100, seed=3).points
    assert points.shape == (100, 2) and points.dtype == torch.float32
    assert points.double().mean(0).abs().max() < 1e-6


@every_set
@pytest.mark.parametrize("n", [64, 2000])
def test_every_set_has_about_the_size_of_the_spiral(name: str, n: int):
    assert 0.43 < make_points(name, n).rms < 0.48


@every_set
def test_the_size_does_not_depend_on_the_number_of_points(name: str):
    assert make_points(name, 7).affine.scale == make_points(name, 700).affine.scale


@every_set
def test_equal_arguments_give_equal_points_and_another_seed_gives_others(name: str):
    assert torch.equal(make_points(name, 50, seed=1).points, make_points(name, 50, seed=1).points)
    assert not torch.equal(make_points(name, 50, seed=1).points, make_points(name, 50, seed=2).points)


@every_set
@pytest.mark.parametrize("k", [1, 7, 16, 33])
def test_a_fresh_draw_does_not_depend_on_how_many_are_drawn(name: str, k: int):
    data = make_points(name, 20)
    assert torch.equal(data.sample(k, generator(5))[0], data.sample(100, generator(5))[0][:k])


@every_set
def test_fresh_draws_have_the_mean_and_size_of_the_points(name: str):
    data = make_points(name, 2000)
    fresh, _ = data.sample(20_000, generator())
    assert fresh.mean(0).abs().max() < 0.02
    assert abs(fresh.square().mean().sqrt().item() - data.rms) < 0.01


@every_set
def test_global_random_state_is_left_alone(name: str):
    before = torch.get_rng_state()
    make_points(name, 10).sample(10, generator())
    assert torch.equal(before, torch.get_rng_state())


@every_set
def test_the_affine_brings_stored_points_back(name: str):
    data = make_points(name, 30)
    stored = data.points.double()
    assert torch.allclose(data.affine.apply(data.affine.invert(stored)), stored, atol=1e-12)


@pytest.mark.parametrize("name", ["spiral", "moons", "rings"])
def test_points_and_fresh_draws_of_a_thin_set_lie_on_its_curve(name: str):
    data = make_points(name, 200)
    fresh, _ = data.sample(2000, generator())
    assert distance_to_curve(torch.cat((data.points, fresh)), data.curve).max() < 2e-4


def test_the_spiral_is_t_cos_t_and_t_sin_t_over_5_pi():
    data = spiral(100)
    raw = data.affine.invert(data.points.double())
    t = raw.norm(dim=1)
    assert data.affine.scale == pytest.approx(5 * math.pi)
    assert t.min() >= math.pi / 2 - 1e-5 and t.max() <= 5.5 * math.pi + 1e-5
    assert torch.allclose(raw, torch.stack((t * t.cos(), t * t.sin()), 1), atol=1e-4)


@pytest.mark.parametrize("n", [3, 10, 100, 1000])
def test_the_points_of_a_spiral_leave_no_gap_along_its_arm(n: int):
    data = spiral(n, seed=4)
    t = data.affine.invert(data.points.double()).norm(dim=1)
    assert t.diff().min() > 0
    assert t.diff().max() <= 1.5 * 5 * math.pi / n + 1e-5


def test_the_classes_of_the_spiral_are_the_inner_middle_and_outer_third_by_t():
    data = spiral(99)
    assert data.classes == ("person", "dog", "cat")
    for points, labels in ((data.points, data.labels), data.sample(500, generator())):
        t = data.affine.invert(points.double()).norm(dim=1)
        assert torch.equal(labels, (3 * (t - math.pi / 2) / (5 * math.pi)).long())
    assert data.labels.bincount().tolist() == [33, 33, 33]


def test_spiral_and_make_agree():
    assert torch.equal(spiral(40, seed=2).points, make_points("spiral", 40, seed=2).points)


def test_a_single_point_stands_at_the_origin():
    assert make_points("checkerboard", 1).points.tolist() == [[0.0, 0.0]]


def test_moons_and_rings_are_drawn_evenly_by_length():
    radius = make_points("rings", 600)
    distance = radius.affine.invert(radius.points).norm(dim=1)
    counts = [(distance - r).abs().lt(0.1).sum().item() for r in (1, 2 / 3, 1 / 3)]
    assert counts == pytest.approx([300, 200, 100], abs=2)


def test_the_checkerboard_fills_only_its_dark_squares():
    data = make_points("checkerboard", 100)
    column, row = data.affine.invert(data.sample(2000, generator())[0].double()).floor().long().unbind(1)
    assert ((column + row) % 2 == 0).all()
    assert len(set(zip(column.tolist(), row.tolist(), strict=True))) == 8


def test_each_of_the_eight_gaussians_has_its_share():
    data = make_points("eight-gaussians", 800)
    raw = data.affine.invert(data.points)
    nearest = (torch.atan2(raw[:, 1], raw[:, 0]) / (math.pi / 4)).round().long() % 8
    assert nearest.bincount(minlength=8).min() >= 95


@pytest.mark.parametrize("n", [0, -1, 1_000_001])
def test_an_impossible_number_of_points_is_refused(n: int, refused):
    with refused("number_of_points", most=1_000_000, n=n):
        make_points("moons", n)


def test_an_unknown_name_is_refused_with_the_names_there_are(refused):
    with refused("unknown_points", name="torus", known=", ".join(BUILT_IN)):
        make_points("torus", 10)


@pytest.mark.parametrize("turns", [0, -1, math.nan, 1e9])
def test_impossible_turns_are_refused(turns: float, refused):
    with refused("spiral_turns"):
        spiral(10, turns=turns)


def test_sets_of_one_name_and_size_and_other_points_have_other_digests_and_models():
    first, second = make_points("moons", 50, seed=1), make_points("moons", 50, seed=2)
    assert first.digest != second.digest and exact_model(first) != exact_model(second)
    assert exact_model(first) == exact_model(make_points("moons", 50, seed=1))


def test_a_digest_is_of_the_content_and_not_of_the_name():
    data = make_points("spiral", 50)
    assert replace(data, name="mine", note=None).digest == data.digest
    others = {
        "labels": None,
        "classes": ("a", "b", "c"),
        "points": data.points[:49],
        "draw": make_points("moons", 5).draw,
    }
    for name, value in others.items():
        assert replace(data, **{name: value}).digest != data.digest, name


def test_endless_data_of_equal_points_and_another_distribution_are_other_models():
    data = make_points("spiral", 50)
    other = replace(data, draw=make_points("moons", 5).draw)
    assert exact_model(data, endless=True) != exact_model(other, endless=True)


def test_a_point_set_is_a_value_that_can_be_kept_in_a_mapping():
    data: PointSet = make_points("moons", 5)
    assert {data: 1}[data] == 1


@every_set
def test_a_set_in_units_of_its_rms_is_the_same_set_at_another_scale(name: str):
    data = make_points(name, 500)
    unit = at_unit_rms(data)
    assert unit.rms == pytest.approx(1)
    assert torch.allclose(data.rms * unit.sample(9, generator())[0], data.sample(9, generator())[0])
    assert torch.allclose(data.affine.invert(data.points), unit.affine.invert(unit.points), atol=1e-5)
