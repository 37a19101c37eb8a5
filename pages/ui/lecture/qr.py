"""A link as a QR code, for the phones of a class."""

import io

import segno

from core.problems import Problem

MOST = 2953  # bytes that the largest code holds


def svg(link: str) -> str:
    """The smallest QR code of ``link`` as an ``<svg>`` element without a size of its own.

    It is black on white in every theme, as readers expect, with the quiet border of four modules that the standard
    asks for. The link is its title. Raises Problem for a link that no code can hold.
    """
    try:
        code = segno.make_qr(link)
    except segno.DataOverflowError as error:
        raise Problem("qr_too_long", length=len(link.encode()), most=MOST) from error
    file = io.BytesIO()
    code.save(file, kind="svg", xmldecl=False, svgns=True, omitsize=True, light="#fff", title=link, nl=False)
    return file.getvalue().decode()
