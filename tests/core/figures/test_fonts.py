"""The fonts of the figures have every character that a text needs, and stay small."""

from fontTools.ttLib import TTFont

from core.figures import fonts
from core.figures.fonts import subset


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


def test_the_letters_of_the_english_texts_are_in_both_weights_of_the_latin_font():
    texts = {c for file in (subset.TEXTS / "en").rglob("*.toml") for c in file.read_text("utf-8")}
    for file in fonts.LATIN.values():
        has = TTFont(file).getBestCmap()
        assert not {c for c in texts if c.isprintable() and ord(c) < 0x2E80 and ord(c) not in has} - set(
            "ₜ◇"
        )  # the font behind them has these
        assert file.stat().st_size < 150_000
    assert "SIL OPEN FONT LICENSE" in fonts.CHINESE.with_name("OFL-latin.txt").read_text("utf-8")
