# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as others use it: each role from a playbook of their own, and installed."""

from __future__ import annotations

import re
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


@pytest.fixture
def tagged(server, hello):
    """An app of which the inventory has a newer version than what is live."""
    app = {**hello, "name": "tagged", "mount": "/tagged"}
    server.converge([app])
    return {**app, "environment": {"GREETING": "newer"}, "client_max_body_size": "11m"}


def test_tags_choose_steps(server, tagged):
    def play(*arguments):
        return server.play([tagged], "playbooks/site.yml", *arguments)

    refused = play("--tags", "nginx,retire")
    assert refused.code
    assert refused.changed == []
    assert refused.message == (
        "tags: nginx, retire cannot run without app, rollout, which would have something to do here first;"
        " use --tags app,rollout,nginx,retire, or no tags."
    )
    refused = play("--skip-tags", "app")
    assert refused.code
    assert refused.changed == []
    assert refused.message.startswith("tags: rollout, nginx, certbot, retire cannot run without app, which would have something")
    steps = [("app", "hello"), ("rollout", "newer"), ("nginx", "newer"), ("verify", "newer")]
    for tag, greeting in steps:
        done = play("--tags", tag)
        assert done.code == 0, done.output
        assert server.get("/tagged/x").startswith(f"200 {greeting}|"), tag
        limit = server.sh("grep -c 'client_max_body_size 11m' /etc/nginx/wsgi/tagged.conf || true").strip()
        assert limit == ("0" if tag in ("app", "rollout") else "1"), tag
    assert play().changed == []
    tagged["environment"] = {"GREETING": "newest"}
    done = play("--skip-tags", "certbot,verify")
    assert done.code == 0, done.output
    assert server.get("/tagged/x").startswith("200 newest|")
    assert "wsgi.stack.nginx : Request every app as a visitor" not in [result["task"] for result in done.results]


def test_tags_of_no_step_are_refused_and_those_of_other_plays_are_not(server, tagged, tmp_path):
    play = server.play([tagged], "playbooks/uwsgi.yml", "--tags", "wsgi")
    assert play.code
    assert play.message == "--tags wsgi: no task has this tag; use one of app, rollout, nginx, certbot, verify, retire."

    own = tmp_path / "own.yml"
    other = {"hosts": "wsgi", "gather_facts": False, "tags": ["other"], "tasks": [{"ansible.builtin.debug": {"msg": "other"}}]}
    own.write_text(yaml.safe_dump([{"ansible.builtin.import_playbook": "wsgi.stack.site", "tags": ["web"]}, other]))
    play = server.play([tagged], str(own), "--tags", "other")
    assert play.code == 0, play.output
    outcomes = [result["outcome"] for result in play.results]
    assert (set(outcomes[:-1]), outcomes[-1]) == ({"skipped"}, "ok")
    play = server.play([tagged], str(own), "--tags", "web")
    assert play.code == 0, play.output
    assert "wsgi.stack.uwsgi : Roll the releases out" in play.changed


def test_nginx_has_to_read_the_sites(server, hello):
    """As with the nginx.conf of nginx.org's package, or one that somebody wrote."""
    hello["domains"] = ["hello.test"]
    main = "/etc/nginx/nginx.conf"
    without = f"cp -a {main} /root/nginx.conf; sed -i '/sites-enabled/d' {main}"
    told = (
        f"nginx: nginx would not read /etc/nginx/sites-enabled/hello.conf, which {main} does not include;"
        f" add 'include /etc/nginx/sites-enabled/*.conf;' to its http block and run again."
    )
    server.converge([], wsgi_prune=True, wsgi_remove_shared=True)
    server.sh(without)
    play = server.play([hello])
    assert play.code, play.output
    assert told in play.message
    assert server.sh("ls /etc/nginx/sites-available /etc/nginx/sites-enabled | grep hello || true") == ""
    server.sh(f"mv /root/nginx.conf {main}")
    server.converge([hello])
    assert server.get("/", "hello.test").startswith("200 hello|")

    # Whoever takes it away later, and puts it back, need not load nginx.
    server.sh(f"{without}; nginx -s reload")
    play = server.play([hello])
    assert told in play.message
    server.sh(f"mv /root/nginx.conf {main}")
    server.converge([hello])
    assert server.get("/", "hello.test").startswith("200 hello|")
    assert server.converge([hello]).changed == []


