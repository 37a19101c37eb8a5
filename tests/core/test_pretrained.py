"""The shipped image models: made as it is said, whole, and small enough to ship."""

import json

import pytest

from core import imaging
from core.pretrained import FOLDER, IMAGES, images_of, pretrained

every_model = pytest.mark.parametrize("name", list(IMAGES))


@every_model
def test_a_shipped_image_model_was_made_by_the_plan_that_is_committed(name):
    checkpoint = pretrained(name)
    assert imaging.plan_of(checkpoint.config) == IMAGES[name][1]
    assert checkpoint.state.step == IMAGES[name][1].steps


@every_model
def test_its_log_reaches_its_last_step(name):
    last = json.loads((FOLDER / name / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == IMAGES[name][1].steps and last["loss"] < 0.5


@every_model
def test_it_knows_the_classes_of_its_images(name):
    assert pretrained(name).config["data"]["classes"] == list(images_of(name).classes)


def test_all_shipped_models_together_stay_below_40_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 40 * 2**20
