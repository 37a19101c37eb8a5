"""Chapter 4 without a browser: every control, what is drawn, what the captions claim, and the tasks."""

import json
import re
import struct
import time

import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.diffusion.samplers import (
    DDIM_WITH_NOISE,
    DDPM_NO_NOISE,
    ETA_INTERPOLATED,
    SAMPLERS,
    SamplerConfig,
)
from core.figures.scene import Window
from core.lessons import sampler_quality
from core.lessons import sampling as sampling_lesson
from core.models import trajectories
from pages.ui.lessons import sampler_quality as quality_scenes
from pages.ui.lessons import sampling as sampling_scenes
from pages.ui.runs import training_run
from tests.reading import done, group, layers, panels

torch.set_num_threads(1)  # as the app does: its walks go two at a time

SHOWN = {"predictions": "false"}
SAID = re.compile(r"(\d+) calls: (\d+) of 100 points · std ([\d.]+)")
SCENES = ("clouds", "one step", "paths", "whose step", "SDE and ODE")


@pytest.fixture
def chapter(open_page):
    return lambda **address: open_page("sampling", **address)


def said(app: AppTest) -> dict[str, tuple[int, int, float]]:
    """Calls, points reached and std by the title of the panel."""
    found = {title: SAID.search(panel["caption"]).groups() for title, panel in panels(app).items()}
    return {title: (int(calls), int(reached), float(std)) for title, (calls, reached, std) in found.items()}


# The prediction


def test_what_happens_without_the_noise_is_kept_back_until_the_prediction_is_made(chapter):
    app = chapter()
    assert list(panels(app)) == ["DDPM, 64 steps", "DDIM, 64 steps"]
    assert DDPM_NO_NOISE not in app.selectbox(key="a").options
    assert not any(part.key == "show" for part in app.get("button_group"))
    assert "nearest the mean" not in " ".join(part.value for part in app.markdown)
    app = app.button(key="_guess_a").click().run()
    assert DDPM_NO_NOISE in app.selectbox(key="a").options and group(app, "show").value == "clouds"
    assert not app.info and not app.success


def test_one_button_leaves_the_noise_out_and_brings_the_explanation(chapter):
    app = chapter(guess="b").button(key="_leave_out").click().run()
    assert 6 <= said(app)["DDPM, noise left out, 64 steps"][1] <= 7
    assert "As you predicted" in app.success[0].value
    assert not [button for button in app.button if button.key == "_leave_out"]


@pytest.mark.parametrize(
    "shown",
    [{"b": DDPM_NO_NOISE, "top": "0.5"}, {"b": DDPM_NO_NOISE, "top": "1.0"}, {"b": DDPM_NO_NOISE, "nb": "1", "model": "reference network"},
     {"c": DDPM_NO_NOISE, "show": "SDE and ODE"}, {"show": "whose step", "top": "1.0"}, {"b": DDPM_NO_NOISE, "show": "one step"}],
)  # fmt: skip
def test_nothing_is_explained_where_no_collapse_from_sigma_10_is_shown(chapter, shown):
    app = chapter(guess="b", **shown)
    assert not app.exception and not app.success and not app.info


def test_the_explanation_comes_where_the_four_combinations_show_the_collapse(chapter):
    assert "As you predicted" in chapter(guess="b", show="whose step").success[0].value


def test_a_link_cannot_show_what_is_kept_back(chapter):
    app = chapter(b=DDPM_NO_NOISE)
    assert "DDIM, 64 steps" in panels(app) and "b=" in app.toast[0].value


# The clouds


def test_each_panel_says_what_it_cost_and_where_it_came(chapter):
    found = said(chapter(**SHOWN, b=DDPM_NO_NOISE, c="DDIM", d="Heun", nd="16"))
    assert found["DDPM"] == (64, 100, pytest.approx(0.45, abs=0.011))
    assert 6 <= found[DDPM_NO_NOISE][1] <= 7 and found[DDPM_NO_NOISE][2] < 0.03
    assert found["DDIM"][:2] == (64, 100) and found["Heun"][:2] == (31, 100)


def test_without_the_noise_256_steps_do_not_help_and_a_start_at_1_hides_it(chapter):
    found = said(chapter(**SHOWN, a=DDPM_NO_NOISE, na="256", model="exact denoiser"))
    assert found["DDPM, noise left out, 256 steps"][1] == 7
    found = said(chapter(**SHOWN, a=DDPM_NO_NOISE, top="1.0", model="exact denoiser"))
    assert found["DDPM, noise left out, 64 steps"][1] == pytest.approx(71, abs=3)


@pytest.mark.parametrize("model", ["reference network", "exact denoiser", "Fourier network, endless spiral"])
def test_every_model_can_be_chosen(chapter, model):
    app = chapter(**SHOWN).selectbox(key="model").set_value(model).run()
    assert said(app)["DDPM, 64 steps"][1] == 100
    assert model in stage_text(app)


