"""Two judges of pictures of people: a network that reads their attributes, and the nearest person (exact, without
training). What a model was asked for is compared with what they find in its pictures, attribute by attribute."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import metrics, seeds
from core.data import people
from core.data.images import unit
from core.data.nearest_person import Nearest, nearest, pictures
from core.data.people import ATTRIBUTES, COMBINED, SIDE, People
from core.diffusion.training import TrainConfig, TrainState, train
from core.models.image_judge import compute
from core.models.model import SHIPPED
from core.networks.attributes import AttributeReader
from core.runs import checkpoints
from core.runs.caching import shared_cache
from core.runs.checkpoints import Checkpoint, load_folder

__all__ = ["JudgeConfig", "Nearest", "attributes_of", "features_of", "nearest", "requested_people", "requests",
           "right", "stray_pixels"]  # fmt: skip

JUDGE = SHIPPED / "people-judge"
NAMES = list(ATTRIBUTES)
FEWEST, MOST = 3, 5  # attributes of a request
_PLACE = 0x9E11  # keeps the draws of requests and of the judge's training apart from all others


# The network


@dataclass(frozen=True)
class JudgeConfig:
    """How to train the network that reads attributes; all that decides a run.

    Attributes:
        width: channels of its first convolutions.
        batch: people of one step, each drawn for the first time. Held-out combinations are among them.
        noise: every other picture gets noise of a standard deviation between 0 and this.
        steps, lr, warmup, ema, seed: as in ``core.models.images.ImageConfig``.
    """

    width: int = 48
    batch: int = 256
    noise: float = 0.2
    steps: int = 2_500
    lr: float = 2e-3
    warmup: int = 50
    ema: float = 0.99
    seed: int = 0

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop."""
        return TrainConfig(steps=self.steps, lr=self.lr, warmup=self.warmup, weight_decay=0.05, ema=self.ema,
                           clip=1.0, decay="cosine", backup_every=max(1, self.steps // 20))  # fmt: skip


def new_checkpoint(config: JudgeConfig) -> Checkpoint:
    """An untrained judge."""
    network = {"name": "attributes", "attributes": [len(values) for values in ATTRIBUTES.values()], "side": SIDE,
               "channels": 3, "width": config.width, "seed": config.seed}  # fmt: skip
    described = {"name": "people", "attributes": {name: list(values) for name, values in ATTRIBUTES.items()}}
    stored = {"network": network, "data": described, "people_judge": asdict(config)}
    return checkpoints.new_checkpoint(stored, config.train)


def run(config: JudgeConfig, state: TrainState) -> Iterator[TrainState]:
    """Train ``state`` to the last step of the configuration; yields after each step."""

    def batch(step: int) -> tuple[Tensor, Tensor]:
        drawn = people.draw(config.batch, seeds.mix(config.seed, _PLACE, step), held_out=None)
        sigma = config.noise * seeds.uniform(config.batch, config.seed, _PLACE, step, 1)
        sigma[::2] = 0
        x = unit(drawn.images)
        x = x + sigma[:, None, None, None] * seeds.gaussian(x.shape, config.seed, _PLACE, step, 2)
        return x, drawn.attributes.where(drawn.visible, -1)

    return train(reading_loss, batch, config.train, state)


def reading_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The cross-entropy of each attribute that can be seen, summed over the attributes and divided by the number of
    people; batch: pictures and attributes [B, 12], -1 where a value cannot be seen."""
    x, attributes = batch
    parts = zip(model(x), attributes.unbind(1), strict=True)
    return sum(F.cross_entropy(logits, value, ignore_index=-1, reduction="sum") for logits, value in parts) / len(x)


@shared_cache(None)
def shipped_judge() -> AttributeReader:
    """The network that is shipped."""
    return load_folder(JUDGE).state.ema.eval()


def attributes_of(images: Tensor, judge: AttributeReader | None = None) -> Tensor:
    """The attributes that a network reads in pictures, uint8 or in [-1, 1], [n, 3, 16, 16]: int64 [n, 12].

    It names a value for what cannot be seen, too. judge: the network, by default the shipped one. Raises Problem for
    pictures of another shape.
    """
    reader = judge or shipped_judge()
    return compute(lambda x: torch.stack([logits.argmax(1) for logits in reader(x)], 1), pictures(images))


def features_of(images: Tensor, judge: AttributeReader | None = None) -> Tensor:
    """The features [n, F] that the network reads attributes from, to compare distributions of pictures in."""
    return compute((judge or shipped_judge()).features, pictures(images))


def frechet(images: Tensor, known: Tensor) -> float:
    """The Fréchet distance between the features of two sets of pictures [n, 3, 16, 16] (see `metrics.frechet`)."""
    return metrics.frechet(features_of(images), features_of(known))


# What is asked for, and what is found


def requests(n: int, seed: int = 0, held_out: bool | None = None) -> Tensor:
    """n requests, attributes int64 [n, 12] with -1 for what is not asked for: 3 to 5 of what can be seen of a person.

    None: any of it, of people as in training. True: the combination of hat, glasses and colour of clothes is asked for,
    and is held out from training; False: such a combination that occurs there. Request k names the same attributes in
    both, and does not depend on n.
    """
    drawn = requested_people(n, seed, held_out)
    order, size = torch.rand(n, len(NAMES) + 1, generator=seeds.generator(seed, _PLACE)).split([len(NAMES), 1], 1)
    if held_out is not None:
        order[:, [NAMES.index(name) for name in COMBINED]] += 1
    rank = order.masked_fill(~drawn.visible, -1).argsort(1, descending=True).argsort(1)
    named = FEWEST + (size * (MOST - FEWEST + 1)).long()
    return drawn.attributes.where(drawn.visible & (rank < named), -1)


def requested_people(n: int, seed: int = 0, held_out: bool | None = None) -> People:
    """The people of whom ``requests`` names attributes: real pictures that have what is asked for."""
    return people.draw(n, seeds.mix(seed, _PLACE), held_out=bool(held_out))


def right(wanted: Tensor, found: Tensor) -> Tensor:
    """Whether each attribute is as it was asked for, bool [n, 12]; what was not asked for (-1) is right."""
    return (wanted == -1) | (wanted == found)


def stray_pixels(difference: Tensor, above: float) -> float:
    """The mean number of the 256 pixels of a picture that differ by more than ``above`` from the nearest person.

    difference: that of ``nearest`` [n, 16, 16], the largest of a pixel's channels, of pictures in [-1, 1]. Real people
    have 0.01 above 0.15 and above 0.3, those blurred over 3x3 pixels 191 and 128.
    """
    return (difference > above).double().sum((1, 2)).mean().item()
