"""The home page below its picture: the chapters, what trains on this server, how to cite and to present it."""

import subprocess
import sys
from collections import Counter
from functools import cache
from importlib import import_module

import streamlit as st

from pages.ui.frame import shell
from pages.ui.frame.text import t


def census() -> Counter[str]:
    """How many training runs this server has by status. Whose they are and of what is not shown to others."""
    # Before the first visitor of its page nothing trains, and PyTorch need not be loaded.
    return import_module(shell.RUNS).jobs().census() if shell.RUNS in sys.modules else Counter()


@shell.fragment(run_every=5)
def on_this_server() -> None:
    """What trains here now, in one line that is renewed."""
    count = census()
    statuses = ("running", "queued", "paused", "finished")
    counts = ", ".join(t(f"home.census.{status}", runs=count[status]) for status in statuses if count[status])
    shell.prose(t("home.census.models", counts=counts) if counts else t("home.census.none"))


@cache
def version() -> str:
    """The version of the source that draws the pictures, "-dirty" at its end where files were changed; empty where Git
    does not keep it."""
    command = ["git", "describe", "--always", "--tags", "--dirty"]
    try:
        return subprocess.run(command, cwd=shell.ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def chapters() -> None:
    """A link to each chapter that there is, and the sentence that stands at its head."""
    st.header(t("home.chapters.heading"), anchor=False)
    for section, names in shell.SECTIONS.items():
        shell.prose(f"**{t(f'frame.sections.{section}')}**")
        for name in names:
            link, sentence = st.columns([1, 4], gap="small", vertical_alignment="center")
            link.page_link(shell.page_of(name), label=shell.title_of(name))
            with sentence:
                shell.prose(t(f"{name}.sentence"))


def draw() -> None:
    """The chapters, what trains on this server, how to cite the figure, how to present it."""
    changed = t("home.lecture.changed") if version().endswith("-dirty") else ""
    name = version().removesuffix("-dirty") + changed
    source = t("home.lecture.version", app=t("frame.title"), version=name) if name else t("frame.title")
    with st.container(key="chapters", gap="small", width=1000):
        chapters()
    with st.container(key="lecture", gap="small", width=1000):
        st.header(t("home.census.heading"), anchor=False)
        on_this_server()
        st.header(t("home.lecture.heading"), anchor=False)
        shell.prose(t("home.lecture.cite"))
        st.code(
            t("home.lecture.citation", source=source, address=shell.address_to_share()), language=None, wrap_lines=True
        )
        shell.prose(t("home.lecture.present"))
        shell.prose(t("home.lecture.class"))
