"""Fixtures of the tests of ``core``."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from core.problems import Problem

torch.set_num_threads(1)


@pytest.fixture
def refused() -> Callable[..., AbstractContextManager]:
    """``with refused("code", name=value):`` holds if the block raises the Problem of that code, which quotes at least
    those values and has a sentence."""

    @contextmanager
    def context(code: str, **values: Any) -> Iterator[None]:
        with pytest.raises(Problem) as caught:
            yield
        problem = caught.value
        assert problem.code == code, str(problem)
        assert problem.values | values == problem.values
        assert str(problem)

    return context


@pytest.fixture
def global_randomness_untouched() -> Iterator[None]:
    """Fail a test during which anything drew from, or seeded, the global generators of torch, numpy or random."""

    def states() -> tuple:
        return torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes(), random.getstate()

    before = states()
    yield
    assert states() == before, "a global random generator was drawn from or seeded"
