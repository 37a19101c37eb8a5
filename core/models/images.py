"""Diffusion models of images and of any other samples: one configuration is one run in one folder.

A run's folder holds ``checkpoint/`` (see ``core.runs.checkpoints``), ``metrics.jsonl`` and ``samples-STEP.png``.
Nothing but the built-in networks depends on the shape of the samples [...]: latents, clips and vectors are trained as
well.
"""

import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor, nn

from core import seeds
from core.data.images import pixels
from core.diffusion import samplers
from core.diffusion.denoiser import PREDICTIONS, Cond, Denoise, Denoiser, in_chunks
from core.diffusion.guidance import condition, estimates, mean
from core.diffusion.samplers import SamplerConfig, Step
from core.diffusion.schedules import Schedule, karras, log_normal
from core.diffusion.training import (
    Batches,
    LossFn,
    TrainConfig,
    TrainState,
    as_dict,
    diffusion_batches,
    diffusion_loss,
    train,
)
from core.networks import NETWORKS, SIZES, size_options
from core.networks.layers import MAX_SIDE
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import CUSTOM, Checkpoint
from core.runs.distributed import ALONE, Losses, Team
from core.runs.files import write_whole

SIGMA_MIN, SIGMA_MAX = 0.002, 80.0
CHUNK = 256  # samples in one call of a network
JOINT = 64  # so many are computed faster in one call than in two
_PLACE = 0x1055  # keeps the noise that measures a loss apart from that of training
MAX_BATCH = 2**31
MAX_VALUES = 10**9  # in one part of a batch: a step makes several copies of them, each of 4 GB
MAX_LENGTH = 64 * MAX_SIDE  # of one axis of a sample


@dataclass(frozen=True)
class ImageConfig:
    """How to train on images; together with its data, all that decides a run.

    Attributes:
        network: the network; plain and fourier are made for points, and can take images of 8 x 8.
        size: size of the network; small and patched take hours on two cores, light a third of that, large is for a
            graphics card.
        prediction: what the network predicts.
        mean: mean of log sigma in training, which is normal (Karras et al. 2022, table 1).
        std: standard deviation of log sigma in training.
        batch: images of one step, over all processes and parts.
        accumulate: number of parts that a batch is computed in, one after the other; more parts need less memory.
        steps: number of steps.
        lr: learning rate after the warm-up; it then falls to 0 along half a cosine.
        warmup: steps in which the learning rate rises.
        clip: largest norm of the gradient; a longer gradient is shortened.
        ema: decay of the moving average of the weights, which samples are drawn with.
        label_dropout: probability with which an image is trained on without its class, as guidance needs it.
        flip: mirror every other image left to right; None: if the set says that its mirrored images belong to it.
        seed: decides the initial weights, the order of the images and their noise.
    """

    network: Literal[*SIZES, *NETWORKS] = "unet"
    size: Literal["tiny", "tiny_patched", "small", "light", "latent", "patched", "large"] = "small"
    prediction: Literal[*PREDICTIONS] = "edm"
    mean: float = -1.2
    std: float = 1.2
    batch: int = 128
    accumulate: int = 1
    steps: int = 10_000
    lr: float = 1e-3
    warmup: int = 200
    clip: float = 1.0
    ema: float = 0.999
    label_dropout: float = 0.1
    flip: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises Problem for a value of another type."""
        for field in fields(self):
            check_type(field.name, getattr(self, field.name), field.type)

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop. Raises Problem for values that no run can have."""
        allowed = {
            "mean": math.isfinite(self.mean),
            "std": 0 < self.std < math.inf,
            "batch": 2 <= self.batch <= MAX_BATCH,
            "steps": self.steps >= 1,
            "label_dropout": 0 <= self.label_dropout <= 1,
        }
        for name, holds in allowed.items():
            if not holds:
                raise Problem("train_setting", name=name, value=repr(getattr(self, name)))
        return TrainConfig(
            steps=self.steps, lr=self.lr, warmup=self.warmup, ema=self.ema, clip=self.clip, accumulate=self.accumulate,
            betas=(0.9, 0.99), decay="cosine", backup_every=max(1, self.steps // 20),
        )  # fmt: skip


_TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "null"}


def check_type(name: str, value: Any, annotation: Any) -> None:
    """Raise Problem unless a setting is of its annotated type: a type, a union, or a literal."""
    options = get_args(annotation) or (annotation,)
    as_float = type(value) is int and float in options and abs(value) < 2**1023
    if not (type(value) in options or value in options or as_float):
        expected = " or ".join(_TYPES.get(option, repr(option)) for option in options)
        raise Problem("setting_type", name=name, expected=expected, value=f"{value!r:.60}")


