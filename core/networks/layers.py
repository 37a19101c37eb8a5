"""Building blocks of networks: checks of sizes, seeded initial weights, linear layer, norm, attention."""

from collections.abc import Sequence
from math import gcd
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from core import seeds
from core.problems import Problem

MAX_WEIGHTS = 100_000_000
FUSE_FROM = 2**17  # numbers of an activation
ONEDNN_ROWS, ONEDNN_WEIGHTS = 256, 4096  # smallest product that oneDNN is used for
MAX_SIDE, MAX_CHANNELS, MAX_CLASSES, MAX_VECTOR, MAX_WIDTH, MAX_BLOCKS = 1024, 4096, 4096, 4096, 4096, 32
MAX_ATTRIBUTES = 256


def check(name: str, value: Any, low: int, high: int) -> None:
    """Raise Problem unless the size ``name`` of a network is a whole number from ``low`` to ``high``."""
    if not (isinstance(value, int) and not isinstance(value, bool) and low <= value <= high):
        raise Problem("network_size", name=name, low=low, high=high, value=f"{value!r:.40}")


def check_data(side: Any, channels: Any, classes: Any, vector: Any, factor: int) -> None:
    """Raise Problem unless a network can have images and conditions of these sizes.

    side: one number for squares, or height and width, both divisible by ``factor``.
    """
    for length in side if isinstance(side, list | tuple) and len(side) == 2 else [side]:
        check("side", length, 1, MAX_SIDE)
        check_side(length, factor)
    check("channels", channels, 1, MAX_CHANNELS)
    check("classes", classes, 0, MAX_CLASSES)
    check("vector", vector, 0, MAX_VECTOR)


def check_attributes(sizes: Any) -> None:
    """Raise Problem unless a network can be conditioned on attributes with so many values each."""
    if not isinstance(sizes, list | tuple):
        raise Problem("network_attributes", value=f"{sizes!r:.40}")
    check("attributes", len(sizes), 0, MAX_ATTRIBUTES)
    for size in sizes:
        check("attributes", size, 1, MAX_CLASSES)


def check_input(x: Tensor, shape: Sequence[int | None]) -> None:
    """Raise Problem unless x is [B, *shape], where None stands for any length."""
    if x.ndim != len(shape) + 1 or any(n not in (None, m) for n, m in zip(shape, x.shape[1:])):
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise Problem("network_input", expected=f"[B, {expected}]", given=str(list(x.shape)))


