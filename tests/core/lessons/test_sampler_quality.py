"""The quality table: row by row, within the network calls of each row, and near exact draws where a sampler is good."""

from dataclasses import replace
from itertools import islice

import pytest

from core.diffusion.samplers import DDIM_WITH_NOISE, DDPM_NO_NOISE, ETA_INTERPOLATED, SAMPLERS, SamplerConfig
from core.lessons import sampler_quality as lesson
from core.models import trajectories
from core.pretrained import shipped

EXACT = trajectories.exact_model()


def test_rows_come_one_by_one_and_never_exceed_their_network_calls():
    learned = shipped("spiral-100-fourier")
    models, compared = (learned, EXACT), lesson.compared()
    found = list(islice(lesson.table(models, SamplerConfig(), n=50), 1 + len(compared)))
    assert [len(part) for part in found] == list(range(1, len(found) + 1))
    first = found[-1][1:]
    assert [row.sampler for row in first] == list(compared)
    assert all(row.nfe == (3 if row.sampler == "heun" else 4) and row.model == learned.key for row in first)
    assert lesson.length(models) == 1 + len(lesson.CALLS) * 2 * len(compared)


def test_samplers_that_need_a_setting_or_add_too_much_noise_are_not_compared():
    assert set(SAMPLERS) - set(lesson.compared()) == {ETA_INTERPOLATED, DDIM_WITH_NOISE}


def test_a_table_goes_on_from_the_rows_found():
    whole = list(islice(lesson.table((EXACT,), SamplerConfig(), n=20), 4))
    after = next(lesson.table((EXACT,), SamplerConfig(), n=20, found=whole[1]))
    assert [row.sampler for row in after] == [row.sampler for row in whole[2]]
    assert after[:2] == whole[1] and after[2].energy == whole[2][2].energy


@pytest.mark.parametrize(("sampler", "good"), [("dpmpp_2m", True), (DDPM_NO_NOISE, False)])
def test_a_good_sampler_is_near_exact_draws_and_a_collapsed_one_is_not(sampler, good):
    perfect = lesson.measure_perfect(EXACT, 500)
    energy = lesson.measure(EXACT, SamplerConfig(sampler, 32), 500).energy
    assert perfect.quality.covered >= 99 and perfect.quality.distance == 0
    assert energy < 3 * perfect.energy if good else energy > 50 * perfect.energy


def test_the_stored_table_is_what_its_command_computes_and_no_other_configuration_takes_it():
    first, config = shipped("spiral-100-fourier"), SamplerConfig()
    models = [first, first.exact]
    rows = lesson.read(lesson.key_of(models, config))
    assert len(rows) == lesson.length(models) and not lesson.read(lesson.key_of(models, replace(config, seed=1)))
    for row in (rows[3], rows[15]):
        model = next(each for each in models if each.key == row.model)
        again = lesson.measure(model, lesson.within(config, row.sampler, row.nfe), lesson.SAMPLES)
        assert (again.nfe, again.quality.covered) == (row.nfe, pytest.approx(row.quality.covered, abs=2))
        assert again.energy == pytest.approx(row.energy, rel=0.05)
