# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostile app beside a victim: whatever its code does as its own user, nothing but itself is concerned."""

from __future__ import annotations

import re
import shutil
import time

import pytest
from conftest import HELLO, on

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve

STACKS = {"uwsgi": "uwsgi", "emperor": "uwsgi_emperor", "gunicorn": "gunicorn_supervisor"}
EVIL = {f"evil-{short}": stack for short, stack in STACKS.items()}
VICTIMS = {f"victim-{short}": stack for short, stack in STACKS.items()}

HOSTILE = '''
"""Runs what is posted to it, as an app that somebody has broken into; answers as shared/mode says."""

import contextlib, io, os, select, socket, time, traceback

SHARED = os.environ["SHARED"]


def connection(environ):
    """The connection itself, past the server and its rules."""
    if "gunicorn.socket" in environ:
        return socket.socket(fileno=os.dup(environ["gunicorn.socket"].fileno()))
    import uwsgi

    return socket.socket(fileno=os.dup(uwsgi.connection_fd()))


def parts(mode):
    """What it sends, and the seconds after each part."""
    if mode == "digits":
        yield b"HTTP/1.1 " + b"2" * 5000 + b" OK\\r\\nContent-Length: 0\\r\\n\\r\\n", 0
    elif mode == "drip":
        for byte in b"HTTP/1.1 200 OK\\r\\nContent-Length: 100000\\r\\n\\r\\n" + b"x" * 1000:
            yield bytes([byte]), 0.05
    elif mode == "headers":
        for number in range(100000):
            yield b"X-%d: x\\r\\n" % number, 0
    elif mode == "silence":
        yield b"", 60


def misbehave(environ, mode):
    with contextlib.suppress(OSError), connection(environ) as raw:
        for part, seconds in parts(mode):
            raw.sendall(part)
            # Until the other side has enough of it.
            if select.select([raw], [], [], seconds)[0] and not raw.recv(1, socket.MSG_PEEK):
                break
        raw.shutdown(socket.SHUT_RDWR)


def application(environ, start_response):
    told = io.StringIO()
    if environ["REQUEST_METHOD"] == "POST":
        code = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
        with contextlib.redirect_stdout(told):
            try:
                exec(code, {"SHARED": SHARED, "NAME": os.path.basename(os.path.dirname(SHARED))})
            except BaseException:
                traceback.print_exc(file=told)
    elif os.path.exists(SHARED + "/mode"):
        with open(SHARED + "/mode") as stream:
            misbehave(environ, stream.read().strip())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [told.getvalue().encode() or b"hostile"]
'''

FILES = """
for name in {names}; do
    find /srv/wsgi/$name /run/wsgi/$name /etc/tmpfiles.d/wsgi-live-$name.conf -printf '%p %y %m %u:%g %i %l\\n'
    find /srv/wsgi/$name -type f -exec sha256sum {{}} +
    pgrep -u $name
done | sort
"""


