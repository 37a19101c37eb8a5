"""The video model: its text encoder, how it begins, its training, its judges and its measures."""

from dataclasses import replace

import pytest
import torch

from core.data import video
from core.data.images import unit
from core.data.people import ATTRIBUTES
from core.data.video_captions import all_faults
from core.models import video as video_model
from core.models import video_judge, video_queries, video_text
from core.models.model import SHIPPED, open_checkpoint
from core.models.video import VideoConfig
from core.models.video_judge import JudgeConfig
from core.models.video_text import GROUPS, TextConfig, text_encoder
from core.networks.video import VideoUNet

SMALL = VideoConfig(width=8, batch=4, steps=2)


@pytest.fixture(scope="module")
def text():
    return open_checkpoint(SHIPPED / "video-text")


@pytest.fixture(scope="module")
def encoder(text):
    return text_encoder(text)


# The text encoder


def test_the_shipped_text_encoder_reads_captions_of_both_languages(encoder):
    assert video_text.accuracy(encoder, 600).min() > 0.98


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_text_encoder_reads_the_long_list_of_faults(encoder, language):
    read = dict(zip(GROUPS, encoder.read([all_faults(language)])[0].tolist(), strict=True))
    assert [name for name, value in read.items() if value] == ["spoiled", *video.FAULTS]


def test_no_caption_is_no_condition_and_words_without_end_are_padded(encoder):
    cond = encoder.encode(["", "jumping", "a person with a red hat, jumping"])
    assert cond["embed"][0].isnan().all() and cond["tokens"][0].isnan().all()
    assert (
        cond["tokens"].shape[1] == 7 and not cond["tokens"][1, 0].isnan().any() and cond["tokens"][1, 1:].isnan().all()
    )


def test_the_vector_of_a_caption_is_the_probability_of_each_value(encoder):
    (vector,) = encoder.encode(["a person with a red hat, jumping"])["embed"]
    parts = vector.split([len(values) + 1 for values in GROUPS.values()])
    torch.testing.assert_close(torch.stack([part.sum() for part in parts]), torch.ones(len(parts)))
    assert parts[list(GROUPS).index("motion")].argmax() == 1 + video.MOTIONS.index("jumps")


def test_training_the_text_encoder_resumes_bit_for_bit():
    config = TextConfig(width=8, size=8, batch=8, steps=2)
    whole, halves = video_text.new_checkpoint(config), video_text.new_checkpoint(config)
    for _ in video_text.run(config, whole):
        pass
    next(video_text.run(config, halves))
    for _ in video_text.run(config, halves):
        pass
    assert all(map(torch.equal, whole.state.ema.parameters(), halves.state.ema.parameters()))


def test_a_run_of_the_text_encoder_goes_on_with_more_steps_and_the_same_network(refused):
    made = video_text.new_checkpoint(TextConfig(width=8, size=8, batch=8, steps=2))
    longer = video_text.resume(made, TextConfig(width=8, size=8, batch=8, steps=3))
    assert longer.config["text"]["steps"] == longer.config["train"]["steps"] == 3
    with refused("resume_other_network"):
        video_text.resume(made, TextConfig(width=16, size=8, batch=8))


# The model


def test_it_begins_as_the_image_model_of_people(text, encoder):
    image = open_checkpoint(SHIPPED / "people").denoiser.net
    network = VideoUNet(*_like(image, text))
    video_model.begin(network, image, text)
    wanted = {"hat": "top_hat", "hat_colour": "red"}
    columns = [[list(values).index(wanted[name]) if name in wanted else -1 for name, values in ATTRIBUTES.items()]]
    x, level = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.zeros(1)
    with torch.no_grad():
        known = image(x, level, {"attributes": torch.tensor(columns)})
        read = -network.image(x, level, encoder.encode(["a person with a red top hat"]))[:, :3]
        nothing = -network.image(x, level, None)[:, :3]
    assert (read - known).square().mean() < 0.05 * (nothing - known).square().mean()


def _like(image, text):
    network = video_model.new_checkpoint(VideoConfig(batch=2), text).config["network"]
    from core.networks import make_network

    made = make_network(**network)
    return made.image, made.frames, network["token"], 0


def test_an_image_model_of_other_sizes_is_refused(refused, text):
    with refused("video_image_model"):
        video_model.new_checkpoint(SMALL, text, open_checkpoint(SHIPPED / "people"))
    with refused("video_image_model"):
        video_model.new_checkpoint(VideoConfig(), text, open_checkpoint(SHIPPED / "fashion"))


def test_training_resumes_bit_for_bit(text, encoder):
    whole, halves = (video_model.new_checkpoint(SMALL, text) for _ in range(2))
    for _ in video_model.run(SMALL, encoder, whole.state):
        pass
    next(video_model.run(SMALL, encoder, halves.state))
    for _ in video_model.run(SMALL, encoder, halves.state):
        pass
    assert all(map(torch.equal, whole.state.ema.parameters(), halves.state.ema.parameters()))


def test_weights_between_frames_change_the_loss_of_a_clip_but_not_of_one_whose_errors_agree(text, encoder):
    model = video_model.new_checkpoint(SMALL, text).denoiser
    x0, sigma, eps, cond = video_model.batches(SMALL, encoder)(0)
    plain, weighted = (video_model.clip_loss(each, model, (x0, sigma, eps, cond)) for each in (1.0, 4.0))
    torch.testing.assert_close(plain, model.loss(x0, sigma, eps, cond))
    assert (weighted > plain).all()
    apart = cond | {"apart": torch.ones(len(x0), dtype=torch.long)}
    torch.testing.assert_close(
        video_model.clip_loss(4.0, model, (x0, sigma, eps, apart)), model.loss(x0, sigma, eps, apart)
    )
    model.forward = lambda x, sigma, cond: x0 + 0.1
    agree = [video_model.clip_loss(each, model, (x0, sigma, eps, cond)) for each in (1.0, 4.0)]
    torch.testing.assert_close(*agree, rtol=1e-4, atol=0)


