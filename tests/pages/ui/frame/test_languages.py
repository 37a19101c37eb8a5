"""What is said outside of a run of the whole page, by a fragment, a thread or a callback, is in the visitor's
language too."""

import threading

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


def test_the_address_to_share_names_the_language_and_nobodys_own_run(monkeypatch):
    monkeypatch.setattr(shell.chapters, "address_of", lambda page: "http://127.0.0.1/home")
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
