"""Fixtures of the tests of ``core``."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def global_randomness_untouched() -> Iterator[None]:
    """Fail a test during which anything drew from, or seeded, the global generators of torch, numpy or random."""

    def states() -> tuple:
        return torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes(), random.getstate()

    before = states()
    yield
    assert states() == before, "a global random generator was drawn from or seeded"
