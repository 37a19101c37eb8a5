import math
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from core import seeds
from core.diffusion.denoiser import Denoiser, per_sample
from core.diffusion.schedules import log_normal
from core.diffusion.training import Diverged, TrainConfig, as_dict, diffusion_batches, diffusion_loss, new_state, train
from core.networks import NETWORKS, make_network
from core.networks.layers import linear
from core.runs.checkpoints import Checkpoint, from_bytes, load_folder, save_folder, to_bytes

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

POINTS, LABELS = 0.45 * seeds.gaussian((30, 2), 0), torch.arange(30) % 3
CONFIG = TrainConfig(steps=20, lr=1e-3, warmup=4, backup_every=5)
NETWORK = {"name": "fourier", "dim": 2, "classes": 3, "seed": 1}


def draw(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    pick = torch.randint(30, (n,), generator=generator)
    return POINTS[pick], LABELS[pick]


BATCHES = diffusion_batches(draw, log_normal(), batch=64, seed=0, dropout=0.1)


def fresh(config: TrainConfig = CONFIG):
    return new_state(Denoiser(make_network(**NETWORK), "edm", 0.45), config)


def run(state, config: TrainConfig = CONFIG, steps: int | None = None):
    """Train to the end, or for so many steps and break off."""
    for i, _ in enumerate(train(diffusion_loss, BATCHES, config, state), start=1):
        if i == steps:
            break
    return state


def weights(state) -> list[torch.Tensor]:
    return [p.detach().clone() for p in state.model.parameters()]


def assert_same(a, b):
    """Two states are equal bit for bit: weights, average, moments, step and loss."""
    assert (a.step, a.loss) == (b.step, b.loss)
    for x, y in ((a.model, b.model), (a.ema, b.ema)):
        for (name, one), other in zip(x.state_dict().items(), y.state_dict().values()):
            assert torch.equal(one, other), name
    moments = [[v for entry in s.optimizer.state_dict()["state"].values() for v in entry.values()] for s in (a, b)]
    assert len(moments[0]) == len(moments[1])
    assert all(torch.equal(one, other) for one, other in zip(*moments))


# The loop


def test_the_average_is_its_closed_form():
    state = fresh(config := replace(CONFIG, steps=25, ema=0.6))
    models, decays = [weights(state)], [min(0.6, n / (n + 9)) for n in range(1, 26)]
    models += [weights(state) for _ in train(diffusion_loss, BATCHES, config, state)]
    shares = [(1 - d) * math.prod(decays[n + 1 :]) for n, d in enumerate(decays)]
    shares = [math.prod(decays), *shares]
    assert sum(shares) == pytest.approx(1)
    for i, averaged in enumerate(state.ema.parameters()):
        expected = sum(share * model[i].double() for share, model in zip(shares, models))
        torch.testing.assert_close(averaged.double(), expected, rtol=1e-5, atol=1e-6)


def test_a_state_is_yielded_after_its_step_and_its_average():
    state = fresh()
    before, average = weights(state), [p.clone() for p in state.ema.parameters()]
    next(train(diffusion_loss, BATCHES, CONFIG, state))
    assert state.step == 1
    for old, old_average, new, new_average in zip(before, average, state.model.parameters(), state.ema.parameters()):
        torch.testing.assert_close(new_average, 0.1 * old_average + 0.9 * new)
        assert torch.equal(old, old_average)


def test_the_loss_of_a_state_is_that_of_its_last_step():
    state = run(fresh(), steps=7)
    expected = diffusion_loss(state.model, BATCHES(7)).mean().item()
    run(state, steps=1)
    assert state.loss == expected


def test_the_learning_rate_warms_up_and_stays():
    state, rates = fresh(), []
    for _ in train(diffusion_loss, BATCHES, CONFIG, state):
        rates.append(state.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.25e-3, 0.5e-3, 0.75e-3] + [1e-3] * 17)


def test_a_restart_lets_the_cosine_decay_fall_twice():
    config = TrainConfig(steps=300, lr=2.0, warmup=0, decay="cosine", restart=100)
    rates = [config.learning_rate(step) for step in (0, 50, 99, 100, 200, 299)]
    assert rates == pytest.approx([2.0, 1.0, 0.0, 2.0, 1.0, 0.0], abs=2e-3)


def test_with_cosine_decay_the_learning_rate_ends_at_nothing():
    config = TrainConfig(steps=100, lr=2.0, warmup=10, decay="cosine")
    rates = [config.learning_rate(step) for step in (4, 50, 100)]
    assert rates == pytest.approx([0.99606, 1.0, 0.0], abs=1e-4)


