"""The glossary as a page: a search, and the terms that it finds, each with a link to the scene that shows it."""

from dataclasses import dataclass

import streamlit as st

from pages.ui.frame import controls, glossary, shell
from pages.ui.frame.links import plain, text
from pages.ui.frame.text import t


@dataclass(frozen=True)
class Config:
    """The control of the page."""

    search: str = text("", most=60)


def draw() -> None:
    """Draw the search and the terms that it finds."""
    query = controls.draw("search", icon=":material/search:", width=420)
    found = glossary.search(query)
    if not found:
        shell.message("info", t("glossary.none", query=plain(query)), "search_off")
    with st.container(key="terms", gap="small"):
        for term in found:
            _draw_term(term)


def _draw_term(term: str) -> None:
    entry = glossary.terms()[term]
    with st.container(gap=None):
        name = "".join(glossary.with_english(term, entry["name"]))
        # Not a heading of Streamlit's: that cannot say that a part is English, or has a link that is named in English.
        heading = f'<div role="heading" aria-level="2">{name}</div>'
        page, _ = glossary.place_of(term)
        link = glossary.link_to(term, t("glossary.link", page=shell.title_of(page))) if page else ""
        shell.draw_html(f"{heading}\n\n{entry['text']} {link}".rstrip())
