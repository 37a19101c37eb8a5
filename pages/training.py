"""Chapter 2."""

from pages.ui import shell

shell.require_shell()
shell.chapter(2, "Training", "To be written.")
controls, picture = shell.picture()
with controls:
    seed = shell.slider("Seed", 0, 9, 5, key="seed")
with picture:
    shell.st.write("seed", seed)
shell.finish()
