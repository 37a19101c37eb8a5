"""The picture of the home page."""

import numpy as np
import pytest

from core.lessons.home import BACK, OUT
from pages.ui.frame.text import t
from pages.ui.lessons.home import GUIDED, SAMPLES, SCENES, WALKS, Config, Request, result_of


def test_five_panels_stand_on_one_clock_that_goes_out_and_back():
    scene = SCENES["figure"](Config())
    assert len(scene.panels) == 5 and len(scene.clock.values) == OUT + 1 + BACK
    assert scene.clock.label == [t("home.clock.out")] * OUT + [t("home.clock.back")] * (BACK + 1)


def test_the_captions_say_how_much_is_close_to_its_target_while_it_moves():
    _, noise, _, samples, guided = (panel.caption for panel in SCENES["figure"](Config()).panels)
    shares = result_of(Request()).close[:, -1]
    assert f"{result_of(Request()).close[WALKS, 0]:.0%}" in noise[0] and noise[-1] == t("home.captions.stays")
    assert samples[0] == guided[0] == t("home.captions.waiting")
    assert f"{shares[SAMPLES]:.0%}" in samples[-1] and f"{shares[GUIDED]:.0%}" in guided[-1]


@pytest.mark.parametrize("wanted", ["person", "dog"])
def test_the_wanted_class_colours_its_arm_and_is_named(wanted):
    scene = SCENES["figure"](Config(wanted=wanted))
    arm = scene.panels[-1].layers[0]
    result = result_of(Request(wanted=wanted))
    assert arm.colour == wanted and arm.xy.shape[1] == np.sum(result.labels == ("person", "dog", "cat").index(wanted))
    assert t(f"labels.classes.{wanted}") in scene.alt
    assert t(f"labels.classes.{wanted}") in scene.panels[0].layers[0].label  # the legend of all
