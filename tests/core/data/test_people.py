"""Pixel people: each follows from its seed and number; what is held out, what can be seen, how parts are composed."""

from collections import Counter
from itertools import product

import pytest
import torch

from core.data import people
from core.data.people import ATTRIBUTES, COLOURS, COMBINED, PeopleSet, compose, draw, is_held_out

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

COLUMN = {name: k for k, name in enumerate(ATTRIBUTES)}
CHANCES = 2 + len(ATTRIBUTES)


def person(**chosen: str) -> torch.Tensor:
    """Attributes [1, 12] of a plain person with the ``chosen`` values."""
    plain = {"skin": "light", "hair": "short", "hair_colour": "brown", "beard": "none", "glasses": "none",
             "hat": "none", "hat_colour": "red", "mouth": "smiling", "clothes_colour": "blue",
             "pattern": "plain", "earrings": "none", "background": "white"}  # fmt: skip
    return torch.tensor([[ATTRIBUTES[name].index((plain | chosen)[name]) for name in ATTRIBUTES]])


def visible(chance: float = 0.0, **chosen: str) -> set[str]:
    """The attributes that can be seen of such a person; ``chance`` chooses the variant of each part."""
    mask = compose(person(**chosen), torch.full((1, CHANCES), chance))[2][0]
    return {name for name, here in zip(ATTRIBUTES, mask.tolist(), strict=True) if here}


@pytest.mark.parametrize("held_out", [False, True, None])
def test_person_k_does_not_depend_on_how_many_are_drawn(held_out):
    whole, part = draw(700, seed=4, held_out=held_out), draw(9, seed=4, first=505, held_out=held_out)
    for name in ("images", "attributes", "visible"):
        assert torch.equal(getattr(part, name), getattr(whole, name)[505:514])
    assert not torch.equal(draw(9, seed=5).images, whole.images[:9])


def test_people_of_a_seed_are_different():
    assert len(draw(2000, seed=1).images.flatten(1).unique(dim=0)) == 2000


def test_a_third_of_all_combinations_is_held_out_and_each_pair_of_values_is_trained_on():
    sizes = [len(ATTRIBUTES[name]) for name in COMBINED]
    rows = torch.zeros(len(list(product(*map(range, sizes)))), len(ATTRIBUTES), dtype=torch.long)
    columns = [COLUMN[name] for name in COMBINED]
    rows[:, columns] = torch.cartesian_prod(*map(torch.arange, sizes))
    held = is_held_out(rows)
    assert held.double().mean().item() == pytest.approx(1 / 3)
    for pair in ((0, 1), (0, 2), (1, 2)):
        kept = rows[~held][:, [columns[k] for k in pair]]
        assert len(kept.unique(dim=0)) == sizes[pair[0]] * sizes[pair[1]]


def test_training_draws_no_combination_that_is_held_out_and_all_others():
    for held_out in (False, True):
        attributes = draw(4000, seed=2, held_out=held_out).attributes
        assert (is_held_out(attributes) == held_out).all()
        found = Counter(map(tuple, attributes[:, [COLUMN[name] for name in COMBINED]].tolist()))
        assert len(found) == (36 if held_out else 72)
    assert 0.3 < is_held_out(draw(4000, seed=2, held_out=None).attributes).double().mean() < 0.37


def test_hair_under_a_beanie_cannot_be_seen_and_long_hair_can():
    assert "hair" not in visible(hat="beanie") and "hair" in visible()
    assert "hair" in visible(hat="beanie", hair="long")


def test_a_colour_is_seen_only_on_something():
    assert "hat_colour" not in visible() and "hat_colour" in visible(hat="cap")
    assert "hair_colour" not in visible(hair="bald") and "hair_colour" in visible(hair="bald", beard="beard")


def test_baldness_cannot_be_seen_under_a_hat():
    assert "hair" in visible(hair="bald") and "hair" not in visible(hair="bald", hat="cap")


