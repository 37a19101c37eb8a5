"""Latent diffusion: an autoencoder, and a diffusion model of its latents (Rombach et al. 2022, "High-Resolution Image
Synthesis with Latent Diffusion Models").

The autoencoder is trained first. Latents are centred and brought to a root mean square of 1, as there; then they are a
set of samples like any other, which ``core.models.images`` trains the same ``Denoiser`` on.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from core import seeds
from core.data.images import ImageSet, unit
from core.diffusion.denoiser import PREDICTIONS, Cond, in_chunks
from core.diffusion.training import TrainConfig, TrainState, as_dict, train
from core.models import images as image_model
from core.models.images import MAX_BATCH, ImageConfig, TrainingSet, check_type
from core.models.model import open_checkpoint
from core.models.sources import load
from core.networks import NETWORKS, SIZES
from core.networks.autoencoder import DOWN, Autoencoder, draw_latent, kl_divergence, reconstruction_error
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint
from core.runs.distributed import ALONE, Team

CHUNK = 256  # pictures in one call of an autoencoder
VECTOR_SIDE = 8  # pictures up to this side become a vector, larger ones a smaller picture
MEASURED = 4096  # pictures whose latents decide centre and scale, where a set has no end
_PLACE = 0x1A7E  # keeps the draws of latents and of pictures apart from all others


# The autoencoder


@dataclass(frozen=True)
class AutoencoderConfig:
    """How to train an autoencoder; together with its data, all that decides a run. ``fitted`` gives values to what is
    None, which depend on the size of the pictures.

    Attributes:
        latent: how many numbers stand for a picture of at most 8 pixels a side; of a larger one, how many channels its
            latent has, whose sides are a quarter of the picture's.
        width: of the network: units of a linear layer, or channels of the first convolutions.
        kl: weight of the Kullback-Leibler divergence in nats, beside half the squared error of all values of a picture;
            0: an autoencoder whose latents have no noise.
        batch, steps, lr, warmup, clip, ema, seed: as in ``core.models.images.ImageConfig``.
    """

    latent: int | None = None
    width: int | None = None
    kl: float | None = None
    batch: int | None = None
    steps: int | None = None
    lr: float | None = None
    warmup: int = 100
    clip: float = 10.0
    ema: float = 0.995
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises Problem for a value of another type."""
        for field in fields(self):
            check_type(field.name, getattr(self, field.name), field.type)

    def fitted(self, shape: tuple[int, ...]) -> "AutoencoderConfig":
        """The configuration for pictures (C, H, W) with a value for everything. Raises Problem as ``latent_shape``
        does, and for a weight of the divergence that no run can have."""
        if self.kl is not None and not 0 <= self.kl < math.inf:
            raise Problem("kl_weight", value=repr(self.kl))
        default = VECTORS if len(latent_shape(shape, 1)) == 1 else PICTURES
        return replace(self, **{name: value for name, value in default.items() if getattr(self, name) is None})

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop of a ``fitted`` configuration. Raises Problem for values that no run can
        have."""
        if not 2 <= self.batch <= MAX_BATCH:
            raise Problem("train_setting", name="batch", value=repr(self.batch))
        if self.steps < 1:
            raise Problem("train_setting", name="steps", value=repr(self.steps))
        return TrainConfig(
            steps=self.steps, lr=self.lr, warmup=self.warmup, ema=self.ema, clip=self.clip, betas=(0.9, 0.99),
            decay="cosine", backup_every=max(1, self.steps // 20),
        )  # fmt: skip


VECTORS = {"latent": 2, "width": 256, "kl": 0.1, "batch": 256, "steps": 3_000, "lr": 3e-3}
PICTURES = {"latent": 8, "width": 48, "kl": 0.01, "batch": 64, "steps": 4_000, "lr": 2e-3}
"""What a configuration has where it says nothing, for pictures that become a vector and for larger ones."""


def latent_shape(shape: tuple[int, ...], latent: int) -> tuple[int, ...]:
    """The shape of the latents of pictures (C, H, W). Raises Problem for samples that are no pictures, and for sides
    that an autoencoder cannot have."""
    if len(shape) != 3:
        raise Problem("autoencoder_shape", shape="x".join(map(str, shape)))
    sides = shape[1:]
    if max(sides) <= VECTOR_SIDE:
        return (latent,)
    if any(side % DOWN for side in sides):
        raise Problem("autoencoder_side", sides="x".join(map(str, sides)), factor=DOWN)
    return (latent, *(side // DOWN for side in sides))


def new_autoencoder(
    config: AutoencoderConfig, data: TrainingSet, source: Mapping[str, Any] = MappingProxyType({})
) -> Checkpoint:
    """An untrained autoencoder; source: what the data were loaded from. Raises Problem as ``latent_shape`` does."""
    config = config.fitted(data.shape)
    stored = describe(config, data)
    stored["data"]["source"] = dict(source)
    return checkpoints.new_checkpoint(stored, config.train)


def describe(config: AutoencoderConfig, data: TrainingSet) -> dict[str, Any]:
    """A checkpoint's config: network, ``fitted`` configuration and data."""
    latent = latent_shape(data.shape, config.latent)
    network = {"name": "autoencoder", "shape": list(data.shape), "latent": list(latent), "width": config.width,
               "seed": config.seed}  # fmt: skip
    described = {"name": data.name, "n": len(data), "shape": list(data.shape)}
    return {"network": network, "autoencoder": asdict(config), "data": described}


