"""unCLIP (Ramesh et al. 2022): words to pictures by way of CLIP's vectors.

    caption -> CLIP's text vector -> prior -> CLIP's image vector -> decoder -> picture

CLIP maps pictures to vectors and cannot draw. The decoder goes back, a diffusion model on pictures that is told the
vector; and since no caption's vector is that of a picture, a prior goes from one to the other, a diffusion model on
vectors that is told the caption. Both are plain denoisers: loss, loop, samplers and guidance are those of the spiral.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.captions import PADDING, Pairs, Tokenizer, caption_sampler
from core.data.images import unit
from core.diffusion import samplers
from core.diffusion.denoiser import Cond, in_chunks
from core.diffusion.guidance import cfg
from core.diffusion.samplers import Step
from core.models import clip_queries
from core.models import images as image_model
from core.models.clip import tokenizer_of
from core.models.images import ImageConfig
from core.networks import size_options
from core.networks.clip import Clip
from core.runs.checkpoints import Checkpoint, fresh

RMS = 1.0  # of the vectors that the prior makes


@dataclass(frozen=True)
class PriorConfig(ImageConfig):
    """How to train a prior; see ``ImageConfig``."""

    network: Literal["vectors"] = "vectors"
    size: Literal["small"] = "small"
    mean: float = -0.4
    batch: int = 256
    steps: int = 4_000


@dataclass(frozen=True)
class DecoderConfig(ImageConfig):
    """How to train a decoder; see ``ImageConfig``.

    Attributes:
        blur: standard deviation of the noise on the vector that it is told, whose numbers have RMS 1: a prior's vector
            is never quite that of a picture (Ho et al. 2022, conditioning augmentation).
    """

    network: Literal["unet", "dit"] = "unet"
    size: Literal["tiny", "small", "patched", "large"] = "patched"
    mean: float = -0.5
    std: float = 1.4
    batch: int = 64
    steps: int = 10_000
    lr: float = 1.5e-3
    blur: float = 0.4

    def __post_init__(self) -> None:
        """Raises ValueError for a value of another kind, and for a blur that no noise has."""
        super().__post_init__()
        if not 0 <= self.blur < math.inf:
            raise ValueError(f"no decoder can be trained with blur = {self.blur!r}")


@dataclass(frozen=True, eq=False)
class Unclip:
    """The four that work together. prior and decoder are asked as a ``Denoiser`` is, (x, sigma, cond); an exact one
    may take the place of either."""

    clip: Clip
    known: Tokenizer
    prior: Callable[..., Tensor]
    decoder: Callable[..., Tensor]
    sigma_data: float  # of the decoder
    channels: int = 3


def assemble(clip: Checkpoint, prior: Checkpoint, decoder: Checkpoint) -> Unclip:
    """The whole of its parts. Raises ValueError where one is something else, or was made for another CLIP."""
    if clip.config["network"]["name"] != "clip":
        raise ValueError("This is no checkpoint of a CLIP.")
    for name, part in (("prior", prior), ("decoder", decoder)):
        if name not in part.config:
            raise ValueError(f"This is no checkpoint of a {name}.")
        if part.config.get("clip") != fingerprint(clip.state.ema):
            raise ValueError(f"The {name} was trained with another CLIP: its vectors mean something else.")
    channels = clip.config["network"]["channels"]
    known = tokenizer_of(clip.config)
    return Unclip(clip.state.ema, known, prior.denoiser, decoder.denoiser, decoder.denoiser.sigma_data, channels)


def fingerprint(clip: nn.Module) -> str:
    """What a CLIP is told from others by: 16 digits that follow from its weights."""
    weights = hashlib.sha256()
    for name, value in sorted(clip.state_dict().items()):
        weights.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return weights.hexdigest()[:16]


# What is told


def scaled(vectors: Tensor) -> Tensor:
    """Vectors [N, size] brought to the length sqrt(size): numbers of RMS 1, which is what networks are made for."""
    return F.normalize(vectors, dim=1) * math.sqrt(vectors.shape[1])


@torch.no_grad()
def prior_condition(clip: Clip, tokens: Tensor) -> Cond:
    """What the prior is told of captions [N, T] of tokens: "embed", their scaled vectors [N, size], and "tokens", what
    each word means there. One without a word that is known is told as no caption at all."""
    vectors, meaning = clip.text(tokens)
    empty = (tokens == PADDING).all(1, keepdim=True)
    return {"embed": scaled(vectors).masked_fill(empty, math.nan), "tokens": meaning}


def caption_condition(unclip: Unclip, captions: Sequence[str]) -> Cond:
    """What the prior is told of captions; an empty one is unconditional."""
    return prior_condition(unclip.clip, unclip.known.encode(captions))


def image_vectors(unclip: Unclip, x: Tensor) -> Tensor:
    """The scaled vectors [N, size] of pictures [N, C, side, side] in [-1, 1]."""
    return scaled(clip_queries.image_vectors(unclip.clip, x))


# Sampling, one stage after the other


def sample_prior(
    unclip: Unclip, captions: Sequence[str], negative: str = "", scale: float = 1.0, steps: int = 20, seed: int = 0
) -> Iterator[Step]:
    """The prior: steps from noise to a scaled image vector [N, size] for each caption, led away from the negative one.

    Vector k of a seed is the same however many there are.
    """
    cond, away = caption_condition(unclip, captions), caption_condition(unclip, [negative]) if negative else None
    x = samplers.start((len(captions), unclip.clip.size), image_model.SIGMA_MAX, RMS, seed)
    return image_model.sampler_steps(cfg(unclip.prior, cond, away, scale), x, "dpmpp_2m", steps, seed)


def sample_decoder(
    unclip: Unclip,
    vectors: Tensor,
    negative: Tensor | None = None,
    scale: float = 1.0,
    sampler: str = "dpmpp_2m",
    steps: int = 20,
    seed: int = 0,
    alike: bool = False,
) -> Iterator[Step]:
    """The decoder: steps from noise to a picture [N, C, side, side] for each scaled vector [N, size], led away from
    the one that is negative [1, size]. A row of NaN asks for any picture at all. alike: all from the same noise."""
    x = starting_noise(unclip, len(vectors), seed, alike)
    away = None if negative is None else {"embed": negative}
    return image_model.sampler_steps(
        cfg(in_chunks(unclip.decoder, image_model.CHUNK), {"embed": vectors}, away, scale), x, sampler, steps, seed
    )


def starting_noise(unclip: Unclip, n: int, seed: int, alike: bool = False) -> Tensor:
    """What pictures begin as, [n, C, side, side]; alike: n times the first."""
    side = unclip.clip.side
    shape = (1 if alike else n, unclip.channels, side, side)
    return samplers.start(shape, image_model.SIGMA_MAX, unclip.sigma_data, seed).expand(n, -1, -1, -1)


def generate(
    unclip: Unclip,
    captions: Sequence[str],
    negative: str = "",
    scale: float = 4.0,
    prior_scale: float = 2.0,
    steps: int = 20,
    seed: int = 0,
    skip_prior: bool = False,
) -> Tensor:
    """A picture [N, C, side, side] for each caption. skip_prior: the decoder is told the caption's own vector instead,
    which is no picture's. Raises ValueError for a caption without a word that is known."""
    for caption in captions:
        if caption.strip() and not unclip.known.known(caption):
            raise ValueError(f"{caption!r} has no word that a caption of the training set had.")
    asked = [*captions, negative] if negative else list(captions)
    if skip_prior:
        vectors = caption_condition(unclip, asked)["embed"]
    else:
        vectors = scaled(samplers.last(sample_prior(unclip, asked, scale=prior_scale, steps=steps, seed=seed)))
    wanted, away = vectors[: len(captions)], vectors[len(captions) :]
    return samplers.last(sample_decoder(unclip, wanted, away if negative else None, scale, steps=steps, seed=seed))


