"""The pages in Chinese in a real browser: how one comes to them, what a switch keeps, and that no English is left.

`tests/pages/test_chinese.py` looks at every scene.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from pages.ui.frame import chapters, shell, text
from pages.ui.frame.text import t
from tests.e2e.conftest import SIZE, watch
from tests.e2e.learner import LONG, Learner, rest
from tests.pages.test_chinese import ENGLISH, data
from tests.pages.test_words import NAMES

OTHER = "zh"
PAGES = [name for name in chapters.present() if (text.FOLDER / OTHER / f"{name}.toml").exists()]
# What Streamlit says to a screen reader only, or only when one searches a list or the server is gone.
REMAINS = re.compile(
    r"Open|Increment|Decrement|Help for .*|file upload|Clear all|Close|Delete .*"
    r"|Download plot as a PNG|Zoom( in| out)?|Pan|Autoscale|Reset axes|Box Select|Lasso Select"  # Plotly's buttons
)
# Every text of the page and every label and tip, without what is code, a formula, typed or English data, or
# said by an icon.
TEXTS = """() => {
    const without = 'style, script, code, pre, textarea, .katex, [lang=en], [data-testid=stIconMaterial], '
        + '[data-testid=stSkipToContent]';
    const walker = document.createTreeWalker(document.querySelector('.stApp'), NodeFilter.SHOW_TEXT), texts = [];
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement;
        if (!parent.closest(without) && getComputedStyle(parent).fontSize !== '0px')
            texts.push(walker.currentNode.data.trim());
    }
    return texts.filter(Boolean);
}"""
LABELS = """() => {
    const names = ['aria-label', 'title', 'placeholder'], found = document.querySelectorAll('.stApp *');
    return [...found].filter(e => !e.closest('[lang=en]')).flatMap(e => names.map(name => e.getAttribute(name) ?? ''));
}"""


def said(key: str, **values: object) -> str:
    """A sentence of the other language."""
    token = text.language.set(OTHER)
    try:
        return t(key, **values)
    finally:
        text.language.reset(token)


def choose(page: Page, now: str, then: str) -> None:
    """Choose a language in the header: the page says ``frame.controls.lang.label`` in the one and then in the other."""
    page.get_by_role("combobox", name=now).click()
    page.get_by_role("option", name=then).click()


@pytest.fixture
def abroad(browser: Browser) -> Iterator[Page]:
    """A page in a browser whose language is Chinese."""
    context = browser.new_context(locale="zh-CN", viewport=SIZE, reduced_motion="reduce")
    page, problems = context.new_page(), []
    watch(page, problems)
    yield page
    context.close()
    assert not problems


def test_a_chinese_browser_gets_chinese_pages_without_a_parameter(abroad, serve):
    abroad.goto(f"{serve('app.py')}/glossary")
    expect(abroad.get_by_role("heading", level=1)).to_have_text(said("glossary.title"))
    expect(abroad.locator("html")).to_have_attribute("lang", OTHER)
    rest(abroad)
    choose(abroad, said("frame.controls.lang.label"), t("frame.controls.lang.options.en"))
    expect(abroad.get_by_role("heading", level=1)).to_have_text(t("glossary.title"))
    expect(abroad).to_have_url(re.compile("lang=en"))
    expect(abroad.locator("html")).to_have_attribute("lang", text.DEFAULT)


def test_a_switch_of_the_language_keeps_scene_clock_and_probe_and_goes_along_to_the_next_page(page, serve):
    chapter = Learner(page, f"{serve('app.py')}/vector_field", "field")
    chapter.open("predictions=false&show=one_place&view=vp&probe=0.5,0.25")
    chapter.clock.fill("40")
    expect(page).to_have_url(re.compile("clock=0.833"))
    choose(page, t("frame.controls.lang.label"), t(f"frame.controls.lang.options.{OTHER}"))
    expect(page.get_by_role("button", name=said("frame.share.copy"))).to_be_visible()
    chapter.rests()
    expect(page).to_have_url(
        re.compile(r"\?(?=.*lang=zh)(?=.*show=one_place)(?=.*view=vp)(?=.*clock=0.833)(?=.*probe)")
    )
    assert chapter.now("k") == 40 and chapter.now("probe") == [0.5, 0.25]
    page.locator(".st-key-switches").get_by_role("link").last.click()
    expect(page).to_have_url(re.compile(r"/sampling\?.*lang=zh"))
    expect(page.locator("html")).to_have_attribute("lang", OTHER)


def test_a_switch_of_the_language_keeps_a_training_run(page, serve):
    chapter = Learner(page, f"{serve('app.py')}/training", "training").open("predictions=false")
    page.locator(".st-key-_main button").click()
    expect(page).to_have_url(re.compile(r"run=[\w-]+"))
    run = re.search(r"run=([\w-]+)", page.url)[1]
    page.locator(".st-key-_main button").click()
    expect(page.get_by_text(t("runs.status.paused").strip("*"), exact=True)).to_be_visible()
    chapter.rests()
    frames = chapter.now("T")
    choose(page, t("frame.controls.lang.label"), t(f"frame.controls.lang.options.{OTHER}"))
    expect(page.get_by_text(said("runs.status.paused").strip("*"), exact=True)).to_be_visible()
    chapter.rests()
    expect(page).to_have_url(re.compile(rf"\?(?=.*lang=zh)(?=.*run={run})"))
    assert chapter.now("T") == frames


def test_what_the_server_says_later_is_chinese_too(page, serve):
    """The name of the tab, a line that a fragment renews, a dialog, and the file that it saves."""
    with page.expect_websocket() as channel:
        page.goto(f"{serve('app.py')}/?lang={OTHER}")
    expect(page).to_have_title(said("frame.title"))
    assert not english_on(page)
    channel.value.wait_for_event("framereceived")  # the fragment's: the page itself is at rest
    assert not english_on(page)
    page.locator(".save").first.click()
    page.get_by_role("dialog").get_by_text("SVG", exact=True).click()
    save = page.get_by_role("dialog").get_by_role("button", name=re.compile(r"\.svg$"))
    expect(save).to_be_visible()
    assert not english_on(page)
    with page.expect_download() as download:
        save.click()
    title = re.search("<dc:title>(.*?)</dc:title>", download.value.path().read_text("utf-8"))[1]
    assert re.search("[\u4e00-\u9fff]", title)


def test_a_lost_connection_is_said_in_chinese(page, serve):
    channels = []
    page.route_web_socket(re.compile("/_stcore/stream"), lambda one: (channels.append(one), one.connect_to_server()))
    page.goto(f"{serve('app.py')}/glossary?lang={OTHER}")
    rest(page)
    page.route(re.compile("/_stcore/"), lambda request: request.abort())
    channels[-1].close()
    expect(page.get_by_role("alert")).to_have_text(said("frame.lost.title") + said("frame.lost.text"))
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.goto("about:blank")
    page.problems.clear()  # the requests that this test has aborted


def test_a_term_opens_by_click_and_by_enter_and_closes_by_escape_on_the_same_page(page, serve):
    page.goto(f"{serve('app.py')}/forward_noise?lang={OTHER}")
    term = page.locator("button.term").first
    expect(term).to_be_visible()
    rest(page)
    before, entry = page.url, page.locator(".entry").first
    for opened in (term.click, lambda: page.keyboard.press("Enter")):
        opened()
        expect(entry).to_be_visible()
        page.keyboard.press("Escape")
        expect(entry).to_be_hidden()
        expect(term).to_be_focused()
    assert page.url == before
    term.click()
    with page.context.expect_page() as other:
        entry.get_by_role("link").click()
    assert other.value.url != before and page.url == before
    other.value.close()


def turn_to(page: Page, name: str) -> None:
    """Go on to a page without loading another."""
    say = said if name in PAGES else t
    links = page.get_by_role("navigation") if name in shell.UNNUMBERED else page.locator(".st-key-switches")
    links.get_by_role("link", name=say(f"{name}.navigation")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(say(f"{name}.title"))


def test_no_english_is_left_on_a_chinese_page_as_one_comes_to_it(page, serve):
    page.set_default_timeout(LONG)
    page.goto(f"{serve('app.py')}/?lang={OTHER}")
    english = set()
    for name in chapters.present():
        if name != "home":
            turn_to(page, name)
        if name in PAGES:
            english |= {f"{name}: {each}" for each in english_on(page)}
    assert not english


def english_on(page: Page) -> set[str]:
    """What is said in English on a page, once it is at rest."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    rest(page, live=True)
    found = page.evaluate(TEXTS) + [each for each in page.evaluate(LABELS) if not REMAINS.fullmatch(each)]
    suspects = {each for each in found if ENGLISH.search(NAMES.sub("", each))}
    return {each for each in suspects if ENGLISH.search(data().sub("", NAMES.sub("", each)))}
