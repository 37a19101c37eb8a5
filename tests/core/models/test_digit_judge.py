"""The judge of digits reads digits, and nothing that is none."""

import torch

from core import seeds
from core.models import digit_judge


def test_the_examples_have_shares_that_add_up_to_1():
    x, shares = digit_judge.examples(16, 0, 3)
    assert x.shape == (32, 1, 8, 8) and shares.shape == (32, 10)
    torch.testing.assert_close(shares.sum(1), torch.ones(32))
    again = digit_judge.examples(16, 0, 3)[0]
    assert torch.equal(x, again)


def test_held_out_digits_are_read_rightly():
    x, labels = digit_judge.known_and_held_out()[1]
    found, sure = digit_judge.read(x)
    assert (found == labels).double().mean() >= 0.98
    assert digit_judge.share_read(x) >= 0.95 and not ((found != labels) & (sure > digit_judge.SURE)).sum() > 2


def test_noise_and_the_mean_of_all_digits_are_not_read():
    x = digit_judge.known_and_held_out()[1][0]
    noise = seeds.gaussian((300, 1, 8, 8), 5).clamp(-1, 1)
    assert digit_judge.share_read(noise) <= 0.01
    assert digit_judge.read(x.mean(0, keepdim=True))[1].item() < 0.5


def test_mixtures_of_two_digits_are_seldom_read():
    x = digit_judge.known_and_held_out()[1][0]
    assert digit_judge.share_read((x[:150] + x[150:]) / 2) <= 0.25
