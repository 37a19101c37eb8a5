"""Where students join a class and answer its questions. The lecturer's QR code leads here, and no chapter."""

from pages.ui.frame import shell

shell.require_shell()
shell.join()
