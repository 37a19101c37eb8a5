import json
import math
from dataclasses import replace

import pytest
import torch

from core import seeds
from core.data.images import ASSETS, PICTURES, ImageSet, digits, emoji, fashion, load, picture, pixels
from core.data.people import draw
from core.diffusion.schedules import log_normal
from core.diffusion.training import diffusion_batches

GREY = torch.arange(6, dtype=torch.uint8).mul(50).repeat_interleave(16).reshape(6, 1, 4, 4)


def tiny(**changes) -> ImageSet:
    return replace(ImageSet("tiny", GREY, torch.tensor([0, 0, 1, 1, 2, 2]), ("a", "b", "c")), **changes)


# The set: what every source becomes


def test_drawn_images_lie_between_minus_one_and_one_and_are_the_bytes_that_are_stored():
    found = tiny(images=torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16), labels=None, classes=())
    x, labels = found.sample(3, seeds.generator(0), flip=False)
    assert labels is None and x.dtype == torch.float32 and x.shape == (3, 1, 16, 16)
    assert (x.min(), x.max()) == (-1, 1) and torch.equal(pixels(x[2]), found.images[0])


def test_draw_k_depends_on_the_seed_and_k_only(global_randomness_untouched):
    few, few_labels = digits().sample(5, seeds.generator(3))
    many, many_labels = digits().sample(500, seeds.generator(3))
    assert torch.equal(few, many[:5]) and torch.equal(few_labels, many_labels[:5])
    assert not torch.equal(few, digits().sample(5, seeds.generator(4))[0])


def test_every_image_is_drawn_as_often_as_any_other_and_with_its_own_label():
    x, labels = tiny(flip=False).sample(6000, seeds.generator(0))
    value = pixels(x[:, 0, 0, 0]).long() // 50
    assert torch.equal(labels, value // 2)
    assert value.bincount(minlength=6).sub(1000).abs().max() < 120


def test_half_of_the_draws_are_mirrored_left_to_right_and_the_choice_of_images_stays():
    lone = ImageSet("ramp", torch.tensor([[[[0, 255], [10, 20]]]], dtype=torch.uint8), None, ())
    x = pixels(lone.sample(1000, seeds.generator(0))[0])
    mirrored = (x == lone.images.flip(-1)).flatten(1).all(1)
    assert torch.equal(x[~mirrored], lone.images.expand(1000, -1, -1, -1)[~mirrored])
    assert 450 < mirrored.sum() < 550
    assert torch.equal(tiny().sample(50, seeds.generator(1))[1], tiny(flip=False).sample(50, seeds.generator(1))[1])


def test_what_has_no_mirror_image_among_its_like_is_not_mirrored_unless_asked():
    assert not digits().flip and not fashion().flip and not emoji().flip and tiny().flip
    plain, mirrored = (digits().sample(20, seeds.generator(0), flip=flip)[0] for flip in (None, True))
    assert torch.equal(plain, digits().sample(20, seeds.generator(0), flip=False)[0])
    assert not torch.equal(plain, mirrored)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["digits", "fashion", "emoji"])
def test_the_rms_is_that_of_the_images_as_drawn(source: str):
    found = load(source)
    assert found.rms == pytest.approx((found.images[:].double() / 127.5 - 1).square().mean().sqrt().item(), rel=1e-6)


def test_a_set_is_a_source_of_batches_for_training():
    x0, sigma, eps, cond = diffusion_batches(digits().sample, log_normal(), 32, seed=0)(7)
    assert x0.shape == eps.shape == (32, 1, 8, 8) and sigma.shape == cond["label"].shape == (32,)


