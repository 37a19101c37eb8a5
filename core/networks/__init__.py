"""Networks F(c_in x, c_noise, cond): what a ``Denoiser`` wraps. They see no sigma and no preconditioning.

One is none of these: the pair of towers "clip", which compares pictures and words and draws nothing.
"""

from functools import partial
from typing import Any

from torch import nn

from core.networks.clip import clip
from core.networks.dit import dit
from core.networks.mlp import NETWORKS, mlp
from core.networks.prior import vectors
from core.networks.unet import unet

__all__ = ["NETWORKS", "SIZES", "make_network", "sized"]

MAKERS = {**{name: partial(mlp, name) for name in NETWORKS}, "unet": unet, "dit": dit}
FOR_CAPTIONS = {"vectors": vectors, "clip": clip}

# As plain JSON, to stand in a checkpoint's config. Small is the default: 28x28 on two cores in hours. Tiny is for 8x8,
# live: digits can be read after 15 seconds of one core. Patched is for 32x32 in colour, on a core as well. Large is for
# a GPU.
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "unet": {
        "tiny": {"width": 16, "multipliers": [1, 2], "blocks": 1},
        "small": {"width": 32, "multipliers": [1, 2, 4], "blocks": 1},
        "patched": {"width": 64, "multipliers": [1, 2, 4], "blocks": 1, "patch": 2},
        "large": {"width": 96, "multipliers": [1, 2, 3], "blocks": 3, "attention": 2},
    },
    "dit": {
        "tiny": {"width": 64, "blocks": 4, "heads": 4, "patch": 2},
        "small": {"width": 128, "blocks": 6, "heads": 4, "patch": 2},
        "large": {"width": 384, "blocks": 12, "heads": 6, "patch": 2},
    },
}


def sized(network: str, size: str) -> dict[str, Any]:
    """The options of a network of that size; one for points has no sizes but "small". Raises ValueError for another."""
    sizes = SIZES.get(network, {"small": {}})
    if size not in sizes:
        raise ValueError(f"The network {network!r} comes in {' and '.join(sizes)}, not in {size!r}.")
    return sizes[size]


def make_network(name: str, **sizes: Any) -> nn.Module:
    """The network of that name, with the sizes and the seed that its maker takes: ``mlp``, ``unet``, ``dit`` and so on.

    "plain" and "fourier" are for points, "unet" and "dit" for images, "vectors" for the vectors of "clip". Initial
    weights follow from ``seed`` alone. Raises ValueError for a name or a size that there is not, before anything is
    allocated.
    """
    makers = {**MAKERS, **FOR_CAPTIONS}
    if name not in makers:
        raise ValueError(f"unknown network {name!r}; choose one of {', '.join(makers)}")
    return makers[name](**sizes)
