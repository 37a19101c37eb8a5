"""The network of clips: the image network at the start, and attention across time that can be switched off."""

import pytest
import torch

from core.networks import make_network
from core.networks.video import SAME

SIZES = {"side": 8, "frames": 4, "vector": 5, "token": 6, "width": 8, "multipliers": [1, 2], "patch": 2}


def network(randomise: bool = True) -> torch.nn.Module:
    """A small network in double precision, with random weights also where they begin at zero."""
    net = make_network("video", **SIZES, seed=1).double()
    if randomise:
        generator = torch.Generator().manual_seed(0)
        for weights in net.parameters():
            weights.data += 0.1 * torch.randn(weights.shape, generator=generator, dtype=torch.float64)
    return net


def inputs(n: int = 2) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    x, vector, tokens = (
        torch.randn(n, *shape, generator=generator, dtype=torch.float64) for shape in ((4, 3, 8, 8), (5,), (3, 6))
    )
    return x, torch.linspace(-1, 1, n, dtype=torch.float64), {"embed": vector, "tokens": tokens}


def test_before_training_each_frame_is_treated_as_an_image():
    net = network(randomise=False)
    for weights in net.image.parameters():
        weights.data += 0.1
    x, level, cond = inputs()
    one_by_one = torch.stack([net.image(frame, level, cond) for frame in x.unbind(1)], 1)
    torch.testing.assert_close(net(x, level, cond), one_by_one)


def test_apart_a_frame_does_not_depend_on_the_others():
    net, (x, level, cond) = network(), inputs()
    other = x.clone()
    other[:, 1:] += 1
    apart = {**cond, "apart": torch.ones(2, dtype=torch.long)}
    torch.testing.assert_close(net(x, level, apart)[:, 0], net(other, level, apart)[:, 0])
    assert not torch.allclose(net(x, level, cond)[:, 0], net(other, level, cond)[:, 0])


def test_clips_of_a_batch_may_differ_in_whether_frames_are_apart():
    net, (x, level, cond) = network(), inputs()
    both = net(x, level, {**cond, "apart": torch.tensor([1, 0])})
    for k, apart in enumerate((1, 0)):
        alone = {name: rows[[k]] for name, rows in cond.items()} | {"apart": torch.tensor([apart])}
        torch.testing.assert_close(both[[k]], net(x[[k]], level[[k]], alone))


def test_with_colours_the_answer_ends_with_the_log_odds_that_frames_share_them():
    net = make_network("video", **SIZES, colours=3)
    answer = net(torch.zeros(2, 4, 3, 8, 8), torch.zeros(2), {"apart": torch.tensor([0, 1])})
    assert answer.shape == (2, 4, 3 + 3 + 1 + 1, 8, 8)
    assert (answer[0, :, -1] == SAME).all() and (answer[1, :, -1].sigmoid() == 0).all()


def test_absent_tokens_have_no_effect():
    net, (x, level, cond) = network(), inputs()
    padded = torch.cat([cond["tokens"], torch.full((2, 2, 6), torch.nan, dtype=torch.float64)], 1)
    torch.testing.assert_close(net(x, level, cond), net(x, level, {**cond, "tokens": padded}))


def test_the_caption_and_the_place_in_time_matter():
    net, (x, level, cond) = network(), inputs()
    whole = net(x, level, cond)
    assert not torch.allclose(whole, net(x, level, {**cond, "tokens": cond["tokens"] + 1}))
    assert not torch.allclose(whole, net(x, level, {**cond, "embed": cond["embed"] + 1}))
    assert not torch.allclose(whole.flip(1), net(x.flip(1), level, cond))


def test_a_clip_of_other_length_is_refused(refused):
    with refused("network_input"):
        network()(torch.zeros(1, 3, 3, 8, 8, dtype=torch.float64), torch.zeros(1, dtype=torch.float64))


@pytest.mark.parametrize("size", [{"frames": 0}, {"token": 0}, {"vector": 0}, {"side": 6}])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError):
        make_network("video", **SIZES | size)
