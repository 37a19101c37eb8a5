"""The network of vectors: a transformer of one token that is told a caption."""

import math

import pytest
import torch

from core.networks import make_network
from core.problems import Problem

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, LEVEL, EMBED, TOKENS = draw(4, 6), draw(4, seed=1), draw(4, 5, seed=2), draw(4, 3, 7, seed=3)


def network():
    """In float64 and no longer zero."""
    net = make_network("vectors", dim=6, vector=5, token=7, width=16, blocks=2, heads=2).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1, generator=generator)
    return net


def test_it_answers_zero_before_training():
    net = make_network("vectors", dim=6, vector=5, token=7, width=16, heads=2).double()
    assert not net(X, LEVEL, {"embed": EMBED, "tokens": TOKENS}).any()


def test_each_row_is_answered_for_itself():
    net = network()
    whole = net(X, LEVEL, {"embed": EMBED, "tokens": TOKENS})
    alone = net(X[2:3], LEVEL[2:3], {"embed": EMBED[2:3], "tokens": TOKENS[2:3]})
    torch.testing.assert_close(whole[2:3], alone)


def test_rows_of_nan_are_as_if_nothing_was_told():
    net, none = network(), {"embed": torch.full_like(EMBED, math.nan), "tokens": torch.full_like(TOKENS, math.nan)}
    torch.testing.assert_close(net(X, LEVEL, none), net(X, LEVEL))


def test_what_it_is_told_matters():
    net = network()
    told = {"embed": EMBED, "tokens": TOKENS}
    for name in told:
        assert not torch.allclose(net(X, LEVEL, told), net(X, LEVEL, {**told, name: told[name] + 1}))


def test_the_order_of_the_tokens_does_not_matter_nor_does_padding():
    net = network()
    answer = net(X, LEVEL, {"tokens": TOKENS})
    padded = torch.cat([torch.full((4, 2, 7), math.nan, dtype=TOKENS.dtype), TOKENS.flip(1)], dim=1)
    torch.testing.assert_close(net(X, LEVEL, {"tokens": padded}), answer)


def test_initial_weights_follow_from_the_seed():
    first, again, other = (make_network("vectors", dim=4, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("sizes", [{"dim": 0}, {"width": 10, "heads": 4}, {"heads": 0}, {"token": -1}, {"blocks": 99}])
def test_sizes_that_there_are_not_are_refused(sizes):
    with pytest.raises(Problem):
        make_network("vectors", **{"dim": 4, **sizes})


def test_vectors_of_another_size_are_refused(refused):
    with refused("network_input", expected="[B, 6]"):
        network()(X[:, :3], LEVEL)
