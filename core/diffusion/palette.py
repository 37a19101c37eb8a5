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

    In a clip, the noisy pixels of the other frames are used as well. Frame s counts for frame t with the weight a_ts,
    the probability that the pixel has the same colour in both (see ``shared``; a_tt = 1):

        p_k ~ exp(logit_k) prod_s (N(x_s; colour_k, sigma^2 I) / K)^a_ts,    p_none ~ exp(logit_none sum_s a_ts).

    So the other frames correct the errors of one. The logit of "none" stands for a likelihood here: a constant that is
    added to all logits of a clip changes the estimate.

    Args:
        net: as of ``Denoiser``; it answers with channels + K + 1 channels: F, the logit of "none", and those of the
            colours. For a clip it may answer with one more channel: the log odds of the same colour in two frames,
            before the pixels are compared. This channel gets no gradient.
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
            more = int(x.ndim == 5 and answer.shape[-1] > channels + 1 + number)
            plain, logits, same = answer.split([channels, 1 + number, more], -1)
            evidence = self._evidence(x, s**2 + TOLERANCE**2, logits[..., :1], same.detach())
            p = (logits + evidence).softmax(-1)
            table = F.pad(self.palette, (0, 1, 1, 0))
            table[0, -1] = 1  # so that one product gives the sum over the colours, and p_none
            known, none = (p @ table).split([channels, 1], -1)
        return (known + none * super().estimate(plain, x, s)).movedim(-1, -3)

    def _evidence(self, x: Tensor, variance: Tensor, none: Tensor, same: Tensor) -> Tensor:
        """What noisy pixels add to the logits, [..., 1 + K], up to what is added to all: 0 for "none", and log
        N(x; colour, variance I) / K for each colour. In a clip, where ``same`` is not empty, it is the sum over frames;
        and the logit of "none", which stands for a likelihood, is counted as often.

        It is one product of matrices, because a batch has millions of these values.
        """
        number, channels = self.palette.shape
        common = x.square().sum(-1, keepdim=True) / (2 * variance)
        common = common + channels / 2 * (2 * math.pi * variance).log() + math.log(number)
        lengths = self.palette.square().sum(1, keepdim=True) / 2
        known = torch.cat([x / variance, (1 / variance).expand_as(common), common], -1)
        if same.shape[-1]:
            weights = shared(x, variance, self.sigma_data, same)
            others = weights.sum(-1, keepdim=True).movedim(-2, 1) - 1
            known = (weights @ known.movedim(1, -2)).movedim(-2, 1) + F.pad(others * none, (channels + 1, 0))
        table = F.pad(torch.cat([self.palette, -lengths, torch.zeros_like(lengths)], 1), (0, 0, 1, 0))
        table[0, -1] = 1  # what all colours have in common is subtracted from them, that is, added to "none"
        return known @ table.T


def shared(x: Tensor, variance: Tensor, sigma_data: float, prior: Tensor) -> Tensor:
    """How likely each pixel has the same colour in frames t and s, a_ts in [B, H, W, T, T]; a_tt = 1.

    The difference d of two noisy pixels has the density N(0, 2 variance I) if their colours are the same, and about
    N(0, 2 (variance + sigma_data^2) I) if they are independent. The logarithm of the quotient is added to the log odds.

    Args:
        x: a clip, [B, T, H, W, C].
        variance: that of the noise, of as many axes.
        prior: the log odds in frame t, before the pixels are compared, [B, T, H, W, 1].
    """
    x, variance, prior = (each.movedim(1, -2) for each in (x, variance, prior))  # [B, H, W, T, ...]
    wide = variance + sigma_data**2
    squares = (x[..., :, None, :] - x[..., None, :, :]).square().sum(-1)
    odds = prior + x.shape[-1] / 2 * (wide / variance).log() - squares / 4 * (1 / variance - 1 / wide)
    itself = torch.eye(x.shape[-2], dtype=torch.bool, device=x.device)
    return odds.sigmoid().masked_fill(itself, 1)
