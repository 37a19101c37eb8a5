"""The catalogue and the code of the pages fit together: every key that is used exists, every entry is used, and no
sentence stands in code."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache

import pytest

from pages.ui.frame import chapters, controls, links, shell, text
from tests.test_architecture import ROOT, files, tree

KEY = re.compile(r"[a-z_]+(\.[\w{}-]+)+")
READERS = {"t", "entry", "fill", "has"}  # of pages.ui.frame.text; their first argument is a key
WORDS = re.compile(r"[A-Za-z]{2,}[^\n]* [A-Za-z]{2,}[^\n]* [A-Za-z]{2,}")  # three, whatever is between them
CSS = re.compile(r"[\w-]+:\s*[^;{}]+[;}]|^translate\(")
CODE = re.compile(r"^\s*(SELECT|INSERT|CREATE|UPDATE|DELETE)\b|\bconst \w+ =|^python -m ")  # SQL, JavaScript, a command


# The catalogue as data


@cache
def entries() -> dict[str, object]:
    """Every entry of the English catalogue by its dotted key; a sentence's forms "one" and "other" are one entry."""

    def walk(found: object, key: str) -> Iterator[tuple[str, object]]:
        if isinstance(found, dict) and not found.keys() & {"one", "other"}:
            for name, part in found.items():
                yield from walk(part, f"{key}.{name}" if key else name)
        else:
            yield key, found

    return dict(walk(text.catalogue("en"), ""))


def exists(pattern: str) -> bool:
    """Whether an entry or a table of entries stands at a key, or at one that a pattern with holes matches."""
    return any(re.match(rf"{pattern}(\.|$)", key) for key in entries())


# The code as data


def written(node: ast.AST) -> str | None:
    """A string or f-string as a regular expression: a hole is any one part of a key. None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(written(part) or r"[^.]+" for part in node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.IfExp):
        either = [written(part) for part in _either(node.value)]
        return f"({'|'.join(either)})" if all(either) else None
    return None


@cache
def keys_read() -> dict[str, str]:
    """Every whole key that is read in the code of the pages, as a pattern, and where."""
    found = {}
    for path in files("pages"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and node.args and _name(node.func) in READERS:
                for part in _either(node.args[0]):
                    pattern = written(part)
                    if pattern and not pattern.startswith("[") and r"\." in pattern:
                        found[pattern] = f"{path}:{node.lineno}"
    return found


def _either(node: ast.AST) -> list[ast.AST]:
    return [*_either(node.body), *_either(node.orelse)] if isinstance(node, ast.IfExp) else [node]


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@cache
def strings(*folders: str) -> frozenset[str]:
    """Every string in the code of folders, an f-string as a pattern."""
    return frozenset(filter(None, (written(node) for path in files(*folders) for node in ast.walk(tree(path)))))


def given(page: str, function: str) -> set[str]:
    """The strings among the arguments of every call of a function (``shell.notes``) in the code of one page."""
    module, _, name = function.partition(".")
    found = set()
    for path in files("pages"):
        if path.stem == page or path.stem.startswith(f"{page}_"):
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == f"{module}.{name}":
                    found |= {part.value for argument in node.args[:1] for part in _constants(argument)}
    return found


def _constants(node: ast.AST) -> Iterator[ast.Constant]:
    """The strings that an argument may be; not what it is compared with."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from (*_constants(node.body), *_constants(node.orelse))
    elif isinstance(node, ast.Dict):
        yield from (part for key in node.keys if key for part in _constants(key))


@cache
def config_of(page: str) -> type | None:
    """The class of a page's configuration, which it gives to ``shell.chapter``."""
    for node in ast.walk(tree(ROOT / "pages" / f"{page}.py")):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "Config" for alias in node.names):
            config = importlib.import_module(node.module).Config
            return config if links.controls(config) else None
    return None


def pages() -> list[str]:
    """The pages that have a configuration."""
    return [name for name in chapters.present() if config_of(name)]


# Keys that are used exist


def test_every_page_has_a_configuration():
    assert pages() == list(chapters.present())


def test_every_key_that_code_reads_exists():
    assert not [f"{place} {pattern}" for pattern, place in keys_read().items() if not exists(pattern)]