def publish(directory):
    """A static directory with a file, a symlink to it, and files that are there by accident."""
    for name in ("file", ".env", ".backup/config", "a/.well-known/.secret", "a/.well-known/file"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(name)
    (directory / "a/link").symlink_to("../file")


@pytest.fixture(scope="module")
def apps(server, tmp_path_factory):
    """A hostile app and a victim under each stack, made in one play."""
    made = []
    for names, text in ((EVIL, HOSTILE), (VICTIMS, HELLO)):
        for name, stack in names.items():
            directory = tmp_path_factory.mktemp(name)
            (directory / "app.py").write_text(text)
            publish(directory / "files")
            app = {"name": name, "stack": stack, "source": {"directory": str(directory)}, "entry_point": "app:application"}
            seconds = 4 if name in EVIL else 20
            more = {
                "environment": {"SHARED": f"/srv/wsgi/{name}/shared"},
                "health_check": {"timeout": seconds},
                "drain_timeout": 3,
            }
            made.append({**app, **more, "domains": [f"{name}.test"], "processes": 3})
            if name in EVIL:
                static = [{"url": "/files/", "directory": "files"}, {"url": "/up/", "shared": "in/up"}]
                made[-1].update(static=static, tls={"mode": "self_signed", "redirect": False})
    server.converge(made, wsgi_prune=True, wsgi_remove_shared=True)  # with what tests before this one have left
    return made


@pytest.fixture
def unharmed(server, apps):
    """What there is of the victims, which has to be the same after an attack."""

    def look():
        files = server.sh(FILES.format(names=" ".join(VICTIMS))).splitlines()
        return [*files, *(server.get("/", f"{name}.test") for name in VICTIMS)]

    before = look()
    assert all(page.startswith("200 hello|") for page in before[-len(VICTIMS) :]), before
    yield
    assert look() == before


def post(server, name, code):
    """What an app's own code printed that it was made to run."""
    ask = "curl --silent --show-error --max-time 30 --data-binary"
    return server.sh(f'{ask} "$1" --header "Host: $2.test" http://127.0.0.1/', code, name)


ACCOUNTS = """
for name in docker systemd-journal alice newcomer; do
    getent passwd $name || true
    getent group $name || true
done
"""


@on(13)
def test_an_app_named_after_somebody_of_the_host_gets_and_loses_nothing(server, hello):
    server.sh("getent group docker || groupadd --system --users root docker; id alice || useradd --create-home alice")
    # What a run that was killed in the middle leaves.
    server.sh("mkdir -pm 700 /var/lib/wsgi/accounts; touch /var/lib/wsgi/accounts/newcomer; groupadd --system newcomer")
    before = server.sh(ACCOUNTS).splitlines()
    theirs = ["docker", "systemd-journal", "alice"]
    apps = [{**hello, "name": name, "domains": [f"{name}.test"]} for name in [*theirs, "newcomer"]]
    play = server.play(apps)
    assert play.code, play.output
    lines = play.message.splitlines()
    assert [line.split(" that was not made for this app; give the app ")[1:] for line in lines] == [["another name."]] * 3
    assert [line.split(" (")[0] for line in lines] == [
        "app alice: user: this host has a user alice",
        "app docker: user: this host has a group docker",
        "app systemd-journal: user: this host has a group systemd-journal",
    ]
    new = [line for line in server.sh(ACCOUNTS).splitlines() if line not in before]
    assert [line.split(":")[0] for line in new] == ["newcomer"], new
    assert server.get("/", "newcomer.test").startswith("200 hello|")
    assert server.sh("ls /srv/wsgi /run/wsgi /var/lib/wsgi/accounts").count("newcomer") == 2
    assert not set(server.sh("ls /srv/wsgi /run/wsgi /home/alice").split()) & {*theirs}
    # With the user goes what it could leave for the next one of its uid.
    server.sh("cp /bin/true /tmp/left && chown newcomer: /tmp/left && chmod 4755 /tmp/left")
    absent = [{"name": app["name"], "state": "absent"} for app in apps]
    server.converge(absent)
    assert server.sh(ACCOUNTS).splitlines() == before[:-1]
    assert server.sh("ls /tmp/left /home/alice /var/lib/wsgi/accounts 2>/dev/null || true").split() == [
        "/home/alice:",
        "/var/lib/wsgi/accounts:",
    ]


FORWARDED = """
import sys

environ = sys._getframe(1).f_locals["environ"]
wanted = ("FORWARD", "SCHEME", "REAL", "FRONT_END", "HTTP_PROXY", "REMOTE_ADDR", "SCRIPT_NAME", "PATH_INFO")
for name, value in sorted(environ.items()):
    if any(word in name.upper() for word in wanted) and value:
        print(name, value)
"""

LIES = """
X-Forwarded-Proto: javascript; x-forwarded-proto: https; X-Forwarded-Ssl: on; X-FORWARDED-FOR: 6.6.6.6
X-Forwarded-Host: evil.test; X-Forwarded-Port: 6; X-Forwarded-Prefix: /x; X-Forwarded-Server: x; X-Forwarded-Protocol: x
X-Forwarded-Scheme: x; X-Real-IP: 6.6.6.6; Forwarded: for=6.6.6.6; X-Scheme: x; X-Url-Scheme: x; Front-End-Https: on
Proxy: x; X-Script-Name: /x; X_Forwarded_Proto: x; X_FORWARDED_SSL: on; SCRIPT_NAME: /x; PATH_INFO: /x
"""


@on(12)
def test_no_forwarding_header_of_a_visitor_reaches_an_app(server, apps):
    lies = [option for lie in LIES.replace("\n", ";").split(";") if lie for option in ("--header", lie.strip())]
    for name in EVIL:
        for scheme in ("http", "https"):
            ask = 'domain=$1 scheme=$2 code=$3; shift 3; curl -sk --data-binary "$code" --connect-to ::127.0.0.1: "$@" $scheme://$domain/p'
            found = dict(line.split(" ") for line in server.sh(ask, f"{name}.test", scheme, FORWARDED, *lies).splitlines())
            assert found.pop("REQUEST_SCHEME", scheme) == scheme
            assert found == {
                "HTTP_X_FORWARDED_FOR": "127.0.0.1",
                "HTTP_X_FORWARDED_HOST": f"{name}.test",
                "HTTP_X_FORWARDED_PROTO": scheme,
                "HTTP_X_REAL_IP": "127.0.0.1",
                "PATH_INFO": "/p",
                "REMOTE_ADDR": "127.0.0.1",
                "wsgi.url_scheme": scheme,
            }, (name, scheme)


VISIT = """
import resource, socket, sys, time

resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))


def connect(text, address):
    visitor = socket.create_connection(("127.0.0.1", 80), 5, (address, 0))
    visitor.sendall(text)
    return visitor


def status(name, *headers, uri="/", address="127.0.0.1"):
    lines = [f"GET {uri} HTTP/1.1", f"Host: {name}.test", "Connection: close", *headers, "", ""]
    return int(connect("\\r\\n".join(lines).encode(), address).makefile("rb").readline().split()[1])


for name in sys.argv[1:]:
    print(name, *(status(name, *(f"X-{number}: value" for number in range(count))) for count in (100, 150, 200, 900, 2000, 6000)))
    print(name, *(status(name, *["a:"] * count) for count in (900, 6000)))
    long = "x" * 7900
    print(name, status(name, f"Cookie: {long}", f"Authorization: {long}", uri=f"/?{long}"))
    print(name, status(name, f"Cookie: {long * 2}"), status(name, uri=f"/{long * 2}"))
for half in ("GET / HTTP/1.1\\r\\nHost: x", f"POST / HTTP/1.1\\r\\nHost: {name}.test\\r\\nContent-Length: 9\\r\\n\\r\\n1"):
    held = [connect(half.encode(), "127.0.0.6") for _ in range(1700)]
    time.sleep(0.5)
    print("others", *(status(name) for name in sys.argv[1:]))
    del held
"""


@on(12)
def test_a_visitor_with_many_headers_or_half_a_request_stops_nobody(server, apps):
    names = [*EVIL, *VICTIMS]
    told = server.sh('printf "%s" "$1" >/root/visit.py; shift; python3 /root/visit.py "$@"', VISIT, *names).splitlines()
    answers = ["200 200 200 200 400 400", "200 400", "200", "400 414"]
    others = f"others {' '.join(['200'] * len(names))}"
    assert told == [*(f"{name} {answer}" for name in names for answer in answers), others, others]


@on(12)
def test_nothing_outside_a_static_directory_is_published(server, apps):
    pages = {
        "file": "200",
        "a/link": "200",
        "a/.well-known/file": "200",
        **dict.fromkeys([".env", "%2eenv", ".backup/config", "a/.well-known/.secret", "a/../.env", "missing"], "404"),
        **dict.fromkeys(["theirs", "directory/passwd"], "403"),
    }
    for name in EVIL:
        # As a directory that the app can write to would have them.
        here = f"/srv/wsgi/{name}/current/build/source/files"
        server.sh(
            'ln -s /etc "$1/directory"; ln -s /etc/passwd "$1/theirs"; chown -h "$2:" "$1/directory" "$1/theirs"', here, name
        )
        ask = 'curl -s -o /dev/null --path-as-is -w \'%{http_code}\' -H "Host: $1.test" "http://127.0.0.1/files/$2"'
        assert {page: server.sh(ask, name, page) for page in pages} == pages
        server.sh('rm "$1/directory" "$1/theirs"', here)


UPLOAD = """
import os

up, victim = SHARED + "/in/up/", "/srv/wsgi/victim-" + NAME.partition("-")[2]
for name, target in {"theirs": "/etc/passwd", "directory": "/etc", "victim": victim, "mine": "file"}.items():
    os.symlink(target, up + name)
os.mkfifo(up + "pipe")
try:
    os.link("/etc/passwd", up + "hard")
except OSError:
    print("refused")
with open(up + "file", "w") as stream:
    stream.write("file")
"""

SWAP_UPLOADS = """
import os

os.rename(SHARED + "/in", SHARED + "/out")
os.symlink("{0}", SHARED + "/in")
print("swapped")
"""


@on(12)
def test_nothing_outside_a_directory_of_uploads_is_published_or_changed(server, apps, unharmed):
    ask = 'curl -s -o /dev/null --path-as-is -w "%{http_code}" -H "Host: $1.test" "http://127.0.0.1/up/$2"'
    symlinks = {**dict.fromkeys(["theirs", "mine"], "403"), **dict.fromkeys(["directory/passwd", "victim/current/run"], "404")}
    pages = {"file": "200", **symlinks, "pipe": "404", "hard": "404", "..%2f..%2fmode": "400"}
    pages["../up/file"] = "200"
    before = server.sh("stat -c '%n %a %u %g' /etc /etc/ssl /")
    for name in EVIL:
        assert post(server, name, UPLOAD) == "refused\n"
        assert {page: server.sh(ask, name, page) for page in pages} == pages
        assert post(server, name, SWAP_UPLOADS.format("/etc")) == "swapped\n"
        server.sh("mkdir -p /etc/up && echo theirs >/etc/up/file")
        assert server.sh(ask, name, "file") in ("403", "404")
    play = server.play(apps)
    told = "app {0}: shared: /srv/wsgi/{0}/shared/in is a symlink, and nginx follows none there"
    lines = play.message.splitlines()
    assert [line.partition(";")[0] for line in lines] == [told.format(name) for name in EVIL], play.output
    server.sh("rm -r /etc/up")
    assert server.sh("stat -c '%n %a %u %g' /etc /etc/ssl /") == before
    assert server.sh("python3 -c 'import os; print(os.listxattr(\"/etc\"))'") == "[]\n"
    for name in EVIL:
        server.sh("cd /srv/wsgi/$1/shared && rm -r in out", name)
    server.converge(apps)


@on(12)
def test_a_build_that_would_publish_what_is_not_its_own_is_refused(server, apps, tmp_path, unharmed):
    evil, other = apps[:2]
    for app, link, target in ((evil, "link", "/etc/passwd"), (other, "a/up", "../../app.py")):
        source = tmp_path / app["name"]
        shutil.copytree(app["source"]["directory"], source, symlinks=True)
        (source / "files" / link).symlink_to(target)
    changed = [{**app, "source": {"directory": str(tmp_path / app["name"])}} for app in (evil, other)]
    result = server.module("build", apps=_resolve.resolve(changed))
    told = "app {}: static: files/{} is a symlink to {}, outside the static directory files; put the file there instead,"
    assert [failure["message"].removesuffix(" or remove the symlink.") for failure in result["failures"]] == [
        told.format("evil-uwsgi", "link", "/etc/passwd"),
        told.format("evil-emperor", "a/up", "../../app.py"),
    ], result
    assert [server.sh(f"ls /srv/wsgi/{app['name']}/builds | wc -l").strip() for app in (evil, other)] == ["1", "1"]


SWAP = """
import os, socket

victim = "victim-" + NAME.partition("-")[2]
mine, theirs = "/run/wsgi/" + NAME, "/run/wsgi/" + victim
attempts = {
    "symlink": lambda: os.symlink(theirs + "/app.sock", mine + "/x"),
    "unlink": lambda: os.unlink(mine + "/app.sock"),
    "swap": lambda: (os.symlink(theirs + "/app.sock", SHARED + "/swap"), os.rename(SHARED + "/swap", mine + "/app.sock")),
    "slot": lambda: os.rename(mine + "/green.sock", mine + "/blue.sock"),
    "directory": lambda: os.rename(mine, mine + "2"),
    "chmod": lambda: os.chmod(mine, 0o777),
    "list": lambda: os.listdir(mine),
    "connect": lambda: socket.socket(socket.AF_UNIX).connect(theirs + "/app.sock"),
    "own": lambda: socket.socket(socket.AF_UNIX).connect(mine + "/app.sock"),
    "slots": lambda: os.symlink("/", f"/srv/wsgi/{NAME}/slots/red"),
    "releases": lambda: os.listdir(f"/srv/wsgi/{NAME}/releases"),
    "variables": lambda: open(f"/srv/wsgi/{victim}/releases/1/run").read(),
    "data": lambda: os.listdir(f"/srv/wsgi/{victim}/shared"),
}
for name, attempt in attempts.items():
    try:
        attempt()
        print(name, "DONE")
    except OSError as error:
        print(name, type(error).__name__)
"""


@on(12)
def test_an_app_cannot_put_anything_in_the_place_of_its_socket(server, apps, unharmed):
    for name in EVIL:
        before = server.sh(f"stat -c '%n %F %i %N' /run/wsgi/{name} /run/wsgi/{name}/*")
        told = dict(line.split() for line in post(server, name, SWAP).splitlines())
        assert len(told) == 13, told
        assert "DONE" not in told.values(), told
        assert server.sh(f"stat -c '%n %F %i %N' /run/wsgi/{name} /run/wsgi/{name}/*") == before
        assert server.get("/", f"{name}.test") == "200 hostile"


PLANT = """
import os

for name in ("green.release", "blue.release", "release.json", "app.sock", "mode.new"):
    os.mkfifo(os.path.join(SHARED, name))
here = os.open(SHARED, os.O_RDONLY)
for _ in range(3000):
    os.mkdir("deep", dir_fd=here)
    there = os.open("deep", os.O_RDONLY, dir_fd=here)
    os.close(here)
    here = there
print("planted")
"""


@on(12)
def test_what_an_app_leaves_in_its_own_directory_stops_nobody(server, apps, unharmed):
    for name in EVIL:
        assert post(server, name, PLANT) == "planted\n"
    told = server.play(apps, "playbooks/status.yml")
    assert told.code == 0, told.output
    assert server.converge(apps).changed == []
    gone = {**next(app for app in apps if app["name"] == "evil-emperor"), "state": "absent"}
    rest = [app for app in apps if app["name"] != "evil-emperor"]
    server.converge([*rest, gone], wsgi_remove_shared=True)
    assert server.sh("ls -d /srv/wsgi/evil-emperor 2>/dev/null || true; getent passwd evil-emperor || true") == ""
    server.converge(apps)


def down(server, apps):
    """The apps of which ``status`` says that they are down."""
    play = server.play(apps, "playbooks/status.yml")
    assert play.code == 0, play.output
    return set(re.findall(r"^\W*((?:evil|victim)-\w+)\s.*\bdown\b", play.output, re.MULTILINE))


@on(12)
def test_an_app_that_answers_its_health_check_with_anything_at_all_is_down_alone(server, apps, unharmed):
    for mode in ("digits", "drip", "headers", "silence"):
        for name in EVIL:
            server.sh(f"echo {mode} >/srv/wsgi/{name}/shared/mode")
        assert down(server, apps) == {*EVIL}, mode
    for name, mode in zip(EVIL, ("drip", "digits", "silence")):
        server.sh(f"echo {mode} >/srv/wsgi/{name}/shared/mode")
    play = server.play(apps)
    assert play.code, play.output
    lines = play.message.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"app {name}" for name in EVIL], play.message
    assert all(": health: release " in line for line in lines), play.message
    for name in EVIL:
        server.sh(f"rm /srv/wsgi/{name}/shared/mode")
    server.converge(apps)
    assert down(server, apps) == set()


