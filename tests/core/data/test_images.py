import pytest
import torch

from core.data.images import ASSETS, PICTURES, picture, pixels


@pytest.mark.parametrize("name", PICTURES)
def test_each_bundled_picture_fills_the_range_from_black_to_white(name: str):
    x = picture(name)
    assert x.shape in {(32, 32, 3), (28, 28)} and x.dtype == torch.float32
    assert x.min() >= -1 and x.max() <= 1 and x.max() - x.min() > 1.5


@pytest.mark.parametrize("name", PICTURES)
def test_each_bundled_picture_is_named_in_the_notice(name: str):
    assert f"`{name}`" in (ASSETS / "NOTICE.md").read_text()


def test_an_unknown_picture_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="snail"):
        picture("../secret")


def test_pixels_of_a_picture_are_its_bytes_and_noise_is_clipped():
    assert pixels(torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0])).tolist() == [0, 0, 128, 255, 255]
    assert torch.equal(pixels(picture("boot")).float() / 127.5 - 1, picture("boot"))
