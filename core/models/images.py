"""Image models: one frozen plan = one run in one folder, trained by one process or by many, and sampled from.

A run's folder holds ``checkpoint/`` (see ``core.checkpoints``), ``metrics.jsonl`` and ``samples-STEP.png``. Little here
is about images: batches, loss, loop, samplers and guidance are those of the spiral.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor, nn

from core.data.images import ImageSet, pixels
from core.diffusion import samplers
from core.diffusion.denoiser import PREDICTIONS, Cond, Denoise, Denoiser, in_chunks
from core.diffusion.guidance import cfg
from core.diffusion.samplers import SamplerConfig, Step
from core.diffusion.schedules import karras, log_normal
from core.diffusion.training import Batches, TrainConfig, TrainState, as_dict, diffusion_batches, train
from core.networks import NETWORKS, SIZES, size_options
from core.networks.layers import MAX_SIDE
from core.runs.checkpoints import Checkpoint, fresh
from core.runs.distributed import ALONE, Losses, Team

SIGMA_MIN, SIGMA_MAX = 0.002, 80.0
CHUNK = 256  # images that a network is asked about at a time


@dataclass(frozen=True)
class ImageConfig:
    """How to train on images; with its data, all that decides a run.

    Attributes:
        network: what learns; plain and fourier are made for points, and can take images of 8 x 8.
        size: how large the network is; small and patched take hours on two cores, large is for a graphics card.
        prediction: what the network is asked for.
        mean: mean of log sigma in training, which is normal (Karras et al. 2022, table 1).
        std: standard deviation of log sigma in training.
        batch: images of one step, of all processes and parts together.
        accumulate: parts that a batch is computed in, one after the other; more of them take less memory.
        steps: steps in all.
        lr: learning rate after the warm-up, from where it falls to 0 along half a cosine.
        warmup: steps in which the learning rate rises.
        clip: largest norm of the gradient; a longer one is shortened.
        ema: decay of the moving average of the weights, which is what images are sampled with.
        label_dropout: how often an image's class is kept from the network, so that guidance can lead away from none.
        flip: mirror every other image left to right; None: if that leaves it one of the set.
        seed: decides the initial weights, the order of the images and their noise.
    """

    network: Literal[*SIZES, *NETWORKS] = "unet"
    size: Literal["tiny", "small", "patched", "large"] = "small"
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
        """Raises ValueError for a value of another kind."""
        for field in fields(self):
            check_kind(field.name, getattr(self, field.name), field.type)

    @property
    def train(self) -> TrainConfig:
        """The part that the training loop reads. Raises ValueError for a plan that no run can have."""
        sane = {
            "mean": math.isfinite(self.mean),
            "std": 0 < self.std < math.inf,
            "batch": self.batch >= 2,
            "steps": self.steps >= 1,
            "label_dropout": 0 <= self.label_dropout <= 1,
        }
        for name, holds in sane.items():
            if not holds:
                raise ValueError(f"no run can be trained with {name} = {getattr(self, name)!r}")
        return TrainConfig(
            steps=self.steps, lr=self.lr, warmup=self.warmup, ema=self.ema, clip=self.clip, accumulate=self.accumulate,
            betas=(0.9, 0.99), decay="cosine", backup_every=max(1, self.steps // 20),
        )  # fmt: skip


def check_kind(name: str, value: Any, kind: Any) -> None:
    """Raise ValueError unless a setting is of its kind: a type, several, or one of several values."""
    kinds = get_args(kind) or (kind,)
    if not (type(value) in kinds or value in kinds or (type(value) is int and float in kinds)):
        told = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "null"}
        raise ValueError(f"{name} is {' or '.join(told.get(one, repr(one)) for one in kinds)}, not {value!r:.60}.")


def config_of(config: dict[str, Any]) -> ImageConfig:
    """The plan in a checkpoint's config. Raises ValueError with a sentence if there is none of an image model in it."""
    try:
        return ImageConfig(**{field.name: config["plan"][field.name] for field in fields(ImageConfig)})
    except (LookupError, TypeError) as error:
        raise ValueError("This checkpoint does not say how an image model was trained.") from error


def new_checkpoint(plan: ImageConfig, images: ImageSet, source: Mapping[str, Any] = MappingProxyType({})) -> Checkpoint:
    """An untrained checkpoint of the plan. ``source``: what else the run was told, to load the set again by above all.

    Raises ValueError for a network or a size that there is not, and for images that are not square.
    """
    config = _config(plan, images)
    return fresh({**config, "data": {**config["data"], "source": dict(source)}}, plan.train)


