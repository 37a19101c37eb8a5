"""The judges of clips: one reads the attributes of the person in each frame, the other the motion and the faults of a
whole clip. Both are the network that judges people (``core.models.people_judge``), trained on clips.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import seeds
from core.data import video
from core.data.images import unit
from core.data.people import ATTRIBUTES, SIDE
from core.data.video import FAULTS, FRAMES, MOTIONS
from core.diffusion.training import TrainConfig, TrainState, train
from core.networks.attributes import AttributeReader
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint

_PLACE = 0x51DE5  # keeps the draws of a judge apart from all others
CHUNK = 256  # clips in one call
READS = {"frames": [len(values) for values in ATTRIBUTES.values()], "clips": [len(MOTIONS), *[2] * len(FAULTS)]}
CHANNELS = {"frames": 3, "clips": 3 * FRAMES}


@dataclass(frozen=True)
class JudgeConfig:
    """How to train a judge of clips.

    Attributes:
        reads: "frames": the attributes of the person in each frame of clean clips; "clips": motion and faults.
        width: channels of the first convolutions.
        batch: clips of one step, each drawn for the first time; held-out combinations are among them.
        noise: every other clip gets noise of a standard deviation between 0 and this.
        steps, lr, warmup, ema, seed: as in ``core.models.images.ImageConfig``.
    """

    reads: Literal["frames", "clips"] = "clips"
    width: int = 64
    batch: int = 128
    noise: float = 0.2
    steps: int = 3_000
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
    network = {"name": "attributes", "attributes": READS[config.reads], "side": SIDE,
               "channels": CHANNELS[config.reads], "width": config.width, "seed": config.seed}  # fmt: skip
    stored = {"network": network, "data": {"name": "video"}, "video_judge": asdict(config)}
    return checkpoints.new_checkpoint(stored, config.train)


def config_of(stored: dict[str, Any]) -> JudgeConfig:
    """The configuration in a checkpoint's config. Raises Problem if the checkpoint is of another kind of model."""
    try:
        return JudgeConfig(**stored["video_judge"])
    except (LookupError, TypeError) as error:
        raise Problem("checkpoint_no_part", part="video judge") from error


def run(config: JudgeConfig, state: TrainState) -> Iterator[TrainState]:
    """Train ``state`` to the last step of the configuration; yields after each step."""
    frames = config.reads == "frames"

    def batch(step: int) -> tuple[Tensor, Tensor]:
        seed = seeds.mix(config.seed, _PLACE, step)
        clips = video.draw(config.batch, seed, held_out=None, spoiled=0 if frames else 0.5)
        sigma = config.noise * seeds.uniform(config.batch, seed, 1)
        sigma[::2] = 0
        x = unit(clips.frames)
        x = x + sigma[:, None, None, None, None] * seeds.gaussian(x.shape, seed, 2)
        if not frames:
            return x.flatten(1, 2), torch.cat([clips.motions[:, None], clips.faults.long()], 1)
        shown = video.judged(clips.attributes, clips.visible, clips.motions)
        return x.flatten(0, 1), clips.attributes[:, None].where(shown, -1).flatten(0, 1)

    return train(reading_loss, batch, config.train, state)


def reading_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The mean cross-entropy of each value that can be judged, summed over what is read; batch: pictures or clips as
    pictures of many channels, and values [B, n], -1 where they cannot be judged."""
    x, wanted = batch
    parts = zip(model(x), wanted.unbind(1), strict=True)
    return sum(F.cross_entropy(logits, value, ignore_index=-1, reduction="sum") for logits, value in parts) / len(x)


# Use


@dataclass(frozen=True, eq=False)
class Verdict:
    """What judges read in n clips.

    Attributes:
        attributes: of the person in each frame, int64 [n, 8, 12].
        motions: int64 [n].
        faults: bool [n, 6].
    """

    attributes: Tensor
    motions: Tensor
    faults: Tensor

    @property
    def spoiled(self) -> Tensor:
        """Which clips have any fault, bool [n]."""
        return self.faults.any(1)


@torch.no_grad()
def judge(clips: Tensor, frames: AttributeReader, whole: AttributeReader) -> Verdict:
    """What the judges of frames and of whole clips read in clips [n, 8, 3, 16, 16] in [-1, 1]."""
    found = [_read(frames, part.flatten(0, 1)).unflatten(0, (-1, FRAMES)) for part in clips.split(CHUNK)]
    read = torch.cat([_read(whole, part.flatten(1, 2)) for part in clips.split(CHUNK)])
    return Verdict(torch.cat(found), read[:, 0], read[:, 1:].bool())


def _read(reader: AttributeReader, x: Tensor) -> Tensor:
    return torch.stack([logits.argmax(1) for logits in reader(x)], 1)


# What is measured without a judge


def flicker(clips: Tensor) -> Tensor:
    """The mean absolute change from frame to frame of clips [n, 8, 3, 16, 16], as a share of a pixel's range, [n]."""
    return clips.clamp(-1, 1).diff(dim=1).abs().flatten(1).mean(1) / 2


def sharpness(clips: Tensor) -> Tensor:
    """The mean absolute difference of neighbouring pixels, as a share of their range, [n]."""
    x = clips.clamp(-1, 1)
    return (x.diff(dim=-1).abs().flatten(1).mean(1) + x.diff(dim=-2).abs().flatten(1).mean(1)) / 4


def contrast(clips: Tensor) -> Tensor:
    """The standard deviation of the pixels of a frame as a share of their range, the mean over the frames, [n]."""
    return clips.clamp(-1, 1).flatten(2).std(2).mean(1) / 2


def moved(clips: Tensor) -> Tensor:
    """The share of pixels that change by more than a tenth between the first frame and any other, [n]."""
    change = (clips[:, 1:] - clips[:, :1]).clamp(-2, 2).abs().amax((1, 2)) / 2
    return (change > 0.1).float().flatten(1).mean(1)
