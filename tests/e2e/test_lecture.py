"""The beginning of a shipped lecture by PageDown alone; ``python -m tests.lecture`` gives the whole of it."""

import pytest

from pages.ui.frame import plan_view
from tests.lecture import lecture


@pytest.mark.parametrize("width, height", [(1920, 1080), (1024, 768)])
def test_a_lecture_goes_on_by_page_down_and_every_picture_is_whole(page, serve, width, height):
    page.set_viewport_size({"width": width, "height": height})
    plan = plan_view.shipped("en")["45"]
    assert list(lecture(page, serve("app.py"), plan, "en", views=4)) == 4 * [""]
