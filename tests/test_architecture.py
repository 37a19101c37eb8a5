"""Imports go one way: pages -> pages/ui -> core, and inside core only to what stands above in the list."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = (
    "seeds schedules data networks denoiser exact guidance samplers training checkpoints progress retrieval metrics "
    "forward passing field recipe imaging clip comparing unclip session captioned following digits pretrained pipeline "
    "story walks scores steering lab evaluation gallery jobs figures"
).split()
TOP = {"app.py", "pages", "core", "tests", "requirements.txt", "README.md", "shared"}
CORE = sorted((ROOT / "core").rglob("*.py"))
UI = sorted((ROOT / "pages" / "ui").rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports, those inside functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write the whole name of what it imports"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def place(dotted: str) -> int | None:
    parts = dotted.split(".")
    return ORDER.index(parts[1]) if parts[0] == "core" and len(parts) > 1 and parts[1] in ORDER else None


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_core_knows_neither_streamlit_nor_the_pages(path):
    assert not {name for name in imports(path) if name.split(".")[0] in {"streamlit", "pages"}}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_of_core_imports_only_from_files_above_it(path):
    here = place(".".join(path.relative_to(ROOT).with_suffix("").parts))
    later = {name for name in imports(path) if here is not None and (place(name) or 0) > here}
    assert not later


@pytest.mark.parametrize("path", UI, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_pages_share_imports_no_page(path):
    assert not {name for name in imports(path) if name.startswith("pages.") and not name.startswith("pages.ui")}


@pytest.mark.parametrize("path", [*CORE, *UI], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_400_lines(path):
    assert path.read_text().count("\n") <= 400


def test_nothing_else_stands_at_the_top():
    assert {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - {"__pycache__"} <= TOP
