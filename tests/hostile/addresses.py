"""Addresses that nobody would type: values that a control cannot have, of every length and kind."""

from collections.abc import Iterator
from importlib import import_module
from random import Random
from urllib.parse import quote, urlencode

from pages.ui.frame import chapters, controls, links
from tests.fuzz import material

ODD = (
    "inf",
    "-inf",
    "Infinity",
    "nan",
    "NaN",
    "1e400",
    "-1e400",
    "1e308",
    "1e-400",
    "-0",
    "0x10",
    "1_0",
    "１",
    "٣",
    "9" * 400,
    "99999999999999999999",
    "-1",
    "1e18",
    "2.5",
    "",
    " ",
    " 1 ",
    "1,2",
    "inf,inf",
    "nan,0",
    "1e400,0",
    ",",
    ",,,",
    "1,2,3,4",
    "0,nan,0,1",
    "true",
    "None",
    "null",
    "[]",
    "{}",
    "\0",
    "a\0b",
    "\r\nSet-Cookie: a=b",
    "\u202e",
    "\ufeff",
    "e\u0301" * 40,
    "💥" * 50,
    "<script>alert(1)</script>",
    "[x](http://a.org)",
    "![x](http://a.org/a.png)",
    "`a`",
    "$x^2$",
    "<img src=x>",
    ":material/error:",
    "%00",
    "%25",
    "%ff",
    "../../etc/passwd",
    "/dev/zero",
    "__class__",
    "{0.__class__}",
    "%s%n",
    "A" * 3,
    "AAA.AAA",
    "." * 99,
    "___",
    "a" * 7_999,
    "a" * 8_001,
    "1" * 100_000,
    "1," * 50_000,
    "AAA" * 20_000,
)
"""Values for any control."""


def pages() -> dict[str, dict[str, links.Control]]:
    """The pages that have controls, each with all that its address may hold."""
    found = {}
    for page in chapters.present():
        config = getattr(import_module(f"pages.ui.lessons.{page}"), "Config", None)
        found[page] = {**(links.controls(config) if config else {}), **controls.COMMON, **links.BROWSER}
    return found


def addresses(number: int) -> tuple[str, str]:
    """The address of that number: a page, and the text of its parameters."""
    chance, known = Random(f"link {number}"), pages()
    page = chance.choice(list(known))
    given = [parameter(chance, known[page]) for _ in range(chance.choice([1, 1, 2, 4, 9]))]
    if chance.random() < 0.5 and "show" in known[page]:
        given.append(("show", str(chance.choice(known[page]["show"].choices))))
    if chance.random() < 0.05:
        given += [(f"x{k}", "1") for k in range(chance.choice([50, 3_000]))]
    if chance.random() < 0.3:
        given.append(("predictions", "false"))
    query = urlencode(given, errors="surrogatepass", quote_via=chance.choice([quote, lambda text, *_: text]))
    if chance.random() < 0.05:
        query = chance.choice(["&&&", "=", "?", "%", "%zz=%", query * 20, query.replace("=", ""), "\udc80=1"])
    return page, query.encode("utf-8", "replace").decode()


def parameter(chance: Random, known: dict[str, links.Control]) -> tuple[str, str]:
    """The name of a parameter, mostly one of the page, and a value, mostly one that it cannot have."""
    name = (
        chance.choice(list(known)) if chance.random() < 0.9 else chance.choice(["hide", "fix", "open", "Show", "", "é"])
    )
    if name in known and chance.random() < 0.3:
        return name, next(possible(chance, known[name]))
    return name, chance.choice(ODD) if chance.random() < 0.8 else material.text(chance, 40, everything=False)


def possible(chance: Random, control: links.Control) -> Iterator[str]:
    """Values that a control can have, at its ends where it has ends."""
    while True:
        if isinstance(control, links.Choice) and control.choices:
            yield control.write(chance.choice(control.choices)) if type(control) is links.Choice else "0"
        elif isinstance(control, links.Number):
            yield control.write(type(control.default)(chance.choice([control.low, control.high, control.default])))
        else:
            yield chance.choice(["true", "a", "0,0", "0.5", "猫"])
