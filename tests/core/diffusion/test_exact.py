import math

import pytest
import torch

from core.diffusion.denoiser import score
from core.diffusion.exact import EmpiricalDenoiser, GaussianMixtureDenoiser
from core.diffusion.guidance import cfg, condition

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def level(value: float, n: int) -> torch.Tensor:
    return torch.full((n,), value, dtype=torch.float64)


POINTS, LABELS = 0.5 * draw(30, 2), torch.arange(30) % 3
X = draw(50, 2, seed=1)
SIGMAS = torch.logspace(-2, 1.5, 50, dtype=torch.float64)
EMPIRICAL = EmpiricalDenoiser(POINTS, LABELS)
STDS, SHARES = torch.tensor([[0.1, 0.3, 0.5, 0.7], [1, 2, 3, 4]], dtype=torch.float64)
MIXTURE = GaussianMixtureDenoiser(POINTS[:4], STDS, SHARES)
both = pytest.mark.parametrize("exact", [EMPIRICAL, MIXTURE], ids=["empirical", "mixture"])


def test_one_gaussian_is_shrunk_towards_its_mean():
    mu, s = torch.tensor([[0.3, -0.2]]).double(), 0.5
    expected = (s**2 * X + SIGMAS[:, None] ** 2 * mu) / (s**2 + SIGMAS[:, None] ** 2)
    torch.testing.assert_close(GaussianMixtureDenoiser(mu, level(s, 1))(X, SIGMAS), expected, rtol=1e-12, atol=1e-12)


def test_a_mixture_is_the_posterior_mean_that_an_integral_gives():
    means, stds, weights = torch.tensor([[-1.0], [0.5]]).double(), level(0.3, 2), torch.tensor([1.0, 3.0]).double()
    x0 = torch.linspace(-6, 6, 20_001, dtype=torch.float64)[:, None]
    prior = (weights / 4 * torch.exp(-((x0 - means.T) ** 2) / (2 * 0.3**2))).sum(1)
    x, sigma = torch.tensor([[-2.0], [0.1], [0.6]]).double(), level(0.7, 3)
    posterior = prior * torch.exp(-((x - x0.T) ** 2) / (2 * 0.7**2))
    expected = posterior @ x0 / posterior.sum(1, keepdim=True)
    torch.testing.assert_close(GaussianMixtureDenoiser(means, stds, weights)(x, sigma), expected, rtol=1e-9, atol=1e-9)


def test_the_empirical_denoiser_is_bayes_rule_written_out():
    likelihood = torch.stack([torch.exp(-((X - p) ** 2).sum(1) / (2 * 0.6**2)) for p in POINTS], dim=1)
    expected = likelihood @ POINTS / likelihood.sum(1, keepdim=True)
    torch.testing.assert_close(EMPIRICAL(X, level(0.6, 50)), expected, rtol=1e-12, atol=1e-12)


