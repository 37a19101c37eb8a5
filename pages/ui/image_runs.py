"""Image models of one's own: the digits learned live in the page, the command for a bigger model, a run followed."""

from collections.abc import Callable, Sequence

from streamlit.delta_generator import DeltaGenerator

from core.checkpoints import Checkpoint

NOTES: Sequence[tuple[str, str]] = ()  # for shell.notes
CODE: Sequence[Callable] = ()  # for shell.code


def show(controls: DeltaGenerator, picture: DeltaGenerator) -> bool:
    """Draw the scene "Train" into the two columns of ``shell.picture``; whether digits were trained until they can be
    read. Its parameters in the address are its own: train, net, lr, seed_net, ..., run."""
    return False


def models() -> dict[str, Callable[[], Checkpoint]]:
    """Image models that this visitor trained, brought as a file or loaded from a run on the server, by the name that a
    choice shows; called, each gives its weights as they are now. One's data are ``config["data"]``: name, side, classes;
    a name that is not shipped is to be taken for a label, never for a path."""
    return {}
