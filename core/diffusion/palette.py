"""A denoiser of pictures whose pixels have one of few colours, such as pixel art."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.diffusion.denoiser import Denoiser

TOLERANCE = 0.02  # a colour is found where a pixel without noise is so near to it


class PaletteDenoiser(Denoiser):
    """A denoiser that knows the colours of its data: x0_hat is the mean of the posterior over each pixel's colours.

    The network says how likely each of K colours is from what it knows of the picture, and how likely none of them is.
    Bayes' rule adds what the pixel x itself says at the noise level sigma:

        p_k ~ exp(logit_k) N(x; colour_k, sigma^2 I) / K,    p_none ~ exp(logit_none),
        x0_hat = sum_k p_k colour_k + p_none (c_skip x + c_out F).

    A network that predicts F alone leaves an error of its own in every pixel; here a pixel whose colour is known has
    none. Dieleman et al. 2022, "Continuous diffusion for categorical data", estimate discrete values in the same way,
    by the mean of what they may be ("score interpolation").

    Args:
        net: as of ``Denoiser``; it answers with channels + K + 1 channels: F, the logit of "none", and those of the
            colours.
        palette: the colours, [K, channels].
        prediction, sigma_data, scale_input: as of ``Denoiser``.
    """

    def __init__(
        self, net: nn.Module, palette: Tensor, prediction: str = "edm", sigma_data: float = 0.5,
        scale_input: bool = True,
    ):  # fmt: skip
        super().__init__(net, prediction, sigma_data, scale_input)
        self.register_buffer("palette", palette, persistent=False)

    def estimate(self, answer: Tensor, x: Tensor, s: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # a likelihood needs all digits
            answer, x, s = (part.to(x.dtype).movedim(-3, -1) for part in (answer, x, s))
            number, channels = self.palette.shape
            plain, logits = answer.split([channels, 1 + number], -1)
            p = (logits + self._likelihood(x, s**2 + TOLERANCE**2)).softmax(-1)
            table = F.pad(self.palette, (0, 1, 1, 0))
            table[0, -1] = 1  # so that one product gives the sum over the colours, and p_none
            known, none = (p @ table).split([channels, 1], -1)
        return (known + none * super().estimate(plain, x, s)).movedim(-1, -3)

    def _likelihood(self, x: Tensor, variance: Tensor) -> Tensor:
        """log N(x; colour, variance I) / K of each colour after 0 for "none", [..., 1 + K], up to what is added to all.

        It is one product of matrices, because a batch has millions of these values.
        """
        number, channels = self.palette.shape
        common = x.square().sum(-1, keepdim=True) / (2 * variance)
        common = common + channels / 2 * (2 * math.pi * variance).log() + math.log(number)
        lengths = self.palette.square().sum(1, keepdim=True) / 2
        table = F.pad(torch.cat([self.palette, -lengths, torch.zeros_like(lengths)], 1), (0, 0, 1, 0))
        table[0, -1] = 1  # what all colours have in common is subtracted from them, that is, added to "none"
        return torch.cat([x / variance, (1 / variance).expand_as(common), common], -1) @ table.T
