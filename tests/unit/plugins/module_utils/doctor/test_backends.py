# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _backends
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Upstream
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Access

SHOP = "unix:/run/shop.sock"


def upstream(address=SHOP, location="/", **options):
    return Upstream(address, options.pop("protocol", "http"), "/etc/nginx/shop", 4, ("shop.test",), location, **options)


def test_an_address_is_asked_once_for_the_shortest_path_that_leads_there():
    places = [upstream(location="= /api/old"), upstream(location="/api/"), upstream(location="~ \\.cgi$"), upstream("$backend")]
    asked = _backends.targets(places, set())
    assert list(asked) == [(SHOP, "http")]
    target, named = asked[SHOP, "http"]
    assert (target.uri, target.host, target.protocol, target.named_in) == ("/api/", "shop.test", "http", "/etc/nginx/shop:4")
    assert len(named) == 3


def test_who_listens_is_known_where_root_may_not_read_open_files():
    links = {7: {"files": {"3": "socket:[42]"}}}
    listeners = [_backends.Listener("127.0.0.1:8000", 0, 1, inode="42"), _backends.Listener("unix:/run/a.sock", 0, 1, inode="42")]
    assert [_backends._held(each, {}, links).pids for each in listeners] == [(7,), ()]


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


def test_a_location_that_nginx_guards_is_connected_to_and_not_called():
    guarded, free = upstream(location="= /jobs/nightly", guarded=True), upstream(location="/public/shop/")
    target, _named = next(iter(_backends.targets([guarded], set()).values()))
    assert target.protocol == "tcp"
    target, _named = next(iter(_backends.targets([guarded, free], set()).values()))
    assert (target.protocol, target.uri) == ("http", "/public/shop/")


def test_a_server_is_unused_if_nginx_passes_nothing_to_any_of_its_ports():
    used = _backends.Listener("0.0.0.0:8001", 0, 1, (7, 8))
    statistics = _backends.Listener("127.0.0.1:9191", 0, 1, (7,))
    other = _backends.Listener("127.0.0.1:8003", 0, 1, (9,))
    hidden = [_backends.Listener("127.0.0.1:8004", 0, 1), _backends.Listener("127.0.0.1:8005", 0, 1)]
    listeners = [used, statistics, other, *hidden]
    assert _backends._unused(listeners, ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8004"]) == (other, hidden[1])


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


def test_the_cause_comes_before_the_symptom_and_brings_its_fix():
    found = Backend(SHOP, "http", [upstream()], Access(SHOP, "http", "missing", "It is gone.", fix="restart it"))
    cause = Finding("broken", "unit_failed", "It has failed.", (), "Restore its file.")
    assert [(each.code, each.fix) for each in _backends._judged(found, 0, [cause])] == [
        ("unit_failed", "Restore its file."),
        ("missing", "Restore its file."),
    ]
