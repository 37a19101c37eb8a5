"""The glossary: each term of the field is explained where a page uses it first.

``pages/text/<language>/glossary.toml`` has one table for each term: its ``name``, other ``forms`` that stand for it in
a text, and ``text``, one or two sentences. In another language than English, ``english`` gives the English words for
a form that the English name does not translate. ``pages/text/glossary.toml`` names for each term the address of the
scene that shows it.
"""

import html
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from urllib.parse import parse_qsl, urlencode

from pages.ui.frame import text
from pages.ui.frame.text import t

# The terms that this run of the page has used, and the part of the page that marks each.
_marked: ContextVar[dict[str, object] | None] = ContextVar("marked", default=None)
_part: ContextVar[object] = ContextVar("part", default=None)
KEPT = re.compile(r"(\$[^$]*\$|`[^`]*`|<[^<>]*>|\[[^\]]*\]\([^)]*\))")  # formulas, code, HTML, links: as they are
AFTER_ENGLISH = re.compile(r'(<span lang="en">[^<>]*</span>(?:，\w+)?）) ')  # a full-width bracket needs no space
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def begin() -> None:
    """Begin a page: no term has been used yet."""
    _marked.set({})


def part() -> Callable[[], AbstractContextManager[None]]:
    """A context for a part of the page that also runs by itself: each of its runs marks the first use of the terms that
    no other part of the page marks."""
    marked, this = _marked.get(), object()

    @contextmanager
    def running() -> Iterator[None]:
        for term in [term for term, where in (marked or {}).items() if where is this]:
            del marked[term]
        tokens = _marked.set(marked), _part.set(this)
        try:
            yield
        finally:
            _marked.reset(tokens[0])
            _part.reset(tokens[1])

    return running


def terms() -> dict[str, dict]:
    """The terms by identifier, in the visitor's language: ``name``, ``forms``, ``text``."""
    return text.entry("glossary.terms")


def mark_terms(markdown: str) -> str:
    """``markdown`` with a button at the first use of each term on this page, which opens the term's explanation.

    In another language than English the English name follows the first use in brackets.
    """
    marked = _marked.get()
    if marked is None:
        return markdown

    language = text.language.get()
    shown = ""
    for part, term in _pieces(markdown, language):
        first = term and term not in marked
        if first:
            marked[term] = _part.get()
        shown += _button(term, part, language) if first else part
    return AFTER_ENGLISH.sub(r"\1", shown)


@lru_cache(4096)
def _pieces(markdown: str, language: str) -> tuple[tuple[str, str], ...]:
    """A text in pieces, each with the term of which it is the use, or ""."""
    found: list[tuple[str, str]] = []
    for part in KEPT.split(markdown):
        end = 0
        for use in () if KEPT.fullmatch(part) else _pattern(language).finditer(part):
            found += [(part[end : use.start()], ""), (use[0], _forms(language)[_folded(use[0])])]
            end = use.end()
        found.append((part[end:], ""))
    return tuple((part, term) for part, term in found if part)


@lru_cache(1024)
def _button(term: str, used: str, language: str) -> str:
    """The use of a term in a text of a language, as a button, and the popover that it opens."""
    entry, place = terms()[term], f"term-{term}"
    see = link_to(term, t("glossary.see"))
    name, more = with_english(term, used)
    title = "".join(with_english(term, entry["name"]))
    return (
        f'<button type="button" class="term" popovertarget="{place}" style="anchor-name:--{place}">{name}</button>'
        f'<span class="entry" popover="auto" id="{place}" role="note" style="position-anchor:--{place}">'
        f"<strong>{title}</strong><br>{entry['text']} {see}</span>{more}"
    )


def with_english(term: str, used: str) -> tuple[str, str]:
    """A term as used in the visitor's language, and its English name in brackets where that is another.

    An abbreviation follows its long form: of "stochastic differential equation (SDE)" it is "（…，SDE）".
    """
    if text.language.get() == text.DEFAULT or not CHINESE.search(used):
        return used, ""
    english = (
        terms()[term].get("english", {}).get(used) or text.catalogue(text.DEFAULT)["glossary"]["terms"][term]["name"]
    )
    english, abbreviation = re.fullmatch(r"(.*?)(?: \((\w+)\))?", english).groups()
    used, short = used.removesuffix(f"（{abbreviation}）"), f"，{abbreviation}" if abbreviation else ""
    english = re.sub(r" ?\w*[^\x00-\x7f].*", "", english)  # "clean estimate x̂₀": a symbol is no English
    if not english or re.search(r"[A-Za-z]{2}", used):  # "Heun 法" says it already; "去噪估计 x̂₀" has only a symbol
        return used, ""
    return used, f'（<span lang="en">{html.escape(english)}</span>{short}）'


def place_of(term: str) -> tuple[str, dict[str, str]]:
    """The page that shows a term and the parameters of the scene there; "" and none where no scene does."""
    page, _, query = text.catalogue("")["glossary"].get(term, "").partition("?")
    return page, dict(parse_qsl(query))


def address_of(term: str) -> str:
    """The address of the scene that shows a term, in the visitor's language; empty where there is none.

    It opens in a window of its own, which is a new visit: there a question would hide the scene.
    """
    page, parameters = place_of(term)
    parameters |= {"predictions": "false", "lang": text.language.get()}
    return f"{page}?{urlencode(parameters)}" if page else ""


def link_to(term: str, label: str) -> str:
    """A link to the scene that shows a term, as HTML; empty where there is none."""
    place = html.escape(address_of(term))
    return f'<a href="{place}" target="_blank">{label}</a>' if place else ""


def search(query: str) -> list[str]:
    """The terms whose name, forms or explanation contain ``query``, in the order of the glossary."""
    wanted = query.strip().casefold()
    return [
        term
        for term, entry in terms().items()
        if wanted in " ".join([entry["name"], *entry.get("forms", ()), entry["text"]]).casefold()
    ]


@cache
def _forms(language: str) -> dict[str, str]:
    """Each form of each term, folded, and the term."""
    found = text.catalogue(language).get("glossary", text.catalogue(text.DEFAULT)["glossary"])["terms"]
    return {_folded(form): term for term, entry in found.items() for form in (entry["name"], *entry.get("forms", ()))}


def _folded(form: str) -> str:
    """A form as it is compared: a capital that begins a sentence does not count, one of an abbreviation does."""
    return form[:1].lower() + form[1:] if _may_begin_a_sentence(form) else form


def _may_begin_a_sentence(form: str) -> bool:
    return form[:1].isascii() and form[1:2].islower()


@cache
def _pattern(language: str) -> re.Pattern:
    """A regular expression for every form, the longest first, as a whole word where the language has spaces."""
    forms = sorted(_forms(language), key=len, reverse=True)
    either = "|".join(
        f"[{re.escape(form[0])}{re.escape(form[0].upper())}]{re.escape(form[1:])}"
        if _may_begin_a_sentence(form)
        else re.escape(form)
        for form in forms
    )
    return re.compile(rf"(?<![A-Za-z0-9_/-])(?:{either})(?![A-Za-z0-9_-])", re.ASCII)
