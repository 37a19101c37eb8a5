"""The catalogue: keys, placeholders, languages."""

import pytest

from core.problems import Problem, join_notes
from pages.ui.frame import text
from pages.ui.frame.text import t


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    """A catalogue in two languages."""
    for name, words in {
        "en/page.toml": 'plain = "An image"\nsteps = {one = "%{count} step", other = "%{count} steps"}\n'
        'math = "$x_{next}$ at %{sigma:.2f}, %{quoted}"\nonly = "English"',
        "en/labels.toml": '[samplers]\nddim = "DDIM"\nheun = "Heun"',
        "zh/page.toml": 'plain = "一张图像"\nsteps = {other = "%{count} 步"}',
        "zh/labels.toml": '[samplers]\nddim = "去噪"',
        "zh/problems.toml": 'sampler_eta = "eta 不能是 %{eta}。"',
        "measured.toml": "[page]\nquoted = 45",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(words, "utf-8")
    monkeypatch.setattr(text, "FOLDER", tmp_path)
    text.catalogue.cache_clear(), text.languages.cache_clear()
    yield
    text.catalogue.cache_clear(), text.languages.cache_clear()


@pytest.fixture
def chinese(catalogue):
    token = text.language.set("zh")
    yield
    text.language.reset(token)


@pytest.fixture
def lenient(monkeypatch):
    monkeypatch.setattr(text, "strict", False)


def test_a_sentence_is_found_by_its_key_and_filled(catalogue):
    assert t("page.plain") == "An image"
    assert t("page.math", sigma=0.1234) == "$x_{next}$ at 0.12, 45"


def test_one_and_many(catalogue):
    assert [t("page.steps", count=n) for n in (1, 2)] == ["1 step", "2 steps"]


def test_another_language_has_its_own_words_and_labels(chinese):
    assert text.languages() == ("en", "zh")
    assert t("page.plain") == "一张图像" and t("page.steps", count=1) == "1 步"
    assert text.label("samplers", "ddim") == "去噪"


def test_a_label_that_is_missing_is_the_english_one_or_the_identifier(chinese):
    assert text.label("samplers", "heun") == "Heun" and text.label("samplers", "mine") == "mine"


def test_a_missing_sentence_is_english_on_a_page_and_an_error_in_a_test(chinese, lenient, monkeypatch):
    assert t("page.only") == "English" and t("page.nothing") == "page.nothing"
    monkeypatch.setattr(text, "strict", True)
    with pytest.raises(KeyError, match="page.only"):
        t("page.only")


def test_an_error_with_a_code_is_said_in_the_visitors_language(chinese):
    assert text.problem(Problem("sampler_eta", eta=2)) == "eta 不能是 2。"
    assert text.problem(Problem("sampler_steps", most=512, steps=0)) == str(Problem("sampler_steps", most=512, steps=0))
    assert "disk" not in text.problem(OSError("disk")) and "OSError" in text.problem(OSError("disk"))
    quoted = Problem("checkpoint_config", file="config.json", reason=Problem("sampler_eta", eta=2))
    assert "(eta 不能是 2)" in text.problem(quoted)


def test_the_sentences_of_several_notes_follow_each_other(chinese):
    translated, english = Problem("sampler_eta", eta=2), Problem("sampler_steps", most=512, steps=0)
    note = join_notes(translated, english, translated)
    assert text.problem(note) == f"eta 不能是 2。{english} eta 不能是 2。"


def test_sentences_have_a_space_between_them_but_after_a_chinese_full_stop():
    assert text.join(("One.", "Two.")) == "One. Two."
    assert text.join(("一。", "二。", "Three.", "四。")) == "一。二。Three. 四。"