MASQUERADE = """
import os, subprocess

with open(SHARED + "/x", "w") as stream:
    stream.write("#!/bin/sh\\nid >{0}/ran\\n".format(SHARED))
os.chmod(SHARED + "/x", 0o755)
os.symlink("/root/a.sock", SHARED + "/a.sock")
os.mkfifo(SHARED + "/app.ini")
os.symlink("/dev/zero", SHARED + "/gunicorn.conf.py")
nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "close_fds": True}
title = "nginx: master process " + SHARED + "/x -c " + SHARED + "/x"
words = [title, "-c", "while sleep 2; do :; done", SHARED + "/app.ini", "/dev/zero", "a" * 100000]
for _ in range(2):
    print(subprocess.Popen(words, executable="/bin/sh", cwd=SHARED, **nothing).pid)
"""

LINKED = "server { listen 80; server_name linked.test; location / { uwsgi_pass unix:/srv/wsgi/evil-uwsgi/shared/a.sock; } }"
LOGGED = "server { listen 80; server_name logged.test; location / { root /var/www/html; error_log /var/log/nginx/logged.log; } }"
ASKED = "/x%1b]0;evil%07%0A9999/99/99%2099:99:99%20[error]%201%231:%20forged%0A2026/11/28%2000:00:00%20[emerg]%201%231:%20forged"


