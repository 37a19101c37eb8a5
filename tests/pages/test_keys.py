"""Nothing on a page has the name of a control: Streamlit would give one what the browser sent of the other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pages.ui.frame import controls, links, prepare
from tests.pages.test_scenes import PAGES
from tests.test_architecture import files, tree

NAMES = set(controls.COMMON).union(*(links.controls(prepare.lesson_of(page).Config) for page in PAGES))


def keys(node: ast.AST) -> Iterator[ast.expr]:
    """What gives a component or widget its key: an argument, an entry of the arguments to come, a variable."""
    if isinstance(node, ast.Call) and not ast.unparse(node.func).endswith(".container"):  # whose key is for CSS alone
        yield from (each.value for each in node.keywords if each.arg == "key")
    elif isinstance(node, ast.Dict):
        named = zip(node.keys, node.values)
        yield from (value for name, value in named if isinstance(name, ast.Constant) and name.value == "key")
    elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "key":
        yield node.value


def patterns(key: ast.expr) -> Iterator[str]:
    """Regular expressions for the texts that a key can be, where it is written out; f-strings have gaps."""
    if isinstance(key, ast.IfExp):
        yield from (*patterns(key.body), *patterns(key.orelse))
    elif isinstance(key, ast.Constant):
        yield re.escape(str(key.value))
    elif isinstance(key, ast.JoinedStr):
        yield "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".*" for part in key.values)


def test_no_component_can_have_the_key_of_a_control():
    found = [(path, key) for path in files("pages") for node in ast.walk(tree(path)) for key in keys(node)]
    assert len(found) > 50
    wrong = [f"{path}:{key.lineno} {ast.unparse(key)}" for path, key in found
             if any(re.fullmatch(pattern, name) for pattern in patterns(key) for name in NAMES)]  # fmt: skip
    assert not wrong


def test_every_key_of_a_player_is_written_out():
    """A value of a control, or anything that is computed, could be any name."""
    wrong = []
    for path in set(files("pages")) - {Path("pages/ui/stage/player.py")}:
        for call in ast.walk(tree(path)):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "player.show":
                (key,) = keys(call)
                known = [each for node in ast.walk(tree(path)) for each in keys(node) if isinstance(node, ast.Assign)]
                for each in known if ast.unparse(key) == "key" else [key]:
                    wrong += [] if [*patterns(each)] else [f"{path}:{each.lineno} {ast.unparse(each)}"]
    assert not wrong