def test_a_role_that_a_tag_chooses_without_the_releases_says_so(server, hello, tmp_path):
    path = tmp_path / "own.yml"
    roles = [{"role": f"wsgi.stack.{name}", "tags": name} for name in ("app", "uwsgi")]
    path.write_text(yaml.safe_dump([{"hosts": "wsgi", "become": True, "gather_facts": False, "roles": roles}]))
    play = server.play([hello], str(path), "--tags", "uwsgi")
    assert play.code
    assert play.message == (
        "uwsgi_releases: not set, and the role wsgi.stack.app has not run in this play; run it, with the same tags, or set"
        " uwsgi_releases to the release of each app."
    )


def test_the_environment_of_a_run_reaches_its_builds(server, hello):
    """Through the playbook that imports the other one, too."""
    app = {**hello, "name": "tagged", "mount": "/tagged", "build_commands": ["printenv no_proxy >proxy.txt"]}
    play = server.play([app], "wsgi.stack.uwsgi", wsgi_environment={"no_proxy": "localhost,.example.com"})
    assert play.code == 0, play.output
    assert server.sh("cat /srv/wsgi/tagged/current/build/source/proxy.txt") == "localhost,.example.com\n"


def test_a_port_that_another_process_has_is_refused_before_a_file_is_written(server, hello):
    app = {**hello, "name": "tagged", "mount": "/tagged"}
    server.converge([app])
    server.sh("systemd-run --quiet --unit squatter python3 -m http.server 8085; sleep 1")
    before = server.sh("cat /etc/nginx/conf.d/wsgi.conf /etc/nginx/sites-available/tagged.conf")
    try:
        play = server.play([app], nginx_http_ports=[80, 8085])
    finally:
        server.sh("systemctl stop squatter")
    assert play.code
    assert play.message.startswith("nginx: port 8085 is taken by python3 (process ")
    assert play.message.endswith(
        ", user root) of squatter.service, which listens at 0.0.0.0:8085; stop it, or give nginx another port."
    )
    assert server.sh("cat /etc/nginx/conf.d/wsgi.conf /etc/nginx/sites-available/tagged.conf") == before
    assert server.get("/tagged/x").startswith("200 hello|")


def test_a_port_that_another_process_has_stops_no_app_but_the_one_that_wants_it(server, hello):
    app = {**hello, "name": "tagged", "mount": "/tagged"}
    wanting = {**hello, "name": "wanting", "mount": "/wanting", "stack": "gunicorn_supervisor", "bind": "127.0.0.1:8085"}
    secure = {"domains": ["wanting.test"], "tls": {"mode": "self_signed", "port": 8087}}
    server.converge([app])
    server.sh(
        """for port in 8085 8086 8087; do
            systemd-run --quiet --unit "squatter-$port" python3 -m http.server $port
        done
        sleep 1"""
    )
    try:
        apps = [{**app, "environment": {"GREETING": "on"}}, {**wanting, "preview_port": 8086}, {**hello, **secure, "name": "tls"}]
        play = server.play(apps)
        server.sh("systemctl restart nginx")
        assert server.get("/tagged/x").startswith("200 on|")
    finally:
        server.sh("systemctl stop squatter-8085 squatter-8086 squatter-8087")
    failures = " ".join(play.output.split())
    for name, step, port in (("wanting", "bind", 8085), ("wanting.preview", "nginx", 8086), ("tls", "nginx", 8087)):
        wanted = rf"app {name}: {step}: port {port} is taken by python3 \(process \d+, user root\) of squatter-{port}.service"
        assert re.search(wanted, failures), play.output
    server.converge(apps)
    assert server.get("/wanting/x", port=8085).startswith("200 hello|")


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
