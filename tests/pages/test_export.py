"""Pictures as files: from a link, by the command line, and what the menu offers beside a picture."""

import csv
import io
import threading
from argparse import Namespace
from pathlib import Path

import pytest

from core.figures import film
from core.figures.film import Progress
from core.figures.sheet import Sheet
from core.problems import Problem
from pages.export import files, menu, scenes, texts
from pages.export.__main__ import main, make
from pages.ui.frame import text
from pages.ui.frame.drawn import Drawn
from pages.ui.frame.text import t
from pages.ui.stage.exporting import ExportRequest
from tests import exports

LINK = "http://example.org/app/forward_noise?show=dissolve&guess=same&clock=0.5&zoom=0,0.5,0.5,2&colour=red"


def test_a_link_says_what_is_drawn_and_what_would_be_ignored():
    link = scenes.read(LINK)
    assert (link.page, link.config.show, link.clock, link.ignored) == (
        "forward_noise",
        "dissolve",
        0.5,
        ("colour=red",),
    )
    scene = scenes.scene_of(link)
    assert t("forward_noise.title") in scene.title and t("forward_noise.controls.show.options.dissolve") in scene.title
    assert scene.caption == t("forward_noise.dissolve.why")
    kept = "show=dissolve&clock=0.5&zoom=0,0.5,0.5,2"
    assert scene.address == f"http://example.org/app/forward_noise?{kept}"


@pytest.mark.parametrize("link", ["home", "http://example.org/", "http://example.org/home", "http://example.org"])
def test_the_first_page_may_be_named_or_not(link):
    read = scenes.read(link)
    assert read.page == "home" and read.base in ("home", "http://example.org/", "http://example.org")


def test_a_run_of_the_sender_is_named_and_left_out():
    link = scenes.read("guidance?show=train_live&run=" + "a" * 22)
    assert link.config.run is None and len(link.ignored) == 1 and "run=" in link.ignored[0]


def test_a_link_in_chinese_makes_a_chinese_picture():
    scene = scenes.scene_of(scenes.read("forward_noise?lang=zh"))
    assert scene.address == "forward_noise?lang=zh" and text.catalogue("zh")["forward_noise"]["title"] in scene.title


@pytest.mark.parametrize("kind", exports.CHECKS)
def test_a_file_of_each_kind_is_what_it_says(kind):
    assert exports.check("forward_noise?show=two_pixels", kind) == ""


@pytest.fixture
def drawn_once(monkeypatch):
    """The frames of a film are drawn once, for both kinds of film, and are small."""
    pictures, drawn = film._pictures, {}

    def once(made: Sheet) -> list[bytes]:
        if "frames" not in drawn:
            drawn["frames"] = [bytes(picture) for picture in pictures(made)]
        return drawn["frames"]

    monkeypatch.setattr(film, "_pictures", once)
    monkeypatch.setattr(exports, "SMALL", dict.fromkeys(exports.SMALL, 320))


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({*scenes.drawn_pages()} - {"forward_noise"}))  # that is the test above
def test_every_other_page_becomes_a_file_of_every_kind(page, drawn_once):
    link = next(exports.links([page]))
    kinds = files.kinds_of(scenes.scene_of(scenes.read(link)))
    assert not [(kind, wrong) for kind in kinds if (wrong := exports.check(link, kind))]


@pytest.mark.parametrize("kind", sorted(set(files.KINDS) - {"mp4", "gif"}))
def test_equal_versions_make_equal_files(kind):
    link = scenes.read("forward_noise?show=two_pixels")
    first, second = (files.file_of(scenes.scene_of(link), kind, files.Options()) for _ in range(2))
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("page, chart", [("guidance", "price"), ("vector_field", "error_curve"),
                                         ("sampling?show=whose_step", "step_sizes")])  # fmt: skip
def test_a_chart_is_a_scene(page, chart):
    scene = scenes.scene_of(scenes.read(page), chart)
    assert scene.alt and scene.panels[0].layers and files.file_of(scene, "svg", files.Options())


