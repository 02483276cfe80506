# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers and timers, which are part of a release on every stack."""

from __future__ import annotations

import time

import pytest
from conftest import on
from test_absent import STACKS

pytestmark = pytest.mark.long

# As a worker it notes when it starts and when it has ended its job, and whether there is another one at the same time.
CODE = """
import fcntl, os, signal, sys, time

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["WSGI_RELEASE"].encode()]

def note(text):
    with open(os.path.join(os.environ["WSGI_SHARED"], "notes"), "a") as stream:
        stream.write(f"{text} {os.environ['WSGI_WORKER']} {os.environ['WSGI_RELEASE']}\\n")

def stop(*_signal):
    time.sleep(1)
    note("ended")
    sys.exit()

if __name__ == "__main__":
    worker = os.environ["WSGI_WORKER"]
    if worker == "tick":
        note("ran")
        sys.exit()
    signal.signal(signal.SIGTERM, stop)
    lock = open(os.path.join(os.environ["WSGI_SHARED"], f"{worker}.lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        note("second")
    note("started")
    print("\\033[31mat work\\033[0m", os.environ["WSGI_WORKER_NUMBER"], flush=True)
    if os.environ.get("BROKER") == "none":
        time.sleep(1)
        raise RuntimeError("no broker")
    while True:
        time.sleep(1)
"""
COMMAND = "python app.py"


@pytest.fixture
def app(code):
    def make(stack, name=None, **more):
        return {
            "name": name or f"w-{stack.replace('_', '-')}",
            "stack": stack,
            "source": code(CODE, "worker"),
            "entry_point": "app:application",
            "mount": f"/{stack}",
            "workers": {
                "queue": {"command": COMMAND, "count": 2, "stop_timeout": 20},
                "beat": {"command": f"cd . && {COMMAND}", "single": True},
            },
            "timers": {"tick": {"command": COMMAND, "schedule": "*:*:0/2"}},
            "environment": {"API_KEY": "s3cr3t-of-the-app"},
            **more,
        }

    return make


def notes(server, name):
    return server.sh(f"cat /srv/wsgi/{name}/shared/notes").splitlines()


def of_singles(server, name):
    return [note for note in notes(server, name) if " beat " in note]


def units(server, name):
    """The units of an app's workers that run, each with the number of its release."""
    shown = server.sh(f"systemctl list-units --plain --no-legend --state active 'wsgi-{name}.*@*' | cut -d ' ' -f 1").split()
    release = 'tr "\\0" "\\n" </proc/$(systemctl show --value -p MainPID "$1")/environ | sed -n s/^WSGI_RELEASE=//p'
    return {unit.removeprefix(f"wsgi-{name}."): server.sh(release, unit).strip() for unit in shown}


# Whatever has the name of one of the apps. nginx's logs stay.
LEFT = r"""
find / -xdev -path /var/log/nginx -prune -o \( -name '*w-uwsgi*' -o -name '*w-gunicorn*' \) -print
systemctl list-units --all --plain --full --no-legend 'wsgi-*w-uwsgi*' 'wsgi-*w-gunicorn*'
getent passwd | grep ^w- || true
"""


def running(slot, release):
    return dict.fromkeys([f"beat-{slot}@1.service", f"queue-{slot}@1.service", f"queue-{slot}@2.service"], release)


@on(12)
def test_workers_are_rolled_out_and_back_and_removed_with_their_release(server, app, hello):
    apps = [app(stack, mount=f"/w/{stack}") for stack in STACKS]
    names = [each["name"] for each in apps]
    server.converge([hello, *apps])
    for name in names:
        assert units(server, name) == running("blue", "1")
    assert server.converge([hello, *apps]).changed == []

    # New code, and each app on another stack.
    moved = [{**each, "stack": stack, "environment": {"A": "2"}} for each, stack in zip(apps, [*STACKS[1:], STACKS[0]])]
    server.converge([hello, *moved])
    for name in names:
        assert units(server, name) == running("green", "2")
        assert of_singles(server, name) == ["started beat 1", "ended beat 1", "started beat 2"]
        found = notes(server, name)
        # Those of the queue overlap, and end what they do.
        assert found.index("started queue 2") < found.index("ended queue 1")
        assert found.count("ended queue 1") == 2
        assert "ran tick 1" in found
    # A job that ends takes nothing away that the app has in memory, of which systemd does not know on every stack.
    memory = " ".join(f"/dev/shm/{name}" for name in names)
    server.sh(f"for file in {memory}; do install -o ${{file#/dev/shm/}} /dev/null $file; done")
    time.sleep(3)
    assert all("ran tick 2" in notes(server, name) for name in names)
    server.sh(f"ls {memory}")

    # One that does not stay up ends the rollout, and nothing has happened to the old release.
    broken = [{**each, "environment": {"A": "2", "BROKER": "none"}} for each in moved[:1]]
    pid = server.sh("systemctl show --value -p MainPID 'wsgi-w-uwsgi.queue-green@2.service'")
    play = server.play([hello, *broken, *moved[1:]])
    assert play.code, play.output
    assert "app w-uwsgi: workers: release 3: worker beat did not stay up" in play.message.replace("queue", "beat")
    assert "its log says: RuntimeError: no broker; fix that" in play.message
    assert units(server, "w-uwsgi") == running("green", "2")
    assert server.sh("systemctl show --value -p MainPID 'wsgi-w-uwsgi.queue-green@2.service'") == pid
    assert server.get("/w/uwsgi/") == "200 2"

    play = server.play([hello, *moved], "playbooks/rollback.yml", "-e", "app=w-uwsgi", "-e", "release=1")
    assert play.code == 0, play.output
    assert units(server, "w-uwsgi") == running("blue", "1")
    assert "second" not in "".join(of_singles(server, "w-uwsgi"))

    # With a host before this one that has the app, too, what is single runs there.
    fleet = ["-i", "earlier,", "-e", f"wsgi_hosts=earlier,{server.name}", "--limit", server.name]
    play = server.play([hello, *moved], "playbooks/rollback.yml", "-e", "app=w-uwsgi", "-e", "release=1", *fleet)
    assert play.code == 0, play.output
    assert units(server, "w-uwsgi") == dict.fromkeys(["queue-blue@1.service", "queue-blue@2.service"], "1")
    assert "wsgi-w-uwsgi.tick" not in server.sh("systemctl list-timers --all --no-legend")

    server.sh("systemctl stop 'wsgi-w-uwsgi.queue-blue@2.service'")
    assert "worker_failing" in [finding["code"] for finding in server.module("doctor_info")["findings"]]
    play = server.play([hello, *moved], "playbooks/status.yml", *fleet)
    assert " 1/2 " in next(line for line in play.output.splitlines() if line.startswith("w-uwsgi "))
    play = server.play([hello, *moved], "playbooks/logs.yml", "-e", "app=w-uwsgi")
    assert "==> wsgi-w-uwsgi.queue-blue@1.service wsgi-w-uwsgi.queue-blue@2.service <==" in play.output
    assert ": at work 2\n" in play.output
    command = 'echo "$WSGI_RELEASE $(id -un) $API_KEY"; touch /etc/x'
    play = server.play([hello, *moved], "playbooks/run.yml", "-e", "app=w-uwsgi", command=command)
    assert play.code, play.output
    assert "\n1 w-uwsgi ***\n" in play.output
    assert "Read-only file system" in play.message

    absent = [{"name": name, "state": "absent"} for name in names]
    server.converge([hello, *absent], wsgi_remove_shared=True)
    assert server.sh(LEFT).split() == []
