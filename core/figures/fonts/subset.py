"""Make `NotoSansSC-subset.ttf`: the Chinese characters of the figures, taken from Noto Sans CJK SC.

    python -m core.figures.fonts.subset        # needs the Debian package fonts-noto-cjk

It holds the Chinese characters of the catalogues and all 3,755 characters of GB2312 level 1. Matplotlib's own font has
all other letters. The outlines become quadratic: only such a font can Matplotlib put into a PDF in part.
"""

import sys
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont

from core.figures.fonts import CHINESE as TARGET
from core.figures.fonts import FAMILY as NAME

SOURCE = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
FAMILY = "Noto Sans CJK SC"
TEXTS = Path(__file__).parents[3] / "pages" / "text"
PUNCTUATION = "、。〈〉《》「」『』【】〔〕！（），．：；？［］～％＋－＝"
BLOCKS = ((0x3000, 0x303F), (0x4E00, 0x9FFF), (0xFF00, 0xFFEF))  # punctuation, characters, full-width forms
ERROR = 1.0  # how far, in thousandths of an em, a quadratic outline may be from the cubic one


def characters() -> list[str]:
    """The characters that the font needs, in order."""
    found = gb2312_level_1() | of_catalogues() | set(PUNCTUATION)
    return sorted(c for c in found if any(low <= ord(c) <= high for low, high in BLOCKS))


def gb2312_level_1() -> set[str]:
    """The 3,755 most common characters: rows 16 to 55 of 94 cells, of which the last five are empty."""
    cells = (bytes((row + 0xA0, cell + 0xA0)) for row in range(16, 56) for cell in range(1, 95))
    return {cell.decode("gb2312", "ignore") for cell in cells} - {""}


def of_catalogues() -> set[str]:
    """The characters of the catalogues."""
    return {c for file in TEXTS.rglob("*.toml") for c in file.read_text("utf-8")}


def subset(source: TTFont, wanted: list[str]) -> TTFont:
    """A font with those of the characters ``wanted`` that ``source`` has, as TrueType outlines, and its makers' names.

    It is for drawing only, so the tables that typesetting needs are left out.
    """
    glyphs, cmap = source.getGlyphSet(), source.getBestCmap()
    names = {f"u{ord(c):04X}": cmap[ord(c)] for c in wanted if ord(c) in cmap}
    names = {".notdef": ".notdef"} | names
    outlines, widths = {}, {}
    for name, original in names.items():
        pen = TTGlyphPen(None)
        glyphs[original].draw(Cu2QuPen(pen, ERROR, reverse_direction=True))
        outlines[name] = pen.glyph()
        widths[name] = round(glyphs[original].width)
    builder = FontBuilder(source["head"].unitsPerEm)
    builder.setupGlyphOrder(list(names))
    builder.setupCharacterMap({int(name[1:], 16): name for name in names if name != ".notdef"})
    builder.setupGlyf(outlines)
    left = {name: getattr(builder.font["glyf"][name], "xMin", 0) for name in names}
    builder.setupHorizontalMetrics({name: (widths[name], left[name]) for name in names})
    builder.setupHorizontalHeader(ascent=source["hhea"].ascent, descent=source["hhea"].descent)
    makers = {"copyright": 0, "trademark": 7, "manufacturer": 8, "designer": 9, "licenseDescription": 13}
    found = {name: source["name"].getDebugName(number) for name, number in makers.items()}
    named = {"familyName": NAME, "styleName": "Regular", "psName": "NotoSansSC-subset"}
    builder.setupNameTable(named | {name: text for name, text in found.items() if text})
    builder.setupOS2(sTypoAscender=source["hhea"].ascent, sTypoDescender=source["hhea"].descent, usWeightClass=400)
    builder.setupPost(keepGlyphNames=False)
    return builder.font


def main() -> None:
    """Write the font."""
    fonts = TTCollection(SOURCE, lazy=True)
    source = next(font for font in fonts if font["name"].getDebugName(1) == FAMILY)
    font = subset(source, characters())
    font.save(TARGET)
    print(f"{TARGET.name}: {len(font.getBestCmap())} characters, {TARGET.stat().st_size:,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
