"""Clips of people: motions, faults, held-out combinations, and their captions."""

import pytest
import torch

from core.data import people_captions, video, video_captions
from core.data.people import ATTRIBUTES
from core.data.video import COLUMN, FAULTS, FRAMES, MOTIONS, draw, paths
from core.data.video_captions import Named, all_faults, caption, choose, parse


def clean(motion: str, n: int = 4) -> torch.Tensor:
    """Clean clips of a motion."""
    clips = draw(60 * n, seed=1, held_out=None, spoiled=0)
    return clips.frames[clips.motions == MOTIONS.index(motion)][:n]


def test_clip_k_depends_neither_on_the_number_of_clips_nor_on_the_first():
    whole, part = draw(300, seed=2), draw(20, seed=2, first=250)
    for name in ("frames", "attributes", "visible", "motions", "faults"):
        assert torch.equal(getattr(whole, name)[250:270], getattr(part, name))


def test_a_description_is_that_of_the_drawn_clip():
    drawn, described = draw(40, seed=3), video.describe(40, seed=3)
    assert torch.equal(drawn.motions, described.motions) and torch.equal(drawn.faults, described.faults)
    assert described.frames.shape == (40, 0)


def test_who_stands_does_not_change():
    frames = clean("stands")
    assert (frames == frames[:, :1]).all()


def test_who_walks_moves_by_a_pixel_from_frame_to_frame():
    for motion, step in (("walks_left", -1), ("walks_right", 1)):
        clothes = clean(motion)[:, :, :, -2:]  # below the head, which bobs
        shifted = clothes[:, :-1].roll(step, -1)
        same = (shifted == clothes[:, 1:])[..., 1:-1].double().mean()
        assert same > 0.95 > (clothes[:, :-1] == clothes[:, 1:]).double().mean(), motion


def test_who_talks_moves_the_mouth_alone():
    frames = clean("talks").float()
    changed = (frames != frames[:, :1]).any((0, 1, 2)).nonzero()
    assert len(changed) and changed[:, 0].min() >= 9 and changed[:, 0].max() <= 11
    assert changed[:, 1].min() >= 6 and changed[:, 1].max() <= 9


def test_a_hat_moves_only_on_a_person_with_one():
    clips = draw(2000, seed=4, held_out=None)
    of_hats = torch.tensor([name in video.OF_HATS for name in MOTIONS])[clips.motions]
    assert of_hats.sum() > 200 and (clips.attributes[of_hats, COLUMN["hat"]] > 0).all()


def test_all_motions_are_about_equally_frequent():
    counts = torch.bincount(draw(4000, seed=5).motions, minlength=len(MOTIONS)) / 4000
    assert (counts - 1 / len(MOTIONS)).abs().max() < 0.04


@pytest.mark.parametrize("held_out", [True, False])
def test_held_out_combinations_are_drawn_only_where_they_are_asked_for(held_out):
    clips = draw(500, seed=6, held_out=held_out)
    assert (video.is_held_out(clips.attributes, clips.motions) == held_out).all()


def test_one_clip_in_four_is_spoiled_and_by_each_fault():
    faults = draw(4000, seed=7).faults
    assert abs(faults.any(1).double().mean() - 0.25) < 0.02
    assert (faults.double().mean(0) > 0.02).all() and faults.sum(1).max() == 2


def test_who_stands_does_not_freeze():
    clips = draw(2000, seed=8, spoiled=1)
    assert not clips.faults[clips.motions == MOTIONS.index("stands"), FAULTS.index("frozen")].any()


def test_each_fault_spoils_in_its_way():
    clip = draw(1, seed=9, spoiled=0).frames[0].float() / 255
    spoilt = {name: spoil(clip, 11) for name, spoil in video.SPOIL.items()}
    edges = {name: each.diff(dim=-1).abs().mean() for name, each in {**spoilt, "clean": clip}.items()}
    assert edges["blurred"] < 0.6 * edges["clean"] < edges["noisy"]
    assert spoilt["washed_out"].std() < 0.4 * clip.std()
    assert spoilt["flickering"].mean((1, 2, 3)).diff().abs().min() > 0.15
    assert (spoilt["frozen"][4:] == spoilt["frozen"][4]).all()
    assert (spoilt["torn"][:, :, :5] == clip[:, :, :5]).all() and (spoilt["torn"] != clip).any()


def test_no_motion_leads_farther_than_the_margin():
    every = torch.arange(len(MOTIONS))
    whole = sum(paths(every, group) for group in ("person", "head", "hat"))
    assert whole.shape == (len(MOTIONS), FRAMES, 2) and whole.abs().max() <= video._MARGIN


def test_what_cannot_be_judged_is_a_lifted_hat_and_a_mouth_that_talks():
    clips = draw(400, seed=10, spoiled=0)
    shown = video.judged(clips.attributes, clips.visible, clips.motions)
    on = clips.motions == MOTIONS.index("hat_comes_on")
    assert not shown[on][:, 0, COLUMN["hat"]].any() and shown[on][:, -1, COLUMN["hat"]].all()
    assert not shown[clips.motions == MOTIONS.index("talks")][..., COLUMN["mouth"]].any()


@pytest.mark.parametrize("n", [0, video.MOST + 1])
def test_a_number_of_clips_that_cannot_be_drawn_is_refused(refused, n):
    with refused("video_count", n=n):
        draw(n)


def test_a_share_that_is_none_is_refused(refused):
    with refused("video_spoiled", share=1.5):
        draw(1, spoiled=1.5)


# Captions


@pytest.mark.parametrize("language", people_captions.LANGUAGES)
def test_what_a_caption_says_is_read_from_it(language):
    clips = video.describe(200, seed=12)
    for k in range(200):
        named = choose(clips, k, k)
        read = parse(caption(named, language, k))
        assert (dict(named.person), named.motion, set(named.faults)) == (
            read.named.person, read.named.motion, set(read.named.faults)
        )  # fmt: skip
        assert not read.unknown


def test_half_of_the_captions_of_spoiled_clips_say_so():
    clips = video.describe(2000, seed=13, spoiled=1)
    share = sum(bool(choose(clips, k, k).faults) for k in range(2000)) / 2000
    assert abs(share - 0.5) < 0.04


def test_a_caption_of_a_clean_clip_names_no_fault():
    clips = video.describe(200, seed=14, spoiled=0)
    assert not any(choose(clips, k, k).faults for k in range(200))


@pytest.mark.parametrize("language", people_captions.LANGUAGES)
def test_the_long_list_names_every_fault(language):
    assert set(parse(all_faults(language)).named.faults) == {"spoiled", *FAULTS}


def test_a_caption_of_two_motions_is_refused(refused):
    with refused("video_motions", first="walking left", second="jumping"):
        parse("a person with a hat walking left, jumping")


@pytest.mark.parametrize("text", ["", "  ", "x" * 1001])
def test_a_caption_that_is_none_is_refused(text):
    with pytest.raises(ValueError):
        parse(text)


def test_words_that_name_nothing_are_reported():
    assert parse("a person with wings, dancing, nods").unknown == ("wings", "dancing")


def test_english_and_chinese_may_be_mixed():
    read = parse("一个戴 red hat 的人，向左走, blurred")
    assert read.named == Named({"hat": "hat", "hat_colour": "red"}, "walks_left", ("blurred",)), read
    assert set(read.named.person) <= set(ATTRIBUTES) and read.language == "zh"
    assert video_captions.parse("jumping").named.motion == "jumps"
