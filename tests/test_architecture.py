"""The rules of the source: what may import what, how long and how tangled a function may be, and how things are named.

One test per rule; each names every place that breaks it.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP = {"app.py", "pages", "core", "tests", "requirements.txt", "README.md", "shared", "__pycache__"}
# The folders and files of core, those that may import nothing of the others first.
CORE = [
    "seeds figures problems limits",
    "data metrics",
    "networks diffusion",
    "runs",
    "models",
    "pretrained",
    "lessons cli __main__",
]
UI = {"lecture", "frame", "stage", "widgets", "runs", "lessons"}
COMMANDS = {"core/__main__", "pages/export", "pages/site"}  # run from the command line; no page imports them
RANK = {f"core/{name}": rank for rank, names in enumerate(CORE) for name in names.split()}
RANK |= {f"pages/ui/{name}": len(CORE) for name in UI}
RANK |= {"pages": len(CORE) + 1, "app": len(CORE) + 2} | dict.fromkeys(COMMANDS, len(CORE) + 1)
LESSONS = {"lab": {"sampling", "guidance"}}  # the lessons that a lesson may import
ANY_LESSON = {"films", "vector_field"}  # what is in them is shared by several
OLD_MODULES = set(
    "passing story walks scores steering steer comparing exhibits contrast stages sides imaging imagery image_runs "
    "session following captioned pipeline gallery digits recipe towers".split()
)
OLD_DEFINITIONS = set(
    "Passing through Wish tell Way Walk Kind way_of Score steer Guide Setup Trial Marks attempt Plan Recipe "
    "BARE RAISED BETWEEN ruler unruler split heat clock".split()
)
OLD_NAMES = set("told asked said seen go ways due own gone floor towers".split())


# The source as data


def files(*folders: str) -> list[Path]:
    """The Python files below folders of the repository, relative to it."""
    found = [path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(found) + [Path("app.py")] * ("pages" in folders)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"))


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, those inside functions included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write the whole name of what it imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(name: str) -> Path | None:
    """The file of this repository that a dotted name stands in."""
    parts = name.split(".")
    while parts and parts[0] in ("core", "pages", "app"):
        for path in (Path(*parts).with_suffix(".py"), Path(*parts, "__init__.py")):
            if (ROOT / path).is_file():
                return path
        parts.pop()
    return None


def node_of(path: Path) -> str:
    """The folder (or, at the top of core, the file) that counts as a node of the graph of imports."""
    parts = path.with_suffix("").parts
    if parts == ("core", "pretrained", "__main__"):
        return "core/cli"
    if parts[:2] == ("pages", "ui"):
        return "/".join(parts[:3])
    return "/".join(parts[: 2 if parts[0] == "core" or "/".join(parts[:2]) in COMMANDS else 1])


@cache
def arrows() -> dict[tuple[str, str], list[str]]:
    """Each pair of nodes (importing, imported), and the imports that make it."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in files("core", "pages"):
        for name in imports(path):
            other = file_of(name)
            if other and node_of(other) != node_of(path):
                found.setdefault((node_of(path), node_of(other)), []).append(f"{path}: {name}")
    return found


def functions(*folders: str) -> Iterator[tuple[Path, ast.FunctionDef]]:
    for path in files(*folders):
        yield from ((path, node) for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))


def ruff(*options: str) -> str:
    """What ruff finds in the repository; nothing if all is well."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "--no-cache", *options, "."]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.replace("All checks passed!\n", "")


# Layout and imports


def test_nothing_else_stands_at_the_top():
    assert {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} <= TOP


def test_every_folder_and_file_of_core_and_of_what_pages_share_has_its_place():
    nodes = {node_of(path) for path in files("core", "pages")} - {"core/__init__"}
    assert nodes <= RANK.keys()


@pytest.mark.slow
def test_imports_go_one_way():
    wrong = [each for (one, other), each in arrows().items() if RANK.get(other, -1) > RANK.get(one, 99)]
    assert not wrong


def test_imports_make_no_circle():
    left = set(arrows())
    while ends := {other for _, other in left} - {one for one, _ in left}:
        left = {(one, other) for one, other in left if other not in ends}
    assert not left


def test_imports_have_at_most_11_layers():
    @cache
    def depth(node: str) -> int:
        return 1 + max((depth(other) for one, other in arrows() if one == node), default=0)

    assert max(depth(one) for one, _ in arrows()) <= 11


def test_there_are_at_most_60_arrows_between_folders():
    """Those of the commands are not counted: they make files of what all other folders draw."""
    shared = "core/problems", "core/limits"  # what every reader of a stranger's input needs
    counted = [(one, other) for one, other in arrows() if other not in shared and one not in COMMANDS]
    assert len(counted) <= 60


def test_a_page_imports_only_what_pages_share():
    wrong = [each for (one, other), each in arrows().items() if one == "pages" and not other.startswith("pages/ui")]
    assert not wrong


def test_core_imports_neither_streamlit_nor_the_pages():
    wrong = [f"{path}: {name}" for path in files("core") for name in imports(path)
             if name.split(".")[0] in ("streamlit", "pages")]  # fmt: skip
    assert not wrong


def test_frame_and_stage_know_of_core_only_figures_problems_and_limits():
    known = {"core/figures", "core/problems", "core/limits"}
    wrong = [each for (one, other), each in arrows().items() if one in ("pages/ui/frame", "pages/ui/stage")
             and other.startswith("core/") and other not in known]  # fmt: skip
    assert not wrong


def test_no_lesson_imports_another():
    wrong = []
    for path in files("core/lessons"):
        lesson = path.parts[2].removesuffix(".py")
        known = {lesson} | LESSONS.get(lesson, set()) | ANY_LESSON
        for name in imports(path):
            other = file_of(name)
            if other and other.parts[:2] == ("core", "lessons") and other.parts[2].removesuffix(".py") not in known:
                wrong.append(f"{path}: {name}")
    assert not wrong


def test_texts_tables_messages_and_parts_that_run_by_themselves_are_drawn_by_the_frame():
    """It marks the terms of every text, and gives a fragment the language, the guard and the marks of its page."""
    texts = {"caption", "markdown", "success", "info", "warning"}

    def past_the_frame(node: ast.AST) -> bool:
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in texts
        return (called and ast.unparse(node.func) != "shell.caption") or (
            isinstance(node, ast.Attribute)
            and ast.unparse(node) in ("st.caption", "st.markdown", "st.write", "st.fragment")
        )

    others = set(files("pages")) - {Path("pages/ui/frame", name) for name in ("shell.py", "drawing.py")}
    assert not [f"{path}:{node.lineno}" for path in others for node in ast.walk(tree(path)) if past_the_frame(node)]


def test_no_module_is_taken_from_what_is_imported_already():
    """Another visitor's page may still be importing it: ``import_module`` waits for that."""
    taken = re.compile(r"sys\.modules(\.get\(|\[)")
    assert not [str(path) for path in files("core", "pages") if taken.search((ROOT / path).read_text("utf-8"))]


