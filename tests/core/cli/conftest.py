"""Fixtures of the tests of the command line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fake_card import card as card


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Twenty pictures of a shade in one of four quarters, with a table."""
    path, rows = tmp_path_factory.mktemp("pictures"), ["file,caption,keywords"]
    for i in range(20):
        pixels = np.full((8, 8), 255, dtype=np.uint8)
        down, right = 4 * (i % 4 // 2), 4 * (i % 2)
        pixels[down : down + 4, right : right + 4] = 40 * (i // 4)
        Image.fromarray(pixels).save(path / f"{i}.png")
        rows.append(f"{i}.png,shade{i // 4} {('top', 'bottom')[i % 4 // 2]} {('left', 'right')[i % 2]},square;grey")
    (path / "captions.csv").write_text("\n".join(rows))
    return path
