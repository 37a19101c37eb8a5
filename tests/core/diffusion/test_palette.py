import math

import pytest
import torch
from torch import nn

from core.diffusion.denoiser import Denoiser
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.palette import TOLERANCE, PaletteDenoiser, shared
from core.models.model import load, save

COLOURS = torch.tensor([[-1, -1, -1], [1, 0.5, 0], [0.2, 0.1, 0.9], [-0.5, 1, 1]], dtype=torch.float64)
X = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SIGMAS = torch.tensor([0.05, 0.2, 0.5, 1, 4], dtype=torch.float64)


class Answer(nn.Module):
    """Answers with the same F and the same logits for every pixel."""

    def __init__(self, none: float, logits: list[float]):
        super().__init__()
        self.values = torch.tensor([0.3, -0.2, 0.1, none, *logits], dtype=torch.float64)

    def forward(self, x, c_noise, cond=None):
        return self.values[:, None, None].expand(*x.shape[:-3], -1, *x.shape[-2:])


def test_pixels_of_equally_likely_colours_have_the_exact_posterior_mean():
    found = PaletteDenoiser(Answer(-math.inf, [0, 0, 0, 0]), COLOURS)(X, SIGMAS)
    levels = (SIGMAS**2 + TOLERANCE**2).sqrt().repeat_interleave(16)
    pixels = EmpiricalDenoiser(COLOURS)(X.movedim(1, -1).reshape(-1, 3), levels)
    torch.testing.assert_close(found, pixels.view(5, 4, 4, 3).movedim(-1, 1), rtol=1e-9, atol=1e-9)


def test_logits_are_the_logarithms_of_prior_probabilities():
    found = PaletteDenoiser(Answer(-math.inf, [math.log(3), 0, 0, 0]), COLOURS)(X, SIGMAS)
    often = PaletteDenoiser(Answer(-math.inf, [0] * 6), COLOURS[[0, 0, 0, 1, 2, 3]])(X, SIGMAS)
    torch.testing.assert_close(found, often, rtol=1e-9, atol=1e-9)


def test_none_of_the_colours_is_as_likely_as_its_logit_says():
    plain = Denoiser(Answer(0, []), "flow")
    plain.net.values = plain.net.values[:3]
    some = PaletteDenoiser(Answer(0, [0]), COLOURS[:1], "flow")(X, SIGMAS)
    variance = (SIGMAS**2 + TOLERANCE**2)[:, None, None]
    squares = (X - COLOURS[0][:, None, None]).square().sum(1)
    density = torch.exp(-squares / (2 * variance)) / (2 * math.pi * variance) ** 1.5
    p = (density / (1 + density))[:, None]
    torch.testing.assert_close(some, p * COLOURS[0][:, None, None] + (1 - p) * plain(X, SIGMAS), rtol=1e-9, atol=1e-9)


def test_clips_are_denoised_frame_by_frame():
    denoiser = PaletteDenoiser(Answer(0, [1, 0, 0, 2]), COLOURS)
    clip = denoiser(X[None], SIGMAS[:1])
    torch.testing.assert_close(clip[0], denoiser(X, SIGMAS[:1].expand(5)))


class Clip(Answer):
    """The same for the frames of a clip, whose pixels have the same colour with the log odds ``same``, of all frames or
    of each."""

    def __init__(self, same: float | list[float], none: float, logits: list[float]):
        super().__init__(none, logits)
        self.same = torch.as_tensor(same, dtype=torch.float64)

    def forward(self, x, c_noise, cond=None):
        same = self.same.view(-1, 1, 1, 1).expand(*x.shape[:-3], 1, *x.shape[-2:])
        return torch.cat([super().forward(x, c_noise), same], -3)


