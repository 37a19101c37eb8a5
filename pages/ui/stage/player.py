"""The stage: one canvas player in the browser for everything that moves, all its panels on one clock.

A page makes a `Scene` and calls `show`. Its arrays are quantised (positions int16, arrows int8,
heat uint8, curves float32) and travel as one block of bytes; playing, scrubbing and zooming then happen in the browser
without another run of the script. Only a moved probe comes back, and the wish for a file.

The player's code goes over the wire once per session: the engine component defines it, and is large enough for
Streamlit to send only its hash from then on, while the component that carries the data has a stub of a few lines.
"""

import hashlib
import pathlib
import time
from collections.abc import Hashable
from functools import partial

import streamlit as st

from core.figures.scene import Scene
from pages.ui.frame import component, controls, text
from pages.ui.stage import exporting
from pages.ui.stage.packing import pack_scene
from pages.ui.stage.source import source


def show(
    scene: Scene,
    *,
    key: str,
    height: int | None = None,
    loop: bool = False,
    autoplay: bool = False,
    permalink: bool = False,
    restart: Hashable = None,
) -> tuple[float, float] | None:
    """Draw a scene and return the newest probe in data coordinates (None while there is none).

    Args:
        scene: what to draw. Its probe stands where the scene says until the learner moves it; a changed one moves it.
        key: the component's key.
        height: of a row of panels in CSS pixels; None: about half the window.
        loop, autoplay: how the clock plays.
        permalink: keep in the address how the picture stands, clock and zoom (at most one stage of a page).
        restart: a changed value puts the clock back to its start, and so does another scene of the page; other updates
            keep clock, zoom and probe.
    """
    place = component.latest(key, "probe", None if scene.probe is None else [round(float(v), 4) for v in scene.probe])
    data = pack_scene(
        scene, key=key, alt=scene.alt, height=height, probe=place, fps=scene.fps,
        loop=loop or None, autoplay=autoplay or None, permalink=permalink or None,
        restart=str((controls.shown(), restart)), view=controls.view() if permalink else None,
        language=text.language.get(),
    )  # fmt: skip
    with st.container(gap=None):
        _player(key=key, data=_in_turn(key, data), on_probe_change=component.nothing,
                on_export_change=partial(exporting.note, key))  # fmt: skip
        _engine(key=f"{key}-engine")
    probe = None if place is None else (float(place[0]), float(place[1]))
    exporting.ask_if_noted(scene, key, probe)
    return probe


def newest_probe(key: str, default: tuple[float, float] | None = None) -> tuple[float, float] | None:
    """Where the learner put the probe of stage ``key``, known before the stage is drawn; ``default`` until then."""
    sent = (st.session_state.get(key) or {}).get("probe")
    return (float(sent[0]), float(sent[1])) if sent else default


def take_probe(key: str, name: str) -> None:
    """Put the newest probe of stage ``key`` into the control ``name``: the address holds it, and the scene starts
    there. What the learner moved before an address said another place is older than it."""
    if has_new_probe(key):
        st.session_state[f"{key}-taken"] = newest_probe(key)
        controls.put(name, newest_probe(key))
    else:
        controls.use(name)


def has_new_probe(key: str) -> bool:
    """Whether the learner has moved the probe of stage ``key`` since ``take_probe``: so it is where a part of the page
    runs again alone, and the page has to follow."""
    sent = newest_probe(key)
    return sent is not None and sent != st.session_state.get(f"{key}-taken")


def _in_turn(key: str, data: bytes) -> bytes:
    """``data`` and after them a number that grows with each change: a browser still loading the player may hand on two
    updates in either order. Data that did not change keep their number, so that only their hash travels again."""
    memory, now = f"{key}-turn", hash(data)
    before, turn = st.session_state.get(memory, (None, 0))
    if now != before:
        turn = max(turn + 1, time.time_ns())  # an open page may meet a new server, and must not take it for late
        st.session_state[memory] = now, turn
    return data + turn.to_bytes(8, "little")


# The stub waits for the engine of the same version; whichever of the two arrives first makes the promise.
_promise = "((globalThis.__stageEngines ??= {{}}).{0} ??= Promise.withResolvers())"
_code = source(text.languages())
_promise = _promise.format("v" + hashlib.sha256(_code.encode()).hexdigest()[:12])
_engine = st.components.v2.component(
    "stage_engine", js=f"{_code}\n{_promise}.resolve(show);\nexport default () => {{}};\n"
)
_player = st.components.v2.component(
    "stage_player",
    js=f"const engine = {_promise};\n{(pathlib.Path(__file__).parent / 'stub.js').read_text('utf-8')}",
)
