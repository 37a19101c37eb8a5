"""A run that is killed at a random moment; ``python -m tests.killed`` kills runs of every kind twenty times."""

import json
from pathlib import Path
from random import Random

import pytest

from tests import killed


@pytest.mark.slow
def test_a_run_that_was_killed_ends_with_the_same_files(tmp_path):
    kills, faults = killed.kill(killed.KINDS["image"], tmp_path, [Random("suite")])
    assert kills >= 1 and not faults


def test_every_difference_between_two_runs_is_found_and_the_pace_is_none(tmp_path):
    def write(folder: Path, pace: float, loss: float, *sheets: str) -> Path:
        folder.mkdir()
        line = json.dumps({"step": 20, "loss": loss, killed.PACE: pace})
        (folder / killed.LOG).write_text(line)
        for name in sheets:
            (folder / name).write_bytes(name.encode())
        return folder

    one = write(tmp_path / "one", 1.0, 0.5, "a.png")
    assert not killed.differences(one, write(tmp_path / "two", 2.0, 0.5, "a.png"))
    assert killed.differences(one, write(tmp_path / "three", 1.0, 0.6, "b.png")) == ["a.png", "b.png", killed.LOG]
