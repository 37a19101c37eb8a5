"""Links as QR codes."""

import xml.etree.ElementTree as ET

import pytest
import segno

from core.problems import Problem
from pages.ui.lecture import qr


def test_a_code_is_an_svg_that_is_titled_with_its_link_and_takes_any_size():
    link = 'http://10.0.0.5:8501/guidance?show=eight_scales&word=帽子"<'
    root = ET.fromstring(qr.svg(link))
    assert root.tag.endswith("}svg") and "viewBox" in root.attrib and "width" not in root.attrib
    assert root.findtext("{*}title") == link
    assert root.get("viewBox").split()[2] == str(segno.make_qr(link).symbol_size()[0])  # with its quiet border


def test_a_link_that_no_code_holds_is_one_problem():
    with pytest.raises(Problem) as caught:
        qr.svg("http://a/?" + "x" * 2944)
    assert caught.value.code == "qr_too_long" and "2,954" in str(caught.value)
    assert qr.svg("http://a/?" + "x" * 2943)
