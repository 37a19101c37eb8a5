"""What a server process does once, soon after its first page: delete old classes, import torch, warm it up, freeze the
collector."""

import functools
import gc
import threading

from pages.ui.frame import classes


@functools.cache
def warm_up(after: float = 3.0) -> threading.Timer:
    """Warm this process up `after` seconds from now, once; later calls return the same thread.

    Importing torch holds the interpreter, which the server needs to hand the first visitor the parts of the page:
    begun at once, the warming makes that page some two seconds later.
    """
    timer = threading.Timer(after, _warm)
    timer.daemon = True
    timer.start()
    return timer


def _warm() -> None:
    import torch

    classes.delete_old()
    # The first optimiser of a process imports for almost two seconds; nobody should wait for it at "Start".
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    # What is imported now lives as long as the process: the collector need not walk it again.
    gc.freeze()