def slerp(one: Tensor, other: Tensor, t: Tensor) -> Tensor:
    """Scaled vectors [len(t), size] on the arc from one [size] to the other, at parts t [T] of the way (spherical
    interpolation; Shoemake 1985)."""
    a, b = F.normalize(one, dim=0), F.normalize(other, dim=0)
    angle = torch.linalg.vecdot(a, b).clamp(-1, 1).acos()
    if angle.sin() < 1e-6:
        return scaled(torch.lerp(a, b, t[:, None]))
    ways = torch.stack([((1 - t) * angle).sin(), (t * angle).sin()], dim=1) / angle.sin()
    return scaled(ways @ torch.stack([a, b]))


# Training


@dataclass(frozen=True, eq=False)
class Examples:
    """What a diffusion model learns from: data [N, ...], and what it is told of some, (numbers [n], generator)."""

    x: Tensor
    told: Callable[[Tensor, torch.Generator], Cond]

    def sample(self, n: int, generator: torch.Generator, flip: bool | None = None) -> tuple[Tensor, Cond]:
        """n data, each of them any, and what is told of them."""
        chosen = torch.randint(len(self.x), (n,), generator=generator)
        return self.x[chosen], self.told(chosen, generator)


def prior_examples(clip: Checkpoint, pairs: Pairs) -> Examples:
    """The vectors of the pictures to train on, each told a caption drawn anew (see ``captions.caption_sampler``)."""
    own, towers = pairs.indices(held_out=False), clip.state.ema
    caption = caption_sampler(pairs, tokenizer_of(clip.config))
    vectors = scaled(clip_queries.image_vectors(towers, unit(pairs.images[own])))
    return Examples(vectors, lambda chosen, generator: prior_condition(towers, caption(own[chosen], generator)))


