import pytest
import torch
from torch import nn

from core.diffusion.denoiser import PREDICTIONS, Denoiser, eps_hat, per_sample
from core.diffusion.guidance import autoguidance, cfg, condition, estimates, interval, lerp

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


class Wave(nn.Module):
    """A network for data of any shape that listens to "embed" and counts its calls."""

    calls = 0

    def forward(self, x, c_noise, cond=None):
        self.calls += 1
        shift = per_sample(cond["embed"].sum(1), x) if cond else 0.0
        return torch.sin(1.7 * x + per_sample(c_noise, x) + shift)


class Guided(nn.Module):
    """The network whose every answer is u + w (c - u)."""

    def __init__(self, net: nn.Module, cond: dict, negative: dict | None, scale: float):
        super().__init__()
        self.net, self.cond, self.negative, self.scale = net, cond, negative, scale

    def forward(self, x, c_noise, cond=None):
        u, c = self.net(x, c_noise, self.negative), self.net(x, c_noise, self.cond)
        return u + self.scale * (c - u)


def embed(*values: float) -> dict[str, torch.Tensor]:
    return {"embed": torch.tensor([values], dtype=torch.float64)}


X = torch.linspace(-2, 2, 12, dtype=torch.float64).view(6, 2)
SIGMA = torch.logspace(-2, 1, 6, dtype=torch.float64)
CAT, DOG = embed(0.4, 1.0), embed(-0.3, 0.2)
SCALES = (-1.0, 0.0, 0.3, 1.0, 2.0, 7.5)
DENOISER = Denoiser(Wave(), "edm", 0.45)


def test_scale_1_is_plain_conditional_in_one_call():
    denoiser = Denoiser(net := Wave())
    answer = cfg(denoiser, CAT, negative=DOG, scale=1.0)(X, SIGMA)
    assert net.calls == 1
    assert torch.equal(answer, condition(denoiser, CAT)(X, SIGMA))


def test_scale_0_is_the_negative_in_one_call():
    denoiser = Denoiser(net := Wave())
    answer = cfg(denoiser, CAT, negative=DOG, scale=0.0)(X, SIGMA)
    assert net.calls == 1
    assert torch.equal(answer, condition(denoiser, DOG)(X, SIGMA))


def test_without_a_negative_the_base_is_unconditional():
    assert torch.equal(cfg(DENOISER, CAT, scale=0.0)(X, SIGMA), DENOISER(X, SIGMA))


@pytest.mark.parametrize("scale", SCALES)
def test_guidance_away_from_the_condition_itself_does_nothing(scale):
    guided = cfg(DENOISER, CAT, negative=CAT, scale=scale)
    assert torch.equal(guided(X, SIGMA), condition(DENOISER, CAT)(X, SIGMA))


@pytest.mark.parametrize("scale", SCALES)
def test_both_conventions_of_the_scale_agree(scale):
    u, c, s = DENOISER(X, SIGMA), condition(DENOISER, CAT)(X, SIGMA), scale - 1
    torch.testing.assert_close(cfg(DENOISER, CAT, scale=scale)(X, SIGMA), (1 + s) * c - s * u, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("prediction", list(PREDICTIONS))
def test_guiding_the_denoiser_is_guiding_whatever_the_network_predicts(prediction, scale):
    net, rows = Wave(), {k: {"embed": v["embed"].expand(6, 2)} for k, v in {"cat": CAT, "dog": DOG}.items()}
    by_denoiser = cfg(Denoiser(net, prediction), CAT, negative=DOG, scale=scale)(X, SIGMA)
    by_network = Denoiser(Guided(net, rows["cat"], rows["dog"], scale), prediction)(X, SIGMA)
    torch.testing.assert_close(by_denoiser, by_network, rtol=1e-11, atol=1e-11)


def test_guided_noise_is_the_noise_of_the_guided_answer():
    u, c = (eps_hat(X, condition(DENOISER, cond)(X, SIGMA), SIGMA) for cond in (DOG, CAT))
    guided = eps_hat(X, cfg(DENOISER, CAT, negative=DOG, scale=4.0)(X, SIGMA), SIGMA)
    torch.testing.assert_close(guided, u + 4 * (c - u), rtol=1e-10, atol=1e-10)


def test_one_row_of_a_condition_stands_for_the_whole_batch():
    whole = {"embed": CAT["embed"].expand(6, 2)}
    assert torch.equal(condition(DENOISER, CAT)(X, SIGMA), condition(DENOISER, whole)(X, SIGMA))


def test_each_row_may_have_a_condition_of_its_own():
    mixed = condition(DENOISER, {"embed": torch.cat([CAT["embed"], DOG["embed"]] * 3)})(X, SIGMA)
    assert torch.equal(mixed[::2], condition(DENOISER, CAT)(X, SIGMA)[::2])
    assert torch.equal(mixed[1::2], condition(DENOISER, DOG)(X, SIGMA)[1::2])


def test_estimates_under_several_conditions_are_those_under_each_in_one_call():
    whole = [{"embed": one["embed"] + torch.arange(6.0)[:, None]} for one in (CAT, DOG)]
    denoiser = Denoiser(net := Wave())
    found = estimates(denoiser, X, SIGMA, *whole)
    assert net.calls == 1
    torch.testing.assert_close(found, torch.stack([denoiser(X, SIGMA, one) for one in whole], 1))


def test_no_condition_beside_another_is_what_stands_for_it_in_training():
    labels = {"label": torch.arange(6)}
    passed = []
    estimates(lambda x, sigma, cond: passed.append(cond["label"]) or x, X, SIGMA, None, labels)
    assert torch.equal(passed[0].view(6, 2), torch.stack([torch.full((6,), -1), labels["label"]], 1))


def test_autoguidance_starts_from_the_weak_model():
    weak, strong = (lambda x, s: 0.5 * x), (lambda x, s: 0.7 * x)
    torch.testing.assert_close(autoguidance(strong, weak, 2.0)(X, SIGMA), 0.9 * X)
    assert torch.equal(autoguidance(strong, weak, 1.0)(X, SIGMA), strong(X, SIGMA))


def test_an_interval_guides_above_its_lower_end_up_to_its_upper_end():
    chosen = interval(lambda x, s: "guided", lambda x, s: "plain", low=0.2, high=5.0)
    levels = {0.1: "plain", 0.2: "plain", 0.3: "guided", 5.0: "guided", 5.1: "plain"}
    assert {s: chosen(X, torch.full((6,), s, dtype=torch.float64)) for s in levels} == levels


def test_images_are_guided_as_the_list_of_their_numbers():
    x = torch.linspace(-1, 1, 6 * 48, dtype=torch.float64).view(6, 3, 4, 4)
    guided = cfg(DENOISER, CAT, negative=DOG, scale=3.0)
    assert guided(x, SIGMA).shape == x.shape
    torch.testing.assert_close(guided(x, SIGMA).flatten(1), guided(x.flatten(1), SIGMA))


def test_wrappers_wrap_wrappers():
    guided = cfg(DENOISER, CAT, scale=3.0)
    twice = lerp(DENOISER, guided, 2.0)
    torch.testing.assert_close(twice(X, SIGMA), cfg(DENOISER, CAT, scale=6.0)(X, SIGMA), rtol=1e-11, atol=1e-11)
