"""Few steps: models of the mean velocity of a step, in place of the velocity at its beginning.

On rectified flow's time t = sigma / (1 + sigma) a state is z_t = x / (1 + sigma) = (1 - t) x0 + t x1. The velocity
v(z, t) of the ODE is the tangent of a path, and Euler's method follows it with an error. The mean velocity

    u(z_t, t, r) = (z_t - z_r) / (t - r)

is the chord of the path from t down to r: one step z_r = z_t - (t - r) u is exact (Geng et al. 2025, "Mean Flows for
One-step Generative Modeling", eq. 3). Its model is a ``Denoiser`` that predicts "flow" and is told the noise level
where the step ends, ``cond["end"]``. Without it r = t, where u = v.

Every loss here is ``diffusion_loss``. A velocity u at z_t is that of the straight line through z_t from x0 = z_t - t u
to x1 = z_t + (1 - t) u, so a batch of such lines trains the model towards u.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from core import seeds
from core.diffusion.couplings import Coupling
from core.diffusion.denoiser import Cond, Denoise, Denoiser, per_sample
from core.diffusion.training import Batches

Lines = tuple[Tensor, Tensor, Tensor, Cond]  # x0 [B, ...], sigma [B], x1 [B, ...] and the levels where the steps end
DIFFERENCE = 5e-3  # of time, to either side, for the derivative of a model along its velocity
T_MIN, T_MAX = 1e-3, 1 - 1e-3


def velocity(denoise: Denoise, z: Tensor, t: Tensor) -> Tensor:
    """The velocity (z - x0_hat) / t of a denoiser at states z [B, ...] and times t [B] in (0, 1), [B, ...]."""
    t = per_sample(t, z)
    return (z - denoise(z / (1 - t), level(t.flatten()))) / t


def level(t: Tensor | float) -> Tensor | float:
    """The noise level sigma = t / (1 - t) of a time t in [0, 1)."""
    return t / (1 - t)


def steps_to(denoiser: Callable[..., Tensor], sigmas: Tensor) -> Callable[..., Tensor]:
    """A denoiser that is told, at each level of the grid [steps + 1], the level that follows: each step of ``euler``
    along this grid is then one step of the mean velocity."""
    levels = torch.as_tensor(sigmas).flip(0)

    def denoise(x: Tensor, sigma: Tensor, cond: Cond | None = None) -> Tensor:
        following = (torch.searchsorted(levels.to(sigma), sigma.contiguous()) - 1).clamp_min(0)
        return denoiser(x, sigma, {**(cond or {}), "end": levels.to(sigma)[following]})

    return denoise


def lines(z: Tensor, t: Tensor, u: Tensor, r: Tensor) -> Lines:
    """The batch of ``diffusion_loss`` that trains towards the velocities u [B, ...] at z [B, ...], for steps from the
    times t [B] to r [B]."""
    part = per_sample(t, z)
    return z - part * u, level(t), z + (1 - part) * u, {"end": level(r)}


# Mean velocities from stored paths


def path_batches(paths: Tensor, times: Tensor, batch: int, seed: int, share: float = 0.25) -> Batches:
    """Chords of stored paths z [T + 1, N, ...] at descending times [T + 1], between two random times of one path each.

    The paths are those of a model's ODE. Their chords are what its mean velocity is; no derivative is needed, and the
    target does not move while a model learns. A part ``share`` of the chords begins where the paths begin, and as many
    end where the paths end, because those of few steps do: with 0.25 one step is three times as close to the spiral as
    with 0.
    """
    last = len(times) - 1

    def batch_at(step: int) -> Lines:
        generator = seeds.generator(seed, step)
        path = torch.randint(paths.shape[1], (batch,), generator=generator)
        first, second = torch.rand(batch, 2, generator=generator).sort(1).values.unbind(1)
        whole = torch.rand(2, batch, generator=generator) < share
        begin = torch.where(whole[0], 0, (first * last).long())
        end = torch.where(whole[1], last, torch.maximum((second * (last + 1)).long(), begin + 1))
        z, t, r = paths[begin, path], times[begin], times[end]
        return lines(z, t, (z - paths[end, path]) / per_sample(t - r, z), r)

    return batch_at


# MeanFlow


def mean_batches(coupling: Coupling, batch: int, seed: int, share: float = 0.5) -> Batches:
    """Pairs of a coupling with two times: (x0, sigma, x1, {"end"}). For a part ``share`` of them the step has a length
    t - r > 0, for the others r = t, where the target is the velocity itself."""

    def batch_at(step: int) -> Lines:
        generator = seeds.generator(seed, step)
        x0, x1, _ = coupling(batch, generator)
        drawn = T_MIN + (T_MAX - T_MIN) * torch.rand(batch, 2, generator=generator)
        r, t = drawn.sort(1).values.unbind(1)
        long = torch.rand(batch, generator=generator) < share
        return x0, level(t), x1, {"end": level(torch.where(long, r, t))}

    return batch_at


def mean_flow_loss(model: Denoiser, batch: Lines) -> Tensor:
    """The loss of MeanFlow, [B] (Geng et al. 2025, eqs. 8 to 11): towards u = v - (t - r) du/dt.

    v = x1 - x0 is the velocity of the pair. The total derivative of the model along it is a central difference, which
    takes 4 ms where a Jacobian-vector product takes 11; no gradient leads through it.
    """
    x0, sigma, x1, cond = batch
    t, r = (at / (1 + at) for at in (sigma, cond["end"]))
    v = x1 - x0
    z = torch.lerp(x0, x1, per_sample(t, x0))
    with torch.no_grad():
        u = v - per_sample(t - r, z) * derivative(mean_velocity(model, cond), z, t, v)
    return model.loss(*lines(z, t, u, r))


def mean_velocity(model: Denoiser, cond: Cond) -> Callable[[Tensor, Tensor], Tensor]:
    """The mean velocity as a function of z [B, ...] and t [B], with fixed ends of the steps."""
    return lambda z, t: velocity(lambda x, sigma: model(x, sigma, cond), z, t)


def derivative(u: Callable[[Tensor, Tensor], Tensor], z: Tensor, t: Tensor, v: Tensor) -> Tensor:
    """du/dt of u(z, t) along dz/dt = v, [B, ...], by a central difference within the times that are trained on."""
    later, earlier = (t + DIFFERENCE).clamp(max=T_MAX), (t - DIFFERENCE).clamp(min=T_MIN)
    ahead, behind = (u(z + per_sample(at - t, z) * v, at) for at in (later, earlier))
    return (ahead - behind) / per_sample(later - earlier, z)
