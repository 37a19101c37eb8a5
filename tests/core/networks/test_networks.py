import pytest
import torch

from core.networks import NETWORKS, layers, make_network

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
every_network = pytest.mark.parametrize("name", list(NETWORKS))
X, LEVEL = torch.linspace(-1, 1, 12).view(4, 3), torch.linspace(-1, 1, 4)


def awake(net):
    """The network with a last layer that is not zero."""
    with torch.no_grad():
        net.layers[-1].weight.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    return net


@every_network
def test_initial_weights_follow_from_the_seed(name):
    first, again, other = (make_network(name, dim=3, classes=2, seed=seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not any(torch.equal(first[key], other[key]) for key in first if first[key].any())


@every_network
def test_initial_weights_are_spread_as_pytorch_spreads_them(name):
    for layer in make_network(name).layers[:-1:2]:
        bound = layer.in_features**-0.5
        assert layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)


def test_the_fourier_network_answers_zero_before_training():
    net = make_network("fourier", dim=3, classes=2)
    assert not net(X, LEVEL, {"label": torch.tensor([0, 1, -1, 0])}).any()


def test_the_plain_network_does_not():
    assert make_network("plain", dim=3)(X, LEVEL).all()


@every_network
def test_an_answer_has_the_shape_of_the_question(name):
    assert awake(make_network(name, dim=3))(X, LEVEL).shape == X.shape


@every_network
def test_an_image_is_answered_as_the_point_of_its_pixels(name):
    net = awake(make_network(name, dim=12, classes=2))
    pixels, label = torch.linspace(-1, 1, 48).view(4, 12), {"label": torch.tensor([0, 1, -1, 0])}
    answer = net(pixels.view(4, 3, 2, 2), LEVEL, label)
    assert answer.shape == (4, 3, 2, 2)
    assert torch.equal(answer.flatten(1), net(pixels, LEVEL, label))


@every_network
def test_each_row_is_answered_from_its_own_point_level_and_label(name):
    net = awake(make_network(name, dim=3, classes=2)).double()
    label = torch.tensor([0, 1, -1, 0])
    whole = net(X.double(), LEVEL.double(), {"label": label})
    rows = [net(X[[i]].double(), LEVEL[[i]].double(), {"label": label[[i]]}) for i in range(4)]
    torch.testing.assert_close(torch.cat(rows), whole)
    for moved in ((X.double() + 1, LEVEL.double()), (X.double(), LEVEL.double() + 1)):
        assert (net(*moved, {"label": label}) != whole).any(1).all()


@every_network
def test_label_minus_1_is_no_label_and_no_other_label_is(name):
    net = awake(make_network(name, dim=3, classes=2))
    nothing = net(X, LEVEL)
    assert torch.equal(net(X, LEVEL, {"label": torch.full((4,), -1)}), nothing)
    assert torch.equal(net(X, LEVEL, {}), nothing)
    answers = [nothing, *(net(X, LEVEL, {"label": torch.full((4,), k)}) for k in range(2))]
    assert all((answers[i] != answers[j]).any() for i in range(3) for j in range(i))


@every_network
def test_a_network_without_classes_takes_no_notice_of_labels(name):
    net = awake(make_network(name, dim=3))
    assert torch.equal(net(X, LEVEL, {"label": torch.ones(4, dtype=torch.long)}), net(X, LEVEL))


def test_the_fourier_frequencies_are_saved_but_not_trained():
    net = make_network("fourier")
    assert "B" in net.state_dict()
    assert "B" not in dict(net.named_parameters())


def test_an_unknown_network_is_refused_with_the_names_there_are(refused):
    known = "plain, fourier, steps, unet, dit, vectors, clip, attributes, autoencoder, classifier, captions, video"
    with refused("unknown_network", known=known):
        make_network("deep")


@pytest.mark.parametrize("dim", [10**9, 0, -1, 2.0, "2", None])
def test_an_absurd_number_of_coordinates_is_refused_before_anything_is_allocated(dim, refused):
    with refused("network_size", name="dim", low=1, high=4096):
        make_network("plain", dim=dim)


@pytest.mark.parametrize("classes", [10**9, -1, 2.0])
def test_an_absurd_number_of_classes_is_refused_before_anything_is_allocated(classes, refused):
    with refused("network_size", name="classes", low=0, high=4096):
        make_network("plain", classes=classes)


def test_a_product_of_many_rows_is_that_of_few_and_so_are_its_gradients():
    layer, source = layers.linear(64, 64, seed=0), torch.Generator().manual_seed(0)
    x = torch.randn(layers.ONEDNN_ROWS, 64, generator=source)

    def gradients(*parts):
        leaves = layer.weight, layer.bias, x.requires_grad_()
        return torch.autograd.grad(torch.cat([layer(part) for part in parts]).sin().sum(), leaves)

    torch.testing.assert_close(layer(x), torch.cat([layer(part) for part in x.split(100)]))
    torch.testing.assert_close(gradients(x), gradients(*x.split(100)), rtol=1e-4, atol=1e-4)
