"""Random data at every door: the first inputs of ``python -m tests.fuzz``, and that it finds faults."""

from random import Random

import pytest

from core.data import uploads
from core.problems import Problem
from tests.fuzz import __main__ as fuzz
from tests.fuzz import material
from tests.fuzz.doors import DOORS

INPUTS = 20


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_random_data_are_read_or_refused_with_a_sentence(door):
    assert not [outcome.fault for outcome in map(fuzz.attempt, [door] * INPUTS, range(INPUTS)) if outcome.fault]


def test_a_fault_is_found_printed_and_can_be_tried_again(monkeypatch, capsys):
    def read(data: bytes) -> None:
        raise Problem("csv_empty") if len(data) % 2 else KeyError("a fault")

    monkeypatch.setattr(uploads, "from_csv", read)
    faults = fuzz.main(["csv", "--n", "10"])
    printed = capsys.readouterr()
    assert 0 < faults < 10 and printed.err.count("KeyError: 'a fault'") == faults
    assert f"| csv | 10 | 0 | {10 - faults} | 1 | {faults} |" in printed.out


def test_an_input_follows_from_its_number_alone():
    assert (
        material.image_file(Random("x 1")) == material.image_file(Random("x 1")) != material.image_file(Random("x 2"))
    )