def test_accumulated_batches_are_one_batch_of_all():
    def weights(accumulate: int) -> torch.Tensor:
        state = new_state(linear(1, 1, 0), TrainConfig())
        nn.init.ones_(state.model.weight), nn.init.zeros_(state.model.bias)
        parts = torch.arange(8.0).view(accumulate, -1, 1)
        steps = train(lambda model, x: model(x) ** 2, parts.__getitem__, TrainConfig(accumulate=accumulate), state)
        assert next(steps).loss == pytest.approx(17.5)
        return state.model.weight.grad

    assert weights(1) == pytest.approx(weights(4))


def test_a_clipped_gradient_is_no_longer_than_allowed():
    state = new_state(linear(1, 1, 0), TrainConfig())
    next(train(lambda model, x: 1000 * model(x) ** 2, lambda k: torch.ones(4, 1), TrainConfig(clip=0.5), state))
    assert torch.cat([p.grad.flatten() for p in state.model.parameters()]).norm().item() == pytest.approx(0.5, rel=1e-3)


def test_loss_and_gradients_are_averaged_over_processes_once_a_step():
    state, calls = new_state(linear(1, 1, 0), TrainConfig()), []

    def steps(change):
        def average_(tensors):
            calls.append(len(tensors))
            for tensor in tensors:
                change(tensor)

        return train(
            lambda model, x: model(x) * 0, lambda k: torch.ones(4, 1), TrainConfig(accumulate=2), state, average_
        )

    assert next(steps(lambda tensor: tensor.add_(7))).loss == 7
    assert calls == [3] and all((p.grad == 7).all() for p in state.model.parameters())
    with pytest.raises(Diverged):
        next(steps(lambda tensor: tensor.mul_(torch.nan)))


def test_a_resumed_run_takes_all_settings_of_the_optimizer_from_its_configuration():
    state = run(fresh(CONFIG), CONFIG, steps=2)
    changed = replace(CONFIG, weight_decay=0.7, betas=(0.5, 0.6), lr=1e-5)
    group = run(state, changed, steps=1).optimizer.param_groups[0]
    assert (group["weight_decay"], group["betas"], group["lr"]) == (0.7, (0.5, 0.6), changed.learning_rate(2))


def test_without_warm_up_the_first_step_is_full():
    config = replace(CONFIG, warmup=0)
    assert run(fresh(config), config, steps=1).optimizer.param_groups[0]["lr"] == config.lr


def test_the_loop_knows_nothing_of_diffusion():
    x = torch.linspace(-1, 1, 20)[:, None]
    state = new_state(nn.utils.skip_init(nn.Linear, 1, 1), config := TrainConfig(steps=300, lr=0.05))
    nn.init.zeros_(state.model.weight), nn.init.zeros_(state.model.bias)
    for _ in train(lambda model, xy: (model(xy[0]) - xy[1]).square(), lambda step: (x, 3 * x - 1), config, state):
        pass
    assert [state.model.weight.item(), state.model.bias.item()] == pytest.approx([3, -1], abs=0.02)