def _config(plan: ImageConfig, images: ImageSet) -> dict[str, Any]:
    channels, height, side = images.images.shape[1:]
    if height != side:
        raise ValueError(
            f"{images.name} has images of {side}x{height} pixels, and a model makes square ones; choose a side to "
            "bring them to."
        )
    shape = {"side": side, "channels": channels} if plan.network in SIZES else {"dim": channels * side**2}
    return {
        "network": {"name": plan.network, "classes": len(images.classes), "seed": plan.seed, **shape,
                    **size_options(plan.network, plan.size)},
        "prediction": plan.prediction,
        "sigma_data": images.rms,
        "plan": asdict(plan),
        "data": {"name": images.name, "n": len(images.images), "side": side, "channels": channels,
                 "classes": list(images.classes)},
    }  # fmt: skip


def resume(
    checkpoint: Checkpoint, plan: ImageConfig, images: ImageSet, source: Mapping[str, Any] = MappingProxyType({})
) -> Checkpoint:
    """The checkpoint, to be trained by this plan and told ``source`` from here on. Raises ValueError where the plan or
    the images are those of another network, or the images not those that it was begun on."""
    config, asked = checkpoint.config, _config(plan, images)
    if any(asked[name] != config[name] for name in ("network", "prediction")):
        raise ValueError("The run has another network than is asked for; go on with its own, or begin a new run.")
    if any(asked["data"][name] != config["data"][name] for name in ("n", "classes")):
        raise ValueError(f"The run was not begun on {images.name}, or not on all of it; go on with its own images.")
    data = {**config["data"], "source": {**config["data"].get("source", {}), **source}}
    return replace(checkpoint, config={**config, "plan": asdict(plan), "train": as_dict(plan.train), "data": data})


def shape_of(config: dict[str, Any]) -> tuple[int, int, int]:
    """The shape [C, H, W] of the images of a checkpoint of this kind. Raises ValueError for one of another, and for
    one that says of its data what cannot be."""
    try:
        channels, side, classes = (config["data"][name] for name in ("channels", "side", "classes"))
        fits = channels in (1, 3) and side in range(1, MAX_SIDE + 1) and len(classes) == config["network"]["classes"]
    except (LookupError, TypeError):
        fits = False
    if not (fits and all(isinstance(name, str) for name in classes)):
        raise ValueError("This is no checkpoint of an image model.")
    return channels, side, side


# Training


class Source(Protocol):
    """What batches are drawn from: n data [n, ...], and what is told of them (see ``training.diffusion_batches``)."""

    def sample(self, n: int, generator: torch.Generator, flip: bool | None) -> tuple[Tensor, Tensor | Cond | None]:
        """Any n of them; ``flip``: see ``ImageConfig``."""


class Objective(nn.Module):
    """A denoiser's loss as a module's forward: where processes share their gradients they meet there."""

    def __init__(self, denoiser: Denoiser):
        super().__init__()
        self.denoiser = denoiser

    def forward(self, *batch) -> Tensor:
        return self.denoiser.loss(*batch)


def run(
    plan: ImageConfig, images: Source, state: TrainState, team: Team = ALONE, seen: Losses | None = None
) -> Iterator[TrainState]:
    """Train ``state``, which is on the team's device, to the end of the plan; yields after each step.

    Every process draws each batch whole and takes its share of it, so that many train as one would. ``seen`` takes in
    the losses by noise level. Raises Diverged (see ``training.train``), and ValueError where the plan is none of a run
    and where its batch has no even shares.
    """
    config = plan.train
    if plan.batch % (2 * plan.accumulate * team.world):
        raise ValueError(
            f"A batch of {plan.batch} does not part into pairs for {team.world} processes and {plan.accumulate} parts; "
            f"choose a multiple of {2 * plan.accumulate * team.world}."
        )
    objective = team.share(Objective(state.model))
    precision = torch.autocast(team.device.type, torch.bfloat16) if team.bf16 else nullcontext()

    def loss_fn(model: nn.Module, batch: tuple) -> Tensor:
        with precision:
            loss = objective(*batch)
        if seen is not None:
            seen.add(loss, batch[1])
        return loss

    return train(loss_fn, batches(plan, images, team), config, state, team.average)


