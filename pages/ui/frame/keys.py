"""The keys of a lecture: a component that listens to the whole document, and the list of the keys.

``keys.js`` says which key does what. Pressed keys reach the server only as clicks on the page's own buttons.
"""

import json
import time
from pathlib import Path

import streamlit as st

from pages.ui.frame import text

HERE = Path(__file__).parent
BODY = """
<div class="parts" hidden>
  <button type="button" name="controls" data-part="drawer"><span class="word"></span><kbd>C</kbd></button>
  <button type="button" name="notes" data-part="notes"><span class="word"></span><kbd>N</kbd></button>
  <button type="button" name="listed"><span class="word"></span></button>
</div>
<dialog>
  <h2></h2><table><tbody></tbody></table>
  <button type="button" name="close"><span class="word"></span></button>
</dialog>
"""


def listen(presenting: bool, view: str) -> None:
    """Listen to the keys of a page; those of a lecture only while it is presented. ``view`` names what the page shows:
    when it changes, what was revealed is hidden again."""
    now = [text.language.get(), presenting, view]
    before, turn = st.session_state.get("_keys", (None, 0))
    if now != before:  # numbered: of two instances the browser may call the one that leaves the page last
        turn = max(turn + 1, int(1000 * time.time()))
        st.session_state["_keys"] = now, turn
    _keys(key="keys", data=[*now, turn], width="content")


def _source() -> str:
    """The component's code with its words in each language, so that they travel only once."""
    words = {}
    for language in text.languages():
        token = text.language.set(language)
        words[language] = text.entry("frame.keys")
        text.language.reset(token)
    return f"const WORDS = {json.dumps(words)}\n{(HERE / 'keys.js').read_text('utf-8')}"


_keys = st.components.v2.component("keys", html=BODY, css=(HERE / "keys.css").read_text("utf-8"), js=_source())
