"""Files that the browser keeps, without a browser: what Python hands it, and what it believes of the answers."""

import base64
import json

import pytest

from pages.ui.frame import stored
from tests.pages.test_training import upload

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
