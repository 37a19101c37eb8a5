"""Autoencoders: shapes, the KL divergence against its definition, sizes that are refused."""

import pytest
import torch
from torch import distributions
from torch.distributions import Normal

from core.networks import make_network
from core.networks.autoencoder import draw_latent, kl_divergence, reconstruction_error
from core.problems import Problem

VECTOR = {"shape": [1, 8, 8], "latent": [2], "width": 16}
PICTURE = {"shape": [3, 16, 16], "latent": [4, 4, 4], "width": 16}
both = pytest.mark.parametrize("sizes", [VECTOR, PICTURE], ids=["vector", "picture"])


@both
def test_a_picture_is_encoded_to_a_latent_and_decoded_to_its_shape(sizes):
    model = make_network("autoencoder", **sizes)
    x = torch.randn(3, *sizes["shape"])
    mean, log_variance = model.encode(x)
    assert mean.shape == log_variance.shape == (3, *sizes["latent"])
    assert model.decode(mean).shape == x.shape
    assert torch.equal(model(x), model.decode(mean))


@both
def test_initial_weights_follow_from_the_seed(sizes):
    first, again, other = (make_network("autoencoder", **sizes, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_the_divergence_is_that_of_the_two_normal_distributions():
    mean, log_variance = torch.randn(5, 3, 4, dtype=torch.float64), torch.randn(5, 3, 4, dtype=torch.float64)
    exact = distributions.kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(torch.zeros(()).double(), 1.0))
    torch.testing.assert_close(kl_divergence(mean, log_variance), exact.sum((1, 2)))


def test_a_drawn_latent_has_the_mean_and_the_variance_that_were_encoded():
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -3.0]])
    noise = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    drawn = draw_latent(mean, log_variance, noise)
    torch.testing.assert_close(drawn.mean(0), mean[0], atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.var(0), log_variance[0].exp(), atol=0.01, rtol=0)


def test_the_error_is_half_the_squared_distance():
    x, y = torch.randn(4, 1, 8, 8, dtype=torch.float64), torch.randn(4, 1, 8, 8, dtype=torch.float64)
    expected = 0.5 * (x - y).flatten(1).norm(dim=1) ** 2
    torch.testing.assert_close(reconstruction_error(x, y), expected)


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        ({**VECTOR, "shape": [8, 8]}, "autoencoder_shape"),
        ({**VECTOR, "latent": 2}, "autoencoder_latent"),
        ({**VECTOR, "latent": [0]}, "network_size"),
        ({**PICTURE, "latent": [4, 2, 2]}, "autoencoder_latent"),
        ({**PICTURE, "shape": [3, 18, 16], "latent": [4, 4, 4]}, "network_side"),
        ({**VECTOR, "width": 0}, "network_size"),
    ],
)
def test_impossible_sizes_are_refused(sizes, code):
    with pytest.raises(Problem) as caught:
        make_network("autoencoder", **sizes)
    assert caught.value.code == code


def test_a_picture_of_another_side_is_refused_in_a_sentence():
    with pytest.raises(Problem) as caught:
        make_network("autoencoder", **VECTOR).encode(torch.zeros(1, 1, 16, 16))
    assert caught.value.code == "autoencoder_picture" and "1x16x16" in str(caught.value)
