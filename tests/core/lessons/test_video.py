"""The lesson of video: captions that are understood, real clips, films, and what ships."""

import pytest
import torch

from core.data import video_captions
from core.data.images import unit
from core.data.video import FAULTS, FRAMES, MOTIONS
from core.lessons import video as lesson
from core.lessons.video import ClipFilm, ClipRequest
from core.models import video_judge

QUICK = ("a person with a red cap, jumping",)


def test_the_examples_are_plain_captions_that_name_the_same_in_each_language():
    parsed = {language: [video_captions.parse(each) for each in some] for language, some in lesson.CAPTIONS.items()}
    for english, chinese in zip(parsed["en"], parsed["zh"], strict=True):
        assert english.named == chinese.named and english.named.motion and english.named.person
        assert not english.named.faults and not english.unknown + chinese.unknown


@pytest.mark.parametrize("language", lesson.CAPTIONS)
def test_the_words_of_a_negative_prompt_name_faults(language: str):
    assert video_captions.parse(lesson.WORD[language]).named.faults == (video_captions.SPOILED,)
    assert set(video_captions.parse(video_captions.all_faults(language)).named.faults) >= set(FAULTS)


def test_there_is_a_clean_clip_of_each_motion_and_each_fault_changes_it():
    clips = lesson.clips_of_motions(0)
    assert clips.motions.tolist() == list(range(len(MOTIONS))) and not clips.faults.any()
    clean, spoiled = lesson.spoiled_clips(0)
    assert len(spoiled) == len(FAULTS) and (spoiled != clean.frames).flatten(1).any(1).all()


def test_a_caption_of_a_motion_says_the_motion_and_who_is_seen():
    for motion in MOTIONS:
        for language in lesson.CAPTIONS:
            named = video_captions.parse(lesson.caption_of_motion(motion, language)).named
            assert (named.motion, named.person) == (motion, {name: lesson.SHOWN[name] for name in lesson.NAMED})


def test_over_time_who_stands_gives_vertical_stripes_and_who_walks_slanted_ones():
    still = lesson.over_time(lesson.real_clip("stands"), 5)
    assert still.shape == (3, FRAMES, 16) and still.equal(still[:, :1].expand_as(still))
    walking = lesson.over_time(lesson.real_clip("walks_right"), 14)  # the clothes, which do not bob
    assert walking[:, 1:, 1:].equal(walking[:, :-1, :-1]) and not walking[:, 1:].equal(walking[:, :-1])


def test_a_film_keeps_all_states_or_the_newest():
    x = torch.zeros(1, FRAMES, 3, 16, 16)
    for whole, kept in ((True, 3), (False, 1)):
        film = ClipFilm(ClipRequest(QUICK, steps=2, whole=whole))
        assert not film.done and film.clips.shape == (1, FRAMES, 3, 16, 16)
        for sigma in (80.0, 1.0, 0.0):
            film = film.add(sigma, x, x)
        assert film.done and len(film.x) == kept
        assert film.at(0).done != whole  # a film of one state is shown as it is


def test_films_of_one_noise_end_alike_with_and_without_the_states_on_the_way():
    first, second = (ClipRequest(QUICK, steps=2, whole=whole) for whole in (True, False))
    *_, (one, other) = lesson.make_films([first, second])
    assert one.done and other.done and one.clips.equal(other.clips)


# What ships


def test_all_that_the_page_opens_with_ships():
    shipped = lesson.shipped_films()
    missing = [request for speaks in lesson.CAPTIONS for request in lesson.first_requests(speaks)
               if request not in shipped or not shipped[request].done]  # fmt: skip
    assert not missing, "run `python -m core.lessons.video` again"


@pytest.mark.slow
def test_a_shipped_clip_is_what_the_model_draws():
    request = lesson.motion_request("walks_right", "en")
    *_, (film,) = lesson.make_films([request])
    apart = (film.clips.int() - lesson.shipped_films()[request].clips.int()).abs()
    assert apart.float().mean() < 2  # of 255: it is rounded, and processors differ


def test_attention_across_time_keeps_who_stands_from_flickering():
    found = lesson.measured()
    assert found["apart"].flicker >= 5 * found["together"].flicker
    together, apart = (video_judge.flicker(unit(lesson.shipped_films()[request].clips))
                       for request in lesson.first_requests("en")[2:4])  # fmt: skip
    assert apart >= 5 * together


def test_a_negative_prompt_that_names_the_faults_leaves_fewer_of_them():
    found = lesson.measured()
    assert found["real"].spoiled <= 0.02
    assert max(found[name].spoiled for name in ("list_en", "list_zh")) < found["plain"].spoiled / 2
    assert found["word"].spoiled <= 0.02


@pytest.mark.parametrize("speaks", lesson.CAPTIONS)
def test_the_four_panels_of_a_negative_prompt_show_what_the_numbers_say(speaks: str):
    films = [lesson.shipped_films()[request] for request in lesson.negative_requests(speaks, lesson.WORD[speaks])]
    spoiled = [int(lesson.verdict_of(film).spoiled.sum()) for film in films]
    assert spoiled[0] >= 2 and spoiled[-1] == 0
