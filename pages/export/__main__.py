"""The command line: ``python -m pages.export LINK OUT.svg``.

It makes the file that the menu of the page makes: a lecturer's makefile makes all figures of a course again.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from core.cli import interrupts

with interrupts.at_once():
    from core.figures.frames import count_frames
    from core.problems import Problem
    from pages.export import files, scenes
    from pages.ui.frame import text
    from pages.ui.frame.text import t


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    made = argparse.ArgumentParser(prog="python -m pages.export", description=t("export.about"))
    made.add_argument("link", help=t("export.help.link"))
    made.add_argument("out", type=Path, help=t("export.help.out", kinds=", ".join(files.KINDS)))
    made.add_argument("--theme", choices=("light", "dark", "auto"), default="light", help=t("export.help.theme"))
    made.add_argument("--width", type=int, help=t("export.help.width"))
    made.add_argument("--scale", type=int, default=2, help=t("export.help.scale"))
    made.add_argument("--frame", type=int, help=t("export.help.frame"))
    made.add_argument("--chart", default="", help=t("export.help.chart"))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one file; what was ignored or went wrong is said in one sentence. Returns the exit status."""
    # As the app does, before torch is imported: more threads add up in another order, and colours differ by one step.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given = parser().parse_args(arguments)
    try:
        link = scenes.read(given.link)
        for name in link.ignored:
            print(t("export.ignored", name=name), file=sys.stderr)
        made = make(link, given)
        _write(given.out, made)
    except Problem as problem:
        return _fail(text.problem(problem))
    except OSError as error:
        return _fail(text.problem(Problem("export_not_written", file=given.out, reason=error.strerror)))
    except KeyboardInterrupt:
        return _fail(t("export.stopped"))
    except Exception as error:
        logging.getLogger(__name__).debug("an export failed", exc_info=error)
        return _fail(text.problem(Problem("export_failed", kind=type(error).__name__, link=given.link)))
    print(given.out)
    return 0


def make(link: scenes.Link, given: argparse.Namespace) -> bytes:
    """The file that the arguments ask for."""
    kind = given.out.suffix.removeprefix(".").lower()
    if kind not in files.KINDS:
        raise Problem("export_kind", kind=kind, known=", ".join(files.KINDS))
    sizes = {"width": given.width, "scale": given.scale}
    for name, most in (("width", 7680), ("scale", 8)):
        if sizes[name] is not None and not 1 <= sizes[name] <= most:
            raise Problem("export_size", name=name, most=most, value=sizes[name])
    scene = scenes.scene_of(link, given.chart)
    frame, last = given.frame, count_frames(scene.panels, scene.clock) - 1
    if frame is not None and not 0 <= frame <= last:
        raise Problem("figure_frame", frame=frame, last=last)
    if frame is None and link.clock is not None:
        frame = scenes.frame_at(scene, link.clock)
    options = files.Options(given.theme, given.width, given.scale, frame, link.zoom)
    token = text.language.set(link.language)
    try:
        formula = scenes.formula_of(link.page, link.config) if kind == "html" and not given.chart else ()
        return files.file_of(scene, kind, options, formula)
    finally:
        text.language.reset(token)


def _write(out: Path, made: bytes) -> None:
    """Write a file beside its place first, so that a full disk leaves no half of one."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.part")
    try:
        beside.write_bytes(made)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    interrupts.to_the_end(lambda: sys.exit(main()))
