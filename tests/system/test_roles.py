# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as others use it: each role from a playbook of their own, and installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, on

pytestmark = on(13)


def playbook(tmp_path, tasks):
    path = tmp_path / "own.yml"
    path.write_text(
        yaml.safe_dump([{"name": "Own playbook", "hosts": "wsgi", "become": True, "gather_facts": False, "tasks": tasks}])
    )
    return str(path)


def role(name, **variables):
    return {"name": f"Include {name}", "ansible.builtin.include_role": {"name": f"wsgi.stack.{name}"}, "vars": variables}


def test_each_role_stands_alone(server, hello, tmp_path):
    """With variables of its own and no shared list at all."""
    apps = [{**hello, "name": "alone", "mount": "/alone"}]
    build = server.play(None, playbook(tmp_path, [role("app", app_apps=apps)]))
    assert build.code == 0, build.output
    assert server.sh("ls /srv/wsgi/alone/releases").split() == ["1"]
    assert server.sh("ls /run/wsgi/alone") == "", "the role app must not start anything"

    rollout = server.play(None, playbook(tmp_path, [role("uwsgi", uwsgi_apps=apps, uwsgi_releases={"alone": 1})]))
    assert rollout.code == 0, rollout.output
    assert server.sh("readlink /run/wsgi/alone/app.sock") == "blue.sock\n"

    site = server.play(None, playbook(tmp_path, [role("nginx", nginx_apps=apps)]))
    assert site.code == 0, site.output
    assert server.get("/alone/x") == "200 hello|1|/alone|/x"


def test_a_role_fails_for_its_app(server, hello, tmp_path):
    apps = [{**hello, "packages": ["tinydb==999"]}]
    play = server.play(None, playbook(tmp_path, [role("app", app_apps=apps)]))
    assert play.code
    assert play.message.startswith("app hello: install:"), play.message


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The collection built and installed, away from the checkout."""
    directory = tmp_path_factory.mktemp("collections")
    galaxy = Path(sys.executable).parent / "ansible-galaxy"
    subprocess.run([galaxy, "collection", "build", "--output-path", directory, ROOT], check=True, stdout=subprocess.DEVNULL)
    (tarball,) = directory.glob("wsgi-stack-*.tar.gz")
    subprocess.run(
        [galaxy, "collection", "install", "--offline", "-p", directory, tarball],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=directory,
    )
    return directory


def test_the_installed_collection_finds_what_the_checkout_did(server, hello, installed):
    server.converge([hello])
    settings = installed / "ansible.cfg"  # instead of the checkout's
    settings.write_text(f"[defaults]\ncollections_path = {installed}\n")
    play = server.play([hello], "wsgi.stack.site", environment={"ANSIBLE_CONFIG": str(settings)})
    assert play.code == 0, play.output
    assert play.changed == []
    assert len(play.results) > 5
