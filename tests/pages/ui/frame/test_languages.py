"""What is said outside of a run of the whole page, by a fragment, a thread or a callback, is in the visitor's
language too."""

import re
import threading

import pytest

from pages.ui.frame import shell, text
from pages.ui.frame.text import t


def test_a_function_for_another_thread_speaks_the_language_in_which_the_page_was_drawn():
    token = text.language.set("zh")
    title = text.in_this_language(t)
    text.language.reset(token)
    said = []
    thread = threading.Thread(target=lambda: said.append((title("frame.skip"), t("frame.skip"))))
    thread.start()
    thread.join()
    assert said[0][0] == text.catalogue("zh")["frame"]["skip"] and said[0][1] == text.catalogue("en")["frame"]["skip"]


@pytest.mark.slow
def test_the_slide_of_a_chinese_page_is_chinese_and_its_link_opens_that_page(open_page, monkeypatch):
    given = []
    monkeypatch.setattr("streamlit.download_button", lambda label, data, *_, **__: given.append(data))
    open_page("vector_field", lang="zh", predictions="false")
    made = []
    thread = threading.Thread(target=lambda: made.append(given[0]().decode("utf-8")))  # as Streamlit asks for it
    thread.start()
    thread.join()
    title, link = (re.search(rf"<dc:{part}>(.*?)</dc:{part}>", made[0])[1] for part in ("title", "source"))
    assert re.search(r"[\u4e00-\u9fff]", title) and "lang=zh" in link


def test_the_address_to_share_names_the_language_and_nobodys_own_run(monkeypatch):
    class Address:
        url = "http://127.0.0.1/home?old=1"

    monkeypatch.setattr(shell.st, "context", Address)
    monkeypatch.setattr(shell.st, "query_params", FakeQuery(w="2", run="abc"))
    assert shell.address_to_share() == "http://127.0.0.1/home?w=2"
    token = text.language.set("zh")
    try:
        assert shell.address_to_share() == "http://127.0.0.1/home?w=2&lang=zh"
    finally:
        text.language.reset(token)


class FakeQuery(dict):
    """Streamlit's query parameters."""

    def to_dict(self) -> dict[str, str]:
        return dict(self)
