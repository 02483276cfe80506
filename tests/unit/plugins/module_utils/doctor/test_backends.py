# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _backends
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
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
    ((target, _named),) = _backends.targets([guarded], set()).values()
    assert target.protocol == "tcp"
    ((target, _named),) = _backends.targets([guarded, free], set()).values()
    assert (target.protocol, target.uri) == ("http", "/public/shop/")


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


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/run/apps/shop/blue.sock", ("wsgi-blue@shop", "blue")),
        ("/run/apps/shop/green.sock", ("wsgi-green@shop", "green")),
        ("/run/wsgi/shop/blue.sock", None),
        ("/run/apps/shop/red.sock", None),
        ("/run/apps/shop/blue", None),
        # One that has never been live has no file that restores it at boot: only the default directory is known.
        ("/run/wsgi/blog/blue.sock", ("wsgi-blue@blog", "blue")),
        ("/run/apps/blog/blue.sock", None),
    ],
)
def test_a_slot_is_known_wherever_its_runtime_directory_is(monkeypatch, path, found):
    text = "d /run/apps/shop 0750 root www-data -\nL /run/apps/shop/app.sock - - - - blue.sock\n"
    boot = {"/etc/tmpfiles.d/wsgi-live-shop.conf": text}
    monkeypatch.setattr(_backends._untrusted, "configuration", lambda name: boot.get(name, ""))
    slot = _backends._slot(path)
    assert (slot and (slot[0].instance(slot[1]), slot[1])) == found


SUPERVISED = "supervisorctl restart wsgi-blue@shop"
VASSAL = "touch --no-create /etc/uwsgi/apps-available/wsgi-blue@shop.ini"


@pytest.mark.parametrize(
    ("running", "file", "loaded", "unit", "restart"),
    [
        ("", "", "loaded", "wsgi-blue@shop.service", "systemctl restart wsgi-blue@shop"),
        ("", "vassal", "loaded", "wsgi-emperor.service", VASSAL),
        ("", "vassal", "not-found", "wsgi-emperor.service", VASSAL),
        ("", "program", "not-found", "supervisor.service", SUPERVISED),
        ("supervisor.service", "program", "not-found", "supervisor.service", SUPERVISED),
        ("wsgi-emperor.service", "", "loaded", "wsgi-emperor.service", VASSAL),
        # The app's earlier stack has left a file.
        ("wsgi-blue@shop.service", "vassal", "loaded", "wsgi-blue@shop.service", "systemctl restart wsgi-blue@shop"),
        # Somebody started it in a login session.
        ("session-3.scope", "", "loaded", "wsgi-blue@shop.service", "systemctl restart wsgi-blue@shop"),
    ],
)
def test_a_slot_is_restarted_by_what_runs_it_and_alone(monkeypatch, running, file, loaded, unit, restart):
    layout = _layout.Layout("shop")
    there = {"vassal": layout.vassal("blue"), "program": layout.program("blue")}.get(file)
    monkeypatch.setattr(_backends._units, "show", lambda units: {unit: {"LoadState": loaded} for unit in units})
    monkeypatch.setattr(_backends._owner._systemd, "is_active", lambda unit: True)
    for name in ("lexists", "exists"):
        monkeypatch.setattr(_backends.os.path, name, lambda path: path == there)
    owner = _backends._slot_owner(layout, "blue", running)
    assert (owner.unit, owner.restart()) == (unit, restart)
