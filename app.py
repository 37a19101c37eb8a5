"""The entry point: `streamlit run app.py`. The server imports this file once; each visit runs it as a script."""

import os

import streamlit as st

# Runs of many learners share the cores: two threads in one small matrix product only get in each other's way. PyTorch
# reads it when a page imports it, which on a fresh server may be before this file is run as a script.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if __name__ == "__main__":
    from pages import export
    from pages.ui.frame import shell, text
    from pages.ui.frame.warmup import warm_up

    shell.speak()
    st.set_page_config(page_title=text.t("frame.title"), page_icon="🌀", layout="wide")
    page = st.navigation(shell.navigation(), position="top")
    shell.show(page)
    export.draw_menu(page.url_path or "home")
    warm_up()
else:
    from pages.ui.frame import server

    app = st.App(__file__, middleware=server.MIDDLEWARE, lifespan=server.lifespan)
