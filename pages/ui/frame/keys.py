"""The keys of a lecture: a component that listens to the whole document, and the list of the keys.

``keys.js`` says which key does what. Pressed keys reach the server only as clicks on the page's own buttons.
"""

import json
from pathlib import Path

import streamlit as st

from pages.ui.frame import text

HERE = Path(__file__).parent
BODY = """
<div class="parts" hidden>
  <button type="button" name="controls" data-part="drawer"></button>
  <button type="button" name="notes" data-part="notes"></button>
  <button type="button" name="listed"></button>
</div>
<dialog><h2></h2><table><tbody></tbody></table><button type="button" name="close"></button></dialog>
"""


def listen(presenting: bool, view: str) -> None:
    """Listen to the keys of a page; those of a lecture only while it is presented. ``view`` names what the page shows:
    when it changes, what was revealed is hidden again."""
    _keys(key="keys", data=[text.language.get(), presenting, view], width="content")


def _source() -> str:
    """The component's code with its words in each language, so that they travel only once."""
    words = {}
    for language in text.languages():
        token = text.language.set(language)
        words[language] = text.entry("frame.keys")
        text.language.reset(token)
    return f"const WORDS = {json.dumps(words)}\n{(HERE / 'keys.js').read_text('utf-8')}"


_keys = st.components.v2.component("keys", html=BODY, css=(HERE / "keys.css").read_text("utf-8"), js=_source())
