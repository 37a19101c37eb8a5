"""The lab's scene: each side on the common clock, arrows from end to end, and what its controls mean."""

import pytest
import torch

from core.diffusion.samplers import SamplerConfig
from core.lessons import lab as lab_lesson
from core.lessons.guidance import GuidanceConfig
from core.models.trajectories import PointModel
from pages.ui.lessons import lab as lesson
from pages.ui.lessons.lab import ANY, EVERYWHERE, NO_CLASS, OWN, Config


def test_a_side_that_starts_lower_waits_at_its_own_noise_level():
    scene = lesson.two_sides(Config(an=2, bn=2, btop=1.0))
    first, second = (panel.layers[1].xy for panel in scene.panels[:2])
    assert scene.clock.values[0] == 10 and first[0].std().item() == pytest.approx(1.0, abs=0.05)
    assert second[0].std().item() == pytest.approx(0.78, abs=0.05)
    waiting = scene.clock.values >= 1
    assert torch.equal(second[0].expand_as(second[waiting]), second[waiting])


def test_the_third_panel_joins_the_ends_of_the_same_particle():
    config = Config(an=4, bn=4)
    first, second = lesson.results(config)
    arrows = lesson.two_sides(config).panels[2].layers[1]
    torch.testing.assert_close(arrows.at + arrows.by, second.samples[: lesson.ARROWS])
    assert torch.equal(arrows.at, first.samples[: lesson.ARROWS])


@pytest.mark.parametrize(
    ("given", "meant"),
    [((ANY, NO_CLASS, 1.0, EVERYWHERE), GuidanceConfig()),
     (("cat", "dog", 3.0, (0.1, 2.0)), GuidanceConfig(2, 1, 3.0, (0.1, 2.0))),
     (("cat", "spiral-classes-50", 3.0, EVERYWHERE), GuidanceConfig(2, None, 3.0, None, "spiral-classes-50")),
     (("cat", NO_CLASS, 3.0, (1.0, 1.0)), GuidanceConfig(2))],
)  # fmt: skip
def test_controls_mean_guidance(given, meant):
    assert lesson.guidance_of(*given) == meant


def test_a_learners_own_model_stands_on_the_side_that_asks_for_it():
    config, exact = Config(bmodel=OWN), lab_lesson.model_of("exact")
    own = PointModel("own", exact.denoise, exact.points)
    assert config.side("b", own).model == own and config.side("a", own).model != own
    assert config.side("b").model == config.side("a").model


def test_each_side_has_its_own_sampler():
    config = Config(akind="heun", an=5, bkind="eta_interpolated", beta=0.3, btop=2.0, seed=4)
    assert config.side("a").sampler == SamplerConfig("heun", 5, seed=4)
    assert config.side("b").sampler == SamplerConfig("eta_interpolated", 64, 0.3, 2.0, seed=4)