def batches(plan: ImageConfig, images: Source, team: Team = ALONE) -> Batches:
    """This process's share of each batch of the plan, on its device."""

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | Cond | None]:
        return images.sample(n, generator, plan.flip)

    part = plan.batch // plan.accumulate
    whole = diffusion_batches(draw, log_normal(plan.mean, plan.std), part, plan.seed, plan.label_dropout)

    def share(value: Tensor) -> Tensor:
        return value[team.rank :: team.world].to(team.device, non_blocking=True)

    def at(step: int) -> tuple:
        x0, sigma, eps, cond = whole(step)
        return share(x0), share(sigma), share(eps), cond and {name: share(value) for name, value in cond.items()}

    return at


def move(state: TrainState, device: torch.device) -> TrainState:
    """Move a state to a device, its optimizer's memory too, in place."""
    state.model.to(device), state.ema.to(device)
    for memory in state.optimizer.state.values():
        memory |= {name: value.to(device) for name, value in memory.items() if name != "step"}
    state.last_good = None
    return state


def log_entry(state: TrainState, plan: ImageConfig, seen: Losses, pace: float, team: Team = ALONE) -> dict[str, Any]:
    """A line of ``metrics.jsonl``, for which all processes of a team are asked; pace: images a second."""
    rate = plan.train.learning_rate(state.step)
    return {"step": state.step, "of": plan.steps, "batch": plan.batch, "loss": round(state.loss, 6), "lr": rate,
            "images_per_second": round(pace, 1), "loss_by_sigma": seen.read(team.average)}  # fmt: skip


# Sampling


def sampler_config(sampler: str, steps: int, seed: int = 0) -> SamplerConfig:
    """A sampler on the noise levels of Karras et al. 2022, eq. 5, from 80 to 0.002 and 0; its noise is not the noise
    that images of the same seed start from."""
    return SamplerConfig(sampler, steps, sigma_max=SIGMA_MAX, sigma_min=SIGMA_MIN, schedule="karras", seed=seed + 1)


def grid(steps: int) -> Tensor:
    """The noise levels of ``sampler_config``, [steps + 1]."""
    return karras(SIGMA_MIN, SIGMA_MAX).sigmas(steps)


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    shape: tuple[int, ...],
    labels: list[int | None],
    scale: float = 1.0,
    negative: int | None = None,
    sampler: str = "dpmpp_2m",
    steps: int = 20,
    seed: int = 0,
    watch: Callable[[Iterator[Step]], Iterable[Step]] = iter,
) -> Tensor:
    """Images [len(labels), *shape], one for each label. Image k of a seed is the same however many are made.

    sampler: one of ``SAMPLERS``. watch: what the steps pass through, such as a progress bar.
    """
    x, denoise = starting_noise(denoiser, (len(labels), *shape), seed), guided(denoiser, labels, scale, negative)
    return samplers.last(watch(sampler_steps(denoise, x, sampler, steps, seed)))


def starting_noise(denoiser: Denoiser, shape: tuple[int, ...], seed: int) -> Tensor:
    """The noise that images [B, C, H, W] of that shape begin as, on the denoiser's device."""
    device = next(denoiser.parameters()).device
    return samplers.start(shape, SIGMA_MAX, denoiser.sigma_data, seed).to(device)


def guided(denoiser: Denoiser, labels: Sequence[int | None], scale: float, negative: int | None) -> Denoise:
    """The denoiser guided: told a class for each image (None: no class), and led away from the negative one."""
    device, ask = next(denoiser.parameters()).device, in_chunks(denoiser, CHUNK)
    wanted = {"label": torch.tensor([-1 if label is None else label for label in labels], device=device)}
    away = None if negative is None else {"label": torch.full((len(labels),), negative, device=device)}
    return cfg(ask, wanted, away, scale)


def sampler_steps(denoise: Denoise, x: Tensor, sampler: str, steps: int, seed: int) -> Iterator[Step]:
    """The steps of one of ``SAMPLERS`` from noise x to images, one by one."""
    return samplers.run(sampler_config(sampler, steps, seed), denoise, x)


def sheet(x: Tensor, columns: int, gap: int = 1) -> Tensor:
    """Images [N, C, H, W] in rows of so many, as one picture uint8 [rows H, columns W, C] with a gap between them."""
    rows = -(-len(x) // columns)
    tiles = nn.functional.pad(pixels(x.float()), (0, gap, 0, gap), value=255)
    blank = tiles.new_full((rows * columns - len(x), *tiles.shape[1:]), 255)
    tiles = torch.cat([tiles, blank]).unflatten(0, (rows, columns))
    return tiles.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)[:-gap, :-gap]


def write_sheet(x: Tensor, columns: int, file: Path) -> None:
    """Save a ``sheet`` as PNG."""
    from PIL import Image

    picture = sheet(x.cpu(), columns).numpy()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(file)
