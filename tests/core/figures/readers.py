"""Reads finished figures as other programs do: what a slide program asks of a film, and a reader of a PDF."""

import re
import subprocess
import tempfile

from imageio_ffmpeg import get_ffmpeg_exe

HIGH, LEVEL = 100, 42  # of H.264: the profile, and the level that 1080p needs at most


def told(content: bytes, kind: str) -> str:
    """What ffmpeg says of a film that it decodes as a whole."""
    with tempfile.NamedTemporaryFile(suffix=f".{kind}") as file:
        file.write(content)
        file.flush()
        command = [get_ffmpeg_exe(), "-i", file.name, "-f", "null", "-"]
        return subprocess.run(command, capture_output=True, text=True).stderr


def count(said: str) -> int:
    """How many frames ffmpeg decoded."""
    return int(re.findall(r"frame=\s*(\d+)", said)[-1])


def plays_on_slides(content: bytes, frames: int, fps: float) -> str:
    """Check an MP4 against what PowerPoint and Keynote play; returns what ffmpeg says of it.

    That is H.264 of a usual profile and level, 4:2:0, square pixels of an even number, named colours, equal times
    between frames, and the index before the frames.
    """
    said = told(content, "mp4")
    stream = re.search(r"Stream #.*Video: .*", said)[0]
    assert "h264 (High)" in stream and "yuv420p(tv, bt709, progressive)" in stream and "[SAR 1:1" in stream, stream
    assert not any(int(side) % 2 for side in re.search(r" (\d+)x(\d+) ", stream).groups())
    _, profile, _, level = box(content, b"avcC")[:4]
    assert profile == HIGH and level <= LEVEL
    assert box(content, b"colr").startswith(b"nclx\0\1\0\1\0\1")  # for QuickTime, which reads no other
    assert int.from_bytes(box(content, b"stts")[4:8]) == 1  # one duration for all frames
    hours, minutes, seconds = map(float, re.search(r"Duration: (\d+):(\d+):([\d.]+)", said).groups())
    assert abs(3600 * hours + 60 * minutes + seconds - frames / fps) < 0.02 and count(said) == frames
    assert content.index(b"moov") < content.index(b"mdat")
    return said


def box(content: bytes, name: bytes) -> bytes:
    """What follows the name of a box of an MP4."""
    return content[content.index(name) + 4 :][:64]


def reads_as_pdf(content: bytes, width: float, title: str, link: str) -> None:
    """Check a PDF: one page of that width in points, all fonts inside as TrueType outlines, title and link in the
    metadata; where the link names a server, the small print leads there."""
    assert content.startswith(b"%PDF") and content.count(b"/Type /Page ") == 1
    (wide, high), fonts = page_size(content), content.count(b"/Type /FontDescriptor")
    assert wide == width and 0.2 < high / wide < 3
    assert fonts and fonts == content.count(b"/FontFile2 ") and b"/Type3" not in content
    assert written(title) in content and written(link) in content
    assert (b"/URI (" in content) == link.startswith("http")


def page_size(content: bytes) -> tuple[float, float]:
    """Width and height of the page of a PDF in points."""
    return tuple(map(float, re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", content).groups()))


def written(words: str) -> bytes:
    """Words as they stand in a PDF's metadata."""
    if words.isascii():
        return re.sub(r"([\\()])", r"\\\1", words).encode()
    return words.encode("utf-16-be")
