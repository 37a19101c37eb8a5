"""A scene as a film: MP4 (H.264, which PowerPoint and Keynote play) or GIF, drawn frame by frame."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.figures import paper
from core.figures.scene import Scene
from core.figures.sheet import SLIDE, Sheet, Zoom, sheet
from core.problems import Problem

KINDS = {"mp4": "video/mp4", "gif": "image/gif"}
WIDTHS = {"mp4": 1920, "gif": 960}
HD = "bt709"  # how players read the colours of large films
LEVEL = "4.2"  # of H.264: what a film up to FULL_HD asks of a player at the most
FULL_HD = 1920
REST = 150  # hundredths of a second that a GIF stays at its last frame


@dataclass(frozen=True)
class Progress:
    """``frame`` of ``frames`` are drawn; ``file`` is the whole film, and None while it is not finished."""

    frame: int
    frames: int
    file: bytes | None = None


def film(
    scene: Scene, kind: str, theme: str = "light", width: int | None = None, zoom: Zoom | None = None
) -> Iterator[Progress]:
    """Draw all frames of a scene as a film of ``kind`` "mp4" or "gif", of the shape of a slide.

    Yields after each frame, and at the end once more with the file. Closing the generator ends the work and leaves
    nothing behind. ``width`` is in pixels, and made even; see `paper.figure` for the rest. Raises Problem for another
    kind, for a scene that cannot be drawn, and where the film cannot be written.
    """
    if kind not in KINDS:
        raise Problem("figure_format", kind=kind, known=", ".join(KINDS))
    width = 2 * round((width or WIDTHS[kind]) / 2)
    made = sheet(scene, paper.measure, theme, width, 2 * round(width * SLIDE / 2), zoom)
    with _folder() as folder:
        target = Path(folder) / f"film.{kind}"
        with encoder(_options(made, kind), target) as pipe:
            for k, picture in enumerate(_pictures(made)):
                pipe.write(picture)
                yield Progress(k + 1, made.frames)
        content = target.read_bytes()
    yield Progress(made.frames, made.frames, _with_comment(content, scene) if kind == "gif" else content)


def _pictures(made: Sheet) -> Iterator[memoryview]:
    """The pixels of each frame, RGBA. What does not move is drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn = paper.blank(made)
    canvas = FigureCanvasAgg(drawn)
    for artist in paper.artists(drawn, made, made.still()):
        drawn.add_artist(artist)
    with paper.settings():
        canvas.draw()
    still = canvas.copy_from_bbox(drawn.bbox)
    for k in range(made.frames):
        canvas.restore_region(still)
        with paper.settings():
            for artist in paper.artists(drawn, made, [*made.moving(k), *made.track(k)]):
                artist.draw(canvas.get_renderer())
        yield canvas.buffer_rgba()


@contextmanager
def _folder() -> Iterator[str]:
    """A folder that goes again; where none can be made, the disk is full."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="film-", ignore_cleanup_errors=True)
    except OSError as error:
        raise Problem("film_disk") from error
    with folder as name:
        yield name


def pixel_film(frames: np.ndarray, fps: float, title: str = "") -> bytes:
    """An MP4 of pictures uint8 [T, H, W, 3], of even sides, with sharp pixels: no colour is averaged over pixels.

    Raises Problem where the film cannot be written.
    """
    height, width = frames.shape[1:3]
    rgba = np.concatenate([frames, np.full((*frames.shape[:3], 1), 255, np.uint8)], 3)
    with _folder() as folder:
        target = Path(folder) / "film.mp4"
        with encoder(_raw(width, height, fps, title, "") + H264, target) as pipe:
            for picture in rgba:
                pipe.write(picture.tobytes())
        return target.read_bytes()


@contextmanager
def encoder(options: Sequence[str], target: Path) -> Iterator:
    """The input of a program that takes the pixels of one frame after the other and writes the film."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        program = [get_ffmpeg_exe(), *options, str(target)]
        running = subprocess.Popen(program, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    except (ImportError, OSError, RuntimeError) as error:
        raise Problem("film_no_encoder") from error
    try:
        yield running.stdin
        running.stdin.close()
        reason = running.stderr.read().decode("utf-8", "replace")
        if running.wait():
            raise _failure(reason)
    except OSError as error:  # it ended before it had all frames
        raise _failure(running.stderr.read().decode("utf-8", "replace") or str(error)) from error
    finally:
        running.kill()
        running.wait()
        running.stderr.close()


def _failure(reason: str) -> Problem:
    if "No space left" in reason:
        return Problem("film_disk")
    return Problem("film_encoder", reason=reason.strip().splitlines()[-1] if reason.strip() else "ffmpeg")


H264 = ["-vf", f"scale=out_color_matrix={HD}:out_range=tv,"
        f"setparams=range=tv:colorspace={HD}:color_primaries={HD}:color_trc={HD},setsar=1", "-pix_fmt", "yuv420p",
        "-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast", "-crf", "18",
        "-threads", "1", "-fps_mode", "cfr", "-movflags", "+faststart"]  # fmt: skip


def _options(made: Sheet, kind: str) -> Sequence[str]:
    level = ["-level:v", LEVEL] if made.width <= FULL_HD else []
    how = {
        "mp4": [*H264, *level],
        "gif": ["-filter_complex", "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none",
                "-final_delay", str(REST)],
    }  # fmt: skip
    title, address = paper.printable(made.scene.title), made.scene.address
    return [*_raw(made.width, made.height, made.scene.fps, title, address), *how[kind]]


def _raw(width: float, height: float, fps: float, title: str, comment: str) -> list[str]:
    """The options for pixels RGBA as input, and for what a film says of itself."""
    pixels = ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{width:.0f}x{height:.0f}", "-r", f"{fps:g}", "-i", "-"]
    names = ["-metadata", f"title={title}", "-metadata", f"comment={comment}"]
    return ["-loglevel", "error", "-nostats", "-y", *pixels, *names]


def _with_comment(content: bytes, scene: Scene) -> bytes:
    """A GIF with its title and link in a comment."""
    text = f"{scene.title}\n{scene.address}".encode()
    blocks = b"".join(bytes([len(part)]) + part for part in (text[i : i + 255] for i in range(0, len(text), 255)))
    return content[:-1] + b"\x21\xfe" + blocks + b"\x00" + content[-1:]
