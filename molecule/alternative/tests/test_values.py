# SPDX-License-Identifier: GPL-3.0-or-later
"""Each variable and key of an app has the effect that its value asks for."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest
from conftest import APPS, DIRECTORY, RUNTIME_DIRECTORY, ansible, name

# How a visitor on the host gets to the two sites that are served over TLS.
FRONT = "--insecure --resolve front.test:8443:127.0.0.1 https://front.test:8443/"
LEDGER = "--resolve ledger.test:443:127.0.0.1 https://ledger.test/"
PLUGINS = "/usr/lib/uwsgi/plugins"


def page(host, options: str):
    return json.loads(host.check_output(f"curl --silent --fail --max-time 20 {options}"))


def listening(host) -> set[str]:
    """The addresses of nginx's sockets."""
    return set(re.findall(r"(\S+:\d+) .*\"nginx\"", host.check_output("ss --no-header --listening --tcp --numeric --processes")))


def test_wsgi_directory_and_runtime_directory(host):
    assert host.file(DIRECTORY).listdir() == sorted(APPS)
    assert host.file(RUNTIME_DIRECTORY).listdir() == sorted(APPS)
    assert not host.file("/srv/wsgi").exists
    assert not host.file("/run/wsgi").exists


@pytest.mark.parametrize(
    ("app", "stack", "server"),
    [
        ("front", "uwsgi_emperor", "uwsgi"),
        ("native", "uwsgi", "uwsgi"),
        ("vassal", "uwsgi_emperor", "uwsgi"),
        ("ledger", "gunicorn_supervisor", "gunicorn"),
    ],
)
def test_wsgi_stack(host, app, stack, server):
    """By the unit of the processes: one of its own, the Emperor's, or supervisor's."""
    units = {line.split("/")[-1] for line in host.check_output("ps -u %s -o cgroup:200=", app).splitlines()}
    wanted = {
        "uwsgi_emperor": r"wsgi-emperor\.service",
        "uwsgi": rf"wsgi-(blue|green)@{app}\.service",
        "gunicorn_supervisor": r"supervisor\.service",
    }
    (unit,) = units - {f"wsgi-bind-{app}.service"}
    assert re.fullmatch(wanted[stack], unit)
    assert server in host.check_output("ps -u %s -o args=", app)


def test_wsgi_nginx_user_and_group(host):
    users = set(host.check_output("ps -C nginx -o user:32=,group:32=").splitlines())
    assert {tuple(line.split()) for line in users} == {("root", "root"), ("edge", "web")}
    for app in APPS:
        log = host.file(f"/var/log/nginx/{app}.access.log")
        assert (log.user, log.size > 0) == ("edge", True), app


def test_app_uv_version(host):
    (program,) = host.check_output("ls /usr/local/lib/wsgi/uv*/uv").split()
    assert host.check_output("%s --version", program).startswith("uv 0.13.7 ")


def test_uwsgi_plugin_source(host):
    """The plugin is of a uWSGI that this Debian does not have the sources of, which then need not be there."""
    (path,) = host.check_output(f"ls {PLUGINS}/*_opt_python*_plugin.so").split()
    assert '"2.0.31"' in host.check_output("tail -n 1 %s", path)
    assert not host.package("uwsgi-src").is_installed
    found = page(host, "--header 'Host: native.test' http://127.0.0.1/")
    assert found["prefix"].startswith("/opt/python3.")


def test_nginx_http_ports_and_ipv6(host):
    assert listening(host) >= {"0.0.0.0:80", "0.0.0.0:8080", "0.0.0.0:443", "0.0.0.0:8443"}
    # Debian's own site, which stays, listens on IPv6.
    assert {found for found in listening(host) if found.startswith("[")} == {"[::]:80"}
    assert f"{DIRECTORY}/vassal/" in page(host, "--header 'Host: vassal.test' http://127.0.0.1:8080/")["directory"]


def test_nginx_default_server(ask):
    assert "Welcome to nginx" in ask("unknown.test", "/").text


def test_nginx_http_directives(host):
    for language, greeting in (("fr", "bonjour"), ("en", "hello")):
        headers = host.check_output(f"curl --silent --head --header 'Accept-Language: {language}' {FRONT}").splitlines()
        assert f"x-greeting: {greeting}" in [header.lower() for header in headers]


def test_nginx_manage_ufw(host, address):
    """What somebody opened is open, and nothing else."""
    assert host.check_output("ufw show added").splitlines()[1:] == ["ufw allow 22/tcp", "ufw allow 80/tcp"]
    socket.create_connection((address, 80), timeout=5).close()
    with pytest.raises(TimeoutError):
        socket.create_connection((address, 8080), timeout=2)


def test_certbot_gets_a_certificate_of_the_key_type_for_the_email_without_checking_names(host):
    """The host itself does not find the site by its name."""
    assert host.run("getent hosts ledger.test").rc != 0
    assert f"{DIRECTORY}/ledger/" in page(host, LEDGER)["directory"]
    certificate = host.check_output(
        "openssl s_client -connect 127.0.0.1:443 -servername ledger.test </dev/null 2>/dev/null | openssl x509 -noout -text"
    )
    assert "Issuer: CN = Pebble" in certificate.replace("CN=", "CN = ")
    assert "rsaEncryption" in certificate.partition("Subject Public Key Info")[2].splitlines()[1]
    account = host.check_output(
        "REQUESTS_CA_BUNDLE=/srv/pebble/ca.pem certbot show_account --server https://localhost:14000/dir 2>&1"
    )
    assert "admin@example.com" in account


def test_working_directory(host):
    found = page(host, FRONT)
    assert re.fullmatch(rf"{DIRECTORY}/front/builds/\w+/source/service", os.path.realpath(found["directory"])), found
    assert found["tinydb"] == "4.8.2"


def test_requirements(host):
    versions = "import tinydb; print(tinydb.__version__)"
    assert host.check_output("runuser -u vassal -- %s/vassal/current/run python -c %s", DIRECTORY, versions) == "4.7.1"


def test_exclude(host):
    for app, there in (("vassal", False), ("ledger", True)):
        assert host.file(f"{DIRECTORY}/{app}/current/build/source/drafts/plan.txt").exists == there


def test_system_packages(host):
    assert page(host, FRONT)["hello"] == "Hello, world!\n"


@pytest.mark.parametrize(("size", "status"), [(2 << 20, "200"), ((2 << 20) + 1, "413")])
def test_client_max_body_size(host, size, status):
    ask = "curl --silent --output /dev/null --write-out '%{http_code}' --header Expect: --data-binary @-"
    assert host.check_output(f"head -c {size} /dev/zero | {ask} {FRONT}") == status
    host.check_output("truncate --size 0 /var/log/nginx/front.error.log")  # or the doctor tells of it when tests run again


def test_keep_releases(host):
    """The live one and the one before, for which there was a third."""
    assert page(host, FRONT)["generation"] == "second"
    assert sorted(host.file(f"{DIRECTORY}/front/releases").listdir()) == ["2", "3"]


def test_bind(host):
    assert f"{DIRECTORY}/ledger/" in page(host, "http://127.0.0.1:8004/")["directory"]


def test_status(host):
    playbook = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / "playbooks/status.yml"
    shown = ansible("ansible-playbook", playbook, f"--extra-vars=wsgi_hosts={name(host)}")
    assert "4 apps: 4 up" in shown, shown
