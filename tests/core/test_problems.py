"""Errors with a code: each that is raised has its sentence, each sentence is used, and their placeholders agree."""

import ast
import pickle
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from core import problems
from core.problems import Problem, fill, placeholders, sentences

ROOT = Path(problems.__file__).parents[1]


@cache
def trees() -> dict[Path, ast.Module]:
    """The source of all files that raise, parsed by the first test that asks."""
    return {
        path: ast.parse(path.read_text("utf-8"))
        for folder in ("core", "pages")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "problems.py"
    }


def kinds() -> set[str]:
    """The names of Problem and of its subclasses."""
    classes = [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found = {"Problem"}
    for _ in range(3):  # a subclass of a subclass may stand in an earlier file
        found |= {each.name for each in classes if any(getattr(base, "id", "") in found for base in each.bases)}
    return found


def codes(node: ast.Call) -> list[str]:
    """The codes that a call can have: one that is written out, or all that an f-string fits."""
    first = node.args[0] if node.args else None
    if isinstance(first, ast.Constant):
        return [first.value]
    parts = first.values if isinstance(first, ast.JoinedStr) else []
    pattern = "".join(re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+" for part in parts)
    return [code for code in sentences() if re.fullmatch(pattern, code)]


def raised() -> Iterator[tuple[str, list[str], set[str] | None]]:
    """(place, codes, names of the values) of each Problem that is made; None for values that are not written out."""
    names = kinds()
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in names:
                values = {keyword.arg for keyword in node.keywords}
                yield f"{path.relative_to(ROOT)}:{node.lineno}", codes(node), None if None in values else values


@pytest.mark.slow
def test_every_code_that_is_raised_has_a_sentence_with_the_same_placeholders_and_every_sentence_is_raised():
    made, wrong = list(raised()), []
    for place, found, values in made:
        wrong += [] if found else [f"{place}: no code"]
        for code in found:
            quoted = placeholders(sentences()[code]) if code in sentences() else None
            wrong += [f"{place}: no sentence for {code}"] if quoted is None else []
            if None not in (quoted, values) and quoted != values:
                wrong.append(f"{place}: {code} quotes {sorted(quoted)}, not {sorted(values)}")
    wrong += [
        f"{code} is never raised" for code in sentences().keys() - {code for _, found, _ in made for code in found}
    ]
    assert not wrong


def test_what_a_note_counts_does_not_follow_the_number_which_may_be_one():
    found = {code: re.search(r"%\{(lost|files)\b[^}]*\} [a-z]+", text) for code, text in sentences().items()}
    assert [f"{code}: {match[0]}" for code, match in found.items() if match and "} of" not in match[0]] == []


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


def test_several_notes_become_one_that_says_all_of_them():
    note = problems.join_notes(None, Problem("word_empty"), problems.join_notes(None), Problem("word_invisible"))
    assert [part.code for part in note.parts] == ["word_empty", "word_invisible"]
    again = pickle.loads(pickle.dumps(note))
    assert str(again) == str(note) == f"{Problem('word_empty')} {Problem('word_invisible')}"
    assert problems.join_notes(None, None) is None