def config_of(stored: dict[str, Any]) -> ImageConfig:
    """The configuration in a checkpoint's config. Raises Problem if the checkpoint is of another kind of model."""
    try:
        return ImageConfig(**{field.name: stored["plan"][field.name] for field in fields(ImageConfig)})
    except (LookupError, TypeError) as error:
        raise Problem("checkpoint_no_image_config") from error


class TrainingSet(Protocol):
    """Samples of one shape to train on: ``core.data.images.ImageSet``, or what ``core.models.sources`` makes.

    Attributes:
        name: of the set.
        shape: of one sample.
        rms: root mean square of all values.
        classes: the names of the classes, empty if there are none.

    A set whose samples have attributes, such as ``core.data.people.PeopleSet``, names the values of each in
    ``attributes``.
    """

    name: str
    shape: tuple[int, ...]
    rms: float
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """The number of samples, 0 if it is unknown or there is no end."""

    def sample(self, n: int, generator: torch.Generator, flip: bool | None) -> tuple[Tensor, Tensor | Cond | None]:
        """n random samples [n, *shape], and their labels [n], another condition, or None. flip: see ``ImageConfig``."""


def new_checkpoint(
    config: ImageConfig,
    data: TrainingSet,
    source: Mapping[str, Any] = MappingProxyType({}),
    network: nn.Module | None = None,
) -> Checkpoint:
    """An untrained checkpoint.

    source: what the data were loaded from, stored in the checkpoint's config. network: one's own network, in place of
    the one that the configuration names. Raises Problem for a network, a size or a shape that is not possible.
    """
    stored = _describe(config, data, network is not None)
    stored["data"]["source"] = dict(source)
    return checkpoints.new_checkpoint(stored, config.train, network)


def _describe(config: ImageConfig, data: TrainingSet, custom: bool = False) -> dict[str, Any]:
    """A checkpoint's config: network, preconditioning, configuration and data."""
    shape, classes = list(data.shape), list(data.classes)
    attributes = {name: list(values) for name, values in getattr(data, "attributes", {}).items()}
    described = {"name": data.name, "n": len(data), "shape": shape, "classes": classes}
    if attributes:
        described["attributes"] = attributes
    return {
        "network": {"name": CUSTOM} if custom else _network(config, described),
        "prediction": config.prediction,
        "sigma_data": data.rms,
        "plan": asdict(config),
        "data": described,
    }


