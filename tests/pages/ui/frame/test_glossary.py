"""The glossary: terms marked in a text, in both languages, and searched."""

import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.frame import glossary, text
from tests.reading import header

ENTRY = re.compile(r'<span class="entry".*?</span>', re.DOTALL)
HEADING = '<div role="heading"'


@pytest.fixture(autouse=True)
def page() -> Iterator[None]:
    """A page on which no term was used yet."""
    glossary.begin()
    yield
    glossary._marked.set(None)


@pytest.fixture
def chinese() -> Iterator[None]:
    """The visitor reads Chinese."""
    token = text.language.set("zh")
    yield
    text.language.reset(token)


def shown(markdown: str) -> str:
    """A text with its terms marked, each in square brackets, without what they open."""
    found = re.sub(r'<span class="entry".*?</a></span>', "", glossary.mark_terms(markdown))
    return re.sub(r"</?span[^>]*>", "", re.sub(r"<button[^>]*>(.*?)</button>", r"[\1]", found))


def marked(markdown: str) -> list[str]:
    """The terms marked in a text, by identifier."""
    return re.findall(r'popovertarget="term-(\w+)"', glossary.mark_terms(markdown))


def test_only_the_first_use_on_a_page_is_marked_in_any_form():
    assert marked("Denoisers and one denoiser") == ["denoiser"]
    assert marked("the denoiser again") == []
    glossary.begin()
    assert marked("a denoiser on the next page") == ["denoiser"]


def test_the_longest_term_wins_and_parts_of_words_are_none():
    assert marked("A training step and a network call. One-step; stepwise; unscored.") == [
        "training_step",
        "network_call",
    ]


def test_formulas_code_html_and_links_stay_as_they_are():
    kept = "$\\text{score}$ `score` <b title='score'>x</b> [the score](there)"
    assert glossary.mark_terms(kept) == kept


@pytest.mark.parametrize(
    "form", ["σ", "x̂₀", "ε̂", "DPM-Solver++(2M)", "DPM-Solver++", "U-Net", "log-SNR", "eta", "DALL-E 2"]
)
def test_symbols_and_names_with_signs_are_found(form: str):
    assert len(marked(f"{form}, so it is called")) == 1


def test_a_capital_counts_only_in_an_abbreviation():
    assert marked("Score") == ["score"]
    assert marked("X̂₀ and Σ and ddpm") == []


def test_outside_a_page_nothing_is_marked():
    glossary._marked.set(None)
    assert glossary.mark_terms("a score") == "a score"


def test_a_part_that_runs_again_keeps_its_marks_and_takes_none_from_the_rest_of_the_page():
    assert marked("the score") == ["score"]
    part = glossary.part()
    with part():
        assert marked("the score of a denoiser") == ["denoiser"]
    assert marked("a denoiser, a step and the noise") == ["step", "noise"]
    for _ in range(2):
        glossary._marked.set(None)  # a fragment's own run may be in another thread
        with part():
            assert marked("the score, a denoiser and its loss") == ["denoiser", "loss"]
            assert marked("a denoiser and noise") == []
        assert marked("the score") == []
    with part():
        assert marked("its loss") == ["loss"]


def test_the_popover_holds_name_explanation_and_a_link_in_a_window_of_its_own():
    found = glossary.mark_terms("the score")
    assert 'popover="auto" id="term-score"' in found and 'href="vector_field?' in found and 'target="_blank"' in found
    assert text.entry("glossary.terms.score.text") in found


def test_a_chinese_term_is_followed_by_its_english_name_at_first_use(chinese):
    assert shown("去噪器与无条件的箭头，去噪器") == "[去噪器]（denoiser）与[无条件]（unconditional）的箭头，去噪器"


def test_an_abbreviation_is_written_out_and_names_in_latin_letters_stay_alone(chinese):
    assert shown("随机微分方程（SDE）、DDPM 和 Heun 法") == (
        "[随机微分方程]（stochastic differential equation，SDE）、[DDPM] 和 [Heun 法]"
    )