def test_the_first_loss_of_a_fourier_network_is_that_of_no_network_at_all():
    state = run(fresh(), steps=1)
    x0, sigma, eps, _ = BATCHES(0)
    target = (sigma[:, None] * x0 - 0.45**2 * eps) / (0.45 * (sigma[:, None] ** 2 + 0.45**2).sqrt())
    assert state.loss == pytest.approx(target.square().mean().item(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(NETWORKS))
def test_one_batch_is_overfitted(name):
    x0, sigma = POINTS[:8], torch.logspace(-1, 0.5, 8)
    batch = x0, sigma, seeds.gaussian((8, 2), 1), None
    config = TrainConfig(steps=300, lr=3e-3, warmup=10)
    state, losses = new_state(Denoiser(make_network(name), "edm", 0.45), config), []
    for _ in train(diffusion_loss, lambda step: batch, config, state):
        losses.append(state.loss)
    assert min(losses) < 1e-3 * losses[0]


# Breaking off, going on


@pytest.mark.parametrize("kept", ["in memory", "in a folder", "in a zip", "as a fork"])
def test_2n_steps_are_n_steps_then_kept_then_n_steps_bit_for_bit(kept, tmp_path):
    half = run(fresh(), steps=10)
    config = {"network": NETWORK, "prediction": "edm", "sigma_data": 0.45, "train": as_dict(CONFIG)}
    if kept == "in a folder":
        save_folder(Checkpoint(half, config), tmp_path / "run")
        half = load_folder(tmp_path / "run").state
    elif kept == "in a zip":
        half = from_bytes(to_bytes(Checkpoint(half, config))).state
    elif kept == "as a fork":
        original, half = half, deepcopy(half)
        run(original)
    assert half.step == 10
    assert_same(run(half), run(fresh()))


def test_breaking_off_after_any_step_changes_nothing():
    state = fresh()
    while state.step < CONFIG.steps:
        run(state, steps=3)
    assert_same(state, run(fresh()))


def test_a_fork_leaves_its_original_alone():
    state, untouched = run(fresh(), steps=6), run(fresh(), steps=6)
    run(deepcopy(state))
    assert_same(state, untouched)


def test_a_run_goes_on_with_another_learning_rate_and_the_same_model():
    state = run(fresh(), steps=10)
    before = weights(state)
    changed = replace(CONFIG, lr=1e-12)
    run(state, changed, steps=1)
    assert state.optimizer.param_groups[0]["lr"] == 1e-12
    assert state.step == 11
    for old, new in zip(before, state.model.parameters()):
        torch.testing.assert_close(new, old, rtol=0, atol=1e-9)


def test_a_finished_run_yields_nothing_more():
    assert list(train(diffusion_loss, BATCHES, CONFIG, run(fresh()))) == []


# Divergence


def diverge(state, config: TrainConfig = CONFIG) -> Diverged:
    with pytest.raises(Diverged) as refusal:
        run(state, replace(config, lr=1e6))
    return refusal.value


def finite(state) -> bool:
    moments = [v for entry in state.optimizer.state_dict()["state"].values() for v in entry.values()]
    return all(v.isfinite().all() for v in [*state.model.parameters(), *state.ema.parameters(), *moments])


def test_a_learning_rate_of_a_million_is_named_and_the_good_weights_kept():
    state = run(fresh(), steps=12)
    good = diffusion_loss(state.model, BATCHES(0)).mean().item()
    refusal = diverge(state)
    assert refusal.code == "diverged" and refusal.values["lr"] == 1e6
    assert finite(state)
    assert state.step == 12
    assert diffusion_loss(state.ema, BATCHES(0)).mean().isfinite()
    assert diffusion_loss(state.model, BATCHES(0)).mean().item() == good


def test_a_run_recovers_from_divergence_as_if_nothing_had_happened():
    state = run(fresh(), steps=10)
    diverge(state)
    assert_same(run(state), run(fresh()))


def test_good_weights_survive_a_break_right_after_the_step_that_ruined_them():
    state = run(fresh(), steps=10)
    good = diffusion_loss(state.model, BATCHES(0)).mean().item()
    run(state, replace(CONFIG, lr=1e6), steps=1)  # a single step, after which the learner lowers the learning rate
    for _ in range(2):
        with pytest.raises(Diverged):
            run(state, steps=5)
            run(state, replace(CONFIG, lr=1e6), steps=2)
    assert finite(state)
    assert diffusion_loss(state.model, BATCHES(0)).mean().item() < 2 * good
    run(state)
    assert state.step == CONFIG.steps


def test_a_long_run_loses_no_more_steps_than_lie_between_two_copies():
    state, calls = fresh(), []

    def loss(model, batch):
        calls.append(batch)
        return diffusion_loss(model, batch) * (math.nan if len(calls) > 13 else 1.0)

    with pytest.raises(Diverged) as refusal:
        list(train(loss, BATCHES, CONFIG, state))
    assert refusal.value.values["step"] == 13
    assert_same(state, run(fresh(), steps=10))


def test_a_loss_that_is_not_a_number_is_divergence():
    state = fresh()
    with pytest.raises(Diverged):
        next(train(lambda model, batch: diffusion_loss(model, batch) * math.nan, BATCHES, CONFIG, state))


@pytest.mark.parametrize(
    "setting",
    [{"steps": -1}, {"lr": 0.0}, {"lr": math.nan}, {"warmup": -1}, {"betas": (0.9,)}, {"betas": (0.9, 1.0)}]
    + [{"ema": 1.5}, {"backup_every": 0}, {"weight_decay": -1.0}, {"decay": "steep"}, {"clip": 0.0}, {"accumulate": 0}],
)
def test_a_setting_that_no_run_can_have_is_named(setting, refused):
    with refused("train_config", name=next(iter(setting))):
        TrainConfig(**setting)


# Batches


def test_a_batch_depends_on_its_step_and_seed_alone():
    forwards, backwards = [BATCHES(step) for step in range(4)], [BATCHES(step) for step in reversed(range(4))][::-1]
    for one, other in zip(forwards, backwards):
        assert all(torch.equal(a, b) for a, b in zip(one[:3], other[:3]))
        assert torch.equal(one[3]["label"], other[3]["label"])
    elsewhere = diffusion_batches(draw, log_normal(), batch=64, seed=1)(0)
    for other in (forwards[1], elsewhere):
        assert not any(torch.equal(a, b) for a, b in zip(forwards[0][:3], other[:3]))


def test_every_noise_comes_with_its_negative_on_the_same_data_and_level():
    x0, sigma, eps, cond = BATCHES(3)
    assert torch.equal(eps[:32], -eps[32:])
    for value in (x0, sigma, cond["label"]):
        assert torch.equal(value[:32], value[32:])


def test_noise_levels_of_a_batch_are_stratified():
    t = log_normal().t(BATCHES(3)[1][:32].double()).sort().values
    assert ((t * 32).floor() == torch.arange(32)).all()


def test_labels_are_dropped_as_often_as_asked_and_otherwise_kept():
    batches = diffusion_batches(draw, log_normal(), batch=20_000, seed=0, dropout=0.3)
    x0, _, _, cond = batches(0)
    dropped = cond["label"] == -1
    assert dropped.float().mean().item() == pytest.approx(0.3, abs=0.015)
    own = LABELS[torch.cdist(x0, POINTS).argmin(1)]
    assert torch.equal(cond["label"][~dropped], own[~dropped])
    never, always = (diffusion_batches(draw, log_normal(), 64, 0, p)(0)[3]["label"] for p in (0.0, 1.0))
    assert (never >= 0).all()
    assert (always == -1).all()


def test_of_a_condition_of_vectors_all_parts_are_dropped_together():
    told = {"embed": torch.ones(500, 3), "tokens": torch.ones(500, 2, 4)}
    cond = diffusion_batches(lambda n, _: (torch.zeros(n, 2), told), log_normal(), 1000, seed=0, dropout=0.3)(0)[3]
    embed, tokens = cond["embed"].isnan(), cond["tokens"].isnan()
    assert torch.equal(embed.all(1), embed.any(1)) and torch.equal(tokens.all(2), tokens.any(2))
    assert torch.equal(embed[:, 0], tokens[:, 0, 0]) and 0.2 < embed[:, 0].double().mean() < 0.4


def test_data_without_labels_have_no_condition():
    assert diffusion_batches(lambda n, g: (draw(n, g)[0], None), log_normal(), 8, 0)(0)[3] is None


def test_images_are_batched_like_points():
    class Still(nn.Module):
        def forward(self, x, c_noise, cond=None):
            return 0 * x + per_sample(c_noise, x)

    images = seeds.gaussian((8, 3, 4, 4), 0)
    batches = diffusion_batches(lambda n, g: (images[:n], None), log_normal(), batch=16, seed=0)
    x0, sigma, eps, _ = batches(0)
    assert x0.shape == eps.shape == (16, 3, 4, 4)
    assert diffusion_loss(Denoiser(Still()), batches(0)).shape == sigma.shape == (16,)


@pytest.mark.parametrize("batch", [1, 2, 101])
def test_a_batch_has_as_many_points_as_it_is_asked_for(batch):
    x0, sigma, eps, cond = diffusion_batches(draw, log_normal(), batch, seed=0)(0)
    assert len(x0) == len(sigma) == len(eps) == len(cond["label"]) == batch
    half = batch // 2
    assert torch.equal(eps[-half:], -eps[:half]) or not half


def test_an_ordered_source_is_not_tied_to_noise_levels():
    x0, sigma, *_ = diffusion_batches(lambda n, _: (torch.arange(n, dtype=torch.float32), None), log_normal(), 512, 0)(
        0
    )
    assert abs(torch.corrcoef(torch.stack([x0, sigma.log()]))[0, 1]) < 0.15


def test_a_condition_of_any_name_and_shape_is_left_out_as_none():
    cond = {"side": torch.ones(8, 2, 3), "class": torch.arange(8)}
    *_, kept = diffusion_batches(lambda n, _: (POINTS[:n], cond), log_normal(), 16, seed=0, dropout=1.0)(0)
    assert kept["side"].isnan().all() and kept["side"].shape == (16, 2, 3) and (kept["class"] == -1).all()


def test_the_average_has_the_buffers_of_the_model():
    model = nn.Sequential(nn.utils.skip_init(nn.Linear, 2, 2), nn.BatchNorm1d(2))
    nn.init.eye_(model[0].weight), nn.init.zeros_(model[0].bias)
    state = new_state(model, config := TrainConfig(steps=3))
    for _ in train(lambda model, x: model(x).square(), lambda k: 5 + seeds.gaussian((8, 2), k), config, state):
        pass
    assert torch.equal(state.ema[1].running_mean, model[1].running_mean) and model[1].running_mean.min() > 0.5
    assert state.ema[1].num_batches_tracked == 3
