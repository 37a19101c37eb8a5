"""Formulas as MathML, which a browser draws without a script and without a font of its own."""

import re
from collections.abc import Iterable

from core.figures import palette

UNKNOWN = {r"\lVert": "‖", r"\rVert": "‖", r"\|": "‖", r"\arg": r"\operatorname{arg}", r"\!": ""}
"""LaTeX that the converter does not know, and what is drawn instead."""


def mathml(terms: Iterable[tuple[str, str]], theme: str | None = None) -> str:
    """A formula, terms (LaTeX, role of its colour or ""), as one MathML element.

    ``theme``: "light", "dark", or None for the one that the page has (its ``color-scheme``).
    """
    from latex2mathml.converter import convert

    tex = "".join(rf"\textcolor{{{palette.colour(role, theme or 'light')}}}{{{one}}}" if role else one
                  for one, role in terms)  # fmt: skip
    for name, known in UNKNOWN.items():
        end = r"(?![a-zA-Z])" if name[-1].isalpha() else ""
        tex = re.sub(re.escape(name) + end, lambda _, known=known: known, tex)
    drawn = convert(tex, display="block")
    return drawn if theme else re.sub(r'mathcolor="(#\w+)"', _either, drawn)


def _either(found: re.Match) -> str:
    """A colour of the light theme, and the same role's colour where the page is dark."""
    dark = next(role.dark for role in palette.ROLES.values() if role.light == found[1])
    return f'{found[0]} style="color:light-dark({found[1]},{dark})"'
