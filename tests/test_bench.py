"""The benchmark runs and tells what it measured. How fast anything is, no test asserts."""

import json
from functools import partial

from tests.bench import __main__ as bench
from tests.bench import sampling
from tests.bench.figure import Figure


def test_a_part_prints_a_table_and_writes_every_repeat(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sampling, "measure", partial(sampling.measure, walks=3))
    bench.main(["sampling", "--json", str(tmp_path / "figures.json")])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4 and {line.count("|") for line in lines} == {6}
    saved = json.loads((tmp_path / "figures.json").read_text())
    assert saved["circumstances"]["torch"] and [len(figure["values"]) for figure in saved["figures"]] == [3] * 4


def test_a_part_that_fails_says_so_and_keeps_the_figures_before_it(monkeypatch, capsys):
    first = Figure("first", [1.0], "s")

    def measure():
        yield first
        raise ZeroDivisionError

    monkeypatch.setattr(sampling, "measure", measure)
    assert bench.main(["sampling"]) == [first]
    assert "sampling | could not be measured: ZeroDivisionError" in capsys.readouterr().out


def test_a_figure_meets_its_target_by_its_median():
    assert Figure("wait", [1.0, 2.0, 9.0], "s", target=2.0).met
    assert Figure("wait", [1.0, 2.1, 9.0], "s", target=2.0).met is False
    assert Figure("wait", [1.0], "s").met is None