def stage_text(app: AppTest) -> str:
    parts = [part.proto for part in app.get("bidi_component")]
    sent = next(part.bytes for part in parts if part.component_name.startswith("stage_player"))
    return json.loads(sent[4 : 4 + struct.unpack("<I", sent[:4])[0]])["alt"]


def test_the_text_alternative_says_the_numbers(chapter):
    text = stage_text(chapter(**SHOWN))
    assert "DDPM, 64 steps: 64 calls: 100 of 100 points" in text and "DDIM, 64 steps" in text


def test_the_clock_begins_where_the_walks_do(chapter):
    assert stage_text(chapter(**SHOWN, top="1.0")).startswith("From noise at sigma 1 to sigma 0")
    assert stage_text(chapter(**SHOWN, top="0.5", show="paths", na="8")).startswith("From noise at sigma 0.5 to")


@pytest.mark.parametrize(("top", "view"), [(1.0, "vp"), (10.0, "vp"), (1.0, "ve")])
def test_the_first_frame_is_the_starting_noise_at_its_true_size(top, view):
    model = sampling_lesson.shipped("spiral-100-fourier")
    way = SamplerConfig(steps=2, sigma_max=top)
    (panel,) = sampling_scenes.clouds([trajectories.trajectory(model, way)], model.points.points, Window(view, 2))
    true = (top**2 + model.points.rms**2) ** 0.5 * (1 if view == "ve" else (1 + top**2) ** -0.5)
    assert sampling_scenes.film(way)[0] == top
    assert panel.layers[0].xy[0].std().item() == pytest.approx(true, rel=0.03)


def test_eta_is_no_part_of_the_ways_that_do_not_read_it(chapter):
    app = chapter(**SHOWN, na="8", nb="8")
    before = trajectories.trajectory.cache_info().misses
    app.slider(key="eta").set_value(0.3).run()
    assert trajectories.trajectory.cache_info().misses == before
    app.selectbox(key="a").set_value(ETA_INTERPOLATED).run()
    app.slider(key="eta").set_value(0.35).run()
    assert trajectories.trajectory.cache_info().misses == before + 2


def test_every_control_changes_the_page_without_an_exception(chapter):
    app = chapter(**SHOWN, na="8", nb="8", nc="8")
    app.selectbox(key="a").set_value("between, by eta").run()
    app.slider(key="eta").set_value(0.3).run()
    assert "eta = 0.3, 8 steps" in panels(app)
    app.number_input(key="na").set_value(5).run()
    app.selectbox(key="c").set_value("reverse-time SDE").run()
    app.selectbox(key="d").set_value("DPM-Solver++(2M)").run()
    app.number_input(key="nd").set_value(7).run()
    app.select_slider(key="top").set_value(5.0).run()
    app.selectbox(key="grid").set_value("karras").run()
    app.number_input(key="seed").set_value(3).run()
    app.radio(key="view").set_value("variance exploding").run()
    assert list(said(app)) == ["eta = 0.3", "DDIM", "reverse-time SDE", "DPM-Solver++(2M)"]
    for scene in SCENES:
        group(app, "show").set_value(scene).run()
        assert panels(app)


# One step


def test_a_step_is_drawn_and_its_numbers_stand_under_the_terms(chapter):
    app = chapter(**SHOWN, show="one step", step="30", particle="3")
    whole, lens = panels(app).values()
    assert whole["title"].startswith("Particle 3, step 30 of 64: σ =") and whole["probe"]
    assert lens["title"] == "The step under a lens, in units of σ"
    latex = app.latex[0].value
    assert latex.count(r"\underbrace") == 7 and "\\varepsilon" in latex and r"\text{none}" not in latex


def test_the_buttons_step_forward_and_back(chapter):
    app = chapter(**SHOWN, show="one step", step="2")
    app.button(key="_forward").click().run()
    assert app.slider(key="_step").value == 3 and address(app)["step"] == "3"
    for _ in range(4):
        app.button(key="_back").click().run()
    assert app.slider(key="_step").value == 1 and panels(app)
    app.slider(key="_step").set_value(9).run()
    assert address(app)["step"] == "9" and step_drawn(app) == "9 of 64"


def address(app: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[-1] for name, value in app.query_params.items()}


def step_drawn(app: AppTest) -> str:
    return re.search(r"step (\d+ of \d+):", next(iter(panels(app))))[1]


