"""Processes that train one model together, and the losses that they count by noise level."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

BINS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, math.inf)  # of sigma, for the loss


@dataclass(frozen=True)
class Team:
    """The processes that train together: this one's ``rank`` of ``world``, its device, how a module is made to share
    its gradients, the mean of a number over all, the rows of all with their gradients. bf16: compute in bfloat16, where
    the device is quick at it."""

    rank: int = 0
    world: int = 1
    device: torch.device = torch.device("cpu")
    share: Callable[[nn.Module], nn.Module] = lambda module: module
    average: Callable[[Tensor], Tensor] = lambda value: value
    gather: Callable[[Tensor], Tensor] = lambda own: own
    bf16: bool = False


ALONE = Team()


@dataclass
class Losses:
    """The loss by noise level since it was last read: sums and counts over ``BINS``."""

    total: Tensor
    count: Tensor

    def add(self, loss: Tensor, sigma: Tensor) -> None:
        """Take in the losses [B] of samples at noise levels [B]."""
        place = torch.bucketize(sigma, sigma.new_tensor(BINS[1:-1]))
        self.total.index_add_(0, place, loss.detach().to(self.total))
        self.count.index_add_(0, place, torch.ones_like(self.total[place]))

    def read(self, average: Callable[[Tensor], Tensor] = lambda value: value) -> dict[str, float]:
        """The mean loss in each bin that has any, by its lower end; begins anew. ``average``: over all processes."""
        means = zip(BINS, average(self.total).tolist(), average(self.count).tolist())
        read = {f"{low:g}": round(total / count, 5) for low, total, count in means if count}
        self.total.zero_(), self.count.zero_()
        return read


def losses(device: torch.device | str = "cpu") -> Losses:
    """None taken in so far."""
    return Losses(*torch.zeros(2, len(BINS) - 1, device=device))
