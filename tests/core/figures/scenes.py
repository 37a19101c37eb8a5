"""A scene with a layer of every kind, for the tests of what draws scenes."""

import numpy as np

from core.figures.scene import Arrows, Clock, Heat, Images, Line, Matrix, Panel, Path, Points, Scene

FRAMES = 4
SIGMAS = np.array([10, 1, 0.1, 0.01])
LINK = "https://example.org/guidance?show=eight_scales&w=3&lang=zh"
PLACES = np.stack(np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5)), axis=-1).reshape(-1, 2)


def everything(**more) -> Scene:
    """Four panels of four frames: a plane with all that moves in it, curves on logarithmic and reversed axes, images
    and a matrix."""
    turn = np.linspace(0, 1, FRAMES)
    cloud = np.stack([PLACES * (1 - 0.2 * k) for k in range(FRAMES)])
    cloud[1, 0] = np.nan
    plane = [
        Heat(np.stack([np.eye(6) * (k + 1) for k in range(FRAMES)]), (-1, 1, -1, 1), "密度"),
        Points(cloud, ("person", "cat"), np.arange(25) % 2, trail=2, label=("person", "猫")),
        Points(PLACES, value=np.arange(25.0), label="value"),
        Arrows(PLACES, -0.2 * PLACES, "noise", label="noise ε̂"),
        Path(np.stack([turn, turn**2], axis=1), label="x̂₀"),
    ]
    curve = Line(SIGMAS, np.stack([SIGMAS ** (1 + k / 9) for k in range(FRAMES)]), "exact", "curve")
    pixels = np.arange(FRAMES * 3 * 16, dtype=np.uint8).reshape(FRAMES, 3, 4, 4)
    tiles = np.zeros((3, 4, 4, 3), np.uint8)
    panels = [
        Panel("plane", plane, caption=[f"frame {k}" for k in range(FRAMES)], probe=True),
        Panel("curves", [curve], None, None, False, "σ", "loss", True, True, True, SIGMAS),
        Panel("images", [Images(pixels, names=["a", "b", "c"], colour="guided", label="made")]),
        Panel("matrix", [Matrix(np.eye(3), tiles, ["one", "two, three", "四"], (0, 1), label="cosine")]),
    ]
    given = {"alt": "Four pictures.", "title": "Guidance 引导", "caption": "What guidance does.", "address": LINK}
    return Scene(panels, Clock(SIGMAS, start=1), **(given | {"probe": (0.5, -0.5)} | more))
