import math

import pytest
import torch

from core.diffusion.schedules import (
    SCHEDULES,
    VIEWS,
    cosine,
    ddpm_linear,
    flow_sigmas,
    karras,
    linear_alpha_bar,
    log_linear,
    log_normal,
    log_snr,
    logit_normal,
    make_schedule,
    rectified_flow,
    scale,
)

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
every_schedule = pytest.mark.parametrize("schedule", [make() for make in SCHEDULES.values()], ids=list(SCHEDULES))
TIMES = torch.linspace(0, 1, 2001, dtype=torch.float64)


@every_schedule
def test_sigma_grows_with_time_from_its_least_to_its_greatest(schedule):
    sigma = schedule.sigma(TIMES)
    assert (sigma.diff() > 0).all()
    assert sigma[[0, -1]].tolist() == pytest.approx([schedule.sigma_min, schedule.sigma_max], rel=1e-9)


@every_schedule
def test_t_is_the_inverse_of_sigma(schedule):
    torch.testing.assert_close(schedule.t(schedule.sigma(TIMES)), TIMES, rtol=0, atol=1e-9)


@every_schedule
def test_shape_and_dtype_of_a_time_are_kept(schedule):
    t = torch.full((2, 3), 0.4)
    assert schedule.sigma(t).shape == schedule.t(schedule.sigma(t)).shape == (2, 3)
    assert schedule.sigma(t).dtype == schedule.t(t).dtype == torch.float32


@every_schedule
@pytest.mark.parametrize("steps", [1, 2, 7, 13, 1000])
def test_a_grid_falls_from_sigma_max_to_sigma_min_and_then_to_0(schedule, steps):
    grid = schedule.sigmas(steps)
    assert grid.shape == (steps + 1,)
    assert (grid.diff() < 0).all()
    assert grid[0] == schedule.sigma_max
    assert grid[-1] == 0
    assert steps == 1 or grid[-2].item() == pytest.approx(schedule.sigma_min, rel=1e-9)


@every_schedule
def test_a_grid_takes_other_ends(schedule):
    grid = schedule.sigmas(7, sigma_max=5.0, sigma_min=0.05)
    assert grid[[0, -2]].tolist() == pytest.approx([5.0, 0.05])
    assert (grid.diff() < 0).all()


@pytest.mark.parametrize("ends", [{"steps": 0}, {"sigma_min": 0.0}, {"sigma_max": 0.0}, {"sigma_max": 0.01}])
def test_an_impossible_grid_is_refused(ends, refused):
    with refused("schedule_steps" if "steps" in ends else "schedule_levels"):
        log_linear().sigmas(**{"steps": 5, **ends})


@every_schedule
def test_training_levels_are_stratified_one_in_each_nth_of_time(schedule):
    sigma = schedule.sample(100, 3, 5)
    t = schedule.t(sigma.double()).sort().values
    assert sigma.dtype == torch.float32
    assert ((t * 100 - torch.arange(100)) > -0.05).all()
    assert ((t * 100 - torch.arange(100)) < 1.05).all()
    assert torch.equal(sigma, schedule.sample(100, 3, 5))
    assert not torch.equal(sigma, schedule.sample(100, 3, 6))


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_scales_the_state_as_its_literature_does(view):
    sigma = log_linear().sigma(TIMES)
    factor = scale(sigma, view)
    expected = {
        "vp": (factor**2 * (1 + sigma**2), torch.ones_like(sigma)),
        "flow": (factor, 1 - sigma / (1 + sigma)),
        "ve": (factor, torch.ones_like(sigma)),
    }
    torch.testing.assert_close(*expected[view], rtol=1e-14, atol=1e-14)


def test_an_unknown_view_or_schedule_is_refused_with_the_names_there_are(refused):
    with refused("unknown_view", known="vp, ve, flow"):
        scale(torch.ones(1), "sideways")
    with refused("unknown_schedule", name="sideways"):
        make_schedule("sideways")


def test_schedules_are_drawn_in_the_view_they_were_published_in():
    schedules = ddpm_linear(), cosine(), log_linear(), karras(), rectified_flow()
    assert [schedule.view for schedule in schedules] == ["vp", "vp", "ve", "ve", "flow"]


