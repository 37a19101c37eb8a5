"""The U-Net and the transformer: what both must do, then each one's own, then the library around them."""

import itertools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.diffusion import samplers, schedules
from core.diffusion.denoiser import Denoiser
from core.diffusion.guidance import cfg, condition
from core.diffusion.training import TrainConfig, diffusion_batches, diffusion_loss, new_state, train
from core.networks import SIZES, layers, make_network
from core.networks.clip import Clip
from core.networks.dit import DiT, positions
from core.networks.embeddings import LabelEmbedding, NoiseEmbedding
from core.networks.layers import MAX_WEIGHTS
from core.networks.prior import VectorNet
from core.networks.unet import UNet
from core.problems import Problem
from core.runs.checkpoints import from_bytes, load_folder, new_checkpoint, save_folder, to_bytes, to_files

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

TINY = {
    "unet": {"width": 8, "multipliers": [1, 2, 2], "blocks": 2},
    "dit": {"width": 16, "blocks": 2, "heads": 2, "patch": 4},
}
every_network = pytest.mark.parametrize("name", list(TINY))


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, LEVEL = draw(4, 1, 8, 8), torch.linspace(-1.5, 1, 4, dtype=torch.float64)
LABEL, EMBED, TOKENS = torch.tensor([0, 1, -1, 0]), draw(4, 5, seed=1), draw(4, 3, 6, seed=2)
MISSING = float("nan")


def network(name: str, **sizes):
    return make_network(name, **{"side": 8, **TINY[name], **sizes})


def awake(name: str, **sizes):
    """The network in float64 and no longer zero: every parameter that starts there is drawn anew."""
    net = network(name, **sizes).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1, generator=generator)
    return net


# What both must do


@every_network
def test_initial_weights_follow_from_the_seed_alone(name):
    first, again, other = (network(name, classes=2, vector=5, seed=seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not any(torch.equal(first[key], other[key]) for key in first if len(first[key].unique()) > 1)


@every_network
def test_no_weight_is_left_as_the_memory_happened_to_be(name):
    """Each is of an expected size: within PyTorch's bound of 1, or standard normal."""
    for key, weight in network(name, classes=2, vector=5).named_parameters():
        assert weight.abs().max() <= (4.5 if key.endswith(("table", "null")) else 1), key


@every_network
def test_an_untrained_network_answers_zero(name):
    net = network(name, classes=2, vector=5)
    assert not net(X.float(), LEVEL.float(), {"label": LABEL, "embed": EMBED.float()}).any()


@every_network
@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (4, 4), (2, (8, 12))])
def test_an_answer_has_the_shape_of_the_image(name, channels, side):
    net = awake(name, side=side, channels=channels)
    shape = (2, channels, *(side if isinstance(side, tuple) else (side, side)))
    answer = net(draw(*shape), LEVEL[:2])
    assert answer.shape == shape
    assert answer.dtype == torch.float64


DIRECT = {
    "unet": lambda: UNet(24, 8, 0, [48, 96, 192], 1, 1, 1),
    "dit": lambda: DiT(4, 2, 5, 6, 16, 2, 2, 2),
    "vectors": lambda: VectorNet(6, 4, 3, 16, 2, 2),
    "clip": lambda: Clip(7, 3, 16, 16, 8),
    "label": lambda: LabelEmbedding(3, 4),
}


@pytest.mark.parametrize("name", DIRECT)
def test_a_network_class_that_is_used_directly_is_ready_to_use(name):
    first, again = DIRECT[name](), DIRECT[name]()
    for (key, weight), same in zip(first.named_parameters(), again.parameters()):
        assert weight.isfinite().all() and weight.abs().max() < 5, key
        assert torch.equal(weight, same), key
    if name == "unet":
        assert not first(draw(2, 24, 8, 8).float(), torch.zeros(2)).any()


@pytest.mark.parametrize(("width", "multipliers"), [(88, [1, 2, 3]), (20, [1, 3]), (6, [1, 2]), (34, [1]), (7, [1, 5])])
def test_a_u_net_of_any_width_that_passes_the_checks_answers(width, multipliers):
    net = awake("unet", width=width, multipliers=multipliers, blocks=1)
    assert net(draw(2, 1, 8, 8), LEVEL[:2]).isfinite().all()


