"""Points from tables of numbers: every dialect gives the same numbers, and what is no point is named."""

import csv
import io
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.data import point_tables
from core.data.point_tables import number, read

DIALECTS = list(product(",;\t ", ".,", ("utf-8", "utf-8-sig", "utf-16")))
HEADERS = None, ("x", "y", "class"), ("Länge in m", "横", 'the "class"')
finite = some.floats(-1e9, 1e9, allow_subnormal=False)
points = some.lists(some.tuples(finite, finite), min_size=2, max_size=30)
classes = some.sampled_from([(), ("7", "8.5"), ("cat", "Hund", "né, 5"), ("一",)])


def codes(note) -> set[str]:
    return {part.code for part in note.parts} if note else set()


def written(rows: list[list[str]], separator: str, mark: str, encoding: str, end: str) -> bytes:
    """The table as a program would write it: cells with a separator in them are quoted."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    writer.writerows([[cell.replace(".", mark) if _is_number(cell) else cell for cell in row] for row in rows])
    return out.getvalue().encode(encoding)


def _is_number(cell: str) -> bool:
    return cell.replace(".", "").replace("-", "").replace("+", "").replace("e", "").isdigit()


@pytest.mark.parametrize(("separator", "mark", "encoding"), DIALECTS)
@settings(max_examples=10, derandomize=True, database=None, deadline=None)
@given(
    points, classes, some.sampled_from(HEADERS), some.booleans(), some.sampled_from(["\n", "\r\n", "\r"]), some.data()
)
def test_a_table_in_any_of_24_dialects_gives_its_numbers(
    separator, mark, encoding, xy, names, header, index, end, more
):
    labels = more.draw(some.lists(some.sampled_from(names), min_size=len(xy), max_size=len(xy))) if names else None
    rows = [[repr(x), repr(y), *([labels[i]] if labels else [])] for i, (x, y) in enumerate(xy)]
    if header:
        rows = [list(header[: len(rows[0])]), *rows]
        if index:  # as pandas writes it
            rows = [["" if i == 0 else str(i - 1), *row] for i, row in enumerate(rows)]
    found = read(written(rows, separator, mark, encoding, end))
    assert np.array_equal(found.xy, np.array(xy))
    if labels:
        assert [found.classes[label] for label in found.labels] == labels
    assert ("csv_index" in codes(found.note)) == bool(header and index)
    assert ("table_separator" in codes(found.note)) == (separator != ",")
    assert ("text_encoding" in codes(found.note)) == (encoding != "utf-8")


@pytest.mark.parametrize(
    ("text", "points", "code"),
    [
        (",x,y\n0,.5,2\n1,3,4\n", [[0.5, 2], [3, 4]], "csv_index"),
        (",0,1\n0,.5,2\n1,3,4\n", [[0.5, 2], [3, 4]], "csv_index"),
        (",x,y\nmon,.5,2\ntue,3,4\n", [[0.5, 2], [3, 4]], "csv_index"),
        ('"","x","y"\n"1",.5,2\n"2",3,4\n', [[0.5, 2], [3, 4]], "csv_index"),
        ('"x" "y"\n"1" .5 2\n"2" 3 4\n', [[0.5, 2], [3, 4]], "csv_index"),
        ("0,.5,2\n1,3,4\n2,5,6\n3,7,9\n", [[0.5, 2], [3, 4], [5, 6], [7, 9]], "csv_index_of_three"),
        ("1,.5,1\n2,3,1\n3,7,1\n", [[0.5, 1], [3, 1], [7, 1]], "csv_index_of_three"),
        ("id,y,x\n7,2,.5\n9,4,3\n", [[0.5, 2], [3, 4]], "csv_index"),
        ("row,col,label\n1,2,a\n2,4,b\n3,0,b\n", [[1, 2], [2, 4], [3, 0]], None),
        ("id,u,class\n1,2,a\n2,4,b\n3,0,b\n", [[1, 2], [2, 4], [3, 0]], None),
        ("label,f1,f2\n0,.5,2\n1,3,4\n", [[0.5, 2], [3, 4]], None),
        ("1,.5,2,0\n2,3,4,1\n3,5,6,1\n", [[0.5, 2], [3, 4], [5, 6]], "csv_index"),
        ("y,X\n2,.5\n4,3\n", [[0.5, 2], [3, 4]], None),
        ("label,y,z,x\na,2,-,.5\nb,4,-,3\n", [[0.5, 2], [3, 4]], "csv_unused"),
        ("point,x,y\n1,.5,2\n2,3,4\n3,1,5\n4,1,6\n", [[0.5, 2], [3, 4], [1, 5], [1, 6]], "csv_unused"),
        ("point,u,v\n1,.5,2\n2,3,4\n3,1,5\n4,1,6\n", [[0.5, 2], [3, 4], [1, 5], [1, 6]], "csv_index"),
        ("x,y,note\n.5,2,\n3,4,see below\n", [[0.5, 2], [3, 4]], "csv_unused"),
        ("x,y,z\n1,2,.1\n2,2,.2\n3,2,.3\n4,2,.4", [[1, 2], [2, 2], [3, 2], [4, 2]], "csv_unused"),
        ("#id,x,y\n7,.5,2\n9,3,4\n", [[0.5, 2], [3, 4]], "csv_index"),
        ("#,x,y\n7,.5,2\n9,3,4\n", [[0.5, 2], [3, 4]], "csv_index"),
        ("# by us\n# y x\n2 .5\n4 3\n", [[0.5, 2], [3, 4]], "table_separator"),
        ("# by us, 2020\nx,y\n.5,2\n#9,9\n3,4\n", [[0.5, 2], [3, 4]], "csv_comments"),
        ("0,1\n.5,2\n3,4\n", [[0.5, 2], [3, 4]], "csv_header_of_numbers"),
        ("0,1\n3,2\n3,4\n", [[0, 1], [3, 2], [3, 4]], "csv_first_point"),
        ("sep=;\nx;y\n0,5;2\n3;4\n", [[0.5, 2], [3, 4]], "table_decimal_comma"),
        ("x\ty\tclass\n0,5\t2,0\tcat, old\n3,0\t4,0\tcat, old\n", [[0.5, 2], [3, 4]], "table_decimal_comma"),
        ("# x y\n5.0e-01 2.0e+00\n3.0e+00 4.0e+00\n", [[0.5, 2], [3, 4]], "table_separator"),
        ("x|y\n.5|2\n3|4", [[0.5, 2], [3, 4]], "table_separator"),
        ("x,y\n−.5,2\n+3,4", [[-0.5, 2], [3, 4]], None),
        ("My points\n.5,2,\n3,4,\n", [[0.5, 2], [3, 4]], None),
        ("0,.5,a\n1,3,a\n2,7,b\n", [[0, 0.5], [1, 3], [2, 7]], None),  # the third is a class, not a coordinate
        ("t,u,v\n0,.5,1\n1,3,1\n2,7,1\n", [[0, 0.5], [1, 3], [2, 7]], None),
    ],
)
def test_headers_and_indices_of_many_programs_are_no_points(text: str, points: list, code: str | None):
    found = read(text.encode())
    assert np.array_equal(found.xy, points)
    assert code in codes(found.note) if code else not found.note


@pytest.mark.parametrize(
    ("text", "first", "code"),
    [
        ('x,y\n"1,234",567\n"2,345",890\n', [1234, 567], "table_thousands"),
        ('x,y\n"1,234","5,6"\n"2,345","7,8"\n', [1.234, 5.6], "table_decimal_comma"),
        ('x,y\n"0,234",567\n"2,345",890\n', [0.234, 567], "table_decimal_comma"),
        ("x\ty\n1,234\t567\n2,345\t890\n", [1.234, 567], "table_maybe_thousands"),
        ("x;y\n1.234;567\n2.345;890\n", [1.234, 567], "table_maybe_thousands"),
        ("x;y\n1.234;5.5\n2.345;8.9\n", [1.234, 5.5], "table_separator"),
        ("1.234,5.678\n2.345,6.789\n", [1.234, 5.678], None),
    ],
)
def test_a_mark_that_may_divide_thousands_is_named(text: str, first: list, code: str | None):
    found = read(text.encode())
    assert found.xy[0].tolist() == first
    assert found.note.parts[-1].code == code if code else not found.note


def test_numbers_alone_are_read_by_numpy_and_a_mistake_among_them_by_its_line(monkeypatch, refused):
    plain = "\n\n".join(["x;y", *(f"{i},5;{i}" for i in range(100))])
    with refused("csv_not_number", line=203):
        read((plain + "\n\nsix;6\n").encode())
    monkeypatch.setattr(point_tables, "_values", None)
    assert read(plain.encode()).xy.tolist() == [[i + 0.5, i] for i in range(100)]


@pytest.mark.parametrize(
    ("cell", "mark", "expected"),
    [
        ("−1.5", ".", -1.5),
        ("1,234.5", ".", 1234.5),
        ("1.234.567,5", ",", 1234567.5),
        ("1\u202f234,5", ",", 1234.5),
        ("-12 345", ".", -12345),
        ("1'234.5", ".", 1234.5),
        ("１２", ".", 12),
        ("1.234", ",", None),
        ("1,234", ".", None),
        ("1,234", "", 1234),
        ("0,234", "", None),
        ("12 34", ".", None),
        ("1_0", ".", None),
        ("0x1", ".", None),
        ("", ",", None),
    ],
)
def test_a_number_is_read_as_it_is_meant_or_not_at_all(cell: str, mark: str, expected: float | None):
    assert number(cell, mark) == expected


def test_names_of_classes_are_in_the_order_of_the_alphabet_and_one_for_both_spellings():
    found = read("1,2,cafe\u0301\n3,4,bar\n5,6,café\n".encode())
    assert found.classes == ("bar", "café") and found.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "code", "values"),
    [
        ("1;1,5\n2;2,5\n3;1.234\n", "csv_not_number", {"line": 3}),  # 1.234 or 1234?
        (",0\n0,3.5\n1,4.5\n", "csv_one_column", {}),
        ("1,1_000\n2,3\n", "csv_not_number", {"line": 1, "text": "'1_000'"}),
        ("1,2,cat\n3,4,\n", "csv_not_number", {"line": 2, "column": 3}),
        ('1,2\n"3,4\n5,6\n', "table_quote", {"line": 2}),
        ("x,y,class\n1,2\n3,4\n", "table_cells", {"line": 2, "columns": 3}),
        ("x,y\n5,2,0\n7,4,1\n", "table_cells", {"line": 2, "cells": 3, "columns": 2}),
        ("a,b,c,d\n1,2,3,4\n2,2,3,4\n3,2,3,7\n", None, {}),
        ("a,b,c\n5,2,3\n7,2,4\n7,2,5\n7,2,6", "csv_classes", {"found": 4}),
        ("a,b,c,d\n5,2,3,4\n7,2,3,4\n", "csv_columns", {"columns": 4}),
        ("u,v,class\n0,2,3\n1,2,4\n2,2,5\n3,2,6", "csv_classes", {"found": 4}),
        ("1,2,a\n3,4,b\n3,4,c\n3,4,d\n", "csv_classes", {"found": 4}),
    ],
)
def test_what_is_no_table_of_points_is_refused_with_its_line(text: str, code: str | None, values: dict, refused):
    if code is None:
        assert read(text.encode()).xy.shape == (3, 2)
        return
    with refused(code, **values):
        read(text.encode())


def test_names_of_classes_in_an_unknown_encoding_are_refused_and_a_header_in_one_is_not(refused):
    assert len(read("γάτα κόκκινη,y\n1,2\n3,4\n".encode("cp1253")).xy) == 2
    with refused("text_encoding_unknown"):
        read("1,2,γάτα κόκκινη\n3,4,γ\n".encode("cp1253"))
