# SPDX-License-Identifier: GPL-3.0-or-later
"""How the doctor puts together what was seen, and tells it."""

from __future__ import annotations

import html.parser
import os
import socket

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import (
    _backends,
    _descriptors,
    _examine,
    _page,
    _queues,
    _report,
    _result,
)
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sockets
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import ServerBlock, Upstream
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Access

SHOP = "unix:/run/shop.sock"


def upstream(address=SHOP, location="/", **options):
    return Upstream(address, options.pop("protocol", "http"), "/etc/nginx/shop", 4, ("shop.test",), location, **options)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([("a",), ("b",)], [[0], [1]]),
        ([("a", "www.a"), ("b",), ("www.a",)], [[0, 2], [1]]),
        ([("a",), ("b",), ("b", "a")], [[0, 1, 2]]),
        ([("_",), ("_",), ()], [[0], [1], [2]]),
    ],
)
def test_servers_with_a_name_in_common_are_one_site(names, groups):
    servers = [ServerBlock(each, line=line) for line, each in enumerate(names)]
    assert [[server.line for server in group] for group in _examine.grouped(servers)] == groups


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (("_", "shop.test"), "shop.test"),
        (("*.shop.test",), "*.shop.test"),
        (("_",), "/etc/nginx/shop:3"),
        ((), "/etc/nginx/shop:3"),
    ],
)
def test_a_site_is_called_by_its_first_name(names, name):
    assert _result.Site([ServerBlock(names, file="/etc/nginx/shop", line=3)]).name == name


def test_an_address_is_asked_once_for_the_shortest_path_that_leads_there():
    places = [upstream(location="= /api/old"), upstream(location="/api/"), upstream(location="~ \\.cgi$"), upstream("$backend")]
    asked = _backends.targets(places, set())
    assert list(asked) == [(SHOP, "http")]
    target, named = asked[SHOP, "http"]
    assert (target.uri, target.host, target.protocol, target.named_in) == ("/api/", "shop.test", "http", "/etc/nginx/shop:4")
    assert len(named) == 3


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        ({"address": "127.0.0.1:8000"}, "http"),
        ({"address": "localhost:8000", "protocol": "uwsgi"}, "uwsgi"),
        ({"address": "10.0.0.5:80"}, "http"),
        ({"address": "api.example.com:80"}, "tcp"),
        ({"address": "127.0.0.1:8443", "tls": True}, "tls"),
        ({"address": "unix:/run/php.sock", "protocol": "fastcgi"}, "fastcgi"),
    ],
)
def test_only_an_app_of_this_host_is_asked_a_question(options, protocol):
    found = _backends.targets([upstream(**options)], {"10.0.0.5"})
    assert [target.protocol for target, _named in found.values()] == [protocol]


def backend(code, group="", address=SHOP):
    access = Access(address, "http", code, "It is so.", fix="fix it", named_in="/etc/nginx/shop:4")
    found = Backend(address, "http", [upstream(address, group=group)], access, log=["Error: last words"])
    found.findings = _backends._judged(found, 4096)
    return found


@pytest.mark.parametrize(
    ("code", "expected"), [("ok", []), ("missing", ["broken"]), ("bad_status", ["broken"]), ("not_checked", ["note"])]
)
def test_a_socket_that_cannot_be_used_is_a_finding(code, expected):
    found = backend(code).findings
    assert [finding.severity for finding in found] == expected
    assert all((finding.code, finding.message, finding.fix) == (code, "It is so.", "fix it") for finding in found)


@pytest.mark.parametrize(
    ("group", "other", "severity"), [("apps", "ok", "warning"), ("apps", "refused", "broken"), ("", "ok", "broken")]
)
def test_one_server_of_a_group_breaks_nothing(group, other, severity):
    backends = {"a": backend("missing", group), "b": backend(other, group, "127.0.0.1:8000")}
    _backends._judge_groups(backends)
    assert [finding.severity for finding in backends["a"].findings] == [severity]


def test_a_queue_has_to_be_full_twice():
    def judged(before, after, limit=10):
        listeners = [Listener(SHOP, before, limit), Listener(SHOP, after, limit)]
        return [finding.code for finding in _queues.judge_queue(SHOP, *listeners, "systemctl restart shop")]

    assert judged(9, 9) == ["backlog_filling"]
    assert judged(9, 0) == judged(0, 9) == judged(2, 2) == judged(3, 3, limit=2) == []
    assert _queues.judge_queue(SHOP, None, None, "") == []


