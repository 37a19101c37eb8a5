"""What stands beside a picture, as files: tables as CSV, notes and formula as Markdown."""

import csv
import io
import re
from collections.abc import Iterator

from core.figures import numbers, palette
from core.figures.scene import Scene
from pages.ui.frame import text
from pages.ui.frame.drawn import Drawn
from pages.ui.frame.shell import KINDS, SHAPES
from pages.ui.frame.text import t


def table(markdown: str) -> bytes:
    """A Markdown table as CSV that a spreadsheet opens: UTF-8 with its mark, minus signs that it reads as such."""
    file = io.StringIO(newline="")
    head, _, *rows = markdown.splitlines()
    csv.writer(file).writerows([_cell(cell) for cell in row.strip("| ").split(" | ")] for row in (head, *rows))
    return b"\xef\xbb\xbf" + file.getvalue().encode()


def _cell(markdown: str) -> str:
    """The text of a cell, which no spreadsheet takes for a formula."""
    plain = re.sub(r"\*\*|\\(?=\W)|<[^>]+>", "", markdown).strip()
    number = plain.replace("−", "-")
    if re.fullmatch(r"[-+]?[\d.,]+%?", number):
        return number
    return numbers.harmless(plain)


def notes(scene: Scene, page: str, drawn: Drawn) -> bytes:
    """The notes and the formula that the page shows with a scene, described, as Markdown."""
    return "\n\n".join(filter(None, _parts(scene, page, drawn))).encode() + b"\n"


def _parts(scene: Scene, page: str, drawn: Drawn) -> Iterator[str]:
    yield f"# {scene.title}"
    yield t(f"{page}.sentence")
    for names, values in drawn.notes:
        for part in ("why", "how"):
            yield from (t(f"{page}.{name}.{part}", **values) for name in names if text.has(f"{page}.{name}.{part}"))
        found = [note for name in names for note in text.entry(f"{page}.{name}.notes")]
        yield "\n".join(f"{k}. {_entry(page, note, values)}" for k, note in enumerate(found, 1))
    for name, legends, values in drawn.formulas:
        yield f"## {t('frame.headings.equation')}"
        yield f"$${''.join(tex for tex, _ in text.formula(page, name, **values))}$$"
        rows = [one for legend in legends for one in text.entry(f"{page}.{legend}.legend")]
        yield "\n".join(f"- {_entry(page, one, values)}" for one in rows)
    yield f"<{scene.address}>"


def _entry(page: str, entry: dict[str, str], values: dict) -> str:
    """A note or a line of a legend after its mark."""
    role, _, kind = text.fill(page, entry.get("mark", ""), **values).partition(" ")
    mark = KINDS[kind] if kind else SHAPES[palette.ROLES[role].shape] if role else ""
    return f"{mark} {text.fill(page, entry['text'], **values)}".strip()
