"""Who a visitor is to the registry of runs."""

import hashlib
import secrets
from itertools import cycle

import streamlit as st


def viewer() -> str:
    """Who this visitor is to the registry: the browser, so that a reload is no second viewer; else a random name."""
    if "_viewer" not in st.session_state:
        st.session_state["_viewer"] = browser(st.context.cookies.get("_streamlit_xsrf")) or secrets.token_urlsafe(8)
    return st.session_state["_viewer"]


def browser(cookie: object) -> str | None:
    """A name for the browser with this cookie "2|mask|masked token|time": the server masks its token anew each time."""
    try:
        _, mask, masked, made = cookie.split("|")
        token = bytes(a ^ b for a, b in zip(bytes.fromhex(masked), cycle(bytes.fromhex(mask)), strict=False))
    except (AttributeError, TypeError, ValueError):
        return None
    return hashlib.sha256(token + made.encode()).hexdigest()