@every_network
def test_a_network_answers_images_of_another_side_and_oblong_ones(name):
    net = awake(name, side=8)
    assert net(draw(2, 1, 16, 16), LEVEL[:2]).shape == (2, 1, 16, 16)
    assert net(draw(2, 1, 8, 12), LEVEL[:2]).shape == (2, 1, 8, 12)


@every_network
def test_each_image_is_answered_from_itself_its_level_and_its_condition(name):
    net, cond = awake(name, classes=2, vector=5), {"label": LABEL, "embed": EMBED}
    whole = net(X, LEVEL, cond)
    rows = [net(X[[i]], LEVEL[[i]], {key: value[[i]] for key, value in cond.items()}) for i in range(4)]
    torch.testing.assert_close(torch.cat(rows), whole)
    others = [(X + 1, LEVEL, cond), (X, LEVEL + 1, cond), (X, LEVEL, {**cond, "label": 1 - LABEL.clamp(0)})]
    for other in (*others, (X, LEVEL, {**cond, "embed": EMBED + 1})):
        assert ((net(*other) - whole).abs().amax((1, 2, 3)) > 1e-6).all()


@every_network
def test_label_minus_1_is_no_label(name):
    net = awake(name, classes=2)
    nothing = net(X, LEVEL)
    assert torch.equal(net(X, LEVEL, {"label": torch.full((4,), -1)}), nothing)
    assert torch.equal(net(X, LEVEL, {}), nothing)
    assert all((net(X, LEVEL, {"label": torch.full((4,), k)}) != nothing).any() for k in range(2))


@every_network
def test_a_vector_of_nan_is_no_vector_and_one_of_zeros_is(name):
    net = awake(name, vector=5)
    nothing = net(X, LEVEL)
    assert torch.equal(net(X, LEVEL, {"embed": torch.full((4, 5), MISSING, dtype=torch.float64)}), nothing)
    assert (net(X, LEVEL, {"embed": torch.zeros(4, 5, dtype=torch.float64)}) != nothing).any()
    some = EMBED.clone()
    some[1] = MISSING
    torch.testing.assert_close(net(X, LEVEL, {"embed": some})[[1]], net(X[[1]], LEVEL[[1]]))


@every_network
def test_a_condition_that_it_was_not_made_for_is_not_noticed(name):
    net = awake(name)
    assert torch.equal(net(X, LEVEL, {"label": LABEL, "embed": EMBED, "tokens": TOKENS}), net(X, LEVEL))


@every_network
def test_the_gradient_reaches_every_parameter_the_learned_nulls_too(name):
    net = awake(name, classes=2, vector=5, **({"token": 6} if name == "dit" else {}))
    some, fewer = EMBED.clone(), TOKENS.clone()
    some[1], fewer[2] = MISSING, MISSING
    net(X, LEVEL, {"label": LABEL, "embed": some, "tokens": fewer}).square().sum().backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad.isfinite().all(), key
        assert (parameter.grad.abs() > 1e-9).any(), key


@every_network
def test_training_from_zero_moves_every_parameter_within_four_steps(name):
    state = new_state(Denoiser(network(name, classes=2)), TrainConfig(steps=4, warmup=0, lr=1e-3))
    before = {key: parameter.clone() for key, parameter in state.model.named_parameters()}
    for _ in train(diffusion_loss, images(), TrainConfig(steps=4, warmup=0, lr=1e-3), state):
        pass
    assert not [key for key, parameter in state.model.named_parameters() if torch.equal(parameter, before[key])]


@every_network
def test_the_order_of_channels_in_memory_changes_nothing(name):
    net, x = awake(name, channels=3), draw(4, 3, 8, 8)
    answer = net(x, LEVEL)
    torch.testing.assert_close(net(x.contiguous(memory_format=torch.channels_last), LEVEL), answer)
    torch.testing.assert_close(net.to(memory_format=torch.channels_last)(x, LEVEL), answer)


def test_a_u_net_convolves_with_channels_last_however_its_images_lie():
    net, seen = network("unet", channels=3), []
    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d) and layer is not net.stem:
            layer.register_forward_hook(lambda layer, given, answer: seen.append(given[0].stride(1)))
    net(draw(2, 3, 8, 8).float(), LEVEL[:2].float())
    assert len(seen) > 10 and set(seen) == {1}


