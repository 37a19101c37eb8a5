"""unCLIP (Ramesh et al. 2022): from captions to images by way of CLIP's vectors.

    caption -> CLIP's text vector -> prior -> CLIP's image vector -> decoder -> image

CLIP maps images to vectors and cannot draw. The decoder is a diffusion model of images, conditioned on CLIP's vector of
an image. A caption's vector differs from every image's, so the prior, a diffusion model of vectors conditioned on the
caption, leads from one to the other. Both are denoisers: loss, training loop, samplers and guidance are those of all
models here.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
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
from core.diffusion.training import TrainConfig
from core.models import clip_queries
from core.models import images as image_model
from core.models.clip import check_images, tokenizer_of
from core.models.images import ImageConfig
from core.networks import size_options
from core.networks.clip import Clip
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint

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
        blur: standard deviation of the noise on the vectors that it is conditioned on, whose numbers have RMS 1: a
            prior's vector is never exactly that of an image (conditioning augmentation; Ho et al. 2022).
    """

    network: Literal["unet", "dit"] = "unet"
    size: Literal["tiny", "small", "patched", "large"] = "patched"
    mean: float = -0.5
    std: float = 1.4
    batch: int = 64
    steps: int = 10_000
    lr: float = 1.5e-3
    blur: float = 0.4

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop. Raises Problem for values that no run can have."""
        if not 0 <= self.blur < math.inf:
            raise Problem("train_setting", name="blur", value=repr(self.blur))
        return super().train


@dataclass(frozen=True, eq=False)
class Unclip:
    """The parts of unCLIP, all on one device.

    Attributes:
        clip: the encoders.
        known: the vocabulary of the text encoder.
        prior, decoder: called as a ``Denoiser``, (x, sigma, cond); an exact denoiser may take the place of either.
        sigma_data: of the decoder.
        channels: of an image.
    """

    clip: Clip
    known: Tokenizer
    prior: Callable[..., Tensor]
    decoder: Callable[..., Tensor]
    sigma_data: float
    channels: int = 3

    @property
    def device(self) -> torch.device:
        """The device of all parts."""
        return image_model.device_of(self.clip)


def assemble(clip: Checkpoint, prior: Checkpoint, decoder: Checkpoint, device: torch.device | str = "cpu") -> Unclip:
    """unCLIP from the checkpoints of its parts, moved to a device.

    Raises Problem if one of them is something else, or was trained with another CLIP.
    """
    if clip.config["network"]["name"] != "clip":
        raise Problem("checkpoint_no_part", part="clip")
    for name, part in (("prior", prior), ("decoder", decoder)):
        if name not in part.config:
            raise Problem("checkpoint_no_part", part=name)
        if part.config.get("clip") != fingerprint(clip.state.ema):
            raise Problem("unclip_other_clip", part=name)
    for part in (clip, prior, decoder):
        part.state.ema.to(device)
    channels = clip.config["network"]["channels"]
    tokenizer = tokenizer_of(clip.config)
    return Unclip(clip.state.ema, tokenizer, prior.denoiser, decoder.denoiser, decoder.denoiser.sigma_data, channels)


def fingerprint(clip: nn.Module) -> str:
    """16 hexadecimal digits that follow from the weights of a CLIP, to tell it from others.

    Words that were added later do not count: what was trained on the vectors of the CLIP is valid with and without.
    """
    weights, added = hashlib.sha256(), getattr(clip, "added", 0)
    for name, value in sorted(clip.state_dict().items()):
        value = value[: len(value) - added] if name == "text.word.rows" else value
        weights.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return weights.hexdigest()[:16]


# Conditions


def scaled(vectors: Tensor) -> Tensor:
    """Vectors [N, size] scaled to the length sqrt(size), so that their numbers have RMS 1, as networks expect."""
    return F.normalize(vectors, dim=1) * math.sqrt(vectors.shape[1])


@torch.no_grad()
def prior_condition(clip: Clip, tokens: Tensor) -> Cond:
    """The prior's condition for captions [N, T] of tokens, on the encoders' device.

    "embed" holds their scaled vectors [N, size], "tokens" the text encoder's output for each word, as far as the
    longest caption goes. A caption without a known word is no condition at all.
    """
    longest = max(1, int((tokens != PADDING).sum(1).max()))
    tokens = tokens[:, :longest].to(image_model.device_of(clip))
    vectors, outputs = clip.text(tokens)
    empty = (tokens == PADDING).all(1, keepdim=True)
    return {"embed": scaled(vectors).masked_fill(empty, math.nan), "tokens": outputs}


def caption_condition(unclip: Unclip, captions: Sequence[str]) -> Cond:
    """The prior's condition for captions; an empty caption is unconditional."""
    return prior_condition(unclip.clip, unclip.known.encode(captions))


def image_vectors(unclip: Unclip, x: Tensor) -> Tensor:
    """The scaled vectors [N, size] of images [N, C, side, side] in [-1, 1]."""
    return scaled(clip_queries.image_vectors(unclip.clip, x))


