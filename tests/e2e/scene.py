"""A scene with every layer of the stage, for the browser tests."""

import numpy as np

from core.figures.scene import Arrows, Clock, Heat, Images, Line, Panel, Path, Points, Scene

CLASSES = ("person", "dog", "cat")
PANELS = {"one": 1, "pair": 2, "three": 3}
FRAMES = 41


def scene(case: str = "all", frames: int = FRAMES, seed: int = 2, probe: tuple[float, float] = (0.2, 0.1)) -> Scene:
    """``case`` says how many panels there are: "one", "pair", "three", or four of them."""
    return Scene(
        _panels(frames, seed)[: PANELS.get(case, 4)],
        Clock(np.geomspace(1, 0.01, frames)),
        "Noise turns into a spiral of three classes.",
        probe=probe,
    )


def _panels(frames: int, seed: int) -> list[Panel]:
    moving, at = _cloud(300, frames, seed), _grid(15, 1.05).reshape(-1, 2)
    by = _field(at, np.geomspace(1, 0.08, frames))
    density = np.exp(-(_grid(60, 1.2) ** 2).sum(-1) / np.linspace(2, 0.1, frames)[:, None, None])
    step, draw = np.geomspace(1, 2000, 200), np.random.default_rng(seed)
    data = Points(_spiral(100), "data", size=2, alpha=0.5, label="data")
    classes = Points(moving, CLASSES, group=np.arange(300) // 100, label=CLASSES)
    loss = Line(step, 0.9 / np.sqrt(step) + 0.02 * draw.random(200) + 0.05, "denoise", label="network")
    floor = Line(step, np.full(200, 0.06), "exact", label="exact")
    pictures = draw.integers(0, 255, (frames, 6, 8, 8), dtype=np.uint8)
    captions = [f"frame {k}" for k in range(frames)]
    return [
        Panel("Samples", [data, classes, Path(moving[:, 7])], caption="300 samples, DDIM", probe=True),
        Panel(
            "Field",
            [Heat(density, (-1.2, 1.2, -1.2, 1.2), label="density"), Arrows(at, by, label="denoise")],
            probe=True,
            caption=captions,
        ),
        Panel(
            "Loss",
            [loss, floor],
            xlim=None,
            ylim=None,
            xlog=True,
            ylog=True,
            equal=False,
            xlabel="step",
            marker=np.geomspace(1, 2000, frames),
        ),
        Panel("Pictures", [Images(pictures, names=[f"no. {i}" for i in range(6)])]),
    ]


def _spiral(count: int) -> np.ndarray:
    angle = np.linspace(0.5 * np.pi, 5.5 * np.pi, count)
    return np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1) / (5.5 * np.pi)


def _cloud(count: int, frames: int, seed: int) -> np.ndarray:
    """A spiral [frames, count, 2] that forms out of noise."""
    noise = np.random.default_rng(seed).normal(size=(count, 2))
    share = np.linspace(1, 0, frames)[:, None, None]
    return _spiral(count) * (1 - share) + 0.6 * share * noise


def _grid(side: int, reach: float) -> np.ndarray:
    return np.stack(np.meshgrid(*2 * [np.linspace(-reach, reach, side)]), axis=-1)


def _field(at: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """The step [frames, arrows, 2] from each place to the mean of the data that it may have come from."""
    data = _spiral(200)
    distance = ((at[:, None] - data) ** 2).sum(-1)
    weights = [np.exp((distance.min(1, keepdims=True) - distance) / (2 * sigma**2)) for sigma in sigmas]
    return 0.22 * np.stack([w @ data / w.sum(1, keepdims=True) - at for w in weights])
