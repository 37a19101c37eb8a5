"""The Chinese characters of figures: a part of Noto Sans SC, which `subset` makes; its licence is ``OFL.txt``."""

from functools import cache
from pathlib import Path

CHINESE = Path(__file__).with_name("NotoSansSC-subset.ttf")
FAMILY = "Noto Sans SC subset"
ELSEWHERE = (
    "'Source Sans 3'", "'Source Sans Pro'", "'Segoe UI'", "'Helvetica Neue'", "Arial", "'Noto Sans'", "'DejaVu Sans'",
    "'PingFang SC'", "'Microsoft YaHei'", "'Noto Sans SC'", "'Noto Sans CJK SC'", "sans-serif",
)  # fmt: skip
"""What other machines have, for text that they draw themselves."""


@cache
def families() -> tuple[str, ...]:
    """The families for Matplotlib's texts: its own font, and for the characters that it lacks the Chinese one."""
    from matplotlib.font_manager import fontManager

    fontManager.addfont(CHINESE)
    return ("DejaVu Sans", FAMILY)
