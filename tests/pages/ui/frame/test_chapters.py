"""Where the pages are."""

from types import SimpleNamespace

import pytest

from pages.ui.frame import chapters


@pytest.mark.parametrize(
    "url, server",
    [
        ("http://h:8501/", "http://h:8501/"),
        ("https://h/guidance?w=2", "https://h/"),
        ("https://h/unclip/", "https://h/"),  # the name of another page is its end
        ("https://h/course/image_models", "https://h/course/"),
        ("https://h/course/join?class=ABCD", "https://h/course/"),
    ],
)
def test_the_address_of_the_app_ends_before_the_name_of_the_page(monkeypatch, url, server):
    visited = SimpleNamespace(context_info=SimpleNamespace(url=url))
    monkeypatch.setattr(chapters, "get_script_run_ctx", lambda: visited)
    assert chapters.server() == server
    assert chapters.address_of("clip") == f"{server}clip"
    assert chapters.address_of("home") == server


def test_without_a_browser_a_page_has_only_its_name():
    assert chapters.address_of("clip") == "clip"
