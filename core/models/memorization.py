"""Whether a model of people has memorised the pictures that it was trained on, or learned what they have in common.

A sample is a copy if its distance to the nearest picture that the run was trained on is under a third of that to the
second nearest (Yoon et al. 2023, "Diffusion Probabilistic Models Generalize when They Fail to Memorize").
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from core import seeds
from core.data.images import unit
from core.data.nearest_person import Nearest, nearest
from core.data.people import ATTRIBUTES, People, PeopleSet, compose, draw, is_held_out
from core.diffusion.schedules import log_normal
from core.models import images as image_model
from core.models.images import ImageConfig
from core.runs.checkpoints import Checkpoint

COPY = 1 / 3  # of the distance to the second nearest picture
RIGHT = 0.2  # root mean square difference to the nearest person, in [-1, 1]; 95 % of the means of two people have more
TEST_SEED = 0x7E57  # of the people that no run is trained on
CHUNK = 8192  # pictures that samples are compared with at once


# Copies


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The data nearest to each of n samples: the distances to the nearest and to the second nearest [n, 2], and the
    nearest itself [n, ...]."""

    distances: Tensor
    nearest: Tensor

    @property
    def copied(self) -> Tensor:
        """Which samples are copies, bool [n]. Where there is but one datum, all are."""
        return self.distances[:, 0] < COPY * self.distances[:, 1]


@torch.no_grad()
def neighbours(samples: Tensor, parts: Iterable[Tensor]) -> Neighbours:
    """The neighbours of samples [n, ...] among data that come in parts [N, ...], each of them once."""
    distances = samples.new_full((len(samples), 2), torch.inf)
    found = torch.zeros_like(samples)
    for part in parts:
        new = torch.cdist(samples.flatten(1), part.flatten(1))
        closer, place = new.min(1)
        found = torch.where((closer < distances[:, 0]).view(-1, *[1] * (samples.ndim - 1)), part[place], found)
        distances = torch.cat([distances, new], 1).topk(2, largest=False).values
    return Neighbours(distances, found)


def copies(samples: Tensor, known: Tensor) -> Tensor:
    """Which of the samples [n, ...] are copies of one of the data [N, ...], bool [n]."""
    return neighbours(samples.double(), [known.double()]).copied


# What a run was trained on


