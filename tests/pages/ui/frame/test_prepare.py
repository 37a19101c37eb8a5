"""What a lecture shows next is computed before it is asked for."""

import logging
import threading

from pages.ui.frame import prepare
from pages.ui.lessons import guidance


def test_a_scene_is_computed_once_from_its_address_alone_also_where_a_page_asks_meanwhile():
    guidance.samples_of.cache_clear()
    guidance.SCENES["negative_prompt"](guidance.Config(show="negative_prompt", seed=6))
    alone = guidance.samples_of.cache_info().misses
    address = {"show": "negative_prompt", "seed": "7"}
    prepared = prepare.scene("guidance", address)
    guidance.SCENES["negative_prompt"](guidance.Config(show="negative_prompt", seed=7))
    prepared.result()
    assert alone and guidance.samples_of.cache_info().misses == 2 * alone
    assert prepare.scene("guidance", dict(reversed(address.items()))) is prepare.scene("guidance", address)


def test_a_scene_that_cannot_be_computed_is_noted_in_the_log_and_nowhere_else(monkeypatch, caplog):
    monkeypatch.setitem(guidance.SCENES, "beyond", lambda config: 1 / 0)
    with caplog.at_level(logging.ERROR):
        prepare.scene("guidance", {"show": "beyond", "seed": "8"}).result()
    assert "ZeroDivisionError" in caplog.text


def test_of_too_many_scenes_that_wait_the_first_are_given_up(monkeypatch):
    goes_on, computed = threading.Event(), []

    def compute(config: guidance.Config) -> None:
        assert goes_on.wait(60)
        computed.append(config.seed)

    monkeypatch.setitem(guidance.SCENES, "beyond", compute)
    seeds = range(100, 104 + prepare.WAITING)
    futures = [prepare.scene("guidance", {"show": "beyond", "seed": str(seed)}) for seed in seeds]
    goes_on.set()
    futures[-1].result()
    assert [future.cancelled() for future in futures].count(True) in (3, 4)  # the first may have begun at once
    assert set(seeds[-prepare.WAITING :]) <= set(computed)


def test_the_first_and_the_last_scene_of_a_page_are_known():
    assert prepare.first_scene("guidance") == "two_fields" and prepare.first_scene("lab") == ""
    assert prepare.last_scene("guidance") == "train_live" and prepare.last_scene("lab") == ""
