"""``python -m core``: the command line (see ``core.cli``)."""

from core.cli.commands import main

if __name__ == "__main__":
    main()