def test_ddpm_linear_is_exact_at_its_discrete_times():
    betas = [1e-4 + i * (0.02 - 1e-4) / 999 for i in range(1000)]
    alpha_bar, expected = 1.0, []
    for beta in betas:
        alpha_bar *= 1 - beta
        expected.append(math.sqrt((1 - alpha_bar) / alpha_bar))
    sigma = ddpm_linear().sigma(torch.linspace(0, 1, 1000, dtype=torch.float64))
    torch.testing.assert_close(sigma, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=0)


def test_ddpm_leaves_four_hundred_thousandths_of_the_signal():
    assert linear_alpha_bar()[-1].item() == pytest.approx(4.036e-5, rel=1e-3)


def test_cosine_is_the_product_of_the_discrete_betas_of_nichol_and_dhariwal():
    def f(i: int) -> float:
        return math.cos((i / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = torch.tensor([min(1 - f(i) / f(i - 1), 0.999) for i in range(1, 1000)], dtype=torch.float64)
    alpha_bar = (1 - betas).cumprod(0)
    sigma = cosine().sigma(torch.linspace(0, 1, 999, dtype=torch.float64))
    torch.testing.assert_close(sigma, ((1 - alpha_bar) / alpha_bar).sqrt(), rtol=1e-7, atol=0)


def test_karras_is_equation_5():
    n, low, high = 18, 0.002 ** (1 / 7), 80.0 ** (1 / 7)
    expected = [*((high + i / (n - 1) * (low - high)) ** 7 for i in range(n)), 0]
    assert karras().sigmas(n).tolist() == pytest.approx(expected, rel=1e-12)


def test_log_linear_falls_by_one_factor():
    levels = log_linear(0.01, 10.0).sigmas(7)[:-1]
    torch.testing.assert_close(levels[1:] / levels[:-1], torch.full((6,), 1e-3 ** (1 / 6), dtype=torch.float64))


def test_rectified_flow_steps_evenly_in_its_own_time():
    levels = rectified_flow().sigmas(13)[:-1]
    torch.testing.assert_close(levels / (1 + levels), torch.linspace(0.999, 0.001, 13, dtype=torch.float64))


def test_log_normal_levels_have_the_mean_and_the_spread_they_were_given():
    log_sigma = log_normal(-1.8, 1.2).sample(20_000, 0).log()
    assert log_sigma.mean().item() == pytest.approx(-1.8, abs=1e-3)
    assert log_sigma.std().item() == pytest.approx(1.2, abs=5e-3)


def test_noise_levels_of_training_are_in_no_order():
    order, sigma = torch.arange(4000.0), log_linear().sample(4000, 3, 1)
    assert abs(torch.corrcoef(torch.stack([order, sigma.log()]))[0, 1]) < 0.05


def test_log_snr_falls_as_sigma_grows():
    assert log_snr(torch.tensor([1.0, math.e])).tolist() == pytest.approx([0, -2])


@every_schedule
def test_a_shift_multiplies_every_noise_level(schedule):
    shifted = schedule.shifted(3.0)
    torch.testing.assert_close(shifted.sigma(TIMES), 3 * schedule.sigma(TIMES))
    torch.testing.assert_close(shifted.t(shifted.sigma(TIMES)), TIMES, rtol=0, atol=1e-9)


def test_a_shift_changes_the_time_of_rectified_flow_as_esser_et_al_have_it():
    sigma, shifted = rectified_flow().sigma(TIMES), rectified_flow().shifted(3.0).sigma(TIMES)
    t, after = sigma / (1 + sigma), shifted / (1 + shifted)
    torch.testing.assert_close(after, 3 * t / (1 + 2 * t))


def test_the_times_of_a_flow_are_evenly_spaced():
    sigmas = flow_sigmas(5, t_max=0.9)
    assert torch.allclose(sigmas / (1 + sigmas), torch.linspace(0.9, 0, 6, dtype=torch.float64))


def test_the_logit_of_logit_normal_times_is_normal():
    sigma = logit_normal(0.5, 2.0).sample(20_000, 0).double()
    logit = torch.logit(sigma / (1 + sigma))
    assert logit.mean().item() == pytest.approx(0.5, abs=0.01) and logit.std().item() == pytest.approx(2.0, rel=0.01)
