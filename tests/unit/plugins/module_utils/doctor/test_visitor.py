# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _examine as _whole
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _visitor
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._reach import Addresses
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._visit import Answer
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Access

MINE = Addresses(frozenset({"192.0.2.1", "2001:db8::1"}), "192.0.2.1", "2001:db8::1")


def parsed(text):
    configuration = _configuration.parse(f"# configuration file /n:\nhttp {{ {text} }}\n")
    return configuration, [Site(servers) for servers in _whole.grouped(configuration.servers)]


def backends(configuration, codes=None, **statuses):
    found = {}
    for upstream in configuration.upstreams:
        key = (upstream.address, "tls" if upstream.tls else upstream.protocol)
        code = (codes or {}).get(upstream.address, "ok")
        access = Access(*key, code, "", status=statuses.get("status", 200))
        found[key] = Backend(*key, [upstream], access=access)
    return found


def urls(text, codes=None):
    configuration, sites = parsed(text)
    plans = [_visitor.plan(site, configuration, backends(configuration, codes), MINE) for site in sites]
    return [f"{planned.visit.url} {planned.visit.where}" for plan in plans for planned in plan]


APP = "location / { proxy_pass http://127.0.0.1:8000; }"


@pytest.mark.parametrize(
    ("text", "visits"),
    [
        (f"server {{ listen 80; server_name a.test; {APP} }}", ["http://a.test/ 192.0.2.1:80"]),
        (
            f"server {{ listen 80; listen [::]:80; listen 443 ssl; server_name a.test www.a.test *.a.test _; {APP} }}",
            [
                "http://a.test/ 192.0.2.1:80",
                "http://www.a.test/ 192.0.2.1:80",
                "http://a.test/ [2001:db8::1]:80",
                "https://a.test/ 192.0.2.1:443",
            ],
        ),
        (f"server {{ server_name localhost 192.0.2.1 a.test shop; {APP} }}", ["http://a.test/ 192.0.2.1:80"]),
        (f"server {{ server_name 192.0.2.1; {APP} }}", ["http://192.0.2.1/ 192.0.2.1:80"]),
        (f"server {{ listen 127.0.0.1:81; {APP} }}", ["http://localhost:81/ 127.0.0.1:81"]),
        (f"server {{ listen 198.51.100.7:80; server_name a.test; {APP} }}", []),
        (f"server {{ listen unix:/n.sock; listen 443 quic; server_name a.test; {APP} }}", []),
        (f"server {{ listen 443 ssl; ssl_reject_handshake on; server_name a.test; {APP} }}", []),
        (f"server {{ server_name a.test; allow 127.0.0.1; deny all; {APP} }}", []),
        ("server { server_name a.test; return 301 https://$host; }", []),
        (f"server {{ server_name a.test; {APP} }} server {{ listen 192.0.2.1:80; return 404; }}", []),
        (
            f"server {{ server_name a.test b.test; {APP} location /api {{ proxy_pass http://127.0.0.1:8001; }} }}",
            ["http://a.test/ 192.0.2.1:80", "http://a.test/api 192.0.2.1:80", "http://b.test/ 192.0.2.1:80"],
        ),
        ("server { server_name a.test; location / { set $to b; proxy_pass http://$to; } }", ["http://a.test/ 192.0.2.1:80"]),
    ],
)
def test_whom_a_visitor_asks_for_what(text, visits):
    assert urls(text) == visits


def test_an_app_that_does_not_answer_is_not_asked_again():
    text = f"server {{ server_name a.test; {APP} location /api {{ proxy_pass http://127.0.0.1:8001; }} }}"
    assert urls(text, {"127.0.0.1:8000": "refused"}) == ["http://a.test/api 192.0.2.1:80"]
    group = "upstream both { server 127.0.0.1:8000; server 127.0.0.1:8001; }"
    text = f"{group} server {{ server_name a.test; location / {{ proxy_pass http://both; }} }}"
    assert urls(text, {"127.0.0.1:8000": "refused"}) == ["http://a.test/ 192.0.2.1:80"]


