"""The glossary: every term of the chapters, which can be searched."""

from pages.ui.frame import shell
from pages.ui.lessons import glossary
from pages.ui.lessons.glossary import Config

shell.require_shell()
shell.chapter("glossary", Config)
glossary.draw()
shell.finish()
