"""Autoencoders: an encoder that gives a few numbers for a picture, its latent, and a decoder that makes the picture of
a latent.

The encoder gives the mean and the log-variance of a normal distribution of latents, as a variational autoencoder has
them (Kingma & Welling 2014, "Auto-Encoding Variational Bayes", section 3). Small pictures become a vector through
linear layers; larger ones become a smaller picture through convolutions, as in latent diffusion (Rombach et al. 2022).
"""

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.networks.layers import (
    MAX_CHANNELS,
    MAX_SIDE,
    MAX_WIDTH,
    GroupNormSiLU,
    allocate,
    check,
    check_data,
    check_input,
    group_norm,
)
from core.problems import Problem

DOWN = 4  # a side of a latent picture is a quarter of the picture's
MOST_LOG_VARIANCE = 20.0  # in absolute value, so that no variance overflows


class Autoencoder(nn.Module):
    """Pictures [B, C, H, W] to their reconstructions of the same shape.

    Attributes:
        shape: of a picture, (C, H, W).
        latent: the shape of a latent.
    """

    def __init__(self, shape: Sequence[int], latent: Sequence[int]):
        super().__init__()
        self.shape, self.latent = tuple(shape), tuple(latent)
        self.encoder: nn.Module
        self.decoder: nn.Module

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the log-variance of the latents of pictures [B, C, H, W], [B, *latent] each.

        Raises Problem for pictures of another shape than the autoencoder was made for.
        """
        if tuple(x.shape[1:]) != self.shape:
            given, expected = ("x".join(map(str, sides)) for sides in (x.shape[1:], self.shape))
            raise Problem("autoencoder_picture", given=given, expected=expected)
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean.reshape(-1, *self.latent), log_variance.reshape(-1, *self.latent).clamp(
            -MOST_LOG_VARIANCE, MOST_LOG_VARIANCE
        )

    def decode(self, z: Tensor) -> Tensor:
        """The pictures [B, C, H, W] of latents [B, *latent]."""
        check_input(z, self.latent)
        return self.decoder(z).reshape(-1, *self.shape)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0])


class VectorAutoencoder(Autoencoder):
    """Pictures to vectors of ``dim`` numbers: three linear layers each way, for pictures of a few pixels."""

    def __init__(self, shape: Sequence[int], dim: int, width: int, seed: int = 0):
        super().__init__(shape, (dim,))
        pixels = prod(shape)
        with torch.device("meta"):
            self.encoder = nn.Sequential(nn.Flatten(), *_layers(pixels, width, 2 * dim))
            self.decoder = nn.Sequential(*_layers(dim, width, pixels))
        allocate(self, seed)


def _layers(inputs: int, width: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)]


class Block(nn.Module):
    """A residual block of two convolutions without a condition (He et al. 2016)."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm1, self.conv1 = group_norm(channels, kind=GroupNormSiLU), nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2, self.conv2 = group_norm(channels, kind=GroupNormSiLU), nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.norm2(self.conv1(self.norm1(x))))


class PictureAutoencoder(Autoencoder):
    """Pictures to pictures of a quarter of each side with a few ``channels``, by convolutions.

    Squares of 2x2 pixels are the channels of one place; one more halving of the sides follows, with twice the
    ``width``.
    """

    def __init__(self, shape: Sequence[int], channels: int, width: int, seed: int = 0):
        super().__init__(shape, (channels, *(side // DOWN for side in shape[1:])))
        inputs, wide = 4 * shape[0], 2 * width
        with torch.device("meta"):
            self.encoder = nn.Sequential(
                nn.PixelUnshuffle(2), nn.Conv2d(inputs, width, 3, padding=1), Block(width),
                nn.Conv2d(width, wide, 3, stride=2, padding=1), Block(wide),
                group_norm(wide, kind=GroupNormSiLU), nn.Conv2d(wide, 2 * channels, 1),
            )  # fmt: skip
            self.decoder = nn.Sequential(
                nn.Conv2d(channels, wide, 3, padding=1), Block(wide), Block(wide),
                nn.Upsample(scale_factor=2), nn.Conv2d(wide, width, 3, padding=1), Block(width), Block(width),
                group_norm(width, kind=GroupNormSiLU), nn.Conv2d(width, inputs, 3, padding=1), nn.PixelShuffle(2),
            )  # fmt: skip
        allocate(self, seed)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().encode(x.contiguous(memory_format=torch.channels_last))


def autoencoder(
    shape: Sequence[int], latent: Sequence[int], width: int = 64, seed: int = 0
) -> VectorAutoencoder | PictureAutoencoder:
    """An autoencoder of pictures of a ``shape`` (channels, height, width) with latents of the shape ``latent``: one
    number of numbers for a vector, or channels, height / 4 and width / 4.

    Initial weights follow from ``seed``. Raises Problem for sizes that are not possible, before anything is allocated.
    """
    if not (isinstance(shape, list | tuple) and len(shape) == 3):
        raise Problem("autoencoder_shape", shape=f"{shape!r:.40}")
    channels, *sides = shape
    check("width", width, 1, MAX_WIDTH)
    if not isinstance(latent, list | tuple) or len(latent) not in (1, 3):
        raise Problem("autoencoder_latent", latent=f"{latent!r:.40}")
    check("latent", latent[0], 1, MAX_CHANNELS)
    check_data(sides, channels, 0, 0, 1 if len(latent) == 1 else DOWN)
    for side in sides:
        check("side", side, 1, MAX_SIDE)
    if len(latent) == 1:
        return VectorAutoencoder(shape, latent[0], width, seed)
    if list(latent[1:]) != [side // DOWN for side in sides]:
        raise Problem("autoencoder_latent", latent=f"{latent!r:.40}")
    return PictureAutoencoder(shape, latent[0], width, seed)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The Kullback-Leibler divergence in nats of N(mean, exp(log_variance)) from N(0, I), of each row, [B].

    Kingma & Welling 2014, appendix B: half the sum of mean^2 + variance - 1 - log variance.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)


def draw_latent(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """mean + standard deviation * noise: the reparametrisation of Kingma & Welling 2014, section 2.4."""
    return mean + (0.5 * log_variance).exp() * noise


def reconstruction_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Half the squared difference of pictures, summed over their values, [B]: a Gaussian negative log-likelihood
    of unit variance without its constant."""
    return 0.5 * F.mse_loss(reconstruction, x, reduction="none").flatten(1).sum(1)