@every_network
def test_weights_and_gradients_lie_alike_in_memory_as_the_fused_optimizer_takes_them_to(name):
    net = awake(name, channels=3)
    net(draw(4, 3, 8, 8).contiguous(memory_format=torch.channels_last), LEVEL).sum().backward()
    assert all(parameter.is_contiguous() and parameter.grad.is_contiguous() for parameter in net.parameters())


# The sizes


@every_network
@pytest.mark.parametrize("side", [30, 9])
def test_a_side_that_does_not_divide_is_refused_with_one_that_does(name, side, refused):
    remedy = {"factor": 4, "side": side, "padded": -(-side // 4) * 4}
    with refused("network_side", **remedy):
        network(name, side=side)
    with refused("network_side", **remedy):
        network(name)(torch.zeros(1, 1, side, side), torch.zeros(1))


@every_network
@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 8, 8), (2, 64)])
def test_what_is_no_image_of_its_channels_is_refused(name, shape, refused):
    with refused("network_input", given=str(list(shape))):
        network(name)(torch.zeros(shape), torch.zeros(2))


ABSURD = {
    "side": (0, -4, 10**9, 8.0, "8", None, True),
    "channels": (0, 10**9, "1", None),
    "classes": (-1, 10**9, 1.0, None),
    "vector": (-1, 10**9, None),
    "width": (0, -8, 12.5, 10**9, None),
    "blocks": (0, 10**9, 1.5, None),
    "multipliers": ([], [0], [1, 10**9], [1] * 20, "12", 3, None, [[1]]),
    "attention": (-1, 4, 0.5),
    "patch": (0, 10**9, 2.0),
    "heads": (0, 3, 10**9, 1.0),
    "token": (-1, 10**9),
}
OWN = {"unet": {"multipliers", "attention", "patch"}, "dit": {"patch", "heads", "token"}}
CASES = [
    (name, size, value)
    for name, (size, values) in itertools.product(TINY, ABSURD.items())
    if size not in set().union(*OWN.values()) - OWN[name]
    for value in values
]


@pytest.mark.parametrize(("name", "size", "value"), CASES)
def test_an_absurd_size_is_refused_before_anything_is_allocated(name, size, value):
    with pytest.raises(Problem):
        network(name, **{size: value})


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("unet", {"width": 4096, "multipliers": [16, 16, 16, 16], "blocks": 16}),
        ("dit", {"width": 4096, "blocks": 16}),
    ],
)
def test_sizes_that_are_sane_one_by_one_and_absurd_together_are_refused(name, sizes, refused):
    with refused("network_too_large", most=MAX_WEIGHTS):
        network(name, **sizes)


@every_network
def test_the_tiny_size_takes_digits_and_the_large_one_emoji(name):
    tiny = make_network(name, side=8, classes=10, **SIZES[name]["tiny"])
    large = make_network(name, side=32, channels=3, vector=5, **SIZES[name]["large"])
    sizes = [sum(weight.numel() for weight in net.parameters()) for net in (tiny, large)]
    assert sizes[0] < 0.4e6
    assert 20e6 < sizes[1] < 40e6


def test_the_patched_size_has_four_times_the_weights_of_the_small_one_for_its_arithmetic():
    small, patched = (make_network("unet", side=32, channels=3, **SIZES["unet"][size]) for size in ("small", "patched"))
    weights = [sum(weight.numel() for weight in net.parameters()) for net in (small, patched)]
    work = [arithmetic(net, torch.zeros(1, 3, 32, 32)) for net in (small, patched)]
    assert weights[1] / weights[0] == pytest.approx(4, rel=0.02)
    assert work[1] / work[0] == pytest.approx(1, rel=0.05)


def arithmetic(net, x) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        net(x, torch.zeros(1))
    return counted.get_total_flops()


def test_a_u_net_that_sees_squares_of_pixels_mends_every_pixel_of_them():
    net = awake("unet", side=16, patch=2, width=8, multipliers=[1, 2])
    x = draw(1, 1, 16, 16)
    assert net.factor == 4
    changed = net(x, LEVEL[:1])[0, 0]
    assert changed.shape == (16, 16)
    assert all(changed[i::2, j::2].std() > 0 for i in (0, 1) for j in (0, 1))
    assert not torch.allclose(changed[0::2, 0::2], changed[1::2, 1::2])


