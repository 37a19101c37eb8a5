"""Where students join a class and answer its questions. No chapter leads here; its address is the lecturer's QR code."""

from pages.ui.frame import shell

shell.require_shell()
shell.join()
