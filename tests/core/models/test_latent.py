"""Autoencoders under training, their latents as data, and diffusion models of these."""

import math

import pytest
import torch

from core.data.images import load, unit
from core.data.people import ATTRIBUTES, PeopleSet
from core.diffusion.training import TrainState
from core.models import images as image_model
from core.models import latent as model
from core.models.latent import AutoencoderConfig, LatentConfig
from core.problems import Problem
from core.runs.checkpoints import Checkpoint, load_folder, save_folder

QUICK = AutoencoderConfig(width=64, steps=60, batch=64)


def trained(config: AutoencoderConfig, data) -> Checkpoint:
    found = model.new_autoencoder(config, data, {"data": data.name})
    for _ in model.run_autoencoder(config, data, found.state):
        pass
    return found


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def plane(digits) -> Checkpoint:
    """An autoencoder of digits after 60 steps."""
    return trained(QUICK, digits)


# The autoencoder


def test_a_configuration_is_fitted_to_the_size_of_the_pictures():
    small, large = (AutoencoderConfig(lr=1.0).fitted(shape) for shape in ((1, 8, 8), (3, 16, 16)))
    assert (small.latent, small.lr) == (2, 1.0) and large.latent > 2
    assert model.latent_shape((1, 8, 8), 2) == (2,) and model.latent_shape((3, 16, 16), 8) == (8, 4, 4)


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_a_weight_of_the_divergence_that_no_run_can_have_is_refused(weight):
    with pytest.raises(Problem) as caught:
        AutoencoderConfig(kl=weight).fitted((1, 8, 8))
    assert caught.value.code == "kl_weight"


@pytest.mark.parametrize(("shape", "code"), [((3, 18, 18), "autoencoder_side"), ((2,), "autoencoder_shape")])
def test_samples_that_no_autoencoder_takes_are_refused(shape, code):
    with pytest.raises(Problem) as caught:
        model.latent_shape(shape, 2)
    assert caught.value.code == code


def test_training_lowers_the_error_and_a_resumed_run_is_the_same(digits, plane):
    x = unit(digits.images)
    untrained = model.new_autoencoder(QUICK, digits).state.ema
    error = [(each(x) - x).square().mean().item() for each in (untrained, plane.state.ema)]
    assert error[1] < 0.8 * error[0]
    begun = model.new_autoencoder(QUICK, digits)
    for state in model.run_autoencoder(QUICK, digits, begun.state):
        if state.step == 30:
            break
    resumed = model.resume_autoencoder(begun, QUICK, digits, {})
    for _ in model.run_autoencoder(QUICK, digits, resumed.state):
        pass
    pairs = zip(resumed.state.model.parameters(), plane.state.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_without_the_divergence_latents_have_no_noise(digits):
    net = model.new_autoencoder(QUICK, digits).state.model
    x, noise = unit(digits.images[:4]), torch.randn(4, 2)
    assert torch.equal(*(model.autoencoder_loss(net, x, factor * noise, kl=0.0) for factor in (0, 1)))
    assert not torch.equal(*(model.autoencoder_loss(net, x, factor * noise, kl=0.1) for factor in (0, 1)))


def test_a_large_weight_draws_latents_to_the_middle(digits):
    spread = [
        torch.cat(trained(AutoencoderConfig(width=64, steps=150, batch=64, kl=kl), digits).state.ema.encode(
            unit(digits.images[:300]))[:1]).square().mean().item()
        for kl in (0.1, 30.0)
    ]  # fmt: skip
    assert spread[1] < 0.1 * spread[0]


def test_a_run_is_not_resumed_with_another_network_or_other_data(digits, plane):
    for config, data, code in (
        (AutoencoderConfig(width=32, steps=60), digits, "resume_other_network"),
        (AutoencoderConfig(), PeopleSet(10), "resume_other_network"),
    ):
        with pytest.raises(Problem) as caught:
            model.resume_autoencoder(plane, config, data, {})
        assert caught.value.code == code


# Latents


def test_latents_have_mean_0_and_root_mean_square_1_and_decode_as_before(digits, plane):
    data, x = model.latents(plane, digits), unit(digits.images)
    z = data.space.encode(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    assert z.square().mean().sqrt().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(data.space.decode(z), plane.state.ema(x), atol=1e-4, rtol=1e-4)


def test_latents_of_pictures_are_centred_by_channel():
    people = PeopleSet(64)
    autoencoder = model.new_autoencoder(AutoencoderConfig(width=16, latent=3), people)
    data = model.latents(autoencoder, people)
    z, cond = data.sample(8, torch.Generator().manual_seed(0))
    assert z.shape == (8, 3, 4, 4) and cond["attributes"].shape == (8, 12) and data.attributes is ATTRIBUTES
    assert len(data.space.centre) == 3


def test_pictures_that_the_autoencoder_was_not_made_for_are_refused(plane):
    with pytest.raises(Problem) as caught:
        model.latents(plane, PeopleSet(10))
    assert caught.value.code == "autoencoder_data"


# Diffusion on latents


@pytest.fixture(scope="module")
def drawn(digits, plane) -> tuple[Checkpoint, model.LatentSet]:
    data, config = model.latents(plane, digits), LatentConfig(steps=20, batch=64)
    fitted = config.fitted(data.shape)
    found = model.new_diffusion(fitted, data, {"autoencoder": "somewhere"})
    for _ in image_model.run(fitted, data, found.state):
        pass
    return found, data


def test_a_plane_is_learned_by_the_network_of_the_spiral(drawn):
    checkpoint, data = drawn
    assert checkpoint.config["network"]["name"] == "fourier" and data.shape == (2,)
    space = model.space_of(checkpoint, Checkpoint(TrainState(data.space.autoencoder, data.space.autoencoder, None), {}))
    z, x = model.sample(checkpoint, space, [3, 7], steps=4)
    assert z.shape == (2, 2) and x.shape == (2, 1, 8, 8)
    assert torch.equal(z[:1], model.sample(checkpoint, space, [3], steps=4)[0])


def test_a_checkpoint_says_what_autoencoder_its_latents_are_of(drawn, digits, tmp_path):
    checkpoint, data = drawn
    save_folder(checkpoint, tmp_path / "latent")
    loaded = load_folder(tmp_path / "latent")
    assert model.is_latent(loaded.config) and loaded.config["latent"]["scale"] == data.space.scale
    other = model.new_autoencoder(QUICK, digits)
    with pytest.raises(Problem) as caught:
        model.space_of(loaded, other)
    assert caught.value.code == "autoencoder_other"
    with pytest.raises(Problem) as caught:
        model.resume_diffusion(loaded, LatentConfig().fitted((2,)), model.latents(other, digits), {})
    assert caught.value.code == "autoencoder_other"


def test_a_model_of_another_kind_has_no_latent_space():
    with pytest.raises(Problem) as caught:
        model.space_of(model.open_checkpoint("digits"))
    assert caught.value.code == "checkpoint_no_latents"
    with pytest.raises(Problem) as caught:
        model.open_autoencoder("digits")
    assert caught.value.code == "autoencoder_other_model"
