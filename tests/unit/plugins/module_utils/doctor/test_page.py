# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import html.parser

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _page


class Page(html.parser.HTMLParser):
    """What a browser makes of a page: its tags, which have to be closed, and its text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_is_one_file_that_needs_nothing_else(result):
    text = _page.page({"web-1": result, "<web>": {**result, "findings": [], "sites": []}}, ["web-3"], "today")
    page = Page(text)
    assert page.open == []
    assert not page.tags & {"script", "b", "link", "img", "iframe"}
    assert {value for name, value in page.attributes if name in ("href", "src")} == {"#web-1", "#-web-"}
    assert "url(" not in text
    for words in (
        "ValueError: <script>alert(1)</script>",
        "fix 'it' & that",
        "web-3",
        "? not examined",
        "✔ ok",
        "✖ broken",
        "today",
    ):
        assert words in page.text
