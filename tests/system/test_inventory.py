# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes in the inventory are told on the controller, in one sentence, before any host is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

SHOP = {"name": "shop", "source": {"git": "https://git.example.com/shop.git"}, "entry_point": "shop.wsgi:application"}


def refuse(tmp_path, apps, good=(SHOP,), strategy="linear", **variables):
    """Run the playbook against two hosts that nobody could reach; only the second one's apps are wrong."""
    hosts = {"good": {"wsgi_apps": list(good)}, "bad": {"wsgi_apps": apps, **variables}}
    for host in hosts.values():
        host.update(ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1)
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"wsgi": {"hosts": hosts}}))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, "playbooks/site.yml"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STRATEGY": strategy},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode, output
    assert "UNREACHABLE" not in output, output
    return " ".join(output.split())


@pytest.mark.parametrize(
    ("apps", "sentence"),
    [
        ([{**SHOP, "proceses": 3}], "app shop: proceses: unknown key; did you mean processes?"),
        ([{**SHOP, "threads": "many"}], "app shop: threads: 'many' is invalid; use a whole number from 1 to 1024."),
        (
            [{**SHOP, "domains": ["a.test"]}, {**SHOP, "name": "blog", "domains": ["a.test"]}],
            "app blog: mount: / on a.test is already used by app shop; change the mount or the domains of one of them.",
        ),
        (
            [{**SHOP, "static": [{"url": "/st/", "directory": "s"}]}, {**SHOP, "name": "blog", "mount": "/st/b"}],
            "app blog: mount: /st/b is inside the static URL /st/ of app shop on any domain; change one of the two.",
        ),
        ([{**SHOP, "stack": "mod_wsgi"}], "app shop: stack: 'mod_wsgi' is invalid; use one of uwsgi, uwsgi_emperor,"),
        (
            [{**SHOP, "source": {"directory": "/nowhere"}}],
            "app shop: source.directory: /nowhere is not a directory that can be read here, on the controller; correct the path.",
        ),
        (
            [{**SHOP, "environment_file": "/nowhere.env"}],
            "app shop: environment_file: /nowhere.env is not a file here, on the controller; correct the path.",
        ),
    ],
    ids=[
        "unknown key",
        "wrong type",
        "same domain and prefix",
        "prefix inside a static URL",
        "unknown stack",
        "unreachable directory",
        "missing environment file",
    ],
)
def test_a_mistake_is_refused(tmp_path, apps, sentence):
    assert sentence in refuse(tmp_path, apps)


def test_a_socket_path_that_is_too_long_is_refused(tmp_path):
    told = refuse(tmp_path, [SHOP], wsgi_runtime_directory="/run/" + "x" * 100)
    assert "bytes, and at most 102 are possible; shorten wsgi_runtime_directory or the app's name." in told


def test_release_commands_in_a_play_whose_hosts_do_not_wait_are_refused(tmp_path):
    shop = {**SHOP, "release_commands": ["flask db upgrade"]}
    told = refuse(tmp_path, [shop], good=[shop], strategy="free")
    assert "app shop: release_commands: they run once, before any host has the release" in told
    assert "use strategy: linear." in told
