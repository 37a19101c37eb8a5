"""What a page draws as HTML: its blocks and elements, from top to bottom, without what needs Python."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from streamlit.proto.Block_pb2 import Block as Proto
from streamlit.testing.v1.element_tree import Block, Node

from core.figures import palette
from core.figures.scene import Scene
from core.problems import Problem
from pages.site import markdown
from pages.site.visits import children, key_of, walk
from pages.ui.frame import text
from pages.ui.frame.mathml import mathml
from pages.ui.frame.text import t

SKIPPED = ("heading", "switches", "tasks", "lecture", "commands")  # by key: the file has its own, or they need Python
REGIONS = {"controls": "controls", "question": "controls", "picture": "picture"}  # by key: the part that each becomes
NAMES = ("show", "lang", "predictions", "present")  # controls that are links and buttons of the file
SILENT = {
    "download_button", "link_button", "file_uploader", "progress", "empty", "spinner", "popover", "toast",
    "skeleton", "transient",
}  # fmt: skip
TERM = re.compile(r"(?<![\w-])term-")  # begins the name of each explanation, which is one of its view
LINK = re.compile(r'<a href="(\w+)\?([^"]*)" target="_blank">')
HORIZONTAL = Proto.FlexContainer.HORIZONTAL
DARK = {role.light: role.dark for role in palette.ROLES.values()}
STYLE = re.compile(r'style="[^"]*"')


@dataclass(frozen=True)
class View:
    """Where what is drawn belongs: a page, and one of its views. ``figure`` gives the HTML of the packed bytes of a
    scene, ``chart`` that of a scene that is no film."""

    page: str
    name: str
    figure: Callable[[bytes], str]
    chart: Callable[[Scene], str]


@dataclass(frozen=True)
class Parts:
    """The parts of a view as HTML: beside the picture, the picture, and below it."""

    side: str
    picture: str
    below: str


def parts(root: Block, view: View) -> Parts:
    """The parts of a page as it stands."""
    found: dict[str, list[str]] = {"controls": [], "picture": [], "": []}

    def place(node: Node, part: str = "") -> None:
        part = REGIONS.get(key_of(node), part)
        if any(key_of(below) in REGIONS for below in walk(node)):
            for child in children(node):
                place(child, part)
        elif body := render(node, view):
            found[part].append(body)

    place(root)
    return Parts(*("\n".join(found[part]) for part in ("controls", "picture", "")))


def render(node: Node, view: View) -> str:
    """A block or an element as HTML; "" for one that needs Python. Raises Problem for one that is not known."""
    key = key_of(node)
    if key in SKIPPED or key in NAMES or key.startswith("predict_") or node.type in SILENT:
        return ""
    if draw := RENDER.get(node.type):
        return draw(node, view)
    if not isinstance(node, Block):
        raise Problem("site_element", page=view.page, kind=node.type)
    if _is_line(node):
        return _line(node, view)
    inside = _all(children(node), view)
    return f'<div class="st-key-{key}">{inside}</div>' if inside and key else inside


def _all(nodes: Iterable[Node], view: View) -> str:
    return "\n".join(filter(None, (render(node, view) for node in nodes)))


def _is_line(node: Block) -> bool:
    """Whether a block sets its elements side by side, and no block among them is more than that."""
    blocks = [below for below in walk(node) if isinstance(below, Block)]
    beside = node.type == "flex_container" and node.proto.flex_container.direction == HORIZONTAL
    return beside and not any(key_of(block) or block.type not in ("flex_container", "column") for block in blocks)


def _line(node: Block, view: View) -> str:
    """Elements side by side. A control whose label is hidden is named by the text before it."""
    shown, named = [], False
    for one in walk(node):
        if isinstance(one, Block):
            continue
        if one.type in CHOSEN and named and one.proto.label_visibility.value:
            shown.append(_value(one))
        else:
            shown.append(render(one, view))
        named = named or one.type == "markdown"
    return f'<div class="line">{"".join(shown)}</div>' if any(shown) else ""


def adapt(body: str, view: View) -> str:
    """HTML of a page for its file: colours in both themes, links to other files, explanations named after the view."""
    body = LINK.sub(lambda found: f'<a href="{address(found[1], html.unescape(found[2]))}">', body)
    body = STYLE.sub(lambda found: re.sub("#[0-9a-f]{6}", _in_both_themes, found[0]), body)
    return TERM.sub(f"{view.name}-term-", body)


def _in_both_themes(found: re.Match) -> str:
    return f"light-dark({found[0]},{DARK[found[0]]})" if found[0] in DARK else found[0]


def address(page: str, query: str = "") -> str:
    """The file of a page, and the parameters of its address in the fragment."""
    given = "&".join(part for part in query.split("&") if part and not part.startswith("lang="))
    return html.escape(f"{page}.html#{given}" if given else f"{page}.html")


# Elements


def _text(node: Node, view: View) -> str:
    if re.match(r'\s*<(style|span id="picture"|a class="skip")', node.value):
        return ""
    body = markdown.to_html(node.value)
    verdict = f"<strong>{_first_words('frame.predict.asked')}</strong>" in body
    return body.replace('class="message', 'class="verdict message') if verdict else body


def _first_words(key: str) -> str:
    """What a sentence begins with in bold."""
    return text.entry(key).split("**")[1]


def _caption(node: Node, view: View) -> str:
    return f'<div class="caption">{markdown.to_html(node.value)}</div>'


def _heading(node: Node, view: View) -> str:
    return f"<h2>{markdown.inline(node.value)}</h2>"


def _formula(node: Node, view: View) -> str:
    return f'<div class="formula" tabindex="0">{mathml([(node.value.strip().strip("$").strip(), "")])}</div>'


def _code(node: Node, view: View) -> str:
    return f'<pre tabindex="0"><code>{html.escape(node.value)}</code></pre>'


def _folded(node: Node, view: View) -> str:
    inside = _all(children(node), view)
    label = markdown.inline(node.label)
    return f"<details><summary>{label}</summary>{inside}</details>" if inside else ""


def _component(node: Node, view: View) -> str:
    if not node.proto.component_name.startswith("stage_player"):
        return ""
    return view.figure(node.proto.bytes)


def _chart(node: Node, view: View) -> str:
    """A chart, by the scene of the same curves that its menu exports."""
    return view.chart(node.root.session_state[f"{key_of(node)}-scene"]())


def _link(node: Node, view: View) -> str:
    proto = node.proto
    return f'<a class="lead" href="{address(proto.page or "home", proto.query_string)}">{html.escape(proto.label)}</a>'


def _button(node: Node, view: View) -> str:
    """The button to the next scene; others are not known here."""
    if key_of(node) != "_next":
        return ""
    return f'<button type="button" class="lead" data-next>{html.escape(node.proto.label)}</button>'


# Controls: what they are set to


def _setting(node: Node, view: View) -> str:
    chosen = _value(node)
    return f'<p class="setting"><span>{markdown.inline(node.proto.label)}</span> {chosen}</p>' if chosen else ""


def _value(node: Node) -> str:
    """What a control is set to; "" for one that has no effect, and for an empty text."""
    chosen = "" if node.proto.disabled else CHOSEN[node.type](node)
    return f"<b>{html.escape(chosen)}</b>" if chosen else ""


def _options(node: Node) -> str:
    chosen = node.value if isinstance(node.value, list | tuple) else [node.value]
    return t("frame.comma").join(node.format_func(each) for each in chosen)


CHOSEN: Mapping[str, Callable[[Node], str]] = {
    "selectbox": _options,
    "radio": _options,
    "select_slider": _options,
    "multiselect": _options,
    "button_group": _options,
    "slider": lambda node: f"{node.value:g}",
    "number_input": lambda node: f"{node.value:g}",
    "toggle": lambda node: t(f"site.{'on' if node.value else 'off'}"),
    "checkbox": lambda node: t(f"site.{'on' if node.value else 'off'}"),
    "text_input": lambda node: node.value,
    "text_area": lambda node: node.value,
}
RENDER: Mapping[str, Callable[[Node, View], str]] = {
    "markdown": _text,
    "caption": _caption,
    "header": _heading,
    "latex": _formula,
    "code": _code,
    "expander": _folded,
    "bidi_component": _component,
    "plotly_chart": _chart,
    "page_link": _link,
    "button": _button,
    **dict.fromkeys(CHOSEN, _setting),
}
