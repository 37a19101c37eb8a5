"""What a run prints and logs, in whatever encoding the terminal has."""

import io
import os
import signal
import subprocess
import sys

import pytest
from PIL import Image

from core.__main__ import main
from core.cli import terminal
from tests.core.cli.test_images import ROOT


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


@pytest.mark.parametrize(
    ("command", "library"), [("core", "torch"), ("pages.export", "streamlit"), ("pages.site", "tyro")]
)
def test_ctrl_c_while_a_command_is_still_imported_ends_it_without_a_word(tmp_path, command, library):
    """The first large library that it imports is one in which Ctrl-C comes."""
    (tmp_path / f"{library}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    paths = os.pathsep.join(map(str, (tmp_path, ROOT)))
    asked = [sys.executable, "-m", command]
    ended = subprocess.run(asked, capture_output=True, env=os.environ | {"PYTHONPATH": paths}, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")
