"""The pages of the lesson, their order and their numbers."""

from copy import copy
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from streamlit.navigation.page import Page
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.frame.text import t

ROOT = Path(__file__).parents[3]
SECTIONS = {
    "points": ("forward_noise", "training", "vector_field", "sampling", "guidance", "flow_matching", "trained_model"),
    "images": ("clip", "unclip", "image_models", "latent", "video"),
}
UNNUMBERED = ("home", "lab", "glossary")
PAGES = ("home", *(name for section in SECTIONS.values() for name in section), "lab", "glossary")
"""All pages in the order in which each leads to the next."""


@cache
def present() -> tuple[str, ...]:
    """The pages that there are, in the order of the lesson."""
    return tuple(name for name in PAGES if (ROOT / "pages" / f"{name}.py").exists())


def number_of(name: str) -> int:
    """The number of a chapter, from its place among the pages that there are; 0 for a page without one."""
    numbered = [each for each in present() if each not in UNNUMBERED]
    return numbered.index(name) + 1 if name in numbered else 0


def title_of(name: str) -> str:
    """A page as the navigation names it, its number first."""
    return f"{number_of(name) or ''} {t(f'{name}.navigation')}".strip()


def page_of(name: str) -> Page:
    """A page as Streamlit's navigation knows it."""
    # A copy for each use, since Streamlit notes in a page that it may run; the first one looks for its file.
    known, title = st.session_state.setdefault("_pages", {}), title_of(name)
    if (name, title) not in known:
        file = ROOT / "pages" / f"{name}.py"
        known[name, title] = st.Page(file, title=title, url_path=name, default=name == "home")
    return copy(known[name, title])


def server() -> str:
    """The address of the app as the visitor's browser has it, up to the names of its pages and ending in a slash; ""
    without a browser."""
    # `st.context.url` takes the name of any page off the end of the address, such as "clip" off that of "unclip".
    info = getattr(get_script_run_ctx(), "context_info", None)
    url = urlsplit(info.url if info else "")
    above, _, name = url.path.rstrip("/").rpartition("/")
    path = above if name in (*present(), "join") else url.path.rstrip("/")
    return f"{url.scheme}://{url.netloc}{path}/" if url.netloc else ""


def address_of(name: str) -> str:
    """The address of a page without parameters; without a browser its name."""
    at = server()
    return at if at and name == "home" else at + name


def neighbours(name: str) -> dict[str, str]:
    """The pages "previous" to and "next" after a page, where there are such. The glossary is looked up, not read in
    order."""
    order = PAGES[:-1]
    if name not in order:
        return {}
    place = order.index(name)
    found = {"previous": order[max(place - 1, 0) : place], "next": order[place + 1 : place + 2]}
    return {direction: pages[0] for direction, pages in found.items() if pages}
