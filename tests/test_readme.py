"""Every command of the README works; those for PowerShell say the same as the others."""

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from core.__main__ import main
from core.cli import captions, images
from core.data.captions import Pairs, emoji
from core.models import image_judge

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
# What makes a command quick enough for a test; everything else is as the README has it.
QUICK = {
    "train": ["--steps", "2", "--batch", "8", "--size", "tiny", "--warmup", "1"],
    "train clip": ["--steps", "2", "--batch", "8", "--width", "8", "--size", "8"],
    "train prior": ["--steps", "2", "--batch", "8"],
    "train decoder": ["--steps", "2", "--batch", "8", "--size", "tiny"],
    "sample": ["--n", "2", "--steps", "2"],
    "sample unclip": ["--n", "1", "--steps", "2"],
    "evaluate": ["--n", "20", "--steps", "2"],
    "evaluate unclip": ["--steps", "2"],
    "train autoencoder": ["--steps", "2", "--batch", "16", "--width", "16"],
    "train latent": ["--steps", "2", "--batch", "16"],
    "evaluate latent": ["--n", "16"],
    "sample video": ["--steps", "2"],
    "evaluate video": ["--n", "16", "--steps", "1", "--negative-scale", "2"],
    "train text": ["--steps", "2", "--batch", "8", "--width", "8"],
    "train video": ["--steps", "1", "--batch", "2", "--width", "8", "--image", "None"],
}
SMALL = {"fashion": "digits", "Bag": "3", "Sneaker": "7"}  # a smaller data set, and classes of it


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    """The words of every call of ``python -m core`` in the README, in order."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line)[3:] for line in lines if line.startswith(".venv/bin/python -m core")]


def some(pairs: Pairs) -> Pairs:
    """Every fortieth pair."""
    part = slice(None, None, 40)
    each = {name: getattr(pairs, name)[part] for name in ("images", "captions", "keywords", "kinds", "held_out")}
    return replace(pairs, **each)


def test_the_powershell_commands_say_the_same_word_by_word():
    def words(command: str) -> list[str]:
        command = command.replace("python3", "python").replace(" &&", ";").replace(".venv/bin/", ".venv\\Scripts\\")
        return command.split()

    whole = [block for block in blocks("sh") if "-m venv" in block]
    assert len(whole) == len(blocks("powershell")) == 2
    assert [words(block) for block in whole] == [block.split() for block in blocks("powershell")]


def test_the_test_command_is_what_ci_runs():
    assert blocks("sh")[1].strip() in (ROOT / ".ci" / "run").read_text()


@pytest.mark.slow
def test_the_start_command_starts_the_app_with_what_it_installs():
    venv, install, start = blocks("sh")[0].strip().split(" && ")
    assert venv == "python3 -m venv .venv" and (ROOT / install.split()[-1]).is_file()
    streamlit = Path(sys.executable).with_name("streamlit")
    asked = subprocess.run([streamlit, *start.split()[1:2], "--help"], capture_output=True, text=True, timeout=60)
    assert start == ".venv/bin/streamlit run app.py" and asked.returncode == 0 and (ROOT / "app.py").is_file()


@pytest.mark.slow
def test_every_call_of_the_library_works(tmp_path, monkeypatch, capsys):
    assert len(commands()) == 17
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(image_judge, "judge", partial(image_judge.judge, steps=20))
    monkeypatch.setattr(captions, "load", lambda *_: some(emoji()))
    for module in (captions, images):
        monkeypatch.setattr(module, "SHEET", 4)
    for words in commands():
        words = [SMALL.get(word, word) for word in words]
        name = " ".join(words[:2]) if " ".join(words[:2]) in QUICK else words[0]
        main([*words, *QUICK.get(name, [])])
    assert {path.name for path in (tmp_path / ".runs").iterdir()} >= {
        "clip",
        "prior",
        "decoder",
        "sheet.png",
        "crown.png",
        "plane",
        "latent",
        "clip.mp4",
        "text",
        "video",
    }


def test_the_files_that_it_names_are_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
