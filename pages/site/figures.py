"""The scenes of the site as script files: a page opened from disk may load scripts, and may not read other files.

A file is named after what it holds. The arrays of a scene are the same in every language and stand in one file; its
header, with all of its texts, stands in another.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from core.figures.scene import Scene
from pages.ui.frame import text
from pages.ui.stage.packing import pack

TURN = 8  # bytes at the end of what the player is given: the number of the update


@dataclass
class Figures:
    """The folder of the data, and which files it has."""

    folder: Path
    files: set[str] = field(default_factory=set)

    def figure(self, packed: bytes, key: str) -> str:
        """The place of a scene in a page, as HTML; its data, as they were sent to the player, go to the folder. ``key``
        is its name among the scenes of the page."""
        header, arrays = unpack(packed)
        header["key"] = key
        alt = html.escape(header.get("alt", ""))
        names = [self._write(part) for part in (_packed(header), arrays)]
        return f'<div class="figure" data-parts="{" ".join(names)}"><noscript>{alt}</noscript></div>'

    def chart(self, scene: Scene, key: str) -> str:
        """The place of a scene that the page draws as a chart."""
        data = pack(scene.panels, scene.clock, key=key, alt=scene.alt, fps=scene.fps, language=text.language.get())
        return self.figure(data + bytes(TURN), key)

    def _write(self, part: bytes) -> str:
        name = hashlib.sha256(part).hexdigest()[:16]
        if name not in self.files:
            self.files.add(name)
            body = base64.b64encode(zlib.compress(part, 9)).decode()
            (self.folder / f"{name}.js").write_text(f'siteData("{name}","{body}")\n', "utf-8")
        return name


def unpack(packed: bytes) -> tuple[dict, bytes]:
    """The header of what a player was sent, and its arrays."""
    (size,) = struct.unpack_from("<I", packed)
    return json.loads(packed[4 : 4 + size]), packed[4 + size : -TURN]


def _packed(header: dict) -> bytes:
    """A header as the player reads it, its length first."""
    body = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    body += b" " * (-len(body) % 4)
    return struct.pack("<I", len(body)) + body
