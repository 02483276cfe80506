# SPDX-License-Identifier: GPL-3.0-or-later
"""The same app under every stack, and on the way from each to each other."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess

import pytest
from conftest import HELLO, on

STACKS = ["uwsgi", "uwsgi_emperor", "gunicorn_supervisor"]

# From each to each other: six ways.
ROUND = ["uwsgi", "uwsgi_emperor", "gunicorn_supervisor", "uwsgi", "gunicorn_supervisor", "uwsgi_emperor", "uwsgi"]

TRACES = {
    "uwsgi": """systemctl list-units --all --no-legend --plain 'wsgi-*@{app}.service' | awk '$3 != "inactive" {{ print $1 }}'
        find /etc/systemd/system/ -name 'wsgi-*@{app}.service'; ls /etc/systemd/system/ | grep @.service || true""",
    "uwsgi_emperor": """find /etc/uwsgi -name '*@{app}.*' 2>/dev/null || true
        systemctl is-active wsgi-emperor | grep -x active || true
        systemctl is-enabled wsgi-emperor 2>&1 | grep -x enabled || true
        find /etc/systemd/system /etc/uwsgi -name 'wsgi-emperor*' 2>/dev/null || true""",
    "gunicorn_supervisor": """find /etc/supervisor -name '*@{app}.conf' 2>/dev/null || true
        supervisorctl status 2>/dev/null | grep -o 'wsgi-[a-z]*@{app}' || true
        systemctl is-active supervisor | grep -x active || true
        systemctl is-enabled supervisor 2>&1 | grep -x enabled || true""",
}
"""What shows that a stack has something to do with an app, or is in use at all."""


@pytest.fixture(scope="module", autouse=True)
def hey(server):
    server.need("hey")


def named(stack):
    """The name of an app that runs under a stack."""
    return "on-" + stack.replace("_", "-")


def traces(server, app):
    found = {stack: server.sh(script.format(app=app)).split() for stack, script in TRACES.items()}
    return {stack for stack, names in found.items() if names}


def pids(server, app):
    return set(server.sh(f"pgrep -u {app}").split())


@on(12)
def test_an_app_moves_from_each_stack_to_each_other_without_a_failed_request(server, hello):
    app = {**hello, "drain_timeout": 5}
    # What tests before this one have left.
    server.converge([], wsgi_prune=True, wsgi_remove_shared=True)
    server.sh("systemctl disable --now --quiet supervisor 2>/dev/null || true")
    server.converge([{**app, "stack": ROUND[0]}])
    assert traces(server, "hello") == {ROUND[0]}
    with server.load("/", 8) as fast, server.load("/slow", 4) as slow:
        for release, stack in enumerate(ROUND[1:], 2):
            server.converge([{**app, "stack": stack, "environment": {"GREETING": f"{release} under {stack}"}}])
            assert server.get("/").startswith(f"200 {release} under {stack}|")
            assert traces(server, "hello") == {stack}
            sockets = server.sh("ls /run/wsgi/hello").split()
            live_slot = server.sh("readlink /run/wsgi/hello/app.sock").strip()
            # A gunicorn's own one has its process id in it, and is the same.
            slots = {re.sub(r"\.\d+\.", ".", name) for name in sockets if name.endswith(".sock") and name[:4] != "app."}
            assert slots == {live_slot}
            assert ("app.http.sock" in sockets) == (stack == "gunicorn_supervisor")
            others = {"gunicorn", "uwsgi"} - {"gunicorn" if stack == "gunicorn_supervisor" else "uwsgi"}
            assert not any(f"bin/{other} " in server.sh("ps -u hello -o args=") for other in others)
    for load in (fast, slow):
        assert set(load) == {"200"}, load
        assert load["200"] > 3, load
    assert server.converge([{**app, "stack": stack, "environment": {"GREETING": f"{release} under {stack}"}}]).changed == []
    print(f"six changes of the stack: {fast['200']} requests and {slow['200']} of 1.5 s, none failed")


@on(12)
def test_a_release_after_a_move_that_nginx_was_not_loaded_for_leaves_visitors_where_they_are(server, hello, code):
    hello["stack"] = "gunicorn_supervisor"
    server.converge([hello])
    moved = {**hello, "stack": "uwsgi"}
    broken = "/etc/nginx/conf.d/theirs.conf"
    with server.load("/", 4) as fast:
        server.sh(f"echo 'nonsense on;' >{broken}")
        for text in (HELLO.replace('"hello"', '"second"'), HELLO.replace('"hello"', '"third"')):
            code(text)
            play = server.play([moved])
            assert play.code, play.output
            assert 'unknown directive "nonsense"' in play.message
            assert server.get("/").startswith("200 hello|")
        server.sh(f"rm {broken}")
        server.converge([moved])
        assert server.get("/").startswith("200 third|")
        assert traces(server, "hello") == {"uwsgi"}
    assert set(fast) == {"200"}, fast
    assert server.converge([moved]).changed == []


PREFIXED = """
import os
from flask import Flask, redirect, request, url_for

