"""What a run prints and logs, in whatever encoding the terminal has."""

import io
import os
import sys

import pytest
from PIL import Image

from core.__main__ import main
from core.cli import terminal


@pytest.fixture
def stdout(monkeypatch):
    """A terminal of an encoding that refuses what it cannot print; returns what was printed."""

    def open_terminal(encoding: str) -> io.BytesIO:
        printed = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding, errors="strict", write_through=True))
        return printed

    return open_terminal


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_name_that_the_terminal_has_no_letters_for_does_not_end_a_run(stdout, tmp_path, encoding):
    names = ["猫", os.fsdecode(b"caf\xe9")] if sys.platform == "linux" else ["猫"]
    for name in names:
        (tmp_path / "画" / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / "画" / name / "0.png")
    printed = stdout(encoding)
    tiny = ["--network", "fourier", "--batch", "2", "--steps", "1", "--warmup", "1"]
    out = str(tmp_path / names[-1])
    main(["train", "--out", out, "--data", str(tmp_path / "画"), *tiny])
    main(["info", "--checkpoint", out])
    assert "画".encode(encoding, "backslashreplace") in printed.getvalue()


def test_a_log_whose_last_line_was_cut_within_a_letter_goes_on(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\r\n\xff\xfe\n{"step": 2}\n{"step": 3, "name": "\xe7\x8c')
    terminal.file_log(path, step=1)({"step": 2})
    assert path.read_bytes() == b'{"step": 1}\n{"step": 2}\n'
