"""The Markdown of the pages as HTML."""

import pytest

from pages.site import markdown


@pytest.mark.parametrize(
    "text, shown",
    [
        ("One **bold** *word*.", "<p>One <strong>bold</strong> <em>word</em>.</p>"),
        ("w < 1 & `a_b*c*`", "<p>w &lt; 1 &amp; <code>a_b*c*</code></p>"),
        (r"\*no\* emphasis &emsp; \<here\>", "<p>*no* emphasis &emsp; &lt;here&gt;</p>"),
        ("- one\n- **two**", "<ul><li>one</li><li><strong>two</strong></li></ul>"),
        ("1. one\n2. two", "<ol><li>one</li><li>two</li></ol>"),
        ('<b title="a*b*c">x</b>', '<p><b title="a*b*c">x</b></p>'),
        (":primary[5] Guidance", '<p><span class="number">5</span> Guidance</p>'),
        ("[the app](start.html)", '<p><a href="start.html">the app</a></p>'),
        ('<div class="message">\n\n:material/info: *Said*\n\n</div>',
         '<div class="message">\n<p><em>Said</em></p>\n</div>'),
    ],
)  # fmt: skip
def test_a_text_becomes_html(text: str, shown: str):
    assert markdown.to_html(text) == shown


def test_a_table_names_its_rows_and_a_formula_is_mathml():
    table = markdown.to_html("| a | b |\n| :-- | --: |\n| c | $x_0$ |")
    assert table.count('scope="col"') == 2 and '<th scope="row">c</th>' in table
    assert "<msub><mi>x</mi><mn>0</mn></msub>" in table and 'display="inline"' in table
