"""Tables and JSON as programs of many countries write them: read as they are meant, or refused with the line."""

import codecs
import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.data.tables import decode_text, parse_json, records


def table(folder, text: str, encoding: str = "utf-8", name: str = "captions.csv"):
    (folder / name).write_bytes(text.encode(encoding))
    return records(folder / name)


def cells(found) -> list[list[str]]:
    return [list(row.values()) for _, row in found.rows]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("un café, été où", "cp1252"),
        ("“groß” – Äpfel –”", "cp1252"),
        ("1\xa0000 m", "cp1252"),
        ("¿Qué? ¡Sí! 3 m², 1ª y £5, ½", "cp1252"),
        ("cœur ŒUVRE pôes L'HAŸ põe", "cp1252"),
        ("rødgrød på Åland", "cp1252"),
        ("þæðir, ýsa", "cp1252"),
        ("un chien à poil long", "cp1252"),
        ("il gatto è nero", "cp1252"),
        ("Größe, één, créée, jää, hyvää", "cp1252"),
        ("À VENDRE", "cp1252"),
        ("고양이,강아지", "cp949"),
        ("红 车, 黑 狗, 白 猫", "gbk"),
        ("iPhone手机, T恤", "gbk"),
        ("красный Круг", "cp1251"),
        ("红色的圆", "gbk"),
        ("赤い丸", "cp932"),
        ("빨간 원", "cp949"),
        ("a, 红", "utf-16"),
        ("a, b", "utf-16-le"),
        ("a, 红", "utf-16-be"),
        ("a, 红", "utf-32"),
    ],
)
def test_text_is_read_in_its_encoding_and_the_note_names_it(text: str, encoding: str):
    found = decode_text(text.encode(encoding), "f")
    assert found.text == text and found.note.code.startswith("text_encoding")


def test_plain_utf_8_has_no_note():
    assert decode_text("café 红 سلام".encode(), "f").note is None
    assert decode_text(codecs.BOM_UTF8 + b"a", "f").text == "a"


@pytest.mark.parametrize("data", [bytes(range(256)) * 20, b"\x89PNG\0\r\n", b"a\0\0b", b"file;caption\n\0a.png;one"])
def test_what_is_no_text_is_refused(data: bytes, refused):
    with refused("text_binary", file="f"):
        decode_text(data, "f")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("γάτα κόκκινη", "cp1253"),
        ("紅色的貓", "big5"),
        ("příliš žluť", "cp1250"),
        ("třída koček", "cp1250"),
        ("piłka", "cp1250"),
        ("żółty pies", "cp1250"),
        ("żaba", "cp1250"),
        ("źle, świat", "cp1250"),
        ("kék erdő", "cp1250"),
        ("ştiinţă", "cp1250"),
        ("x,y,class\n1,2,а\n3,4,б", "cp1251"),  # one letter may be that of many encodings
        ("ığdır", "cp1254"),
        ("köpek şaş", "cp1254"),
        ("kırmızı çiçek", "cp1254"),
        ("šuo ąžuolas", "cp1257"),
    ],
)
def test_an_encoding_that_is_not_recognised_is_refused(text: str, encoding: str, refused):
    with refused("text_encoding_unknown", file="f"):
        decode_text(text.encode(encoding), "f")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_separator_and_every_end_of_line_is_read(tmp_path, separator: str, end: str):
    lines = ["file,caption", 'a.png,"one, two; three | ""four"""', "", "b.png, x "]
    found = table(tmp_path, end.join(line.replace(",", separator, 1) for line in lines))
    assert cells(found) == [["a.png", 'one, two; three | "four"'], ["b.png", "x"]]
    assert [line for line, _ in found.rows] == [2, 4]
    assert (found.note is None) == (separator == ",")


texts = some.text(some.characters(exclude_categories=("Cc", "Cs")) | some.sampled_from('\n",;|\t #'), max_size=12).map(
    str.strip
)


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(
    some.lists(some.tuples(texts.filter(bool), texts), min_size=1, max_size=8),
    some.sampled_from(",;\t|"),
    some.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
    some.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_a_program_writes_is_read_back_cell_by_cell(rows, separator: str, encoding: str, end: str):
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if end == "\r" else csv.QUOTE_MINIMAL  # the other quotes no line feed then
    csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting).writerows([("file", "text"), *rows])
    with tempfile.TemporaryDirectory() as folder:
        assert cells(table(Path(folder), out.getvalue(), encoding)) == [list(row) for row in rows]


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("a,one\nb,two, three\n", "table_cells", 3),
        ('a,one\nb,"two\nc,three\n', "table_quote", 3),
        ('a,"one\nb,"two\n', "table_quote", 2),
        ('a,"one" two\n', "table_quote", 2),
        ('a,"one\n' + "b,two\n" * 100_000, "table_long_cell", 2),
    ],
)
def test_what_would_lose_text_is_refused_with_its_line(tmp_path, body: str, code: str, line: int, refused):
    with refused(code, line=line):
        table(tmp_path, "file,caption\n" + body)


def test_empty_cells_at_the_end_of_a_row_are_no_cells(tmp_path):
    found = table(tmp_path, "file,caption,keywords,\na,one,,,\nb,two\n")
    assert found.columns == ("file", "caption", "keywords") and cells(found) == [["a", "one", ""], ["b", "two", ""]]


def test_two_columns_of_one_name_are_refused(tmp_path, refused):
    with refused("table_column_twice", column="a"):
        table(tmp_path, "a,b,a\n1,2,3\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("listed", [True, False])
def test_json_lines_and_a_list_are_a_table(tmp_path, encoding: str, listed: bool):
    made = [{"file_name": "a.png", "text": "红\u2028, one"}, {"file_name": "b.png", "label": 3}]
    text = json.dumps(made) if listed else "\n\n".join(json.dumps(each, ensure_ascii=False) for each in made) + "\n"
    found = table(tmp_path, text, encoding, "metadata.jsonl")
    assert found.columns == ("file_name", "text", "label") and [row for _, row in found.rows] == made


@pytest.mark.parametrize(
    ("text", "code", "values"),
    [
        ('{"a": 1}\n{"a": \n', "json_syntax", {"line": 2}),
        ('{"a": 1}\n3\n', "json_object", {"line": 2}),
        ('{"a": 1, "text": "one", "text": "two"}\n', "json_name_twice", {"name": "text"}),
        ("[" * 100_000, "json_size", {}),
        ("9" * 5000, "json_size", {}),
    ],
)
def test_json_lines_that_are_none_are_refused(tmp_path, text: str, code: str, values: dict, refused):
    with refused(code, **values):
        table(tmp_path, text, name="metadata.jsonl")


def test_json_is_read_in_every_encoding_of_unicode():
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert parse_json('{"a": "é"}'.encode(encoding), "f") == {"a": "é"}


def test_a_folder_in_the_place_of_a_table_is_named_so(tmp_path, refused):
    (tmp_path / "captions.csv").mkdir()
    with refused("table_unopened"):
        records(tmp_path / "captions.csv")
