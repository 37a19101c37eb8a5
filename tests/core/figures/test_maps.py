"""The map of points: compact data, and names beside the pointer."""

import numpy as np

from core.figures import palette
from core.figures.maps import Cloud, scatter

CLOUD = Cloud(np.array([[0.1, 0.2], [0.3, 0.4]]), "guided", "star", "animal", ["cat", "dog"])


def test_points_travel_as_float32_with_their_names():
    trace = scatter([CLOUD], "light", "x", "y").data[0]
    assert trace.type == "scattergl" and trace.x.dtype == trace.y.dtype == np.float32
    assert (*trace.text,) == ("cat", "dog") and trace.name == "animal"


def test_a_cloud_has_the_colour_of_its_role_in_each_theme_and_a_shape():
    for theme in ("light", "dark"):
        marker = scatter([CLOUD], theme, "x", "y").data[0].marker
        assert (marker.color, marker.symbol) == (palette.colour("guided", theme), "star")
