"""Scores: one by one, within the calls they are given, and worth what perfect draws are worth."""

from itertools import islice

from core.diffusion.samplers import DDPM_NO_NOISE, SamplerConfig
from core.lessons import sampler_quality
from core.lessons import sampling as sampling_lesson
from core.models import trajectories

EXACT, LEARNED = trajectories.exact_model(), sampling_lesson.shipped("spiral-100-fourier")


def test_scores_come_one_by_one_and_never_exceed_the_calls_they_are_given():
    models = (LEARNED, EXACT)
    found = list(islice(sampler_quality.table(models, SamplerConfig(), n=50), 2 + 2 * len(sampler_quality.COMPARED)))
    assert [len(part) for part in found] == list(range(1, len(found) + 1))
    first = found[-1][1 : 1 + len(sampler_quality.COMPARED)]
    assert [score.kind for score in first] == list(sampler_quality.COMPARED)
    assert all(score.nfe == (3 if score.kind == "Heun" else 4) and score.model == LEARNED.key for score in first)
    assert sampler_quality.length(models) == 1 + len(sampler_quality.CALLS) * 2 * len(sampler_quality.COMPARED)


def test_scores_go_on_from_those_found():
    whole, part = (
        list(islice(sampler_quality.table((EXACT,), SamplerConfig(), n=20), 4)),
        sampler_quality.table((EXACT,), SamplerConfig(), n=20),
    )
    begun = list(islice(part, 2))[-1]
    after = next(sampler_quality.table((EXACT,), SamplerConfig(), n=20, found=begun))
    assert [score.kind for score in after] == [score.kind for score in whole[2]]
    assert after[:2] == begun and after[2].energy == whole[2][2].energy


def test_a_good_sampler_scores_like_perfect_draws_and_a_collapsed_one_does_not():
    perfect = sampler_quality.perfect_score(EXACT, 500)
    good, bare = (
        sampler_quality.score(EXACT, SamplerConfig(kind, 32), 500) for kind in ("DPM-Solver++(2M)", DDPM_NO_NOISE)
    )
    assert perfect.quality.covered >= 99 and perfect.quality.distance == 0
    assert good.energy < 3 * perfect.energy and bare.energy > 50 * perfect.energy
