"""Words added to a trained CLIP: its text encoder learns a second language, and all that it knows stays as it is.

As in locked-image tuning (Zhai et al. 2022) the image encoder is not trained. Here the text encoder is not either: only
the embeddings of the new words are. Captions of the old words keep their vectors, and models that were trained on these
vectors keep their meaning.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core import seeds
from core.data.captions import Pairs, Tokenizer, caption_sampler, tokenizer
from core.data.images import unit
from core.diffusion.training import TrainConfig, TrainState, new_state, train
from core.models import clip_queries
from core.models.clip import config_of, contrastive_loss, draw, tokenizer_of, train_config
from core.networks.clip import Clip, Table
from core.runs.checkpoints import Checkpoint, new_checkpoint


@dataclass(frozen=True)
class WordsConfig:
    """How to learn the embeddings of new words. The fields are those of ``clip.ClipConfig``."""

    batch: int = 1024
    steps: int = 500
    lr: float = 1e-2
    warmup: int = 50
    weight_decay: float = 0.1
    ema: float = 0.99
    seed: int = 0

    @property
    def train(self) -> TrainConfig:
        """The settings of the training loop."""
        return train_config(self)


class Words(nn.Module):
    """The embeddings of ``n`` new words of a trained CLIP, the only parameters: from
    tokens [B, T] to unit vectors [B, size].

    Initial embeddings follow from ``seed``.
    """

    def __init__(self, clip: Clip, n: int, seed: int = 0):
        super().__init__()
        self.known = (clip,)  # in a tuple, so that its weights are no parameters of this
        self.new = Table(n, clip.text.word.rows.shape[1])
        self.new.draw(seeds.generator(seed))

    @property
    def rows(self) -> Tensor:
        """The embeddings of all words, the new ones after the others."""
        return torch.cat([self.known[0].text.word.rows.detach(), self.new.rows])

    def forward(self, tokens: Tensor) -> Tensor:
        frozen = {name: value.detach() for name, value in self.known[0].text.named_parameters()}
        return F.normalize(functional_call(self.known[0].text, frozen | {"word.rows": self.rows}, (tokens,))[0], dim=1)

    def __deepcopy__(self, memo: dict) -> "Words":
        copy = Words(self.known[0], len(self.new.rows))
        copy.load_state_dict(self.state_dict())
        return copy


def extended(known: Tokenizer, pairs: Pairs) -> Tokenizer:
    """The words of a tokenizer and, after them, those of the captions to train on that it does not know."""
    more = (word for word in tokenizer(pairs).vocabulary if word not in set(known.vocabulary))
    return Tokenizer((*known.vocabulary, *more))


def run(config: WordsConfig, checkpoint: Checkpoint, pairs: Pairs, translation: Pairs) -> Iterator[TrainState]:
    """Learn the words of the ``translation`` of the pairs that a CLIP was trained on; yields after each step.

    A caption of the translation has to find its image, and a caption of the image in the known words, among those of a
    batch: what the text encoder knows of combinations of words is passed on.
    """
    clip, known = checkpoint.state.ema, tokenizer_of(checkpoint.config)
    words = extended(known, translation)
    part, scale = pairs.indices(held_out=False), clip.temperature().detach()
    images = clip_queries.image_vectors(clip, unit(pairs.images))
    old, new = caption_sampler(pairs, known), caption_sampler(translation, words)
    state = new_state(Words(clip, len(words.vocabulary) - len(known.vocabulary), config.seed), config.train)

    def batch(step: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = seeds.generator(config.seed, step)
        chosen = draw(part, config.batch, generator)
        with torch.no_grad():
            return images[chosen], clip.captions(old(chosen, generator)), new(chosen, generator)

    def loss(model: nn.Module, one: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        vectors = model(one[2])
        return contrastive_loss(one[0], vectors, scale) + contrastive_loss(one[1], vectors, scale)

    yield from train(loss, batch, config.train, state)


def with_words(checkpoint: Checkpoint, config: WordsConfig, state: TrainState, translation: Pairs) -> Checkpoint:
    """The checkpoint of the CLIP with the words that ``state`` has learned."""
    words = extended(tokenizer_of(checkpoint.config), translation).vocabulary
    before = checkpoint.config["network"]
    network = before | {"words": len(words), "added": before.get("added", 0) + len(words) - before["words"]}
    stored = {**checkpoint.config, "network": network, "vocabulary": list(words), "words": asdict(config)}
    made = new_checkpoint(stored, config_of(stored).train)
    weights = checkpoint.state.ema.state_dict() | {"text.word.rows": state.ema.rows.detach()}
    for model in (made.state.model, made.state.ema):
        model.load_state_dict(weights)
    made.state.step, made.state.loss = checkpoint.state.step, checkpoint.state.loss
    return made