def test_images_resized_keep_labels_and_their_middle(refused):
    wide = torch.zeros(2, 3, 10, 20, dtype=torch.uint8)
    wide[..., 5:15] = 200
    found = ImageSet("wide", wide, torch.tensor([0, 1]), ("a", "b")).resized(5)
    assert found.images.shape == (2, 3, 5, 5) and (found.images == 200).all() and found.labels.tolist() == [0, 1]
    with refused("image_side", most=4096, side=0):
        found.resized(0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"labels": torch.tensor([0, 1])}, "image_set_labels"),
        ({"labels": torch.tensor([0, 0, 0, 0, 0, 3])}, "image_set_label_range"),
        ({"labels": torch.tensor([0, 0, 0, 0, 0, -1])}, "image_set_label_range"),
        ({"images": GREY.float()}, "image_set_shape"),
        ({"images": GREY[:0]}, "image_set_shape"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused(changes: dict, code: str, refused):
    with refused(code):
        tiny(**changes)


@pytest.mark.parametrize("shape", [(4, 4, 6, 5), (2, 8, 3, 6, 5)])
def test_a_set_may_have_any_channels_and_more_axes(shape: tuple[int, ...]):
    arrays = torch.arange(math.prod(shape)).remainder(256).to(torch.uint8).view(shape)
    found = ImageSet("clips", arrays, None, ())
    x, _ = found.sample(3, torch.Generator().manual_seed(0))
    assert x.shape == (3, *shape[1:]) and found.resized(4).images.shape == (*shape[:-2], 4, 4)


# Bundled


@pytest.mark.parametrize(
    ("source", "shape", "classes"),
    [("digits", (1797, 1, 8, 8), 10), ("fashion", (9000, 1, 28, 28), 10), ("emoji", (3516, 3, 32, 32), 9)],
)
def test_a_bundled_set_is_whole_and_stored_as_bytes(source: str, shape: tuple, classes: int):
    found = load(source)
    assert found.name == source and found.images.shape == shape and found.images.dtype == torch.uint8
    assert found.images.untyped_storage().nbytes() == found.images.numel()
    assert len(found.classes) == classes and found.labels.bincount(minlength=classes).min() >= 5
    assert found.images.min() == 0 and found.images.max() == 255


def test_digits_come_in_the_seventeen_greys_that_were_counted():
    assert digits().images.unique().tolist() == [round(255 * count / 16) for count in range(17)]
    assert digits().classes == tuple("0123456789") and digits().labels[:10].tolist() == list(range(10))


def test_fashion_says_that_it_is_a_subset_and_has_held_out_images_of_its_own():
    train, test, both = (fashion(split=split) for split in ("train", "test", "all"))
    assert train.note.code == "fashion_part" and len(test.images) == 2000
    assert torch.equal(both.images, torch.cat((train.images, test.images)))
    for number, name in ((35, "t-shirt"), (162, "dress"), (61, "sneaker"), (30, "bag"), (28, "boot")):
        assert torch.equal(test.images[number, 0], pixels(picture(name)))
        assert name in test.classes[test.labels[number]].lower()


def test_the_single_people_are_people_that_are_drawn_here():
    drawn = draw(27).images
    for number, name in ((7, "person"), (26, "person-in-hat")):
        assert torch.equal(drawn[number].permute(1, 2, 0), pixels(picture(name)))


def test_emoji_have_the_pictures_of_their_names_and_no_flags():
    entries = [entry for entry in json.loads((ASSETS / "emoji.json").read_text()) if entry["group"] != "Flags"]
    found = emoji()
    assert "Flags" not in found.classes
    for name in ("snail", "octopus", "penguin", "rocket", "sunflower"):
        i = next(i for i, entry in enumerate(entries) if entry["caption"] == name)
        assert found.classes[found.labels[i]] == entries[i]["group"]
        assert (found.images[i].float() - pixels(picture(name)).permute(2, 0, 1)).abs().mean() < 4


def test_the_bundled_garments_fit_in_five_megabytes():
    assert sum(file.stat().st_size for file in (ASSETS / "fashion").iterdir()) < 5e6


@pytest.mark.parametrize("name", [path.name for path in ASSETS.iterdir() if path.name != "NOTICE.md"])
def test_each_asset_is_named_in_the_notice(name: str):
    named = f"{name}/" if (ASSETS / name).is_dir() else name
    assert f"`{named.removesuffix('.png')}`" in (notice := (ASSETS / "NOTICE.md").read_text()) or f"`{named}`" in notice


# Single pictures


@pytest.mark.parametrize("name", PICTURES)
def test_each_bundled_picture_fills_the_range_from_black_to_white(name: str):
    x = picture(name)
    assert x.shape in {(16, 16, 3), (32, 32, 3), (28, 28)} and x.dtype == torch.float32
    assert x.min() >= -1 and x.max() <= 1 and x.max() - x.min() > 1.5


def test_an_unknown_picture_is_refused_with_the_names_there_are(refused):
    with refused("unknown_picture", name="../secret"):
        picture("../secret")


def test_pixels_of_a_picture_are_its_bytes_and_noise_is_clipped():
    assert pixels(torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0])).tolist() == [0, 0, 128, 255, 255]
    assert torch.equal(pixels(picture("boot")).float() / 127.5 - 1, picture("boot"))