# Sampling, one stage after the other. All results are on the device of the parts.


def sample_prior(
    unclip: Unclip, captions: Sequence[str], negative: str = "", scale: float = 1.0, steps: int = 20, seed: int = 0
) -> Iterator[Step]:
    """The prior's steps from noise to a scaled image vector [N, size] for each caption, guided away from the caption
    ``negative`` (empty: from no caption).

    Vector k of a seed is the same for any number of captions.
    """
    cond, away = caption_condition(unclip, captions), caption_condition(unclip, [negative]) if negative else None
    x = samplers.start((len(captions), unclip.clip.size), image_model.SIGMA_MAX, RMS, seed).to(unclip.device)
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
    """The decoder's steps from noise to an image [N, C, side, side] for each scaled vector [N, size].

    negative: a vector [1, size] to guide away from. A row of NaN is no condition. alike: start all from equal noise.
    """
    x = starting_noise(unclip, len(vectors), seed, alike)
    cond, away = ({"embed": some.to(unclip.device)} if some is not None else None for some in (vectors, negative))
    denoise = cfg(in_chunks(unclip.decoder, image_model.CHUNK), cond, away, scale)
    return image_model.sampler_steps(denoise, x, sampler, steps, seed)


def starting_noise(unclip: Unclip, n: int, seed: int, alike: bool = False) -> Tensor:
    """The noise that images start from, [n, C, side, side]; alike: n times the first."""
    side = unclip.clip.side
    shape = (1 if alike else n, unclip.channels, side, side)
    noise = samplers.start(shape, image_model.SIGMA_MAX, unclip.sigma_data, seed)
    return noise.to(unclip.device).expand(n, -1, -1, -1)


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
    """An image [N, C, side, side] for each caption.

    negative: a caption that the prior is guided away from: what the image shows is decided there. skip_prior: condition
    the decoder on the caption's own vector, which differs from every image's, and guide it away from that of
    ``negative``. Raises Problem for a caption without a known word.
    """
    for caption in (*captions, negative):
        if caption.strip() and not unclip.known.known(caption):
            raise Problem("caption_unknown_words", caption=caption)
    if skip_prior:
        vectors = caption_condition(unclip, captions)["embed"]
        away = caption_condition(unclip, [negative])["embed"] if negative else None
    else:
        steps_of_prior = sample_prior(unclip, captions, negative, prior_scale, steps, seed)
        vectors, away = scaled(samplers.last(steps_of_prior)), None
    return samplers.last(sample_decoder(unclip, vectors, away, scale, steps=steps, seed=seed))