def resume_autoencoder(
    checkpoint: Checkpoint, config: AutoencoderConfig, data: TrainingSet, source: Mapping[str, Any]
) -> Checkpoint:
    """The checkpoint with another configuration, to be trained further. Raises Problem where it needs another network
    or its data are others."""
    config = config.fitted(data.shape)
    stored, expected = checkpoint.config, describe(config, data)
    config_of(stored)
    if stored["network"] != expected["network"]:
        raise Problem("resume_other_network")
    if any(stored["data"].get(name) != expected["data"][name] for name in ("name", "n")):
        raise Problem("resume_other_data", name=data.name)
    kept = {**stored["data"], "source": {**stored["data"].get("source", {}), **source}}
    train_config = as_dict(config.train)
    return Checkpoint(checkpoint.state, {**stored, **expected, "train": train_config, "data": kept})


def config_of(stored: Mapping[str, Any]) -> AutoencoderConfig:
    """The configuration in a checkpoint's config. Raises Problem if it is not one of an autoencoder."""
    try:
        return AutoencoderConfig(**stored["autoencoder"])
    except (LookupError, TypeError) as error:
        raise Problem("checkpoint_no_autoencoder") from error


def run_autoencoder(
    config: AutoencoderConfig, data: TrainingSet, state: TrainState, team: Team = ALONE
) -> Iterator[TrainState]:
    """Train ``state`` to the last step of the configuration; yields after each step. Raises as ``images.run`` does."""
    config = config.fitted(data.shape)
    train_config = config.train
    if config.batch % team.world:
        raise Problem("batch_shares", batch=config.batch, world=team.world, parts=1, multiple=team.world)
    image_model.check_batch(config.batch, data.shape)
    precision = torch.autocast(team.device.type, torch.bfloat16) if team.bf16 else nullcontext()

    def share(rows: Tensor) -> Tensor:
        return rows[team.rank :: team.world].to(team.device, non_blocking=True)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        x, _ = data.sample(config.batch, seeds.generator(config.seed, step, 0), False)
        noise = seeds.gaussian((len(x), *latent_shape(data.shape, config.latent)), config.seed, step, 2)
        return share(x), share(noise)

    def loss_fn(model: Autoencoder, drawn: tuple[Tensor, Tensor]) -> Tensor:
        with precision:
            return autoencoder_loss(model, *drawn, kl=config.kl)

    return train(loss_fn, batch, train_config, state, team.average_)


def autoencoder_loss(model: Autoencoder, x: Tensor, noise: Tensor, kl: float) -> Tensor:
    """Reconstruction error + kl * KL divergence of each picture, [B] (Kingma & Welling 2014, eq. 10; with another
    weight than 1, Higgins et al. 2017, "beta-VAE", eq. 4). x: pictures [B, C, H, W]; noise [B, *latent] ~ N(0, I)."""
    mean, log_variance = (part.float() for part in model.encode(x))
    if not kl:
        return reconstruction_error(x, model.decode(mean).float())
    z = draw_latent(mean, log_variance, noise)
    return reconstruction_error(x, model.decode(z).float()) + kl * kl_divergence(mean, log_variance)


# Its latents as data


