"""Whether a model of people has memorised the pictures that it was trained on, or learned what they have in common.

A sample is a copy if its distance to the nearest picture that the run was trained on is under a third of that to the
second nearest (Yoon et al. 2023, "Diffusion Probabilistic Models Generalize when They Fail to Memorize").
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from core import seeds
from core.data.images import unit
from core.data.people import PeopleSet, draw
from core.diffusion.schedules import log_normal
from core.models import images as image_model
from core.models.images import ImageConfig
from core.runs.checkpoints import Checkpoint

COPY = 1 / 3  # of the distance to the second nearest picture
TEST_SEED = 0x7E57  # of the people that no run is trained on


@torch.no_grad()
def copies(samples: Tensor, known: Tensor) -> Tensor:
    """Which samples [n, ...] are copies of one of the data [N, ...], bool [n]; all where there is but one."""
    distances = torch.cdist(samples.flatten(1).double(), known.flatten(1).double())
    if len(known) == 1:
        return torch.ones(len(samples), dtype=torch.bool)
    first, second = distances.topk(2, largest=False).values.unbind(1)
    return first < COPY * second


def trained_on(config: ImageConfig, data: PeopleSet, steps: int) -> Iterator[Tensor]:
    """The pictures of each of the first ``steps`` steps of a run, float32 [n, 3, side, side] in [-1, 1]."""
    for step in range(steps):
        # As ``diffusion_batches`` draws them: each picture comes with a noise and its negative.
        yield data.sample((config.batch + 1) // 2, seeds.generator(config.seed, step, 0))[0]


def train_and_test_loss(checkpoint: Checkpoint, data: PeopleSet, n: int = 512) -> dict[str, float]:
    """The mean loss of a run's averaged weights on pictures that it was trained on first, and on as many other people,
    with the same noise: {"train": ..., "test": ...}."""
    config = image_model.config_of(checkpoint.config)
    steps = -(-n // ((config.batch + 1) // 2))
    known, new = torch.cat([*trained_on(config, data, steps)])[:n], unit(draw(n, TEST_SEED, side=data.side).images)
    schedule = log_normal(config.mean, config.std)
    return {
        name: round(image_model.mean_loss(checkpoint.denoiser, x0, schedule), 6)
        for name, x0 in (("train", known), ("test", new))
    }