def _network(config: ImageConfig, data: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``make_network`` for such data."""
    shape = data["shape"]
    if config.network not in SIZES:
        sizes = {"dim": math.prod(shape)}
    elif len(shape) != 3:
        raise Problem("network_shape", name=data["name"], network=config.network, shape="x".join(map(str, shape)))
    else:
        channels, *sides = shape
        sizes = {"side": sides[0] if sides[0] == sides[1] else sides, "channels": channels}
        if "attributes" in data:
            sizes["attributes"] = [len(values) for values in data["attributes"].values()]
    return {"name": config.network, "classes": len(data["classes"]), "seed": config.seed, **sizes,
            **size_options(config.network, config.size)}  # fmt: skip


def resume(
    checkpoint: Checkpoint, config: ImageConfig, data: TrainingSet, source: Mapping[str, Any] = MappingProxyType({})
) -> Checkpoint:
    """The checkpoint with another configuration and ``source``, to be trained further.

    Raises Problem if configuration or data need another network, or the data are not those that the run began with.
    """
    stored = checkpoint.config
    custom = stored["network"]["name"] == CUSTOM
    expected = _describe(config, data, custom)
    if stored["prediction"] != expected["prediction"] or not (custom or stored["network"] == expected["network"]):
        raise Problem("resume_other_network")
    if any(expected["data"].get(name) != stored["data"].get(name) for name in ("n", "classes", "attributes")):
        raise Problem("resume_other_data", name=data.name)
    kept = {**stored["data"], "source": {**stored["data"].get("source", {}), **source}}
    return replace(checkpoint, config={**stored, "plan": asdict(config), "train": as_dict(config.train), "data": kept})


def shape_of(stored: dict[str, Any]) -> tuple[int, ...]:
    """The shape of one sample, from a checkpoint's config: images of older ones have "side" and "channels".

    Raises Problem for a checkpoint of another kind, and for one whose data are described by impossible values.
    """
    try:
        data = stored["data"]
        shape = tuple(data["shape"]) if "shape" in data else (data["channels"], data["side"], data["side"])
        classes, network = data["classes"], stored["network"]
        fits = len(classes) == network["classes"] if "classes" in network else network["name"] == CUSTOM
        fits = fits and 0 < len(shape) <= 8 and all(type(n) is int and 1 <= n <= MAX_LENGTH for n in shape)
    except (LookupError, TypeError):
        fits = False
    if not (fits and all(isinstance(name, str) for name in classes)):
        raise Problem("checkpoint_no_image_model")
    return shape


# Training


def run(
    config: ImageConfig, data: TrainingSet, state: TrainState, team: Team = ALONE, losses: Losses | None = None
) -> Iterator[TrainState]:
    """Train ``state``, which is on the team's device, to the last step of the configuration; yields after each step.

    Every process draws each batch whole and computes its share of it, so that many processes train as one would. The
    loss by noise level is added to ``losses``. Raises Diverged (see ``training.train``), and Problem for a
    configuration that no run can have or a batch that cannot be divided.
    """
    settings = config.train
    check_shares(config.batch, config.accumulate, data.shape, team)
    return train_diffusion(batches(config, data, team), settings, state, team, losses)


def check_shares(batch: int, parts: int, shape: Sequence[int], team: Team) -> None:
    """Raise Problem unless a batch of samples [*shape] can be divided into so many parts and the processes of a team,
    and a part is not too large."""
    if batch % (parts * team.world):
        raise Problem("batch_shares", batch=batch, world=team.world, parts=parts, multiple=parts * team.world)
    check_batch(batch // parts, shape)


def train_diffusion(
    batches: Batches, config: TrainConfig, state: TrainState, team: Team = ALONE, losses: Losses | None = None,
    loss_of: LossFn = diffusion_loss,
) -> Iterator[TrainState]:  # fmt: skip
    """Train ``state`` on this process's ``batches`` for ``loss_of(model, batch)``, [B], in the precision of the team;
    yields after each step. The loss by noise level is added to ``losses``."""
    precision = torch.autocast(team.device.type, torch.bfloat16) if team.bf16 else nullcontext()

    def loss_fn(model: Denoiser, batch: tuple) -> Tensor:
        with precision:
            loss = loss_of(model, batch)
        if losses is not None:
            losses.add(loss, batch[1])
        return loss

    return train(loss_fn, batches, config, state, team.average_)


def check_batch(part: int, shape: Sequence[int]) -> None:
    """Raise Problem for more samples [*shape] at once than have ``MAX_VALUES`` values together."""
    if part * math.prod(shape) > MAX_VALUES:
        most = MAX_VALUES // math.prod(shape)
        raise Problem("batch_memory", part=part, shape=str(list(shape)), most=most)


def batches(config: ImageConfig, data: TrainingSet, team: Team = ALONE) -> Batches:
    """This process's share of each batch of a run, on its device."""

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | Cond | None]:
        return data.sample(n, generator, config.flip)

    part = config.batch // config.accumulate
    whole = diffusion_batches(draw, log_normal(config.mean, config.std), part, config.seed, config.label_dropout)

    def share(rows: Tensor) -> Tensor:
        return rows[team.rank :: team.world].to(team.device, non_blocking=True)

    def at(step: int) -> tuple:
        x0, sigma, eps, cond = whole(step)
        return share(x0), share(sigma), share(eps), cond and {name: share(rows) for name, rows in cond.items()}

    return at


@torch.no_grad()
def mean_loss(denoiser: Denoiser, x0: Tensor, schedule: Schedule, seed: int = 0) -> float:
    """The mean loss without a condition on images x0 [n, ...], whose noise follows from ``seed`` and n alone."""
    sigma, eps = schedule.sample(len(x0), seed, _PLACE), seeds.gaussian(x0.shape, seed, _PLACE + 1)
    parts = zip(x0.split(CHUNK), sigma.split(CHUNK), eps.split(CHUNK), strict=True)
    return torch.cat([denoiser.loss(*part) for part in parts]).mean().item()


def move(state: TrainState, device: torch.device) -> TrainState:
    """Move model, moving average and optimizer to a device, in place."""
    memory = state.optimizer.state_dict()
    state.model.to(device), state.ema.to(device)
    state.optimizer.load_state_dict(memory)  # puts every part of it where the optimizer needs it
    state.last_good = None
    return state


def log_entry(
    state: TrainState, config: ImageConfig, losses: Losses, images_per_second: float, team: Team = ALONE
) -> dict[str, Any]:
    """One line of ``metrics.jsonl``. All processes of a team have to call this together."""
    return {"step": state.step, "of": config.steps, "batch": config.batch, "loss": round(state.loss, 6),
            "lr": config.train.learning_rate(state.step), "images_per_second": round(images_per_second, 1),
            "loss_by_sigma": losses.read(team)}  # fmt: skip


# Sampling


def sampler_config(sampler: str, steps: int, seed: int = 0) -> SamplerConfig:
    """A sampler on the noise levels of Karras et al. 2022, eq. 5, from 80 to 0.002 and 0. Its noise differs from the
    noise that images of the same seed start from."""
    return SamplerConfig(sampler, steps, sigma_max=SIGMA_MAX, sigma_min=SIGMA_MIN, schedule="karras", seed=seed + 1)


