"""The matrix as a layer of the stage: what is packed, and what is refused."""

import json
import struct

import numpy as np
import pytest

from core.figures.scene import Matrix, Panel
from pages.ui.stage.packing import pack

PICTURES = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)


def packed(values, pictures=PICTURES, names=("cat", "dog"), limits=(0.0, 1.0)) -> tuple[dict, np.ndarray]:
    """The layer's header and its levels."""
    data = pack([Panel("m", [Matrix(values, pictures, names, limits)])])
    size = struct.unpack("<I", data[:4])[0]
    layer = json.loads(data[4 : 4 + size])["panels"][0]["layers"][0]
    _, offset, length = layer["arrays"]["values"]
    return layer, np.frombuffer(data, np.uint8, length, 4 + size + offset)


def test_values_become_levels_within_the_limits():
    layer, levels = packed([[[0.0, 0.5], [1.0, 7.0]]])
    assert levels.tolist() == [1, 128, 255, 255] and layer["limits"] == [0.0, 1.0]


def test_a_matrix_moves_and_its_pictures_stay():
    layer, levels = packed(np.zeros((3, 2, 2)))
    assert len(levels) == 12 and layer["arrays"]["pixels"][2] == PICTURES.size
    assert layer["names"] == ["cat", "dog"] and layer["size"] == 2 and layer["tile"] == [4, 4]


@pytest.mark.parametrize(
    ("values", "pictures"), [(np.zeros((1, 2, 3)), PICTURES), (np.zeros((1, 2, 2)), PICTURES[:1]),
                             (np.zeros((1, 2, 2)), PICTURES[..., :1])]
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_sentence(values, pictures):
    with pytest.raises(ValueError, match="Matrix has 2 names"):
        packed(values, pictures)