application = Flask(__name__)

@application.route("/")
def home():
    static = url_for("static", filename="a b.txt")
    words = [url_for("page", name="ü x"), url_for("page", name="x", _external=True), static, request.environ["SCRIPT_NAME"]]
    return "|".join([*words, request.environ["PATH_INFO"], request.scheme])

@application.route("/page/<name>")
def page(name):
    return redirect(url_for("home"))

@application.route("/echo/<path:name>")
def echo(name):
    return name
"""


@on(13)
def test_a_prefix_is_the_apps_own_under_every_stack_and_scheme(server, hello, code, tmp_path):
    source = code(PREFIXED, "prefixed")
    (tmp_path / "prefixed/static").mkdir()
    (tmp_path / "prefixed/static/a b.txt").write_text("static")
    tls = {"mode": "self_signed", "redirect": False}
    common = {**hello, "source": source, "packages": ["flask"], "tls": tls, "domains": ["prefix.test"]}
    static = [{"url": "/static/", "directory": "static"}]
    common.update(static=static, entry_point="app:application")
    server.converge([{**common, "name": named(stack), "stack": stack, "mount": f"/{named(stack)}/v2"} for stack in STACKS])
    for stack in STACKS:
        mount = f"/{named(stack)}/v2"
        for scheme, port in (("http", 80), ("https", 443)):
            site = f"{scheme}://prefix.test"
            ask = f"curl -ks --max-time 20 --path-as-is --resolve prefix.test:{port}:127.0.0.1"
            ask += " -w ' %{http_code} %{redirect_url}'"
            words = [f"{mount}/page/%C3%BC%20x", f"{site}{mount}/page/x", f"{mount}/static/a%20b.txt", mount, "/", scheme]
            assert server.sh(f"{ask} {site}{mount}/") == "|".join(words) + " 200 "
            assert server.sh(f"{ask} -o /dev/null {site}{mount}/page/x").strip() == f"302 {site}{mount}/"
            assert server.sh(f"{ask} {site}{mount}/static/a%20b.txt") == "static 200 "
            assert server.sh(f"{ask} -o /dev/null {site}{mount}/static../app.py").strip() == "404"
            assert server.sh(f"{ask} -o /dev/null '{site}{mount}?a=b'").strip() == f"308 {site}{mount}/?a=b"
            assert server.sh(f"{ask} -o /dev/null {site}{mount}x/").strip() == "404"
            assert server.sh(f"{ask} {site}{mount}/echo/%C3%BC%2541") == "ü%41 200 "
            # The app answers before it has read what it refuses, and the visitor gets that answer, not nginx's 502.
            upload = f"{ask} -o /dev/null -H Expect: --data-binary @/root/upload {site}{mount}/echo/x"
            server.sh("truncate --size 5M /root/upload")
            assert server.sh(f"for _try in $(seq 20); do {upload}; done").split() == ["405"] * 20


API = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode()]
"""


def publish(directory, release):
    """A single-page application with a script that is named after its release, and a file that is compressed already."""
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_text(f"page {release}")
    (directory / f"assets/{release}.js").write_text(f"script {release} " * 200)
    (directory / "assets/module.mjs").touch()
    (directory / "assets/packed.css").write_text("plain")
    (directory / "assets/packed.css.gz").write_bytes(gzip.compress(b"packed"))


@on(12)
def test_static_files_are_as_browsers_want_them(server, code, tmp_path):
    app = {"name": "spa", "source": code(API, "spa"), "entry_point": "app:application", "mount": "/api", "domains": ["spa.test"]}
    app["static"] = [
        {"url": "/", "directory": "dist"},
        {"url": "/assets/", "directory": "dist/assets", "max_age": "365d", "immutable": True},
    ]
    publish(tmp_path / "spa/dist", "one")
    # What an earlier release did not publish, nobody has checked.
    (tmp_path / "spa/unpublished").mkdir()
    (tmp_path / "spa/unpublished/accounts").symlink_to("/etc/passwd")
    server.converge([{**app, "keep_releases": 1}])
    publish(tmp_path / "spa/dist", "two")
    (tmp_path / "spa/unpublished/accounts").unlink()
    (tmp_path / "spa/unpublished/empty").touch()
    app["static"].append({"url": "/unpublished/", "directory": "unpublished"})
    server.converge([{**app, "keep_releases": 1}])
    for path, expected in {
        "/": "200 page two",
        "/deep/link": "200 page two",
        "/api/x": "200 /api|/x",
        "/assets/two.js": f"200 {'script two ' * 200}",
        "/assets/one.js": f"200 {'script one ' * 200}",  # of a page that is open still
    }.items():
        assert server.get(path, "spa.test") == expected, path
    for path in ("/assets/none.js", "/.wsgi-previous/assets/one.js", "/assets/.env", "/.env", "/unpublished/accounts"):
        assert server.get(path, "spa.test").startswith("404 "), path
    ask = "curl -s --compressed -D- --resolve spa.test:80:127.0.0.1 http://spa.test"
    for path, body in (("/assets/packed.css", "packed"), ("/assets/one.js", "script one")):
        answer = server.sh(f"{ask}{path}").replace("\r", "")
        assert body in answer
        for header in (
            "Content-Encoding: gzip",
            "Vary: Accept-Encoding",
            "Cache-Control: max-age=31536000",
            "Cache-Control: immutable",
        ):
            assert header in answer, path
    assert "Content-Type: text/javascript" in server.sh(f"{ask}/assets/module.mjs")
    assert "Content-Type: text/css" in server.sh(f"{ask}/assets/packed.css")
    assert "Cache-Control: no-cache" in server.sh(f"{ask}/deep/link")