def look(monkeypatch, text, answers, closed=()):
    """The codes of what is found if nginx answers like that, by URL; the second time by the answer behind it."""
    configuration, sites = parsed(text)
    asked = []

    def ask(visit, _timeout):
        asked.append(visit)
        told = f"{visit.url} told" if visit.headers else visit.url
        return answers.get(told, Answer(200))

    monkeypatch.setattr(_visitor._visit, "ask", ask)
    monkeypatch.setattr(
        _visitor._examine, "examine", lambda targets, timeout: [Access("", "", "ok", "", status=200) for _target in targets]
    )
    found = _visitor.look(configuration, sites, backends(configuration), MINE, closed, 1)
    return [[finding.code for finding in findings] for findings in found], [visit.url for visit in asked]


TLS = f"server {{ listen 80; listen 443 ssl; server_name a.test; {APP} }}"


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        ({}, []),
        ({"http://a.test/": Answer(301, "https://a.test/")}, []),
        (
            {"http://a.test/": Answer(301, "https://a.test/"), "https://a.test/": Answer(301, "https://a.test/")},
            ["redirect_loop"],
        ),
        ({"http://a.test/": Answer(301, "https://a.test/"), "https://a.test/": Answer(302, "http://a.test/")}, ["redirect_loop"]),
        ({"https://a.test/": Answer(302, "/login?next=/")}, []),
        ({"https://a.test/": Answer(302, "https://b.test/")}, []),
        ({"https://a.test/": Answer(302, "https://a.test:8443/")}, []),
        ({"https://a.test/": Answer(302, "/")}, ["redirect_loop"]),
        ({"http://a.test/": Answer(502), "https://a.test/": Answer(502)}, ["visitor_error"]),
        ({"http://a.test/": Answer(404)}, []),
    ],
)
def test_what_a_visitor_gets(monkeypatch, answers, codes):
    assert look(monkeypatch, TLS, answers)[0] == [codes]


def test_an_app_that_was_busy_is_asked_itself_once_more(monkeypatch):
    configuration, sites = parsed(f"server {{ server_name a.test; {APP} }}")
    asked = []

    def examine(targets, timeout):
        asked.append([target.host for target in targets])
        busy = len(asked) == 1
        return [
            Access("", "", "timeout", "") if busy else Access("", "", "ok", "", status=400 if ":" in t.host else 200)
            for t in targets
        ]

    monkeypatch.setattr(_visitor._visit, "ask", lambda _visit, _timeout: Answer(400))
    monkeypatch.setattr(_visitor._examine, "examine", examine)
    (found,) = _visitor.look(configuration, sites, backends(configuration), MINE, (), 1)
    assert [finding.code for finding in found] == ["host_not_passed"]
    assert asked == [["127.0.0.1:8000", "localhost", "127.0.0.1", "a.test"]] * 2


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("location /a { proxy_pass http://127.0.0.1:8000; }", "/a"),
        ("location /a/ { proxy_pass http://127.0.0.1:8000/; }", "/"),
        ("location /a/ { proxy_pass http://unix:/a.sock:/b/; }", "/b/"),
        ("location ~ ^/a/ { proxy_pass http://127.0.0.1:8000; }", "/a/"),
        ("location /a/ { proxy_pass http://127.0.0.1:8000/$host; }", ""),
        ("location /a/ { rewrite ^/a/(.*) /$1 break; proxy_pass http://127.0.0.1:8000; }", ""),
    ],
)
def test_what_the_app_is_asked_for_then(text, uri):
    configuration, (site,) = parsed(f"server {{ server_name a.test; {text} }}")
    (planned,) = _visitor.plan(site, configuration, backends(configuration), MINE)
    assert planned.uri == uri


def test_a_port_that_the_firewall_closes_is_no_fault_of_the_site(monkeypatch):
    timed_out = {"http://a.test/": Answer(error="ETIMEDOUT", text="no answer")}
    assert look(monkeypatch, TLS, timed_out, closed={80})[0] == [[]]
    codes, asked = look(monkeypatch, TLS, timed_out)
    assert codes == [["visitor_error"]]
    assert asked == ["http://a.test/"]  # where one request hangs, the next one would, too