@on(12)
def test_the_doctor_believes_neither_apps_nor_visitors(server, apps, unharmed):
    pids = [pid for name in EVIL for pid in post(server, name, MASQUERADE).split()]
    assert len(pids) == 2 * len(EVIL), " ".join(pids)
    server.sh('printf "%s\n" "$@" >/etc/nginx/conf.d/hostile.conf; nginx -t -q; systemctl reload nginx', LINKED, LOGGED)
    ask = f"curl --silent --globoff --header 'Host: logged.test' --write-out '%{{http_code}}' 'http://127.0.0.1{ASKED}'"
    server.sh(f"chmod 700 /root; for _ in 1 2 3 4 5; do {ask} | grep -q 404 && break; sleep 0.5; done")
    play = server.play(None, "playbooks/doctor.yml", doctor_fail=False)
    assert play.code == 0, play.output
    assert not server.sh("ls /srv/wsgi/evil-*/shared/ran 2>/dev/null || true")
    (found,) = re.findall(r"NOTE nginx_not_roots: .*\n((?:    \| .*\n)+)", play.output)
    assert found.count("of user evil-") == 5, found
    assert "\x1b" not in play.output
    assert r"/x\x1b]0;evil\x07\x0a9999" in play.output
    assert not re.search(r"nginx log +(9999|2026-11-28 00:00:00)", play.output)
    linked = [each for each in server.module("doctor_info")["findings"] if each["site"] == "linked.test"]
    assert linked, play.output
    assert not any(re.search(r"(chmod|chgrp|setfacl|mv) .*/root", each["fix"]) for each in linked), linked
    server.sh(f"kill -9 {' '.join(pids)}; rm /etc/nginx/conf.d/hostile.conf; systemctl reload nginx")


