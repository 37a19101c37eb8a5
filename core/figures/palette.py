"""The meaning of each colour. The stage, Plotly, Matplotlib and the text of the pages all read this table.

The hues start from the Okabe-Ito set (Okabe & Ito 2008, "Color universal design"), darkened for the light theme and
lightened for the dark one until each has a contrast of at least 3:1 against its background. Colour is never the only
mark: every role also has its own shape and dash.
"""

from dataclasses import dataclass

BACKGROUND = {"light": "#ffffff", "dark": "#10151f"}
INK = {"light": "#1b2330", "dark": "#e8ecf3"}


@dataclass(frozen=True)
class Role:
    """One meaning: its hue in each theme, the shape of its points, the dash of its lines (lengths in CSS pixels)."""

    light: str
    dark: str
    shape: str = "dot"
    dash: tuple[int, ...] = ()

    def hex(self, theme: str) -> str:
        """The colour as ``#rrggbb`` for ``theme`` "light" or "dark"."""
        return self.dark if theme == "dark" else self.light


ROLES: dict[str, Role] = {
    "data": Role("#0072b2", "#56b4e9", "dot"),
    "sample": Role("#c24e00", "#ff9a4d", "ring"),
    "noise": Role("#a8457f", "#e69bc8", "cross", (2, 3)),
    "denoise": Role("#00796b", "#3fd0bd", "dot"),
    "exact": Role("#1b2330", "#e8ecf3", "ring", (6, 4)),
    "difference": Role("#7a4fc0", "#b9a0f5", "triangle", (8, 3, 2, 3)),
    "unconditional": Role("#6b7280", "#9aa4b5", "dot", (4, 3)),
    "conditional": Role("#946d00", "#f0e442", "square"),
    "guided": Role("#4b8400", "#a6dc4e", "triangle"),
    "negative": Role("#c1272d", "#ff7b7b", "cross", (2, 2)),
    "person": Role("#0072b2", "#56b4e9", "dot"),
    "dog": Role("#b45f06", "#f2b134", "triangle"),
    "cat": Role("#a8457f", "#e69bc8", "square"),
    "probe": Role("#1b2330", "#e8ecf3", "cross"),
    "grid": Role("#767f8d", "#7d8799", "dot"),
    "digit_0": Role("#0072b2", "#56b4e9", "ring"),
    "digit_1": Role("#b45f06", "#f2b134", "triangle"),
    "digit_2": Role("#a8457f", "#e69bc8", "square"),
    "digit_3": Role("#00796b", "#3fd0bd", "cross"),
    "digit_4": Role("#c1272d", "#ff7b7b", "dot"),
    "digit_5": Role("#7a4fc0", "#b9a0f5", "ring"),
    "digit_6": Role("#4b8400", "#a6dc4e", "triangle"),
    "digit_7": Role("#5f6773", "#aab3c2", "square"),
    "digit_8": Role("#946d00", "#f0e442", "cross"),
    "digit_9": Role("#1b2330", "#e8ecf3", "dot"),
}

# Low to high, one luminance ramp per theme that starts near the background (heat maps, values of points).
SEQUENTIAL = {
    "light": ("#f7fafc", "#cfe3f1", "#8fc1e0", "#3f93c5", "#0a5f9e", "#08306b"),
    "dark": ("#141b28", "#173a5a", "#1f6391", "#3f97c4", "#8fcbe3", "#eaf7fb"),
}


def colour(role: str, theme: str) -> str:
    """The colour of ``role`` as ``#rrggbb``. Raises KeyError naming the roles there are."""
    if role not in ROLES:
        raise KeyError(f"no colour role {role!r}; there are {', '.join(ROLES)}")
    return ROLES[role].hex(theme)