def test_two_processes_take_half_of_each_batch(encoder):
    from core.runs.distributed import Team

    whole = video_model.batches(SMALL, encoder)(3)
    for rank in range(2):
        part = video_model.batches(SMALL, encoder, Team(rank, 2))(3)
        for one, other in zip(whole[:3], part[:3], strict=True):
            assert torch.equal(one[rank::2], other)
        torch.testing.assert_close(whole[3]["embed"][rank::2], part[3]["embed"], equal_nan=True)


def test_clip_k_does_not_depend_on_the_number_of_clips(text, encoder):
    made = video_model.new_checkpoint(SMALL, text)
    model = video_queries.load(made, text)
    how = video_queries.Sampling(scale=2.0, negative="blurred", steps=2)
    three, two = (model.sample(["jumping", "nods", "talking"][:n], how) for n in (3, 2))
    torch.testing.assert_close(three[:2], two)
    assert three.shape == (3, *video.SHAPE)


@pytest.mark.parametrize("setting", [{"shift": 0.0}, {"apart": 2.0}, {"batch": 1}, {"std": 0.0}])
def test_settings_that_no_run_can_have_are_refused(refused, setting):
    with refused("train_setting", name=next(iter(setting))):
        _ = VideoConfig(**setting).train


# What is asked for


def test_requests_name_what_the_captions_say_and_what_can_be_judged():
    wanted = video_queries.requests(60, seed=1, held_out=True)
    real = video.describe(60, _seed_of(1), held_out=True, spoiled=0)
    assert torch.equal(wanted.motions, real.motions)
    named = wanted.attributes >= 0
    assert named.any(2).any(1).all() and (named.any(1).sum(1) <= 5).all()
    assert (wanted.attributes == real.attributes[:, None])[named].all()


def _seed_of(seed: int) -> int:
    from core import seeds

    return seeds.mix(seed, video_queries._PLACE)


def test_a_caption_is_checked_before_clips_are_drawn(refused, text):
    model = video_queries.load(video_model.new_checkpoint(SMALL, text), text)
    assert [note.code for note in video_queries.notes(model, "a person with wings")] == [
        "video_unknown_words", "video_no_motion"
    ]  # fmt: skip
    assert not video_queries.notes(model, "a person with a red hat, nodding", "blurred")
    with refused("video_same_negative"):
        video_queries.notes(model, "Jumping", "jumping ", scale=2.0)
    with refused("video_frames", frames=16, made=8):
        video_queries.check_frames(model, 16)


def test_a_text_encoder_of_other_sizes_is_refused(refused, text):
    other = video_text.new_checkpoint(TextConfig(width=8))
    with refused("video_other_text"):
        video_queries.load(video_model.new_checkpoint(SMALL, text), other)


# Judges and measures


def test_the_shipped_judges_read_held_out_clean_clips():
    clips = video.draw(1000, seed=21, held_out=True, spoiled=0)
    found = video_judge.judge(unit(clips.frames), *video_queries.judges())
    assert (found.motions == clips.motions).double().mean() >= 0.98
    assert found.spoiled.double().mean() <= 0.02
    shown = video.judged(clips.attributes, clips.visible, clips.motions)
    right = (found.attributes == clips.attributes[:, None])[shown]
    assert right.double().mean() >= 0.98


def test_the_shipped_judge_finds_spoiled_clips():
    clips = video.draw(1000, seed=22, held_out=None, spoiled=1)
    found = video_judge.judge(unit(clips.frames), *video_queries.judges())
    assert found.spoiled.double().mean() >= 0.98
    assert (found.faults == clips.faults).double().mean() >= 0.97


def test_a_judge_learns():
    config = JudgeConfig("clips", width=16, batch=16, steps=12, warmup=2)
    losses = [state.loss for state in video_judge.run(config, video_judge.new_checkpoint(config).state)]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_flicker_is_0_for_who_stands_and_measures_what_changes():
    still = torch.zeros(1, 8, 3, 16, 16)
    blinking = still.clone()
    blinking[:, ::2] = 1.0
    assert video_judge.flicker(still).item() == 0 and video_judge.flicker(blinking).item() == 0.5


def test_sharpness_contrast_and_motion_order_clips():
    clean = unit(video.draw(64, seed=23, spoiled=0).frames)
    grey = clean / 3
    assert (video_judge.contrast(grey) < 0.4 * video_judge.contrast(clean)).all()
    assert (video_judge.sharpness(grey) < 0.4 * video_judge.sharpness(clean)).all()
    assert video_judge.moved(clean[:, :1].expand_as(clean)).max() == 0


def test_a_run_may_begin_with_another_video_model(refused, text):
    first = video_model.new_checkpoint(SMALL, text)
    made = video_model.new_checkpoint(replace(SMALL, seed=1), text, start=first)
    assert all(map(torch.equal, made.state.model.parameters(), first.state.ema.parameters()))
    with refused("resume_other_network"):
        video_model.new_checkpoint(replace(SMALL, width=16), text, start=first)
    with refused("checkpoint_no_part", part="video"):
        video_model.new_checkpoint(SMALL, text, start=text)
