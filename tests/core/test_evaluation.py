"""Judging image models: what the figures mean for images whose quality is known."""

import pytest
import torch

from core import evaluation
from core.data.images import digits

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


@pytest.fixture(scope="module")
def judged():
    """The judge of the digits, and held-out real ones that it does not know."""
    return evaluation.judge(*evaluation.held_out(digits()), steps=200)


def test_a_set_is_parted_without_an_image_lost_or_shown_twice():
    train, test = evaluation.held_out(digits())
    assert len(train.images) == 1438 and len(test.images) == 359
    assert len(torch.cat([train.images, test.images]).flatten(1).unique(dim=0)) == len(
        digits().images.flatten(1).unique(dim=0)
    )


def test_the_classifier_knows_images_that_it_has_not_seen(judged):
    judge, real, labels = judged
    assert judge.accuracy() > 0.93 and judge.agreement(real, labels) > 0.93


def test_real_images_are_told_from_blurred_ones_wrong_ones_and_noise(judged):
    judge, real, labels = judged
    true, blurred = (judge.report(x, labels) for x in (real, evaluation.blurred(real)))
    noise = judge.report(torch.rand(real.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1, labels)
    assert 10 * true.frechet < min(blurred.frechet, noise.frechet)
    assert noise.agreement < 0.3 < 0.9 < true.agreement
    assert true.diversity == pytest.approx(1, abs=0.1) and true.nearest == pytest.approx(1, abs=0.1)


def test_copies_of_training_images_are_found_out(judged):
    judge, *_ = judged
    assert judge.report(judge.known[:100], torch.zeros(100)).nearest < 1e-6


def test_one_image_again_and_again_has_no_diversity(judged):
    judge, real, _ = judged
    assert judge.report(real[:1].expand(20, -1, -1, -1), torch.zeros(20)).diversity == 0


def test_blur_takes_the_detail():
    x = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert evaluation.detail(evaluation.blurred(x)) < 0.2 * evaluation.detail(x)
    assert evaluation.detail(torch.ones(1, 1, 4, 4)) == 0