def test_the_estimate_of_a_pixel_of_a_clip_is_that_of_its_formula():
    x, sigmas = torch.stack([0.3 * X[:3], X[2:]]), SIGMAS[[1, 3]]
    logits, prior, none = [0.5, 0, -1, 0.2], [-2.0, 0.5, 1.0], 0.7
    denoiser = PaletteDenoiser(Clip(prior, none, logits), COLOURS)
    found = denoiser(x, sigmas)
    log_odds = denoiser.net.same.view(1, 3, 1, 1, 1).expand(-1, -1, 4, 4, -1)
    for b, t, row, column in [(0, 0, 0, 0), (0, 2, 1, 3), (1, 1, 2, 2), (1, 0, 3, 1)]:
        variance = sigmas[b] ** 2 + TOLERANCE**2
        pixels = x[b, :, :, row, column]
        level = variance.view(1, 1, 1, 1, 1)
        weights = shared(x[b : b + 1].movedim(2, -1), level, 0.5, log_odds)[0, row, column, t]
        normal = torch.distributions.MultivariateNormal(torch.zeros(3).double(), variance * torch.eye(3).double())
        likelihood = normal.log_prob(pixels[:, None] - COLOURS) - math.log(4)
        odds = torch.cat([none * weights.sum()[None], torch.tensor(logits).double() + weights @ likelihood])
        p = odds.softmax(0)
        c_skip, c_out = 0.25 / (sigmas[b] ** 2 + 0.25), sigmas[b] * 0.5 / (sigmas[b] ** 2 + 0.25).sqrt()
        estimate = c_skip * pixels[t] + c_out * torch.tensor([0.3, -0.2, 0.1])
        torch.testing.assert_close(found[b, t, :, row, column], p[1:] @ COLOURS + p[0] * estimate)


def test_a_pixel_that_stands_still_has_the_posterior_of_all_its_frames():
    found = PaletteDenoiser(Clip(1e6, -1e3, [0] * 4), COLOURS)(X[None], SIGMAS[2:3])
    mean = X.mean(0, keepdim=True).movedim(1, -1).reshape(-1, 3)
    level = ((SIGMAS[2] ** 2 + TOLERANCE**2) / len(X)).sqrt().expand(16)
    exact = EmpiricalDenoiser(COLOURS)(mean, level).view(4, 4, 3).movedim(-1, 0)
    torch.testing.assert_close(found[0], exact.expand(5, -1, -1, -1), rtol=1e-9, atol=1e-9)


def test_a_pixel_that_never_has_the_same_colour_is_denoised_frame_by_frame():
    never, alone = (PaletteDenoiser(net, COLOURS) for net in (Clip(-1e6, 0, [1, 0, 0, 2]), Answer(0, [1, 0, 0, 2])))
    torch.testing.assert_close(never(X[None], SIGMAS[:1]), alone(X[None], SIGMAS[:1]))


def test_an_image_of_a_network_that_answers_with_too_many_channels_is_refused():
    with pytest.raises(RuntimeError, match="split"):
        PaletteDenoiser(Clip(0.0, 0, [0] * 4), COLOURS)(X, SIGMAS)


def test_frames_share_a_colour_as_likely_as_the_densities_of_their_difference_say():
    x, variance = X[None, :2].movedim(2, -1), torch.full((1, 1, 1, 1, 1), 0.04, dtype=torch.float64)
    found = shared(x, variance, 0.5, torch.full((1, 2, 4, 4, 1), -1.0, dtype=torch.float64))
    same, other = (torch.distributions.Normal(0.0, (2 * v) ** 0.5) for v in (0.04, 0.04 + 0.25))
    difference = x[0, 0] - x[0, 1]
    odds = same.log_prob(difference).sum(-1) - other.log_prob(difference).sum(-1) - 1
    torch.testing.assert_close(found[0, ..., 0, 1], odds.sigmoid())
    assert (found[..., 0, 0] == 1).all()


def test_a_pixel_is_read_in_single_precision_where_the_network_computes_in_bfloat16():
    denoiser, x, sigmas = PaletteDenoiser(Answer(0, [0] * 4), COLOURS.float()), X.float(), SIGMAS.float()
    with torch.autocast("cpu", torch.bfloat16):
        found = denoiser(x, sigmas)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, denoiser(x, sigmas), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sigma", [1e-3, 80.0])
def test_the_lowest_and_the_highest_noise_levels_have_finite_estimates(sigma):
    found = PaletteDenoiser(Answer(0, [0] * 4), COLOURS.float())(sigma * X.float(), torch.full((5,), sigma))
    assert found.isfinite().all()


def test_it_is_saved_with_its_colours_around_any_network(tmp_path):
    colours = torch.tensor([[0.0, 128, 255], [3, 2, 1]]) / 127.5 - 1
    network = nn.Conv2d(3, 6, 1)
    network.forward = lambda x, c_noise, cond=None: nn.Conv2d.forward(network, x)
    saved = PaletteDenoiser(network, colours)
    save(saved, tmp_path / "model", shape=(3, 4, 4))
    loaded = load(tmp_path / "model", network).denoiser.cpu()
    torch.testing.assert_close(loaded(X.float(), SIGMAS.float()), saved(X.float(), SIGMAS.float()))