@dataclass(frozen=True, eq=False)
class LatentSpace:
    """Pictures to latents of mean 0 and root mean square 1, and back.

    Attributes:
        autoencoder: that encodes and decodes.
        centre: the mean latent, of each number of a vector or each channel of a picture.
        scale: the root mean square of centred latents.
    """

    autoencoder: Autoencoder
    centre: tuple[float, ...]
    scale: float

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a latent."""
        return self.autoencoder.latent

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The latents [B, *shape] of pictures [B, C, H, W] in [-1, 1]: the encoder's means."""
        mean = in_chunks(lambda part: self.autoencoder.encode(part)[0], CHUNK)(x)
        return (mean - self._centre(mean)) / self.scale

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """The pictures [B, C, H, W] of latents [B, *shape]."""
        return in_chunks(self.autoencoder.decode, CHUNK)(z * self.scale + self._centre(z))

    def _centre(self, like: Tensor) -> Tensor:
        return like.new_tensor(self.centre).view(-1, *[1] * (like.ndim - 2))


@torch.no_grad()
def measure(autoencoder: Autoencoder, x: Tensor) -> LatentSpace:
    """The latent space in which the latents of pictures [B, C, H, W] have mean 0 and root mean square 1."""
    z = LatentSpace(autoencoder, (0.0,) * autoencoder.latent[0], 1.0).encode(x)
    centre = z.transpose(0, 1).flatten(1).mean(1)
    centred = z - centre.view(-1, *[1] * (z.ndim - 2))
    return LatentSpace(autoencoder, tuple(centre.tolist()), max(centred.square().mean().sqrt().item(), 1e-6))


def pictures_of(data: TrainingSet) -> Tensor:
    """The pictures of a set, or ``MEASURED`` of one without end, float32 [N, C, H, W]."""
    if isinstance(data, ImageSet):
        return unit(data.images)
    return data.sample(MEASURED, seeds.generator(0, _PLACE), False)[0]


@dataclass(frozen=True, eq=False)
class LatentSet:
    """The latents of a set of pictures to train a diffusion model on (``core.models.images.TrainingSet``)."""

    pictures: TrainingSet
    space: LatentSpace
    rms: float = 1.0

    @property
    def name(self) -> str:
        """The name of the set of pictures."""
        return self.pictures.name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a latent."""
        return self.space.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the pictures."""
        return self.pictures.classes

    @property
    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """The attributes of the pictures and the values of each."""
        return getattr(self.pictures, "attributes", {})

    def __len__(self) -> int:
        return len(self.pictures)

    def sample(self, n: int, generator: torch.Generator, flip: bool | None = None) -> tuple[Tensor, Any]:
        """n random latents and their labels or other condition. ``flip`` is ignored."""
        x, cond = self.pictures.sample(n, generator, False)
        return self.space.encode(x), cond


# Diffusion on latents


VECTOR_DIFFUSION = ImageConfig(
    network="fourier", batch=512, steps=6_000, lr=6e-3, warmup=50, ema=0.995, mean=-1.0, std=1.2
)
PICTURE_DIFFUSION = ImageConfig(network="unet", size="latent", batch=64, steps=13_500, lr=1.5e-3, mean=-0.4, std=1.4)
"""The diffusion models of latents that are vectors, by the network of the spiral (``core.models.points``), and of those
that are small pictures, by the U-Net of people with squares of one place each."""


@dataclass(frozen=True)
class LatentConfig:
    """How to train a diffusion model of latents: an ``ImageConfig`` where what is None depends on the latents."""

    network: Literal[None, *SIZES, *NETWORKS] = None
    size: str | None = None
    prediction: Literal[*PREDICTIONS] = "edm"
    mean: float | None = None
    std: float | None = None
    batch: int | None = None
    steps: int | None = None
    lr: float | None = None
    label_dropout: float = 0.1
    seed: int = 0

    def fitted(self, shape: tuple[int, ...]) -> ImageConfig:
        """The configuration for latents of a shape. Raises Problem for a value of another type."""
        default = VECTOR_DIFFUSION if len(shape) == 1 else PICTURE_DIFFUSION
        return replace(default, **{name: value for name, value in asdict(self).items() if value is not None})


def latent_config_of(stored: Mapping[str, Any]) -> LatentConfig:
    """The configuration in a checkpoint's config. Raises Problem if it is not one of a model of latents."""
    if not is_latent(stored):
        raise Problem("checkpoint_no_latents")
    config = image_model.config_of(stored)
    return LatentConfig(**{field.name: getattr(config, field.name) for field in fields(LatentConfig)})


