"""A sampler is one entry in the registry and its function: every page, table and command that lists samplers has it."""

from functools import partial

import pytest

from core import pretrained
from core.__main__ import main
from core.diffusion import samplers
from core.diffusion.samplers import SAMPLERS, SamplerSpec
from core.lessons import image_models, lab, sampler_quality
from core.models import image_judge
from pages.ui.lessons import sampling
from tests.reading import header, panels

NAME = "my_sampler"  # without a label, so pages show this


@samplers.without_gradient
def midpoint(denoise, x, sigmas):
    """Euler's step with the slope halfway down: two network calls for each step but the last."""
    nfe = 0
    for i, (sigma, sigma_next, level) in enumerate(samplers.levels(x, sigmas)):
        x0 = denoise(x, level)
        slope = (x - x0) / sigma
        nfe += 1
        if sigma_next > 0:
            middle = (sigma + sigma_next) / 2
            half = x + (middle - sigma) * slope
            slope = (half - denoise(half, x.new_full((len(x),), middle))) / middle
            nfe += 1
        x_next = x + (sigma_next - sigma) * slope
        yield samplers.Step(i, sigma, sigma_next, x, x0, x_next, None, nfe)
        x = x_next


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(SAMPLERS, NAME, SamplerSpec(midpoint, calls=lambda steps: 2 * steps - 1, role="exact"))


@pytest.mark.slow
def test_chapter_4_offers_it_samples_with_it_and_takes_its_step_apart(open_page):
    app = open_page("sampling", predictions="false", a=NAME, na="8")
    titles = list(panels(app))
    assert NAME in app.selectbox(key="a").options and titles[0].startswith(NAME)
    scenes = {show: sampling.SCENES[show](sampling.Config(show=show, a=NAME, na=8)) for show in ("paths", "one_step")}
    assert NAME in [panel.title for panel in scenes["paths"].panels] and NAME in scenes["one_step"].alt
    assert sampling.step_of(sampling.Config(a=NAME, na=8, step=4)).higher_order


def test_the_quality_table_compares_it_by_its_network_calls(monkeypatch):
    monkeypatch.setattr(sampler_quality, "compared", lambda: ("ddim", NAME))
    model = sampling.model_of(sampling.Config(model="exact"))
    *_, rows = sampler_quality.table([model], sampling.Config().samplers[0], n=20)
    assert [row.nfe for row in rows if row.sampler == NAME] == [3, 7, 15, 31, 63, 127]


def test_the_lab_offers_it_on_both_sides_and_counts_its_network_calls(open_page):
    app = open_page("lab", predictions="false", akind=NAME, an="8")
    assert all(NAME in app.selectbox(key=f"{side}kind").options for side in "ab")
    assert NAME in header(app)["panels"][0]["title"]
    assert lab.Config(sampler=samplers.SamplerConfig(NAME, 8)).sampler.nfe == 15
    assert lab.calls(lab.Config(sampler=samplers.SamplerConfig(NAME, 8))) == 15


@pytest.mark.slow
def test_the_image_models_page_offers_it_and_samples_with_it(open_page):
    app = open_page("image_models", predictions="false", show="nearest_training_image", by=NAME, steps="2", n="4")
    assert NAME in app.selectbox(key="by").options and app.selectbox(key="by").value == NAME
    assert not app.exception and not app.error
    request = image_models.Request(NAME, (3,), steps=2)
    *_, (film,) = image_models.sample(image_models.shipped("digits"), [request])
    assert request.nfe == 3 and film.done


@pytest.mark.slow
@pytest.mark.parametrize("command", [("sample", "--out", "OUT", "--n", "2"), ("evaluate", "--n", "20")])
def test_the_command_line_accepts_it(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(image_judge, "judge", partial(image_judge.judge, steps=5))
    action, *flags = (part.replace("OUT", str(tmp_path / "sheet")) for part in command)
    given = ["--checkpoint", str(pretrained.FOLDER / "digits"), "--steps", "2", "--sampler", NAME]
    main([action, *flags, *given])
    assert (tmp_path / "sheet.png").exists() if action == "sample" else NAME in capsys.readouterr().out
