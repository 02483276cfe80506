# SPDX-License-Identifier: GPL-3.0-or-later
"""No failure of a step gets lost, whichever step it is and whoever wrote the playbook."""

from __future__ import annotations

import collections
import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, on

# What these tests ask for answers 500, but for /good; /flaky does it only the first time.
ASKED: collections.Counter[str] = collections.Counter()


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ASKED[self.path] += 1
        good = self.path == "/good/" or (self.path == "/flaky/" and ASKED[self.path] > 1)
        self.send_response(200 if good else 500)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def port():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        ASKED.clear()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def app(name):
    return {"name": name, "source": {"package": name}, "entry_point": "app:app", "mount": f"/{name}"}


def probe(*names, defer=False, **more):
    """A step that fails for all apps but ``good``; ``flaky`` only the first time."""
    arguments = {"apps": "{{ lookup('wsgi.stack.apps', apps=test_apps) }}", "port": "{{ test_port }}", "timeout": 0}
    variables = {"test_apps": [app(name) for name in names], "wsgi_defer_failures": defer}
    return {"name": "Probe", "wsgi.stack.site_probe_info": arguments, "vars": variables, **more}


END = {"name": "End", "wsgi.stack.failures": None}
SHOW = {
    "name": "Show",
    "ansible.builtin.debug": {"msg": "{{ inventory_hostname }}: {{ lookup('wsgi.stack.run').failed | join(' ') or '-' }}"},
}

CASES = {
    # By the name of the host: the tasks, and the apps that it fails for.
    "direct": ([probe("good", "direct-bad"), probe("never")], ["direct-bad"]),
    "good": ([probe("good"), END], []),
    "deferred": (
        [probe("a", defer=True), probe("b", defer=True), probe("a", defer=True), SHOW, END, probe("never")],
        ["a", "b"],
    ),
    "loop": ([probe("{{ item }}", loop=["c", "good", "d"], defer=True), END], ["c", "d"]),
    "retried": ([probe("flaky", register="r", until="r.failures | length == 0", retries=2, delay=0, defer=True), END], []),
    "rescued": ([{"block": [probe("e", defer=True), END], "rescue": [SHOW], "name": "Rescued"}, END], []),
    "ignored": ([probe("f", ignore_errors=True), END], []),
    "cleared": ([probe("g", defer=True), {"name": "Clear", "ansible.builtin.meta": "clear_facts"}, END], ["g"]),
    "forgotten": ([probe("h", defer=True)], ["h"]),  # until a later play of the run
    "asynchronous": ([probe("i", **{"async": 10, "poll": 1}, defer=True)], None),
}


def recap(output):
    """Which hosts failed."""
    return dict(re.findall(r"^(\S+)\s*: ok=.*?failed=(\d)", output, re.MULTILINE))


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_failures_are_kept_until_the_end_and_no_longer(tmp_path, port, strategy):
    for host, (tasks, _failed) in CASES.items():
        (tmp_path / f"{host}.yml").write_text(yaml.safe_dump(tasks))
    include = {"name": "Include", "ansible.builtin.include_tasks": "{{ inventory_hostname }}.yml"}
    play = {"hosts": "all", "gather_facts": False, "strategy": strategy}
    plays = [{**play, "name": "Each", "tasks": [include]}, {**play, "name": "All", "tasks": [END]}]
    playbook, inventory = tmp_path / "plays.yml", tmp_path / "hosts.yml"
    playbook.write_text(yaml.safe_dump(plays))
    hosts = {host: {"ansible_connection": "local", "ansible_python_interpreter": sys.executable} for host in CASES}
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": {"test_port": port}}}))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, playbook],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "ANSIBLE_INJECT_FACT_VARS": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode
    failed = {host: set(re.findall(r"app ([\w-]+): verify:", text)) for host, text in fatal(done.stdout).items()}
    assert failed == {host: set(apps or ()) for host, (_tasks, apps) in CASES.items() if apps != []}, done.stdout
    assert {host for host, number in recap(done.stdout).items() if number != "0"} == set(failed)
    assert "deferred: a b" in done.stdout
    assert "rescued: -" in done.stdout
    assert "async" in fatal(done.stdout)["asynchronous"]


