"""A figure of the benchmark, the table of all of them, and the machine they hold for."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import torch


@dataclass(frozen=True)
class Figure:
    """What was measured, once a repeat, in ``unit``; its median should be at most ``target``, if there is one.

    ``least``: at least the target instead. No values: it could not be measured, and ``note`` says why.
    """

    name: str
    values: Sequence[float]
    unit: str
    target: float | None = None
    note: str = ""
    least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the target; None without a target or a value."""
        if self.target is None or not self.values:
            return None
        return median(self.values) >= self.target if self.least else median(self.values) <= self.target

    def row(self) -> str:
        """One line of the table: median, smallest and greatest repeat, target, met."""
        if not self.values:
            return f"| {self.name} | not measured | | | {self.note} |"
        low, middle, high = map(_written, (min(self.values), median(self.values), max(self.values)))
        measured = f"{middle} {self.unit} ({low} to {high}, n = {len(self.values)})"
        target = "" if self.target is None else f"{'≥' if self.least else '≤'} {self.target:g} {self.unit}"
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return f"| {self.name} | {measured} | {target} | {met} | {self.note} |"


def _written(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


HEAD = "| figure | measured: median (least to most, repeats) | target | met | beside it |\n" + 5 * "| --- " + "|"


PACKAGES = (
    "torch", "streamlit", "numpy", "playwright", "smalldiffusion", "diffusers", "denoising-diffusion-pytorch", "POT"
)  # fmt: skip


def circumstances() -> dict[str, str | int | float]:
    """The date, the machine and the versions: without them no figure means anything."""
    packages = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0,
        "threads": torch.get_num_threads(),
        **({"graphics card": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
        "python": platform.python_version(),
        **packages,
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def table(figures: Iterable[Figure], where: dict[str, str | int | float]) -> str:
    """All figures as Markdown, under the circumstances."""
    said = ", ".join(f"{name} {value}" for name, value in where.items())
    return "\n".join([said, "", HEAD, *(figure.row() for figure in figures), ""])


def save(figures: Iterable[Figure], where: dict[str, str | int | float], path: Path) -> None:
    """All repeats of all figures, and the circumstances, as JSON."""
    rows = [
        {**asdict(figure), "median": median(figure.values) if figure.values else None, "met": figure.met}
        for figure in figures
    ]
    path.write_text(json.dumps({"circumstances": where, "figures": rows}, indent=1, ensure_ascii=False) + "\n")
