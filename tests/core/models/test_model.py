"""Models as a notebook uses them: trained on data of any shape, saved, loaded, resumed and sampled."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from core.data.images import ImageSet, digits
from core.data.people import ATTRIBUTES, PeopleSet
from core.data.points import make_points
from core.diffusion.denoiser import Denoiser
from core.models import images as image_model
from core.models.images import ImageConfig
from core.models.model import Model, load, save, train
from core.models.points import PointConfig
from core.models.sources import sample_set
from core.runs.checkpoints import to_files

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

SMALL = ImageConfig(network="fourier", batch=8, steps=4, warmup=1)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


class Scale(nn.Module):
    """A network of one's own: each channel times a number, moved by the label."""

    def __init__(self, channels: int):
        super().__init__()
        self.factor, self.shift = nn.Parameter(torch.zeros(channels)), nn.Parameter(torch.zeros(4))

    def forward(self, x, c_noise, cond=None):
        """The same shape."""
        label = (cond or {}).get("label", torch.full((len(x),), -1))
        return (x.movedim(1, -1) * self.factor).movedim(-1, 1) + self.shift[label].view(-1, *[1] * (x.ndim - 1))


class Squares(Dataset):
    """Items with a label, made one by one."""

    classes = ("dark", "light")

    def __len__(self):
        return 20

    def __getitem__(self, i):
        return torch.full((2, 3, 5), 0.1 + i % 2), i % 2


class Items(list, Dataset):
    """A list as a Dataset."""

    classes = ("cat", "dog")


class Endless(IterableDataset):
    """Items without an end or a label."""

    def __iter__(self):
        while True:
            yield torch.tensor([1.0, -1.0, 0.5])


def last(steps):
    *_, step = steps
    return step


LATENTS, CLIPS = noise(16, 4, 4, 4), noise(16, 4, 3, 16, 16)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "config"),
    [
        (LATENTS, replace(SMALL, network="unet", size="tiny")),
        (LATENTS, replace(SMALL, network="dit", size="tiny")),
        (CLIPS, SMALL),
        (noise(16, 7), SMALL),
    ],
    ids=["latents, U-Net", "latents, transformer", "clips", "vectors"],
)
def test_samples_of_any_shape_are_trained_on_saved_resumed_and_sampled(tmp_path, data, config):
    whole, half = last(train(config, data)), last(islice(train(config, data), 2))
    save(half.model, tmp_path / "half")
    resumed = last(train(config, data, model=load(tmp_path / "half")))
    assert to_files(resumed.model.checkpoint) == to_files(whole.model.checkpoint)
    assert resumed.step == 4 and resumed.model.shape == data.shape[1:]
    samples = resumed.model.sample(3, steps=2, seed=1)
    assert samples.shape == (3, *data.shape[1:]) and samples.isfinite().all()
    torch.testing.assert_close(resumed.model.sample(2, steps=2, seed=1), samples[:2], atol=1e-5, rtol=1e-5)


def test_a_network_of_one_s_own_is_saved_and_its_loading_says_what_to_pass(tmp_path, refused):
    config, data = replace(SMALL, network="unet"), (noise(32, 2, 3), torch.arange(32) % 4)
    trained = last(train(config, TensorDataset(*data), network=Scale(2))).model
    assert trained.classes == ("0", "1", "2", "3")
    save(trained, tmp_path / "model")
    with refused("network_needed", name=f"{__name__}.Scale"):
        load(tmp_path / "model")
    again = load(tmp_path / "model", network=Scale(2))
    assert torch.equal(again.sample(3, label="2", scale=2.0), trained.sample(3, label=2, scale=2.0))
    more = last(train(replace(config, steps=6), TensorDataset(*data), model=again))
    assert more.step == 6