# Size and form


def test_no_page_is_longer_than_80_lines():
    lengths = {
        path.name: (ROOT / path).read_text("utf-8").count("\n") for path in files("pages") if len(path.parts) == 2
    }
    assert not {name: length for name, length in lengths.items() if length > 80}


@pytest.mark.slow
def test_no_function_is_longer_than_55_lines():
    long = [f"{path}:{node.lineno} {node.name}" for path, node in functions("core", "pages", "tests")
            if node.end_lineno - node.lineno >= 55]  # fmt: skip
    assert not long


def test_no_function_is_tangled():
    assert not ruff("--select", "C901")


def branches(function: ast.AST) -> int:
    """1 and the decisions of a function, those within expressions too, which the linter does not count."""
    decisions = ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.match_case, ast.comprehension
    nodes = list(ast.walk(function))
    within = [node.values[1:] for node in nodes if isinstance(node, ast.BoolOp)]
    within += [node.ifs for node in nodes if isinstance(node, ast.comprehension)]
    return 1 + sum(isinstance(node, decisions) for node in nodes) + sum(map(len, within))


def test_no_function_has_more_than_15_branches():
    assert not [f"{path}:{node.lineno} {node.name}" for path, node in functions("core", "pages") if branches(node) > 15]


def test_the_linter_finds_nothing():
    assert not ruff()


def test_every_public_function_and_class_of_core_has_a_docstring():
    public = [(path, node) for path in files("core") for node in tree(path).body
              if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")]  # fmt: skip
    assert not [f"{path}:{node.lineno} {node.name}" for path, node in public if not ast.get_docstring(node)]


# Names


def bound(path: Path) -> Iterator[tuple[str, int]]:
    """Every name that a file gives to something, and its line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


def test_no_module_has_a_replaced_name():
    assert not [str(path) for path in files("core", "pages") if OLD_MODULES & {path.stem, path.parent.name}]


def test_no_function_class_or_constant_has_a_replaced_name():
    defined = [(path, node) for path in files("core", "pages") for node in ast.walk(tree(path))
               if isinstance(node, (ast.FunctionDef, ast.ClassDef))]  # fmt: skip
    wrong = [f"{path}:{node.lineno} {node.name}" for path, node in defined if node.name in OLD_DEFINITIONS]
    assert not wrong


def test_no_variable_has_a_replaced_name():
    wrong = [f"{path}:{line} {name}" for path in files("core", "pages") for name, line in bound(path)
             if name in OLD_NAMES]  # fmt: skip
    assert not wrong


# Browser tests


def test_a_browser_test_waits_for_no_time_and_measures_no_page_that_still_moves():
    waits = re.compile(r"wait_for_timeout|\bsleep\(|\.bounding_box\(|\.focus\(|networkidle")
    # `box` and `press` wait for a page at rest; whether a server has started is asked again and again.
    exempt = {"learner.py": ("part.bounding_box()", "part.focus()"), "conftest.py": ("time.sleep(0.1)",)}
    wrong = []
    for path in files("tests/e2e"):
        for n, line in enumerate((ROOT / path).read_text("utf-8").splitlines(), 1):
            if waits.search(line) and line.strip().removeprefix("return ") not in exempt.get(path.name, ()):
                wrong.append(f"{path}:{n} {line.strip()}")
    assert not wrong