def test_points_are_a_mixture_of_gaussians_without_width():
    mixture = GaussianMixtureDenoiser(POINTS, torch.zeros(30, dtype=torch.float64))
    torch.testing.assert_close(mixture(X, SIGMAS), EMPIRICAL(X, SIGMAS), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(mixture.log_density(X, SIGMAS), EMPIRICAL.log_density(X, SIGMAS), rtol=1e-9, atol=1e-9)


def test_one_point_is_the_answer_to_everything():
    torch.testing.assert_close(EmpiricalDenoiser(POINTS[:1])(X, SIGMAS), POINTS[:1].expand(50, 2))


def test_without_noise_the_nearest_point_is_the_answer():
    nearest = POINTS[torch.cdist(X, POINTS).argmin(1)]
    torch.testing.assert_close(EMPIRICAL(X, level(1e-4, 50)), nearest)


def test_in_overwhelming_noise_the_mean_is_the_answer():
    torch.testing.assert_close(EMPIRICAL(X, level(1e6, 50)), POINTS.mean(0).expand(50, 2), rtol=0, atol=1e-9)


@both
def test_the_score_is_the_gradient_of_the_log_density(exact):
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(exact.log_density(x, SIGMAS).sum(), x)
    torch.testing.assert_close(gradient, score(X, exact(X, SIGMAS), SIGMAS), rtol=1e-8, atol=1e-8)


def test_the_score_on_a_data_point_itself_is_finite():
    x, sigma = POINTS.clone().requires_grad_(), level(0.2, 30)
    (gradient,) = torch.autograd.grad(EMPIRICAL.log_density(x, sigma).sum(), x)
    torch.testing.assert_close(gradient, score(POINTS, EMPIRICAL(POINTS, sigma), sigma), rtol=1e-8, atol=1e-8)


@both
def test_the_density_integrates_to_1(exact):
    axis = torch.linspace(-5, 5, 201, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    mass = exact.log_density(grid, level(0.3, len(grid))).exp().sum() * 0.05**2
    assert mass.item() == pytest.approx(1, abs=1e-6)


def test_weights_are_probabilities_whose_mean_point_is_the_answer():
    weights = EMPIRICAL.weights(X, SIGMAS)
    torch.testing.assert_close(weights.sum(1), level(1, 50))
    torch.testing.assert_close(weights @ POINTS, EMPIRICAL(X, SIGMAS))


def test_a_label_leaves_the_points_of_its_class_only():
    for label in range(3):
        told, alone = {"label": torch.full((50,), label)}, EmpiricalDenoiser(POINTS[LABELS == label])
        torch.testing.assert_close(EMPIRICAL(X, SIGMAS, told), alone(X, SIGMAS))
        torch.testing.assert_close(EMPIRICAL.log_density(X, SIGMAS, told), alone.log_density(X, SIGMAS))
        assert not EMPIRICAL.weights(X, SIGMAS, told)[:, label != LABELS].any()


def test_label_minus_1_leaves_all_points():
    told = {"label": torch.full((50,), -1)}
    assert torch.equal(EMPIRICAL(X, SIGMAS, told), EMPIRICAL(X, SIGMAS))
    assert torch.equal(EMPIRICAL.log_density(X, SIGMAS, told), EMPIRICAL.log_density(X, SIGMAS))


def test_each_row_has_its_own_label():
    label = torch.arange(50) % 4 - 1
    mixed = EMPIRICAL(X, SIGMAS, {"label": label})
    for k in range(-1, 3):
        row = label == k
        torch.testing.assert_close(mixed[row], EMPIRICAL(X, SIGMAS, {"label": torch.full((50,), k)})[row])


def test_labels_weigh_up_to_the_whole():
    parts = [EMPIRICAL.log_density(X, SIGMAS, {"label": torch.full((50,), k)}) + math.log(1 / 3) for k in range(3)]
    torch.testing.assert_close(torch.stack(parts).logsumexp(0), EMPIRICAL.log_density(X, SIGMAS))


def test_exact_denoisers_can_be_conditioned_and_guided_like_any_other():
    told = {"label": torch.tensor([1])}
    assert torch.equal(condition(EMPIRICAL, told)(X, SIGMAS), EMPIRICAL(X, SIGMAS, {"label": torch.ones(50)}))
    torch.testing.assert_close(cfg(MIXTURE, None, scale=3.0)(X, SIGMAS), MIXTURE(X, SIGMAS))


def test_images_are_the_list_of_their_numbers():
    images, x, sigma = draw(10, 3, 4, 4), draw(7, 3, 4, 4, seed=1), torch.logspace(-1, 1, 7, dtype=torch.float64)
    for exact, flat in (
        (EmpiricalDenoiser(images), EmpiricalDenoiser(images.flatten(1))),
        (GaussianMixtureDenoiser(images, level(0.5, 10)), GaussianMixtureDenoiser(images.flatten(1), level(0.5, 10))),
    ):
        assert exact(x, sigma).shape == x.shape
        torch.testing.assert_close(exact(x, sigma).flatten(1), flat(x.flatten(1), sigma))
        torch.testing.assert_close(exact.log_density(x, sigma), flat.log_density(x.flatten(1), sigma))


def test_single_precision_keeps_its_digits_at_the_smallest_noise():
    crowd = (1 + 0.01 * POINTS).float()  # the points of one place, far from 0, where |x|^2 - 2 x.p + |p|^2 cancels
    x, sigma = crowd[:10] + 0.005, torch.full((10,), 0.01)
    exact = EmpiricalDenoiser(crowd.double()).weights(x.double(), sigma.double())
    torch.testing.assert_close(EmpiricalDenoiser(crowd).weights(x, sigma).double(), exact, rtol=1e-5, atol=0)


def test_no_points_at_all_are_refused(refused):
    with refused("no_data_point"):
        EmpiricalDenoiser(torch.zeros(0, 2))
