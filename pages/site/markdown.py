"""The Markdown of the pages as HTML: paragraphs, lists, tables, emphasis, links, formulas, and the HTML within."""

import html
import re
from itertools import groupby

from pages.ui.frame.mathml import mathml

TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
KEPT = re.compile(rf"\$\$?(?P<math>[^$]+)\$\$?|`(?P<code>[^`]+)`|\\(?P<sign>[^\w\s])|(?P<tag>{TAG.pattern})|&#?\w+;")
MARKUP = (
    (re.compile(r":material/\w+: ?"), ""),
    (re.compile(r":primary\[([^]]*)\]"), r'<span class="number">\1</span>'),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
    (re.compile(r"\[([^]]*)\]\(([^)]*)\)"), r'<a href="\2">\1</a>'),
)
ITEM = re.compile(r"(?:-|\d+\.) +(.*)", re.DOTALL)
BLOCK = re.compile(r"</?(?:div|ul|ol|table|figure|style|h\d)\b")
PRIVATE = 0xE000  # a character of Unicode's private area stands for each part that is kept as it is


def to_html(markdown: str) -> str:
    """A text of several blocks, which empty lines divide."""
    return "\n".join(_block(part.strip("\n")) for part in re.split(r"\n\s*\n", markdown) if part.strip())


def inline(markdown: str) -> str:
    """A text on one line."""
    kept: list[str] = []

    def keep(found: re.Match) -> str:
        kept.append(_as_html(found))
        return chr(PRIVATE + len(kept) - 1)

    line = html.escape(KEPT.sub(keep, markdown), quote=False)
    for pattern, tag in MARKUP:
        line = pattern.sub(tag, line)
    return re.sub(r"[\ue000-\uf8ff]", lambda found: kept[ord(found[0]) - PRIVATE], line)


def _as_html(found: re.Match) -> str:
    if found["math"]:
        return mathml([(found["math"].strip(), "")]).replace('display="block"', 'display="inline"')
    if found["code"]:
        return f"<code>{html.escape(found['code'])}</code>"
    return html.escape(found["sign"]) if found["sign"] else found[0]


def _block(part: str) -> str:
    lines = part.split("\n")
    if BLOCK.match(part):
        return inline(part)
    if lines[0].startswith("|"):
        return _table(lines)
    if ITEM.match(part):
        return "\n".join(_list(ordered, list(items)) for ordered, items in groupby(lines, lambda line: line[0] != "-"))
    return f"<p>{inline(part)}</p>"


def _list(ordered: bool, lines: list[str]) -> str:
    items = "".join(f"<li>{inline(ITEM.match(line)[1])}</li>" for line in lines)
    return f"<ol>{items}</ol>" if ordered else f"<ul>{items}</ul>"


def _table(lines: list[str]) -> str:
    """A table whose first column names the rows."""
    head, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    top = "".join(f'<th scope="col">{inline(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{inline(first)}</th>{"".join(f"<td>{inline(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return f'<div class="table" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
