"""How good an image model is, judged by a small classifier that is trained on the real images for the purpose.

The Frechet distance here is measured in that classifier's features. It is not FID, which is measured in those of an
Inception network trained on ImageNet: compare it only with the rows beside it, made with the same classifier.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import metrics, seeds
from core.data.images import ImageSet, unit
from core.diffusion.training import TrainConfig, new_state, train
from core.networks.layers import allocate, group_norm

_PLACE = 0xE7A1  # keeps the draws that judge apart from those that train


class Classifier(nn.Module):
    """Images [B, C, H, W] to logits [B, classes]; ``features`` [B, 64] are what it finds in an image, wherever it is:
    what its last convolutions say, mean over the image."""

    def __init__(self, channels: int, classes: int, seed: int = 0):
        super().__init__()
        widths = [channels, 32, 64, 64]
        with torch.device("meta"):
            self.convolve = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
            self.norm = nn.ModuleList(map(group_norm, widths[1:]))
            self.wide, self.last = nn.Linear(64 * 16, 128), nn.Linear(128, classes)
        allocate(self, seed)

    def found(self, x: Tensor) -> Tensor:
        h = x.contiguous(memory_format=torch.channels_last)
        for level, (convolve, norm) in enumerate(zip(self.convolve, self.norm)):
            h = convolve(h)
            h = F.relu(norm(F.max_pool2d(h, 2) if level < 2 else h))
        return h

    def features(self, x: Tensor) -> Tensor:
        return self.found(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.wide(F.adaptive_avg_pool2d(self.found(x), 4).flatten(1))))


def classifier(images: ImageSet, steps: int = 3000, batch: int = 128, seed: int = 0) -> Classifier:
    """A classifier trained on a set with classes. Raises ValueError for a set without any."""
    if images.labels is None:
        raise ValueError(f"{images.name} has no classes, so no classifier can be trained to judge samples of it.")
    net = Classifier(images.images.shape[1], len(images.classes), seed)

    def batches(step: int) -> tuple[Tensor, Tensor]:
        generator = seeds.generator(seed, _PLACE, step)
        x, labels = images.sample(batch, generator)
        return shifted(x, generator), labels

    def loss(model: nn.Module, drawn: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model(drawn[0]), drawn[1], reduction="none", label_smoothing=0.1)

    config = TrainConfig(steps=steps, lr=4e-3, warmup=50, decay="cosine", weight_decay=0.1, backup_every=steps)
    state = new_state(net, config)
    for _ in train(loss, batches, config, state):
        pass
    return state.ema.eval()


def shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images [n, C, H, W], all moved alike by at most a fourteenth of their side, so that thousands do for more."""
    most = max(1, x.shape[-1] // 14)
    down, across = torch.randint(0, 2 * most + 1, (2,), generator=generator).tolist()
    wide = F.pad(x, [most] * 4, mode="replicate")
    return wide[..., down : down + x.shape[-2], across : across + x.shape[-1]]


@dataclass(frozen=True)
class Report:
    """What a classifier says of images: the Frechet distance to the training images in its features; the share that it
    takes for their own class; how far apart two of a class are, relative to held-out real ones (1: as diverse); and how
    near they are to their nearest training image, relative to these (0: copies; 1: no nearer than new ones)."""

    frechet: float
    agreement: float
    diversity: float
    nearest: float


@dataclass(frozen=True, eq=False)
class Judge:
    """A classifier, the training images [N, ...], and held-out ones [M, ...] with their labels [M], all in [-1, 1]."""

    net: Classifier
    known: Tensor
    real: Tensor
    labels: Tensor

    def accuracy(self) -> float:
        """Of the classifier, on the held-out images."""
        return self.agreement(self.real, self.labels)

    def agreement(self, x: Tensor, labels: Tensor) -> float:
        """The share of images whose class the classifier takes for theirs."""
        return (in_batches(self.net, x).argmax(1) == labels).double().mean().item()

    def report(self, x: Tensor, labels: Tensor) -> Report:
        """The report on images x [n, ...] of classes labels [n]."""
        features = in_batches(self.net.features, x)
        spread, near = self._usual
        return Report(
            metrics.frechet(features, self._known),
            self.agreement(x, labels),
            mean_distance(features, labels) / spread,
            self._near(x) / near,
        )

    @cached_property
    def _known(self) -> Tensor:
        return in_batches(self.net.features, self.known)

    @cached_property
    def _usual(self) -> tuple[float, float]:
        """How far apart two held-out images of a class are, and how far their nearest training image is."""
        return mean_distance(in_batches(self.net.features, self.real), self.labels), self._near(self.real)

    def _near(self, x: Tensor) -> float:
        return metrics.distance_to(x, self.known).mean().item()


@torch.no_grad()
def in_batches(function, x: Tensor, size: int = 256) -> Tensor:
    """A function of images, some at a time."""
    return torch.cat([function(part) for part in x.split(size)])


def mean_distance(features: Tensor, labels: Tensor) -> float:
    """The mean distance between two images of one class, over all classes that have two."""
    groups = [features[labels == label] for label in labels.unique()]
    return torch.cat([torch.pdist(group) for group in groups if len(group) > 1]).mean().item()


def judge(images: ImageSet, test: ImageSet, steps: int = 3000) -> Judge:
    """The judge that has seen ``images`` and not ``test``. Raises ValueError for sets without classes."""
    return Judge(classifier(images, steps), unit(images.images), unit(test.images), test.labels)


def split(images: ImageSet, share: float = 0.2, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """A set parted at random into one to train on and one to judge by."""
    order = torch.randperm(len(images.images), generator=seeds.generator(seed, _PLACE))
    some = int(share * len(order))
    labels = images.labels
    return tuple(
        replace(images, images=images.images[pick], labels=None if labels is None else labels[pick])
        for pick in (order[some:], order[:some])
    )


def detail(x: Tensor) -> float:
    """The energy of what `blurred` takes from images, mean over pixels: what collapse to a mean loses first."""
    return (x - blurred(x)).square().mean().item()


def blurred(x: Tensor) -> Tensor:
    """Images [n, C, H, W] averaged over 3 x 3 neighbours: how a model that knows only coarse shapes would draw."""
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
