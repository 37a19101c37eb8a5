"""``python -m core evaluate people``: one table, and sentences for what cannot be evaluated."""

import pytest

from core.__main__ import main
from core.cli import people as command
from core.data.people import ATTRIBUTES, PeopleSet
from core.models import images as image_model
from core.models.images import ImageConfig
from core.runs.checkpoints import save_folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An image model of people, untrained, and one of people of 32x32 pixels."""
    folder, config = tmp_path_factory.mktemp("models"), ImageConfig(size="tiny", steps=1)
    for side in (16, 32):
        made = image_model.new_checkpoint(config, PeopleSet(10, side))
        save_folder(made, folder / str(side), parts=("ema",))
    return folder


@pytest.mark.slow
def test_evaluate_prints_a_table_to_place_an_image_model_by(model, capsys, monkeypatch):
    monkeypatch.setattr(command, "REFERENCE", 100)
    for section in ("print_clip", "print_unclip"):  # measured by the tests of their own models
        monkeypatch.setattr(command, section, lambda *_: None)
    main(["evaluate", "people", "--checkpoint", str(model / "16"), *"--n 40 --scales 1 2 --steps 2 --seed 3".split()])
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    names = ["real people", "real people, 3x3 blur", "image model, w = 1", "image model, w = 2"]
    assert "seed 3" in printed and "40 requests" in printed
    assert [row[0] for row in rows] == ["pictures", "---", *names] * 2
    assert {len(row) for row in rows[:6]} == {9} and {len(row) for row in rows[6:]} == {1 + len(ATTRIBUTES)}
    real, blur, untrained = rows[2], rows[3], rows[4]
    share = [[float(row[k].rstrip("%")) for k in (1, 2, 3)] for row in (real, untrained)]
    assert min(share[0]) >= 95 and share[0][1] == 100 and max(share[1]) < 40
    assert float(real[6]) < 1 < 100 < float(blur[6]) and float(real[8].split()[0]) < float(blur[8].split()[0])


@pytest.mark.parametrize(
    ("arguments", "code", "values"),
    [
        (["--n", "1"], "flag_samples", {"value": 1, "fewest": 2}),
        (["--steps", "0"], "sampler_steps", {"steps": 0}),
        (["--scales", "2", "nan"], "flag_number", {"flag": "scales"}),
        (["--checkpoint", "32"], "people_other_model", {}),
        (["--encoders", "clip"], "clip_other_images", {"name": "people"}),
        (["--encoders", "fashion"], "checkpoint_no_part", {"part": "clip"}),
        (["--checkpoint", "fashion"], "people_other_model", {"name": "fashion"}),
        (["--checkpoint", "spiral"], "people_other_model", {"name": "spiral"}),
        (["--checkpoint", "clip"], "people_other_model", {"name": "clip"}),
        (["--checkpoint", "people-judge"], "people_other_model", {"name": "people-judge"}),
        (["--checkpoint", "nothing-of-the-kind"], "no_model", {}),
    ],
)
def test_what_cannot_be_evaluated_ends_as_a_sentence(model, arguments, code, values, ends):
    places = {"32": str(model / "32")}
    with ends(code, **values):
        main(["evaluate", "people", "--checkpoint", str(model / "16"), *(places.get(word, word) for word in arguments)])


def test_a_flag_that_does_not_exist_is_named(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "people", "--wings", "yes"])
    assert "--wings" in capsys.readouterr().err
