"""Captions of people: what is said is read again, in both languages, and what cannot be is named."""

import pytest

from core.data import people
from core.data.people_captions import ABSENT, LANGUAGES, caption, choose, parse, values

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


@pytest.fixture(scope="module")
def named():
    drawn = people.draw(2000, seed=3, held_out=None)
    return [drawn.named(k) for k in range(len(drawn))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_caption_names_is_what_is_read_in_it(named, language):
    for k, whole in enumerate(named):
        some = choose(whole, seed=k)
        text = caption(some, language, seed=k)
        parsed = parse(text)
        assert (parsed.wanted, parsed.unknown, parsed.language) == (some, (), language), text


def test_a_caption_of_everything_is_read_again(named):
    for k, whole in enumerate(named[:500]):
        for language in LANGUAGES:
            assert parse(caption(whole, language, seed=k)).wanted == whole


def test_the_captions_of_the_film_are_read():
    wanted = {
        "hair": "long",
        "hair_colour": "red",
        "glasses": "glasses",
        "hat": "hat",
        "hat_colour": "blue",
        "mouth": "smiling",
    }
    assert parse("a person with long red hair, glasses and a blue hat, smiling").wanted == wanted
    assert parse("一个戴眼镜和蓝色帽子、留红色长发、面带微笑的人").wanted == wanted


def test_wordings_vary_and_follow_from_the_seed(named):
    for language in LANGUAGES:
        assert len({caption(named[0], language, seed) for seed in range(50)}) > 40
        assert caption(named[0], language, 7) == caption(named[0], language, 7)


def test_choose_takes_as_many_as_asked_and_no_colour_without_what_it_is_seen_on(named):
    for k, whole in enumerate(named):
        some = choose(whole, seed=k, fewest=3, most=5)
        assert 3 <= len(some) <= 5
        assert "hat_colour" not in some or some["hat"] != "none"
        bald_beard = whole.get("hair") == "bald" and "hair_colour" in some
        assert not bald_beard or some["beard"] != "none"
        assert all(whole[name] in values(name, value) for name, value in some.items())


def test_any_hat_is_one_of_its_kinds():
    assert values("hat", "hat") == ("cap", "beanie", "top_hat") and values("hat", "cap") == ("cap",)


READ = {
    "wearing a cap": {"hat": "cap"},
    "no glasses": {"glasses": "none"},
    "without a beard": {"beard": "none"},
    "no cap": {"hat": "none"},
    "glasses, no sunglasses": {"glasses": "glasses"},
    "no hat, glasses": {"hat": "none", "glasses": "glasses"},
    "without a hat, glasses or beard": {"hat": "none", "glasses": "none", "beard": "none"},
    "without a hat, with a beard": {"hat": "none", "beard": "beard"},
    "no hat and a blue sweater": {"hat": "none", "clothes_colour": "blue"},
    "bald with a red beard": {"hair": "bald", "hair_colour": "red", "beard": "beard"},
    "a hat, a red cap": {"hat": "cap", "hat_colour": "red"},
    "hair is long and red, the hat is blue": {"hair": "long", "hair_colour": "red", "hat": "hat", "hat_colour": "blue"},
    "dressed in blue": {"clothes_colour": "blue"},
    "blond, striped T-shirt": {"pattern": "striped"},
    "戴红帽子和眼镜、没有胡子的人": {"hat": "hat", "hat_colour": "red", "glasses": "glasses", "beard": "none"},
    "不戴帽子和眼镜、红色长发": {"hat": "none", "glasses": "none", "hair": "long", "hair_colour": "red"},
    "头发很长，是红色的，皮肤白皙": {"hair": "long", "hair_colour": "red", "skin": "light"},
    "戴 red 帽子": {"hat": "hat", "hat_colour": "red"},
}  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_what_users_type_is_read(text):
    assert parse(text).wanted == READ[text]


NOT_UNDERSTOOD = {
    "a dragon": ("dragon",),
    "a woman with glasses": ("woman",),
    "戴眼镜的女人": ("女人",),
    "一条龙": ("龙",),
    "a white hat": ("white",),
    "a long beard": ("long",),
    "not smiling": ("not smiling",),
    "不笑的人": ("不笑",),
    "no red hat": ("no red hat",),
    "dark hair": ("dark",),
    "a person with hair": ("hair",),
    "une personne avec un chapeau": ("une", "personne", "avec", "un", "chapeau"),
}


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_words_without_an_attribute_are_named(text):
    assert parse(text).unknown == NOT_UNDERSTOOD[text]


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("bald with long hair", ("bald", "long hair")),
        ("bald with red hair", ("bald", "red hair")),
        ("no hat and a red hat", ("no hat", "red hat")),
        ("a cap, no hat", ("no hat", "cap")),
        ("red hair and a blue beard", ("red hair", "blue beard")),
        ("a red and blue hat", ("red hat", "blue hat")),
        ("glasses and sunglasses", ("glasses", "sunglasses")),
        ("no glasses, sunglasses", ("no glasses", "sunglasses")),
        ("光头，留长发", ("光头", "长发")),
    ],
)
def test_attributes_that_exclude_each_other_are_refused(refused, text, both):
    with refused("people_caption_both", first=both[0], second=both[1]):
        parse(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (" \n", "people_caption_empty"),
        ("a hat " * 2000, "people_caption_long"),
        ("帽子をかぶった人", "people_caption_language"),
        ("человек в шляпе", "people_caption_language"),
    ],
)
def test_a_caption_that_cannot_be_read_is_refused(refused, text, code):
    with refused(code):
        parse(text)


def test_a_language_that_is_not_written_is_refused(refused):
    with refused("people_language", language="fr"):
        caption({"hat": "cap"}, "fr")


def test_the_colour_of_a_hat_is_named_in_half_of_the_captions_of_its_bearer(named):
    chosen = [choose(whole, seed=k) for k, whole in enumerate(named) if "hat_colour" in whole]
    assert 0.5 < sum("hat_colour" in some for some in chosen) / len(chosen) < 0.65


def test_absences_are_said_seldom(named):
    chosen = [choose(whole, seed=k) for k, whole in enumerate(named)]
    absent = sum(some.get(name) == ABSENT[name] for some in chosen for name in ("hat", "beard", "glasses"))
    present = sum(
        some.get(name, ABSENT[name]) != ABSENT[name] for some in chosen for name in ("hat", "beard", "glasses")
    )
    assert 0 < absent < present / 4
