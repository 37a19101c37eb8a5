"""Make `FigureSans-Regular.ttf` and `FigureSans-Semibold.ttf`: the letters of the app's own font, Source Sans.

    python -m core.figures.fonts.latin        # needs the package brotli

Streamlit brings Source Sans as one variable font, which Matplotlib cannot read. Its name is reserved for the whole, so
that the parts have another.
"""

import sys
from importlib.resources import files

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

from core.figures.fonts import LATIN, LATIN_FAMILY, SEMIBOLD

SOURCE = "SourceSansVF-Upright*.woff2"
WEIGHTS = {"Regular": 400, "Semibold": SEMIBOLD}
BLOCKS = (
    (0x20, 0x7E), (0xA0, 0x17F), (0x2B0, 0x36F), (0x370, 0x3FF), (0x1D00, 0x1DBF), (0x2000, 0x209F), (0x20A0, 0x20BF),
    (0x2100, 0x218F), (0x2190, 0x22FF), (0x25A0, 0x25FF), (0x2700, 0x27BF),
)  # fmt: skip
"""Latin, marks over letters, Greek, small letters above and below the line, punctuation, arrows, mathematics, signs."""


def part(weight: str) -> TTFont:
    """The font of one weight with the letters of ``BLOCKS``."""
    source = next((files("streamlit") / "static" / "static" / "media").glob(SOURCE))
    font = instantiateVariableFont(TTFont(source), {"wght": WEIGHTS[weight]})
    options = Options(layout_features=["kern", "mark", "mkmk", "ccmp"], name_IDs=[0, 7, 13, 14], hinting=False)
    letters = Subsetter(options)
    letters.populate(unicodes=[code for low, high in BLOCKS for code in range(low, high + 1)])
    letters.subset(font)
    for number, name in {1: LATIN_FAMILY, 2: weight, 4: f"{LATIN_FAMILY} {weight}", 6: f"FigureSans-{weight}"}.items():
        font["name"].setName(name, number, 3, 1, 0x409)
    font["OS/2"].usWeightClass = WEIGHTS[weight]
    font["head"].modified = font["head"].created  # equal fonts have equal bytes
    font.recalcTimestamp = False
    font.flavor = None
    return font


def main() -> None:
    """Write both fonts."""
    for weight, target in LATIN.items():
        font = part(weight)
        font.save(target)
        print(f"{target.name}: {len(font.getBestCmap())} characters, {target.stat().st_size:,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
