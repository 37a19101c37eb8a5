"""Copies among samples of people, and the people that a run was trained on."""

from itertools import islice

import pytest
import torch

from core.data.images import unit
from core.data.people import PeopleSet, is_held_out
from core.lessons import memorization as lesson
from core.models import images as image_model
from core.models import memorization
from core.models.images import ImageConfig
from core.pretrained import PEOPLE_CONFIGS, is_shipped, pretrained

CONFIG = ImageConfig(size="tiny", batch=8, steps=3, label_dropout=1.0)
shipped = pytest.mark.parametrize("name", list(filter(is_shipped, PEOPLE_CONFIGS)))


def checkpoint(data: PeopleSet, steps: int = 0):
    made = image_model.new_checkpoint(CONFIG, data)
    for _ in islice(image_model.run(CONFIG, data, made.state), steps):
        pass
    return made


def test_neighbours_among_parts_are_those_among_all():
    samples, known = torch.randn(20, 3, 4, 4), torch.randn(50, 3, 4, 4)
    parts, whole = memorization.neighbours(samples, known.split(7)), memorization.neighbours(samples, [known])
    assert torch.equal(parts.nearest, whole.nearest) and torch.allclose(parts.distances, whole.distances, atol=1e-5)
    assert torch.equal(whole.nearest, known[torch.cdist(samples.flatten(1), known.flatten(1)).argmin(1)])


def test_a_training_picture_is_a_copy_and_another_person_is_not():
    data = PeopleSet(n=20)
    known, other = unit(data.people.images), unit(PeopleSet(n=20, seed=1).people.images)
    found = memorization.neighbours(torch.cat([known, other]), [known])
    assert found.copied.tolist() == [True] * 20 + [False] * 20


@pytest.mark.parametrize("n", [5, None])
def test_the_people_that_a_run_was_trained_on_are_those_of_its_batches(n):
    data = PeopleSet(n)
    made, batches = checkpoint(data, steps=3), image_model.batches(CONFIG, data)
    known = torch.cat([unit(part.images) for part in memorization.training_people(made, data)])
    assert len(known) == (n or 12)
    drawn = torch.cat([batches(step)[0] for step in range(3)])
    assert (
        torch.cdist(drawn.flatten(1), known.flatten(1), compute_mode="donot_use_mm_for_euclid_dist").amin(1).max() == 0
    )
    assert not is_held_out(torch.cat([part.attributes for part in memorization.training_people(made, data)])).any()


@pytest.mark.slow
def test_both_losses_of_an_untrained_network_are_those_of_data_of_one_kind():
    losses = memorization.train_and_test_loss(checkpoint(data := PeopleSet()), data)
    assert losses["train"] == pytest.approx(losses["test"], rel=0.05)


@shipped
def test_a_shipped_model_of_so_many_people_was_made_by_the_configuration_that_is_committed(name):
    n, config = PEOPLE_CONFIGS[name]
    made = pretrained(name)
    assert image_model.config_of(made.config) == config and made.state.step == config.steps
    assert made.config["data"]["n"] == (n or 0)


def test_few_pictures_are_copied_and_many_are_not():
    reports = {count: lesson.memorised_people(count).report for count in lesson.known_people()}
    assert reports["10"].copied >= 0.95 and reports["10"].test_loss > 10 * reports["10"].train_loss
    assert reports["endless"].copied == 0 and reports["endless"].held_out > 0.1
    assert reports["endless"].test_loss < 1.05 * reports["endless"].train_loss
    assert [report.copied for report in reports.values()] == sorted((r.copied for r in reports.values()), reverse=True)


@pytest.mark.slow
def test_the_table_has_a_row_for_each_model_and_few_people_come_first():
    made = {str(n): checkpoint(PeopleSet(n), steps=1) for n in (None, 5)}
    head, *rows = memorization.table(made, n=3)
    assert [row[1] for row in rows] == ["5", "endless"] and all(len(row) == len(head) for row in rows)
