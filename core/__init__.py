"""Diffusion models from two coordinates to images, in small files. README.md beside this file begins with five
programs.

What stands in ``__all__`` is the public interface. It is imported when it is first used, so ``import core`` takes no
time of its own.
"""

from importlib import import_module
from typing import Any

_PLACES = {
    "core.data.points": ("make_points",),
    "core.diffusion": ("samplers",),  # a module itself
    "core.diffusion.denoiser": ("Denoiser",),
    "core.diffusion.exact": ("EmpiricalDenoiser",),
    "core.diffusion.guidance": ("autoguidance", "cfg", "condition", "interval"),
    "core.diffusion.samplers": ("SAMPLERS", "SamplerConfig", "SamplerSpec", "last", "path"),
    "core.diffusion.schedules": ("Schedule", "make_schedule"),
    "core.metrics": ("coverage", "energy_distance", "sliced_wasserstein"),
    "core.models.images": ("ImageConfig",),
    "core.models.model": ("load", "save", "train"),
    "core.models.points": ("PointConfig",),
    "core.networks": ("make_network",),
    "core.problems": ("Problem",),
}
_PLACE = {name: place for place, names in _PLACES.items() for name in names}

__all__ = sorted(_PLACE)


def __getattr__(name: str) -> Any:
    if name not in _PLACE:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    if name == "samplers":
        value = import_module("core.diffusion.samplers")
    else:
        value = getattr(import_module(_PLACE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
