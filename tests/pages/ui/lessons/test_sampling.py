"""Scenes of chapter 4: clouds of the right size, ends where samples are, steps drawn to scale, clicks that choose."""

import pytest
import torch

from core.diffusion.samplers import DDPM_NO_NOISE, ETA_INTERPOLATED, SAMPLERS, SamplerConfig, SamplerSpec, euler
from core.figures.scene import Line
from core.lessons import sampler_quality as quality_lesson
from core.lessons.sampler_quality import QualityRow
from core.models.trajectories import Quality
from pages.ui.frame.text import label
from pages.ui.lessons import sampler_quality, sampling, sampling_panels, sampling_step
from pages.ui.lessons.sampling import FEW, SCENES, Config


@pytest.mark.parametrize(("top", "view"), [(1.0, "vp"), (10.0, "vp"), (1.0, "ve")])
def test_the_first_frame_is_the_starting_noise_at_its_true_size_and_the_last_the_samples(top, view):
    config = Config(na=2, nb=2, top=top, view=view, model="exact")
    scene, model = SCENES["clouds"](config), sampling.model_of(config)
    true = (top**2 + model.points.rms**2) ** 0.5 * (1 if view == "ve" else (1 + top**2) ** -0.5)
    states = scene.panels[0].layers[0].xy
    assert scene.clock.values[0] == top and states[0].std().item() == pytest.approx(true, rel=0.03)
    (made,) = sampling.run_all(model, config.samplers[:1], sampling.N)
    assert torch.equal(states[-1], made.states[-1])


def test_captions_hold_calls_points_reached_and_distance():
    config = Config(na=32, b="heun", nb=16, c=DDPM_NO_NOISE, model="exact")
    for panel, each in zip(SCENES["clouds"](config).panels, config.samplers, strict=True):
        quality = sampling.quality_of(config, each)
        for number in (each.nfe, quality.covered, quality.of, f"{quality.distance:.3f}"):
            assert str(number) in panel.caption
    assert quality.collapsed


def test_a_title_names_the_steps_where_there_is_room_and_eta_in_place_of_a_name():
    assert "64" in sampling_panels.title_of(SamplerConfig()) and "1" not in sampling_panels.title_of(
        SamplerConfig(), False
    )
    assert "0.3" in sampling_panels.title_of(SamplerConfig(ETA_INTERPOLATED, eta=0.3), steps=False)


def test_only_a_sampler_that_reads_eta_gets_it():
    given = 8, 0.3, 10.0, "log-linear", 0
    assert sampling.sampler_config("ddpm", *given) == SamplerConfig("ddpm", 8)
    assert sampling.sampler_config(ETA_INTERPOLATED, *given).eta == 0.3


def test_paths_are_of_one_particle_under_every_sampler_and_end_beside_the_exact_denoisers():
    config = Config(na=4, particle=12)
    scene = SCENES["paths"](config)
    configs = sampling.every_sampler(config)
    assert [each.sampler for each in configs] == [*quality_lesson.compared(), ETA_INTERPOLATED]
    assert [panel.title for panel in scene.panels] == [sampling_panels.title_of(each, False) for each in configs]
    model = sampling.model_of(config)
    made, ideal = (sampling.run_all(each, configs, FEW) for each in (model, model.exact))
    for panel, a, b in zip(scene.panels, made, ideal, strict=True):
        _, path, line = panel.layers
        assert torch.equal(path.xy[-1], a.states[-1, 12]) and line.y[-1] == b.states[-1, 12, 1]


# One step


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_the_last_step_of_every_sampler_ends_at_its_sample(sampler):
    config = Config(a=sampler, na=7, step=7)
    whole, lens = SCENES["one_step"](config).panels
    torch.testing.assert_close(whole.layers[3].x[-1], whole.layers[4].at[0, 0])  # the path leads to the arrow
    assert len(lens.layers) == 6 or SAMPLERS[sampler].calls(7) > 7
    assert torch.equal(sampling.step_of(config).x_next, sampling.all_steps(config)[-1].x_next[config.particle])