def open_autoencoder(name: Path) -> Checkpoint:
    """The autoencoder in a folder, in the folder of a run, or the shipped one of that name. Raises Problem if there is
    none, or a model of another kind."""
    found = open_checkpoint(Path(name))
    if not isinstance(found.state.ema, Autoencoder):
        raise Problem("autoencoder_other_model", name=str(name))
    return found


def digest_of(autoencoder: nn.Module) -> str:
    """A text that is equal for equal weights only."""
    content = hashlib.sha256()
    for name, tensor in sorted(autoencoder.state_dict().items()):
        content.update(name.encode())
        content.update(tensor.detach().cpu().half().contiguous().numpy().tobytes())
    return content.hexdigest()[:16]


def data_of(autoencoder: Checkpoint) -> TrainingSet:
    """The pictures that an autoencoder was trained on, loaded again. Raises Problem if they cannot be, or have another
    shape than it was made for."""
    described = autoencoder.config["data"]
    source = described.get("source", {})
    data = load(source.get("data") or described["name"], source.get("side"), n=source.get("n"))
    check_data(autoencoder, data)
    return data


def check_data(autoencoder: Checkpoint, data: TrainingSet) -> None:
    """Raise Problem unless an autoencoder was made for pictures of the shape that a set has."""
    shapes = tuple(autoencoder.config["network"]["shape"]), tuple(data.shape)
    if shapes[0] != shapes[1]:
        expected, given = ("x".join(map(str, sides)) for sides in shapes)
        raise Problem("autoencoder_data", name=data.name, given=given, expected=expected)


def latents(autoencoder: Checkpoint, data: TrainingSet | None = None) -> LatentSet:
    """The latents of the pictures that an autoencoder was trained on, or of other ``data`` of their shape."""
    if data is None:
        data = data_of(autoencoder)
    else:
        check_data(autoencoder, data)
    return LatentSet(data, measure(autoencoder.state.ema.eval(), pictures_of(data)))


def new_diffusion(config: ImageConfig, data: LatentSet, source: Mapping[str, Any]) -> Checkpoint:
    """An untrained diffusion model of latents, which says what autoencoder they are of; source: names it, with the
    other flags of the run."""
    found = image_model.new_checkpoint(config, data, source)
    space = {"centre": list(data.space.centre), "scale": data.space.scale, "digest": digest_of(data.space.autoencoder)}
    return Checkpoint(found.state, {**found.config, "latent": space})


def resume_diffusion(
    checkpoint: Checkpoint, config: ImageConfig, data: LatentSet, source: Mapping[str, Any]
) -> Checkpoint:
    """The checkpoint with another configuration, to be trained further. Raises Problem as ``images.resume`` does, and
    for another autoencoder than it began with."""
    if not is_latent(checkpoint.config):
        raise Problem("checkpoint_no_latents")
    if digest_of(data.space.autoencoder) != checkpoint.config["latent"]["digest"]:
        raise Problem("autoencoder_other", name=str(source.get("autoencoder", "")))
    return image_model.resume(checkpoint, config, data, source)


def is_latent(stored: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's config is that of a diffusion model of latents."""
    return "latent" in stored and "plan" in stored


def space_of(checkpoint: Checkpoint, autoencoder: Checkpoint | None = None) -> LatentSpace:
    """The latent space of a diffusion model: of the autoencoder that it names, or of the one that is given.

    Raises Problem for a model of another kind, and for an autoencoder that it was not trained with.
    """
    stored = checkpoint.config
    if not is_latent(stored):
        raise Problem("checkpoint_no_latents")
    name = stored["data"]["source"].get("autoencoder", "")
    found = autoencoder or open_autoencoder(Path(name))
    about = stored["latent"]
    if digest_of(found.state.ema) != about["digest"]:
        raise Problem("autoencoder_other", name=str(name))
    return LatentSpace(found.state.ema.eval(), tuple(about["centre"]), about["scale"])


@torch.no_grad()
def sample(
    checkpoint: Checkpoint, space: LatentSpace, labels: Any, scale: float = 1.0, sampler: str = "dpmpp_2m",
    steps: int = 20, seed: int = 0, negative: int | Cond | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Latents [n, *shape] and the pictures [n, C, H, W] that they decode to; the arguments are those of
    ``images.sample``."""
    draw = partial(image_model.sample, checkpoint.denoiser, space.shape, labels, scale, negative, sampler, steps, seed)
    z = draw()
    return z, space.decode(z)
