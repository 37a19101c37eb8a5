"""The two towers: their loss in closed form, what they learn, and that many processes are one."""

import math
from itertools import islice

import pytest
import torch
import torch.nn.functional as F

from core.data.captions import Pairs, tokenizer
from core.data.images import unit
from core.models import clip as clip_model
from core.models.clip import (
    ClipConfig,
    batches,
    clip_loss,
    contrastive_loss,
    new_checkpoint,
    run,
    tokenizer_of,
)
from core.models.shifts import random_shifts
from core.networks import make_network
from core.pretrained import pretrained
from core.runs.checkpoints import from_bytes, to_bytes, to_files

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (90, 90, 90)}
RECORDED = [
    [0.0382, -0.0071, 0.0523, -0.0075],
    [-0.0429, -0.1423, -0.0173, -0.0413],
    [-0.0163, -0.1558, -0.1554, -0.0671],
]
CONFIG = ClipConfig(width=8, size=16, batch=8, steps=60, warmup=5, shift=1)


def vectors(n: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


def picture(colour: tuple, lower: bool) -> torch.Tensor:
    image = torch.full((3, 8, 8), 255, dtype=torch.uint8)
    image[:, slice(4, 8) if lower else slice(0, 4)] = torch.tensor(colour, dtype=torch.uint8)[:, None, None]
    return image


def pairs() -> Pairs:
    """Eight pictures of a colour above or below."""
    some = [(name, colour, lower) for name, colour in COLOURS.items() for lower in (False, True)]
    captions = tuple(f"{name} {'below' if lower else 'above'}" for name, _, lower in some)
    images = torch.stack([picture(colour, lower) for _, colour, lower in some])
    return Pairs("colours", images, captions, ((),) * 8, captions, torch.zeros(8, dtype=torch.bool))


def test_the_loss_is_log_n_where_all_pairs_are_alike():
    alike = vectors(1).expand(7, -1)
    torch.testing.assert_close(contrastive_loss(alike, alike, 20.0), torch.full((7,), math.log(7), dtype=torch.float64))


def test_the_loss_is_the_same_with_the_towers_exchanged():
    one, other = vectors(6), vectors(6, seed=1)
    torch.testing.assert_close(contrastive_loss(one, other, 9.0), contrastive_loss(other, one, 9.0))


def test_the_loss_is_the_cross_entropy_of_rows_and_of_columns():
    one, other, n = vectors(6), vectors(6, seed=1), range(6)
    p = (9.0 * one @ other.T).exp()
    by_hand = [-(p[i, i] / p[i].sum()).log() / 2 - (p[i, i] / p[:, i].sum()).log() / 2 for i in n]
    torch.testing.assert_close(contrastive_loss(one, other, 9.0), torch.stack(by_hand))


def test_both_towers_give_unit_vectors():
    net = make_network("clip", words=9, side=16, width=8, size=12)
    images, captions, scale = net(torch.zeros(3, 3, 16, 16), torch.tensor([[1, 2, 0], [9, 0, 0], [0, 0, 0]]))
    for vectors_ in (images, captions):
        torch.testing.assert_close(vectors_.norm(dim=1), torch.ones(3))
    assert scale.item() == pytest.approx(1 / 0.07)


def test_the_scale_of_the_logits_stays_below_100():
    net = make_network("clip", words=2, side=8, width=8)
    with torch.no_grad():
        net.temperature.log.fill_(9.0)
    assert net.temperature().item() == pytest.approx(100)


def test_padding_does_not_change_a_caption():
    net = make_network("clip", words=9, side=8, width=8)
    torch.testing.assert_close(net.captions(torch.tensor([[3, 4]])), net.captions(torch.tensor([[3, 4, 0, 0, 0]])))


def test_what_a_token_means_is_missing_where_there_is_none():
    meaning = make_network("clip", words=9, side=8, width=8).text(torch.tensor([[3, 0]]))[1]
    assert meaning[0, 0].isfinite().all() and meaning[0, 1].isnan().all()


def test_the_order_of_words_counts_for_an_encoder_with_neighbours_only():
    one, other = torch.tensor([[1, 2, 3, 4, 0], [3, 2, 1, 4, 0]])
    for neighbours in (0, 3):
        net = make_network("clip", words=9, side=8, width=8, neighbours=neighbours)
        same = torch.allclose(net.captions(one[None]), net.captions(other[None]), atol=1e-6)
        assert same == (neighbours == 0)
        torch.testing.assert_close(net.captions(one[None, :4]), net.captions(one[None]))


def test_the_shipped_encoder_gives_captions_the_vectors_that_it_gave_when_it_was_trained():
    """Recorded with 16 tokens a caption; more padding changes nothing."""
    checkpoint = pretrained("clip")
    texts = ["red apple", "woman: medium-dark skin tone, curly hair", "cat"]
    tokens = tokenizer_of(checkpoint.config).encode(texts)
    with torch.no_grad():
        vectors = checkpoint.state.ema.captions(tokens)
    torch.testing.assert_close(vectors[:, :4], torch.tensor(RECORDED), atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    "sizes", [{"side": 12}, {"width": 7}, {"channels": 0}, {"words": 0}, {"size": 10**6}, {"neighbours": 2}]
)
def test_sizes_that_there_are_not_are_refused(sizes):
    with pytest.raises(ValueError):
        make_network("clip", **{"words": 5, "side": 8, "width": 8, **sizes})


def test_pictures_move_by_whole_pixels_and_their_edge_goes_on():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    moved = random_shifts(x.expand(50, 1, 4, 4), 1, torch.Generator().manual_seed(0))
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")[0, 0]
    seen = {tuple(image.flatten().tolist()) for image in moved}
    assert seen == {tuple(wide[i : i + 4, j : j + 4].flatten().tolist()) for i in range(3) for j in range(3)}


def test_no_pair_is_twice_in_a_batch():
    x, tokens = batches(pairs(), 8, seed=0, shift=0)(0)
    assert len(x.flatten(1).unique(dim=0)) == 8 and len(tokens.unique(dim=0)) == 8


@pytest.mark.slow
def test_overfitted_pairs_rank_first_both_ways():
    checkpoint = new_checkpoint(CONFIG, pairs())
    *_, state = run(CONFIG, pairs(), checkpoint.state)
    images = state.model.images(unit(pairs().images))
    captions = state.model.captions(tokenizer(pairs()).encode(pairs().captions))
    cosine = images @ captions.T
    assert torch.equal(cosine.argmax(0), torch.arange(8)) and torch.equal(cosine.argmax(1), torch.arange(8))


def test_a_checkpoint_keeps_towers_and_words():
    checkpoint = new_checkpoint(CONFIG, pairs())
    list(islice(run(CONFIG, pairs(), checkpoint.state), 2))
    again = from_bytes(to_bytes(checkpoint))
    assert to_files(again) == to_files(checkpoint)
    assert tokenizer_of(again.config) == tokenizer(pairs())


def test_training_goes_on_bit_for_bit():
    whole, part = new_checkpoint(CONFIG, pairs()), new_checkpoint(CONFIG, pairs())
    list(islice(run(CONFIG, pairs(), whole.state), 6))
    list(islice(run(CONFIG, pairs(), part.state), 3))
    part = from_bytes(to_bytes(part))
    list(islice(run(CONFIG, pairs(), part.state), 3))
    assert to_files(part) == to_files(whole)


def test_words_that_do_not_fit_the_tower_are_refused(refused):
    config = new_checkpoint(CONFIG, pairs()).config
    for words in ("red", [1] * 6, config["vocabulary"][1:], None):
        with refused("clip_vocabulary"):
            tokenizer_of({**config, "vocabulary": words})


def test_a_batch_larger_than_the_set_is_refused(refused):
    with refused("clip_batch", pairs=8, batch=9):
        new_checkpoint(ClipConfig(batch=9), pairs())


def test_two_processes_learn_what_one_does():
    """Each has half of the pairs, and the other's vectors with their gradients by way of ``gather``."""
    model = new_checkpoint(CONFIG, pairs()).state.model.double()
    x, tokens = batches(pairs(), 8, seed=0, shift=0)(0)
    one = torch.autograd.grad(clip_loss(model, (x.double(), tokens)).mean(), list(model.parameters()))
    halves = [model(x.double()[rank::2], tokens[rank::2]) for rank in (0, 1)]
    gathered = [torch.cat([half[side] for half in halves]) for side in (0, 1)]
    both = torch.autograd.grad(contrastive_loss(*gathered, halves[0][2]).mean(), list(model.parameters()))
    for mine, ours in zip(one, both):
        torch.testing.assert_close(mine, ours)
    assert clip_model.run.__doc__