PRETEND = """
import os, subprocess

fifo = SHARED + "/fifo"
os.mkfifo(fifo)
words = ["--ini", "/etc/uwsgi/apps-enabled/x", "/etc/.." + fifo, "/etc/../dev/zero", fifo, "/dev/zero"]
command = ["uwsgi", "-ISc", "import time; time.sleep(600)", *words]
# Without the connection of the visitor, who would wait for its end.
nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "close_fds": True}
print(subprocess.Popen(command, executable="/usr/bin/python3", env={}, **nothing).pid)
"""


KEEP = """
import subprocess, sys

receive = r'''
import os, socket, sys, time

door = socket.socket(socket.AF_UNIX)
door.bind("\\0kept-" + sys.argv[1])
door.listen()
connection = door.accept()[0]
descriptors = socket.recv_fds(connection, 1, 1)[1]
while os.write(descriptors[0], b"# by an app\\n"):
    with open(sys.argv[2] + "/kept", "a") as stream:
        stream.write("written\\n")
    time.sleep(0.05)
'''
nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "close_fds": True}
print(subprocess.Popen(["python3", "-c", receive, NAME, SHARED], **nothing).pid)
"""

DAEMON = """
import os, socket, sys, time
from setuptools import setup

seen = open("seen", "w")
for path in ("/srv/wsgi/victim-uwsgi/shared", "/var/cache/wsgi-build/victim-uwsgi", "/srv/wsgi/victim-uwsgi/releases/1/run"):
    seen.write(f"{os.access(path, os.R_OK)} ")
uids = {os.stat(f"/proc/{pid}").st_uid for pid in os.listdir("/proc") if pid.isdigit()}
seen.write(f"{uids == {os.getuid()}}")
seen.close()
code = open("app.py", "a")
for name in ("evil-uwsgi", "evil-emperor", "evil-gunicorn"):
    door = socket.socket(socket.AF_UNIX)
    door.connect("\\0kept-" + name)
    socket.send_fds(door, [b"x"], [code.fileno()])
if os.fork() == 0:
    os.setsid()
    for descriptor in range(3):
        os.dup2(os.open("/dev/null", os.O_RDWR), descriptor)
    while True:
        code.write("# changed\\n")
        code.flush()
        time.sleep(0.1)
setup(name="daemon", version="1", py_modules=["app"])
"""