@every_network
def test_the_small_size_is_the_default_and_fits_two_cores(name):
    default, small = (make_network(name, side=28, classes=10, **sizes) for sizes in ({}, SIZES[name]["small"]))
    assert [weight.shape for weight in default.parameters()] == [weight.shape for weight in small.parameters()]
    assert 1e6 < sum(weight.numel() for weight in small.parameters()) < 2e6


# Each one's own


def test_levels_of_noise_are_told_apart_and_near_ones_told_alike():
    level = torch.linspace(-1.6, 1.1, 200, dtype=torch.float64)
    told = NoiseEmbedding(64)(level)
    apart = torch.cdist(told, told)
    assert apart.diagonal(1).max() < 0.35 * apart.max()
    assert (apart + 9 * torch.eye(200)).min() > 0.1


@pytest.mark.parametrize("attention", range(4))
def test_the_lowest_levels_of_the_u_net_attend_and_its_middle_always(attention):
    net = network("unet", blocks=2, attention=attention)
    attending = [key for key, _ in net.named_modules() if key.endswith("attend.attention")]
    lowest = [f"down.{2 - level}." for level in range(attention)] + [f"up.{level}." for level in range(attention)]
    assert len(attending) == 1 + 2 * 2 * attention
    assert all(key.startswith(("middle.", *lowest)) for key in attending)


def backward(net) -> tuple[list[torch.Tensor], int]:
    """The gradients of a U-Net's weights, and how many bytes were kept for the backward pass."""
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        memory = tensor.untyped_storage()
        kept[memory.data_ptr()] = memory
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        answer = net(draw(2, 1, 32, 32), LEVEL[:2], {"label": LABEL[:2]})
    answer.square().sum().backward()
    return [weight.grad for weight in net.parameters()], sum(memory.nbytes() for memory in kept.values())


@pytest.fixture
def fused_and_apart(monkeypatch):
    """A backward pass of the U-Net with norm and activation as one function, and one of the same with two."""
    monkeypatch.setattr(layers, "FUSE_FROM", 0)
    fused = backward(awake("unet", classes=2))
    monkeypatch.setattr(layers, "FUSE_FROM", 10**9)
    return fused, backward(awake("unet", classes=2))


def test_gradients_are_the_same_whether_norm_and_activation_are_one_function_or_two(fused_and_apart):
    (some, _), (others, _) = fused_and_apart
    for one, other in zip(some, others):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_norm_and_activation_as_one_function_keep_less_for_the_backward_pass(fused_and_apart):
    (_, some), (_, others) = fused_and_apart
    assert some < 0.85 * others


@pytest.mark.parametrize("adaptive", [False, True])
def test_norm_and_activation_in_single_precision_are_right_far_from_zero(adaptive):
    """x has a mean of 10 standard deviations; the reference is in double precision."""
    norm = layers.group_norm(64, kind=layers.GroupNormSiLU)
    x, slope = draw(12, 64, 14, 14).float() + 10, draw(12, 64, 14, 14, seed=1).float()
    given = [draw(12, 64, seed=seed).float() for seed in (2, 3)] if adaptive else []

    def answer_and_slope(dtype: torch.dtype) -> list[torch.Tensor]:
        at = x.to(dtype).requires_grad_()
        y = norm.to(dtype)(at, *(part.to(dtype) for part in given))
        return [y.double(), torch.autograd.grad(y, at, slope.to(dtype))[0].double()]

    assert x.numel() >= layers.FUSE_FROM
    for one, other in zip(answer_and_slope(torch.float32), answer_and_slope(torch.float64)):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_the_transformer_knows_where_a_patch_is():
    net = awake("dit")
    shifted = net(X.roll(4, 3), LEVEL).roll(-4, 3)
    assert (shifted - net(X, LEVEL)).abs().max() > 1e-3


def test_places_are_told_by_row_and_by_column():
    told = positions(3, 5, like=torch.zeros(1, 16, dtype=torch.float64)).unflatten(0, (3, 5))
    assert torch.equal(told[0, :, 8:], told[2, :, 8:])
    assert torch.equal(told[:, 0, :8], told[:, 4, :8])
    assert torch.cdist(told.flatten(0, 1), told.flatten(0, 1)).add(torch.eye(15)).min() > 0.1


