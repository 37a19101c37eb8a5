"""Processes that train one model together, the device of each, and the loss by noise level.

Started by torchrun, every process draws each batch whole and computes its share of it. One all-reduce in each step
averages gradients and loss, so that many processes train as one would.
"""

import gc
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from core.problems import Problem

BINS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, math.inf)  # edges of the bins of sigma in which the loss is reported


def device() -> torch.device:
    """The device of this process: its graphics card, or the CPU where there is none. Nothing else decides this."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())


@dataclass(frozen=True)
class Team:
    """The processes that train one model together.

    Attributes:
        rank: the number of this process.
        world: the number of processes.
        device: the device of this process.
        bf16: whether to compute in bfloat16.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = torch.device("cpu")
    bf16: bool = False

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype on this process's device by their means over all processes, in one
        all-reduce."""
        if self.world == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors]) / self.world
        distributed.all_reduce(flat)
        for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def gather(self, rows: Tensor) -> Tensor:
        """The rows [B, ...] of all processes, [world B, ...], in the order of their ranks.

        Gradients flow to this process's rows only, multiplied by the number of processes: ``average_`` divides them by
        it, and the loss is that of all rows.
        """
        if self.world == 1:
            return rows
        fixed = rows.detach()
        parts = [torch.empty_like(fixed) for _ in range(self.world)]
        distributed.all_gather(parts, fixed)
        parts[self.rank] = fixed + self.world * (rows - fixed)
        return torch.cat(parts)


ALONE = Team()


def is_first() -> bool:
    """Whether this is the process of a team that writes its files."""
    return not int(os.environ.get("RANK", 0))


def join(bf16: bool = False) -> Team:
    """The team of this process: those that torchrun started, or this process alone.

    Processes with a graphics card each communicate by NCCL, all others by Gloo. bf16: compute in bfloat16 if the device
    is fast at it.
    """
    here, world, rank = device(), int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    card = here.type == "cuda"
    if card:
        torch.cuda.set_device(here)
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = torch.cpu._is_avx512_bf16_supported()
    if world > 1 and not distributed.is_initialized():
        own_card = card and torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", world))
        distributed.init_process_group("nccl" if own_card else "gloo")
    return Team(rank, world, here, bf16 and fast)


def leave() -> None:
    """Leave the group of processes, if there is one, so that this process can end."""
    if distributed.is_initialized():
        gc.collect()  # tensors of a pending exception would otherwise be freed by a thread of the group
        distributed.destroy_process_group()


@dataclass
class Losses:
    """The loss by noise level since it was last read: its sum and the number of samples in each bin of ``BINS``."""

    total: Tensor
    count: Tensor

    def add(self, loss: Tensor, sigma: Tensor) -> None:
        """Add the losses [B] of samples at noise levels [B]."""
        bin_of = torch.bucketize(sigma.contiguous(), torch.tensor(BINS[1:-1], device=sigma.device))
        self.total.index_add_(0, bin_of, loss.detach().to(self.total))
        self.count.index_add_(0, bin_of, torch.ones_like(self.total[bin_of]))

    def pool(self, team: Team) -> None:
        """Share what was added since between all processes of a team. All of them have to call this together."""
        team.average_([self.total, self.count])

    def read(self, team: Team = ALONE) -> dict[str, float]:
        """The mean loss of all processes in each bin that is not empty, by its lower edge; starts again from zero."""
        self.pool(team)
        sums = zip(BINS, self.total.tolist(), self.count.tolist())
        means = {f"{low:g}": round(total / count, 5) for low, total, count in sums if count}
        self.clear()
        return means

    def clear(self) -> None:
        """Start again from zero."""
        self.total.zero_(), self.count.zero_()

    def stored(self) -> list[list[float]]:
        """The sums and the numbers of samples as JSON can hold them; empty if there are none."""
        return [self.total.tolist(), self.count.tolist()] if self.count.any() else []


def losses(device: torch.device | str = "cpu", stored: Sequence[Sequence[float]] = ()) -> Losses:
    """``Losses`` on a device: empty ones, or those that are ``stored``. Raises Problem for anything else."""
    try:
        rows = torch.tensor(stored or [[0.0] * (len(BINS) - 1)] * 2, dtype=torch.float32, device=device)
        total, count = rows.unbind()
        if len(total) != len(BINS) - 1:
            raise ValueError(f"{len(total)} bins")
    except (ValueError, TypeError, RuntimeError) as error:
        raise Problem("run_unlogged") from error
    return Losses(total, count)