def fatal(output):
    """What the last failed task of each host printed, but for tasks that were rescued or ignored."""
    found = re.findall(r"^fatal: \[(\w+)\]: FAILED! =>(.*?)(?=^\S|\Z)(\.\.\.ignoring)?", output, re.MULTILINE | re.DOTALL)
    return {host: text for host, text, ignored in found if not ignored and host != "rescued"}


SHARED_STEP = "Fail for every app that failed"

# What makes a step fail for its app, and how its message goes on.
BROKEN = {
    "packages": ({"system_packages": ["no-such-package"]}, "system_packages: "),
    "build": ({"packages": ["tinydb==999"]}, "install: "),
    "release": ({"entry_point": "app:missing"}, "import: "),
    "uwsgi_plugin": ({}, "plugin: there is no "),
    "rollout": ({"health_check": {"status": [418], "timeout": 2}}, "health: "),
    "site_certificates": (
        {"tls": {"mode": "files", "on_host": True, "certificate": "/etc/no.pem", "key": "/etc/no.key"}},
        "tls: ",
    ),
    "config_tree": ({"nginx_directives": ["no_such_directive on;"]}, "nginx: "),
    "certificate": ({"tls": {"mode": "certbot"}}, "certificate: "),
    "site_probe_info": ({"nginx_directives": ["return 503;"]}, "verify: "),
    "retire": ({"state": "absent"}, "retire: "),
}


def broken(hello, step):
    name = step.replace("_", "-")
    return {**hello, "name": name, "domains": [f"{name}.test"], **BROKEN[step][0]}


@pytest.fixture
def documented(tmp_path):
    """The playbook of docs/inclusion.md as it is written there, and its group of hosts."""
    text = (ROOT / "docs/inclusion.md").read_text()
    (playbook,) = [found for found in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if "block:" in found]
    (tmp_path / "documented.yml").write_text(playbook)
    (tmp_path / "web.yml").write_text("{web: {children: {wsgi: {}}}}")
    return str(tmp_path / "documented.yml"), "-i", str(tmp_path / "web.yml")


@pytest.fixture
def prepared(server, hello):
    """The host with an app that cannot be removed, since its user has a process besides."""
    if "retire" not in server.sh("ls /srv/wsgi 2>/dev/null || true"):
        server.converge([{**hello, "name": "retire", "domains": ["retire.test"]}])
    server.sh("systemd-run --quiet --unit outsider --uid retire sleep infinity")
    yield server
    server.sh("systemctl stop outsider")


def check(play, lines):
    """One line of the shared step's message for each app, and no other failed task."""
    failed = [result["task"] for result in play.results if result["outcome"] == "failed"]
    assert play.code, play.output
    assert failed == [SHARED_STEP], play.output
    assert [line for line in lines if not any(told.startswith(line) for told in play.message.splitlines())] == [], play.message
    assert len(play.message.splitlines()) == len(lines), play.message


@on(13)
@pytest.mark.parametrize("step", BROKEN)
def test_the_documented_playbook_fails_for_each_step(prepared, hello, documented, step):
    good = {**hello, "name": "good", "domains": ["good.test"]}
    if step == "uwsgi_plugin":
        prepared.sh("mv /usr/bin/uwsgi-core /usr/bin/uwsgi-core.away")
    try:
        play = prepared.play([good, broken(hello, step)], *documented)
    finally:
        prepared.sh("test ! -e /usr/bin/uwsgi-core.away || mv /usr/bin/uwsgi-core.away /usr/bin/uwsgi-core")
    names = ["good", "uwsgi-plugin"] if step == "uwsgi_plugin" else [step.replace("_", "-")]
    check(play, [f"app {name}: {BROKEN[step][1]}" for name in names])
    if step != "uwsgi_plugin":
        assert prepared.get("/", "good.test").startswith("200 hello|")


@on(13)
def test_the_playbook_that_ships_fails_for_all_steps_at_once(prepared, hello):
    steps = [step for step in BROKEN if step != "uwsgi_plugin"]  # that one fails for all apps
    play = prepared.play([broken(hello, step) for step in steps])
    check(play, [f"app {step.replace('_', '-')}: {BROKEN[step][1]}" for step in steps])
