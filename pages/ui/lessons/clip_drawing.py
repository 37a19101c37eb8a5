"""A drawing of the learner's as a picture for CLIP."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from core.data import drawings

SIDE = 32  # pixels
COLOURS = {"red": "#dd2e44", "orange": "#f4900c", "yellow": "#ffcc4d", "green": "#5c913b", "blue": "#3b88c3",
           "purple": "#9266cc", "brown": "#8a4b38", "black": "#292f33"}  # fmt: skip
HEART = drawings.encode([[
    [round(0.5 + 0.026 * 16 * math.sin(t) ** 3, 3),
     round(0.53 + 0.026 * (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)), 3)]
    for t in (math.tau * i / 40 for i in range(41))
]])  # fmt: skip


def painted(strokes: Sequence, colour: str, filled: bool) -> Tensor:
    """Strokes of the brush in one of the ``COLOURS`` on white, uint8 [3, 32, 32]."""
    import numpy as np
    from PIL import Image, ImageDraw

    side = 8 * SIDE
    sheet, rgb = Image.new("RGB", (side, side), "white"), COLOURS[colour]
    pen = ImageDraw.Draw(sheet)
    for stroke in strokes:
        line = [(x * side, (1 - y) * side) for x, y in stroke]
        if filled and len(line) > 2:
            pen.polygon(line, fill=rgb)
        pen.line(line if len(line) > 1 else line * 2, fill=rgb, width=side // 16, joint="curve")
    small = sheet.resize((SIDE, SIDE), Image.Resampling.BOX)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous()
