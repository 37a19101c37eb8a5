"""Digits trained live: equal seeds give equal runs, samples get better, and what cannot be trained is refused."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from core.data.images import unit
from core.models import images as image_model
from core.models import live_digits, live_images
from core.models.images import ImageConfig
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint
from core.runs.progress import Progress, resume

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

QUICK = replace(live_digits.CONFIGS["fourier"], batch=32, steps=30)


def after(steps: int, config: ImageConfig = QUICK, progress: Progress | None = None) -> Progress:
    progress = progress or Progress(image_model.new_checkpoint(config, live_digits.images()).state)
    return next(islice(live_images.run(config, live_digits.images(), progress), steps - 1, None))


def made_of(config: ImageConfig, part: str, **changes) -> Checkpoint:
    """An untrained checkpoint, one part of whose configuration says something else."""
    made = image_model.new_checkpoint(config, live_digits.images())
    return replace(made, config={**made.config, part: {**made.config[part], **changes}})


def refusal(checkpoint: Checkpoint) -> str:
    """The code of why it cannot be trained on."""
    with pytest.raises(Problem) as problem:
        live_digits.config_of(checkpoint)
    return problem.value.code


@pytest.mark.parametrize("name", live_digits.CONFIGS)
def test_the_snapshot_of_a_run_follows_from_its_seed(name):
    config = replace(live_digits.CONFIGS[name], batch=4)
    first, second = (live_digits.snapshot(after(2, config), n=3, steps=2) for _ in range(2))
    assert torch.equal(first.pixels, second.pixels) and torch.equal(first.losses, second.losses)
    assert first.pixels.shape == (3, 3, 8, 8) and first.pixels.dtype == torch.uint8 and first.step == 2
    assert first.sigmas[-1] == 0


def test_sample_k_starts_from_the_same_noise_at_every_step_of_a_run():
    run = after(1)
    early = live_digits.snapshot(run, n=4, steps=3)
    late = live_digits.snapshot(after(5, progress=run), n=4, steps=3)
    assert torch.equal(early.pixels[0], late.pixels[0]) and not torch.equal(early.pixels[-1], late.pixels[-1])


def test_a_run_saved_and_loaded_goes_on_bit_for_bit():
    whole, half = after(24), after(10)
    saved = checkpoints.from_bytes(checkpoints.to_bytes(live_images.checkpoint_of(half, QUICK, live_digits.images())))
    again = after(14, progress=resume(saved))
    assert all(map(torch.equal, again.state.ema.parameters(), whole.state.ema.parameters()))
    assert again.losses == pytest.approx(whole.losses, abs=1e-5)


def test_a_saved_run_can_be_trained_on_by_its_configuration_and_another_model_cannot():
    assert live_digits.config_of(live_images.checkpoint_of(after(1), QUICK, live_digits.images())) == ("fourier", QUICK)
    other = image_model.new_checkpoint(replace(QUICK, network="plain"), live_digits.images())
    assert refusal(other) == "digits_other"


@pytest.mark.parametrize("lie", [
    {"batch": 10**7}, {"batch": 3}, {"accumulate": 10**6}, {"lr": 1e9}, {"seed": -1}, {"mean": 1e300}, {"ema": 2.0},
], ids=lambda lie: next(iter(lie)))  # fmt: skip
def test_a_configuration_that_no_run_here_can_have_is_refused(lie):
    assert refusal(made_of(QUICK, "plan", **lie)) == "digits_bounds"


def test_a_network_under_the_name_of_another_is_refused():
    assert refusal(made_of(QUICK, "network", width=64)) == "digits_other"


def test_real_digits_are_classified_right_and_noise_is_not():
    known = live_digits.images()
    assert torch.equal(live_digits.classify(unit(known.images[:50])), known.labels[:50])
    noise = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert (live_digits.classify(noise) == torch.arange(200) % 10).float().mean() < 0.3


@pytest.mark.slow
def test_the_exact_denoiser_beats_every_network_and_is_not_perfect():
    assert 0.01 < live_digits.bayes_loss(live_digits.CONFIG) < 0.1
    other = replace(live_digits.CONFIG, seed=3, lr=1.0)
    assert live_digits.bayes_loss(other) == live_digits.bayes_loss(live_digits.CONFIG)


@pytest.mark.slow
def test_the_small_network_draws_digits_that_can_be_read_after_some_hundred_steps():
    shot = live_digits.snapshot(after(500, replace(live_digits.CONFIGS["fourier"], batch=128)))
    assert shot.recognised >= 15
