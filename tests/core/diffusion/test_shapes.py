"""Samples of any shape: a latent of four channels, a clip, an image that is no square."""

import pytest
import torch

from core import metrics, seeds
from core.diffusion import samplers, vector_field
from core.diffusion.denoiser import Denoiser
from core.diffusion.exact import EmpiricalDenoiser
from core.diffusion.guidance import cfg
from core.diffusion.samplers import SAMPLERS, SamplerConfig
from core.diffusion.schedules import log_normal
from core.diffusion.training import TrainConfig, diffusion_batches, diffusion_loss, new_state, train
from core.networks import make_network

SHAPES = [(4, 4, 4), (3, 3, 8, 8), (2, 6, 10)]
NETWORKS = {(4, 4, 4): "unet", (3, 3, 8, 8): "fourier", (2, 6, 10): "dit"}


def network(shape: tuple[int, ...]):
    if NETWORKS[shape] == "fourier":
        return make_network("fourier", dim=int(torch.tensor(shape).prod()), classes=2)
    sizes = {"width": 16, "blocks": 1}
    return make_network(NETWORKS[shape], side=shape[1:], channels=shape[0], classes=2, **sizes, **(
        {"multipliers": [1, 2]} if NETWORKS[shape] == "unet" else {"heads": 2}))  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_of_any_shape_are_trained_on_and_drawn_by_every_sampler(shape):
    data, labels = 0.5 * seeds.gaussian((20, *shape), 0), torch.arange(20) % 2
    batches = diffusion_batches(lambda n, _: (data[:n], labels[:n]), log_normal(), 16, seed=0, dropout=0.2)
    state = new_state(Denoiser(network(shape)), config := TrainConfig(steps=3))
    losses = [each.loss for each in train(diffusion_loss, batches, config, state)]
    assert len(losses) == 3 and all(loss == loss for loss in losses)
    guided = cfg(state.ema, {"label": torch.tensor([1])}, negative={"label": torch.tensor([0])}, scale=2.0)
    for name in SAMPLERS:
        drawn = samplers.last(samplers.run(SamplerConfig(name, 2), guided, samplers.start((3, *shape), 10.0, 0.5, 1)))
        assert drawn.shape == (3, *shape) and drawn.isfinite().all()
    exact = EmpiricalDenoiser(data, labels)
    assert vector_field.relative_error(state.ema, exact, data, torch.tensor([0.5])).isfinite().all()
    assert vector_field.arrows(exact, data, torch.tensor([0.5, 2.0]), "vp").shape == (2, 20, *shape)
    assert metrics.energy_distance(drawn, data) > 0 and 0 < metrics.coverage(drawn, data) <= 1
