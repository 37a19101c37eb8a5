"""Two small networks for points: the plain one of the literature, and one whose Fourier features learn fine detail."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from core import seeds
from core.networks.embeddings import LabelEmbedding, linear

Cond = Mapping[str, Tensor]
MAX_DIM, MAX_CLASSES = 4096, 4096


def stack(widths: list[int], activation: Callable[[], nn.Module], seed: int, zero_last: bool) -> nn.Sequential:
    """Linear layers of those widths with the activation between them."""
    layers: list[nn.Module] = []
    last = len(widths) - 2
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        layers += [linear(inputs, outputs, seeds.mix(seed, i), zero=zero_last and i == last)]
        layers += [activation()] if i < last else []
    return nn.Sequential(*layers)


class MLP(nn.Module):
    """F(x[B, dim], c_noise[B], cond) -> [B, dim] on [features of x | sin, cos of the noise level | label vector].

    With ``frequencies`` = 0 the features are x itself, as in the literature; a coordinate network of that kind learns
    low frequencies first (Rahaman et al. 2019). With m frequencies come sin(B x), cos(B x) for a fixed B ~ N(0, 2^2)
    of m rows (Tancik et al. 2020), and the last layer starts at zero.
    """

    def __init__(self, dim: int, classes: int, widths: tuple[int, ...], frequencies: int, seed: int):
        super().__init__()
        self.label = LabelEmbedding(classes, 8, seeds.mix(seed, 100)) if classes else None
        self.register_buffer("B", 2 * torch.randn(dim, frequencies, generator=seeds.generator(seed, 101)))
        inputs = dim + 2 * frequencies + 2 + 8 * bool(classes)
        activation = nn.SiLU if frequencies else nn.GELU
        self.layers = stack([inputs, *widths, dim], activation, seed, zero_last=frequencies > 0)

    def forward(self, x: Tensor, c_noise: Tensor, cond: Cond | None = None) -> Tensor:
        angle = 2 * c_noise[:, None]
        features = [x, angle.sin(), angle.cos()]
        if self.B.shape[1]:
            phase = x @ self.B
            features += [phase.sin(), phase.cos()]
        if self.label is not None:
            features += [self.label(None if cond is None else cond.get("label"), len(x))]
        return self.layers(torch.cat(features, dim=1))


NETWORKS: dict[str, dict] = {
    "plain": {"widths": (16, 128, 128, 128, 128, 16), "frequencies": 0},
    "fourier": {"widths": (128, 128, 128), "frequencies": 16},
}


def make_network(name: str, dim: int = 2, classes: int = 0, seed: int = 0) -> MLP:
    """The network of that name: "plain" or "fourier", for data of ``dim`` coordinates and ``classes`` labels.

    Initial weights follow from ``seed``. Raises ValueError for a name or a size that there is not.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; choose one of {', '.join(NETWORKS)}")
    # Sizes may come from a stranger's file: nothing is allocated before they are known to be sane.
    if not (isinstance(dim, int) and 1 <= dim <= MAX_DIM and isinstance(classes, int) and 0 <= classes <= MAX_CLASSES):
        raise ValueError(
            f"a network is for 1 to {MAX_DIM} coordinates and 0 to {MAX_CLASSES} classes, not for {dim} and {classes}"
        )
    return MLP(dim, classes, **NETWORKS[name], seed=seed)
