"""The Chinese font of the figures has every character that a text needs, and stays small."""

import pytest
from fontTools.ttLib import TTFont

from core.figures import fonts
from core.figures.fonts import subset
from core.figures.lecture import to_file
from tests.core.figures.test_lecture import figure


def test_every_chinese_character_of_the_catalogues_and_of_gb2312_level_1_has_a_glyph():
    font = TTFont(fonts.CHINESE)
    has = font.getBestCmap()
    missing = [character for character in subset.characters() if ord(character) not in has]
    assert not missing, "run python -m core.figures.fonts.subset"
    assert len(subset.gb2312_level_1()) == 3755
    assert font["glyf"][has[ord("散")]].numberOfContours > 0


def test_the_font_has_at_most_one_and_a_half_megabytes_and_its_licence_beside_it():
    assert fonts.CHINESE.stat().st_size <= 1.5e6
    assert "SIL OPEN FONT LICENSE" in fonts.CHINESE.with_name("OFL.txt").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_a_figure_with_chinese_text_is_drawn_without_a_missing_glyph(kind: str, recwarn):
    made = figure()
    made.axes[0].set_title("学到的向量场，σ = 0.5", family=fonts.families())
    made.suptitle("向量场（vector field）", family=fonts.families())
    assert to_file(made, kind, "向量场", "https://example.org")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
