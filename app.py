"""The entry point: `streamlit run app.py`. The server imports this file once; each visit runs it as a script."""

import os

import streamlit as st

if __name__ == "__main__":
    from pages import export
    from pages.ui.frame import shell, text
    from pages.ui.frame.warmup import warm_up

    # Read when a page imports torch, which may be before the warm-up does.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    shell.speak()
    st.set_page_config(page_title=text.t("frame.title"), page_icon="🌀", layout="wide")
    page = st.navigation(shell.navigation(), position="top")
    shell.show(page)
    export.draw_menu(page.url_path or "home")
    warm_up()
else:
    from pages.ui.frame import server

    app = st.App(__file__, middleware=server.MIDDLEWARE, lifespan=server.lifespan)