def decoder_examples(clip: Checkpoint, pairs: Pairs, blur: float = 0.0) -> Examples:
    """The pictures to train on, each told its own vector with noise of the standard deviation ``blur`` on it."""
    x = unit(pairs.images[pairs.indices(held_out=False)])
    vectors = scaled(clip_queries.image_vectors(clip.state.ema, x))

    def blurred(chosen: Tensor, generator: torch.Generator) -> Cond:
        return {"embed": vectors[chosen] + blur * torch.randn(len(chosen), vectors.shape[1], generator=generator)}

    return Examples(x, blurred)


def new_prior(
    plan: PriorConfig, clip: Checkpoint, pairs: Pairs, source: Mapping[str, Any] = MappingProxyType({})
) -> Checkpoint:
    """An untrained prior between the vectors of this CLIP. ``source``: what else the run was told."""
    size = clip.config["network"]["size"]
    network = {"name": "vectors", "dim": size, "vector": size, "token": clip.state.ema.text.word.rows.shape[1],
               "seed": plan.seed, "width": 128, "blocks": 4, "heads": 4}  # fmt: skip
    return _begin("prior", plan, network, RMS, clip, pairs, source)


def new_decoder(
    plan: DecoderConfig, clip: Checkpoint, pairs: Pairs, source: Mapping[str, Any] = MappingProxyType({})
) -> Checkpoint:
    """An untrained decoder of the vectors of this CLIP. Raises ValueError where its network does not come in the plan's
    size, or cannot draw so large."""
    config = clip.config["network"]
    network = {"name": plan.network, "side": config["side"], "channels": config["channels"], "vector": config["size"],
               "seed": plan.seed, **size_options(plan.network, plan.size)}  # fmt: skip
    rms = unit(pairs.images[pairs.indices(held_out=False)]).square().mean().sqrt().item()
    return _begin("decoder", plan, network, rms, clip, pairs, source)


def copy_weights(begun: Checkpoint, other: Checkpoint) -> int:
    """Begin with another model's weights wherever they have the same name and shape; how many numbers those are.

    Raises ValueError where they are not half of all: the other is a model of another kind.
    """
    given, own = other.denoiser.state_dict(), begun.denoiser.state_dict()
    same = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    taken, of = (sum(value.numel() for value in some.values()) for some in (same, own))
    if 2 * taken < of:
        raise ValueError(f"Of {of:,} weights only {taken:,} could be taken over: that model is of another kind.")
    for model in (begun.state.model, begun.state.ema):
        model.load_state_dict(model.state_dict() | same)
    return taken


def _begin(
    part: str,
    plan: ImageConfig,
    network: dict[str, Any],
    rms: float,
    clip: Checkpoint,
    pairs: Pairs,
    source: Mapping[str, Any],
) -> Checkpoint:
    config = clip.config["network"]
    if list(pairs.images.shape[1:]) != [config["channels"], config["side"], config["side"]]:
        raise ValueError(f"{pairs.name} has pictures of another size or colour than this CLIP was made for.")
    data = {"name": pairs.name, "n": len(pairs.indices(held_out=False)), "source": dict(source)}
    return fresh(
        {"network": network, "prediction": plan.prediction, "sigma_data": rms, part: asdict(plan), "data": data,
         "clip": fingerprint(clip.state.ema)}, plan.train,
    )  # fmt: skip
