"""Three small networks for points: the plain one of the literature, one whose Fourier features learn fine detail, and
one that is also told where a step ends."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from core import seeds
from core.networks.embeddings import Cond, LabelEmbedding
from core.networks.layers import MAX_CLASSES, check, linear

MAX_DIM = 4096


def _layers(widths: list[int], activation: Callable[[], nn.Module], seed: int, zero_last: bool) -> nn.Sequential:
    """Linear layers of those widths with the activation between them."""
    layers: list[nn.Module] = []
    last = len(widths) - 2
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        layers += [linear(inputs, outputs, seeds.mix(seed, i), zero=zero_last and i == last)]
        layers += [activation()] if i < last else []
    return nn.Sequential(*layers)


class MLP(nn.Module):
    """F(x[B, ...], c_noise[B], cond) -> the same shape, from [features of x | sin, cos of the noise level | label].

    x has ``dim`` coordinates in any shape: a point, or a small image. With ``frequencies`` = 0 the features are x
    itself, as in the literature; a coordinate network of that kind learns low frequencies first (Rahaman et al. 2019).
    With m frequencies come sin(B x), cos(B x) for a fixed B ~ N(0, 2^2) of m rows (Tancik et al. 2020), and the last
    layer starts at zero.

    With ``ends`` the noise level is given as the time t = sigma / (1 + sigma) of rectified flow, together with the
    length t - r of a step that ends at the noise level ``cond["end"]`` [B]; without one, or where it is NaN, r = t.
    """

    def __init__(
        self, dim: int, classes: int, widths: tuple[int, ...], frequencies: int, seed: int, ends: bool = False
    ):
        super().__init__()
        self.label = LabelEmbedding(classes, 8) if classes else None
        if self.label is not None:
            self.label.draw(seeds.generator(seeds.mix(seed, 100)))
        self.register_buffer("B", 2 * torch.randn(dim, frequencies, generator=seeds.generator(seed, 101)))
        self.ends = ends
        inputs = dim + 2 * frequencies + 2 * (1 + ends) + 8 * bool(classes)
        activation = nn.SiLU if frequencies else nn.GELU
        self.layers = _layers([inputs, *widths, dim], activation, seed, zero_last=frequencies > 0)

    def forward(self, x: Tensor, c_noise: Tensor, cond: Cond | None = None) -> Tensor:
        point = x.flatten(1)
        angle = step_angles(c_noise, (cond or {}).get("end")) if self.ends else 2 * c_noise[:, None]
        features = [point, angle.sin(), angle.cos()]
        if self.B.shape[1]:
            phase = point @ self.B
            features += [phase.sin(), phase.cos()]
        if self.label is not None:
            features += [self.label(None if cond is None else cond.get("label"), len(x))]
        return self.layers(torch.cat(features, dim=1)).reshape(x.shape)


def step_angles(c_noise: Tensor, end: Tensor | None) -> Tensor:
    """pi t and pi (t - r), [B, 2], of a step from c_noise = log(sigma) / 4 [B] to the noise level ``end`` [B]."""
    t = (4 * c_noise).sigmoid()
    r = t if end is None else torch.where(end.isnan(), t, end / (1 + end))
    return math.pi * torch.stack((t, t - r), 1)


NETWORKS: dict[str, dict] = {
    "plain": {"widths": (16, 128, 128, 128, 128, 16), "frequencies": 0},
    "fourier": {"widths": (128, 128, 128), "frequencies": 16},
}
"""Networks for denoisers."""
STEP_NETWORKS: dict[str, dict] = {"steps": {**NETWORKS["fourier"], "ends": True}}
"""Networks for models of the mean velocity of a step (see ``diffusion.few_step``)."""


def mlp(name: str, dim: int = 2, classes: int = 0, seed: int = 0) -> MLP:
    """The network "plain", "fourier" or "steps", for data of ``dim`` coordinates and ``classes`` labels.

    Initial weights follow from ``seed``. Raises Problem for sizes that are not possible.
    """
    check("dim", dim, 1, MAX_DIM)
    check("classes", classes, 0, MAX_CLASSES)
    return MLP(dim, classes, **{**NETWORKS, **STEP_NETWORKS}[name], seed=seed)
