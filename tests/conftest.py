"""What every test may use."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

torch.set_num_threads(1)  # as the app does: two threads in one small product only get in each other's way

ROOT = Path(__file__).parents[1]
FRAMED = """
import streamlit as st
from pages.ui.frame import shell

page = st.navigation([st.Page({path!r}, url_path={name!r}, default=True)])
with shell.frame({name!r}):
    page.run()
"""


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """``open_page("training", seed="7")`` runs pages/training.py in the frame, as if its address had ``?seed=7``.

    Without the frame's guard: a page's exception is found in ``.exception``. A path to another file opens that page.
    """

    def run(page: str | Path, **address: str) -> AppTest:
        path = Path(page) if Path(page).suffix else ROOT / "pages" / f"{page}.py"
        app = AppTest.from_string(FRAMED.format(path=str(path), name=path.stem), default_timeout=60)
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: the quick ones fail first, and Playwright keeps an event loop in this thread once it runs."""
    items.sort(key=lambda item: "e2e" in item.path.parts)