@pytest.mark.parametrize("step", [{}, {"step": "40"}])
def test_a_shorter_way_shows_its_last_step_and_a_link_to_it_the_same(chapter, step):
    app = chapter(**SHOWN, show="one step", **step)
    for steps in (16, 1, 256, 10):
        app.number_input(key="na").set_value(steps).run()
        wanted = min(steps, 40 if step else 21)
        assert step_drawn(app) == f"{wanted} of {steps}" and app.slider(key="_step").value == wanted
        link = {"show": "one step"} | address(app) | {"na": str(steps)}
        assert step_drawn(chapter(**SHOWN | link)) == step_drawn(app)


def test_a_link_to_a_step_beyond_the_last_shows_the_last_without_a_notice(chapter):
    app = chapter(**SHOWN, show="one step", na="16", step="40")
    assert step_drawn(app) == "16 of 16" and not app.toast


@pytest.mark.parametrize("step", ["0", "513", "many"])
def test_what_is_no_step_is_ignored_with_a_notice(chapter, step):
    app = chapter(**SHOWN, show="one step", step=step)
    assert step_drawn(app) == "21 of 64" and f"step={step}" in app.toast[0].value


@pytest.mark.parametrize(("kind", "term"), [("Heun", "d_2"), ("DPM-Solver++(2M)", r"\Delta")])
def test_a_second_order_step_shows_how_the_guess_is_sharpened(chapter, kind, term):
    step, guess = (part.value for part in chapter(**SHOWN, show="one step", a=kind, na="8", step="4").latex[:2])
    assert r"\tilde x_0" in step and r"\text{none}" in step and term in guess


@pytest.mark.parametrize("kind", list(SAMPLERS))
def test_the_last_step_of_every_sampler_can_be_looked_at(chapter, kind):
    assert len(panels(chapter(**SHOWN, show="one step", a=kind, na="7", step="7"))) == 2


def test_the_picture_says_by_how_much_it_is_drawn_smaller_than_the_numbers(chapter):
    assert next(iter(panels(chapter(**SHOWN, show="one step")))).endswith("σ = 1.12 → 1, drawn × 0.67")
    exploding = chapter(**SHOWN, show="one step", view="variance exploding")
    assert next(iter(panels(exploding))).endswith("σ = 1.12 → 1")


@pytest.mark.parametrize(
    ("clicked", "chosen"),
    [((0.9, 0.2), 1), ((0.1, 0.2), 0), ((0.05, 0.0), 1), ((0.0, 0.05), 2), ((0.0, -0.05), 0), ((0.0, 0.0), 0)],
)
def test_a_click_follows_the_nearest_particle_and_an_arrow_key_the_next_that_way(clicked, chosen):
    seen = torch.tensor([[0.0, 0.0], [1.0, 0.3], [-0.2, 0.8]])
    assert sampling_scenes.nearest(seen, 0, torch.tensor(clicked)) == chosen


# The other scenes


def test_one_particle_goes_under_every_sampler_beside_its_ghost(chapter):
    seen = panels(chapter(**SHOWN, show="paths", particle="12", na="16"))
    assert set(seen) == {*sampler_quality.COMPARED, "eta = 0.5"}
    assert all(layers(panel) == ["points", "path", "line"] for panel in seen.values())


def test_the_four_combinations_show_that_step_and_noise_belong_together(chapter):
    app = chapter(**SHOWN, show="whose step", model="exact denoiser")
    std = {title: values[2] for title, values in said(app).items()}
    assert std["DDPM"] == pytest.approx(std["DDIM"], abs=0.03)
    assert std[DDPM_NO_NOISE] < 0.03 and std[DDIM_WITH_NOISE] > 0.55
    assert len(app.get("plotly_chart")) == 1


@pytest.mark.parametrize("scene", SCENES)
def test_a_walk_of_a_single_step_can_be_shown_in_every_scene(chapter, scene):
    assert panels(chapter(**SHOWN, show=scene, na="1", nb="2"))


def compared(app: AppTest) -> tuple[float, str]:
    """How many times the floor two clouds are apart, and what is said of them."""
    panel = panels(app)["Energy distance"]
    assert "marker" in panel["arrays"]
    sentence = next(part.value for part in app.caption if "cloud" in part.value)
    return float(re.search(r"at most ([\d.]+) times", panel["caption"])[1]), sentence


def test_two_clouds_that_are_alike_are_within_twice_the_floor_and_called_so(chapter):
    times, sentence = compared(chapter(**SHOWN, show="SDE and ODE"))
    assert times <= 2 and sentence.startswith("Each point goes another way, and yet the clouds are alike")


@pytest.mark.parametrize(
    ("other", "least"), [({"b": DDPM_NO_NOISE}, 100), ({"na": "8"}, 8), ({"a": DDIM_WITH_NOISE}, 20)]
)
def test_two_clouds_that_differ_are_called_different(chapter, other, least):
    times, sentence = compared(chapter(**SHOWN, show="SDE and ODE", **other))
    assert times > least and sentence.startswith("The clouds differ: at some σ they are")


