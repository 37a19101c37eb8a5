"""Flow models: how they are trained, on which pairs, and how they are sampled and stored."""

from dataclasses import replace

import pytest
import torch

import core
from core import seeds
from core.data.points import at_unit_rms, make_points
from core.diffusion import couplings, samplers
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.schedules import flow_sigmas
from core.models import flows
from core.models.flows import FlowConfig
from core.problems import Problem
from core.runs.checkpoints import save_folder
from core.runs.progress import Progress

SPIRAL, MOONS = (at_unit_rms(make_points(name, 100)) for name in ("spiral", "moons"))
QUICK = FlowConfig(batch=32, steps=12, paths=64)


def trained(config: FlowConfig, source=None) -> Progress:
    *_, last = flows.run(config, SPIRAL, source=source)
    return last


@pytest.mark.parametrize(
    "config",
    [
        QUICK,
        replace(QUICK, coupling="optimal_transport", transport_batch=16),
        replace(QUICK, own_paths_from=6),
        replace(QUICK, objective="path_chords", own_paths_from=6),
        replace(QUICK, objective="mean_flow"),
    ],
    ids=["independent", "transport", "reflow", "path_chords", "mean_flow"],
)
def test_every_kind_of_run_makes_all_its_steps_and_repeats_itself(config):
    first, again = trained(config), trained(config)
    assert first.state.step == config.steps
    assert all(
        torch.equal(one, other)
        for one, other in zip(first.state.ema.parameters(), again.state.ema.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    "setting",
    [{"objective": "score"}, {"coupling": "greedy"}, {"batch": 1}, {"paths": 0}, {"objective": "path_chords"}],
    ids=["objective", "coupling", "batch", "paths", "no_paths"],
)
def test_settings_that_no_run_can_have_are_refused(setting):
    with pytest.raises(Problem):
        next(flows.run(replace(QUICK, **setting), SPIRAL))


def test_a_source_that_does_not_fit_the_data_is_refused(refused):
    flat = replace(MOONS, points=torch.ones(5, 3))
    with refused("coupling_shapes", start="[3]", data="[2]"):
        next(flows.run(QUICK, SPIRAL, source=flat))
    with refused("coupling_classes", start=2, data=3):
        next(flows.run(QUICK, SPIRAL, source=replace(MOONS, classes=("left", "right"))))


def test_a_batch_of_optimal_transport_that_is_larger_than_the_data_is_refused(refused):
    with refused("coupling_batch_larger", batch=256, n=32):
        next(flows.run(replace(QUICK, coupling="optimal_transport"), SPIRAL))


def test_stored_pairs_are_drawn_again_and_again_and_are_those_of_optimal_transport():
    config = replace(QUICK, coupling="optimal_transport", transport_batch=16, stored_pairs=32)
    x0, x1, _ = flows.coupling(config, SPIRAL)(500, seeds.generator(1))
    pairs = torch.cat([x0, x1], 1).unique(dim=0)
    assert len(pairs) == 32
    independent = flows.coupling(replace(QUICK, stored_pairs=32), SPIRAL)(500, seeds.generator(1))
    assert couplings.transport_cost(x0, x1) < couplings.transport_cost(*independent[:2]) / 2


def test_the_pairs_of_reflow_are_the_ends_of_the_model_s_own_paths():
    exact = EmpiricalDenoiser(SPIRAL.points)
    batch = flows.own_batches(replace(QUICK, own_paths_from=1), exact, couplings.gaussian((2,)))
    x0, _, x1, _ = batch(0)
    ends = flows.paths(exact, x1, flows.PATH_STEPS)[0][-1]
    assert torch.allclose(ends, x0, atol=1e-4)


def test_paths_begin_at_their_starts_and_end_on_the_data():
    x1 = seeds.gaussian((50, 2), 1)
    states, times = flows.paths(EmpiricalDenoiser(SPIRAL.points), x1, 64)
    assert times[0] == pytest.approx(0.999) and times[-1] == 0
    assert torch.allclose(states[0], x1, atol=1e-4)
    assert torch.cdist(states[-1], SPIRAL.points).amin(1).mean() < 2e-3


def test_a_denoiser_at_another_scale_is_that_of_the_data_at_that_scale():
    exact, large = (EmpiricalDenoiser(size * SPIRAL.points.double()) for size in (1, 3))
    x, sigma = 4 * seeds.gaussian((20, 2), 2).double(), torch.linspace(0.1, 5, 20).double()
    assert torch.allclose(flows.at_scale(exact, 3)(x, sigma), large(x, sigma), atol=1e-10)


def test_a_sampler_of_the_registry_takes_evenly_spaced_times():
    sigmas = flows.sampler_config("euler", 4).sigmas
    assert torch.allclose(sigmas, flow_sigmas(4, t_max=100 / 101))


def test_a_flow_from_another_source_is_saved_with_it_and_sampled_from_it(tmp_path):
    progress = trained(QUICK, MOONS)
    save_folder(flows.checkpoint_of(progress, QUICK, SPIRAL, MOONS), tmp_path / "flow")
    model = core.load(tmp_path / "flow")
    assert model.shape == (2,) and model.data.rms == pytest.approx(1)
    source = flows.source_of(model.checkpoint.config)
    assert torch.equal(source.points, MOONS.points)
    begin = flows.start(model.checkpoint.config, 20, flows.sampler_config("euler", 4), seed=3) / 101
    assert torch.cdist(begin, MOONS.even(4000)[0]).amin(1).max() < 0.02
    assert model.sample(20, "euler", steps=4, seed=3).isfinite().all()


def test_a_model_of_mean_velocities_is_told_where_its_steps_end(tmp_path):
    config = replace(QUICK, objective="mean_flow")
    progress = trained(config)
    with torch.no_grad():
        progress.state.ema.net.layers[-1].weight.normal_(generator=seeds.generator(1))
    save_folder(flows.checkpoint_of(progress, config, SPIRAL), tmp_path / "mean")
    model = core.load(tmp_path / "mean")
    sampled = model.sample(30, "euler", steps=2)
    plain = flows.sampler_config("euler", 2)
    start = flows.start(model.checkpoint.config, 30, plain, 0)
    assert not torch.allclose(sampled, samplers.last(samplers.run(plain, model.denoiser, start)), atol=1e-2)
