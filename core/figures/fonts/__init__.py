"""The fonts of figures: a part of Source Sans, the app's own font, and for Chinese a part of Noto Sans SC.

`latin` and `subset` make them; their licences are ``OFL-latin.txt`` and ``OFL.txt``.
"""

import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
LATIN = {weight: FOLDER / f"FigureSans-{weight}.ttf" for weight in ("Regular", "Semibold")}
SEMIBOLD = 600
LATIN_FAMILY = "Figure Sans"
CHINESE = FOLDER / "NotoSansSC-subset.ttf"
FAMILY = "Noto Sans SC subset"
ELSEWHERE = (
    "'Source Sans 3'", "'Source Sans Pro'", "'Segoe UI'", "'Helvetica Neue'", "Arial", "'Noto Sans'", "'DejaVu Sans'",
    "'PingFang SC'", "'Microsoft YaHei'", "'Noto Sans SC'", "'Noto Sans CJK SC'", "sans-serif",
)  # fmt: skip
"""What other machines have, for text that they set themselves."""


@cache
def families() -> tuple[str, ...]:
    """The families for Matplotlib's texts, each for the characters that those before it lack."""
    from matplotlib.font_manager import fontManager

    for file in (*LATIN.values(), CHINESE):
        fontManager.addfont(file)
    # A letter that no font has is drawn as a box, which says it; the terminal need not.
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")
    # Matplotlib would write to the terminal that the others have no such weight.
    regular = [
        font for font in fontManager.ttflist if font.fname == str(CHINESE) or font.fname.endswith("DejaVuSans.ttf")
    ]
    fontManager.ttflist += [replace(font, weight=SEMIBOLD) for font in regular]
    return (LATIN_FAMILY, FAMILY, "DejaVu Sans")
