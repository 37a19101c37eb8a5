"""Films of scenes: what is in the file, what is left when somebody stops, and what is said when it fails."""

import subprocess
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from core.figures import film, paper
from core.figures.palette import colour
from core.figures.scene import Clock, Panel, Points, Scene
from core.figures.sheet import sheet
from core.problems import Problem
from tests.core.figures.readers import count, plays_on_slides, told
from tests.core.figures.scenes import FRAMES, LINK, everything


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_an_mp4_has_every_frame_in_a_form_that_slides_play(folder):
    *drawn, last = film.film(everything(), "mp4", width=321)
    assert [(step.frame, step.file) for step in drawn] == [(k + 1, None) for k in range(FRAMES)]
    assert not list(folder.iterdir())
    said = plays_on_slides(last.file, FRAMES, everything().fps)
    assert "320x180" in said and LINK in said and "Guidance 引导" in said


def test_the_colours_of_a_film_are_those_of_the_roles(folder):
    clock = Clock(np.arange(2))
    dot = Points([[0.0, 0.0]], "sample", size=90, shape="dot", alpha=1)
    last = list(film.film(Scene([Panel("", [dot])], clock), "mp4"))[-1]
    file = folder / "it.mp4"
    file.write_bytes(last.file)
    raw = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = subprocess.run([get_ffmpeg_exe(), "-loglevel", "error", "-i", str(file), *raw], capture_output=True).stdout
    inside = np.frombuffer(shown, np.uint8).reshape(1080, 1920, 3)[540, 960].astype(int)
    assert np.abs(inside - list(bytes.fromhex(colour("sample", "light")[1:]))).max() <= 4


def test_a_frame_does_not_depend_on_what_another_thread_draws_meanwhile():
    """Matplotlib's settings, which a file that is written sets, are those of the whole process."""
    made = sheet(everything(), paper.measure, "light", 320, 180)
    frames = []
    for hinting in ("none", "force_autohint"):
        with matplotlib.rc_context({"text.hinting": hinting}):
            frames.append(bytes(next(film._pictures(made))))
    assert frames[0] == frames[1]


def test_a_gif_names_what_it_shows():
    last = list(film.film(everything(), "gif", width=320))[-1]
    assert last.file.startswith(b"GIF89a") and LINK.encode() in last.file
    assert count(told(last.file, "gif")) == FRAMES


def test_who_stops_leaves_no_file_and_no_process(folder, monkeypatch):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *given, **more: started.append(popen(*given, **more)) or started[-1]
    )
    drawing = film.film(everything(), "mp4", width=320)
    next(drawing)
    assert list(folder.iterdir()) and started[0].poll() is None
    drawing.close()
    assert not list(folder.iterdir()) and started[0].poll() is not None


@pytest.mark.parametrize(
    "script, code", [("echo No space left on device >&2; exit 1", "film_disk"), ("exit 1", "film_encoder"),
                     ("cat > /dev/null; echo broken >&2; exit 3", "film_encoder")],
)  # fmt: skip
def test_a_film_that_cannot_be_written_is_one_problem(folder, monkeypatch, script, code):
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    with pytest.raises(Problem) as failed:
        list(film.film(everything(), "mp4", width=320))
    assert failed.value.code == code
    program.unlink()
    assert not list(folder.iterdir())


def test_no_ffmpeg_is_one_problem(monkeypatch, refused):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    with refused("film_no_encoder"):
        list(film.film(everything(), "mp4", width=320))


def test_no_room_for_files_is_one_problem(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with refused("film_disk"):
        list(film.film(everything(), "mp4", width=320))


def test_another_kind_is_refused(refused):
    with refused("figure_format", kind="avi"):
        list(film.film(everything(), "avi"))
