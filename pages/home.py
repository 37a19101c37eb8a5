"""Chapter 0: the whole story in one picture."""

import streamlit as st

from core.figures import palette
from pages.ui import shell

shell.require_shell()
shell.chapter(0, "From noise to a spiral", "A model learns which way the data lie, and walks there from noise.")

controls, picture = shell.picture()
with controls:
    seed = shell.slider("Seed", 0, 99, 0, key="seed")
    view = shell.segmented("View", ["samples", "field"], default="samples", key="view")
    if shell.predict(
        "guess",
        "Where does a point of pure noise end?",
        ("at the mean of the data", "near one of the data points", "where it began"),
        1,
        "Each step follows the arrow to the denoised guess, and the guess sharpens as the noise falls.",
    ):
        steps = shell.slider("Steps", 1, 64, 16, key="steps")
        shell.explain("guess", seen=steps > 16)
with picture:
    st.html(f'<div style="height:560px;background:{palette.colour("grid", shell.theme())}22"></div>')

shell.notes([("data", "The **points** that the model was shown."), ("sample", "A **sample** on its way."),
             ("noise", "The **noise** that it starts from, $\\sigma\\varepsilon$.")])
shell.equation(
    [(r"\hat x_0", "denoise"), (r" = D(", None), ("x", "sample"), (r",\ \sigma)", None)],
    [("denoise", "where the data are, seen from here"), ("sample", "the point")],
)
shell.code(palette.colour)
shell.tasks([("Choose the seed 7.", seed == 7, "It is the first slider."), ("Look at the field.", view == "field", "")])
shell.finish()
