"""unCLIP: what each stage is told, that exact parts give exact pictures, that noise and captions decide all."""

import math
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from core.data.captions import Pairs
from core.data.images import unit
from core.diffusion import samplers
from core.diffusion.exact import EmpiricalDenoiser
from core.models import clip as clip_model
from core.models import clip_queries
from core.models import images as image_model
from core.models import unclip as unclip_model
from core.models.clip import ClipConfig
from core.models.unclip import DecoderConfig, PriorConfig, Unclip, scaled, slerp
from core.networks import make_network, size_options
from core.runs.checkpoints import from_bytes, to_bytes, to_files

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

PRIOR = PriorConfig(batch=16, steps=4, warmup=1)
DECODER = DecoderConfig(size="tiny", batch=16, steps=4, warmup=1)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Sixteen pictures of a shade above or below, 8 x 8."""
    captions = tuple(f"{shade} {where}" for shade in range(8) for where in ("above", "below"))
    images = torch.full((16, 3, 8, 8), 255, dtype=torch.uint8)
    for i in range(16):
        images[i, :, (i % 2) * 4 :][:, :4] = 30 * (i // 2)
    return Pairs("shades", images, captions, ((),) * 16, captions, torch.arange(16) == 15)


@pytest.fixture(scope="module")
def clip(pairs):
    checkpoint = clip_model.new_checkpoint(ClipConfig(width=8, size=12, batch=15, steps=3, warmup=1), pairs)
    list(clip_model.run(ClipConfig(width=8, size=12, batch=15, steps=3, warmup=1), pairs, checkpoint.state))
    return checkpoint


@pytest.fixture(scope="module")
def whole(clip, pairs) -> Unclip:
    prior, decoder = unclip_model.new_prior(PRIOR, clip, pairs), unclip_model.new_decoder(DECODER, clip, pairs)
    list(image_model.run(PRIOR, unclip_model.prior_examples(clip, pairs), prior.state))
    list(image_model.run(DECODER, unclip_model.decoder_examples(clip, pairs), decoder.state))
    return unclip_model.assemble(clip, prior, decoder)


def test_scaled_vectors_have_numbers_of_unit_rms():
    torch.testing.assert_close(scaled(torch.tensor([[3.0, 0, 4, 0]])), torch.tensor([[1.2, 0, 1.6, 0]]))


def test_an_empty_caption_is_unconditional(whole):
    x, sigma = torch.randn(2, 12, generator=torch.Generator().manual_seed(0)), torch.tensor([1.0, 2.0])
    torch.testing.assert_close(
        whole.prior(x, sigma, unclip_model.caption_condition(whole, ["", "!"])), whole.prior(x, sigma, None)
    )
    steps = unclip_model.sample_prior(whole, [""], scale=1.0, steps=3)
    alone = image_model.sampler_steps(
        whole.prior, samplers.start((1, 12), image_model.SIGMA_MAX, 1.0, 0), "dpmpp_2m", 3, 0
    )
    torch.testing.assert_close(samplers.last(steps), samplers.last(alone))


def test_a_caption_without_a_known_word_is_refused_and_named(whole, refused):
    with refused("caption_unknown_words", caption="zebra"):
        unclip_model.generate(whole, ["zebra"], steps=2)


def test_with_a_prior_that_knows_the_vector_the_picture_is_the_decoder_told_that_vector(whole, pairs):
    """An exact prior of one picture's vector takes the place of the learned one."""
    vector = unclip_model.image_vectors(whole, unit(pairs.images[3:4]))
    exact = EmpiricalDenoiser(vector)
    oracle = replace(whole, prior=lambda x, sigma, cond=None: exact(x, sigma))
    torch.testing.assert_close(
        unclip_model.generate(oracle, ["1 below"], steps=4, scale=1.5),
        samplers.last(unclip_model.sample_decoder(whole, vector, scale=1.5, steps=4)),
        atol=1e-4, rtol=1e-4,
    )  # fmt: skip


def test_picture_k_of_a_seed_does_not_depend_on_how_many_are_drawn(whole):
    two, one = (
        unclip_model.generate(whole, captions, steps=3, seed=5) for captions in (["1 above", "2 below"], ["1 above"])
    )
    torch.testing.assert_close(two[:1], one, atol=1e-5, rtol=1e-5)


def test_a_negative_caption_leads_the_prior_and_is_none_when_it_is_the_caption(whole):
    away, same, unguided = (
        samplers.last(unclip_model.sample_prior(whole, ["1 above"], *guided, steps=3))
        for guided in (("2 below", 7.0), ("1 above", 7.0), ("", 1.0))
    )
    assert (away - unguided).abs().max() > 1e-4
    torch.testing.assert_close(same, unguided, atol=1e-5, rtol=1e-5)


def test_where_the_prior_is_skipped_a_negative_caption_leads_the_decoder_by_its_own_vector(whole):
    own, away = (unclip_model.caption_condition(whole, [caption])["embed"] for caption in ("1 above", "2 below"))
    torch.testing.assert_close(
        unclip_model.generate(whole, ["1 above"], "2 below", steps=3, skip_prior=True),
        samplers.last(unclip_model.sample_decoder(whole, own, away, scale=4.0, steps=3)),
    )


