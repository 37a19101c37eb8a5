"""The entry point: `streamlit run app.py`."""

import streamlit as st

from pages.ui import shell
from pages.ui.warmup import warm_up

st.set_page_config(page_title="Diffusion, seen", page_icon="🌀", layout="wide")
shell.show(st.navigation(shell.chapters(), position="top"))
warm_up()