def test_every_control_that_is_drawn_has_a_label():
    names = [(page, name) for page in pages() for name in given(page, "controls.draw")]
    wanted = [f"{page}.controls.{name}.label" for page, name in names if name in links.controls(config_of(page))]
    assert not [key for key in wanted if key not in entries()]


def test_the_options_of_a_control_have_their_labels_all_or_none():
    missing = []
    for page in pages():
        for name, control in links.controls(config_of(page)).items():
            own = {key.rsplit(".", 1)[1] for key in entries() if key.startswith(f"{page}.controls.{name}.options.")}
            if own:
                missing += [f"{page}.{name}.{option}" for option in control.choices if str(option) not in own]
            elif getattr(control, "labels", "") and control.labels not in text.catalogue("en")["labels"]:
                missing.append(f"labels.{control.labels}")
    assert not missing


def test_every_prediction_has_a_question_a_reason_and_an_answer_for_each_option():
    wanted = []
    for page in pages():
        for name in given(page, "shell.predict"):
            key, options = f"{page}.predict.{name}", links.controls(config_of(page))[name].choices
            wanted += [f"{key}.question", f"{key}.why", *(f"{key}.options.{option}" for option in options)]
    assert wanted and not [key for key in wanted if key not in entries()]


def test_every_page_has_its_title_and_what_its_parts_name():
    wanted = [f"{page}.{part}" for page in pages() for part in ("navigation", "title", "sentence")]
    for page in pages():
        wanted += [f"{page}.tasks.{name}.what" for name in given(page, "shell.tasks")]
        wanted += [f"{page}.{name}.notes" for name in given(page, "shell.notes")]
    assert not [key for key in wanted if key not in entries()]


def test_every_formula_that_is_shown_exists():
    formulas = text.catalogue("")["formulas"]
    wanted = [(page, name) for page in pages() for name in given(page, "shell.equation")]
    assert not [f"{page}.{name}" for page, name in wanted if name not in formulas.get(page, {})]


# Entries that exist are used


def used(key: str) -> bool:
    """Whether an entry is read: by its whole key, or as a part that the frame reads of the page."""
    file, *rest = key.split(".")
    if file == "labels":
        return rest[0] in strings("pages")
    if re.escape(key) in strings("pages"):  # chosen first, read then
        return True
    if _whole_keys().fullmatch(key):
        return True
    for pattern in _long_parts():  # of a page's own key, or what follows a key that was chosen first
        found = pattern.fullmatch(key)
        if found and (found[1] == file or re.escape(found[1]) in strings("pages")):
            return True
    known = links.controls(config_of(file)) if file in pages() else controls.COMMON
    own = {name: {str(option) for option in getattr(control, "choices", ())} for name, control in known.items()}
    if rest[0] in ("controls", "predict"):
        parts = {"label", "help"} if rest[0] == "controls" else {"question", "why"}
        if rest[1] not in own:
            return False
        return rest[2] in parts or (rest[2] == "options" and rest[3] in own[rest[1]])
    if rest[0] == "tasks":
        return re.escape(rest[1]) in strings("pages") and rest[2] in ("what", "hint")
    if rest[-1] in ("notes", "legend", "why", "how", "act", "next"):
        return bool(_one_part().fullmatch(rest[0]))
    return key in {f"{page}.{part}" for page in pages() for part in ("navigation", "title", "sentence")} or (
        re.escape(".".join(rest)) in strings("pages")  # the label of a link to another chapter
    )


@pytest.mark.slow
def test_every_entry_of_the_catalogue_is_used():
    idle = [key for key in entries() if not used(key) and (key.split(".")[0] in pages() or not _is_page(key))]
    assert not idle


def _is_page(key: str) -> bool:
    return key.split(".")[0] in shell.PAGES


@cache
def _whole_keys() -> re.Pattern:
    """What is a key that is read, or inside the table that stands at one."""
    return re.compile(rf"({'|'.join(keys_read())})(\..+)?")


@cache
def _long_parts() -> list[re.Pattern]:
    """The f-strings of the code that may end a key, without the hole that they may begin with, behind its beginning."""
    found = {pattern.removeprefix(r"[^.]+\.") for pattern in strings("pages") if "[^.]+" in pattern or "(" in pattern}
    key = re.compile(r"[(a-z][\w|)]*(\\\.([\w(|)]|\[\^\.\]\+)+)*")
    return [re.compile(rf"(.+?)\.({pattern})") for pattern in sorted(filter(key.fullmatch, found))]


