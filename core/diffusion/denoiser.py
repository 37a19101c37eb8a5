"""Denoiser = network + preconditioning + loss. States x are [B, ...], of any shape.

The five targets that a network may predict are five rows of one table (c_skip, c_out):

    x0_hat = c_skip x + c_out F(c_in x, c_noise),        target of F = (x0 - c_skip x) / c_out

(Karras et al. 2022, eq. 7). ``eps``: the noise (Ho et al. 2020); ``x0``: the data; ``v``: sqrt(alpha_bar) eps -
sqrt(1 - alpha_bar) x0 (Salimans & Ho 2022); ``flow``: the velocity eps - x0 (Lipman et al. 2023); ``edm``: Karras'.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from core.problems import Problem

Denoise = Callable[[Tensor, Tensor], Tensor]
Cond = Mapping[str, Tensor]

PREDICTIONS: dict[str, Callable[[Tensor, float], tuple[Tensor | float, Tensor | float]]] = {
    "eps": lambda sigma, sd: (1.0, -sigma),
    "x0": lambda sigma, sd: (0.0, torch.ones_like(sigma)),
    "v": lambda sigma, sd: (1 / (1 + sigma**2), -sigma / (1 + sigma**2).sqrt()),
    "flow": lambda sigma, sd: (1 / (1 + sigma), -sigma / (1 + sigma)),
    "edm": lambda sigma, sd: (sd**2 / (sigma**2 + sd**2), sigma * sd / (sigma**2 + sd**2).sqrt()),
}


def per_sample(value: Tensor, like: Tensor) -> Tensor:
    """[B] with as many trailing axes of length 1 as ``like`` [B, ...] has, to multiply it."""
    return value.view(-1, *[1] * (like.ndim - 1))


def none(condition: Tensor) -> float:
    """What stands for "no condition" in a tensor: NaN, or -1 in one of whole numbers (see ``networks.embeddings``)."""
    return math.nan if condition.is_floating_point() else -1


class Denoiser(nn.Module):
    """x0_hat = D(x, sigma, cond) from a network: after training, an estimate of the conditional mean E[x0 | x].

    Args:
        net: any module F(x, c_noise [B], cond) -> the shape of x, where c_noise = log(sigma) / 4 and cond is a mapping
            of tensors or None.
        prediction: what the network predicts, a row of ``PREDICTIONS``.
        sigma_data: RMS of the data.
        scale_input: the network gets c_in x, of unit variance at every noise level; without it, x itself, as plain
            networks do in the literature.

    Raises Problem for an unknown prediction and for a sigma_data that is not positive and finite.
    """

    def __init__(self, net: nn.Module, prediction: str = "edm", sigma_data: float = 0.5, scale_input: bool = True):
        super().__init__()
        if prediction not in PREDICTIONS:
            raise Problem("unknown_prediction", name=prediction, known=", ".join(PREDICTIONS))
        if not 0 < sigma_data < math.inf:
            raise Problem("sigma_data", value=sigma_data)
        self.net, self.prediction, self.sigma_data = net, prediction, float(sigma_data)
        self.scale_input = scale_input

    def forward(self, x: Tensor, sigma: Tensor, cond: Cond | None = None) -> Tensor:
        """x [B, ...] at noise levels sigma [B] to x0_hat [B, ...]."""
        s = per_sample(sigma, x)
        c_in = (s**2 + self.sigma_data**2).rsqrt() if self.scale_input else 1.0
        return self.estimate(self.net(c_in * x, sigma.log() / 4, cond), x, s)

    def estimate(self, answer: Tensor, x: Tensor, s: Tensor) -> Tensor:
        """x0_hat from the network's answer F to x at noise levels s, which have as many axes as x."""
        c_skip, c_out = PREDICTIONS[self.prediction](s, self.sigma_data)
        return c_skip * x + c_out * answer

    def weight(self, sigma: Tensor) -> Tensor:
        """The weight of |x0_hat - x0|^2 in the loss, [B]: 1 / c_out^2, which is unit weight on the network's target."""
        return torch.as_tensor(PREDICTIONS[self.prediction](sigma, self.sigma_data)[1]) ** -2

    def loss(self, x0: Tensor, sigma: Tensor, eps: Tensor, cond: Cond | None = None) -> Tensor:
        """Weighted squared error of each sample, [B], mean over its coordinates (Karras et al. 2022, eq. 8)."""
        return denoising_loss(lambda x, s: self(x, s, cond), x0, sigma, eps, self.weight(sigma))


def denoising_loss(denoise: Denoise, x0: Tensor, sigma: Tensor, eps: Tensor, weight: Tensor) -> Tensor:
    """weight |D(x0 + sigma eps, sigma) - x0|^2 per sample, [B], mean over coordinates.

    With the exact denoiser and the same weight this is the Bayes loss, the least that a network can have on these data.
    """
    x0_hat = denoise(x0 + per_sample(sigma, x0) * eps, sigma)
    return weight * (x0_hat - x0).square().flatten(1).mean(1)


def eps_hat(x: Tensor, x0_hat: Tensor, sigma: Tensor) -> Tensor:
    """The predicted noise of x, (x - x0_hat) / sigma: also dx/dsigma of the probability-flow ODE."""
    return (x - x0_hat) / per_sample(sigma, x)


def score(x: Tensor, x0_hat: Tensor, sigma: Tensor) -> Tensor:
    """The gradient of the log-density of noised data, (x0_hat - x) / sigma^2 (Tweedie's formula; Efron 2011)."""
    return (x0_hat - x) / per_sample(sigma, x) ** 2


def in_chunks(function: Callable[..., Tensor], size: int) -> Callable[..., Tensor]:
    """The same function, such as a denoiser, called with at most ``size`` rows at a time, which limits its memory.

    Its arguments are tensors [B, ...], conditions, or None; its results [B, ...] are joined. Chunks also save time: the
    memory of a call with 2,000 points is given page by page, and the call takes up to twice as long as two calls with
    1,000.
    """

    def rows(value: Tensor | Cond | None, chunk: slice) -> Tensor | Cond | None:
        if isinstance(value, Mapping):
            return {name: rows(part, chunk) for name, part in value.items()}
        return None if value is None else value[chunk]

    def chunked(x: Tensor, *more: Tensor | Cond | None) -> Tensor:
        chunks = [slice(start, start + size) for start in range(0, max(1, len(x)), size)]
        return torch.cat([function(*(rows(value, chunk) for value in (x, *more))) for chunk in chunks])

    return chunked