def trained_on(config: ImageConfig, data: PeopleSet, steps: int) -> Iterator[People]:
    """The people of each of the first ``steps`` steps of a run."""
    for step in range(steps):
        # As ``diffusion_batches`` draws them: each picture comes with a noise and its negative.
        yield data.batch((config.batch + 1) // 2, seeds.generator(config.seed, step, 0))[0]


def training_people(checkpoint: Checkpoint, data: PeopleSet) -> Iterator[People]:
    """All people that a run was trained on, in parts; those of a run without end are drawn again from its seed."""
    if data.people is not None:
        yield data.people
        return
    config, drawn = image_model.config_of(checkpoint.config), []
    for people in trained_on(config, data, checkpoint.state.step):
        drawn.append(people)
        if sum(map(len, drawn)) >= CHUNK:
            yield joined(drawn)
            drawn = []
    if drawn:
        yield joined(drawn)


def joined(parts: list[People]) -> People:
    """Several lots of people as one."""
    return People(*(torch.cat([getattr(part, name) for part in parts]) for name in ("images", "attributes", "visible")))


def train_and_test_loss(checkpoint: Checkpoint, data: PeopleSet, n: int = 512) -> dict[str, float]:
    """The mean loss of a run's averaged weights on pictures that it was trained on first, and on as many other people,
    with the same noise: {"train": ..., "test": ...}."""
    config = image_model.config_of(checkpoint.config)
    steps = -(-n // ((config.batch + 1) // 2))
    known, new = joined([*trained_on(config, data, steps)]).images[:n], draw(n, TEST_SEED, side=data.side).images
    schedule = log_normal(config.mean, config.std)
    return {
        name: round(image_model.mean_loss(checkpoint.denoiser, unit(x0), schedule), 6)
        for name, x0 in (("train", known), ("test", new))
    }


# What samples are


@dataclass(frozen=True)
class Report:
    """Samples of a model of people, compared with the people that it was trained on.

    Attributes:
        n: the number of people that it was trained on, None without end.
        copied: share of copies.
        distance: mean root mean square difference to the nearest training picture, in [-1, 1].
        differ: mean number of visible attributes that differ from the training person with the most equal ones.
        right: share of samples that are people: their root mean square difference to the nearest person that can be
            composed is at most ``RIGHT``.
        held_out: of these, the share with a combination that no training picture has (see ``people.is_held_out``).
        train_loss, test_loss: see ``train_and_test_loss``.
    """

    n: int | None
    copied: float
    distance: float
    differ: float
    right: float
    held_out: float
    train_loss: float
    test_loss: float


@dataclass(frozen=True, eq=False)
class Compared:
    """Samples [n, 3, 16, 16], what is nearest to them among the training pictures, and their nearest people."""

    samples: Tensor
    neighbours: Neighbours
    people: Nearest
    report: Report


def compare(checkpoint: Checkpoint, data: PeopleSet, n: int = 2_000, seed: int = 0) -> Compared:
    """Draw n samples without a condition, and compare them with what the run was trained on."""
    samples = image_model.sample(checkpoint.denoiser, data.shape, [None] * n, seed=seed).clamp(-1, 1)
    fitted, equal = nearest(samples), torch.zeros(n)
    visible = compose(fitted.attributes, torch.zeros(n, len(ATTRIBUTES) + 2))[2]
    parts = list(training_people(checkpoint, data))
    found = neighbours(samples, (unit(part.images) for part in parts))
    for part in parts:
        equal = torch.maximum(equal, (_one_hot(fitted.attributes, visible) @ _one_hot(part.attributes).T).amax(1))
    right = (samples - unit(fitted.images)).square().flatten(1).mean(1).sqrt() <= RIGHT
    losses = train_and_test_loss(checkpoint, data)
    report = Report(
        n=data.n,
        copied=found.copied.double().mean().item(),
        distance=found.distances[:, 0].mean().item() / samples[0].numel() ** 0.5,
        differ=(visible.sum(1) - equal).mean().item(),
        right=right.double().mean().item(),
        held_out=is_held_out(fitted.attributes[right]).double().mean().item(),
        train_loss=losses["train"],
        test_loss=losses["test"],
    )
    return Compared(samples, found, fitted, report)


def table(checkpoints: Mapping[str, Checkpoint], n: int = 2_000, seed: int = 0) -> Iterator[list[str]]:
    """The head of a table, then a row for the `Report` of each model, those of few people first."""
    yield ["model", "trained on", "steps", "copies", "distance to the nearest training picture",
           "attributes that differ from the nearest", f"within {RIGHT} of a person", "of these held out",
           "training loss", "test loss"]  # fmt: skip
    for name, made in sorted(checkpoints.items(), key=lambda each: each[1].config["data"]["n"] or inf):
        row = compare(made, PeopleSet(made.config["data"]["n"] or None), n, seed).report
        yield [name, f"{row.n:,}" if row.n else "endless", f"{made.state.step:,}", f"{row.copied:.1%}",
               f"{row.distance:.3f}", f"{row.differ:.2f}", f"{row.right:.1%}", f"{row.held_out:.1%}",
               f"{row.train_loss:.4f}", f"{row.test_loss:.4f}"]  # fmt: skip


def _one_hot(attributes: Tensor, visible: Tensor | None = None) -> Tensor:
    """Attributes [n, 12] as rows of 0 and 1, so that a product counts equal ones; only of what is visible."""
    columns = [F.one_hot(column, len(values)) for column, values in zip(attributes.unbind(1), ATTRIBUTES.values())]
    if visible is not None:
        columns = [column * shown[:, None] for column, shown in zip(columns, visible.unbind(1), strict=True)]
    return torch.cat(columns, 1).float()