def grid(steps: int) -> Tensor:
    """The noise levels of ``sampler_config``, [steps + 1]."""
    return karras(SIGMA_MIN, SIGMA_MAX).sigmas(steps)


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    shape: tuple[int, ...],
    labels: Sequence[int | None] | Cond,
    scale: float = 1.0,
    negative: int | Cond | Sequence[Cond] | None = None,
    sampler: str = "dpmpp_2m",
    steps: int = 20,
    seed: int = 0,
    watch: Callable[[Iterator[Step]], Iterable[Step]] = iter,
) -> Tensor:
    """Samples [len(labels), *shape], one for each label, or for each row of a condition. Sample k of a seed is the same
    for any number of them.

    sampler: one of ``SAMPLERS``. watch: wraps the steps, for instance in a progress bar.
    """
    n = len(next(iter(labels.values()))) if isinstance(labels, Mapping) else len(labels)
    x, denoise = starting_noise(denoiser, (n, *shape), seed), guided(denoiser, labels, scale, negative)
    return samplers.last(watch(sampler_steps(denoise, x, sampler, steps, seed)))


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's first parameter or buffer, the CPU if it has none."""
    return next((tensor.device for some in (module.parameters(), module.buffers()) for tensor in some),
                torch.device("cpu"))  # fmt: skip


def starting_noise(denoiser: Denoiser, shape: tuple[int, ...], seed: int) -> Tensor:
    """The noise that samples [B, ...] of that shape start from, on the denoiser's device."""
    return samplers.start(shape, SIGMA_MAX, denoiser.sigma_data, seed).to(device_of(denoiser))


def guided(
    denoiser: Denoiser,
    labels: Sequence[int | None] | Cond,
    scale: float,
    negative: int | Cond | Sequence[Cond] | None,
) -> Denoise:
    """The denoiser with classifier-free guidance towards a class for each sample (None: no class), and away from the
    class ``negative`` or, if None, from no class. Both may be another condition, such as attributes [B, A]; several
    negative conditions count as one of them, it is not known which."""
    whole, device = in_chunks(denoiser, CHUNK), device_of(denoiser)
    if not isinstance(labels, Mapping):
        labels = {"label": torch.tensor([-1 if label is None else label for label in labels])}
        negative = negative if negative is None else {"label": torch.full((len(labels["label"]),), negative)}
    away = negative if isinstance(negative, Sequence) else [negative]
    cond, *away = [some and {name: rows.to(device) for name, rows in some.items()} for some in (labels, *away)]
    if scale in (0, 1):
        return condition(whole, cond) if scale else mean([condition(whole, each) for each in away])
    several = in_chunks(partial(estimates, denoiser), max(1, JOINT // (1 + len(away))))

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        target, *base = several(x, sigma, cond, *away).unbind(1)
        return torch.lerp(torch.stack(base).mean(0), target, scale)

    return denoise


def sampler_steps(denoise: Denoise, x: Tensor, sampler: str, steps: int, seed: int) -> Iterator[Step]:
    """The steps of one of ``SAMPLERS`` from noise x to samples, one by one."""
    return samplers.run(sampler_config(sampler, steps, seed), denoise, x)


def sheet(x: Tensor, columns: int, gap: int = 1) -> Tensor:
    """Images [N, C, H, W] in rows of so many ``columns``, as one image uint8 [rows H, columns W, C] with gaps."""
    rows = -(-len(x) // columns)
    tiles = nn.functional.pad(pixels(x.float()), (0, gap, 0, gap), value=255)
    blank = tiles.new_full((rows * columns - len(x), *tiles.shape[1:]), 255)
    tiles = torch.cat([tiles, blank]).unflatten(0, (rows, columns))
    return tiles.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)[:-gap, :-gap]


def write_sheet(x: Tensor, columns: int, file: Path) -> None:
    """Save images [N, C, H, W] as one PNG (see ``sheet``), which is there whole or not at all; samples of another shape
    as grey squares (see ``viewable``)."""
    from PIL import Image

    picture, png = sheet(viewable(x.cpu()), columns).numpy(), io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(png, "PNG")
    write_whole(file, png.getvalue())


def viewable(x: Tensor) -> Tensor:
    """Samples [N, ...] as images [N, 1 or 3, H, W] that a file can hold.

    Images of 1 or 3 channels are left as they are; the frames of a clip [N, T, C, H, W] stand side by side; other
    channels and the values of vectors are put in rows of grey.
    """
    if x.ndim > 4 and x.shape[-3] in (1, 3):
        x = x.flatten(1, -4).movedim(1, -2).flatten(-2)
    if x.ndim == 4 and x.shape[1] in (1, 3):
        return x
    return (x if x.ndim > 2 else x.flatten(1)[:, None]).flatten(1, -2)[:, None]