def check_side(side: int, factor: int) -> None:
    """Raise Problem unless ``side`` is divisible by ``factor``."""
    if side % factor:
        raise Problem("network_side", factor=factor, side=side, padded=-(-side // factor) * factor)


def allocate(net: nn.Module, seed: int) -> None:
    """Give a network that was made on the device "meta" memory on torch's default device, and initial weights that
    follow from ``seed`` alone.

    Constructors of networks make their layers under ``torch.device("meta")`` and end with this: so nothing is allocated
    before the weights are counted, PyTorch's global generator is not drawn from, and the network is ready to use. The
    weights are contiguous, whatever the images are: PyTorch's fused AdamW takes weight, gradient and moments as they
    lie in memory, and checkpoints keep moments contiguous. Raises Problem for more than ``MAX_WEIGHTS``.
    """
    weights = sum(parameter.numel() for parameter in net.parameters())
    if weights > MAX_WEIGHTS:
        raise Problem("network_too_large", weights=weights, most=MAX_WEIGHTS)
    net.to_empty(device=torch.get_default_device())
    for place, layer in enumerate(net.modules()):
        initialise(layer, seeds.generator(seed, place))


def initialise(layer: nn.Module, generator: torch.Generator) -> None:
    """Draw the layer's own weights as PyTorch does, as zeros if marked so, or by its own method ``draw``."""
    if isinstance(layer, nn.Linear | nn.Conv2d):
        init_uniform(layer, generator, getattr(layer, "starts_at_zero", False))
    elif isinstance(layer, nn.GroupNorm | nn.LayerNorm):
        layer.reset_parameters()
    elif hasattr(layer, "draw"):
        layer.draw(generator)


@torch.no_grad()
def init_uniform(layer: nn.Linear | nn.Conv2d, generator: torch.Generator, zero: bool = False) -> None:
    """PyTorch's usual uniform weights and biases, within 1 / sqrt(inputs); all zero with ``zero``."""
    bound = 0.0 if zero else layer.weight[0].numel() ** -0.5
    for values in (layer.weight, layer.bias):
        if values is not None:
            values.uniform_(-bound, bound, generator=generator)


class Linear(nn.Linear):
    """``nn.Linear``, but large products in single precision are computed by oneDNN: on some processors that takes half
    the time of PyTorch's default library, and on others the same time."""

    def forward(self, x: Tensor) -> Tensor:
        if _use_onednn(x, self.weight):
            return F.linear(x.to_mkldnn(), self.weight, self.bias).to_dense()
        return super().forward(x)


def _use_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether a product [n, inputs] [inputs, outputs] is large enough to pay for the conversion to oneDNN's layout."""
    return (
        x.dim() == 2
        and len(x) >= ONEDNN_ROWS
        and weight.numel() >= ONEDNN_WEIGHTS
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
    )


def linear(inputs: int, outputs: int, seed: int, zero: bool = False) -> Linear:
    """A linear layer with PyTorch's usual initial weights, drawn from ``seed``; all zero with ``zero``."""
    layer = nn.utils.skip_init(Linear, inputs, outputs)
    init_uniform(layer, seeds.generator(seed), zero)
    return layer


def zero(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """Mark a layer to start at zero, so that the branch that it ends adds nothing at first."""
    layer.starts_at_zero = True
    return layer


class GroupNorm(nn.GroupNorm):
    """``nn.GroupNorm`` (Wu & He 2018), always computed in single precision: in bfloat16 it takes a CPU ten times as
    long."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float() if x.dtype == torch.bfloat16 else x)


class GroupNormSiLU(GroupNorm):
    """silu(gain norm(x) + bias) of x [B, C, H, W]: group norm with the activation that follows it.

    gain and bias [B, C], if given, take the place of the layer's own (Dhariwal & Nichol 2021, "adaptive group norm").
    On a CPU ``NormSiLU`` computes it for large x; for small ones its many small steps would cost more than they save.
    """

    def forward(self, x: Tensor, gain: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        if x.device.type == "cpu" and x.numel() >= FUSE_FROM:
            x = x.float() if x.dtype == torch.bfloat16 else x
            gain, bias = (self.weight, self.bias) if gain is None else (gain, bias)
            return NormSiLU.apply(x, gain.to(x.dtype), bias.to(x.dtype), self.num_groups, self.eps)
        h = super().forward(x)
        return F.silu(h if gain is None else torch.addcmul(_at_places(bias), h, _at_places(gain)))


class NormSiLU(torch.autograd.Function):
    """The function of ``GroupNormSiLU``, with formulas of its own for the backward pass.

    Normalization, gain and bias are one affine map of each channel of each image, z = a x + b. So there are half as
    many passes over memory as in separate functions, and nothing is kept for the backward pass but x.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        y = x * x
        mean, square = _group_means(x.mean((2, 3)), groups), _group_means(y.mean((2, 3)), groups)
        rstd = (square - mean * mean).clamp_(min=0).add_(eps).rsqrt_()
        a = rstd * gain
        b = bias - mean * a
        ctx.groups = groups
        ctx.save_for_backward(x, gain, bias, mean, rstd, a, b)
        return F.silu(torch.addcmul(_at_places(b), x, _at_places(a), out=y), inplace=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, bias, mean, rstd, a, b = ctx.saved_tensors
        z = torch.addcmul(_at_places(b), x, _at_places(a))
        slope = torch.ops.aten.silu_backward.grad_input(slope, z, grad_input=z)
        to_x, to_bias = slope * x, slope.sum((2, 3))
        to_gain = rstd * (to_x.sum((2, 3)) - mean * to_bias)
        # The slope of x is a slope + p x + q, where p x + q is what x does to the variance and the mean of its group.
        places = x.shape[2] * x.shape[3]
        p = rstd * rstd * _group_means(gain * to_gain, ctx.groups) / -places
        q = rstd * _group_means(gain * to_bias, ctx.groups) / -places - p * mean
        torch.addcmul(_at_places(q), x, _at_places(p), out=to_x).addcmul_(slope, _at_places(a))
        return to_x, to_gain.sum_to_size(gain.shape), to_bias.sum_to_size(bias.shape), None, None


def _at_places(values: Tensor) -> Tensor:
    """[B, C], one value for each channel of an image, to [B, C, 1, 1]."""
    return values[..., None, None]


def _group_means(values: Tensor, groups: int) -> Tensor:
    """[B, C] to the mean of each group of channels, for each of its channels: [B, C]."""
    size = values.shape[1] // groups
    return values.unflatten(1, (groups, size)).mean(2).repeat_interleave(size, dim=1)


def group_norm(channels: int, affine: bool = True, kind: type[GroupNorm] = GroupNorm) -> GroupNorm:
    """As many groups as divide the channels, at most 32 and of at least 8 channels each: with smaller groups, PyTorch's
    channels-last kernel is slow on a CPU."""
    groups = next(n for n in range(max(1, min(32, channels // 8)), 0, -1) if channels % n == 0)
    return kind(groups, channels, affine=affine)


def attention_heads(channels: int) -> int:
    """The number of heads for so many channels: up to 4, of at least 8 channels each where that is possible."""
    return gcd(channels // 8, channels, 4)


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017) of h [B, N, width] to itself and to ``memory`` [B, T, width], if
    given.

    mask: which of the N + T tokens may be attended to, a boolean that broadcasts to [B, heads, N, N + T].
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        # A bias of the keys would shift all scores of a query by the same number, which softmax ignores.
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        return self.to(h, h if memory is None else torch.cat([h, memory], dim=1), mask)

    def to(self, h: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention of h [B, N, width] to ``context`` [B, M, width] alone; mask broadcasts to [B, heads, N, M]."""
        projected = self.query(h), self.key(context), self.value(context)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in projected)
        return self.out(attend(q, k, v, mask).transpose(1, 2).flatten(2))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(q k^T / sqrt(size)) v, of [B, heads, N, size] (Vaswani et al. 2017, eq. 1). On a CPU in single
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