def test_two_clouds_of_points_that_do_not_part_are_not_called_a_surprise(chapter):
    times, sentence = compared(chapter(**SHOWN, show="SDE and ODE", a="Euler"))
    assert times < 0.1 and "each point goes the same way in both" in sentence


def test_what_keeps_the_noise_of_the_next_level_is_said_and_what_does_not(chapter):
    def legend(app: AppTest) -> str:
        return next(part.value for part in app.markdown if "the network's guess" in part.value)

    assert "and from one to the other" in legend(chapter(**SHOWN)) and "left out" in legend(chapter(**SHOWN))
    assert r"\sigma^2 - \sigma_{\text{next}}^2" in legend(chapter()) and "left out" not in legend(chapter())


# Quality, computed in the background


@pytest.fixture
def short(monkeypatch):
    """A table of few samples and calls, kept apart from the others by its key and forgotten afterwards."""
    monkeypatch.setattr(sampler_quality, "CALLS", (4, 32))
    monkeypatch.setattr(quality_scenes, "SAMPLES", 40)
    yield
    quality_scenes.kept.clear()


def until(app: AppTest, condition) -> AppTest:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
        app.run()
    assert condition()
    return app


def test_scores_come_in_the_background_and_are_then_there_for_all(chapter, short):
    model = sampling_lesson.shipped("spiral-100-fourier")
    key = quality_scenes.work([model, model.exact], SamplerConfig(seed=901)).key
    app = until(chapter(**SHOWN, show="quality", seed="901"), lambda: quality_scenes.kept(key))
    assert not app.exception and len(app.get("plotly_chart")) == 1
    table = next(part.value for part in app.markdown if "points reached" in part.value)
    assert all(f"| {kind} | 3" in table for kind in sampler_quality.COMPARED) and "| perfect |" in table
    again = chapter(**SHOWN, show="quality", seed="901")
    assert not again.get("progress") and len(again.get("plotly_chart")) == 1
    for measure in ("distance to data", "energy distance"):
        group(again, "measure").set_value(measure).run()
        assert not again.exception


def test_who_changes_a_control_waits_no_longer_for_the_old_scores(chapter):
    app = chapter(**SHOWN, show="quality", seed="902")
    first = app.session_state["_scores"]
    assert training_run.jobs().key_of(first)[-2:] == (902, quality_scenes.SAMPLES)
    app.number_input(key="seed").set_value(903).run()
    second = app.session_state["_scores"]
    assert training_run.jobs().key_of(first) is None and training_run.jobs().key_of(second)[-2] == 903
    training_run.jobs().leave(second, app.session_state["_viewer"])


def test_a_table_that_failed_says_so_and_can_be_tried_again(chapter, short, monkeypatch):
    def failing(*_):
        raise ValueError("There is no room.")
        yield

    with monkeypatch.context() as broken:
        broken.setattr(sampler_quality, "table", failing)
        app = chapter(**SHOWN, show="quality", seed="904")
        until(app, lambda: app.error)
        assert app.error[0].value == "There is no room." and not app.get("progress")
    key = quality_scenes.work(
        [sampling_lesson.shipped("spiral-100-fourier"), trajectories.exact_model()], SamplerConfig(seed=904)
    ).key
    app.button(key="_try_again").click().run()
    assert not app.error
    until(app, lambda: quality_scenes.kept(key))


def test_no_more_tables_are_kept_than_there_is_room_for():
    first = quality_scenes.kept(("test", 0))
    first.append("a table")
    assert quality_scenes.kept(("test", 0)) is first
    for number in range(1, quality_scenes.KEPT + 1):
        quality_scenes.kept(("test", number))
    assert not quality_scenes.kept(("test", 0))
    quality_scenes.kept.clear()


# Links and tasks


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", "DDQM"), ("na", "0"), ("na", "many"), ("top", "3"), ("grid", "steep"), ("seed", "-1"), ("eta", "2")],
)
def test_a_value_that_is_none_is_ignored_with_a_notice(chapter, name, value):
    app = chapter(**SHOWN, **{name: value})
    assert list(panels(app)) == ["DDPM, 64 steps", "DDIM, 64 steps"]
    assert f"{name}=" in app.toast[0].value


def test_the_tasks_check_themselves(chapter):
    assert done(chapter(**SHOWN)) == [False, False, False]
    exact = {**SHOWN, "model": "exact denoiser"}
    assert done(chapter(**exact, b="DDIM", nb="5")) == [True, False, False]
    assert done(chapter(**exact, b="DDIM", nb="6")) == [False, False, False]
    assert done(chapter(**exact, a=DDPM_NO_NOISE, na="256")) == [False, True, False]
    assert done(chapter(**exact, a="DPM-Solver++(2M)", na="4")) == [False, False, True]