def test_a_denoiser_that_was_not_trained_here_can_be_saved(tmp_path, refused):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Parameter(noise(3))
            self.other = self.one

        def forward(self, x, c_noise, cond=None):
            return x * self.one

    denoiser = Denoiser(Tied(), "flow", 0.7)
    save(denoiser, tmp_path / "model")
    again = load(tmp_path / "model", network=Tied())
    x, sigma = noise(4, 3), torch.ones(4)
    assert torch.equal(again.denoiser(x, sigma), denoiser(x, sigma))
    with refused("model_no_shape"):
        again.sample(1)
    assert again.sample(2, shape=(3,), steps=2).shape == (2, 3)


def test_a_dataset_names_its_classes_and_a_label_is_found_by_its_name():
    model = last(train(SMALL, Squares())).model
    assert model.classes == ("dark", "light") and model.shape == (2, 3, 5)
    assert not torch.equal(model.sample(1, label="dark", scale=3.0), model.sample(1, label="light", scale=3.0))


def test_a_data_loader_is_read_again_and_again_in_its_own_order():
    loader = DataLoader(TensorDataset(torch.arange(1.0, 6)[:, None]), batch_size=2, generator=torch.Generator())
    data = sample_set(loader)
    after_the_measuring = data.sample(6, torch.Generator())[0].flatten()
    assert len(data) == 5 and sorted(after_the_measuring[:5].tolist()) == [1, 2, 3, 4, 5]
    assert last(
        train(replace(SMALL, batch=7), DataLoader(Endless(), batch_size=4, generator=torch.Generator()))
    ).model.shape == (3,)


def test_bytes_are_images_and_other_numbers_are_taken_as_they_are():
    assert sample_set(torch.full((4, 1, 2, 2), 255, dtype=torch.uint8)).rms == 1
    assert sample_set(torch.full((4, 1, 2, 2), 7.0)).rms == 7


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ([1, 2, 3], "data_not_trainable"),
        (torch.empty(0, 3), "data_not_trainable"),
        (torch.zeros(5, 3), "data_no_values"),
        (DataLoader([], generator=torch.Generator()), "data_empty"),
        (DataLoader([{"x": torch.ones(1)}], generator=torch.Generator()), "data_no_tensor"),
        (DataLoader([(torch.ones(1), 3)], generator=torch.Generator()), "data_unknown_classes"),
        (DataLoader([torch.ones(1), torch.ones(2)], generator=torch.Generator()), "data_shapes"),
        (Items([torch.ones(1), torch.ones(2)]), "data_shapes"),
        (Items([({}, 0)]), "data_no_tensor"),
        (Items([(torch.ones(1), "cat")]), "data_labels"),
        (Items([(torch.ones(1), [0, 1])]), "data_labels"),
        (Items([(torch.ones(1), 2)]), "image_set_label_range"),
        (TensorDataset(torch.ones(3, 1), torch.tensor([1, 2, 3])), "data_first_label"),
    ],
)
def test_data_that_cannot_be_trained_on_are_refused(data, code, refused):
    with refused(code):
        sample_set(data)


def test_a_network_for_images_refuses_samples_of_another_shape_at_once(refused):
    with refused("network_shape", network="unet", shape="4x3x16x16"):
        next(train(replace(SMALL, network="unet", size="tiny"), CLIPS))


def test_points_are_trained_saved_resumed_and_sampled(tmp_path, refused):
    points, config = make_points("spiral", 30), PointConfig(steps=6, batch=32, conditional=True)
    whole, half = last(train(config, points)), last(islice(train(config, points), 3))
    save(half.model, tmp_path / "half")
    loaded = load(tmp_path / "half")
    assert loaded.shape == (2,) and loaded.data.digest == points.digest and loaded.classes == points.classes
    resumed = last(train(config, points, model=loaded))
    assert torch.equal(resumed.model.sample(5, label=points.classes[1]), whole.model.sample(5, label=1))
    with refused("model_unknown_class", name="bird"):
        loaded.sample(1, label="bird")
    with refused("points_needed"):
        next(train(config, CLIPS))


