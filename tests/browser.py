"""The Chromium of the browser tests, found or installed: they are never skipped for want of a browser."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from playwright.sync_api import Browser, Playwright, sync_playwright

# No call leaves the machine: Chromium's own background traffic is switched off, so that what a test sees is the app's.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--js-flags=--max-semi-space-size=64",  # collects garbage less often: a page lives for seconds
)
# The first has no window: it takes four fifths of the processor that the others take without showing theirs.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoBrowser(RuntimeError):
    """There is no Chromium here and none could be installed; the message says what to do."""


@contextmanager
def browsing(*flags: str) -> Iterator[Browser]:
    """A headless Chromium with more flags if any are given, ended with the block. Raises NoBrowser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright), args=[*FLAGS, *flags])
        yield browser
        browser.close()


def chromium(playwright: Playwright) -> str:
    """Path of a Chromium: one on PATH, else Playwright's own, else one installed now. Raises NoBrowser.

    Of several processes that ask at once, one installs it and the others wait.
    """
    with FileLock(Path(tempfile.gettempdir()) / "chromium-for-tests.lock"):
        return _found_or_installed(playwright)


def _found_or_installed(playwright: Playwright) -> str:
    if found := _present(playwright):
        return found
    failures = []
    for command in _installers():
        print(f"no Chromium here; running: {' '.join(command)}", file=sys.stderr)
        outcome = subprocess.run(command, capture_output=True, text=True)
        if outcome.returncode:
            failures.append(f"{' '.join(command)}: {(outcome.stderr or outcome.stdout).strip()[-400:]}")
        elif found := _present(playwright):
            return found
    raise NoBrowser(
        "The browser tests need a Chromium and none could be installed. Put `chromium` or `google-chrome` on PATH, "
        "or run `python -m playwright install --with-deps chromium`, then start the tests again.\n"
        + "\n".join(failures)
    )


def _present(playwright: Playwright) -> str | None:
    on_path = next(filter(None, map(shutil.which, NAMES)), None)
    own = Path(playwright.chromium.executable_path)
    folder = own.parents[1]
    shells = folder.parent.glob(f"{folder.name.replace('chromium', 'chromium_headless_shell')}/*/*headless*shell*")
    return on_path or next((str(path) for path in (*shells, own) if path.is_file()), None)


def _installers() -> Iterator[list[str]]:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    # On Ubuntu the package of this name only starts a snap, which containers cannot run.
    if root and shutil.which("apt-get") and _distribution() == "debian":
        yield ["sh", "-c", "apt-get update && apt-get install -y --no-install-recommends chromium"]
    yield [sys.executable, "-m", "playwright", "install", *(["--with-deps"] if root else []), "chromium"]


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["ID"]
    except OSError:
        return ""
