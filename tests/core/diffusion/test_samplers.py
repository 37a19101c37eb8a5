"""Samplers against the formulas of their papers, in the papers' own coordinates, and against exact solutions."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from core import seeds
from core.diffusion import samplers
from core.diffusion.exact import EmpiricalDenoiser, GaussianMixtureDenoiser
from core.diffusion.samplers import (
    DDIM,
    DDIM_WITH_NOISE,
    DDPM,
    DDPM_NO_NOISE,
    ETA_INTERPOLATED,
    SAMPLERS,
    SamplerConfig,
    ancestral,
    ancestral_step,
    ddim,
    dpmpp_2m,
    euler,
    heun,
    last,
    path,
    sde,
    start,
)
from core.diffusion.schedules import SCHEDULES, karras, linear_alpha_bar, log_linear
from core.problems import Problem

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
every_sampler = pytest.mark.parametrize(
    "sampler", [partial(spec.run, **spec.options) for spec in SAMPLERS.values()], ids=list(SAMPLERS)
)

POINTS = 0.5 * torch.randn(12, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
DENOISE = EmpiricalDenoiser(POINTS)
GRID = karras(0.02, 5.0).sigmas(7)
X = 5 * torch.randn(9, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
VP = (1 + GRID**2).rsqrt().tolist()  # what turns the state x0 + sigma eps into the papers' x_t
ALPHA_BAR = (1 / (1 + GRID**2)).tolist()


def noise(step) -> torch.Tensor:
    """The standard normal noise of a step of seed 0."""
    return seeds.gaussian(step.x.shape, 0, step.i + 1, like=step.x)


# The identities


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ancestral_is_equation_12_of_song_meng_and_ermon(eta):
    for step in ancestral(DENOISE, X, GRID, eta=eta):
        a, a_next = ALPHA_BAR[step.i], ALPHA_BAR[step.i + 1]
        x_t, x0 = VP[step.i] * step.x, step.x0
        eps = (x_t - a**0.5 * x0) / (1 - a) ** 0.5
        sigma_tau = eta * ((1 - a_next) / (1 - a)) ** 0.5 * (1 - a / a_next) ** 0.5
        direction = max(1 - a_next - sigma_tau**2, 0.0) ** 0.5
        expected = a_next**0.5 * x0 + direction * eps + sigma_tau * noise(step)
        torch.testing.assert_close(VP[step.i + 1] * step.x_next, expected, rtol=1e-12, atol=1e-12)


def test_eta_1_is_the_mean_and_the_deviation_of_ddpms_posterior():
    for step in ancestral(DENOISE, X, GRID):
        a, a_next = ALPHA_BAR[step.i], ALPHA_BAR[step.i + 1]
        alpha, x_t = a / a_next, VP[step.i] * step.x
        beta = 1 - alpha
        mean = a_next**0.5 * beta / (1 - a) * step.x0 + alpha**0.5 * (1 - a_next) / (1 - a) * x_t
        std = ((1 - a_next) / (1 - a) * beta) ** 0.5
        expected = mean + std * noise(step)
        torch.testing.assert_close(VP[step.i + 1] * step.x_next, expected, rtol=1e-12, atol=1e-12)


def test_without_s_noise_only_the_mean_of_ddpms_posterior_is_left():
    for step in ancestral(DENOISE, X, GRID, s_noise=0.0):
        kept = (step.sigma_next / step.sigma) ** 2
        assert step.noise is None
        torch.testing.assert_close(step.x_next, step.x0 + kept * (step.x - step.x0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("noise_of", "step_of"), [(1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (1.0, 0.0), (0.5, 1.0)])
def test_step_and_noise_may_be_those_of_two_etas(noise_of, step_of):
    for step in ancestral(DENOISE, X, GRID, eta=noise_of, eta_step=step_of):
        down, _ = ancestral_step(step.sigma, step.sigma_next, step_of)
        _, up = ancestral_step(step.sigma, step.sigma_next, noise_of)
        expected = step.x0 + down / step.sigma * (step.x - step.x0) + up * noise(step)
        torch.testing.assert_close(step.x_next, expected, rtol=1e-12, atol=1e-12)


def test_ddpms_step_without_noise_has_two_names():
    named = path(ancestral(DENOISE, X, GRID, eta=0.0, eta_step=1.0))
    torch.testing.assert_close(named, path(ancestral(DENOISE, X, GRID, s_noise=0.0)), rtol=0, atol=0)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_a_step_down_and_its_noise_add_up_to_the_next_level(eta):
    for sigma, sigma_next in pairwise(GRID.tolist()):
        down, up = ancestral_step(sigma, sigma_next, eta)
        assert math.hypot(down, up) == pytest.approx(sigma_next, rel=1e-12)
        if eta == 1:
            assert down == pytest.approx(sigma_next**2 / sigma, rel=1e-12)


def test_euler_on_the_flow_is_ddim():
    torch.testing.assert_close(path(euler(DENOISE, X, GRID)), path(ddim(DENOISE, X, GRID)), rtol=1e-11, atol=1e-11)
    assert torch.equal(path(ddim(DENOISE, X, GRID)), path(ancestral(DENOISE, X, GRID, eta=0.0)))


def test_2m_is_algorithm_2_of_lu_et_al():
    level = [(math.sqrt(a), math.sqrt(1 - a)) for a in ALPHA_BAR[:-1]]
    lam = [math.log(alpha / sigma) for alpha, sigma in level]
    x, before = VP[0] * X, None
    states = path(dpmpp_2m(DENOISE, X, GRID))
    for i in range(1, len(level)):
        (_, sigma_s), (alpha, sigma) = level[i - 1], level[i]
        data, h = DENOISE(x / VP[i - 1], torch.full((9,), GRID[i - 1].item(), dtype=torch.float64)), lam[i] - lam[i - 1]
        d = data
        if before is not None:
            r = (lam[i - 1] - lam[i - 2]) / h
            d = (1 + 1 / (2 * r)) * data - 1 / (2 * r) * before
        x, before = sigma / sigma_s * x - alpha * math.expm1(-h) * d, data
        torch.testing.assert_close(VP[i] * states[i], x, rtol=1e-11, atol=1e-11)


def test_heun_is_algorithm_1_of_karras_et_al():
    x = X
    for step in heun(DENOISE, X, GRID):
        t, t_next = (torch.full((9,), s, dtype=torch.float64) for s in (step.sigma, step.sigma_next))
        d = (x - DENOISE(x, t)) / step.sigma
        ahead = x + (step.sigma_next - step.sigma) * d
        if step.sigma_next:
            d_next = (ahead - DENOISE(ahead, t_next)) / step.sigma_next
            ahead = x + (step.sigma_next - step.sigma) * (d / 2 + d_next / 2)
        x = ahead
        torch.testing.assert_close(step.x_next, x, rtol=1e-12, atol=1e-12)


def test_the_sde_follows_twice_the_flow_and_adds_the_variance_that_falls():
    for step in sde(DENOISE, X, GRID):
        fall = step.sigma**2 - step.sigma_next**2
        score = (step.x0 - step.x) / step.sigma**2
        added = fall**0.5 * noise(step) if step.sigma_next else 0.0
        torch.testing.assert_close(step.x_next, step.x + fall * score + added, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("t", "variance"), [(487, 0.00979), (999, 0.02)])
def test_the_posterior_variance_of_ddpm_is_the_published_one(t, variance):
    alpha_bar = linear_alpha_bar()[[t, t - 1]]
    (step,) = ancestral(DENOISE, X, ((1 - alpha_bar) / alpha_bar).sqrt())
    std = (step.noise / noise(step)).mean().item() / math.sqrt(1 + step.sigma_next**2)
    assert std**2 == pytest.approx(variance, abs=5e-6 if variance < 0.01 else 5e-5)


# Convergence, on data N(MU, S^2), where the flow has a closed form

MU, S, TOP, BOTTOM = 0.3, 0.5, 80.0, 0.02
GAUSSIAN = GaussianMixtureDenoiser(torch.tensor([[MU]]).double(), torch.tensor([S]).double())
# The error is proportional to the distance of the start from the mean, so a "greatest error" needs a farthest start:
# 3.36 standard deviations out, where the farthest of a thousand normal draws is.
STARTS = TOP * torch.linspace(-3.36, 3.36, 9, dtype=torch.float64)[:, None]


def levels(n: int) -> torch.Tensor:
    """n steps from 80 to 0.02, without the step to 0: at 0 the flow is not smooth enough for an order to show."""
    return karras(BOTTOM, TOP).sigmas(n + 1)[:-1]


def greatest_error(sampler, n: int) -> float:
    exact = MU + (STARTS - MU) * math.sqrt((S**2 + BOTTOM**2) / (S**2 + TOP**2))
    return (last(sampler(GAUSSIAN, STARTS, levels(n))) - exact).abs().max().item()


@pytest.mark.parametrize(
    ("sampler", "order", "coarse", "fine"),
    [(euler, 1, 0.199, 0.0066), (heun, 2, 0.052, 4.6e-5), (dpmpp_2m, 2, 0.052, 4.5e-5)],
)
def test_halving_the_steps_divides_the_error_by_2_to_the_order(sampler, order, coarse, fine):
    error = {n: greatest_error(sampler, n) for n in (20, 80, 320, 640)}
    assert error[20] == pytest.approx(coarse, rel=0.01)
    assert error[640] == pytest.approx(fine, rel=0.015)
    assert math.log2(error[320] / error[640]) == pytest.approx(order, abs=0.02)
    assert math.log2(error[20] / error[80]) / 2 == pytest.approx(order, abs=0.1)


def variance(sampler, n: int) -> float:
    """The variance of all samples of the Gaussian, exactly: each step is linear, x_next = gain x + shift + up z."""
    result = TOP**2
    for step in sampler(GAUSSIAN, torch.tensor([[0.0], [1.0]]).double(), levels(n)):
        mean, up = step.x_next - step.noise, step.noise / noise(step)
        gain = (mean[1] - mean[0]) / (step.x[1] - step.x[0])
        result = (gain**2 * result + up[0] ** 2).item()
    return result


@pytest.mark.parametrize(("n", "expected"), [(20, 0.155), (80, 0.220), (320, 0.242), (1280, 0.248)])
def test_ddpm_reaches_the_variance_of_the_data_from_below(n, expected):
    assert variance(ancestral, n) == pytest.approx(expected, abs=5e-4)


def test_the_sde_reaches_the_variance_of_the_data_from_above():
    excess = [variance(sde, n) - (S**2 + BOTTOM**2) for n in (80, 160, 320)]
    assert excess[0] > excess[1] > excess[2] > 0
    assert excess[1] / excess[2] == pytest.approx(2, abs=0.2)


# What every sampler keeps to


@every_sampler
@pytest.mark.parametrize("steps", [1, 2, 7, 13])
def test_a_walk_has_its_number_of_steps_and_ends_on_what_was_denoised_last(sampler, steps):
    run = list(sampler(DENOISE, X, log_linear().sigmas(steps)))
    assert [step.i for step in run] == list(range(steps))
    assert run[-1].sigma_next == 0
    torch.testing.assert_close(run[-1].x_next, run[-1].x0)


@every_sampler
def test_a_single_data_point_is_hit_exactly(sampler):
    target = EmpiricalDenoiser(POINTS[:1])
    torch.testing.assert_close(last(sampler(target, X, GRID)), POINTS[:1].expand(9, 2), rtol=0, atol=1e-12)


@every_sampler
def test_nfe_counts_the_calls_of_the_denoiser(sampler):
    calls = []

    def counted(x, sigma):
        assert sigma.shape == (len(x),)
        assert (sigma > 0).all()
        calls.append(sigma[0].item())
        return DENOISE(x, sigma)

    for step in sampler(counted, X, GRID):
        assert step.nfe == len(calls)


def test_18_steps_of_heun_take_35_calls():
    assert list(heun(DENOISE, X, karras().sigmas(18)))[-1].nfe == 35


@every_sampler
def test_steps_join_and_stay_as_they_were_yielded(sampler):
    run, copies = [], []
    for step in sampler(DENOISE, X, GRID):
        run.append(step)
        copies.append((step.x.clone(), step.x0.clone(), step.x_next.clone()))
    assert run[0].x.data_ptr() == X.data_ptr()
    assert all(before.x_next is after.x and before.sigma_next == after.sigma for before, after in pairwise(run))
    for step, copy in zip(run, copies, strict=True):
        assert all(torch.equal(a, b) for a, b in zip((step.x, step.x0, step.x_next), copy, strict=True))


@pytest.mark.parametrize("sampler", [ancestral, sde])
def test_the_noise_of_a_step_is_its_seeds_and_the_last_step_adds_none(sampler):
    run = list(sampler(DENOISE, X, GRID, seed=0))
    assert run[-1].noise is None
    for step in run[:-1]:
        std = (step.noise / noise(step)).flatten()
        torch.testing.assert_close(std, std[:1].expand_as(std))


@pytest.mark.parametrize("sampler", [ancestral, sde])
def test_sample_k_of_a_seed_does_not_depend_on_how_many_are_drawn(sampler):
    x = start((40, 2), 5.0, 0.5, seed=3)
    whole = path(sampler(DENOISE, x, GRID, seed=3))
    for n in (1, 7, 17):
        assert torch.equal(start((n, 2), 5.0, 0.5, seed=3), x[:n])
        torch.testing.assert_close(path(sampler(DENOISE, x[:n], GRID, seed=3)), whole[:, :n])


@pytest.mark.parametrize("sampler", [ancestral, sde])
def test_a_seed_gives_one_walk_and_another_seed_another(sampler):
    first, again, other = (last(sampler(DENOISE, X, GRID, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_start_is_noise_on_data():
    x = start((50_000, 2), 3.0, 4.0, seed=0)
    assert x.std().item() == pytest.approx(5.0, rel=0.01)


@every_sampler
def test_images_are_sampled_as_the_list_of_their_numbers(sampler):
    images = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x = 5 * torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sampled = path(sampler(EmpiricalDenoiser(images), x, GRID))
    assert sampled.shape == (8, 6, 3, 4, 4)
    flat = path(sampler(EmpiricalDenoiser(images.flatten(1)), x.flatten(1), GRID))
    torch.testing.assert_close(sampled.flatten(2), flat)


@every_sampler
def test_single_precision_walks_stay_single(sampler):
    samples = last(sampler(EmpiricalDenoiser(POINTS.float()), X.float(), GRID))
    assert samples.dtype == torch.float32


@every_sampler
def test_breaking_off_leaves_the_callers_grad_mode_alone(sampler):
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            for step in sampler(lambda x, s: weight * DENOISE(x, s), X, GRID):
                assert torch.is_grad_enabled() is grad
                assert not step.x_next.requires_grad
                if step.i == 2:
                    break
            assert torch.is_grad_enabled() is grad


@every_sampler
def test_the_starting_points_are_not_written_to(sampler):
    x = X.clone()
    last(sampler(DENOISE, x, GRID))
    assert torch.equal(x, X)


def test_a_path_holds_the_start_and_every_state():
    run = list(euler(DENOISE, X, GRID))
    whole = path(iter(run))
    assert torch.equal(whole[0], X)
    assert all(torch.equal(whole[step.i + 1], step.x_next) for step in run)
    assert torch.equal(last(iter(run)), whole[-1])


@every_sampler
def test_a_start_that_asks_for_gradients_gets_none(sampler):
    assert not any(step.x_next.requires_grad for step in sampler(DENOISE, X.clone().requires_grad_(), GRID))


# Configurations


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"sampler": "ddqm"}, "unknown_sampler"), ({"schedule": "steep"}, "unknown_schedule"),
     ({"steps": 0}, "sampler_steps"), ({"steps": 513}, "sampler_steps"), ({"eta": 1.1}, "sampler_eta"),
     ({"sigma_max": 0.01}, "sampler_levels"), ({"sigma_max": 101.0}, "sampler_levels")],
)  # fmt: skip
def test_a_configuration_that_no_sampler_can_have_is_refused(wrong, code):
    with pytest.raises(Problem) as refused:
        SamplerConfig(**wrong)
    assert refused.value.code == code and str(refused.value)


@pytest.mark.parametrize("name", list(SAMPLERS))
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_configuration_knows_its_network_calls_and_whether_it_draws_noise(name, steps):
    config = SamplerConfig(name, steps)
    made = list(samplers.run(config, DENOISE, X))
    assert made[-1].nfe == config.nfe
    assert any(step.noise is not None for step in made) == (config.random and steps > 1)


@pytest.mark.parametrize("schedule", list(SCHEDULES))
def test_every_schedule_falls_from_sigma_max_to_0(schedule):
    sigmas = SamplerConfig(steps=7, sigma_max=5.0, schedule=schedule).sigmas
    assert sigmas[0].item() == pytest.approx(5) and sigmas[-1] == 0 and (sigmas.diff() < 0).all()


def test_without_eta_the_interpolated_sampler_draws_no_noise():
    assert SamplerConfig(ETA_INTERPOLATED, eta=0.5).random and not SamplerConfig(ETA_INTERPOLATED, eta=0.0).random


def test_the_steps_and_the_noise_of_ddpm_and_ddim_combine_to_four_samplers():
    def sizes(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return samplers.step_sizes(SamplerConfig(name, 7))

    for name, step_of, noise_of in ((DDPM_NO_NOISE, DDPM, DDIM), (DDIM_WITH_NOISE, DDIM, DDPM)):
        assert torch.equal(sizes(name)[0], sizes(step_of)[0]) and torch.equal(sizes(name)[1], sizes(noise_of)[1])


def test_different_configurations_are_different_keys():
    assert len({SamplerConfig(), SamplerConfig(seed=1), SamplerConfig(DDIM), SamplerConfig(steps=32)}) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("levels", [[1.0], [], [0.0, 0.0], [1.0, float("nan")]])
def test_a_grid_without_a_step_is_refused(name, levels, refused):
    spec = SAMPLERS[name]
    options = {**spec.options, **dict.fromkeys(spec.reads, 0.5)}
    with refused("sampler_grid"):
        last(spec.run(lambda x, sigma: 0 * x, torch.zeros(1, 2), torch.tensor(levels), **options))


@pytest.mark.parametrize("end", [last, path])
def test_a_sampler_of_no_step_is_refused(end, refused):
    with refused("no_sampler_step"):
        end(iter(()))
