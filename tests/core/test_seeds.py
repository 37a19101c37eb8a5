import pytest
import torch

from core import seeds

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


@pytest.mark.parametrize("row", [(), (1,), (2,), (3,), (5,), (2, 2), (3, 4, 4), (17,)])
def test_a_row_of_noise_is_the_same_for_any_number_of_rows(row):
    longest = seeds.gaussian((130, *row), 7, 3)
    for n in (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 64, 127):
        assert torch.equal(seeds.gaussian((n, *row), 7, 3), longest[:n])


def test_a_uniform_number_is_the_same_for_any_number_of_them():
    longest = seeds.uniform(130, 7, 3)
    for n in (0, 1, 5, 15, 16, 17, 100):
        assert torch.equal(seeds.uniform(n, 7, 3), longest[:n])


def test_mix_begins_as_splitmix64_published_it():
    assert seeds.mix(0) == 0xE220A8397B1DCDAF


def test_every_place_of_every_seed_has_a_seed_of_its_own():
    places = [(), *((i,) for i in range(30)), (0, 0), (0, 1), (1, 0)]
    mixed = {seeds.mix(seed, *place) for seed in range(-3, 40) for place in places}
    assert len(mixed) == 43 * len(places)


def test_a_negative_or_a_huge_seed_is_a_seed():
    assert seeds.gaussian((3,), -1).isfinite().all()
    assert torch.equal(seeds.gaussian((3,), 2**64 + 5), seeds.gaussian((3,), 5))


def test_noise_is_standard_normal_and_independent_between_steps():
    here, there = seeds.gaussian((200_000,), 0, 1), seeds.gaussian((200_000,), 0, 2)
    for power, moment in enumerate((0, 1, 0, 3), start=1):
        assert (here**power).mean().item() == pytest.approx(moment, abs=0.04)
    assert (here * there).mean().abs() < 0.01


def test_noise_takes_the_dtype_of_its_model():
    like = torch.zeros(1, dtype=torch.float64)
    assert torch.equal(seeds.gaussian((3, 2), 1, like=like), seeds.gaussian((3, 2), 1).double())


@pytest.mark.parametrize("like", [None, torch.zeros(1), torch.zeros(1, dtype=torch.float64)])
def test_noise_of_a_standard_deviation_is_unit_noise_times_it(like):
    unit, scaled = (seeds.gaussian((7, 3), 5, 1, like=like, std=std) for std in (1.0, 0.3))
    assert torch.equal(scaled, 0.3 * unit)
