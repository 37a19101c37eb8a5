"""A page with a brush, for the browser tests: what was drawn comes back as text and through the address."""

import streamlit as st

from core.data.drawings import decode, encode
from pages.ui.widgets.brush import brush

st.session_state.runs = st.session_state.get("runs", 0) + 1
strokes = brush("draw", decode(st.query_params.get("drawing", "")))
st.button("again")
st.text(f"runs {st.session_state.runs} strokes {len(strokes)}")
st.code(encode(strokes))
