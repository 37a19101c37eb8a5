"""The scenes of chapter 8: what they show follows from the configuration, and the panels of a live run."""

from functools import partial

import pytest
import torch

from core.data import drawings
from core.lessons import clip as clip_lesson
from core.lessons.clip import Snapshot
from core.models import clip_space
from pages.ui.lessons import clip, clip_live, clip_zero_shot
from pages.ui.lessons.clip_drawing import painted
from pages.ui.lessons.clip_map import SYMBOLS

Config = partial(clip.Config, data="emoji")

SQUARE = [[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75], [0.25, 0.25]]]


def images(scene, panel=-1):
    return scene.panels[panel].layers[0]


def test_a_snapshot_shows_its_loss_beside_the_matrix_once_there_is_one():
    cosines = torch.eye(clip_lesson.N).expand(3, 2, -1, -1)
    snapshot = Snapshot(30, torch.tensor([0, 10, 30]), cosines, torch.tensor([4.8, 4.0, 3.0]), 10.0)
    scene = clip.train_live(Config(batch=64), snapshot)
    matrix, loss = scene.panels
    assert len(matrix.caption) == 3 and scene.clock.start == -1
    level = loss.layers[1]
    assert level.y[0] == level.y[1] and abs(level.y[0] - 4.1589) < 1e-4  # log 64
    assert len(loss.layers[0].y) == 3 and loss.marker.tolist() == [0, 10, 30]


def test_what_does_not_belong_together_is_off_the_diagonal():
    assert clip_live.mean_of_others(torch.tensor([[9.0, 1.0], [3.0, 9.0]])) == 2


@pytest.mark.slow
def test_the_pictures_found_have_their_captions_and_cosines_as_names():
    found = images(clip.retrieval(Config(text="red heart", among="held_out")))
    assert any(name.startswith("red heart, 0.") for name in found.names)
    assert found.pixels.shape == (1, 12, 32, 32, 3)


def test_a_picture_is_shown_beside_the_captions_nearest_to_it():
    scene = clip.retrieval(Config(by="picture", of="pizza"))
    assert images(scene, 0).pixels.shape == (1, 1, 32, 32, 3) and images(scene).names[0].startswith("pizza, ")


def test_without_a_picture_the_scene_is_empty_and_says_so():
    for config in (Config(by="file"), Config(by="drawing", draw="")):
        scene = clip.retrieval(config)
        assert scene.alt and not scene.panels[0].layers


def test_a_picture_from_a_file_is_asked_about():
    pizza = clip_space.pairs().images[clip_space.pairs().captions.index("pizza")]
    assert images(clip.retrieval(Config(by="file"), pixels=pizza)).names[0].startswith("pizza, ")


def test_a_drawing_is_painted_in_its_colour_and_filled_or_not():
    red = [221, 46, 68]
    full, line = (Config(by="drawing", draw=drawings.encode(SQUARE), filled=filled).pixels for filled in (True, False))
    assert full[:, 16, 16].tolist() == red and line[:, 16, 16].tolist() == [255] * 3
    assert line[:, 8, 16].tolist() == red and full[:, 2, 2].tolist() == [255] * 3
    assert torch.equal(full, painted(SQUARE, "red", filled=True))


def test_each_wording_names_the_same_pictures():
    one, other = (panel.layers[0] for panel in clip.zero_shot(Config()).panels)
    assert torch.equal(one.pixels, other.pixels) and len(one.names) == len(other.names) == 4


def test_other_examples_come_with_another_seed():
    numbers = torch.arange(len(clip_space.pairs().captions))
    assert clip_zero_shot.examples(numbers, 0) != clip_zero_shot.examples(numbers, 1)


def test_a_wording_that_cannot_be_read_is_replaced_by_the_default():
    prompts, problem = clip_zero_shot.prompts_of("alone", clip_lesson.WORDINGS[0])
    assert len(prompts) == 8 and problem.code == "clip_prompt_count"


def test_a_difference_is_two_pictures_and_its_nearest_words_in_the_alternative_text():
    scene = clip.arithmetic(Config(attribute="crown", pair=2))
    assert len(scene.panels) == 2 and "crown 0." in scene.alt


def test_words_added_to_a_picture_find_pictures():
    names = images(clip.arithmetic(Config(kind="words", start="red apple", minus="red", plus="green"))).names
    assert any(name.startswith("green apple, ") for name in names[:3])


def test_the_map_has_a_cloud_for_pictures_and_one_for_captions():
    panel = clip.vector_map(Config()).panels[0]
    assert [len(layer.xy) for layer in panel.layers] == [len(clip_lesson.without_skin_tone())] * 2
    assert set(panel.layers[0].group.tolist()) <= set(range(len(SYMBOLS)))
    assert len(clip.vector_map(Config(shown=("captions",))).panels[0].layers) == 1
    assert len(clip.vector_map(Config(shown=())).panels[0].layers) == 1


@pytest.mark.slow
def test_the_scenes_of_people_say_in_words_what_they_show():
    person = clip.Config(person=3_201)
    assert len(images(clip.retrieval(person)).names) == 12
    assert "glasses" in clip.zero_shot(person).alt
    scene = clip.arithmetic(clip.Config(thing="glasses"))
    assert len(scene.panels) == 2 and "glasses 0." in scene.alt
    assert len(clip.vector_map(clip.Config()).panels[0].layers) == 2


def test_captions_follow_the_language_of_the_page_unless_the_other_one_is_wanted():
    assert [clip.Config(captions_in=which).language for which in ("page", "other")] == ["en", "zh"]
    assert Config(captions_in="other").language == "en"