def test_a_symbol_is_no_english_name(chinese):
    assert shown("去噪估计 x̂₀") == "[去噪估计 x̂₀]（clean estimate）"
    assert shown("引导强度 w") == "[引导强度 w]（guidance scale）"
    assert shown("去噪估计") == "去噪估计"


def test_a_form_with_english_words_of_its_own_is_followed_by_them(chinese):
    assert shown("对样本采样") == "对[样本]（sample）采样"
    glossary.begin()
    assert shown("用它采样") == "用它[采样]（sampling）"


def test_a_bold_chinese_part_ends_where_it_ends(chinese):
    # After a full stop or a bracket Markdown takes ** for the end of a bold part only if a space follows.
    assert text.emphasis("**看。**这里") == f"**看。**{text.HAIR_SPACE}这里"
    assert "**" + text.HAIR_SPACE in glossary.mark_terms(text.emphasis("**损失**是"))


def test_a_bold_part_is_set_apart_once(chinese):
    # A second pass would take what stands between two bold parts for one.
    said = text.emphasis("**看。**这里**那里。**完")
    assert glossary.mark_terms(said) == said


LINKED = sorted({place for term in glossary.terms() if (place := glossary.address_of(term))})


@pytest.mark.slow
@pytest.mark.parametrize("address", LINKED)
def test_a_page_that_the_glossary_links_to_names_the_term_though_nothing_was_answered(open_page, address: str):
    page, _, query = address.partition("?")
    app: AppTest = open_page(page, **dict(parse_qsl(query)))
    assert not app.exception and not app.toast
    drawn = [json.dumps(header(app), ensure_ascii=False)] if has_stage(app) else []
    words = "\n".join([re.sub(ENTRY, "", said) for said in texts(app)] + drawn)
    for term in (term for term in glossary.terms() if glossary.address_of(term) == address):
        entry = glossary.terms()[term]
        forms = "|".join(map(re.escape, [entry["name"], *entry.get("forms", ())]))
        assert re.search(rf"(?<![\w-])(?:{forms})(?![\w-])", words, re.IGNORECASE), term


def has_stage(app: AppTest) -> bool:
    return any(part.proto.component_name.startswith("stage_player") for part in app.get("bidi_component"))


def texts(app: AppTest) -> list[str]:
    """What a page says outside of its picture: texts, labels and options."""
    said = [part.value for kind in ("title", "markdown", "caption", "info", "latex") for part in app.get(kind)]
    for kind in ("selectbox", "radio", "slider", "select_slider", "button_group", "toggle", "number_input", "button"):
        for part in app.get(kind):
            said += [part.label, *map(str, getattr(part, "options", ()))]
    return said


def test_a_link_of_the_glossary_opens_a_window_of_its_own_where_no_question_hides_the_scene(open_page):
    app: AppTest = open_page("glossary", search="vector field")
    links = re.findall(r'<a href="([^"]*)" target="_blank"', "\n".join(each.value for each in app.markdown))
    assert links and all("predictions=false" in link and "lang=en" in link for link in links)
    assert "predictions=false" in glossary.mark_terms("the score")


def test_the_address_of_a_term_keeps_its_scene_and_names_the_language(chinese):
    page, _, query = glossary.address_of("karras").partition("?")
    assert page == "forward_noise"
    assert dict(parse_qsl(query)) == {"show": "schedules", "predictions": "false", "lang": "zh"}


def test_a_search_looks_at_names_forms_and_explanations():
    assert "guidance" in glossary.search("CFG") and "ddim" in glossary.search(" ddim ")
    assert glossary.search("") == list(glossary.terms())
    assert glossary.search("no such term") == []


def test_the_page_shows_what_is_found_with_the_english_name_beside_the_chinese(open_page):
    app: AppTest = open_page("glossary", search="向量场", lang="zh")
    names = [each.value for each in app.markdown if HEADING in each.value]
    assert any('>向量场（<span lang="en">vector field</span>）</div>' in name for name in names)
    assert len(names) < 10 and not app.exception
    assert not [each for each in open_page("glossary", search="zzz").markdown if HEADING in each.value]
