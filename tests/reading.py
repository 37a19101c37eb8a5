"""What a test without a browser reads off a page: its stage, its segmented controls, its tasks."""

import json
import re
import struct

from streamlit.testing.v1 import AppTest


def header(app: AppTest) -> dict:
    """The header of the page's first stage: its panels, their layers, its text alternative. The page has no error."""
    assert not app.exception and not app.error
    parts = [part.proto for part in app.get("bidi_component")]
    sent = next(part.bytes for part in parts if part.component_name.startswith("stage_player"))
    return json.loads(sent[4 : 4 + struct.unpack("<I", sent[:4])[0]])


def panels(app: AppTest) -> dict[str, dict]:
    """The panels of the stage by their title."""
    return {panel["title"]: panel for panel in header(app)["panels"]}


def layers(panel: dict) -> list[str]:
    """The kinds of a panel's layers, from below."""
    return [layer["kind"] for layer in panel["layers"]]


def group(app: AppTest, key: str):
    """The segmented control of that key."""
    return next(part for part in app.get("button_group") if part.key == key)


def small_print(app: AppTest) -> list[str]:
    """The small print of the page, as text: without the explanations of its terms, without tags."""
    return [without_entries(part.value) for part in app.caption]


def texts(app: AppTest) -> list[str]:
    """The texts of the page: without the explanations of its terms, without tags."""
    return [without_entries(part.value) for part in app.markdown]


def messages(app: AppTest, kind: str) -> list[str]:
    """The messages of a kind (success, info or warning) on the page, as text: without explanations and tags."""
    said = [part.value for part in app.markdown if f'<div class="message {kind}"' in part.value]
    return [re.sub(r"^:material/\w+: ", "", without_entries(each).strip()) for each in said]


def without_entries(said: str) -> str:
    """What a text of the page says, without tags and without the explanations of its terms, which may hold spans."""
    return re.sub(r'<span class="entry"(<span.*?</span>|.)*?</span>|<[^<>]*>', "", said, flags=re.DOTALL)


def done(app: AppTest) -> list[bool]:
    """Which tasks are done."""
    text = "\n".join([element.value for element in app.markdown] + [element.proto.body for element in app.get("html")])
    return [part.startswith(' class="done"') for part in text.split("<li><span")[1:]]


def tasks(app: AppTest) -> dict[str, bool]:
    """Which tasks are done, by name."""
    page = "\n".join([element.value for element in app.markdown] + [element.proto.body for element in app.get("html")])
    return {name: state == "done" for state, name in re.findall(r'<span class="(done|open)" data-task="(\w+)"', page)}
