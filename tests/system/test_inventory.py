# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes in the inventory are told on the controller, in one sentence, before any host is touched."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

SHOP = {"name": "shop", "source": {"git": "https://git.example.com/shop.git"}, "entry_point": "shop.wsgi:application"}


def run(tmp_path, hosts, *arguments, playbook="site", inventory=None, strategy="linear", cwd=ROOT):
    """Run a playbook against hosts that cannot be reached, and that it must not try to reach."""
    for host in hosts.values():
        host.update(ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1)
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump({"wsgi": {"hosts": hosts}}))
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [program, "-i", inventory or path, ROOT / f"playbooks/{playbook}.yml", *arguments],
        cwd=cwd,
        env={
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_STRATEGY": strategy,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode, output
    assert "UNREACHABLE" not in output, output
    return output


def told(output):
    """The sentence of the hosts that failed: said once as an error, and once in the result of one host."""
    (found,) = re.findall(r'^fatal: \[\w+\]: FAILED! => {"changed": false, "msg": (".*")}$', output, re.MULTILINE)
    found = json.loads(found)
    assert re.findall(r"^\[ERROR\]: (.*)", output, re.MULTILINE) == [f"Task failed: Action failed: {found}"]
    assert "Origin:" not in output, output
    return found


def refuse(tmp_path, apps, good=(SHOP,), **variables):
    """Only the second host's apps are wrong."""
    return told(run(tmp_path, {"good": {"wsgi_apps": list(good)}, "bad": {"wsgi_apps": apps, **variables}}))


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
    message = refuse(tmp_path, [SHOP], wsgi_runtime_directory="/run/" + "x" * 100)
    assert "bytes, and at most 102 are possible; shorten wsgi_runtime_directory or the app's name." in message


@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [
        ("nginx_ipv6", "perhaps", "true or false"),
        ("nginx_http_directives", {"limit_req_zone": 1}, "a list, of which each item is a text"),
        ("certbot_options", {"--dry-run": True}, "a list, of which each item is a text"),
        ("app_installer", "npm", "one of uv, pip"),
    ],
)
def test_a_wrong_value_for_a_role_is_refused_before_the_host_is_touched(tmp_path, variable, value, kind):
    shown = "a dictionary" if isinstance(value, dict) else repr(value)
    assert refuse(tmp_path, [SHOP], **{variable: value}) == f"{variable}: {shown} is not valid; set it to {kind}."


def test_release_commands_in_a_play_whose_hosts_do_not_wait_are_refused(tmp_path):
    hosts = {name: {"wsgi_apps": [{**SHOP, "release_commands": ["flask db upgrade"]}]} for name in ("web1", "web2")}
    output = run(tmp_path, hosts, strategy="free")
    assert "app shop: release_commands: they run once, before any host has the release" in output
    assert "use strategy: linear." in output


@pytest.mark.parametrize("playbook", ["site", "status", "rollback", "run", "logs"])
def test_a_mistake_that_all_hosts_have_is_told_once(tmp_path, playbook):
    hosts = {name: {"wsgi_apps": [{**SHOP, "proceses": 3}]} for name in ("web1", "web2", "web3")}
    output = run(tmp_path, hosts, "-e", "app=shop", playbook=playbook)
    assert told(output) == "app shop: proceses: unknown key; did you mean processes?"


def test_a_host_without_a_list_says_where_it_belongs(tmp_path):
    assert told(run(tmp_path, {"web1": {}, "web2": {}})) == (
        "wsgi_apps: not set; define the list in the inventory, or in group_vars in the inventory's directory, see"
        " https://github.com/wsgi-stack/wsgi.stack/blob/main/docs/reference.md#where-the-list-belongs."
    )
    assert "\n## Where the list belongs\n" in (ROOT / "docs/reference.md").read_text()


@pytest.mark.parametrize(
    ("playbook", "argument", "message"),
    [
        ("run", "app=shop", """command: missing; write it as -e '{"command": "python manage.py check"}'."""),
        (
            "run",
            "app=shop command=python manage.py check",
            """command: only its first word arrived; write it as -e '{"command": "python manage.py check"}'.""",
        ),
        ("rollback", "app=nope", "app: 'nope' is not in wsgi_apps; the apps are shop."),
        ("doctor", "doctor_format=pdf", "doctor_format: pdf is unknown; use html or json."),
        (
            "doctor",
            "doctor_report=/nowhere/x.html",
            "doctor_report: /nowhere/x.html cannot be written; use a path in an existing",
        ),
    ],
)
def test_a_wrong_argument_is_refused(tmp_path, playbook, argument, message):
    hosts = {name: {"wsgi_apps": [SHOP]} for name in ("web1", "web2")}
    assert told(run(tmp_path, hosts, "-e", argument, playbook=playbook)).startswith(message)


def test_an_undefined_variable_is_shown_in_the_inventory(tmp_path):
    hosts = {"web1": {"wsgi_apps": [{**SHOP, "environment": {"KEY": "{{ vault_shop_key }}"}}]}}
    output = run(tmp_path, hosts)
    assert "'vault_shop_key' is undefined" in output
    assert f"Origin: {tmp_path}/hosts.yml:" in output
    assert "playbooks/site.yml" not in output


def test_relative_paths_of_an_inventory_in_the_command_line_start_at_the_current_directory(tmp_path):
    apps = tmp_path / "apps.yml"
    apps.write_text(yaml.safe_dump({"wsgi_apps": [{**SHOP, "source": {"directory": "nowhere"}}]}))
    output = run(tmp_path, {}, "-e", f"@{apps}", "-e", "wsgi_hosts=all", inventory="web1,", cwd=tmp_path)
    assert told(output).startswith(f"app shop: source.directory: {tmp_path}/nowhere is not a directory")


def test_a_key_that_is_omitted_is_not_given(tmp_path):
    """Also where the list goes through a variable of a role."""
    path = tmp_path / "own.yml"
    shop = {
        **SHOP,
        "processes": "{{ undefined_one | default(omit) }}",
        "environment": {"A": "{{ undefined_one | default(omit) }}"},
    }
    checks = ["lookup('wsgi.stack.apps', apps=app_apps) == lookup('wsgi.stack.apps', apps=[plain])"]
    checks += ["app_apps | wsgi.stack.app_secrets == [plain] | wsgi.stack.app_secrets"]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"wsgi_apps": [shop], "app_apps": "{{ wsgi_apps }}", "plain": SHOP},
        "tasks": [{"ansible.builtin.assert": {"that": checks}}],
    }
    path.write_text(yaml.safe_dump([play]))
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run([program, "-i", "localhost,", path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
