"""Networks F(c_in x, c_noise, cond), which a ``Denoiser`` wraps. They get neither sigma nor unscaled states.

Others are of another kind: "clip", the pair of encoders that compares images and captions, "attributes" and
"classifier", which read those of an image, and "autoencoder", which gives a few numbers for an image and makes it
again.
"""

from functools import partial
from typing import Any

from torch import nn

from core.networks.attributes import attribute_reader
from core.networks.autoencoder import autoencoder
from core.networks.classifier import classifier
from core.networks.clip import clip
from core.networks.dit import dit
from core.networks.mlp import NETWORKS, STEP_NETWORKS, mlp
from core.networks.prior import vectors
from core.networks.text import caption_reader
from core.networks.unet import unet
from core.networks.video import video_unet
from core.problems import Problem

__all__ = ["NETWORKS", "SIZES", "make_network", "size_options"]

MAKERS = {**{name: partial(mlp, name) for name in (*NETWORKS, *STEP_NETWORKS)}, "unet": unet, "dit": dit}
OTHERS = {"vectors": vectors, "clip": clip, "attributes": attribute_reader, "autoencoder": autoencoder,
          "classifier": classifier, "captions": caption_reader, "video": video_unet}  # fmt: skip

# Plain JSON, because it is stored in a checkpoint's config. "small" is the default: 28x28 on two cores in hours. "tiny"
# is for 8x8, trained live: digits are legible after 15 seconds of one core. "tiny_patched" is for 16x16 in colour,
# trained live. "light" is for 16x16 in colour: as many weights as "small" at a third of its time. "latent" is for
# latents of 4x4. "patched" is for 32x32 in colour, on a core as well. "large" is for a GPU.
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "unet": {
        "tiny": {"width": 16, "multipliers": [1, 2], "blocks": 1},
        "tiny_patched": {"width": 32, "multipliers": [1, 2], "blocks": 1, "patch": 2},
        "small": {"width": 32, "multipliers": [1, 2, 4], "blocks": 1},
        "light": {"width": 32, "multipliers": [1, 2, 4], "blocks": 1, "patch": 2},
        "latent": {"width": 64, "multipliers": [1, 2, 4], "blocks": 1},
        "patched": {"width": 64, "multipliers": [1, 2, 4], "blocks": 1, "patch": 2},
        "large": {"width": 96, "multipliers": [1, 2, 3], "blocks": 3, "attention": 2},
    },
    "dit": {
        "tiny": {"width": 64, "blocks": 4, "heads": 4, "patch": 2},
        "small": {"width": 128, "blocks": 6, "heads": 4, "patch": 2},
        "large": {"width": 384, "blocks": 12, "heads": 6, "patch": 2},
    },
}


def size_options(network: str, size: str) -> dict[str, Any]:
    """The options of a network of that size; networks for points have only "small". Raises Problem for another size."""
    sizes = SIZES.get(network, {"small": {}})
    if size not in sizes:
        raise Problem("unknown_network_size", network=network, size=size, known=", ".join(sizes))
    return sizes[size]


def make_network(name: str, **sizes: Any) -> nn.Module:
    """The network of that name, with the sizes and the seed that its maker takes: ``mlp``, ``unet``, ``dit`` and so on.

    "plain", "fourier" and "steps" are for points, "unet" and "dit" for images, "vectors" for the vectors of "clip",
    "attributes" reads those of images. Initial weights follow from ``seed`` alone. Raises Problem for an unknown name
    or an impossible size, before anything is allocated.
    """
    makers = {**MAKERS, **OTHERS}
    if name not in makers:
        raise Problem("unknown_network", name=name, known=", ".join(makers))
    return makers[name](**sizes)
