"""Errors with a code: each that is raised has its sentence, each sentence is used, and their placeholders agree."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import problems
from core.problems import Problem, fill, placeholders, sentences

ROOT = Path(problems.__file__).parents[1]
TREES = {
    path: ast.parse(path.read_text("utf-8"))
    for folder in ("core", "pages")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "problems.py"
}


def kinds() -> set[str]:
    """The names of Problem and of its subclasses."""
    classes = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found = {"Problem"}
    for _ in range(3):  # a subclass of a subclass may stand in an earlier file
        found |= {each.name for each in classes if any(getattr(base, "id", "") in found for base in each.bases)}
    return found


def raised() -> Iterator[tuple[str, str | None, set[str] | None]]:
    """(place, code, names of the values) of each Problem that is made in core; None for what is not written out."""
    names = kinds()
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in names:
                code = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
                values = {keyword.arg for keyword in node.keywords}
                yield f"{path.relative_to(ROOT)}:{node.lineno}", code, None if None in values else values


def test_every_code_that_is_raised_has_a_sentence_with_the_same_placeholders_and_every_sentence_is_raised():
    made = list(raised())
    wrong = [f"{place}: write the code out" for place, code, _ in made if code is None]
    wrong += [f"{place}: no sentence for {code}" for place, code, _ in made if code and code not in sentences()]
    wrong += [
        f"{place}: {code} quotes {sorted(placeholders(sentences()[code]))}, not {sorted(values)}"
        for place, code, values in made
        if code in sentences() and values is not None and values != placeholders(sentences()[code])
    ]
    wrong += [f"{code} is never raised" for code in sentences().keys() - {code for _, code, _ in made}]
    assert not wrong


def test_sentences_end_as_sentences():
    assert not [code for code, sentence in sentences().items() if sentence.strip()[-1] not in ".!"]


def test_a_problem_is_a_value_error_whose_text_is_its_sentence():
    problem = Problem("number_of_points", most=1_000_000, n=0)
    assert isinstance(problem, ValueError) and problem.code == "number_of_points"
    assert "1,000,000" in str(problem) and "%" not in str(problem)


def test_a_problem_of_any_kind_survives_pickling():
    from core.data.image_files import UnreadableImage

    again = pickle.loads(pickle.dumps(UnreadableImage("image_megapixels", most=64)))
    assert type(again) is UnreadableImage and again.values == {"most": 64}


def test_braces_without_a_percent_sign_are_text_and_a_missing_value_is_an_error():
    assert fill(r"$\sqrt{x}$ and %{a:.1f}", {"a": 2}) == r"$\sqrt{x}$ and 2.0"
    with pytest.raises(KeyError):
        fill("%{a}", {})
