"""The parts of the figures' fonts that a text needs, as CSS: an SVG brings its letters along."""

import io
from base64 import b64encode
from functools import lru_cache
from pathlib import Path

from core.figures import fonts

FACES = (
    (fonts.LATIN["Regular"], fonts.LATIN_FAMILY, 400),
    (fonts.LATIN["Semibold"], fonts.LATIN_FAMILY, fonts.SEMIBOLD),
    (fonts.CHINESE, fonts.FAMILY, 400),
)


def css(text: str) -> str:
    """An ``@font-face`` for each font that has letters of ``text``, with these letters alone."""
    rules = []
    for file, family, weight in FACES:
        letters = frozenset(text) & _letters(file)
        if file == fonts.CHINESE:
            letters -= _letters(fonts.LATIN["Regular"])
        if letters:
            source = f"url(data:font/woff;base64,{b64encode(part(file, letters)).decode()})"
            rules.append(f"@font-face{{font-family:'{family}';font-weight:{weight};src:{source}}}")
    return "".join(rules)


@lru_cache(len(FACES))
def _letters(file: Path) -> frozenset[str]:
    from fontTools.ttLib import TTFont

    return frozenset(map(chr, TTFont(file).getBestCmap()))


@lru_cache(32)
def part(file: Path, letters: frozenset[str]) -> bytes:
    """A font with some letters of another, as WOFF."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    font = TTFont(file, recalcTimestamp=False)
    options = Options(layout_features=["kern", "mark", "mkmk", "ccmp"], name_IDs=[0, 7, 13, 14])
    options.drop_tables += ["ltag"]
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(sorted(letters)))
    subsetter.subset(font)
    font.flavor = "woff"
    content = io.BytesIO()
    font.save(content)
    return content.getvalue()
