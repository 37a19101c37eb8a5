"""People trained live: what a snapshot shows, what counts as recognised, and how soon they can be."""

import pytest
import torch

from core.data.people import ATTRIBUTES, draw
from core.models import images as image_model
from core.models import live_images, live_people
from core.models.images import ImageConfig
from core.runs.progress import Progress

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


def begun() -> Progress:
    return Progress(image_model.new_checkpoint(live_people.CONFIG, live_people.images()).state)


def test_a_snapshot_shows_people_on_their_way_from_noise():
    shot = live_people.snapshot(begun(), steps=3)
    assert shot.pixels.shape == (4, live_people.SHOWN, 16, 16, 3) and shot.step == 0 and len(shot.losses) == 0
    assert torch.equal(shot.pixels, live_people.snapshot(begun(), steps=3).pixels)


def test_the_people_whose_attributes_are_asked_for_would_all_be_recognised():
    assert live_people.recognise(draw(live_people.SHOWN, live_people._PLACE).images).sum() >= live_people.SHOWN - 1
    noise = torch.randn(live_people.SHOWN, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert live_people.recognise(noise).sum() <= live_people.SHOWN / 2
    assert set(live_people.READ) <= set(ATTRIBUTES)


def test_a_checkpoint_of_a_run_can_be_trained_on_and_one_of_another_network_cannot(refused):
    progress = next(live_images.run(live_people.CONFIG, live_people.images(), begun()))
    found = live_people.config_of(live_images.checkpoint_of(progress, live_people.CONFIG, live_people.images()))
    assert found == ("unet", live_people.CONFIG)
    other = image_model.new_checkpoint(ImageConfig(size="tiny"), live_people.images())
    with refused("live_people_other"):
        live_people.config_of(other)
