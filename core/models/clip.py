"""CLIP: an image encoder and a text encoder whose vectors are close where image and caption belong together.

Radford et al. 2021. One loss, and the training loop of all models here; what a trained pair is used for is in
``clip_queries``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import seeds
from core.data.captions import Pairs, Tokenizer, caption_sampler, tokenizer
from core.data.images import unit
from core.diffusion.training import Batches, TrainConfig, TrainState, train
from core.models.images import check_type
from core.models.shifts import random_shifts
from core.networks.clip import Clip
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint
from core.runs.distributed import ALONE, Team

MAX_SHIFT = 256  # pixels, the largest side of an image


@dataclass(frozen=True)
class ClipConfig:
    """How to train a pair of encoders; together with its data, all that decides a run.

    Attributes:
        width: channels of the image encoder's first level; the text encoder has twice as many.
        size: size of a vector.
        batch: pairs of one step, each of which has to be told from all others of the step.
        steps: number of steps.
        lr: learning rate after the warm-up; it then falls to 0 along half a cosine.
        warmup: steps in which the learning rate rises.
        weight_decay: of AdamW; a small set of pairs needs much.
        ema: decay of the moving average of the weights, which is what is used.
        shift: pixels that an image is moved by at most.
        neighbours: words that the text encoder sees at once before attention, an odd number; 0: it knows no order.
        seed: decides the initial weights and everything that is drawn.
    """

    width: int = 32
    size: int = 128
    batch: int = 1024
    steps: int = 1_500
    lr: float = 2e-3
    warmup: int = 50
    weight_decay: float = 0.3
    ema: float = 0.99
    shift: int = 2
    neighbours: int = 0
    seed: int = 0

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop. Raises Problem for values that no run can have."""
        for field in fields(self):
            check_type(field.name, getattr(self, field.name), field.type)
        for name, possible in (("steps", self.steps >= 1), ("shift", 0 <= self.shift <= MAX_SHIFT)):
            if not possible:
                raise Problem("train_setting", name=name, value=repr(getattr(self, name)))
        return train_config(self)


def train_config(config: Any) -> TrainConfig:
    """The settings of the training loop, from a ``ClipConfig`` or another configuration with these fields."""
    return TrainConfig(
        steps=config.steps, lr=config.lr, warmup=config.warmup, weight_decay=config.weight_decay, ema=config.ema,
        decay="cosine", backup_every=max(1, config.steps // 20),
    )  # fmt: skip


def new_checkpoint(config: ClipConfig, pairs: Pairs, source: Mapping[str, Any] = MappingProxyType({})) -> Checkpoint:
    """An untrained pair of encoders for these images and the words of their captions, which its config contains.

    source: what the pairs were loaded from, stored as well. Raises Problem for impossible sizes, for fewer than two
    pairs to train on, and for a batch of more pairs than there are.
    """
    n = len(pairs.indices(held_out=False))
    if n < 2:
        raise Problem("clip_pairs", name=pairs.name, pairs=n)
    if not 2 <= config.batch <= n:
        raise Problem("clip_batch", name=pairs.name, pairs=n, batch=config.batch)
    words = tokenizer(pairs).vocabulary
    channels, side = pairs.images.shape[1:3]
    network = {"name": "clip", "words": len(words), "channels": channels, "side": side, "width": config.width,
               "size": config.size, "seed": config.seed}  # fmt: skip
    if config.neighbours:
        network["neighbours"] = config.neighbours
    data = {"name": pairs.name, "n": n, "source": dict(source)}
    stored = {"network": network, "vocabulary": list(words), "data": data, "clip": asdict(config)}
    return checkpoints.new_checkpoint(stored, config.train)


def config_of(stored: dict[str, Any]) -> ClipConfig:
    """The configuration in a checkpoint's config. Raises Problem if the checkpoint is no CLIP."""
    try:
        return ClipConfig(**stored["clip"])
    except (LookupError, TypeError) as error:
        raise Problem("checkpoint_no_part", part="clip") from error


def check_images(checkpoint: Checkpoint, shape: Sequence[int], name: str) -> None:
    """Raise Problem unless a checkpoint is a CLIP for images of this shape [C, H, W], those of the set ``name``."""
    config_of(checkpoint.config)
    network = checkpoint.config["network"]
    if list(shape) != [network["channels"], network["side"], network["side"]]:
        raise Problem("clip_other_images", name=name)


def tokenizer_of(stored: dict) -> Tokenizer:
    """The vocabulary in a checkpoint's config. Raises Problem if it does not fit the text encoder."""
    words = stored.get("vocabulary")
    fits = isinstance(words, list) and all(isinstance(word, str) for word in words)
    if not fits or len(words) != stored["network"].get("words"):
        raise Problem("clip_vocabulary")
    return Tokenizer(tuple(words))


def run(config: ClipConfig, pairs: Pairs, state: TrainState, team: Team = ALONE) -> Iterator[TrainState]:
    """Train ``state``, which is on the team's device, to the last step of the configuration; yields after each step.

    Each of several processes encodes a share of the pairs and compares the vectors of all of them, as one process would
    do. Raises Diverged (see ``training.train``), and Problem if the batch cannot be divided.
    """
    if config.batch % team.world:
        raise Problem("batch_shares", batch=config.batch, world=team.world, parts=1, multiple=team.world)
    whole = batches(pairs, config.batch, config.seed, config.shift)

    def at(step: int) -> tuple[Tensor, Tensor]:
        return tuple(part[team.rank :: team.world].to(team.device) for part in whole(step))

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return clip_loss(model, batch, team.gather)

    yield from train(loss, at, config.train, state, team.average_)


def contrastive_loss(images: Tensor, captions: Tensor, scale: Tensor | float) -> Tensor:
    """The contrastive loss of N pairs of unit vectors [N, size], [N] (Radford et al. 2021, figure 3).

    The cross-entropy of each image's caption among all N captions, and of each caption's image among all N images; the
    mean of the two. It is log N where all vectors are equal.
    """
    logits = scale * images @ captions.T
    target = torch.arange(len(logits), device=logits.device)
    by_image, by_caption = (F.cross_entropy(rows, target, reduction="none") for rows in (logits, logits.T))
    return (by_image + by_caption) / 2


def clip_loss(
    model: Clip, batch: tuple[Tensor, Tensor], gather: Callable[[Tensor], Tensor] = lambda rows: rows
) -> Tensor:
    """The loss function of CLIP, [N]; batch: images [B, C, H, W] in [-1, 1] and tokens [B, T].

    gather: from this process's vectors [B, size] to those of all processes [N, size], in the same order for both.
    """
    images, captions, scale = model(*batch)
    return contrastive_loss(gather(images), gather(captions), scale)


def draw(indices: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """n different ones of the indices, which a batch has to tell apart."""
    return indices[torch.randperm(len(indices), generator=generator)[:n]]


def batches(pairs: Pairs, batch: int, seed: int, shift: int) -> Batches:
    """Batches for ``clip_loss`` of the pairs to train on, none twice in a batch: images moved by up to ``shift``
    pixels, captions drawn anew (see ``captions.caption_sampler``)."""
    trained_on, caption = pairs.indices(held_out=False), caption_sampler(pairs, tokenizer(pairs))
    x = unit(pairs.images)

    def at(step: int) -> tuple[Tensor, Tensor]:
        generator = seeds.generator(seed, step)
        chosen = draw(trained_on, batch, generator)
        return random_shifts(x[chosen], shift, generator), caption(chosen, generator)

    return at
