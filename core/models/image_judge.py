"""How good an image model is, judged by a small classifier that is trained on the real images for the purpose.

The Frechet distance here is measured in that classifier's features. It is not FID, which is measured in those of an
Inception network trained on ImageNet: compare it only with the rows beside it, made with the same classifier.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import metrics, seeds
from core.data.images import ImageSet, unit
from core.diffusion.denoiser import in_chunks
from core.diffusion.training import TrainConfig, new_state, train
from core.models.shifts import random_shifts
from core.networks.classifier import Classifier
from core.problems import Problem

CHUNK = 256  # images in one call of the classifier
_PLACE = 0xE7A1  # keeps the draws that judge apart from those that train


def classifier(images: ImageSet, steps: int = 3000, batch: int = 128, seed: int = 0) -> Classifier:
    """A classifier trained on a set with classes. Raises Problem for a set without any."""
    if images.labels is None:
        raise Problem("judge_no_classes", name=images.name)
    net = Classifier(images.images.shape[1], len(images.classes), seed)

    def batches(step: int) -> tuple[Tensor, Tensor]:
        generator = seeds.generator(seed, _PLACE, step)
        x, labels = images.sample(batch, generator)
        # All moved alike by at most a fourteenth of their side, so that a few thousand images suffice.
        return random_shifts(x, max(1, x.shape[-1] // 14), generator, together=True), labels

    def loss(model: nn.Module, drawn: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model(drawn[0]), drawn[1], reduction="none", label_smoothing=0.1)

    config = TrainConfig(steps=steps, lr=4e-3, warmup=50, decay="cosine", weight_decay=0.1, backup_every=steps)
    state = new_state(net, config)
    for _ in train(loss, batches, config, state):
        pass
    return state.ema.eval()


@dataclass(frozen=True)
class Report:
    """How images compare with real ones.

    Attributes:
        frechet: Frechet distance to the training images in the classifier's features.
        agreement: share of the images that the classifier assigns to their own class.
        diversity: mean distance of two images of a class, divided by that of held-out real images.
        nearest: mean distance to the nearest training image, divided by that of held-out real images (0: copies).

    A ratio is NaN where no class has two images, and where the held-out images do not differ from each other or from
    those of the training.
    """

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
        """The accuracy of the classifier on the held-out images."""
        return self.agreement(self.real, self.labels)

    def agreement(self, x: Tensor, labels: Tensor) -> float:
        """The share of images that the classifier assigns to their own class."""
        return (compute(self.net, x).argmax(1) == labels).double().mean().item()

    def report(self, x: Tensor, labels: Tensor) -> Report:
        """The report on images x [n, ...] of classes labels [n]."""
        features = compute(self.net.features, x)
        spread, near = self._of_real
        return Report(
            metrics.frechet(features, self._known_features),
            self.agreement(x, labels),
            _ratio(mean_distance(features, labels), spread),
            _ratio(self._near(x), near),
        )

    @cached_property
    def _known_features(self) -> Tensor:
        return compute(self.net.features, self.known)

    @cached_property
    def _of_real(self) -> tuple[float, float]:
        """For the held-out images, the mean distance of two of a class, and that to the nearest training image."""
        return mean_distance(compute(self.net.features, self.real), self.labels), self._near(self.real)

    def _near(self, x: Tensor) -> float:
        return metrics.distance_to(x, self.known).mean().item()


@torch.no_grad()
def compute(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of images, computed in chunks and without gradients."""
    return in_chunks(function, CHUNK)(x)


def mean_distance(features: Tensor, labels: Tensor) -> float:
    """The mean distance between two images of one class, over all classes that have two; NaN if none has."""
    groups = [features[labels == label] for label in labels.unique()]
    apart = [torch.pdist(group) for group in groups if len(group) > 1]
    return torch.cat(apart).mean().item() if apart else math.nan


def _ratio(distance: float, of_real: float) -> float:
    return distance / of_real if of_real else math.nan


def check(images: ImageSet, test: ImageSet) -> None:
    """Raise Problem unless a judge can be trained on ``images`` and tried on ``test``: images [C, H, W] with classes,
    and at least two of each set, because a spread cannot be measured on fewer."""
    if images.labels is None or test.labels is None:
        raise Problem("judge_no_classes", name=images.name)
    if len(images.shape) != 3:
        raise Problem("judge_shape", name=images.name, shape=list(images.shape))
    _check_counts(images.name, len(images), len(test))


def _check_counts(name: str, known: int, test: int) -> None:
    if min(known, test) < 2:
        raise Problem("judge_too_few", name=name, total=known + test, test=test)


def judge(images: ImageSet, test: ImageSet, steps: int = 3000) -> Judge:
    """A judge trained on ``images`` and not on ``test``. Raises Problem as ``check`` does."""
    check(images, test)
    return Judge(classifier(images, steps), unit(images.images), unit(test.images), test.labels)


def random_split(images: ImageSet, share: float = 0.2, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """A random split into a set to train on and a held-out set. Raises Problem if one of them had fewer than two."""
    order = torch.randperm(len(images.images), generator=seeds.generator(seed, _PLACE))
    first = int(share * len(order))
    _check_counts(images.name, len(order) - first, first)
    labels = images.labels
    return tuple(
        replace(images, images=images.images[pick], labels=None if labels is None else labels[pick])
        for pick in (order[first:], order[:first])
    )


def detail(x: Tensor) -> float:
    """The mean square of what ``blurred`` removes from images: the first thing that is lost on collapse to a mean."""
    return (x - blurred(x)).square().mean().item()


def blurred(x: Tensor) -> Tensor:
    """Images [n, C, H, W] averaged over 3 x 3 pixels, as from a model that has learned coarse shapes only."""
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
