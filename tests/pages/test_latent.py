"""Chapter 11 without a browser: what each scene draws, its controls, and its measured numbers."""

import pytest
import torch

from core.data.images import unit
from core.lessons import latent as core_lesson
from core.models import latent_quality, live_digits
from core.pretrained import pretrained
from pages.ui.frame import text
from pages.ui.frame.text import t
from pages.ui.lessons import latent as lesson
from pages.ui.lessons import latent_plane
from pages.ui.lessons.latent_config import Config
from tests.reading import group, layers, messages, panels

SHOWN = {"predictions": "false"}
PLANE, PLACE = (t(f"latent.panels.{name}") for name in ("plane", "place"))


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("latent", **address)


def test_the_plane_has_no_pictures_before_the_prediction(chapter):
    app = chapter()
    assert "heat" not in layers(panels(app)[PLANE]) and PLACE not in panels(app)
    app.button(key="_guess_between").click().run()
    assert "heat" in layers(panels(app)[PLANE]) and PLACE in panels(app)
    assert messages(app, "success")


def test_the_place_under_the_ring_is_decoded(chapter):
    first, second = (panels(chapter(**SHOWN, probe=probe))[PLACE]["caption"] for probe in ("0.5,0.5", "-1.5,-1"))
    assert first != second


def test_every_scene_opens(chapter):
    app = chapter(**SHOWN)
    for scene, count in (("weights", 8), ("field", 3), ("rebuilt", 3)):
        group(app, "show").set_value(scene).run()
        assert len(panels(app)) == count and not app.exception


def test_another_weight_is_another_run():
    one, other = (latent_plane.request_of(Config(kl=kl)) for kl in ("0.1", "0.3"))
    assert one.shipped == "digits-autoencoder" and other.shipped is None and one.key != other.key


def test_the_numbers_that_sentences_quote_are_true():
    said = text.catalogue("")["measured"]["latent"]
    made = {weight: core_lesson.shipped_plane(name) for weight, name in core_lesson.WEIGHTS.items()}
    shares = {weight: round(100 * plane.random) for weight, plane in made.items()}
    assert (shares["0.1"], shares["2"]) == (said["random_01"], said["random_2"])
    assert made["0"].spread == pytest.approx(said["spread_0"], abs=0.05)
    report = latent_quality.plane_report(
        core_lesson.space(), unit(live_digits.images().images), pretrained("digits-latent"), n=512
    )
    assert round(100 * report.samples) == said["samples"]
    assert core_lesson.rebuilt_people(256, 0).error == pytest.approx(said["rebuilt_error"], abs=0.004)
    for name in ("people-latent", "people-autoencoder"):
        pictures = pretrained(name).state.step * 64
        assert f"{pictures:,}" == said["latents_pictures" if name == "people-latent" else "autoencoder_pictures"]


def test_the_share_of_samples_without_a_digit_is_that_of_the_sentence():
    said = text.catalogue("")["measured"]["latent"]
    shown = lesson.field(Config(show="field")).panels[-1].caption
    assert t("latent.captions.read", share=said["any"] / 100) in (shown if isinstance(shown, str) else shown[-1])


def test_the_ring_has_to_be_moved_for_the_task():
    done = lesson.tasks_done(Config(show="plane"), None)
    assert not done["between"]


def test_the_field_in_a_window_holds_the_digits():
    points = core_lesson.latent_points().points
    assert (points.abs() <= core_lesson.FIELD_REACH).all(1).double().mean() > 0.98
    assert torch.isfinite(lesson.field(Config(show="field")).panels[0].layers[1].by).all()
