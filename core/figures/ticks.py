"""Numbers as text, and the ticks of an axis, as the player writes them (``pages/ui/stage/layout.js``)."""

import math

SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

Tick = tuple[float, str]
"""Where a tick is in axis units, and what stands beside it."""


def written(value: float, digits: int = 3, whole: bool | None = None) -> str:
    """``value`` with that many significant digits; an integer, where ``whole`` does not say otherwise, in full."""
    size = abs(value)
    if not math.isfinite(value):
        return "–"
    whole = float(value).is_integer() if whole is None else whole
    if (whole or not value) and size < 1e6:
        text = f"{value:.0f}"
    elif size >= 1e6 or size < 1e-4:
        text = exponential(value, digits - 1)
    else:
        text = f"{value:.{max(0, digits - 1 - math.floor(math.log10(size)))}f}"
    return text.replace("-", "−")


def exponential(value: float, digits: int) -> str:
    """Scientific notation with an exponent of as few digits as it has."""
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}e{int(exponent):+d}"


def ticks(start: float, end: float, room: float, log: bool) -> list[Tick]:
    """The ticks between two ends in axis units; about ``room`` of them."""
    low, high = min(start, end), max(start, end)
    if log:
        return decades(low, high, room) if high - low > 1.6 else parts_of_decades(low, high)
    return steps(low, high, room)


def steps(low: float, high: float, room: float) -> list[Tick]:
    """About ``room`` round numbers, and never fewer than three."""
    unit = 10 ** math.floor(math.log10((high - low) / room))

    def ends(step: float) -> tuple[int, int]:
        return math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)

    coarse_enough = [m for m in (0.2, 0.5, 1, 2, 5, 10) if m * unit >= (high - low) / room * 0.999]
    sizes = [m * unit for m in (10, 5, 2, 1, 0.5, 0.2) if m <= coarse_enough[0]]
    step = next(step for step in sizes if ends(step)[1] - ends(step)[0] >= 2)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = ends(step)
    return [(k * step, _plain(k * step, decimals)) for k in range(first, last + 1)]


def _plain(value: float, decimals: int) -> str:
    if abs(value) >= 1e6:
        return exponential(value, 1)
    return f"{value + 0.0:.{decimals}f}".replace("-", "−")


def decades(low: float, high: float, room: float) -> list[Tick]:
    """Powers of ten, some left out where there are more than ``room``."""
    stride = max(1, math.ceil((high - low) / max(1, room)))
    while stride > 1 and math.floor(high / stride + 1e-6) - math.ceil(low / stride - 1e-6) < 1:
        stride -= 1  # one tick says too little
    exponents = range(math.ceil(low / stride - 1e-6) * stride, math.floor(high + 1e-6) + 1, stride)
    return [(e, f"{10.0**e:.10g}" if -3 <= e <= 4 else "10" + str(e).translate(SUPERSCRIPT)) for e in exponents]


def parts_of_decades(low: float, high: float) -> list[Tick]:
    """1, 2 and 5 times each power of ten."""
    places = [(e + math.log10(m), m * 10.0**e) for e in range(math.floor(low), math.floor(high) + 1) for m in (1, 2, 5)]
    return [(at, written(value, 1)) for at, value in places if low <= at <= high]
