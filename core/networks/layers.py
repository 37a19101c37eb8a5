"""What networks are built from: sizes checked before anything is allocated, seeded initial weights, norm, attention."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from core import seeds

MAX_WEIGHTS = 100_000_000
SMALL = 2**18  # numbers of an activation
LEAST_ROWS, LEAST_WEIGHTS = 256, 4096  # of a product that oneDNN is asked for
MAX_SIDE, MAX_CLASSES, MAX_VECTOR, MAX_WIDTH, MAX_BLOCKS = 1024, 4096, 4096, 4096, 32


def check(what: str, value: Any, low: int, high: int) -> None:
    """Raise ValueError unless ``value`` is a whole number from ``low`` to ``high``."""
    if not (isinstance(value, int) and low <= value <= high):
        raise ValueError(f"a network's {what} is a whole number from {low} to {high}, not {value!r:.40}")


def check_data(side: Any, channels: Any, classes: Any, vector: Any, factor: int) -> None:
    """Raise ValueError unless those are the sizes of images and conditions that there may be."""
    check("side", side, 1, MAX_SIDE)
    check("number of classes", classes, 0, MAX_CLASSES)
    check("vector size", vector, 0, MAX_VECTOR)
    if channels not in (1, 3):
        raise ValueError(f"images have 1 channel (grey) or 3 (colour), not {channels!r:.40}")
    check_side(side, factor)


def check_image(x: Tensor, channels: int, factor: int) -> None:
    """Raise ValueError unless x is [B, channels, H, W] with H and W divisible by ``factor``."""
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(f"this network is for images [B, {channels}, H, W], not for {list(x.shape)}")
    for side in x.shape[2:]:
        check_side(side, factor)


def check_side(side: int, factor: int) -> None:
    """Raise ValueError unless ``side`` is divisible by ``factor``."""
    if side % factor:
        raise ValueError(
            f"this network is for sides divisible by {factor}, not for {side}: "
            f"pad or resize the images to {-(-side // factor) * factor}"
        )


def build(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The network that ``make`` makes, with initial weights that follow from ``seed`` alone.

    Nothing is allocated before the weights are counted, nor then if torch's default device is "meta". The weights stay
    contiguous, whatever the images are: PyTorch's fused AdamW takes weight, gradient and moments as they lie in memory,
    and checkpoints keep moments contiguous.
    Raises ValueError for more than ``MAX_WEIGHTS``.
    """
    with torch.device("meta"):
        net = make()
    weights = sum(parameter.numel() for parameter in net.parameters())
    if weights > MAX_WEIGHTS:
        raise ValueError(f"this network has {weights:,} weights, more than {MAX_WEIGHTS:,}: take a smaller width")
    net.to_empty(device=torch.get_default_device())
    for place, layer in enumerate(net.modules()):
        initialise(layer, seeds.generator(seed, place))
    return net


def initialise(layer: nn.Module, generator: torch.Generator) -> None:
    """Fill the layer's own weights as PyTorch does, with zero if marked so, or as its own method ``draw`` does."""
    if isinstance(layer, nn.Linear | nn.Conv2d):
        spread(layer, generator, getattr(layer, "starts_at_zero", False))
    elif isinstance(layer, nn.GroupNorm | nn.LayerNorm):
        layer.reset_parameters()
    elif hasattr(layer, "draw"):
        layer.draw(generator)


@torch.no_grad()
def spread(layer: nn.Linear | nn.Conv2d, generator: torch.Generator, zero: bool = False) -> None:
    """PyTorch's usual uniform weights and biases, within 1 / sqrt(inputs); all zero with ``zero``."""
    bound = 0.0 if zero else layer.weight[0].numel() ** -0.5
    for values in (layer.weight, layer.bias):
        if values is not None:
            values.uniform_(-bound, bound, generator=generator)


class Linear(nn.Linear):
    """PyTorch's, but a product of many rows in single precision is asked of oneDNN, which on some processors takes half
    the time of the library that PyTorch asks, and on others as long."""

    def forward(self, x: Tensor) -> Tensor:
        if _pays(x, self.weight):
            return F.linear(x.to_mkldnn(), self.weight, self.bias).to_dense()
        return super().forward(x)


def _pays(x: Tensor, weight: Tensor) -> bool:
    """Whether a product [n, inputs] [inputs, outputs] is large enough for the way to oneDNN's layout and back."""
    return (
        x.dim() == 2
        and len(x) >= LEAST_ROWS
        and weight.numel() >= LEAST_WEIGHTS
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
    )


def linear(inputs: int, outputs: int, seed: int, zero: bool = False) -> Linear:
    """A linear layer with PyTorch's usual initial weights, drawn from ``seed``; all zero with ``zero``."""
    layer = nn.utils.skip_init(Linear, inputs, outputs)
    spread(layer, seeds.generator(seed), zero)
    return layer


def zero(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """Mark a layer to start at zero, so that what it ends adds nothing at first."""
    layer.starts_at_zero = True
    return layer


class GroupNorm(nn.GroupNorm):
    """PyTorch's (Wu & He 2018), computed in single precision where the network is not: in bfloat16 it takes a processor
    ten times as long."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float() if x.dtype == torch.bfloat16 else x)


def group_norm(channels: int, affine: bool = True) -> GroupNorm:
    """Groups of 8 channels or more: with smaller ones, PyTorch's channels-last kernel is slow on a CPU."""
    return GroupNorm(min(32, channels // 8), channels, affine=affine)


def recompute(make: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """make(x), but what it makes on the way is not kept for the backward pass: it is made again (Chen et al. 2016).

    Up to ``SMALL`` numbers it is kept: there the bookkeeping would cost more than the computation.
    """
    if x.numel() <= SMALL or not torch.is_grad_enabled():
        return make(x)
    return checkpoint(make, x, use_reentrant=False, preserve_rng_state=False)


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017) of h [B, N, width] to itself and to ``memory`` [B, T, width], if any.

    mask: which of the N + T are there, a boolean that broadcasts to [B, heads, N, N + T].
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        # A bias of the keys would shift all scores of a query alike, and so do nothing.
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        seen = h if memory is None else torch.cat([h, memory], dim=1)
        projected = self.query(h), self.key(seen), self.value(seen)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in projected)
        return self.out(attend(q, k, v, mask).transpose(1, 2).flatten(2))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(q k^T / sqrt(size)) v, of [B, heads, N, size] (Vaswani et al. 2017, eq. 1). On a processor in single
    precision: its backward pass takes three to twenty times as long in bfloat16."""
    if q.dtype != torch.bfloat16 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, mask)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), mask)


def to_tokens(image: Tensor) -> Tensor:
    """[B, C, H, W] to [B, H W, C]; no copy where channels are last in memory."""
    return image.flatten(2).transpose(1, 2)


def to_image(tokens: Tensor, like: Tensor) -> Tensor:
    """[B, H W, C] back to [B, C, H, W], with H and W of ``like``."""
    return tokens.transpose(1, 2).unflatten(2, like.shape[2:])
