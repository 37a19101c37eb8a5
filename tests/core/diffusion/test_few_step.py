import pytest
import torch

from core import seeds
from core.diffusion import couplings, few_step
from core.diffusion.denoiser import Denoiser
from core.diffusion.exact import GaussianMixtureDenoiser
from core.diffusion.samplers import euler, last
from core.diffusion.schedules import flow_sigmas
from core.networks import make_network

STD = 0.5  # of the Gaussian data, whose flow is known in closed form: z_t = z_1 size(t)


def size(t: torch.Tensor) -> torch.Tensor:
    return ((1 - t) ** 2 * STD**2 + t**2).sqrt()


def exact_velocity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return z * ((t - (1 - t) * STD**2) / size(t) ** 2)[:, None]


def exact_mean_velocity(r: torch.Tensor):
    return lambda z, t: z * ((1 - size(r) / size(t)) / (t - r))[:, None]


def drawn(n: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States, and times t above r."""
    r, t = (0.02 + 0.96 * seeds.uniform(2 * n, 1).double().view(n, 2)).sort(1).values.unbind(1)
    return seeds.gaussian((n, 2), 2).double(), t + 0.01, r


def model(seed: int = 0) -> Denoiser:
    network = make_network("steps", seed=seed)
    with torch.no_grad():
        network.layers[-1].weight.normal_(std=0.1, generator=seeds.generator(seed))
    return Denoiser(network, "flow", 1.0)


def test_the_velocity_of_a_gaussian_is_the_closed_form():
    z, t, _ = drawn()
    exact = GaussianMixtureDenoiser(torch.zeros(1, 2).double(), torch.tensor([STD]).double())
    assert torch.allclose(few_step.velocity(exact, z, t), exact_velocity(z, t), atol=1e-10)


def test_the_mean_velocity_fulfils_the_identity_of_meanflow():
    z, t, r = drawn()
    u, v = exact_mean_velocity(r), exact_velocity(z, t)
    slope = few_step.derivative(u, z, t, v)
    assert torch.allclose(u(z, t), v - (t - r)[:, None] * slope, atol=2e-3)


def test_one_step_of_the_mean_velocity_is_exact_for_any_length():
    z, t, r = drawn()
    assert torch.allclose(z - (t - r)[:, None] * exact_mean_velocity(r)(z, t), z * (size(r) / size(t))[:, None])


def test_lines_pass_through_their_states_with_their_velocities():
    z, t, r = drawn()
    u = seeds.gaussian(z.shape, 3).double()
    x0, sigma, x1, cond = few_step.lines(z, t, u, r)
    assert torch.allclose(torch.lerp(x0, x1, t[:, None]), z) and torch.allclose(x1 - x0, u)
    assert torch.allclose(sigma / (1 + sigma), t) and torch.allclose(cond["end"] / (1 + cond["end"]), r)


def test_chords_of_stored_paths_lead_from_state_to_state():
    times = torch.linspace(0.9, 0, 10, dtype=torch.float64)
    paths = seeds.gaussian((10, 5, 2), 4).double()
    x0, sigma, x1, cond = few_step.path_batches(paths, times, 200, seed=0)(3)
    t, r = (at / (1 + at) for at in (sigma, cond["end"]))
    states, ends = torch.lerp(x0, x1, t[:, None]), torch.lerp(x0, x1, r[:, None])
    known = paths.flatten(0, 1)
    assert torch.cdist(states, known).amin(1).max() < 1e-6 and torch.cdist(ends, known).amin(1).max() < 1e-6
    assert (t > r).all() and t.max() == pytest.approx(0.9) and r.min() == pytest.approx(0, abs=1e-12)


def test_a_denoiser_is_told_the_level_where_each_step_ends():
    told = []

    def denoiser(x, sigma, cond):
        told.append((sigma[0].item(), cond["end"][0].item()))
        return torch.zeros_like(x)

    sigmas = flow_sigmas(4)
    last(euler(few_step.steps_to(denoiser, sigmas), torch.ones(3, 2), sigmas))
    levels = sigmas.float().tolist()
    assert torch.allclose(torch.tensor(told), torch.tensor([levels[:-1], levels[1:]]).T)


def test_without_an_end_a_step_has_no_length():
    x, sigma = seeds.gaussian((8, 2), 5), torch.linspace(0.1, 3, 8)
    tangent = model()(x, sigma)
    assert torch.equal(tangent, model()(x, sigma, {"end": torch.full_like(sigma, torch.nan)}))
    assert torch.allclose(tangent, model()(x, sigma, {"end": sigma}), atol=1e-6)
    assert not torch.allclose(tangent, model()(x, sigma, {"end": sigma / 2}), atol=1e-4)


def test_meanflow_trains_towards_the_velocity_where_steps_have_no_length():
    pairs = couplings.independent(couplings.gaussian((2,)), couplings.gaussian((2,)))
    batch = few_step.mean_batches(pairs, 64, seed=0, share=0.0)(0)
    x0, sigma, x1, cond = batch
    assert torch.equal(sigma, cond["end"])
    assert torch.allclose(few_step.mean_flow_loss(model(), batch), model().loss(x0, sigma, x1), rtol=1e-3, atol=1e-4)


def test_no_gradient_leads_through_the_target_of_meanflow():
    pairs = couplings.independent(couplings.gaussian((2,)), couplings.gaussian((2,)))
    batch, trained = few_step.mean_batches(pairs, 64, seed=0)(0), model()
    few_step.mean_flow_loss(trained, batch).mean().backward()
    x0, sigma, x1, cond = batch
    t, r = (at / (1 + at) for at in (sigma, cond["end"]))
    z, fixed = torch.lerp(x0, x1, t[:, None]), model()
    with torch.no_grad():
        slope = few_step.derivative(few_step.mean_velocity(fixed, cond), z, t, x1 - x0)
    fixed.loss(*few_step.lines(z, t, x1 - x0 - (t - r)[:, None] * slope, r)).mean().backward()
    for one, other in zip(trained.parameters(), fixed.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-5)
