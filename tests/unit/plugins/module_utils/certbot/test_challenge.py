# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.server
import threading
from typing import ClassVar

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _challenge
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._challenge import Visit

CONTENT = b"what is wanted"


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers by path: the file, another one, a redirect, or a redirect without an end; ``/late`` is the file the second time."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        moved = {"/moved": "/file", "/round": "/round", "/away": "ftp://example.test/"}.get(self.path)
        self.send_response(308 if moved else 404 if self.path == "/none" else 200)
        if moved:
            self.send_header("Location", moved)
        body = (
            b""
            if moved
            else CONTENT
            if self.path == "/file" or (self.path == "/late" and self.asked.count("/late") > 1)
            else b"another one"
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Nothing: it is a test."""


@pytest.fixture(scope="module")
def port():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.mark.parametrize(
    ("path", "arrived", "status"),
    [("/file", True, 200), ("/moved", True, 200), ("/other", False, 200), ("/none", False, 404), ("/round", False, 308)],
)
def test_a_name_is_visited(port, path, arrived, status):
    found = _challenge.visit("127.0.0.1", path, CONTENT, port)
    assert (found.arrived, found.status, found.addresses) == (arrived, status, ("127.0.0.1",))


def test_what_another_one_answered_is_asked_for_again(port, monkeypatch):
    monkeypatch.setattr(_challenge, "PAUSE", 0)
    assert _challenge.visits(["127.0.0.1"], "/late", CONTENT, port)["127.0.0.1"].arrived


@pytest.mark.parametrize("path", ["/none", "/round"])
def test_nobody_asks_for_ever(port, monkeypatch, path):
    monkeypatch.setattr(_challenge, "PATIENCE", -1)
    assert not _challenge.visits(["127.0.0.1"], path, CONTENT, port)["127.0.0.1"].arrived


def test_a_redirect_that_no_ca_follows_is_told(port):
    found = _challenge.visit("127.0.0.1", "/away", CONTENT, port)
    assert found.error == "it redirects to ftp://example.test/"


def test_nobody_listens(port):
    found = _challenge.visit("127.0.0.2", "/file", CONTENT, port)
    assert (found.status, found.error) == (None, "Connection refused")


@pytest.mark.parametrize("proxy", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_no_proxy_stands_between(port, monkeypatch, proxy):
    monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    assert _challenge.visit("127.0.0.1", "/file", CONTENT, port).arrived


@pytest.mark.parametrize(
    ("visit", "words"),
    [
        (Visit(("192.0.2.1",), "http://a.test/x", 200, True), ""),
        (Visit(error="Name or service not known"), "a.test does not resolve (Name or service not known)"),
        (
            Visit(("192.0.2.1", "192.0.2.2"), "http://a.test/x", 404),
            "a.test resolves to 192.0.2.1, 192.0.2.2, and http://a.test/x returns 404 instead of the test file in /srv/acme",
        ),
        (
            Visit(("192.0.2.1",), "https://b.test/", 200),
            "a.test resolves to 192.0.2.1, and https://b.test/ returns something else instead of the test file in /srv/acme",
        ),
        (
            Visit(("192.0.2.1",), "http://a.test/x", error="timed out"),
            "a.test resolves to 192.0.2.1, and http://a.test/x gives no response (timed out)",
        ),
    ],
)
def test_a_name_that_leads_elsewhere_is_told(visit, words):
    assert _challenge.unreachable("a.test", visit, "/srv/acme") == words


def test_all_names_that_lead_elsewhere_are_in_one_sentence():
    gone, here = Visit(error="unknown"), Visit(("127.0.0.1",), arrived=True)
    assert _challenge.cause({"a.test": here}, "/srv") == ""
    assert _challenge.cause({"b.test": gone, "a.test": gone, "c.test": here}, "/srv") == (
        "a.test does not resolve (unknown); b.test does not resolve (unknown), so the CA was not asked; make the names lead"
        " to port 80 of this host, or remove them from domains, and run again."
    )


def test_a_file_is_there_for_as_long_as_it_is_needed(tmp_path):
    with _challenge.offered(str(tmp_path)) as (path, content):
        there = tmp_path / path.lstrip("/")
        assert there.read_bytes() == content
        assert there.stat().st_mode & 0o777 == 0o644
    assert not there.exists()
    assert there.parent.is_dir()


def test_the_way_to_the_file_is_opened_where_an_earlier_version_closed_it(tmp_path, monkeypatch):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    monkeypatch.setattr(_challenge, "WEBROOT", str(state / "acme"))
    assert _challenge.prepare(str(state / "acme"))
    assert not _challenge.prepare(str(state / "acme"))
    assert state.stat().st_mode & 0o777 == 0o755


def test_the_directories_of_somebody_elses_files_are_left_alone(tmp_path):
    tmp_path.chmod(0o700)
    _challenge.prepare(str(tmp_path / "acme"))
    assert tmp_path.stat().st_mode & 0o777 == 0o700