DEEP = """
import contextlib, os
from setuptools import setup

here = os.open(".", os.O_RDONLY)
for _ in range(3000):
    with contextlib.suppress(FileExistsError):
        os.mkdir("deep", dir_fd=here)
    there = os.open("deep", os.O_RDONLY, dir_fd=here)
    os.close(here)
    here = there
setup(name="deep", version="1", py_modules=["app"])
"""

CHILD = "import subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\n"

SITE = """
import sys
from setuptools import setup

site = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
setup(name="spy", version="1", py_modules=["app", "spy"], data_files=[(site, ["x.pth"])])
"""

SPY = """
import os, pwd, subprocess

nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
try:
    name = pwd.getpwuid(os.getuid()).pw_name
    with open("/proc/self/status") as status, open(f"/srv/wsgi/{name}/shared/ran", "a") as ran:
        ran.write("".join(line for line in status if line.startswith("NoNewPrivs")))
except (KeyError, OSError):
    pass
if "WSGI_RELEASE" not in os.environ:
    subprocess.Popen(["sleep", "301"], start_new_session=True, **nothing)
"""
"""Runs with every Python of the build, says how, and leaves a daemon unless it runs in a slot."""

FORGED = """
import atexit, os

if "WSGI_RELEASE" not in os.environ:
    atexit.register(lambda: print("\\n" + "[" * 200000, flush=True))
"""