EXTENDED = """\
u_str LISTEN 0  100  /run/shop.sock 3405903  * 0     <-> ino:188 dev:0/129 peers:
u_str ESTAB  0  0    * 3405904  * 3405905
tcp   LISTEN 0  2048 127.0.0.1:8001 0.0.0.0:* uid:999 ino:3407325 sk:1471 cgroup:/shop.service <->
"""


def test_a_socket_is_found_among_the_files_of_processes():
    inodes = _sockets.parse_inodes(EXTENDED)
    assert inodes == {SHOP: "3405903", "127.0.0.1:8001": "3407325"}
    links = {7: {"cwd": "/", "files": {"3": "socket:[3405903]"}}, 8: {"cwd": "/", "files": {"3": "/dev/null"}}}
    assert _queues.holders(inodes[SHOP], links) == [7]
    assert _queues.holders("", links) == []


def test_the_links_of_a_process_are_followed():
    with socket.socket() as mine:
        found = _descriptors.look([os.getpid(), 2**22 + 1])
        assert found[os.getpid()]["cwd"] == os.getcwd()
        assert found[os.getpid()]["files"][str(mine.fileno())].startswith("socket:[")
    assert list(found) == [os.getpid()]


PROCESS = {
    "pid": 7,
    "server": "uwsgi",
    "user": "shop",
    "since": "2026-01-02 03:04:05",
    "unit": "shop.service",
    "program": "",
    "python": "3.11",
    "virtual_environment": "/srv/shop/venv",
}
RESULT = {
    "nginx": {"installed": True, "version": "1.26.3", "pid": 9, "workers_since": "2026-01-02 03:04:05", "configuration": "ok"},
    "unseen": [],
    "sites": [
        {
            "name": "shop.test",
            "names": ["shop.test", "www.shop.test"],
            "state": "broken",
            "listens": ["*:80"],
            "defined_in": "/etc/nginx/sites-enabled/shop:1",
            "upstreams": [
                {
                    "address": SHOP,
                    "protocol": "uwsgi",
                    "locations": ["/"],
                    "code": "bad_status",
                    "status": 500,
                    "waits": False,
                    "unit": "shop.service",
                    "process": PROCESS,
                    "log": ["ValueError: <script>alert(1)</script>", "ValueError: & more"],
                }
            ],
            "variable_upstreams": ["$backend"],
            "certificates": [
                {
                    "path": "/etc/ssl/shop.pem",
                    "names": ["shop.test"],
                    "ends": "2026-03-04",
                    "days_left": 1,
                    "self_signed": True,
                    "message": "",
                }
            ],
            "dns": {"shop.test": "does not exist"},
            "log": [],
        }
    ],
    "findings": [
        Finding("broken", "bad_status", "It answers 500.", ("<b>", ""), "fix 'it' & that", "shop.test").result(),
        Finding("note", "nginx_stopped", "A note.").result(),
    ],
}


def test_the_report_can_be_read():
    lines = _report.lines(RESULT)
    assert lines[0].startswith("nginx ...")
    assert lines[0].endswith(" note")
    (heading,) = [line for line in lines if line.startswith("shop.test ...")]
    assert heading.endswith(". broken")
    assert len(heading) == len(lines[0])
    assert f"  upstream     {SHOP} (uwsgi, /): bad_status, answers 500" in lines
    assert "  process      uwsgi 7, shop.service, as shop, since 2026-01-02 03:04:05" in lines
    assert "  certificate  shop.test until 2026-03-04, 1 day left, self-signed, /etc/ssl/shop.pem" in lines
    finding = lines.index("  BROKEN bad_status: It answers 500.")
    assert lines[finding + 1 : finding + 3] == ["    | <b>", "    fix: fix 'it' & that"]
    assert lines[-1] == "1 site: 1 broken, 1 note"


def test_a_host_without_nginx_says_so():
    nothing = {**RESULT, "nginx": {"installed": False}, "sites": [], "findings": []}
    assert _report.lines(nothing)[1:] == ["  nginx  not installed", "", "0 sites: no finding"]


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


def test_the_page_is_one_file_that_needs_nothing_else():
    text = _page.page({"web-1": RESULT, "<web>": {**RESULT, "findings": [], "sites": []}}, ["web-3"], "today")
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
