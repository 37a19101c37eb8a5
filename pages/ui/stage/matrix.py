"""A layer of the stage: captions against pictures, and in each cell how near the two are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pages.ui.stage.layers import Panel
from pages.ui.stage.wire import Wire

BESIDE, ABOVE = 5.0, 1.3  # cells that captions and pictures take along the edges


@dataclass(frozen=True, eq=False)
class Matrix:
    """A row for each of n captions ``names``, a column for each of n ``pictures`` uint8 [n, h, w, 3], and ``values``
    [T or 1, n, n] within ``limits``, beyond which they are drawn as at the end. The diagonal, where what belongs
    together meets, is framed in ``colour``; a dot stands in the largest cell of each row."""

    values: Any
    pictures: Any
    names: Sequence[str]
    limits: tuple[float, float]
    colour: str = "data"
    label: str = ""

    moves: ClassVar = ("values", 3)

    def pack(self, wire: Wire, panel: Panel, frames: int) -> dict:
        values, pictures = np.asarray(self.values, np.float32), np.asarray(self.pictures)
        n = len(self.names)
        if values.shape not in ((1, n, n), (frames, n, n)) or pictures.shape[:1] + pictures.shape[3:] != (n, 3):
            raise panel.error(f"Matrix has {n} names, values {values.shape} and pictures {pictures.shape}.")
        low, high = self.limits
        levels = np.rint(np.clip((values - low) / (high - low), 0, 1) * 254 + 1).astype("u1")
        return {
            "kind": "matrix",
            "n": 1,
            "columns": 1,
            "size": n,
            "w": n + BESIDE,
            "h": n + ABOVE,
            "tile": [pictures.shape[2], pictures.shape[1]],
            "names": list(self.names),
            "limits": list(self.limits),
            "roles": [self.colour],
            "label": (self.label,),
            "arrays": {"values": wire.add(levels), "pixels": wire.add(pictures)},
        }