PATIENT = """
import time

def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    size = sum(len(part) for part in iter(lambda: environ["wsgi.input"].read(65536), b"")) if length else 0
    time.sleep(float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['PATH_INFO']} {size} {VERSION}".encode()]
"""


@on(13)
def test_requests_in_flight_end_and_those_that_never_end_do_not_hold_up(server, hello, code):
    """Long polls and uploads outlast the rollout of their app; what takes longer than drain_timeout is cut off."""
    apps = []
    for stack in STACKS:
        name = named(stack)
        source = code(PATIENT + "\nVERSION = 1\n", name)
        apps.append({**hello, "name": name, "mount": f"/{name}", "stack": stack, "source": source, "drain_timeout": 30})
        hasty = {"name": f"hasty-{name}", "mount": f"/hasty-{name}", "drain_timeout": 2, "request_timeout": 300}
        apps.append({**apps[-1], **hasty})
    server.converge(apps)
    server.sh("head -c 3000000 /dev/urandom >/tmp/upload")
    ask = "curl --silent --max-time 300 --write-out ' %{http_code}'"
    requests = {}
    for stack in STACKS:
        name = named(stack)
        requests[name, "poll"] = f"{ask} 'http://127.0.0.1/{name}/poll?25'"
        requests[name, "upload"] = (
            f"{ask} --limit-rate 200k --data-binary @/tmp/upload -H 'Expect:' 'http://127.0.0.1/{name}/upload?1'"
        )
        requests[name, "endless"] = f"{ask} 'http://127.0.0.1/hasty-{name}/endless?280'"
    for app in apps:
        code(PATIENT + "\nVERSION = 2\n", app["name"].removeprefix("hasty-"))
    begun = {
        key: subprocess.Popen(
            ["docker", "exec", server.name, "sh", "-c", f"{command} || true"], stdout=subprocess.PIPE, text=True
        )
        for key, command in requests.items()
    }
    server.converge(apps)
    ended = {key: process.communicate(timeout=300)[0] for key, process in begun.items()}
    for stack in STACKS:
        name = named(stack)
        assert ended[name, "poll"] == "/poll 0 1 200", ended
        # nginx hands an upload on when it has all of it, to whatever release is live by then.
        assert ended[name, "upload"] in [f"/upload 3000000 {version} 200" for version in (1, 2)], ended
        assert ended[name, "endless"].endswith(" 502"), ended
        assert server.get(f"/{name}/") == "200 / 0 2"
        assert server.get(f"/hasty-{name}/") == "200 / 0 2"


@on(13)
def test_a_release_can_be_looked_at_before_it_goes_live(server, hello, code):
    apps = []
    for port, stack in enumerate(STACKS, 5000):
        name = named(stack)
        app = {**hello, "name": name, "mount": f"/{name}", "stack": stack, "source": code(HELLO, name), "preview_port": port}
        apps.append({**app, "environment": {"GREETING": "first"}})
    server.converge(apps)
    wanted = [{**app, "environment": {"GREETING": "second"}} for app in apps]

    def pages(word):
        live = [server.get(f"{app['mount']}/") for app in apps]
        shown = [server.get(f"{app['mount']}/", port=app["preview_port"]) for app in apps]
        return live, [page.startswith(f"200 {word}|") for page in shown]

    for again in (False, True):
        play = server.converge(wanted, wsgi_preview=True)
        assert (play.changed == []) == again
        live, shown = pages("second")
        assert all(page.startswith("200 first|") for page in live), live
        assert all(shown)
    before = [pids(server, app["name"]) for app in apps]
    server.converge(wanted)
    live, shown = pages("second")
    assert all(page.startswith("200 second|") for page in live), live
    assert not any(shown)
    # It is the very processes that were looked at.
    assert all(pids(server, app["name"]) < earlier for app, earlier in zip(apps, before))

    third = [{**app, "environment": {"GREETING": "third"}} for app in apps]
    server.converge(third, wsgi_preview=True)
    for app in apps:
        done = server.play(third, "playbooks/rollback.yml", "-e", f"app={app['name']}")
        assert done.code == 0, done.output
    live, shown = pages("third")
    assert all(page.startswith("200 second|") for page in live), live
    assert not any(shown)
