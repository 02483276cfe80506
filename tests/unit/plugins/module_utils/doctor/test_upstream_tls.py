# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _upstream_tls
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._visit import Answer
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Upstream
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Access

PLACE = "127.0.0.1:8443"


@pytest.mark.parametrize(
    ("scheme", "address", "code", "answer", "asked", "codes"),
    [
        ("http", PLACE, "closed", Answer(200), True, ["wrong_protocol", "other_app"]),
        ("http", PLACE, "closed", Answer(error="TLS"), True, ["closed", "other_app"]),
        ("http", PLACE, "ok", Answer(200), False, ["ok", "other_app"]),
        ("http", "192.0.2.9:8443", "closed", Answer(200), False, ["closed", "other_app"]),
        ("http", "unix:/a.sock", "closed", Answer(200), False, ["closed", "other_app"]),
        ("https", PLACE, "ok", Answer(200), True, ["wrong_protocol", "other_app"]),
        ("https", PLACE, "ok", Answer(400), True, ["ok", "other_app"]),
        ("https", PLACE, "ok", Answer(error="EOF"), True, ["ok", "other_app"]),
        ("https", PLACE, "refused", Answer(200), False, ["refused", "other_app"]),
    ],
)
def test_tls_to_a_plain_port_and_the_other_way_round(tmp_path, monkeypatch, scheme, address, code, answer, asked, codes):
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)
    (tmp_path / "n").write_text(f"proxy_pass {scheme}://{address}/;\n")
    visits = []
    monkeypatch.setattr(_upstream_tls._visit, "ask", lambda visit, _timeout: [visits.append(visit), answer][1])
    tls = scheme == "https"
    protocol = "tls" if tls else "http"
    upstream = Upstream(address, "http", str(tmp_path / "n"), 1, ("a.test",), tls=tls)
    findings = [Finding("broken", code, ""), Finding("warning", "other_app", "")]
    backend = Backend(address, protocol, [upstream], access=Access(address, protocol, code, ""), findings=findings)
    _upstream_tls.look([backend], {"192.0.2.1"}, 1)
    assert [(visit.tls, visit.name) for visit in visits] == ([(not tls, "a.test")] if asked else [])
    assert [finding.code for finding in backend.findings] == codes
    wrong = codes[0] == "wrong_protocol"
    assert (wrong and f"#{'http' if tls else 'https'}://{address}#" in backend.findings[0].fix) == wrong
    assert backend.wrong_scheme is wrong


def test_what_nginx_guards_is_not_asked(monkeypatch):
    monkeypatch.setattr(_upstream_tls._visit, "ask", lambda *_: pytest.fail("asked"))
    upstream = Upstream(PLACE, "http", "/n", 1, guarded=True)
    _upstream_tls.look([Backend(PLACE, "http", [upstream], access=Access(PLACE, "http", "closed", ""))], set(), 1)
