"""The text encoder of the video model, which is trained before it: to say what a caption names, in two languages.

Systems that draw videos take a large text encoder that others have trained, and do not train it further. This one is
small, and reads captions of clips (``core.data.video_captions``) only.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import seeds
from core.data import people_captions, video, video_captions
from core.data.captions import Tokenizer
from core.data.people import ATTRIBUTES
from core.data.video import FAULTS, MOTIONS
from core.data.video_captions import SPOILED, Named
from core.data.words import words
from core.diffusion.training import TrainConfig, TrainState, as_dict, train
from core.models.clip import tokenizer_of, train_config
from core.networks.text import CaptionReader
from core.problems import Problem
from core.runs import checkpoints
from core.runs.checkpoints import Checkpoint

_PLACE = 0x51DE3  # keeps the draws of captions apart from all others
SAMPLE = 20_000  # captions whose words are the vocabulary
WRONG_LISTS = 0.2  # the share of captions to train on that get any faults, so that long lists of them are read

GROUPS: dict[str, tuple[str, ...]] = {
    **{name: (*values, *((name,) if name in people_captions.KINDS else ())) for name, values in ATTRIBUTES.items()},
    "motion": MOTIONS,
    **{name: (name,) for name in (SPOILED, *FAULTS)},
}
"""What a caption may name, and the values of each. The reader has one value more for each: that it is not named."""


@dataclass(frozen=True)
class TextConfig:
    """How to train the text encoder; all that decides a run.

    Attributes:
        width: size of a token's features.
        size: size of a caption's vector.
        batch: captions of one step, each drawn for the first time, in English and Chinese in turn.
        steps, lr, warmup, weight_decay, ema, seed: as in ``core.models.clip.ClipConfig``.
    """

    width: int = 96
    size: int = 128
    batch: int = 128
    steps: int = 1_600
    lr: float = 2e-3
    warmup: int = 50
    weight_decay: float = 0.01
    ema: float = 0.99
    seed: int = 0

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop."""
        return train_config(self)


def new_checkpoint(config: TextConfig) -> Checkpoint:
    """An untrained text encoder, with the words of ``SAMPLE`` captions as its vocabulary."""
    count = Counter(word for text in drawn(SAMPLE, seeds.mix(config.seed, _PLACE, 1))[0] for word in words(text))
    vocabulary = sorted(count, key=lambda word: (-count[word], word))
    network = {"name": "captions", "words": len(vocabulary), "named": [len(values) + 1 for values in GROUPS.values()],
               "width": config.width, "size": config.size, "seed": config.seed}  # fmt: skip
    stored = {"network": network, "vocabulary": vocabulary, "data": {"name": "video"}, "text": asdict(config)}
    return checkpoints.new_checkpoint(stored, config.train)


def config_of(stored: dict[str, Any]) -> TextConfig:
    """The configuration in a checkpoint's config. Raises Problem if the checkpoint is of another kind of model."""
    try:
        return TextConfig(**stored["text"])
    except (LookupError, TypeError) as error:
        raise Problem("checkpoint_no_part", part="text") from error


def resume(checkpoint: Checkpoint, config: TextConfig) -> Checkpoint:
    """The checkpoint with another configuration, to be trained further. Raises Problem if it needs another network."""
    before = config_of(checkpoint.config)
    if any(getattr(before, name) != getattr(config, name) for name in ("width", "size", "seed")):
        raise Problem("resume_other_network")
    entries = {"text": asdict(config), "train": as_dict(config.train)}
    return replace(checkpoint, config={**checkpoint.config, **entries})


def run(config: TextConfig, checkpoint: Checkpoint) -> Iterator[TrainState]:
    """Train a checkpoint to the last step of the configuration; yields after each step."""
    known = tokenizer_of(checkpoint.config)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        texts, targets = drawn(config.batch, seeds.mix(config.seed, _PLACE, 2, step))
        return known.encode(texts), targets

    return train(reading_loss, batch, config.train, checkpoint.state)


def reading_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The cross-entropy of each thing that a caption may name, summed over them, [B]; batch: tokens, and targets."""
    tokens, targets = batch
    parts = zip(model(tokens), targets.unbind(1), strict=True)
    return sum(F.cross_entropy(logits, value, reduction="none") for logits, value in parts)


# Captions


def drawn(n: int, seed: int) -> tuple[list[str], Tensor]:
    """n captions, and what each names (see ``targets``)."""
    clips = video.describe(n, seed, held_out=None)
    named = [video_captions.choose(clips, k, seeds.mix(seed, k)) for k in range(n)]
    named = [_with_any_faults(each, seeds.mix(seed, k, 1)) for k, each in enumerate(named)]
    languages = people_captions.LANGUAGES
    texts = [video_captions.caption(each, languages[k % 2], seeds.mix(seed, k)) for k, each in enumerate(named)]
    return texts, targets(named)


def _with_any_faults(named: Named, seed: int) -> Named:
    """What is named, in a part of all captions with any number of faults, as in a long negative prompt."""
    random = Random(seed)
    if random.random() >= WRONG_LISTS:
        return named
    faults = tuple(random.sample((SPOILED, *FAULTS), random.randint(1, 1 + len(FAULTS))))
    return Named({}, None, faults) if random.random() < 0.7 else Named(named.person, named.motion, faults)


def targets(named: Sequence[Named]) -> Tensor:
    """The number of the value that each names, of each of ``GROUPS``, int64 [n, G]; 0: it names none."""
    rows = []
    for each in named:
        values = {**each.person, "motion": each.motion, **{fault: fault for fault in each.faults}}
        rows.append([1 + known.index(values[name]) if values.get(name) else 0 for name, known in GROUPS.items()])
    return torch.tensor(rows)


# Use


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """A trained reader with its vocabulary."""

    reader: CaptionReader
    tokenizer: Tokenizer

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The condition of captions: "embed" [B, values] and "tokens" [B, N, width], as long as the longest of them.

        An empty text is no condition: all NaN.
        """
        numbers = self.tokenizer.encode(texts)
        length = max(1, int((numbers > 0).sum(1).max()))
        vectors, tokens = self.reader.encode(numbers[:, :length])
        empty = (numbers == 0).all(1)
        return {"embed": vectors.masked_fill(empty[:, None], torch.nan), "tokens": tokens}

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> Tensor:
        """What captions name by this reader: see ``targets``."""
        return torch.stack([logits.argmax(1) for logits in self.reader(self.tokenizer.encode(texts))], 1)


def text_encoder(checkpoint: Checkpoint) -> TextEncoder:
    """The text encoder of a checkpoint. Raises Problem for a checkpoint of another kind."""
    config_of(checkpoint.config)
    return TextEncoder(checkpoint.state.ema.eval(), tokenizer_of(checkpoint.config))


def accuracy(encoder: TextEncoder, n: int = 4096, seed: int = 1) -> Tensor:
    """The share of n new captions of which each of ``GROUPS`` is read right, [G]."""
    texts, wanted = drawn(n, seeds.mix(seed, _PLACE, 3))
    return (encoder.read(texts) == wanted).double().mean(0)
