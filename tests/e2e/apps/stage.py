"""A page with a stage, for the browser tests; the query parameter ``case`` picks what is on it."""

import streamlit as st

from pages.ui.stage import player
from tests.e2e.scene import FRAMES, scene

st.set_page_config(layout="wide")
st.session_state.runs = st.session_state.get("runs", 0) + 1
case = st.query_params.get("case", "all")
gain = st.slider("gain", 0, 10, 2, key="gain", bind="query-params")
shown = scene(case, FRAMES, gain, player.newest_probe("demo", (0.2, 0.1)))
returned = player.show(shown, key="demo", permalink=True)
st.text(f"runs {st.session_state.runs} probe {returned}")
