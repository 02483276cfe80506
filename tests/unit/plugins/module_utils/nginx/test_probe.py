# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of an app through nginx, and what counts as an answer."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import fill
from ansible_collections.wsgi.stack.plugins.module_utils.apps._tls import TLS
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _probe
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._probe import SiteRequest, SiteResponse, mismatch, requests
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented


def app(domains=(), canonical=None, path="/", status=(200,), name="shop", **tls):
    return {
        "name": name,
        "domains": list(domains),
        "canonical_domain": canonical,
        "health_check": {"path": path, "status": list(status)},
        "tls": {**fill({}, TLS), **tls},
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(app(), [SiteRequest("localhost", "/", (200,))], id="no domain"),
        pytest.param(
            app(["a.test"], path="/shop/up", status=(200, 204)), [SiteRequest("a.test", "/shop/up", (200, 204))], id="one"
        ),
        pytest.param(app(["*.a.test"]), [SiteRequest("www.a.test", "/", (200,))], id="a wildcard"),
        pytest.param(
            app(["a.test", "b.test"], "b.test"),
            [SiteRequest("a.test", "/", (308,), "b.test"), SiteRequest("b.test", "/", (200,))],
            id="a canonical one",
        ),
        pytest.param(
            app(["a.test", "b.test"], "b.test", mode="certbot"),
            [
                SiteRequest("a.test", "/", (308,), "https://b.test"),
                SiteRequest("a.test", "/", (308,), "b.test", 443, True),
                SiteRequest("b.test", "/", (308,), "https://b.test"),
                SiteRequest("b.test", "/", (200,), None, 443, True),
            ],
            id="a canonical one with TLS",
        ),
        pytest.param(
            app(["a.test"], mode="files", port=5000, redirect=False),
            [SiteRequest("a.test", "/", (200,)), SiteRequest("a.test", "/", (200,), None, 5000, True)],
            id="both ways",
        ),
        pytest.param(
            app(mode="self_signed", port=5000),
            [
                SiteRequest("localhost", "/", (308,), "https://localhost:5000"),
                SiteRequest("localhost", "/", (200,), None, 5000, True),
            ],
            id="signed for whatever name",
        ),
        pytest.param(
            app(mode="files"),
            [SiteRequest("localhost", "/", (308,), "https://localhost"), SiteRequest("localhost", "/", (200,), None, 443, False)],
            id="given for whatever name",
        ),
    ],
)
def test_questions(asked, expected):
    assert requests(asked) == expected


PLAIN, REDIRECT = SiteRequest("a.test", "/", (200, 204)), SiteRequest("a.test", "/", (308,), "b.test")
ACROSS = SiteRequest("a.test", "/", (308,), "https://a.test:5000")


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        (PLAIN, SiteResponse(204), ""),
        (PLAIN, SiteResponse(502), "returned 502 instead of 200 or 204"),
        (PLAIN, SiteResponse(None, error="Connection refused"), "gave no response (Connection refused) instead of 200 or 204"),
        (REDIRECT, SiteResponse(308, "http://b.test/"), ""),
        (REDIRECT, SiteResponse(308, "https://b.test:8443/x"), ""),
        (REDIRECT, SiteResponse(308, "http://c.test/"), "returned 308 to http://c.test/ instead of 308 to b.test"),
        (REDIRECT, SiteResponse(308, "/x"), "returned 308 to /x instead of 308 to b.test"),
        (REDIRECT, SiteResponse(200), "returned 200 instead of 308 to b.test"),
        (ACROSS, SiteResponse(308, "https://a.test:5000/x"), ""),
        (ACROSS, SiteResponse(308, "https://a.test/x"), "returned 308 to https://a.test/x instead of 308 to https://a.test:5000"),
        (
            ACROSS,
            SiteResponse(308, "http://a.test:5000/"),
            "returned 308 to http://a.test:5000/ instead of 308 to https://a.test:5000",
        ),
    ],
)
def test_complaint(question, answer, expected):
    assert mismatch(question, answer) == expected


class Site(BaseHTTPRequestHandler):
    """Answers the third request to a name, and redirects another name."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        host = self.headers["Host"].partition(":")[0]
        self.asked.append(host)
        if host == "old.test":
            self.send_response(308)
            self.send_header("Location", f"http://new.test:{self.server.server_port}/")
        else:
            self.send_response(200 if self.asked.count(host) > 2 else 502)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def port():
    Site.asked = []
    server = HTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_an_app_is_asked_until_it_answers(port):
    sites, failures = _probe.probe([app(["old.test", "new.test"], "new.test")], "127.0.0.1", port, 10)
    assert failures == []
    assert [(site["url"], site["status"]) for site in sites["shop"]] == [
        (f"http://old.test:{port}/", 308),
        (f"http://new.test:{port}/", 200),
    ]


def test_an_app_that_does_not_answer_in_time_is_a_failure(port, tmp_path, monkeypatch):
    log = tmp_path / "error.log"
    line = '2026/11/20 13:08:39 [crit] 1#1: *1 connect() failed, client: ::1, request: "GET / HTTP/1.1", host: "slow.test"\n'
    log.write_text(line.replace("connect()", "older"))
    monkeypatch.setattr(_probe, "log_path", lambda _app, _kind: str(log))
    sites, failures = _probe.probe([app(["slow.test"]), app(["new.test"], name="blog", status=(502,))], "127.0.0.1", port, 0)
    assert list(sites) == ["blog"]
    assert [failure["message"] for failure in failures] == [
        (
            f"app shop: verify: http://slow.test:{port}/ (requested at 127.0.0.1:{port}) returned 502 instead of 200;"
            f" see {log} and the app's own log."
        )
    ]


def test_what_a_log_has_added(tmp_path):
    log = tmp_path / "error.log"
    assert _probe._added(str(log), 0) == ""
    log.write_text("old\nnew\n")
    assert _probe._added(str(log), 4) == "new\n"
    assert _probe._added(str(log), 400) == "old\nnew\n"  # rotated since


def test_whether_anything_listens(port):
    assert _probe.listening("127.0.0.1", port)
    assert not _probe.listening("127.0.0.1", 1)


@pytest.fixture
def secure_port(tmp_path):
    """A site that signs itself for good.test."""
    _presented.present({"name": "shop", "mode": "self_signed", "domains": ["good.test"]}, root=str(tmp_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "shop/live/fullchain.pem", tmp_path / "shop/live/privkey.pem")
    server = HTTPServer(("127.0.0.1", 0), Site)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("host", "named", "expected"),
    [
        ("good.test", True, SiteResponse(502)),
        ("other.test", False, SiteResponse(502)),
        ("other.test", True, "Hostname mismatch, certificate is not valid for 'other.test'"),
    ],
)
def test_a_certificate_has_to_be_for_the_name_whoever_signed_it(secure_port, host, named, expected):
    Site.asked = []
    answer = _probe._send(SiteRequest(host, "/", (200,), None, secure_port, named), "127.0.0.1", 80, 5)
    if isinstance(expected, SiteResponse):
        assert (answer.status, answer.error) == (expected.status, "")
    else:
        assert answer.error == f"the certificate is not valid: {expected}"


def test_who_speaks_no_tls(port):
    answer = _probe._send(SiteRequest("a.test", "/", (200,), None, port, True), "127.0.0.1", 80, 5)
    assert answer.error.startswith("TLS failed: ")
