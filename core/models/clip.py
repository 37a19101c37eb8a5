"""CLIP: two towers whose vectors are close where picture and caption belong together (Radford et al. 2021).

One loss, and the loop that trains everything here. What the trained pair is asked stands in ``retrieval``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import seeds
from core.data.captions import Pairs, Tokenizer, caption_sampler, tokenizer
from core.data.images import unit
from core.diffusion.training import Batches, TrainConfig, TrainState, train
from core.networks.clip import Clip
from core.runs.checkpoints import Checkpoint, fresh
from core.runs.distributed import ALONE, Team


@dataclass(frozen=True)
class ClipConfig:
    """How to train a pair of towers; with its data, all that decides a run.

    Attributes:
        width: channels of the image tower's first level; the text tower has twice as many.
        size: numbers of a vector.
        batch: pairs of one step, each to be told from all others of the step.
        steps: steps in all.
        lr: learning rate after the warm-up, from where it falls to 0 along half a cosine.
        warmup: steps in which the learning rate rises.
        weight_decay: of AdamW; few pairs need much.
        ema: decay of the moving average of the weights, which is what is used.
        shift: pixels that a picture is moved by at most.
        seed: decides the initial weights and all that is drawn.
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
    seed: int = 0

    @property
    def train(self) -> TrainConfig:
        """The part that the training loop reads."""
        return TrainConfig(
            steps=self.steps, lr=self.lr, warmup=self.warmup, weight_decay=self.weight_decay, ema=self.ema,
            decay="cosine", backup_every=max(1, self.steps // 20),
        )  # fmt: skip


def new_checkpoint(plan: ClipConfig, pairs: Pairs, source: Mapping[str, Any] = MappingProxyType({})) -> Checkpoint:
    """An untrained pair for those pictures and the words of their captions, which stand in its config; ``source``: what
    else the run was told.

    Raises ValueError for sizes that there are not, and for a batch of more pairs than there are to train on.
    """
    some = len(pairs.indices(held_out=False))
    if not 2 <= plan.batch <= some:
        raise ValueError(f"{pairs.name} has {some:,} pairs to train on; a batch is 2 to {some:,}, not {plan.batch}.")
    words = tokenizer(pairs).vocabulary
    channels, side = pairs.images.shape[1:3]
    network = {"name": "clip", "words": len(words), "channels": channels, "side": side, "width": plan.width,
               "size": plan.size, "seed": plan.seed}  # fmt: skip
    data = {"name": pairs.name, "n": some, "source": dict(source)}
    return fresh({"network": network, "vocabulary": list(words), "data": data, "clip": asdict(plan)}, plan.train)


def tokenizer_of(config: dict) -> Tokenizer:
    """The words that a checkpoint's pair knows. Raises ValueError with a sentence where they do not fit the pair."""
    words = config.get("vocabulary")
    fits = isinstance(words, list) and all(isinstance(word, str) for word in words)
    if not fits or len(words) != config["network"].get("words"):
        raise ValueError("This checkpoint is no CLIP of this app: its words do not fit its text tower.")
    return Tokenizer(tuple(words))


def run(plan: ClipConfig, pairs: Pairs, state: TrainState, team: Team = ALONE) -> Iterator[TrainState]:
    """Train ``state``, which is on the team's device, to the end of the plan; yields after each step. Many processes
    each embed a share of the pairs and compare the vectors of all with all, as one process would.

    Raises Diverged (see ``training.train``), and ValueError where the batch has no even shares.
    """
    if plan.batch % team.world:
        raise ValueError(f"A batch of {plan.batch} pairs does not part evenly among {team.world} processes.")
    both = team.share(state.model)
    whole = batches(pairs, plan.batch, plan.seed, plan.shift)

    def at(step: int) -> tuple[Tensor, Tensor]:
        return tuple(part[team.rank :: team.world].to(team.device) for part in whole(step))

    def loss(_: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return clip_loss(both, batch, team.gather)

    yield from train(loss, at, plan.train, state, team.average)


def contrastive_loss(images: Tensor, captions: Tensor, scale: Tensor | float) -> Tensor:
    """Of N pairs of unit vectors [N, size]: how surprising each picture's caption is among all N, and each caption's
    picture; the mean of the two, [N]. log N where all are alike (Radford et al. 2021, figure 3)."""
    logits = scale * images @ captions.T
    own = torch.arange(len(logits), device=logits.device)
    by_image, by_caption = (F.cross_entropy(rows, own, reduction="none") for rows in (logits, logits.T))
    return (by_image + by_caption) / 2


def clip_loss(
    model: Clip, batch: tuple[Tensor, Tensor], gather: Callable[[Tensor], Tensor] = lambda own: own
) -> Tensor:
    """The loss function of both towers, [N]; batch: pictures [B, C, H, W] in [-1, 1] and tokens [B, T].

    gather: from this process's vectors [B, size] to those of all processes [N, size], in the same order for both.
    """
    images, captions, scale = model(*batch)
    return contrastive_loss(gather(images), gather(captions), scale)


def batches(pairs: Pairs, batch: int, seed: int, shift: int) -> Batches:
    """Batches for ``clip_loss`` of the pairs to train on, none twice in a batch: pictures moved by up to ``shift``
    pixels, captions drawn anew (see ``captions.caption_sampler``)."""
    known, caption = pairs.indices(held_out=False), caption_sampler(pairs, tokenizer(pairs))
    x = unit(pairs.images)

    def at(step: int) -> tuple[Tensor, Tensor]:
        generator = seeds.generator(seed, step)
        chosen = known[torch.randperm(len(known), generator=generator)[:batch]]
        return shifted(x[chosen], shift, generator), caption(chosen, generator)

    return at


def shifted(x: Tensor, by: int, generator: torch.Generator) -> Tensor:
    """Pictures [B, C, H, W], each moved by up to ``by`` pixels down and across; what comes in continues the edge."""
    height, width = x.shape[2:]
    wide = F.pad(x, (by, by, by, by), mode="replicate")
    down, across = torch.randint(0, 2 * by + 1, (2, len(x), 1), generator=generator)
    rows, columns = down + torch.arange(height), across + torch.arange(width)
    picture, channel = torch.arange(len(x)), torch.arange(x.shape[1])
    return wide[picture[:, None, None, None], channel[:, None, None], rows[:, None, :, None], columns[:, None, None]]