FLOOD = "for _ in range(500):\n    print('x' * 100_000)\nraise RuntimeError('too much')\n"


def spying(code):
    """The files of a build that runs code with each of its Pythons."""
    return {"setup.py": SITE, "spy.py": code, "x.pth": "import spy\n"}


BUILT = {
    "lingers": {"setup.py": DAEMON},
    "deep": {"setup.py": DEEP},
    "zero": {},
    "child": {"app.py": CHILD + HELLO},
    "flood": {"app.py": FLOOD},
    "forged": spying(FORGED),
    **{f"spy-{short}": spying(SPY) for short in STACKS},
}

RUNNING = """
for name in "$@"; do
    grep -v "NoNewPrivs:.1" /srv/wsgi/$name/shared/ran || true
    test -s /srv/wsgi/$name/shared/ran
    for pid in $(pgrep -u $name); do
        grep "NoNewPrivs:.0" /proc/$pid/status || true
        tr '\\0' ' ' </proc/$pid/cmdline | grep 'sleep 301' || true
    done
done
"""
"""What the spies say that is not in order, and what they have left."""


@on(12)
def test_what_a_build_or_an_import_starts_ends_with_it(server, apps, unharmed, tmp_path):
    more = []
    for name, files in BUILT.items():
        (tmp_path / name).mkdir()
        for file, text in {"app.py": HELLO, **files}.items():
            (tmp_path / name / file).write_text(text)
        more.append(
            {"name": name, "mount": f"/{name}", "source": {"directory": str(tmp_path / name)}, "entry_point": "app:application"}
        )
        if name.startswith("spy-"):
            more[-1]["stack"] = STACKS[name.partition("-")[2]]
    (tmp_path / "zero/pyproject.toml").symlink_to("/dev/zero")
    pids = [pid for name in EVIL for pid in post(server, name, KEEP).split()]
    assert len(pids) == len(EVIL), pids
    play = server.play([*apps, *more])  # an import that waited for its child would be refused after 120 s
    told = sorted(play.message.splitlines())
    steps = {"deep": "build", "flood": "import", "forged": "python", "zero": "source"}
    assert [line.split(": ")[:2] for line in told] == [[f"app {name}", step] for name, step in steps.items()], play.message
    assert "cannot be imported: RuntimeError: too much;" in told[1]
    assert "/venv/bin/python does not run as a Python (" in told[2]
    assert server.sh(RUNNING, *(name for name in BUILT if name.startswith("spy-"))) == ""
    assert server.sh("cat /srv/wsgi/lingers/builds/*/source/seen") == "False False False True"
    script = (
        "cd /srv/wsgi/lingers; sha256sum builds/*/source/app.py; find . -newer history -o -not -user root -not -path './shared*'"
    )
    before = server.sh(script)
    kept = "cat /srv/wsgi/evil-*/shared/kept | wc -l; ls /srv/wsgi/evil-*/shared/kept | wc -l"
    written = server.sh(kept).split()
    time.sleep(0.5)
    assert server.sh(script) == before
    assert "# by an app" in server.sh("cat /srv/wsgi/lingers/builds/*/source/app.py"), "no app got the descriptor in time"
    more_written = server.sh(kept).split()
    assert int(more_written[0]) > int(written[0]), "no app writes any more"
    assert more_written[1] == "3"
    server.sh(f"kill -9 {' '.join(pids)}; rm /srv/wsgi/evil-*/shared/kept")
    assert server.sh("pgrep -f '[s]etup.py' || true") == ""
    assert server.sh("ls /srv/wsgi/deep/builds /srv/wsgi/zero/builds").split() == [
        "/srv/wsgi/deep/builds:",
        "/srv/wsgi/zero/builds:",
    ]
    assert "nested too deeply" in told[0]
    (tmp_path / "deep/setup.py").unlink()
    (tmp_path / "zero/pyproject.toml").unlink()
    (tmp_path / "flood/app.py").write_text(HELLO)
    (tmp_path / "forged/spy.py").write_text("")
    server.converge([*apps, *more])
    server.converge(apps, wsgi_prune=True, wsgi_remove_shared=True)
    assert server.sh("ls /var/cache/private/wsgi-build").split() == sorted([*EVIL, *VICTIMS])


