"""``python -m pages.site OUT``: write the lesson as a static site, with every chapter and scene.

The files need no server and no other machine. A browser opens ``OUT/index.html`` from disk, and any web server can
offer the folder.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

from core.cli import interrupts

with interrupts.at_once():
    import tyro
    from tqdm import tqdm

    from core.problems import Problem
    from pages.site import files, visits
    from pages.site.figures import Figures
    from pages.ui.frame import chapters, text


def write(out: Annotated[Path, tyro.conf.Positional], lang: tuple[str, ...] = (), pages: tuple[str, ...] = ()) -> None:
    """Write the lesson as a static site into a folder.

    Args:
        out: the folder; it is made if it is not there, and files of the same names are replaced.
        lang: the languages, such as "en zh"; all of them if none is named.
        pages: the pages, such as "home guidance"; all of them if none is named.
    """
    try:
        _write_all(out, lang, pages)
    except OSError as error:  # one of writing, such as on a full disk, does not name its file
        raise Problem("export_not_written", file=error.filename or out, reason=error.strerror) from error


def _write_all(out: Path, lang: tuple[str, ...], pages: tuple[str, ...]) -> None:
    languages = _known("lang", lang, text.languages())
    site = files.Site(Figures(out / "data"), _known("pages", pages, chapters.present()), languages)
    for name in ("data", *languages):
        (out / name).mkdir(parents=True, exist_ok=True)
    text.language.set(languages[0])
    files.write_shared(out, languages)
    readme = (chapters.ROOT / "README.md").read_text("utf-8")
    for language in languages:
        text.language.set(language)
        _write(out / language / f"{files.START}.html", files.start(site, files.commands(readme)))
    for name, language in tqdm([(name, language) for name in site.pages for language in languages], unit="page"):
        text.language.set(language)
        _write(out / language / f"{name}.html", files.page(visits.visit(name, language), site))
    print(f"{out / 'index.html'}: {sum(file.stat().st_size for file in out.rglob('*')) / 1e6:.1f} MB")


def _known(flag: str, given: tuple[str, ...], known: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """What was named, in the order of what there is. Raises Problem for what there is not."""
    if unknown := sorted({*given} - {*known}):
        raise Problem("site_unknown", flag=flag, values=", ".join(unknown), known=", ".join(known))
    return tuple(name for name in known if name in given or not given)


def _write(file: Path, body: str) -> None:
    file.write_text(body, "utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run the command. An error ends it with a sentence."""
    # As the app does, before torch is imported: more threads add up in another order, and colours differ by one step.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logging.disable(logging.WARNING)  # Streamlit warns that no browser is there
    try:
        tyro.cli(write, prog="python -m pages.site", args=arguments)
    except Problem as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        logging.disable(logging.NOTSET)


if __name__ == "__main__":
    interrupts.to_the_end(main)
