"""Files that the browser keeps, without a browser: what Python hands it, and what it believes of the answers."""

import base64
import json

import pytest

from core.models.points import PointConfig
from pages.ui.frame import stored
from tests.pages.test_training import archive, upload

SESSION, CONTENT = "0123456789abcdef", b"1,2\n3,4\n5,6\n"


def told(app) -> list[list]:
    """What the browser is told about files."""
    parts = [part.proto for part in app.get("bidi_component")]
    return [json.loads(part.json)[1:] for part in parts if part.component_name.startswith("stored")]


def written(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.slow
def test_a_good_small_file_is_kept_a_large_or_bad_one_is_not_and_a_removed_one_is_forgotten(open_page):
    app = open_page("training", data="csv")
    key = "_upload_csv"
    assert told(app) == [[key, "ask"]]
    assert told(upload(app, key, b"x,y\na,b\n")) == [] and app.error
    assert told(upload(app, key, CONTENT)) == [[key, "write", "file.csv", written(CONTENT)]]
    app.button(key=f"{key}_remove").click().run()
    assert told(app) == [[key, "remove"]]
    large = "".join(f"{i},{i % 7}\n" for i in range(150_000)).encode()
    assert told(upload(app, key, large)) == [[key, "remove"]] and not app.error


@pytest.mark.slow
def test_a_good_model_is_kept_and_one_that_the_browser_kept_is_loaded_when_it_is_asked_for(open_page):
    key, model = "_load_training", archive(PointConfig(seed=3), "rings")
    app = upload(open_page("training", guess="extent_first"), key, b"no model")
    assert told(app) == [] and app.error
    assert told(upload(app, key, model)) == [[key, "write", "file.zip", written(model)]] and not app.error
    other = open_page("training", guess="extent_first")
    other.session_state["_stored"] = {key: stored.Field(stored.Upload("file.zip", model), kept=True)}
    assert "data" not in other.run().query_params
    other.button(key="_load_again").click().run()
    assert not other.error and other.query_params["data"] == "rings" and told(other) == []


@pytest.mark.parametrize(
    "sent",
    [None, 7, [SESSION, "a.csv"], ["another session", "a.csv", written(CONTENT)], [SESSION, ["a"], written(CONTENT)],
     [SESSION, "a.csv", "no base64!"], [SESSION, "a.csv", "A" * (2 * stored.MOST + 1)], [SESSION, "a.csv", None]],
)  # fmt: skip
def test_what_a_browser_sends_is_taken_only_if_it_is_a_small_file_for_this_session(sent):
    assert stored._read(sent, SESSION) is None


def test_a_file_comes_back_as_it_was():
    found = stored._read([SESSION, "a.csv", written(CONTENT)], SESSION)
    assert (found.name, found.content) == ("a.csv", CONTENT)
