# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import html.parser
import re

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
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for name, value in page.attributes if name in ("href", "src")} == {
        "#top",
        *(f"#{each}" for each in ids if each not in ("top", "web-1", "web")),
    }
    assert "url(" not in text
    for words in (
        "ValueError: <script>alert(1)</script>",
        "fix 'it' & that",
        "web-3",
        "? not examined",
        "✔ ok",
        "✖ broken",
        "today",
        "2 hosts, 1 not examined, 1 site: 1 broken; the hosts: 1 note",
        "Doctor report: 1 broken site",
    ):
        assert words in page.text


def test_what_is_broken_comes_first_on_whatever_host(result):
    healthy = {**result, "findings": []}
    text = _page.page({"web-1": healthy, "web-2": result})
    links = re.findall(r'<li><span class="state \w+">[^<]*</span> <a href="#([^"]+)"', text)
    assert links[0] == "web-2-shop.test"
    assert re.findall(r'<(?:h2|section) id="([^"]+)"', text)[:2] == ["web-2", "web-2-shop.test"]


def test_names_that_look_alike_have_anchors_of_their_own():
    anchors = _page.Anchors()
    names = ("a.test", "A.test", "a.test", "Ünï", "--", "..", "x" * 500)
    assert [anchors.new(name) for name in names] == ["a.test", "a.test-2", "a.test-3", "n", "site", "..", "x" * 100]


def test_whatever_a_text_contains_it_is_text(result):
    bad = "\x1b[31m</style><script>alert(1)</script>\u202e\"'>"
    (site,) = result["sites"]
    finding = {**result["findings"][0], "code": bad, "message": bad, "evidence": [bad], "fix": bad, "site": bad}
    site = {**site, "name": bad, "log": [bad], "dns": {bad: bad}}
    text = _page.page({bad: {**result, "sites": [site], "findings": [finding]}}, [bad], bad)
    page = Page(text)
    assert page.open == []
    assert not page.tags & {"script", "b"}
    assert not set("\x1b\u202e") & set(text)
    assert text.count("</style>") == 1
    assert "\\x1b[31m" in page.text
