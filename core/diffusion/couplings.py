"""Couplings: which start of a path belongs to which data point.

Flow matching trains on pairs of a data point x0 and a start x1, joined by the straight line x_t = (1 - t) x0 + t x1,
whose velocity is x1 - x0 (Lipman et al. 2023; Liu et al. 2023; Albergo & Vanden-Eijnden 2023). In the notation of this
library the line is x0 + sigma x1 with sigma = t / (1 - t): with Gaussian starts it is a noised point. All couplings
have the same data and the same starts; they differ in how the lines cross, and so in how the mean velocity bends.

A coupling is a function ``(n, generator) -> x0 [n, ...], x1 [n, ...], labels [n] or None``.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from core.problems import Problem

Draw = Callable[[int, torch.Generator], tuple[Tensor, Tensor | None]]  # points [n, ...], labels [n] or None
Coupling = Callable[[int, torch.Generator], tuple[Tensor, Tensor, Tensor | None]]


class Data(Protocol):
    """A set of points [N, ...] that can be drawn from, with its classes, if it has any: such as a ``PointSet``."""

    points: Tensor
    classes: tuple[str, ...]

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """``n`` points and their labels."""


def gaussian(shape: tuple[int, ...]) -> Draw:
    """Standard normal starts of that shape, [n, *shape], without labels."""
    return lambda n, generator: (torch.randn(n, *shape, generator=generator), None)


def independent(data: Draw, source: Draw) -> Coupling:
    """Every start with every data point, equally likely. The labels are the data's.

    Raises Problem, when it is drawn from, where data and starts differ in shape.
    """

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
        (x0, labels), (x1, _) = data(n, generator), source(n, generator)
        _check_shapes(x0, x1)
        return x0, x1, labels

    return draw


def between(data: Data, source: Data) -> Coupling:
    """Every point of a source with every point of the data, equally likely: `independent` of two sets of points.

    Raises Problem where they differ in dimension, and where both have classes but not the same number of them: then no
    class of the source belongs to a class of the data.
    """
    _check_shapes(data.points, source.points)
    if data.classes and source.classes and len(data.classes) != len(source.classes):
        raise Problem("coupling_classes", data=len(data.classes), start=len(source.classes))
    return independent(data.sample, source.sample)


def _check_shapes(x0: Tensor, x1: Tensor) -> None:
    if x0.shape[1:] != x1.shape[1:]:
        raise Problem("coupling_shapes", data=str(list(x0.shape[1:])), start=str(list(x1.shape[1:])))


def optimal_transport(coupling: Coupling, batch: int = 256) -> Coupling:
    """The pairs of ``coupling``, paired anew among each ``batch`` of them so that the squared distances are least.

    Minibatch optimal transport (Pooladian et al. 2023; Tong et al. 2024). A batch of 1 changes nothing; with more,
    pairs come closer to those of the exact optimal transport, whose lines do not cross. Raises Problem unless batch >=
    1, and when fewer pairs than one batch are drawn.
    """
    if batch < 1:
        raise Problem("coupling_batch", batch=batch)
    if batch == 1:
        return coupling

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
        if n < batch:
            raise Problem("coupling_batch_larger", batch=batch, n=n)
        x0, x1, labels = coupling(n, generator)
        order = torch.cat([start + assignment(x0[start:][:batch], x1[start:][:batch]) for start in range(0, n, batch)])
        return x0[order], x1, None if labels is None else labels[order]

    return draw


def assignment(x0: Tensor, x1: Tensor) -> Tensor:
    """The order [n] in which the points x0 [n, ...] are nearest to the starts x1 [n, ...]: no other order has a smaller
    sum |x0[order] - x1|^2."""
    # Imported here because that takes most of a second, which nobody waits for who does not need it.
    from scipy.optimize import linear_sum_assignment

    cost = torch.cdist(x1.flatten(1).double(), x0.flatten(1).double()).square()
    return torch.from_numpy(linear_sum_assignment(cost.numpy())[1])


def stored(x0: Tensor, x1: Tensor, labels: Tensor | None = None) -> Coupling:
    """Draws with replacement from pairs x0 [N, ...], x1 [N, ...] and their labels [N].

    With the pairs that the probability-flow ODE of a model joins, training on them is reflow (Liu et al. 2023).
    """

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
        chosen = torch.randint(len(x0), (n,), generator=generator)
        return x0[chosen], x1[chosen], None if labels is None else labels[chosen]

    return draw


def transport_cost(x0: Tensor, x1: Tensor) -> float:
    """The mean squared distance of pairs x0 [n, ...] and x1 [n, ...]."""
    return (x0 - x1).double().square().flatten(1).sum(1).mean().item()


def straightness(paths: Tensor) -> float:
    """The straightness S of Liu et al. 2023 of paths x_t [T + 1, n, ...] at evenly spaced t from 1 to 0: the mean of
    |dx/dt - (x_1 - x_0)|^2 over t and paths. It is 0 for straight lines at even speed, where one step of Euler's method
    is exact."""
    velocity = paths.diff(dim=0) * (1 - len(paths))
    return (velocity - (paths[0] - paths[-1])).double().square().flatten(2).sum(2).mean().item()
