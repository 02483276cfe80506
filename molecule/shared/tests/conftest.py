# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test asks: nginx over HTTP from outside, the host as root over SSH."""

from __future__ import annotations

import http.client
import json
import subprocess
from dataclasses import dataclass

import pytest
import testinfra

APPS = ("guestbook", "shop", "httpbin")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    def json(self):
        return json.loads(self.text)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Show what the services of the host said, below a test that failed."""
    report = yield
    if report.failed and "host" in item.funcargs:
        journal = item.funcargs["host"].run("journalctl --no-pager --lines 60 --unit 'wsgi-*' --unit nginx.service")
        report.sections.append(("journal", journal.stdout))
    return report


@pytest.fixture
def ask(host):
    """Sends a request to the host's published port 80, as somebody from outside does."""
    name = host.backend.get_pytest_id().removeprefix("ansible://")
    published = subprocess.run(["docker", "port", name, "80/tcp"], check=True, capture_output=True, text=True).stdout
    port = int(published.splitlines()[0].rpartition(":")[2])

    def send(domain: str, path: str, method: str = "GET", body: str | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Host": domain, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()

    return send


@pytest.fixture(params=APPS)
def app(request) -> str:
    """The name of an app, which is its user's and its group's name too."""
    return request.param


@pytest.fixture
def slot(host: testinfra.host.Host, app: str) -> str:
    """The slot that is live."""
    return host.file(f"/run/wsgi/{app}/app.sock").linked_to.rpartition("/")[2].removesuffix(".sock")
