"""The value that a component last sent from the browser."""

from typing import Any

import streamlit as st


def latest(key: str, name: str, requested: Any) -> Any:
    """Of what the page asks for and what the learner last sent under ``name`` from component ``key``, the newer one."""
    sent = (st.session_state.get(key) or {}).get(name)
    memory = f"{key}-{name}"
    before_asked, before_sent, newest = st.session_state.get(memory, (None, None, None))
    if sent is None or (requested != before_asked and sent == before_sent):
        newest = requested
    elif sent != before_sent:
        newest = sent
    st.session_state[memory] = (requested, sent, newest)
    return newest


def nothing() -> None:
    """Streamlit keeps a component's state only under names that have a callback."""
