"""Fixtures of the tests of the command line."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.problems import Problem
from tests.fake_card import card as card


@pytest.fixture
def ends() -> Callable[..., AbstractContextManager]:
    """``with ends("code", name=value):`` holds if the command ends with the sentence of the Problem of that code, which
    quotes at least those values; ``ends(OSError)``, or with several such, if it ends with a sentence on the file."""

    @contextmanager
    def context(code: str | type[OSError] | tuple[type[OSError], ...], **values: Any) -> Iterator[None]:
        with pytest.raises(SystemExit) as caught:
            yield
        said, cause = str(caught.value), caught.value.__context__
        if isinstance(code, str):
            assert isinstance(cause, Problem) and cause.code == code, said
            assert cause.values | values == cause.values and said == str(cause)
        else:
            assert isinstance(cause, code) and not isinstance(cause, Problem) and str(cause.filename) in said

    return context


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
