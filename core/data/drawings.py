"""Drawings as text for an address: strokes of vertices in the unit square, three characters for each vertex."""

from collections.abc import Sequence

import numpy as np

from core import limits
from core.problems import Problem

Strokes = list[list[list[float]]]  # strokes of vertices [x, y] in [0, 1], y upwards

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # base64url
STEPS = 511  # a coordinate takes 9 bits, a vertex three digits


def encode(strokes: Sequence) -> str:
    """``strokes`` as text for a URL: three base64url digits a vertex, a full stop between strokes.

    Drawings of more than `limits.LINK_VERTICES` vertices are simplified first; positions are kept to 1/1022.
    """
    return ".".join("".join(map(_digits, stroke)) for stroke in _simplified(rounded(strokes)) if stroke)


def decode(written: str) -> Strokes:
    """The strokes that `encode` wrote. Raises Problem when ``written`` is nothing of the kind."""
    strokes = written.split(".") if written else []
    if not all(strokes) or any(len(part) % 3 for part in strokes) or not set(written) <= {*DIGITS, "."}:
        raise Problem("drawing_damaged")
    if len(written) > 4 * limits.LINK_VERTICES:
        raise Problem("drawing_long", most=limits.LINK_VERTICES)
    return [[_vertex(part[i : i + 3]) for i in range(0, len(part), 3)] for part in strokes]


def _digits(vertex: Sequence[float]) -> str:
    x, y = (round(min(1.0, max(0.0, value)) * STEPS) for value in vertex)
    number = x << 9 | y
    return DIGITS[number >> 12] + DIGITS[number >> 6 & 63] + DIGITS[number & 63]


def _vertex(digits: str) -> list[float]:
    number = sum(DIGITS.index(digit) << shift for digit, shift in zip(digits, (12, 6, 0), strict=True))
    return [round((number >> 9) / STEPS, 3), round((number & STEPS) / STEPS, 3)]


def rounded(strokes: Sequence) -> Strokes:
    """Strokes with coordinates of 3 digits."""
    return [[[round(float(x), 3), round(float(y), 3)] for x, y in stroke] for stroke in strokes]


def _simplified(strokes: Strokes) -> Strokes:
    """Fewer vertices, the tolerance doubled until they fit; then only every second, third, ... stroke."""
    tolerance = 0.002
    while sum(map(len, strokes)) > limits.LINK_VERTICES and tolerance < 0.1:
        strokes = [_straightened(stroke, tolerance) for stroke in strokes]
        tolerance *= 2
    every = 1
    while sum(map(len, strokes[::every])) > limits.LINK_VERTICES:
        every += 1
    return strokes[::every]


def _straightened(stroke: list[list[float]], tolerance: float) -> list[list[float]]:
    """Ramer-Douglas-Peucker: keep a vertex only if the line through its kept neighbours misses it by ``tolerance``."""
    points = np.asarray(stroke)
    keep = {0, len(stroke) - 1}
    spans = [(0, len(stroke) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        away = _distances(points[first + 1 : last], points[first], points[last])
        if away.max() > tolerance:
            middle = first + 1 + int(away.argmax())
            keep.add(middle)
            spans += [(first, middle), (middle, last)]
    return [stroke[i] for i in sorted(keep)]


def _distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance [n] of ``points`` [n, 2] from the segment from ``start`` to ``end``."""
    along = end - start
    share = np.clip((points - start) @ along / max(along @ along, 1e-12), 0, 1)
    return np.linalg.norm(points - start - share[:, None] * along, axis=1)