def test_an_image_set_is_trained_on_and_labels_are_drawn_in_turn():
    model = last(train(SMALL, digits())).model
    assert isinstance(model.data, ImageSet) and len(model.classes) == 10
    two = model.sample(4, label=[3, 8], scale=2.0, steps=2)
    torch.testing.assert_close(two[1:2], model.sample(2, label=8, scale=2.0, steps=2)[1:2], atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def people():
    """A network whose answers depend on attributes, as the command line stores it."""
    checkpoint = image_model.new_checkpoint(ImageConfig(size="tiny"), PeopleSet(), {"data": "people", "n": None})
    generator = torch.Generator().manual_seed(0)
    for weights in checkpoint.denoiser.parameters():
        weights.data += 0.05 * torch.randn(weights.shape, generator=generator)
    return Model(checkpoint)


def test_people_are_asked_for_by_their_attributes_or_in_words(people):
    assert people.attributes == ATTRIBUTES and people.data.name == "people" and people.shape == (3, 16, 16)
    named = people.sample(2, steps=2, scale=2.0, attributes={"hair": "long", "hair_colour": "green"})
    assert torch.equal(named, people.sample(2, steps=2, scale=2.0, attributes="long green hair"))
    assert not torch.equal(named, people.sample(2, steps=2, scale=2.0))


def test_a_negative_of_any_hat_is_the_mean_over_all_kinds(people):
    kinds = [{"hat": kind} for kind in ATTRIBUTES["hat"][1:]]
    one = [people.sample(2, steps=1, scale=0.0, negative=kind) for kind in kinds]  # w = 0: the negative estimate alone
    torch.testing.assert_close(people.sample(2, steps=1, scale=0.0, negative="a hat"), torch.stack(one).mean(0))


def test_words_that_name_no_attribute_are_warned_of_and_a_model_of_classes_has_none(people, refused):
    with pytest.warns(UserWarning, match="dragon"):
        people.sample(1, steps=1, attributes="a dragon with a beard")
    with refused("unknown_attribute", name="wings"):
        people.sample(1, attributes={"wings": "two"})
    with refused("model_no_attributes"):
        load("digits").sample(1, attributes={"hat": "cap"})
    with refused("model_unknown_class", name="cap"):
        people.sample(1, label="cap")


@pytest.mark.parametrize("name", ["spiral", "spiral-classes-strong", "digits"])
def test_a_shipped_model_is_loaded_by_its_name_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = load(name)
    assert model.sample(2, steps=2).shape == (2, *model.shape)
    assert model.data.name in name


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"n": -1}, "sample_count"), ({"n": 2.5}, "setting_type"), ({"steps": "3"}, "setting_type"),
        ({"seed": None}, "setting_type"), ({"scale": float("nan")}, "guidance_scale"), ({"label": []}, "image_labels"),
        ({"shape": (-1, 8, 8)}, "sample_shape"), ({"shape": 8}, "sample_shape"),
        ({"attributes": 5}, "model_no_attributes"),
        ({"label": 3, "attributes": "a cat"}, "model_no_attributes"),
    ],
)  # fmt: skip
def test_numbers_that_no_samples_can_have_are_refused_before_anything_is_drawn(given, code, refused):
    with refused(code):
        load("digits").sample(**{"n": 2, "steps": 1, **given})


def test_points_are_not_trained_on_in_batches_without_a_point(refused):
    with refused("train_setting", name="batch"):
        next(train(PointConfig(batch=0), make_points("spiral", 10)))
    with refused("batch_memory", most=500_000_000):
        next(train(PointConfig(batch=10**9), make_points("spiral", 10)))


def test_a_clip_draws_nothing_and_an_unknown_name_is_said_so(refused):
    with refused("model_no_denoiser"):
        load("clip")
    with refused("no_model", name="no-such-model"):
        load("no-such-model")
