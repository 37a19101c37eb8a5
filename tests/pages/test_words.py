"""The texts of the pages: short sentences of plain words, and the same in every language."""

import ast
import re
from functools import cache
from importlib import import_module

import pytest

from core import problems
from pages.ui.frame import chapters, glossary, links, shell, text
from tests.pages import noted
from tests.pages import reading_ease as reading

LANGUAGES = text.languages()
OTHERS = [name for name in LANGUAGES if name != text.DEFAULT]
PAGES = [name for name in chapters.present() if name != "glossary"]
NO_PROSE = {"labels", "problems"}
SAID_AS_THEY_ARE = ("labels.captions",)  # the captions of a data set are data
NAMES = re.compile(
    r"DPM-Solver\+\+\(2M\)|Fashion-MNIST|Hugging Face|Creative Commons|Okabe-Ito|Twemoji|Noto \w+|Streamlit|PyTorch"
    r"|pip install [\w-]+"
)
# Words of the field that a reader outside it does not know: the glossary explains each that a page uses. Abbreviations
# and the names of methods that controls offer are not listed: they are found.
FIELD = (
    "sigma", "noise level", "schedule", "log-SNR", "denoiser", "score", "vector field", "marginal distribution",
    "Gaussian", "loss", "step", "network call", "guidance scale", "conditional", "unconditional", "negative prompt",
    "encoder", "embedding", "cosine", "softmax", "prior", "decoder", "latent", "energy distance", "noise floor",
    "coverage", "spread", "hit rate", "learning rate", "prediction target", "retrieval", "zero-shot", "temperature",
    "unCLIP", "autoguidance", "guidance interval", "label dropout", "held-out", "log-density", "checkpoint", "seed",
    "trajectory", "interpolation", "classifier", "U-Net", "transformer", "token", "preconditioning",
    "variance", "standard deviation", "squared error", "batch", "gradient", "unit vector", "linear baseline",
    "principal axis", "projection", "flow matching", "velocity", "straightness",
    "coupling", "optimal transport", "reflow", "shift",
)  # fmt: skip
METHODS = ("samplers", "schedules", "networks", "predictions", "views")  # the labels that name methods of the field
PLAIN = {"none", "straight line", "clean point x₀"}  # labels of plain words
KNOWN = {"RGB", "PNG", "JPEG", "SVG", "PDF", "CSV", "URL", "GPU", "CPU", "JSON", "ZIP", "NPZ", "NPY", "OK", "MB", "GB"}


@cache
def entries(language: str) -> dict[str, str]:
    """Every text of a language by its key."""
    found = dict(reading.entries(text.catalogue(language)))
    return {key: entry for key, entry in found.items() if not key.startswith(SAID_AS_THEY_ARE)}


def scene_texts(page: str, names: tuple[str, ...]) -> list[str]:
    """What stands under a scene: why it is shown, how it works, and the notes."""
    found = [noted.table(page, name) for name in names]
    said = [each[part] for part in ("why", "how", "act") for each in found if part in each]
    return said + [note[part] for note in noted.notes(page, names) for part in ("text", "act") if part in note]


def prose(page: str) -> list[str]:
    """The sentences of an English page."""
    return [said for key, said in entries("en").items() if key.split(".")[0] == page and re.search(r"[.!?]$", said)]


def forms() -> set[str]:
    """Every form of every term of the English glossary."""
    found = text.catalogue("en")["glossary"]["terms"].values()
    return {form for term in found for form in (term["name"], *term.get("forms", ()))}


SHOWN = [
    pytest.param(page, names, id=f"{page}-{'+'.join(names)}")
    for page in PAGES
    for scene in noted.scenes(page)
    for names in noted.combinations(page, scene).values()
]


# How a page reads