@cache
def _one_part() -> re.Pattern:
    """The strings of the code that may be one part of a key."""
    part = re.compile(r"(\w|\[\^\.\]\+)*\w(\w|\[\^\.\]\+)*")
    return re.compile("|".join(filter(part.fullmatch, strings("pages"))))


def test_every_formula_and_every_measured_number_is_used():
    idle = [f"formulas.{page}.{name}" for page, terms in text.catalogue("")["formulas"].items() for name in terms
            if page in pages() and re.escape(name) not in strings("pages")]  # fmt: skip
    for page, numbers in text.catalogue("").get("measured", {}).items():
        sentences = str(text.catalogue("en").get(page, ""))
        idle += [f"measured.{page}.{name}" for name in numbers if f"%{{{name}" not in sentences]
    assert not idle


# No sentence stands in code


def prose(tree: ast.AST, values: bool = True) -> Iterator[tuple[int, str]]:
    """Line and text of every string of three words that a learner may read; a hole of an f-string stands as "%".

    ``values``: a ValueError is about what a learner brought, and may be shown.
    """
    quiet = set(_unread(tree, values))
    for node in _outermost(tree, quiet):
        said = re.sub(r"<[^<>]*>", "", _text(node))
        if WORDS.search(said) and not ("\\" in said or CSS.search(said) or CODE.search(said)):
            yield node.lineno, " ".join(said.split())[:60]


def _unread(tree: ast.AST, values: bool) -> Iterator[ast.AST]:
    """The parts of code whose strings no learner reads: docstrings, logs, errors of the program, lists of names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.Raise) and not (values and "ValueError" in ast.unparse(node)):
            yield node
        elif isinstance(node, ast.Assert) and node.msg:
            yield node.msg
        elif isinstance(node, ast.Call) and re.search(r"^logging\.|^ContextVar$|\.split$", ast.unparse(node.func)):
            yield node


def _outermost(node: ast.AST, quiet: set[ast.AST]) -> Iterator[ast.AST]:
    if node in quiet:
        return
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        yield node
        inside = [part.value for part in getattr(node, "values", []) if isinstance(part, ast.FormattedValue)]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and _text(node) and " " in _text(node):
        yield node
        inside = []
    else:
        inside = ast.iter_child_nodes(node)
    for part in inside:
        yield from _outermost(part, quiet)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join("%" if isinstance(part, ast.FormattedValue) else _text(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return ""


@pytest.mark.parametrize(
    "code, found",
    [
        ('st.caption("Drag the probe")', True),
        ('st.caption(f"{n} of {m} points are here")', True),
        ('st.caption(f"points {n}" + " that were drawn")', True),
        ('st.html("<p>Drag the probe</p>")', True),
        ('raise ValueError("this is no drawing")', True),
        ('def f():\n    "Return the probe\'s place."', False),
        ('names = "spiral two moons rings".split()', False),
        ('raise KeyError(f"no entry has {key}")', False),
        ('style = "<style>body {font-family: one two three;}</style>"', False),
        (r'tex = r"\text{the mean of all}"', False),
        ('run("SELECT step FROM runs WHERE done")', False),
        ('t("sampling.notes.ddpm")', False),
    ],
)
def test_a_sentence_is_told_from_other_strings(code: str, found: bool):
    assert bool(list(prose(ast.parse(code)))) is found


def test_no_sentence_stands_in_the_code_of_the_pages():
    found = [(path, prose(tree(path), values="stage" not in path.parts)) for path in files("pages")]
    assert not [f"{path}:{line} {said}" for path, sentences in found for line, said in sentences]


def test_no_sentence_stands_in_the_code_of_the_browser():
    strings = re.compile(r"'((?:[^'\\\n]|\\.)*)'|\"((?:[^\"\\\n]|\\.)*)\"|`([^`]*)`")
    found = []
    for path in sorted((ROOT / "pages").rglob("*.js")):
        code = re.sub(r"^\s*//.*$|(?<=[;{}]) //.*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
        for match in strings.finditer(code):
            said = re.sub(r"<[^<>]*>|\$\{[^{}]*\}", " ", next(filter(None, match.groups()), ""))
            found += [f"{path.name} {said[:60]}"] if WORDS.search(said) and not CSS.search(said) else []
    assert not found