def test_glasses_and_clothes_can_always_be_seen():
    drawn = draw(1000, seed=6)
    for name in ("glasses", "clothes_colour", "pattern", "hat", "skin", "background"):
        assert drawn.visible[:, COLUMN[name]].all()


def test_only_what_can_be_seen_is_named():
    drawn = draw(50, seed=8)
    for k in range(50):
        assert [name in drawn.named(k) for name in ATTRIBUTES] == drawn.visible[k].tolist()
        assert all(
            ATTRIBUTES[name][drawn.attributes[k, COLUMN[name]]] == value for name, value in drawn.named(k).items()
        )


def test_larger_pictures_repeat_each_pixel():
    small, large = draw(3, seed=0), draw(3, seed=0, side=48)
    assert large.images.shape == (3, 3, 48, 48) and torch.equal(large.images[:, :, 1::3, 2::3], small.images)


def test_layers_are_composed_as_the_notice_says():
    """One layer after another, in double precision, for one person; the rounding to bytes differs by 1 at most."""
    row = person(
        hat="beanie", glasses="sunglasses", beard="goatee", earrings="earrings", pattern="striped", hair="long"
    )
    images, _, _ = compose(row, torch.full((1, CHANCES), 0.6))
    blue, red = COLOURS["blue"], COLOURS["red"]

    def colour(code: str) -> torch.Tensor:
        return torch.tensor([int(code[i : i + 2], 16) for i in (0, 2, 4)], dtype=torch.float64)[:, None, None] / 255

    hair = colour(COLOURS["brown"])
    colours = {"skin": colour(people.SKIN["light"][1]), "earrings": colour(people.EARRING), "pattern": colour(blue),
               "eyes": colour(people.EYE), "glasses": colour(people.FRAME), "beard": hair,
               "mouth": colour(people.MOUTH[0]), "hair": hair, "hat": colour(red)}  # fmt: skip
    picture = colour(people.BACKGROUND["white"]).expand(3, 16, 16)
    with torch.no_grad():
        for part in people.LAYERS:
            layer, value = people.parts()[part], row[0, COLUMN[part]] if part in COLUMN else 0
            variant = layer.first[value] + int(0.6 * layer.count[value])
            tint, light, alpha = (each[variant].double() for each in (layer.colour, layer.light, layer.alpha))
            picture = colours[part] * tint + light + (1 - alpha) * picture
    assert (images[0] - (picture * 255).clamp(0, 255)).abs().max() <= 1


@pytest.mark.parametrize("side", [0, 8, 20, 272])
def test_a_side_that_is_no_multiple_of_16_is_refused(refused, side):
    with refused("people_side", side=side):
        draw(1, side=side)


@pytest.mark.parametrize("n", [0, -1, people.MOST + 1])
def test_a_number_of_people_that_cannot_be_drawn_is_refused(refused, n):
    with refused("people_count", n=n):
        draw(n)


@pytest.mark.parametrize("n", [None, 1, 40])
def test_a_set_of_people_gives_some_of_what_can_be_seen(n):
    images, cond = PeopleSet(n).sample(300, torch.Generator().manual_seed(0))
    given = cond["attributes"]
    assert images.shape == (300, 3, 16, 16) and images.abs().max() <= 1
    assert given.shape == (300, 12) and (given == -1).any() and not (given == -1).all(1).all()
    assert len(images.flatten(1).unique(dim=0)) == min(n or 300, 300)
    absent = given[:, COLUMN["hat"]] == 0
    assert (given[absent, COLUMN["hat_colour"]] == -1).all()


def test_a_set_of_people_draws_no_combination_that_is_held_out():
    attributes = PeopleSet(200).people.attributes
    assert not is_held_out(attributes).any()


def test_a_batch_of_people_follows_from_the_generator():
    first, again = (PeopleSet().sample(40, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1]["attributes"], again[1]["attributes"])