def test_without_the_prior_the_decoder_is_told_the_captions_own_vector(whole):
    own = unclip_model.caption_condition(whole, ["1 above"])["embed"]
    torch.testing.assert_close(
        unclip_model.generate(whole, ["1 above"], steps=3, skip_prior=True),
        samplers.last(unclip_model.sample_decoder(whole, own, scale=4.0, steps=3)),
    )


def test_between_two_vectors_lies_the_arc_at_constant_speed():
    a, b = scaled(torch.eye(4, dtype=torch.float64)[:2])
    way = slerp(a, b, torch.linspace(0, 1, 5, dtype=torch.float64))
    torch.testing.assert_close(way[[0, -1]], torch.stack([a, b]))
    torch.testing.assert_close(way.norm(dim=1), torch.full((5,), 2.0, dtype=torch.float64))
    steps = F.cosine_similarity(way[1:], way[:-1], dim=1).acos()
    torch.testing.assert_close(steps, torch.full((4,), math.pi / 8, dtype=torch.float64))


def test_between_a_vector_and_itself_nothing_changes():
    a = scaled(torch.ones(1, 3))[0]
    torch.testing.assert_close(slerp(a, a, torch.tensor([0.0, 0.3, 1.0])), a.expand(3, -1))


def test_a_decoder_of_another_clip_is_refused(clip, pairs, refused):
    other = clip_model.new_checkpoint(ClipConfig(width=8, size=12, batch=15, steps=3, seed=1), pairs)
    prior, decoder = unclip_model.new_prior(PRIOR, clip, pairs), unclip_model.new_decoder(DECODER, other, pairs)
    with refused("unclip_other_clip", part="decoder"):
        unclip_model.assemble(clip, prior, decoder)
    with refused("checkpoint_no_part", part="prior"):
        unclip_model.assemble(clip, decoder, decoder)


def test_a_decoder_begins_with_the_weights_of_another_model_as_far_as_they_fit(clip, pairs, refused):
    one, other = (unclip_model.new_decoder(replace(DECODER, seed=seed), clip, pairs) for seed in (0, 1))
    assert unclip_model.copy_weights(one, other) == sum(value.numel() for value in other.denoiser.state_dict().values())
    for name, value in other.denoiser.state_dict().items():
        assert torch.equal(one.state.model.state_dict()[name], value)
    with refused("start_other_kind"):
        unclip_model.copy_weights(one, unclip_model.new_prior(PRIOR, clip, pairs))


def test_a_decoder_begins_with_the_embedding_of_attributes_that_vectors_decide(clip, pairs):
    net = make_network("unet", side=8, channels=3, attributes=[8], **size_options("unet", "tiny"))
    other, images = SimpleNamespace(denoiser=SimpleNamespace(net=net)), unit(pairs.images)
    attributes, vectors = torch.arange(16)[:, None] // 2, scaled(clip_queries.image_vectors(clip.state.ema, images))
    target, errors = net.conditioning.attributes(attributes, 16), []
    for blur in (0.0, 10.0):
        decoder = unclip_model.new_decoder(replace(DECODER, blur=blur), clip, pairs)
        unclip_model.fit_condition(decoder, other, clip.state.ema, images, attributes)
        errors.append((decoder.denoiser.net.conditioning.vector(vectors, 16) - target).square().mean())
    spread = (target - target.mean(0)).square().mean()
    assert errors[0] < 0.4 * spread < 0.9 * errors[1]


def test_a_decoder_is_told_vectors_with_as_much_noise_as_its_plan_says(clip, pairs):
    chosen = torch.zeros(4000, dtype=torch.long)
    examples = (unclip_model.decoder_examples(clip, pairs, blur) for blur in (0.0, 0.4))
    plain, blurred = (some.condition(chosen, torch.Generator().manual_seed(0))["embed"] for some in examples)
    assert plain.std(0).max() == 0 and (blurred - plain).std(0).mean().item() == pytest.approx(0.4, rel=0.02)


@pytest.mark.parametrize(
    "blur",
    [math.nan, -1.0, math.inf],
)
def test_a_blur_that_no_noise_has_is_refused(blur, refused):
    with refused("train_setting", name="blur"):
        _ = replace(DECODER, blur=blur).train


def test_a_decoder_has_a_size_that_its_network_comes_in(clip, pairs, refused):
    with refused("unknown_network_size", network="dit", size="patched", known="tiny, small, large"):
        unclip_model.new_decoder(replace(DECODER, network="dit", size="patched"), clip, pairs)


@pytest.mark.slow
def test_a_half_goes_on_bit_for_bit(clip, pairs):
    learnt = unclip_model.prior_examples(clip, pairs)
    straight, part = unclip_model.new_prior(PRIOR, clip, pairs), unclip_model.new_prior(PRIOR, clip, pairs)
    list(image_model.run(PRIOR, learnt, straight.state))
    list(islice(image_model.run(PRIOR, learnt, part.state), 2))
    part = from_bytes(to_bytes(part))
    list(image_model.run(PRIOR, learnt, part.state))
    assert to_files(part) == to_files(straight)


@pytest.mark.slow
def test_one_batch_of_vectors_is_learned(clip, pairs):
    """The prior's loss on a few pairs falls far below what not knowing the caption leaves."""
    plan = PriorConfig(batch=64, steps=150, warmup=10, lr=2e-3, label_dropout=0.0)
    checkpoint = unclip_model.new_prior(plan, clip, pairs)
    losses = [state.loss for state in image_model.run(plan, unclip_model.prior_examples(clip, pairs), checkpoint.state)]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