RESTLESS = """
import os, time

for seconds in (1, 0.002):
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 1024)
        while True:
            if os.fork():
                os._exit(0)
            time.sleep(seconds)
print("forked")
"""


@on(12)
def test_what_an_app_calls_its_processes_is_believed_by_nobody(server, apps, unharmed):
    there = set(server.sh("ls /srv/wsgi").split())
    pids = [pid for name in EVIL for pid in post(server, name, PRETEND).split()]
    assert len(pids) == len(EVIL), pids
    assert server.sh(f"ps -o args= -p {','.join(pids)}").count("/etc/uwsgi/apps-enabled/x") == len(EVIL)
    like = next(app for app in apps if app["name"] == "victim-emperor")
    newcomer = {**like, "name": "newcomer", "domains": ["newcomer.test"], "idle": 60}
    server.converge([*apps, newcomer])
    assert server.get("/", "newcomer.test").startswith("200 hello|")
    server.sh(f"kill -9 {' '.join(pids)}")
    assert [post(server, name, RESTLESS) for name in EVIL] == ["forked\n"] * len(EVIL)
    server.converge(
        [*({**app, "state": "absent"} for app in apps if app["name"] in EVIL), *apps[len(EVIL) :]],
        wsgi_prune=True,
        wsgi_remove_shared=True,
    )
    assert set(server.sh("ls /srv/wsgi").split()) == there - {*EVIL}
