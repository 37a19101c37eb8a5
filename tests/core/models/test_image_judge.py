"""Judging image models: what the figures mean for images whose quality is known."""

import math
from dataclasses import replace

import pytest
import torch

from core.data.images import ImageSet, digits
from core.models import image_judge

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


@pytest.fixture(scope="module")
def judge():
    """The judge of the digits, with a fifth of them held out."""
    return image_judge.judge(*image_judge.random_split(digits()), steps=200)


def test_a_set_is_parted_without_an_image_lost_or_shown_twice():
    train, test = image_judge.random_split(digits())
    assert len(train.images) == 1438 and len(test.images) == 359
    assert len(torch.cat([train.images, test.images]).flatten(1).unique(dim=0)) == len(
        digits().images.flatten(1).unique(dim=0)
    )


@pytest.mark.slow
def test_the_classifier_knows_images_that_it_has_not_seen(judge):
    assert judge.accuracy() > 0.93
    assert judge.agreement(judge.real, (judge.labels + 1) % 10) < 0.05


@pytest.mark.slow
def test_real_images_are_told_from_blurred_ones_wrong_ones_and_noise(judge):
    real, labels = judge.real, judge.labels
    true, blurred = (judge.report(x, labels) for x in (real, image_judge.blurred(real)))
    noise = judge.report(torch.rand(real.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1, labels)
    assert 5 * true.frechet < min(blurred.frechet, noise.frechet)
    assert noise.agreement < 0.3 < 0.9 < true.agreement
    assert (true.diversity, true.nearest) == (1, 1)


@pytest.mark.slow
def test_images_of_one_class_are_real_ones_that_are_not_all_there(judge):
    some = judge.labels == 3
    one = judge.report(judge.real[some], judge.labels[some])
    assert one.agreement > 0.8 and one.frechet > 5 * judge.report(judge.real, judge.labels).frechet


@pytest.mark.slow
def test_copies_of_training_images_are_found_out(judge):
    assert judge.report(judge.known[:100], torch.zeros(100)).nearest < 1e-6


@pytest.mark.slow
def test_one_image_again_and_again_has_no_diversity(judge):
    assert judge.report(judge.real[:1].expand(20, -1, -1, -1), torch.zeros(20)).diversity == 0


def test_without_classes_nothing_can_be_judged(refused):
    with refused("judge_no_classes", name="digits"):
        image_judge.classifier(replace(digits(), labels=None, classes=()))


def test_few_small_images_that_are_all_equal_have_no_diversity_to_compare_with(refused):
    images = ImageSet("grey", torch.zeros(20, 1, 2, 3, dtype=torch.uint8), torch.arange(20) % 2, ("a", "b"))
    two = torch.eye(6).view(6, 1, 2, 3)[:2]
    report = image_judge.judge(*image_judge.random_split(images), steps=1).report(two, torch.arange(2))
    assert math.isnan(report.diversity) and math.isnan(report.nearest) and report.frechet > 0
    with refused("judge_too_few", total=9, test=1):
        image_judge.random_split(replace(images, images=images.images[:9], labels=images.labels[:9]))


def test_blur_takes_the_detail():
    x = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert image_judge.detail(image_judge.blurred(x)) < 0.2 * image_judge.detail(x)
    assert image_judge.detail(torch.ones(1, 1, 4, 4)) == 0
