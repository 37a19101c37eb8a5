"""The quality of every sampler over network calls: finished tables, and the curves and the table that show one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.diffusion.samplers import SAMPLERS, SamplerConfig
from core.figures.curves import Curve
from core.figures.curves import panel as curve_panel
from core.figures.scene import Panel
from core.lessons import sampler_quality as lesson
from core.lessons.sampler_quality import CALLS, PERFECT, QualityRow
from core.models.trajectories import PointModel
from core.runs.caching import shared_cache
from core.runs.jobs import Work
from pages.ui.frame import shell, text
from pages.ui.frame.text import t

TABLES = 48  # that are stored
SAMPLES = lesson.SAMPLES  # for each row
LEAST = 1e-4  # a logarithmic axis has no 0, which is how far perfect samples are from a hundred points
TABLE_AT = 32  # network calls

Rows = tuple[QualityRow, ...]
MEASURES: dict[str, tuple[Callable[[QualityRow, QualityRow], float], bool]] = {
    "energy": (lambda row, perfect: row.energy / perfect.energy, True),
    "coverage": (lambda row, _: 100 * row.quality.coverage, False),
    "distance": (lambda row, _: max(row.quality.distance, LEAST), True),
}
"""What is drawn of a row, given that of perfect samples, and whether on a logarithmic axis."""


def key_of(models: Sequence[PointModel], config: SamplerConfig) -> tuple:
    """All that decides a table."""
    return lesson.key_of(models, config, SAMPLES)


@shared_cache(TABLES)
def stored(key: tuple) -> list[QualityRow]:
    """The finished table of a key, empty until there is one; the same list for all who ask. The table that the page
    opens with is read from a file."""
    return lesson.read(key)


def finished(models: Sequence[PointModel], config: SamplerConfig) -> Rows:
    """The table, computed here if it is not stored yet."""
    rows = stored(key_of(models, config))
    if not rows:
        *_, rows[:] = lesson.table(models, config, SAMPLES)
    return tuple(rows)


def work(models: Sequence[PointModel], config: SamplerConfig) -> Work:
    """The table as work for the background; whoever asks for the same table shares it."""
    start = lambda found, _: lesson.table(models, config, SAMPLES, found or ())  # noqa: E731
    return Work(key_of(models, config), start, picture=tuple)


def lines(rows: Rows, model: PointModel, measure: str) -> list[Curve]:
    """A curve for each sampler, those of the chosen model with marks, and the noise floor where it is on the axis."""
    perfect, *rest = rows

    def value(row: QualityRow) -> float:
        return MEASURES[measure][0](row, perfect)

    alike: dict[tuple[str, str], list[QualityRow]] = {}
    for row in rest:
        alike.setdefault((row.sampler, row.model), []).append(row)
    found = [_curve(part, value, thick=key == model.key) for (_, key), part in alike.items()]
    if (best := value(perfect)) > LEAST:
        found.append(Curve([CALLS[0], CALLS[-1]], [best, best], "exact", t("sampling.quality.perfect_samples")))
    return found


def _curve(rows: Sequence[QualityRow], value: Callable[[QualityRow], float], thick: bool) -> Curve:
    name = text.label("samplers", rows[0].sampler)
    x, y = zip(*((row.nfe, value(row)) for row in rows), strict=True)
    label = name if thick else t("sampling.quality.exact", sampler=name)
    return Curve(x, y, SAMPLERS[rows[0].sampler].role, label, marked=thick, beside="" if thick else name)


def panel(rows: Rows, model: PointModel, measure: str) -> Panel:
    """A measure over network calls."""
    labels = t("sampling.quality.title"), t("sampling.quality.calls"), t(f"sampling.quality.axes.{measure}")
    return curve_panel(lines(rows, model, measure), *labels, xlog=True, ylog=MEASURES[measure][1])


def table(rows: Rows, model: PointModel) -> str:
    """All three measures after about ``TABLE_AT`` calls, as a Markdown table; the first row is that of exact draws."""
    shown = [rows[0], *(row for row in rows[1:] if row.model == model.key and TABLE_AT - 1 <= row.nfe <= TABLE_AT)]
    head = [t(f"sampling.quality.table.{name}") for name in ("sampler", "calls", "covered", "distance", "energy")]
    return shell.table(head, (_cells(row, rows[0]) for row in shown))


def _cells(row: QualityRow, perfect: QualityRow) -> list[str]:
    name = t("sampling.quality.perfect") if row.sampler == PERFECT else text.label("samplers", row.sampler)
    covered = t("sampling.quality.covered", covered=row.quality.covered, of=row.quality.of)
    return [name, str(row.nfe or "–"), covered, f"{row.quality.distance:.4f}", f"{row.energy / perfect.energy:.1f}"]
