import pytest
import torch
from torch import nn

from core.diffusion.denoiser import PREDICTIONS, Denoiser, denoising_loss, eps_hat, in_chunks, per_sample, score
from core.diffusion.exact import EmpiricalDenoiser

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
every_prediction = pytest.mark.parametrize("prediction", list(PREDICTIONS))
SD = 0.45


class Answer(nn.Module):
    """A network that gives one fixed answer and remembers what it was asked."""

    def __init__(self, answer: torch.Tensor):
        super().__init__()
        self.answer = answer

    def forward(self, x, c_noise, cond=None):
        self.asked = x, c_noise, cond
        return self.answer


class Wave(nn.Module):
    """A network for data of any shape, each coordinate by itself."""

    def forward(self, x, c_noise, cond=None):
        return torch.sin(1.7 * x + per_sample(c_noise, x))


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SIGMA = torch.tensor([0.002, 0.05, 0.3, 1.0, 4.0, 80.0], dtype=torch.float64)
X0, EPS = SD * draw(6, 2), draw(6, 2, seed=1)
X = X0 + SIGMA[:, None] * EPS


def targets(x0: torch.Tensor, eps: torch.Tensor, sigma: torch.Tensor) -> dict[str, torch.Tensor]:
    """What each paper asks its network for, in that paper's own symbols."""
    alpha_bar = 1 / (1 + sigma**2)
    return {
        "eps": eps,
        "x0": x0,
        "v": alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * x0,
        "flow": eps - x0,
        "edm": (x0 - SD**2 / (sigma**2 + SD**2) * (x0 + sigma * eps)) * (sigma**2 + SD**2).sqrt() / (sigma * SD),
    }


@every_prediction
def test_the_target_of_the_paper_is_turned_back_into_the_data(prediction):
    target = targets(X0, EPS, SIGMA[:, None])[prediction]
    x0_hat = Denoiser(Answer(target), prediction, SD)(X, SIGMA)
    torch.testing.assert_close(x0_hat, X0, rtol=1e-12, atol=1e-12)


@every_prediction
def test_one_answer_said_in_another_prediction_is_the_same_denoiser(prediction):
    x0_hat = Denoiser(Wave(), "edm", SD)(X, SIGMA)
    retold = targets(x0_hat, eps_hat(X, x0_hat, SIGMA), SIGMA[:, None])[prediction]
    torch.testing.assert_close(Denoiser(Answer(retold), prediction, SD)(X, SIGMA), x0_hat, rtol=1e-11, atol=1e-11)


@every_prediction
def test_the_loss_is_the_mean_square_of_the_networks_own_error(prediction):
    answer = draw(6, 2, seed=2)
    target = targets(X0, EPS, SIGMA[:, None])[prediction]
    loss = Denoiser(Answer(answer), prediction, SD).loss(X0, SIGMA, EPS)
    torch.testing.assert_close(loss, (answer - target).square().mean(1), rtol=1e-9, atol=0)


def test_edm_with_unit_data_predicts_minus_v():
    answer = draw(6, 2, seed=2)
    edm, v = Denoiser(Answer(answer), "edm", 1.0), Denoiser(Answer(-answer), "v", 1.0)
    torch.testing.assert_close(edm(X, SIGMA), v(X, SIGMA), rtol=1e-14, atol=1e-14)


@every_prediction
def test_the_network_sees_unit_variance_and_a_quarter_of_log_sigma_and_no_sigma(prediction):
    net, cond = Answer(torch.zeros(1, 2)), {"label": torch.zeros(6)}
    Denoiser(net, prediction, SD)(X, SIGMA, cond)
    torch.testing.assert_close(net.asked[0], X / (SD**2 + SIGMA[:, None] ** 2).sqrt())
    torch.testing.assert_close(net.asked[1], SIGMA.log() / 4)
    assert net.asked[2] is cond


@every_prediction
def test_images_are_denoised_and_scored_as_the_list_of_their_numbers(prediction):
    denoiser = Denoiser(Wave(), prediction, SD)
    x0, eps = SD * draw(6, 3, 4, 4), draw(6, 3, 4, 4, seed=1)
    x0_hat = denoiser(x0, SIGMA)
    assert x0_hat.shape == x0.shape
    torch.testing.assert_close(x0_hat.flatten(1), denoiser(x0.flatten(1), SIGMA))
    torch.testing.assert_close(denoiser.loss(x0, SIGMA, eps), denoiser.loss(x0.flatten(1), SIGMA, eps.flatten(1)))


def test_noise_and_score_are_one_thing_up_to_sigma():
    torch.testing.assert_close(eps_hat(X, X0, SIGMA), EPS, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(score(X, X0, SIGMA), -EPS / SIGMA[:, None], rtol=1e-10, atol=1e-10)


def test_no_denoiser_beats_the_loss_of_the_exact_one():
    points = SD * draw(20, 2)
    exact, sigma = EmpiricalDenoiser(points), torch.full((20_000,), 0.4, dtype=torch.float64)
    x0, eps, one = points.repeat(1000, 1), draw(20_000, 2, seed=1), torch.ones_like(sigma)
    floor = denoising_loss(exact, x0, sigma, eps, one).mean()
    for other in (
        lambda x, s: exact(x, s) + 0.05,
        lambda x, s: 1.2 * exact(x, s),
        lambda x, s: exact(x, 1.3 * s),
        lambda x, s: x,
        EmpiricalDenoiser(points[:19]),
    ):
        assert denoising_loss(other, x0, sigma, eps, one).mean() > floor


def test_an_unknown_prediction_is_refused_with_the_names_there_are(refused):
    with refused("unknown_prediction", known="eps, x0, v, flow, edm"):
        Denoiser(Wave(), "z")


@pytest.mark.parametrize("sigma_data", [0.0, -1.0, float("nan"), float("inf")])
def test_data_without_spread_are_refused(sigma_data, refused):
    with refused("sigma_data"):
        Denoiser(Wave(), "edm", sigma_data)


@pytest.mark.parametrize("rows", [0, 1, 7, 20])
def test_a_denoiser_called_in_chunks_is_the_same_and_none_is_longer(rows):
    lengths = []

    def denoise(x, sigma, cond):
        lengths.append(len(x))
        return x * sigma[:, None] + cond["label"][:, None]

    x, sigma, cond = torch.arange(2.0 * rows).view(rows, 2), torch.arange(rows), {"label": torch.arange(rows)}
    assert torch.equal(in_chunks(denoise, 7)(x, sigma, cond), denoise(x, sigma, cond))
    assert max(lengths[:-1]) <= 7
