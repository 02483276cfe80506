# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test asks: nginx over HTTP from outside, the host as root over SSH."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import testinfra
import yaml

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
(VARIABLES,) = (yaml.safe_load(path.read_text()) for path in SCENARIO.glob("inventory/group_vars/*.yml"))

APPS = [app["name"] for name, value in VARIABLES.items() if name.endswith("_apps") for app in value if isinstance(app, dict)]
DIRECTORY = VARIABLES.get("wsgi_directory", "/srv/wsgi")
RUNTIME_DIRECTORY = VARIABLES.get("wsgi_runtime_directory", "/run/wsgi")
NGINX_USER = VARIABLES.get("wsgi_nginx_user", "www-data")
NGINX_GROUP = VARIABLES.get("wsgi_nginx_group", "www-data")


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


def name(host: testinfra.host.Host) -> str:
    """The host's name in the inventory, which is its container's."""
    return host.backend.get_pytest_id().removeprefix("ansible://")


def ansible(program: str, *arguments: str | Path) -> str:
    """What a program of Ansible's prints that is run with the scenario's inventory; it has to succeed."""
    inventories = [Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory", SCENARIO / "inventory"]
    done = subprocess.run(
        [program, *(f"--inventory={inventory}" for inventory in inventories), *arguments],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def address(host) -> str:
    """The host's address in Docker's network, by which it is reached from outside."""
    wanted = "{{.NetworkSettings.Networks.bridge.IPAddress}}"
    command = ["docker", "inspect", "-f", wanted, name(host)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def ask(host):
    """Sends a request to the host's published port 80, as somebody from outside does."""
    published = subprocess.run(["docker", "port", name(host), "80/tcp"], check=True, capture_output=True, text=True).stdout
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
    return host.file(f"{RUNTIME_DIRECTORY}/{app}/app.sock").linked_to.rpartition("/")[2].removesuffix(".sock")
