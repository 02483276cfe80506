# SPDX-License-Identifier: GPL-3.0-or-later
"""An app's variables, whatever is in them, and the commands that a release needs before it takes traffic."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from conftest import HELLO, HOSTS, Server, on

pytestmark = on(12)

STACKS = ["uwsgi", "uwsgi_emperor", "gunicorn_supervisor"]

DUMP = """
import json, os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name.decode(): value.hex() for name, value in os.environb.items()}).encode()]
"""

VALUES = [
    "it's",
    'say "hi"',
    "'",
    "$(reboot) `id` $HOME ${HOME:-x} \\$HOME",
    "50%",
    "100%d %n %% %(socket) %(ENV_HOME)s",
    "@(/etc/passwd)",
    "two\nlines",
    "\nlast line ends\n\n",
    "back\\slash \\n \\\\ \\",
    "ünï ☃ 🦄 \u00a0",
    "  blanks  ",
    "\ttabs\t",
    "",
    "a;b ; c #d # e",
    "=a=b=",
    "! * ? ~ [a] {b,c} <x >y & |",
    "-n",
    "carriage\rreturn\r\n",
    "control \x01\x1b[1m\x7f",
    "-----BEGIN PRIVATE KEY-----\nMIIE+/==\n-----END PRIVATE KEY-----\n",
    "x" * 100_000,
]


def written(variables):
    """A file of environment variables, every other value between single quotes, the rest between double quotes."""
    lines = ["\ufeff# written by a test\r"]
    for place, (name, value) in enumerate(variables.items()):
        value = value.replace("\\", "\\\\")
        single = place % 2 and "\r" not in value
        quoted = "'" + value.replace("'", "\\'") + "'" if single else '"' + value.replace('"', '\\"').replace("\r", "\\r") + '"'
        lines.append(f"  export {name} = {quoted}  # comment")
    return "\n".join(lines)


def test_every_value_arrives_byte_for_byte_under_every_stack(server, code, tmp_path):
    of_file = {f"FILE_{number}": value for number, value in enumerate(VALUES)}
    of_inventory = {f"INVENTORY_{number}": value for number, value in enumerate(VALUES)}
    (tmp_path / "code").mkdir()
    (tmp_path / "code/production.env").write_text(written({**of_file, "BOTH": "from the file"}), newline="")
    app = {
        "source": code(DUMP),
        "entry_point": "app:application",
        "processes": 1,
        "environment_file": "production.env",
        "environment": {**of_inventory, "BOTH": "from the inventory"},
    }
    apps = [{**app, "name": f"on-{stack.replace('_', '-')}", "mount": f"/{stack}", "stack": stack} for stack in STACKS]
    server.converge(apps)
    wanted = {**of_file, **of_inventory, "BOTH": "from the inventory"}
    for stack in STACKS:
        page = server.get(f"/{stack}/")
        assert page.startswith("200 {"), (stack, page[:200])
        arrived = {name: bytes.fromhex(value) for name, value in json.loads(page.partition(" ")[2]).items()}
        assert {name: arrived.get(name) for name in wanted} == {name: value.encode() for name, value in wanted.items()}, stack
    modes = server.sh("stat -Lc '%a %U %G' /srv/wsgi/on-uwsgi/current/build/source/production.env /srv/wsgi/on-uwsgi/current/run")
    assert modes.splitlines() == ["640 root on-uwsgi", "750 root on-uwsgi"]
    # The same variables from the controller are the same release.
    kept = tmp_path / "controller.env"
    kept.write_bytes((tmp_path / "code/production.env").read_bytes())
    assert server.converge([{**app, "environment_file": str(kept)} for app in apps]).changed == []
    kept.write_text(written({**of_file, "FILE_0": "changed"}))
    play = server.converge([{**app, "environment_file": str(kept)} for app in apps], "-vvv")
    assert f'"FILE_0": "{b"changed".hex()}"' in server.get("/uwsgi/")
    assert "BEGIN PRIVATE KEY" not in play.output


# What is wrong with a file: its text, or what it is a link to, and what is said about it.
BAD_FILES = {
    "line": ("GREETING=bad\ns3cret\n", "environment: .env, line 2: there is no '='; write NAME=VALUE; correct the file."),
    "quote": ("GREETING='s3cret\n", "environment: .env, line 1: the closing ' of a value is missing;"),
    "link": (None, "environment: .env is a symlink to /etc/shadow, outside the source; put the file into the source."),
    "none": ("", "environment: the source has no file .env; correct environment_file, or add the file to the source."),
}


def test_a_bad_file_in_the_source_harms_nothing(server, hello, code, tmp_path):
    apps = []
    for name in BAD_FILES:
        source = code(HELLO, name)
        (tmp_path / name / ".env").write_text("GREETING=good\n")
        mine = {"name": f"bad-{name}", "mount": f"/{name}", "source": source, "environment_file": ".env"}
        apps.append({**hello, **mine, "processes": 1})
    server.converge(apps)
    for name, (text, _told) in BAD_FILES.items():
        (tmp_path / name / ".env").unlink()
        if text:
            (tmp_path / name / ".env").write_text(text)
    (tmp_path / "link/.env").symlink_to("/etc/shadow")
    play = server.play(apps, "playbooks/site.yml", "-v")
    assert play.code
    for name, (_text, told) in BAD_FILES.items():
        (line,) = [line for line in play.message.splitlines() if line.startswith(f"app bad-{name}: ")]
        assert told in line
        assert server.get(f"/{name}/") == f"200 good|1|/{name}|/"
        assert server.sh(f"ls /srv/wsgi/bad-{name}/releases").split() == ["1"]
    assert "s3cret" not in play.output
    (tmp_path / "link/.env").unlink()
    for name in BAD_FILES:
        (tmp_path / name / ".env").write_text("GREETING=fixed\n")
    server.converge(apps)
    assert all(server.get(f"/{name}/").startswith("200 fixed|2|") for name in BAD_FILES)


COUNT = 'echo "$WSGI_RELEASE $PWD $(id -un)" >>"$WSGI_SHARED/runs"'


def runs(server, app):
    """The releases that the command COUNT was run for."""
    return [line.split()[0] for line in server.sh(f"cat /srv/wsgi/{app}/shared/runs 2>/dev/null || true").splitlines()]


def told(play, task="Run the release commands"):
    ran = (result for result in play.results if result["action"] == "wsgi.stack.release" and result["outcome"] != "skipped")
    return next(result for result in ran if task in result["task"])


def test_release_commands_are_run_once_a_release(server, hello):
    app = {**hello, "name": "commanded", "environment": {"TOKEN": "s3cret"}}
    app["release_commands"] = [COUNT, 'cat\necho "$TOKEN: ünï"\npython -c "import app, sys; print(sys.prefix, file=sys.stderr)"']
    play = server.converge([app])
    first, second = told(play)["result"]["commands"]["commanded"]
    assert (first["command"], first["code"], first["output"]) == (COUNT, 0, [])
    assert second["output"][0] == "***: ünï"
    assert second["output"][1].startswith("/srv/wsgi/commanded/builds/")
    assert server.sh("cut -d' ' -f2- /srv/wsgi/commanded/shared/runs").split() == [
        server.sh("realpath /srv/wsgi/commanded/current/build/source").strip(),
        "commanded",
    ]
    assert server.converge([app]).changed == []
    # They are no part of what runs.
    assert server.converge([{**app, "release_commands": [COUNT]}]).changed == []
    assert runs(server, "commanded") == ["1"]

    changed = {**app, "environment": {"TOKEN": "s3cret", "GREETING": "changed"}}
    play = server.converge([changed], "--check")
    assert [entry["command"] for entry in told(play)["result"]["commands"]["commanded"]] == app["release_commands"]
    assert runs(server, "commanded") == ["1"]
    # A step that fails later does not have them run again.
    sick = {**changed, "health_check": {"path": "/", "status": [418], "timeout": 2}}
    for _again in range(2):
        play = server.play([sick])
        assert "release 2 failed its health check: GET / returned 200 instead of 418" in play.message
        assert runs(server, "commanded") == ["1", "2"]
    server.converge([changed])
    assert runs(server, "commanded") == ["1", "2"]
    assert server.get("/").startswith("200 changed|2|")


def test_a_release_command_that_fails_leaves_everything_as_it_was(server, hello):
    app = {**hello, "name": "commanded-badly", "release_commands": [COUNT]}
    server.converge([app])
    script = "cd /srv/wsgi/commanded-badly && ls releases builds && readlink current slots/* && cat history"
    before = server.sh(script)
    commands = [COUNT, "echo migrating; echo 'OperationalError: the token is s3cret'; exit 3", COUNT]
    bad = {**app, "environment": {"GREETING": "bad", "TOKEN": "s3cret"}, "release_commands": commands}
    play = server.play([bad])
    assert play.code
    assert play.message.startswith(
        f"app commanded-badly: release_commands: {commands[1].replace('s3cret', '***')} (2 of 3) ended"
    )
    assert "with exit code 3: OperationalError: the token is ***; fix that and run the play again" in play.message
    (failure,) = told(play)["result"]["failures"]
    assert failure["log"] == [
        f"$ {COUNT}",
        f"$ {commands[1].replace('s3cret', '***')}",
        "migrating",
        "OperationalError: the token is ***",
    ]
    assert server.sh(script) == before
    assert server.get("/").startswith("200 hello|1|")
    assert runs(server, "commanded-badly") == ["1", "2"]
    server.converge([{**bad, "release_commands": [COUNT]}])
    assert server.get("/").startswith("200 bad|2|")
    assert runs(server, "commanded-badly") == ["1", "2", "2"]


WAIT = COUNT + '; until [ -e "$WSGI_SHARED/go" ]; do sleep 0.2; done; rm "$WSGI_SHARED/go"'


def test_release_commands_hold_up_no_other_app(server, hello):
    """The commands wait for a file that is there only when a visitor has got the new releases of the others."""
    patient = {**hello, "name": "patient", "mount": "/patient", "processes": 1, "release_commands": [COUNT]}
    quick, sick = ({**hello, "name": name, "mount": f"/{name}", "processes": 1} for name in ("quick", "sick"))
    server.converge([patient, quick, sick])
    changed = {"environment": {"GREETING": "changed"}}
    apps = [
        {**patient, **changed, "release_commands": [WAIT]},
        {**quick, **changed},
        {**quick, "name": "incoming", "mount": "/incoming"},
        {**sick, **changed, "health_check": {"path": "/", "status": [418], "timeout": 3}},
    ]
    ready = "curl -sf http://127.0.0.1/quick/ | grep -q changed && curl -sf http://127.0.0.1/incoming/ | grep -q hello"
    served = f"until {ready}; do sleep 0.2; done; cat /srv/wsgi/patient/shared/runs; touch /srv/wsgi/patient/shared/go"
    with subprocess.Popen(
        ["docker", "exec", server.name, "timeout", "300", "sh", "-c", served], stdout=subprocess.PIPE, text=True
    ) as visitor:
        play = server.play(apps, "playbooks/site.yml", "--diff")
        visitor.wait(timeout=30)
    assert server.get("/patient/").startswith("200 changed|2|")
    assert server.get("/sick/").startswith("200 hello|1|")
    # Who failed in the first pass is left alone in the second.
    assert [line.partition(": ")[0] for line in play.message.splitlines()] == ["app sick"], play.message
    assert sum("sick" in json.dumps(result["result"].get("failures", [])) for result in play.results) == 1
    assert runs(server, "patient") == ["1", "2"]
    words = f"{server.name}, app quick: environment: GREETING added"
    assert f"{server.name}, app incoming: new\n" in play.output
    assert 0 < play.output.index(words) < play.output.index("+++ after"), play.output
    rows = dict(re.findall(r"^(\S+) +(\d+ .*?) +[\d.-]+$", play.output, re.MULTILINE))
    shown = {name: (row.split()[0], row.split()[-1]) for name, row in rows.items()}
    assert shown == {
        "patient": ("2", "yes"),
        "quick": ("2", "yes"),
        "incoming": ("1", "yes"),
        "sick": ("1", "failed"),
    }
    assert play.output.index("sick      ") < play.output.index("app sick: health: ")
    server.converge([*apps[:3], sick], wsgi_prune=True, wsgi_remove_shared=True)
    assert server.converge([*apps[:3], sick], "-vvv").executions == 1


@pytest.fixture
def other(server, tmp_path_factory):
    """A second host of the same fleet."""
    host = Server(f"{HOSTS}other", 12, tmp_path_factory.mktemp("other"))
    host.need("curl")
    yield host
    host.down()


def test_release_commands_are_run_once_a_fleet(server, other, hello):
    app = {**hello, "name": "fleet", "processes": 1, "release_commands": [COUNT]}
    fleet = ["-i", other.inventory]
    server.converge([app], *fleet)
    assert runs(server, "fleet") == ["1"]
    assert runs(other, "fleet") == []
    assert [host.get("/") for host in (server, other)] == ["200 hello|1||/"] * 2
    assert server.converge([app], *fleet).changed == []

    bad = {**app, "environment": {"GREETING": "bad"}, "release_commands": ["false"]}
    play = server.play([bad], "playbooks/site.yml", *fleet)
    assert play.code
    sentence = "false ended with exit code 1: it printed nothing"
    assert f"app fleet: release_commands: {sentence}" in play.output
    assert (
        f"app fleet: release_commands: on {server.name}, which runs the release commands for all hosts: {sentence}" in play.output
    )
    for host in (server, other):
        assert host.sh("ls /srv/wsgi/fleet/releases").split() == ["1"]
        assert host.get("/") == "200 hello|1||/"

    # A host that is there already when the first one is lost goes first.
    changed = {**app, "environment": {"GREETING": "changed"}}
    server.sh("systemctl stop ssh.socket ssh; pkill sshd || true")
    play = server.play([changed], "playbooks/site.yml", *fleet)
    server.sh("systemctl start ssh")
    assert "unreachable=1" in play.output
    assert runs(other, "fleet") == ["2"]
    assert other.get("/").startswith("200 changed|2|")