@pytest.mark.parametrize("page, names", SHOWN)
def test_a_scene_says_why_and_how_and_where_to_look(page: str, names: tuple[str, ...]):
    first, *more = [noted.table(page, name) for name in names]
    assert {"why", "how", "notes"} <= first.keys() and not any({"why", "how"} & other.keys() for other in more)
    assert 1 <= len(noted.notes(page, names)) <= 3
    assert 60 <= sum(len(reading.words(reading.plain(said))) for said in scene_texts(page, names)) <= 150


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_notes_together_only_as_its_lesson_says(page: str):
    calls = [node for node in ast.walk(ast.parse((shell.ROOT / "pages" / f"{page}.py").read_text("utf-8")))
             if isinstance(node, ast.Call) and ast.unparse(node.func) == "shell.notes"]  # fmt: skip
    (names,) = [call.args for call in calls]
    assert len(names) == 1
    assert isinstance(names[0], ast.Starred) == hasattr(import_module(f"pages.ui.lessons.{page}"), "NOTES")


@pytest.mark.parametrize("page", PAGES)
def test_every_note_of_a_page_stands_under_a_scene(page: str):
    shown = {
        name for scene in noted.scenes(page) for names in noted.combinations(page, scene).values() for name in names
    }
    keys = {key.removeprefix(f"{page}.") for key in entries("en") if key.startswith(f"{page}.")}
    assert {re.sub(r"\.notes\.\d+\.\w+$", "", key) for key in keys if ".notes." in key} <= shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_how_a_scene_works_is_said_in_at_most_three_sentences(language: str):
    how = {key: entry for key, entry in entries(language).items() if re.fullmatch(r"\w+\.\w+\.how", key)}
    ends = re.compile(r"[。！？]") if language == "zh" else None
    counts = {key: len(ends.findall(said)) if ends else len(reading.sentences(said)) for key, said in how.items()}
    assert how and not [f"{key}: {count}" for key, count in counts.items() if count > 3]


def test_every_page_and_scene_leads_on():
    missing = [f"{page}.next" for page in chapters.present() if not text.has(f"{page}.next")]
    for page in PAGES:
        missing += [f"{page}.{scene}.next" for scene in noted.scenes(page)[:-1] if not text.has(f"{page}.{scene}.next")]
    assert not missing


# English


def test_no_english_sentence_has_more_than_25_words():
    said = entries("en") | {f"problems.{code}": sentence for code, sentence in problems.sentences().items()}
    found = [(key, len(reading.words(part))) for key, entry in said.items() for part in reading.sentences(entry)]
    assert not [f"{key}: {count} words" for key, count in found if count > 25]


@pytest.mark.parametrize("page", chapters.present())
def test_the_sentences_of_a_page_are_short_and_its_words_plain(page: str):
    counts = [len(reading.words(sentence)) for said in prose(page) for sentence in reading.sentences(said)]
    assert sum(counts) / len(counts) <= 16
    assert reading.reading_ease(prose(page), forms()) >= 50


# The glossary


def test_every_term_of_the_field_that_a_page_uses_is_in_the_glossary():
    known = {form.lower() for form in forms()}
    used = " ".join(entry for key, entry in entries("en").items() if key.split(".")[0] in PAGES)
    pattern = "|".join(re.escape(term) for term in FIELD)
    found = {match.lower() for match in re.findall(rf"(?<![\w-])(?:{pattern})(?![\w+])", used, re.IGNORECASE)}
    assert not sorted(found - known)


def test_every_method_that_a_control_offers_is_in_the_glossary():
    """By its whole name, or by the term in it: of "DDPM linear" it is DDPM."""
    offered = [name for kind in METHODS for name in text.entry(f"labels.{kind}").values() if name not in PLAIN]
    known = [re.compile(rf"(?<![\w-]){re.escape(form)}(?![\w+-])") for form in forms()]
    assert offered and not [name for name in offered if not any(form.search(name) for form in known)]


def test_every_abbreviation_that_a_page_uses_is_in_the_glossary():
    said = {key: entry for key, entry in entries("en").items() if key.split(".")[0] in PAGES}
    used = {key: reading.plain(NAMES.sub("", entry)) for key, entry in said.items()}
    known = {part for form in forms() for part in re.findall(r"\b[A-Z]{2,}\b", form)}
    found = {(key, word) for key, said in used.items() for word in re.findall(r"\b[A-Z]{2,}\b", said)}
    assert not sorted(f"{key} {word}" for key, word in found if word not in known | KNOWN)


