"""The files of the static site, without a browser."""

import base64
import json
import re
import struct
import zlib
from pathlib import Path

import pytest

from pages.site import elements, files, visits
from pages.site.__main__ import main
from pages.site.figures import TURN, Figures
from pages.ui.frame import chapters


def test_what_there_is_not_ends_the_command_with_a_sentence(tmp_path: Path):
    with pytest.raises(SystemExit, match="--pages does not know nothing"):
        main([str(tmp_path / "out"), "--pages", "nothing"])
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="file/data could not be written: Not a directory"):
        main([str(tmp_path / "file"), "--pages", "glossary"])


def test_a_full_disk_ends_the_command_with_a_sentence(tmp_path: Path, full_disk):
    with pytest.raises(SystemExit, match=f"{tmp_path} could not be written: No space left on device"):
        main([str(tmp_path), "--pages", "glossary"])


def test_two_languages_share_the_arrays_of_a_scene(tmp_path: Path):
    def sent(alt: str) -> bytes:
        header = json.dumps({"alt": alt, "key": "x"}).encode()
        return struct.pack("<I", len(header)) + header + bytes(range(40)) + bytes(TURN)

    figures = Figures(tmp_path)
    one, other = (figures.figure(sent(alt), "scene") for alt in ("A spiral", "螺旋"))
    (first, arrays), (second, same) = (re.search('data-parts="(.*?)"', each)[1].split() for each in (one, other))
    assert arrays == same and first != second and len(list(tmp_path.iterdir())) == 3
    body = re.search(r'","(.*)"', (tmp_path / f"{arrays}.js").read_text())[1]
    assert zlib.decompress(base64.b64decode(body)) == bytes(range(40))


def test_html_of_a_page_gets_both_themes_own_files_and_terms_of_its_view():
    view = elements.View("guidance", "beyond-shown", str, str)
    link = '<a href="sampling?show=paths&amp;predictions=false&amp;lang=zh" target="_blank">'
    drawn = elements.adapt(f'<b style="color:#0072b2" id="term-noise">{link}', view)
    assert "light-dark(#0072b2,#56b4e9)" in drawn and 'id="beyond-shown-term-noise"' in drawn
    assert '<a href="sampling.html#show=paths&amp;predictions=false">' in drawn


def test_the_readme_has_the_commands_that_start_the_app():
    found = files.commands((chapters.ROOT / "README.md").read_text("utf-8"))
    assert [system for system, _ in found] == ["Linux and macOS", "Windows PowerShell"]
    assert all("streamlit run app.py" in command for _, command in found)


@pytest.mark.slow
def test_a_page_is_visited_with_its_question_open_answered_and_scene_by_scene():
    visit = visits.visit("forward_noise", "en")
    assert [scene.name for scene in visit.scenes if scene.asking] == ["walk_and_jump"]
    assert [answer.option for answer in visit.answers] == ["nearer", "farther", "same"]
    right = [answer.option for answer in visit.answers if "success" in visits.verdict_of(answer.card).value]
    assert right == ["same"] and {answer.scene for answer in visit.answers} == {"walk_and_jump"}