def slerp(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Scaled vectors [T, size] on the arc from ``start`` [size] to ``end``, at fractions t [T] of the angle.

    Spherical linear interpolation (Shoemake 1985).
    """
    a, b = F.normalize(start, dim=0), F.normalize(end, dim=0)
    angle = torch.linalg.vecdot(a, b).clamp(-1, 1).acos()
    if angle.sin() < 1e-6:
        return scaled(torch.lerp(a, b, t[:, None]))
    weights = torch.stack([((1 - t) * angle).sin(), (t * angle).sin()], dim=1) / angle.sin()
    return scaled(weights @ torch.stack([a, b]))


# Training


@dataclass(frozen=True, eq=False)
class Examples:
    """What a part of unCLIP learns from.

    Attributes:
        x: the data, [N, ...]; images may be uint8, and are brought to [-1, 1] when they are drawn.
        condition: the condition of some of them, from their indices [n] and a generator.
    """

    x: Tensor
    condition: Callable[[Tensor, torch.Generator], Cond]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one of the data."""
        return tuple(self.x.shape[1:])

    def sample(self, n: int, generator: torch.Generator, flip: bool | None = None) -> tuple[Tensor, Cond]:
        """n data drawn with replacement, and their condition. ``flip`` is ignored."""
        chosen = torch.randint(len(self.x), (n,), generator=generator)
        x = self.x[chosen]
        return unit(x) if x.dtype == torch.uint8 else x, self.condition(chosen, generator)


def prior_examples(clip: Checkpoint, pairs: Pairs) -> Examples:
    """The vectors of the images to train on, each with a caption drawn anew (see ``captions.caption_sampler``).

    The encoders compute on the device that they are on; the examples are on the CPU.
    """
    part, encoders = pairs.indices(held_out=False), clip.state.ema
    caption = caption_sampler(pairs, tokenizer_of(clip.config))
    vectors = scaled(clip_queries.image_vectors(encoders, unit(pairs.images[part]))).cpu()

    def condition(chosen: Tensor, generator: torch.Generator) -> Cond:
        cond = prior_condition(encoders, caption(part[chosen], generator))
        return {name: value.cpu() for name, value in cond.items()}

    return Examples(vectors, condition)


def decoder_examples(clip: Checkpoint, pairs: Pairs, blur: float = 0.0) -> Examples:
    """The images to train on, each with its own vector plus noise of the standard deviation ``blur``."""
    images = pairs.images[pairs.indices(held_out=False)]
    vectors = scaled(clip_queries.image_vectors(clip.state.ema, unit(images))).cpu()

    def condition(chosen: Tensor, generator: torch.Generator) -> Cond:
        return {"embed": vectors[chosen] + blur * torch.randn(len(chosen), vectors.shape[1], generator=generator)}

    return Examples(images, condition)


def config_of(stored: dict[str, Any], part: str) -> PriorConfig | DecoderConfig:
    """The configuration of the "prior" or the "decoder" in a checkpoint's config. Raises Problem if there is none."""
    kind = {"prior": PriorConfig, "decoder": DecoderConfig}[part]
    try:
        return kind(**{field.name: stored[part][field.name] for field in fields(kind)})
    except (LookupError, TypeError) as error:
        raise Problem("checkpoint_no_part", part=part) from error


def new_prior(
    config: PriorConfig, clip: Checkpoint, pairs: Pairs, source: Mapping[str, Any] = MappingProxyType({})
) -> Checkpoint:
    """An untrained prior for the vectors of this CLIP. source: what the pairs were loaded from.

    Raises Problem for a checkpoint that is no CLIP, and for one of images of another shape.
    """
    check_images(clip, pairs.images.shape[1:], pairs.name)
    size = clip.config["network"]["size"]
    network = {"name": "vectors", "dim": size, "vector": size, "token": clip.state.ema.text.word.rows.shape[1],
               "seed": config.seed, "width": 128, "blocks": 4, "heads": 4}  # fmt: skip
    return _new("prior", config, network, RMS, clip, pairs, source)


def new_decoder(
    config: DecoderConfig, clip: Checkpoint, pairs: Pairs, source: Mapping[str, Any] = MappingProxyType({})
) -> Checkpoint:
    """An untrained decoder of the vectors of this CLIP. Raises Problem as `new_prior` does, and if its network does not
    come in that size or cannot make images of that side."""
    check_images(clip, pairs.images.shape[1:], pairs.name)
    encoders = clip.config["network"]
    network = {"name": config.network, "side": encoders["side"], "channels": encoders["channels"],
               "vector": encoders["size"], "seed": config.seed,
               **size_options(config.network, config.size)}  # fmt: skip
    rms = unit(pairs.images[pairs.indices(held_out=False)]).square().mean().sqrt().item()
    return _new("decoder", config, network, rms, clip, pairs, source)


def copy_weights(checkpoint: Checkpoint, other: Checkpoint) -> int:
    """Start from another model's weights where name and shape are equal; the number of weights copied.

    Raises Problem if they are less than half of all: the other model is of another kind.
    """
    given, weights = other.denoiser.state_dict(), checkpoint.denoiser.state_dict()
    same = {name: value for name, value in given.items() if name in weights and weights[name].shape == value.shape}
    copied, total = (sum(value.numel() for value in some.values()) for some in (same, weights))
    if 2 * copied < total:
        raise Problem("start_other_kind", total=total, copied=copied)
    for model in (checkpoint.state.model, checkpoint.state.ema):
        model.load_state_dict(model.state_dict() | same)
    return copied


@torch.no_grad()
def fit_condition(checkpoint: Checkpoint, other: Checkpoint, clip: nn.Module, x: Tensor, attributes: Tensor) -> None:
    """Begin a decoder with another model's embedding of attributes, as far as it follows from the vectors of images.

    The decoder's linear map of vectors becomes that of the least squared error from this embedding, for the vectors of
    images x [N, C, side, side] with attributes [N, A] and with the noise ``blur`` on them: ridge regression.
    """
    vectors, target = scaled(clip_queries.image_vectors(clip, x)), other.denoiser.net.conditioning.attributes
    target = target(attributes, len(x))
    means, noise = (vectors.mean(0), target.mean(0)), config_of(checkpoint.config, "decoder").blur ** 2
    scatter = (vectors - means[0]).T @ (vectors - means[0]) / len(x) + noise * torch.eye(vectors.shape[1])
    weight = torch.linalg.solve(scatter, (vectors - means[0]).T @ (target - means[1]) / len(x))
    for model in (checkpoint.state.model, checkpoint.state.ema):
        linear = model.net.conditioning.vector.linear
        linear.weight.copy_(weight.T)
        linear.bias.copy_(means[1] - means[0] @ weight)


def _new(
    part: str,
    config: ImageConfig,
    network: dict[str, Any],
    rms: float,
    clip: Checkpoint,
    pairs: Pairs,
    source: Mapping[str, Any],
) -> Checkpoint:
    data = {"name": pairs.name, "n": len(pairs.indices(held_out=False)), "source": dict(source)}
    stored = {"network": network, "prediction": config.prediction, "sigma_data": rms, part: asdict(config),
              "data": data, "clip": fingerprint(clip.state.ema)}  # fmt: skip
    return checkpoints.new_checkpoint(stored, config.train)
