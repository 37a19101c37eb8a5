"""How a command ends whatever goes wrong in it: with one sentence of its own, and no word of Python's."""

import errno
import os
from pathlib import Path

import pytest

from core.cli import commands
from core.problems import Problem


def failing(error: Exception, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What is said where an error ends a command."""

    def fail(arguments: list[str]) -> None:
        raise error

    monkeypatch.setattr(commands, "_run", fail)
    with pytest.raises(SystemExit) as ended:
        commands.main([*arguments])
    return str(ended.value.code)


@pytest.mark.parametrize("code, file, said", [
    (errno.ENOSPC, None, "disk_full"), (errno.ENOSPC, "b/x", "disk_full"), (errno.EACCES, "b/x", "file_denied"),
    (errno.EROFS, None, "file_denied"), (errno.ENOENT, "b/x", "file_missing"), (errno.EISDIR, "b/x", "file_unusable"),
])  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(code, file, said, monkeypatch):
    error = OSError(code, os.strerror(code), file)
    values = {"reason": os.strerror(code)} if said == "file_unusable" else {}
    assert failing(error, monkeypatch, "train", "--out", "a") == str(Problem(said, file=file or "a", **values))


def test_an_error_that_nobody_expected_leaves_its_traceback_in_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(commands.tempfile, "tempdir", str(tmp_path))
    said = failing(ValueError("invalid literal for int()"), monkeypatch)
    (file,) = Path(tmp_path).iterdir()
    assert said == str(Problem("command_failed", kind="ValueError", file=str(file)))
    assert "invalid literal" in file.read_text() and "Traceback" in file.read_text()


def test_what_an_error_quotes_of_a_long_text_is_short():
    assert len(str(Problem("caption_unknown_words", caption="a" * 100_000))) < 1_000
