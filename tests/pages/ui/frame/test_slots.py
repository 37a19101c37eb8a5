"""How many runs train at once: by the environment, else by the cores of the machine and the share of a container."""

import logging

import pytest

from pages.ui.frame import slots as module
from pages.ui.frame.slots import cores, slots


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    slots.cache_clear()
    yield
    slots.cache_clear()


def test_the_environment_says_how_many_runs_train_at_once(monkeypatch):
    monkeypatch.setenv("RUN_SLOTS", " 7 ")
    assert slots() == 7


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "9" * 5000, "²", "257"])
def test_a_bad_number_is_named_in_one_line_and_the_cores_count(monkeypatch, caplog, value):
    monkeypatch.setenv("RUN_SLOTS", value)
    with caplog.at_level(logging.ERROR):
        assert slots() == cores()
    (record,) = caplog.records
    assert "RUN_SLOTS" in record.message and "\n" not in record.message and not record.exc_info


@pytest.mark.parametrize("quota, expected", [("100000 100000", 1), ("150000 100000", 2), ("max 100000", 4), ("", 4)])
def test_a_container_has_no_more_cores_than_its_share(monkeypatch, tmp_path, quota, expected):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(module, "QUOTA", tmp_path / "cpu.max")
    if quota:
        module.QUOTA.write_text(quota)
    assert cores() == expected
