"""A figure of the benchmark, the table of all of them, and the machine they hold for."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch


@dataclass(frozen=True)
class Figure:
    """What was measured, once a repeat, in ``unit``; its median should be at most ``target``, if there is one."""

    name: str
    values: Sequence[float]
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the target; None without a target."""
        return None if self.target is None else median(self.values) <= self.target

    def row(self) -> str:
        """One line of the table: median, smallest and greatest repeat, target, met."""
        low, middle, high = map(_written, (min(self.values), median(self.values), max(self.values)))
        measured = f"{middle} {self.unit} ({low} to {high}, n = {len(self.values)})"
        target = "" if self.target is None else f"≤ {self.target:g} {self.unit}"
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return f"| {self.name} | {measured} | {target} | {met} | {self.note} |"


def _written(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


HEAD = "| figure | measured: median (least to most, repeats) | target | met | beside it |\n" + 5 * "| --- " + "|"


def circumstances() -> dict[str, str | int | float]:
    """The date, the machine and the versions: without them no figure means anything."""
    packages = {name: version(name) for name in ("torch", "streamlit", "numpy", "playwright")}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **packages,
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def save(figures: Iterable[Figure], where: dict[str, str | int | float], path: Path) -> None:
    """All repeats of all figures, and the circumstances, as JSON."""
    rows = [{**asdict(figure), "median": median(figure.values), "met": figure.met} for figure in figures]
    path.write_text(json.dumps({"circumstances": where, "figures": rows}, indent=1, ensure_ascii=False) + "\n")
