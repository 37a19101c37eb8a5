"""What a server process does once, beside its first visitor's page: import torch, warm it up, quieten the collector."""

import functools
import gc
import threading


@functools.cache
def warm_up() -> threading.Thread:
    """Start the warming once per process and return its thread; later calls return the same thread."""
    thread = threading.Thread(target=_warm, name="warm-up", daemon=True)
    thread.start()
    return thread


def _warm() -> None:
    import torch

    # Runs of many learners share the cores: two threads in one small matrix product only get in each other's way.
    torch.set_num_threads(1)
    # The first optimiser of a process imports for almost two seconds; nobody should wait for it at "Start".
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    # What is imported now lives as long as the process: the collector need not walk it again.
    gc.freeze()
