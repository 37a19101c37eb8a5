"""Sets to train on, of samples of any shape: by name, and from PyTorch's tensors, Datasets and DataLoaders."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from core import seeds
from core.data import images
from core.data.images import ImageSet, unit
from core.data.people import SIDE, PeopleSet
from core.problems import Problem

MEASURED = 1024  # samples that the root mean square is measured on
Draw = Callable[[int, torch.Generator], tuple[Tensor, Tensor | None]]
_PLACE = 0x5E7  # keeps the draw that measures apart from those that train


def load(
    source: str, side: int | None = None, split: str = "train", damaged: str = "refuse", n: int | None = None
) -> ImageSet | PeopleSet:
    """The set of a name: ``people``, or one of ``core.data.images.load``.

    n: only for people, the number of different people; None: without end. Raises Problem as the sources do, and for an
    n of other data.
    """
    if source == "people":
        if split != "train":
            raise Problem("no_splits", name=source, split=split)
        return PeopleSet(n, SIDE if side is None else side)
    if n is not None:
        raise Problem("data_count", name=source)
    return images.load(source, side, split, damaged)


@dataclass(frozen=True, eq=False)
class SampleSet:
    """Samples of any shape to train on (see ``core.models.images.TrainingSet``).

    Attributes:
        name: of the set.
        shape: of one sample.
        rms: root mean square of all values.
        classes: the names of the classes, empty if there are none.
        size: number of samples, 0 if it is unknown.
        draw: n random samples [n, *shape] and their labels [n] or None, from n and a generator.
    """

    name: str
    shape: tuple[int, ...]
    rms: float
    classes: tuple[str, ...]
    size: int
    draw: Draw

    def __len__(self) -> int:
        return self.size

    def sample(self, n: int, generator: torch.Generator, flip: bool | None = None) -> tuple[Tensor, Tensor | None]:
        """n random samples and their labels. ``flip`` is ignored."""
        return self.draw(n, generator)


def sample_set(data: Any, classes: int | Sequence[str] | None = None) -> SampleSet:
    """A tensor [N, ...], a Dataset or a DataLoader as a set to train on.

    Items are a sample or (sample, label). Bytes (uint8) are brought to [-1, 1], as images; floating-point samples are
    taken as they are. classes: number or names of the classes; None: those that the Dataset names as ``classes``, or
    those of a TensorDataset's labels; 0: labels are ignored.

    Samples of a Dataset are drawn with replacement, and follow from the seed of the run. A DataLoader is read in its
    own order, again and again, with its own random numbers, so a resumed run does not repeat it. Raises Problem for
    data that cannot be trained on.
    """
    if isinstance(data, Tensor):
        data = TensorDataset(data)
    if isinstance(data, DataLoader):
        draw, size = _from_loader(data), _length(data.dataset)
    elif isinstance(data, Dataset) and hasattr(data, "__getitem__") and _length(data):
        draw, size = _from_dataset(data), len(data)
    else:
        raise Problem("data_not_trainable", kind=type(data).__name__)
    x, labels = draw(min(size, MEASURED) or MEASURED, seeds.generator(0, _PLACE))
    dataset = getattr(data, "dataset", data)
    names = _class_names(dataset, labels, classes)
    rms = x.double().square().mean().sqrt().item()
    if not 0 < rms < float("inf"):
        raise Problem("data_no_values", rms=rms)
    name = type(dataset).__name__
    _check_labels(x, labels, names, name)

    def labelled(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        x, labels = draw(n, generator)
        _check_labels(x, labels, names, name)
        return x, labels if names else None

    return SampleSet(name, tuple(x.shape[1:]), rms, names, size, labelled)


def _check_labels(x: Tensor, labels: Tensor | None, names: tuple[str, ...], name: str) -> None:
    """Raise Problem unless the labels are one number of a class for each sample; without classes they do not matter."""
    if not names:
        return
    if labels is None or labels.shape != x.shape[:1]:
        raise Problem("data_labels", kind="none" if labels is None else f"a tensor of shape {list(labels.shape[1:])}")
    low, high = labels.min().item(), labels.max().item()
    if not 0 <= low <= high < len(names):
        raise Problem("image_set_label_range", name=name, low=low, high=high, classes=len(names))


def _length(dataset: Any) -> int:
    try:
        return len(dataset)
    except TypeError:  # an IterableDataset
        return 0


def _class_names(dataset: Any, labels: Tensor | None, classes: int | Sequence[str] | None) -> tuple[str, ...]:
    if labels is None or classes == 0:
        return ()
    if classes is None:
        classes = getattr(dataset, "classes", None)
    if classes is None and isinstance(dataset, TensorDataset):
        low, high = (int(end) for end in dataset.tensors[1].aminmax())
        if low > 0:
            raise Problem("data_first_label", low=low, classes=high + 1)
        classes = high + 1
    if classes is None:
        raise Problem("data_unknown_classes")
    return tuple(map(str, range(classes) if isinstance(classes, int) else classes))


def _from_dataset(dataset: Dataset) -> Draw:
    """Random items with replacement."""

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        chosen = torch.randint(len(dataset), (n,), generator=generator)
        if isinstance(dataset, TensorDataset):
            return _rows(dataset[chosen])
        items = [dataset[i] for i in chosen.tolist()]
        if isinstance(items[0], tuple | list):
            samples, labels, *_ = zip(*items)
            return _rows((_stacked(samples), _numbers(labels)))
        return _rows(_stacked(items))

    return draw


def _stacked(samples: Sequence[Any]) -> Tensor:
    for sample in samples:
        if not isinstance(sample, Tensor):
            raise Problem("data_no_tensor", kind=type(sample).__name__)
    _check_shapes([sample[None] for sample in samples])
    return torch.stack(tuple(samples))


def _check_shapes(batches: Sequence[Tensor]) -> None:
    """Raise Problem unless the samples of all batches have one shape."""
    first = list(batches[0].shape[1:])
    if others := [list(batch.shape[1:]) for batch in batches if list(batch.shape[1:]) != first]:
        raise Problem("data_shapes", first=str(first), other=str(others[0]))


def _numbers(labels: Sequence[Any]) -> Tensor:
    try:
        return torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError):
        raise Problem("data_labels", kind=type(labels[0]).__name__) from None


def _from_loader(loader: DataLoader) -> Draw:
    """The next rows of the loader's batches."""

    def batches() -> Iterator[tuple[Tensor, Tensor | None]]:
        while True:
            empty = True
            for batch in loader:
                empty = False
                yield _rows(batch)
            if empty:
                raise Problem("data_empty")

    source, rest = batches(), []

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        while sum(len(x) for x, _ in rest) < n:
            rest.append(next(source))
        _check_shapes([x for x, _ in rest])
        x = torch.cat([x for x, _ in rest])
        labels = None if rest[0][1] is None else torch.cat([labels for _, labels in rest])
        rest[:] = [(x[n:], None if labels is None else labels[n:])]
        return x[:n], None if labels is None else labels[:n]

    return draw


def _rows(batch: Any) -> tuple[Tensor, Tensor | None]:
    """Samples as floating-point numbers, and labels as whole ones."""
    x, labels, *_ = (*batch, None) if isinstance(batch, tuple | list) else (batch, None)
    if not isinstance(x, Tensor) or x.is_complex():
        raise Problem("data_no_tensor", kind=type(x).__name__)
    return unit(x) if x.dtype == torch.uint8 else x.float(), None if labels is None else labels.long()