@pytest.mark.parametrize(
    "link, out, code",
    [("nowhere", "a.svg", "export_page"), ("glossary", "a.svg", "export_page"), ("guidance", "a.doc", "export_kind"),
     ("forward_noise", "a.svg --chart price", "export_chart"), ("forward_noise", "a.svg --frame 999", "figure_frame"),
     ("forward_noise", "a.svg --theme auto", "export_theme"), ("forward_noise", "a.png --scale 0", "export_size")],
)  # fmt: skip
def test_what_cannot_be_made_is_said_in_one_sentence(link, out, code, tmp_path, capsys):
    assert main([link, *f"{tmp_path}/{out}".split()]) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1 and not list(tmp_path.iterdir())
    name, *given = out.split()
    options = {"theme": "light", "width": None, "scale": 2, "frame": None, "chart": ""}
    options |= {key.removeprefix("--"): int(value) if value.isdigit() else value
                for key, value in zip(given[::2], given[1::2], strict=True)}  # fmt: skip
    with pytest.raises(Problem) as problem:
        make(scenes.read(link), Namespace(out=Path(name), **options))
    assert problem.value.code == code


def test_the_command_writes_the_file_and_names_what_it_ignored(tmp_path, capsys):
    out = tmp_path / "new" / "a.svg"
    assert main(["forward_noise?show=two_pixels&colour=red", str(out)]) == 0
    told = capsys.readouterr()
    assert "colour=red" in told.err and told.out.strip() == str(out) and out.read_bytes().startswith(b"<?xml")
    assert [file.name for file in out.parent.iterdir()] == ["a.svg"]


@pytest.mark.parametrize("kind", files.KINDS)
def test_a_full_disk_is_one_sentence_and_leaves_no_part_of_a_file(kind, tmp_path, capsys, monkeypatch, full_disk):
    monkeypatch.setattr(files, "file_of", lambda *_: b"a file")
    assert main(["forward_noise?show=two_pixels", str(tmp_path / f"a.{kind}")]) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1 and f"a.{kind}" in told[0] and "No space left" in told[0] and not list(tmp_path.iterdir())


def test_a_table_becomes_csv_with_numbers_that_a_spreadsheet_reads():
    made = texts.table("| w | hit |\n| :-- | --: |\n| **DDPM** | −0.5 |\n| =1+1 | (0.1, −2) |")
    rows = list(csv.reader(io.StringIO(made.decode("utf-8-sig"))))
    assert rows == [["w", "hit"], ["DDPM", "-0.5"], ["'=1+1", "(0.1, −2)"]]


def test_notes_become_markdown_with_formula_and_link():
    scene = scenes.scene_of(scenes.read("guidance?show=beyond"))
    drawn = Drawn(notes=[(("beyond",), {})], formulas=[("beyond", ("beyond",), {})])
    made = texts.notes(scene, "guidance", drawn).decode()
    assert made.startswith(f"# {scene.title}\n") and "\n1. " in made and "$$" in made
    assert made.endswith("<guidance?show=beyond>\n") and "%{" not in made and "<span" not in made


def test_a_film_that_is_cancelled_ends_at_once(monkeypatch):
    begun, ended = threading.Event(), threading.Event()

    def drawn_slowly(*_):
        try:
            for k in range(100_000):
                begun.set()
                yield Progress(k, 100_000)
        finally:
            ended.set()

    monkeypatch.setattr(files, "frames", drawn_slowly)
    scene = scenes.scene_of(scenes.read("forward_noise"))
    opened = menu.Menu(ExportRequest(scene, "forward"), "forward_noise", "two_pixels", "", {}, "en", Drawn(), None)
    menu._begin(opened, "wanted", "en", "mp4", files.Options())
    assert begun.wait(10) and opened.film
    menu._cancel(opened)
    assert opened.film is None and ended.wait(10)
