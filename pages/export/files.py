"""A scene as a file of any kind."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from core.figures import film, numbers, paper
from core.figures.frames import count_frames
from core.figures.scene import Scene
from core.problems import Problem
from pages.export.scenes import Zoom
from pages.ui.stage import standalone

KINDS = {
    **{kind: paper.KINDS[kind] for kind in ("png", "svg", "pdf")},
    **film.KINDS,
    "html": "text/html",
    **numbers.KINDS,
}
"""The kinds of files and their media types."""
WIDTHS = (640, 960, 1280, 1920)  # CSS pixels
SCALES = (1, 2, 4)


@dataclass(frozen=True)
class Options:
    """How a scene becomes a file.

    Attributes:
        theme: "light" or "dark"; an HTML file can also have "auto", the one that its reader's browser asks for.
        width: in CSS pixels; None: as is usual for the kind.
        scale: how many pixels a PNG has for each CSS pixel.
        frame: the frame of a picture, and where the clock of an HTML file stands; None: where the scene says. A CSV
            holds this frame, and all of them for None.
        zoom: what is enlarged, as the player keeps it.
    """

    theme: str = "light"
    width: int | None = None
    scale: int = 2
    frame: int | None = None
    zoom: Zoom = field(default_factory=dict)


def is_film(kind: str) -> bool:
    """Whether files of this kind hold all frames, which takes a while."""
    return kind in film.KINDS


def kinds_of(scene: Scene) -> list[str]:
    """The kinds of files that a scene can become: where nothing moves, no film."""
    return [kind for kind in KINDS if not is_film(kind) or count_frames(scene.panels, scene.clock) > 1]


def frames(scene: Scene, kind: str, options: Options) -> Iterator[film.Progress]:
    """A film of a scene, drawn frame by frame: see ``film.film``."""
    return film.film(scene, kind, options.theme, options.width, options.zoom or None)


def file_of(scene: Scene, kind: str, options: Options, formula: Sequence[tuple[str, str]] = ()) -> bytes:
    """A scene, described, as a file. ``formula``: the terms that an HTML file shows.

    Raises Problem for a kind that there is not, for a frame that the scene does not have, and as the film does.
    """
    if kind not in KINDS:
        raise Problem("export_kind", kind=kind, known=", ".join(KINDS))
    if options.theme == "auto" and kind != "html":
        raise Problem("export_theme")
    if kind in film.KINDS:
        return _last(frames(scene, kind, options))
    if kind in numbers.KINDS:
        return numbers.to_file(scene, kind, options.frame)
    if kind == "html":
        return standalone.page(scene, formula, options.theme, options.frame, zoom=options.zoom).encode()
    return paper.to_file(
        scene, kind, options.frame, options.theme, options.width or 1280, options.scale, options.zoom or None
    )


def _last(progress: Iterable[film.Progress]) -> bytes:
    for step in progress:
        made = step.file
    return made
