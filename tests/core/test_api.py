"""The public interface: what ``import core`` gives, and the programs of core/README.md, which are run as they stand."""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import core

ROOT = Path(core.__file__).parents[1]
README = (ROOT / "core" / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PROGRAMS, (LINE,) = BLOCKS[:5], BLOCKS[5:]
NAMES = ["train", "sampler", "own", "guidance", "shipped"]


def in_process(code: str, folder: Path = ROOT) -> str:
    """What a new process prints that runs ``code`` in a folder and finds nothing of this repository elsewhere."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


def test_the_interface_has_the_names_of_the_design():
    expected = """make_points train Schedule make_schedule Denoiser EmpiricalDenoiser condition cfg autoguidance
    interval samplers SAMPLERS SamplerSpec last path load save energy_distance coverage sliced_wasserstein"""
    assert set(expected.split()) <= set(core.__all__) <= set(dir(core))
    assert all(getattr(core, name) is not None for name in core.__all__)
    assert all(hasattr(core.samplers, name) for name in "ancestral euler heun dpmpp_2m sde ddim".split())
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = core.nothing_like_this


def test_everything_public_says_what_it_is():
    assert not [name for name in core.__all__ if callable(getattr(core, name)) and not getattr(core, name).__doc__]


def test_importing_core_takes_less_than_50_ms():
    """Without PyTorch, which it imports where it is first needed."""
    code = "import time; start = time.process_time(); import core; print(time.process_time() - start)"
    assert statistics.median(float(in_process(code)) for _ in range(3)) < 0.05


def test_importing_core_imports_nothing_else():
    assert in_process("import sys, core; print('torch' in sys.modules, 'numpy' in sys.modules)") == "False False\n"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder to work in, and the registry of samplers as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    before = dict(core.SAMPLERS)
    yield tmp_path
    core.SAMPLERS.clear()
    core.SAMPLERS.update(before)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_program_of_the_readme_runs(name, elsewhere):
    program = PROGRAMS[NAMES.index(name)]
    assert sum(bool(line.strip()) for line in program.splitlines()) <= 15
    results: dict = {"__name__": "program"}
    exec(compile(program, f"README.md: {name}", "exec"), results)
    shapes = {"train": (2000, 2), "sampler": (1000, 2), "own": (16, 4, 2, 2), "guidance": (21, 1000, 2),
              "shipped": (4, 1, 28, 28)}  # fmt: skip
    value = next(results[key] for key in ("states", "samples", "images") if key in results)
    assert value.shape == shapes[name] and torch.isfinite(value).all()


@pytest.mark.slow
def test_one_line_imports_core_from_another_folder(tmp_path):
    assert len(LINE.strip().splitlines()) == 1
    line = LINE.replace("/path/to/this/repository", ROOT.as_posix())
    assert in_process(f"{line}\nimport core; print(core.make_points('moons', 7).points.shape[0])", tmp_path) == "7\n"
    with pytest.raises(subprocess.CalledProcessError):
        in_process("import core", tmp_path)
