"""Networks F(c_in x, c_noise, cond): what a ``Denoiser`` wraps. They see no sigma and no preconditioning."""

from functools import partial
from typing import Any

from torch import nn

from core.networks.dit import dit
from core.networks.mlp import NETWORKS, mlp
from core.networks.unet import unet

__all__ = ["NETWORKS", "SIZES", "make_network"]

MAKERS = {**{name: partial(mlp, name) for name in NETWORKS}, "unet": unet, "dit": dit}

# As plain JSON, to stand in a checkpoint's config. Small is the default: 28x28 on two cores in hours. Tiny is for 8x8,
# live: digits can be read after 15 seconds of one core. Large is for a GPU.
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "unet": {
        "tiny": {"width": 16, "multipliers": [1, 2], "blocks": 1},
        "small": {"width": 32, "multipliers": [1, 2, 4], "blocks": 1},
        "large": {"width": 96, "multipliers": [1, 2, 3], "blocks": 3, "attention": 2},
    },
    "dit": {
        "tiny": {"width": 64, "blocks": 4, "heads": 4, "patch": 2},
        "small": {"width": 128, "blocks": 6, "heads": 4, "patch": 2},
        "large": {"width": 384, "blocks": 12, "heads": 6, "patch": 2},
    },
}


def make_network(name: str, **sizes: Any) -> nn.Module:
    """The network of that name, with the sizes and the seed that ``mlp``, ``unet`` or ``dit`` take.

    "plain" and "fourier" are for points, "unet" and "dit" for images. Initial weights follow from ``seed`` alone.
    Raises ValueError for a name or a size that there is not, before anything is allocated.
    """
    if name not in MAKERS:
        raise ValueError(f"unknown network {name!r}; choose one of {', '.join(MAKERS)}")
    return MAKERS[name](**sizes)
