"""How a program in a terminal is asked to end: by Ctrl-C, by SIGTERM, or because the terminal is closed (SIGHUP)."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
TOGETHER = 1.0  # seconds; torchrun passes on a Ctrl-C that its processes had from the terminal, too
UNREAD = getattr(signal, "SIGPIPE", signal.SIGTERM)  # stands for an output that nobody reads any more
OUTPUTS = 1, 2  # file descriptors
SAID = (
    "The run ends after this step, once it is saved.",
    "The step is not over yet, or not saved. A third signal would end the run at once: {lost}.",
    "Ended at once: {lost}.",
)


@contextmanager
def at_once() -> Iterator[None]:
    """Let Ctrl-C end the program at once, without a traceback, as it does to one that has no work to save."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # a test's, or none: the program runs in the background
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, before)


def to_the_end(main: Callable[[], None]) -> None:
    """Run a program, and let Ctrl-C end it without a traceback also while Python takes it apart."""
    try:
        main()
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def requests(lost: Callable[[], str] | None) -> Iterator[list[int]]:
    """The signals by which the program was asked to end, in their order, which do not end it.

    The third one does, at once: SystemExit with the status that a shell gives to a program that this signal ended. At
    each the terminal says what happens; ``lost`` says what the third loses, None: nothing is said. Signals within a
    second of each other count once, and those that the program was started to ignore, as ``nohup`` does, are ignored.
    """
    received, last = [], -TOGETHER
    terminals = [output for output in OUTPUTS if os.isatty(output)]

    def receive(number: int, _: object) -> None:
        nonlocal last
        if received and time.monotonic() - last < TOGETHER:
            return
        received.append(number)
        last = time.monotonic()
        if number not in (signal.SIGINT, signal.SIGTERM):
            silence(terminals)
        if lost:
            say(SAID[min(len(received), len(SAID)) - 1].format(lost=lost()))
        if len(received) >= len(SAID):
            raise SystemExit(exit_status(number))

    before = {each: signal.getsignal(each) for each in SIGNALS}
    handled = {each: handler for each, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for each in handled:
        signal.signal(each, receive)
    try:
        yield received
    finally:
        for each, handler in handled.items():
            signal.signal(each, handler)


def exit_status(number: int) -> int:
    """The exit status that a shell gives to a program that was ended by a signal."""
    return 128 + number


def say(text: str) -> None:
    """Write a line to the terminal, if it is still there. Unlike ``print`` it may be called in the middle of one."""
    with suppress(OSError):
        os.write(OUTPUTS[1], f"\n{text}\n".encode())


def silence(outputs: list[int] | tuple[int, ...] = OUTPUTS) -> None:
    """Throw away what is written from now on: nobody reads it any more, and writing would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in outputs:
        os.dup2(nowhere, output)
    os.close(nowhere)