def test_the_transformer_reads_tokens_as_a_set_and_passes_over_those_that_are_not_there():
    net = awake("dit", token=6)
    told = net(X, LEVEL, {"tokens": TOKENS})
    torch.testing.assert_close(net(X, LEVEL, {"tokens": TOKENS.flip(1)}), told)
    padding = torch.full((4, 2, 6), MISSING, dtype=torch.float64)
    torch.testing.assert_close(net(X, LEVEL, {"tokens": torch.cat([TOKENS, padding], 1)}), told)
    torch.testing.assert_close(net(X, LEVEL, {"tokens": padding}), net(X, LEVEL))
    assert (net(X, LEVEL, {"tokens": TOKENS + 1}) - told).abs().max() > 1e-6
    assert (net(X, LEVEL) - told).abs().max() > 1e-6


# The library around them has no branch on dimension


def images():
    x0, label = draw(16, 1, 8, 8).float().clamp(-1, 1), torch.arange(16) % 2
    return diffusion_batches(lambda n, generator: (x0[:n], label[:n]), schedules.log_normal(), 8, 0, 0.2)


def trained(name: str):
    sizes = {"name": name, "side": 8, "classes": 2, **TINY[name]}
    config = {"network": sizes, "prediction": "edm", "sigma_data": 0.5}
    checkpoint = new_checkpoint(config, TrainConfig(steps=3))
    for _ in train(diffusion_loss, images(), TrainConfig(steps=3), checkpoint.state):
        pass
    return checkpoint


@pytest.fixture(scope="module", params=list(TINY))
def checkpoint(request):
    return trained(request.param)


@pytest.mark.slow
def test_a_checkpoint_of_images_comes_back_bit_for_bit(checkpoint, tmp_path):
    save_folder(checkpoint, tmp_path / "run")
    for returned in (load_folder(tmp_path / "run"), from_bytes(to_bytes(checkpoint))):
        assert to_files(returned) == to_files(checkpoint)
        x, sigma = X.float(), LEVEL.float().exp()
        assert torch.equal(returned.denoiser(x, sigma), checkpoint.denoiser(x, sigma))


@pytest.mark.slow
def test_a_resumed_run_on_images_goes_on_bit_for_bit(checkpoint):
    config = TrainConfig(steps=5)
    whole, resumed = (from_bytes(to_bytes(checkpoint)) for _ in range(2))
    for _ in train(diffusion_loss, images(), TrainConfig(steps=4), resumed.state):
        pass
    resumed = from_bytes(to_bytes(resumed))
    for each in (whole, resumed):
        for _ in train(diffusion_loss, images(), config, each.state):
            pass
    assert to_files(whole) == to_files(resumed)


def test_a_row_of_condition_serves_the_whole_batch(checkpoint):
    x, sigma = X.float(), LEVEL.float().exp()
    for label in (0, 1, -1):
        one = condition(checkpoint.denoiser, {"label": torch.tensor([label])})(x, sigma)
        torch.testing.assert_close(one, checkpoint.denoiser(x, sigma, {"label": torch.full((4,), label)}))


def test_guidance_of_images_is_the_same_line(checkpoint):
    x, sigma, tell = X.float(), LEVEL.float().exp(), {"label": torch.tensor([1])}
    u, c = checkpoint.denoiser(x, sigma), condition(checkpoint.denoiser, tell)(x, sigma)
    torch.testing.assert_close(cfg(checkpoint.denoiser, tell, scale=2.0)(x, sigma), u + 2 * (c - u))


def test_images_are_sampled_and_a_sample_does_not_depend_on_how_many_are_drawn(checkpoint):
    guided = cfg(checkpoint.denoiser, {"label": torch.tensor([1])}, scale=2.0)
    sigmas = schedules.karras().sigmas(5)

    def sample(n):
        *_, last = samplers.dpmpp_2m(guided, samplers.start((n, 1, 8, 8), float(sigmas[0]), 0.5, seed=3), sigmas)
        return last.x_next

    assert sample(3).shape == (3, 1, 8, 8)
    torch.testing.assert_close(sample(3)[:2], sample(2), rtol=1e-4, atol=1e-5)
