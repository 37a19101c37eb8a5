"""Words added to a trained CLIP: nothing that it knew changes, and the new words are learned."""

from itertools import islice

import pytest
import torch

from core.data.captions import Pairs
from core.data.images import unit
from core.models import clip as clip_model
from core.models import clip_words
from core.models.clip import ClipConfig, tokenizer_of
from core.models.clip_words import WordsConfig
from core.models.unclip import fingerprint
from core.runs.checkpoints import from_bytes, to_bytes

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (90, 90, 90)}
CHINESE = ("红", "绿", "蓝", "灰")


def pairs(names) -> Pairs:
    images = torch.stack([torch.tensor(colour, dtype=torch.uint8)[:, None, None].expand(3, 8, 8).contiguous()
                          for colour in COLOURS.values()])  # fmt: skip
    return Pairs("colours", images, tuple(names), ((),) * 4, tuple(names), torch.zeros(4, dtype=torch.bool))


@pytest.fixture(scope="module")
def trained():
    config = ClipConfig(width=8, size=16, batch=4, steps=120, lr=5e-3, warmup=5, shift=0)
    checkpoint = clip_model.new_checkpoint(config, pairs(COLOURS))
    list(clip_model.run(config, pairs(COLOURS), checkpoint.state))
    return checkpoint


@pytest.fixture(scope="module")
def extended(trained):
    config = WordsConfig(batch=4, steps=120, lr=0.05, warmup=5)
    *_, state = clip_words.run(config, trained, pairs(COLOURS), pairs(CHINESE))
    return clip_words.with_words(trained, config, state, pairs(CHINESE))


@pytest.mark.slow
def test_captions_of_known_words_and_images_keep_their_vectors(trained, extended):
    before, after = (
        part.state.ema.captions(tokenizer_of(part.config).encode(list(COLOURS))) for part in (trained, extended)
    )
    assert torch.equal(before, after)
    x = unit(pairs(COLOURS).images)
    assert torch.equal(trained.state.ema.images(x), extended.state.ema.images(x))


@pytest.mark.slow
def test_new_words_find_their_images(extended):
    known, clip = tokenizer_of(extended.config), extended.state.ema
    assert known.vocabulary[4:] == tuple(sorted(CHINESE)) and not known.unknown("红 red")
    cosine = clip.captions(known.encode(CHINESE)) @ clip.images(unit(pairs(CHINESE).images)).T
    assert torch.equal(cosine.argmax(1), torch.arange(4))


def test_what_was_trained_with_the_clip_takes_it_for_the_same(trained, extended):
    assert fingerprint(extended.state.ema) == fingerprint(trained.state.ema)
    again = from_bytes(to_bytes(extended))
    assert fingerprint(again.state.ema) == fingerprint(trained.state.ema)
    assert tokenizer_of(again.config) == tokenizer_of(extended.config)


def test_learning_words_trains_nothing_else(trained):
    before = {name: value.clone() for name, value in trained.state.ema.state_dict().items()}
    list(islice(clip_words.run(WordsConfig(batch=4, steps=5), trained, pairs(COLOURS), pairs(CHINESE)), 3))
    assert all(torch.equal(value, before[name]) for name, value in trained.state.ema.state_dict().items())
