"""Arrays on their way to the browser: quantised to a few bytes a number, and laid end to end."""

import numpy as np

MISSING = -32768  # int16 that stands for "no such point"; positions use -32767..32767
FAR = 20.0  # positions are kept out to this many widths of the view, and clipped beyond


class Wire:
    """Arrays on their way to the browser: aligned to 4 bytes, each referred to as [type, offset, length]."""

    TYPES = {"int8": "i1", "uint8": "u1", "int16": "i2", "float32": "f4"}

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, array: np.ndarray) -> list:
        """Append ``array`` and return its reference."""
        raw = np.ascontiguousarray(array).tobytes()
        reference = [self.TYPES[array.dtype.name], self.size, array.size]
        self.parts += [raw, bytes(-len(raw) % 4)]
        self.size += len(raw) + -len(raw) % 4
        return reference


def quantise(xy: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """int16 positions and a box (x, y, dx, dy) such that ``xy = (x, y) + (dx, dy) * positions``, to half a step.

    The step is 1/65534 of what is covered: the points themselves, or `FAR` views around [low, high] if that is less.
    Points that are not finite become `MISSING`.
    """
    finite = _finite(xy)
    whole = bool(finite.all())
    kept = xy if whole else xy[finite]
    reach = FAR * (high - low)
    if kept.size:
        # Column by column: along an axis of two, NumPy reduces thirty times as slowly.
        ends = [[end(kept[..., side]) for side in (0, 1)] for end in (np.min, np.max)]
        low, high = np.clip(ends, low - reach, high + reach)
    centre, step = (low + high) / 2, np.maximum(high - low, 1e-12) / 65534
    scaled = (xy - centre.astype(np.float32)) / step.astype(np.float32)
    if not whole:
        scaled = np.where(finite[..., None], scaled, 0)
    positions = np.rint(np.clip(scaled, -32767, 32767, out=scaled), out=scaled).astype("<i2")
    if not whole:
        positions[~finite] = MISSING
    return positions, [float(v) for v in (*centre, *step)]


def quantise_steps(by: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 arrows [T, g, 2] and the scale float32 [T] of each frame; -128 marks an arrow that is not finite."""
    finite = _finite(by)
    by = np.where(finite[..., None], by, 0)
    scale = np.maximum(np.abs(by).max(axis=(1, 2), initial=0), 1e-12) / 127
    steps = np.rint(by / scale[:, None, None]).astype("i1")
    steps[~finite] = -128
    return steps, scale.astype("<f4")


def quantise_values(values: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """uint8 values and limits (low, high): ``low + (high - low) * (q - 1) / 254``; 0 marks one that is not finite."""
    finite = np.isfinite(values)
    kept = values[finite]
    low, high = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 1.0)
    span = max(high - low, 1e-12)
    scaled = np.where(finite, (values - low) * (254 / span) + 1, 0)
    return np.rint(scaled).astype("u1"), [low, high]


def _finite(xy: np.ndarray) -> np.ndarray:
    """Which of the points [.., 2] are finite, [..]."""
    return np.isfinite(xy[..., 0]) & np.isfinite(xy[..., 1])
