"""``python -m core``: the command line (see ``core.cli``)."""

from core.cli import interrupts

with interrupts.at_once():  # PyTorch takes seconds
    from core.cli.commands import main

if __name__ == "__main__":
    interrupts.to_the_end(main)
