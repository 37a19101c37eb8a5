"""A network that reads digits of 8x8 pixels and says how sure it is: of a mixture of two digits, of the mean of many
and of noise it is not.

It learns from mixtures as well ("mixup"; Zhang et al. 2018) and from noise ("outlier exposure"; Hendrycks et al. 2019),
without which a classifier calls almost anything a digit with great confidence.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import seeds
from core.data.images import ImageSet, load, unit
from core.diffusion.training import TrainConfig, TrainState, train
from core.models.image_judge import compute
from core.models.model import SHIPPED
from core.models.shifts import random_shifts
from core.networks.classifier import Classifier
from core.runs import checkpoints
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint, load_folder

JUDGE = SHIPPED / "digits-judge"
SURE = 0.9  # the confidence from which a picture counts as read
CLASSES, HELD_OUT = 10, 300  # classes, and digits that the judge is not trained on
ALIKE, SUMMED = 4, 8  # digits of a class whose mean is a digit, and digits of any class whose mean is none
SHARPER = 3  # how fast the larger share of a mixture becomes the whole
_PLACE = 0xD161  # keeps the draws of the judge's training apart from all others


@dataclass(frozen=True)
class DigitJudgeConfig:
    """How to train the network; all that decides a run.

    Attributes:
        batch: pictures of one step with one right answer; there are as many others (see ``examples``).
        noise: every picture gets noise of a standard deviation between 0 and this.
        steps, lr, warmup, ema, seed: as in ``core.models.images.ImageConfig``.
    """

    batch: int = 96
    noise: float = 0.15
    steps: int = 2_000
    lr: float = 4e-3
    warmup: int = 50
    ema: float = 0.995
    seed: int = 0

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop."""
        return TrainConfig(steps=self.steps, lr=self.lr, warmup=self.warmup, weight_decay=0.1, ema=self.ema,
                           decay="cosine", backup_every=max(1, self.steps // 20))  # fmt: skip


@cache
def known_and_held_out() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The digits to train on and the held-out ones: pictures [n, 1, 8, 8] in [-1, 1] and classes [n] each."""
    digits: ImageSet = load("digits")
    order = torch.randperm(len(digits.images), generator=seeds.generator(0, _PLACE))
    x, labels = unit(digits.images), digits.labels
    return tuple((x[part], labels[part]) for part in (order[HELD_OUT:], order[:HELD_OUT]))


def new_checkpoint(config: DigitJudgeConfig) -> Checkpoint:
    """An untrained judge."""
    network = {"name": "classifier", "channels": 1, "classes": CLASSES, "seed": config.seed}
    stored = {"network": network, "data": {"name": "digits"}, "digit_judge": asdict(config)}
    return checkpoints.new_checkpoint(stored, config.train)


def run(config: DigitJudgeConfig, state: TrainState) -> Iterator[TrainState]:
    """Train ``state`` to the last step of the configuration; yields after each step."""

    def batch(step: int) -> tuple[Tensor, Tensor]:
        x, shares = examples(config.batch, config.seed, step)
        sigma = config.noise * seeds.uniform(len(x), config.seed, _PLACE, step, 1)
        return x + sigma[:, None, None, None] * seeds.gaussian(x.shape, config.seed, _PLACE, step, 2), shares

    return train(reading_loss, batch, config.train, state)


def examples(n: int, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """Pictures of one step [2 n, 1, 8, 8], and the share of each class in each of them [2 n, 10].

    n / 2 digits moved by at most a pixel and n / 2 means of up to four digits of a class, which are blurred but
    digits; n / 2 mixtures of two, in which a digit of three quarters is nearly whole; n / 4 means of eight of all
    classes, and n / 4 pictures of noise.
    """
    (known, labels), generator = known_and_held_out()[0], seeds.generator(seed, _PLACE, step, 0)
    classes, half, quarter = F.one_hot(labels, CLASSES).float(), n // 2, n // 4

    def pick(*shape: int) -> Tensor:
        return torch.randint(len(known), shape, generator=generator)

    single, (one, other), several = pick(half), pick(2, half), pick(quarter, SUMMED)
    weight = torch.rand(half, 1, generator=generator)
    sharp = weight**SHARPER / (weight**SHARPER + (1 - weight) ** SHARPER)
    noise = 2 * torch.rand(quarter, 1, 8, 8, generator=generator) - 1
    alike, kind = _means_of_a_class(half, generator)
    x = [random_shifts(known[single], 1, generator, together=True), alike,
         torch.lerp(known[other], known[one], weight[:, :, None, None]), known[several].mean(1), noise]  # fmt: skip
    shares = [classes[single], F.one_hot(kind, CLASSES).float(), torch.lerp(classes[other], classes[one], sharp),
              classes[several].mean(1), torch.full((quarter, CLASSES), 1 / CLASSES)]  # fmt: skip
    return torch.cat(x), torch.cat(shares)


def _means_of_a_class(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """n weighted means of four digits of a class each [n, 1, 8, 8], and the classes [n]."""
    known, labels = known_and_held_out()[0]
    order, counts = labels.argsort(stable=True), labels.bincount(minlength=CLASSES)
    kind = torch.randint(CLASSES, (n,), generator=generator)
    place = (torch.rand(n, ALIKE, generator=generator) * counts[kind][:, None]).long()
    chosen = order[(counts.cumsum(0) - counts)[kind][:, None] + place]
    weights = torch.rand(n, ALIKE, generator=generator).square()
    weights = weights / weights.sum(1, keepdim=True)
    return (weights[:, :, None, None, None] * known[chosen]).sum(1), kind


def reading_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The cross-entropy of the classes' shares, of each picture."""
    x, shares = batch
    return F.cross_entropy(model(x), shares, reduction="none")


@shared_cache(None)
def shipped_judge() -> Classifier:
    """The network that is shipped."""
    return load_folder(JUDGE).state.ema.eval()


def read(x: Tensor, judge: Classifier | None = None) -> tuple[Tensor, Tensor]:
    """What digit each picture [n, 1, 8, 8] in [-1, 1] is taken for, int64 [n], and the confidence of that, [n]: the
    largest of the ten probabilities. judge: the network, by default the shipped one."""
    confidence, label = compute(judge or shipped_judge(), x.float()).softmax(1).max(1)
    return label, confidence


def share_read(x: Tensor, judge: Classifier | None = None) -> float:
    """The share of pictures [n, 1, 8, 8] that are read as some digit with a confidence over ``SURE``."""
    return (read(x, judge)[1] > SURE).double().mean().item()