def test_every_scene_that_the_glossary_links_to_exists():
    places = text.catalogue("")["glossary"]
    assert places.keys() <= text.catalogue("en")["glossary"]["terms"].keys()
    for term in places:
        page, given = glossary.place_of(term)
        assert page in PAGES and not links.parse(import_module(f"pages.ui.lessons.{page}").Config, given)[1]


# The languages


def _kept(entry: str) -> tuple[list, ...]:
    """What a translation keeps: placeholders, formulas, code."""
    parts = (r"%\{(\w+)[^}]*\}", r"\$[^$]*\$", r"`[^`]*`")
    return tuple(sorted(set(re.findall(part, entry))) for part in parts)


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_keys_of_english(language: str):
    def keys(name: str) -> set[str]:
        found = {key for key in entries(name) if not re.search(r"\.(forms\.\d+|english\..+|one)$", key)}
        return {key for key in found if not key.startswith("problems.")}

    assert keys(language) ^ keys("en") == set()


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_keeps_placeholders_formulas_code_and_marks(language: str):
    other, english = entries(language), entries("en")
    assert not [key for key in other.keys() & english.keys() if _kept(other[key]) != _kept(english[key])]
    assert not [key for key in other if key.endswith(".mark") and other[key] != english.get(key)]


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_a_sentence_for_every_error(language: str):
    own, english = text.catalogue(language)["problems"], problems.sentences()
    assert own.keys() == english.keys()
    assert not [code for code in own if problems.placeholders(own[code]) != problems.placeholders(english[code])]


@pytest.mark.skipif("zh" not in LANGUAGES, reason="there is no Chinese catalogue")
class TestChinese:
    def test_a_stretch_between_punctuation_marks_has_at_most_45_characters(self):
        found = [(key, len(part)) for key, entry in entries("zh").items() for part in reading.chinese_parts(entry)]
        assert not [f"{key}: {count}" for key, count in found if count > 45]

    def test_no_three_english_words_stand_in_a_row(self):
        said = {key: NAMES.sub("", reading.plain(entry)) for key, entry in entries("zh").items()}
        pattern = re.compile(r"[A-Za-z]{2,}(?:[ ,]+[A-Za-z]{2,}){2,}")
        assert not [key for key, entry in said.items() if pattern.search(entry) and not _is_name(key)]

    def test_punctuation_is_full_width_and_no_space_stands_between_characters(self):
        found = {key: reading.plain(entry) for key, entry in entries("zh").items()}
        pattern = re.compile(r"[\u4e00-\u9fff]( +[\u4e00-\u9fff]|[,;:?!])")
        assert not [key for key, entry in found.items() if pattern.search(entry)]

    def test_a_space_stands_between_a_character_and_a_latin_letter_a_number_or_a_formula(self):
        """Beside punctuation none; a placeholder counts as a number where it has a number's format."""
        said = {key: reading.plain(re.sub(r"%\{\w+\}", "…", entry)) for key, entry in entries("zh").items()}
        character, letter = r"[\u4e00-\u9fff]", r"[A-Za-z\d\u0370-\u03ff]"
        joined = re.compile(rf"{character}−?{letter}|(?!T恤)(?:{letter}|[%°\u0302₀-₉²]){character}")
        apart = re.compile(r" [，。：；！？、（）《》“”]|[，。：；！？、（）《》“”] |\d +%")
        assert not [f"{key}: {entry}" for key, entry in said.items() if joined.search(entry) or apart.search(entry)]

    @pytest.mark.parametrize("said", ["含噪声的点", "带噪声的点", "加噪点", "旋臂", "视图", "霍伊恩法"])
    def test_a_thing_has_one_name(self, said: str):
        assert not [key for key, entry in entries("zh").items() if said in entry]


def _is_name(key: str) -> bool:
    """Whether an entry is an English term that stands in brackets after the Chinese one."""
    return key.startswith("glossary.terms.") and re.search(r"\.(name$|forms\.|english\.)", key) is not None