def test_places_are_drawn_smaller_than_the_numbers_in_the_variance_preserving_view_only():
    vp, ve = (Config(view=view) for view in ("vp", "ve"))
    step = sampling.step_of(vp)
    assert SCENES["one_step"](ve).probe == pytest.approx(step.x.tolist())
    scaled = (step.x / (1 + step.sigma**2) ** 0.5).tolist()
    assert SCENES["one_step"](vp).probe == pytest.approx(scaled)
    assert f"{(1 + step.sigma**2) ** -0.5:.2g}" in SCENES["one_step"](vp).panels[0].title


@pytest.mark.parametrize(("sampler", "term"), [("heun", "d_2"), ("dpmpp_2m", r"\Delta"), ("new", r"\Delta")])
def test_a_guess_of_second_order_is_explained_in_numbers(sampler, term):
    step = sampling.step_of(Config(a="heun", na=8, step=4))
    assert step.higher_order and r"\text{" in sampling_step.in_numbers(step)
    assert term in sampling_step.sharper_guess(step, sampler)


@pytest.mark.parametrize(
    ("clicked", "chosen"),
    [((0.9, 0.2), 1), ((0.1, 0.2), 0), ((0.05, 0.0), 1), ((0.0, 0.05), 2), ((0.0, -0.05), 0), ((0.0, 0.0), 0)],
)
def test_a_click_follows_the_nearest_particle_and_an_arrow_key_the_next_in_that_direction(clicked, chosen):
    seen = torch.tensor([[0.0, 0.0], [1.0, 0.3], [-0.2, 0.8]])
    assert sampling_step.nearest(seen, 0, torch.tensor(clicked)) == chosen


# Two distributions


def test_their_distance_is_in_noise_floors_and_runs_with_the_clock():
    panel = SCENES["sde_and_ode"](Config(show="sde_and_ode", model="exact")).panels[2]
    noise_floor, these_two = panel.layers
    assert panel.xreversed and set(noise_floor.y.tolist()) == {1.0} and these_two.y[0] == pytest.approx(0, abs=1e-6)


# Quality over network calls


def rows(model: str) -> tuple[QualityRow, ...]:
    return tuple(
        QualityRow(model, name, calls, Quality(0.1 / calls, calls, 100, 0.4), 1 / calls)
        for calls in (4, 32)
        for name in ("ddim", "new")
    )


def test_a_sampler_without_a_label_is_drawn_in_its_colour_and_shows_its_identifier(monkeypatch):
    monkeypatch.setitem(SAMPLERS, "new", SamplerSpec(euler, role="probe"))
    model = sampling.model_of(Config(model="exact"))
    perfect = QualityRow(model.key, quality_lesson.PERFECT, 0, Quality(0, 100, 100, 0.45), 0.01)
    table = (perfect, *rows(model.key), *rows("another"))
    drawn = [layer for layer in sampler_quality.panel(table, model, "coverage").layers if isinstance(layer, Line)]
    new, thin = next(line for line in drawn if line.label == "new"), [line for line in drawn if not line.label]
    assert new.colour == "probe" and list(new.y) == [4, 32] and list(new.x) == [4, 32]
    assert len(drawn) == 5 and len(thin) == 2 and new.width > max(line.width for line in thin)
    assert [line.label for line in sampler_quality.lines(table, model, "energy")].count(label("samplers", "ddim")) == 1
    assert [list(line.y) for line in sampler_quality.lines(table, model, "energy") if line.role == "exact"] == [[1, 1]]
    assert sampler_quality.table(table, model).count("\n") == 4  # a head, a ruler, exact draws and two samplers


def test_no_more_tables_are_kept_than_there_is_room_for():
    sampler_quality.stored(("test", 0)).append("a table")
    assert sampler_quality.stored(("test", 0)) == ["a table"]
    for number in range(1, sampler_quality.TABLES + 1):
        sampler_quality.stored(("test", number))
    assert not sampler_quality.stored(("test", 0))
    sampler_quality.stored.cache_clear()


def test_the_table_that_the_page_opens_with_is_stored():
    config = Config(show="quality")
    models = sampling.compared_models(config)
    rows = sampler_quality.stored(sampler_quality.key_of(models, config.samplers[0]))
    assert len(rows) == quality_lesson.length(models)
