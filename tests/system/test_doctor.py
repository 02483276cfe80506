# SPDX-License-Identifier: GPL-3.0-or-later
"""Why is it a 502? Asked of servers that were set up by hand, and broken in every way that the field knows."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from conftest import HELLO, HOSTS, ROOT, Server

HANDMADE = ROOT / "tests/images/handmade"
# One site of each kind.
KINDS = {"shop": "uwsgi", "blog": "gunicorn", "wiki": "runtime", "chat": "activated", "news": "supervisor", "maps": "vassal"}

TIMEOUT = 4
"""Seconds that an app has for its answer."""


@dataclass(frozen=True)
class Breakage:
    """A way to break a site that somebody set up by hand.

    :ivar kind: of the server, see tests/images/handmade
    :ivar broken: a shell script that breaks it, run as root in the app's directory; NAME is that of the site
    :ivar page: what a visitor then gets; 000 is no answer
    :ivar codes: what is found, at least
    :ivar by_hand: a shell script that fixes what no command can fix; else the commands that come with the findings are enough
    :ivar user: whose app it is
    :ivar tls: whether nginx serves it on port 443 too
    :ivar boots: the site is there after a boot, once it is fixed
    :ivar socket: what ``socket_access_info`` says of it, if that is none of the codes; what it may say, separated by |
    :ivar before: a shell script that makes the healthy site another than that of the tutorials
    """

    kind: str
    broken: str
    page: str
    codes: set[str]
    by_hand: str = ""
    user: str = "sammy"
    tls: bool = False
    before: str = ""
    boots: bool = True
    socket: str = "ok"


SITE = "/etc/nginx/sites-available/NAME"
UNIT = "/etc/systemd/system/NAME.service"
RAISE = "sed -i 's,/error,/,' wsgi.py; restart NAME"
NO_RAISE = 'sed -i \'s,"/","/error",\' wsgi.py; restart NAME'

SOCKET_IN_HOME = (
    f"sed -i s,/run/NAME.sock,$PWD/NAME.sock, /etc/systemd/system/NAME.socket {SITE};"
    "systemctl stop NAME.socket NAME; restart NAME.socket"
)

BREAKAGES = {
    "mode600": Breakage("uwsgi", "chmod 0600 NAME.sock", "502", {"no_write_permission"}),
    "mode640": Breakage("gunicorn", "chmod 0640 NAME.sock", "502", {"no_write_permission"}),
    "parent700": Breakage("uwsgi", "chmod 0700 .", "502", {"no_search_permission"}),
    "home750": Breakage(
        "activated", "chgrp homer ..; chmod 0750 ..", "502", {"no_search_permission"}, user="homer", before=SOCKET_IN_HOME
    ),
    "group": Breakage("uwsgi", f"sed -i s/^Group=.*/Group=sammy/ {UNIT}; restart NAME", "502", {"no_write_permission"}),
    "newgroup": Breakage(
        "uwsgi",
        f"groupadd orders; usermod -aG orders www-data; sed -i s/^Group=.*/Group=orders/ {UNIT}; restart NAME",
        "502",
        {"group_not_effective"},
    ),
    "acl": Breakage("uwsgi", "setfacl -m u:www-data:--- NAME.sock", "502", {"acl_denied"}),
    "dangling": Breakage(
        "uwsgi",
        "ln -sfn $PWD/old.sock /run/NAME.sock",
        "502",
        {"dangling_link"},
        by_hand="ln -sfn $PWD/NAME.sock /run/NAME.sock",
        boots=False,
        before=f"ln -s $PWD/NAME.sock /run/NAME.sock; sed -i s,unix:.*sock,unix:/run/NAME.sock, {SITE}",
    ),
    "stale": Breakage("gunicorn", "systemctl kill --signal KILL NAME", "502", {"refused", "unit_failed"}),
    "tmp": Breakage(
        "uwsgi",
        f"sed -i s/^User=/PrivateTmp=yes\\\\n\\&/ {UNIT}; restart NAME",
        "502",
        {"private_tmp"},
        before=f"sed -i s,^socket.*,socket=/tmp/NAME.sock, NAME.ini; sed -i s,unix:.*sock,unix:/tmp/NAME.sock, {SITE}; "
        "restart NAME",
    ),
    "edited": Breakage(
        "uwsgi",
        "sed -i 's/^chmod-socket.*/chmod-socket = 600/' NAME.ini; systemctl restart NAME; sleep 1; "
        "sed -i 's/^chmod-socket.*/chmod-socket = 660/' NAME.ini",
        "502",
        {"mode_not_effective"},
    ),
    "httptouwsgi": Breakage("uwsgi", f"sed -i '/include/d; s,uwsgi_pass ,proxy_pass http://,' {SITE}", "502", {"wrong_protocol"}),
    "uwsgitohttp": Breakage(
        "gunicorn",
        f"sed -i 's,proxy_params,uwsgi_params,; s,proxy_pass http://,uwsgi_pass ,' {SITE}",
        "000",
        {"wrong_protocol"},
    ),
    "backlog": Breakage(
        "uwsgi",
        "for _ in 1 2 3 4 5 6 7 8; do visit NAME /hang; done",
        "502",
        {"backlog_full"},
        before="echo listen = 2 >>NAME.ini; restart NAME",
    ),
    "hang": Breakage("uwsgi", "visit NAME /hang", "000", {"no_answer"}),
    "error": Breakage("gunicorn", RAISE, "500", {"bad_status", "app_raises"}, by_hand=NO_RAISE),
    "raise": Breakage("uwsgi", RAISE, "502", {"closed", "app_raises"}, by_hand=NO_RAISE),
    "path": Breakage("runtime", f"sed -i 's,gunicorn.sock,NAME.sock,' {SITE}", "502", {"missing"}),
    "down": Breakage("uwsgi", "systemctl stop NAME", "502", {"missing", "unit_stopped"}),
    "sandbox": Breakage(
        "gunicorn",
        f"sed -i 's/^User=/ProtectHome=read-only\\n&/' {UNIT}; restart NAME || true",
        "502",
        {"unit_failed", "missing"},
    ),
    "noinclude": Breakage(
        "supervisor",
        "mv /etc/supervisor/conf.d/NAME.conf /etc/supervisor/conf.d/NAME.ini; supervisorctl update NAME >/dev/null",
        "502",
        {"program_not_read", "refused"},
    ),
    "unnamed": Breakage(
        "gunicorn",
        f"sed -i 's,location / {{,location / {{ try_files $uri =404; }} location @app {{,' {SITE}",
        "404",
        {"location_unused"},
    ),
    "downtcp": Breakage("supervisor", "supervisorctl stop NAME >/dev/null", "502", {"refused", "program_stopped"}),
    "file": Breakage("uwsgi", "rm NAME.sock; touch NAME.sock", "502", {"not_a_socket"}),
    "colon": Breakage("uwsgi", f"sed -i 's,sock;,sock:;,' {SITE}", "502", {"missing"}),
    "venv": Breakage(
        "uwsgi",
        "mv env/lib/python3* env/lib/python3.9; sed -i 's/^version.*/version = 3.9.2/' env/pyvenv.cfg; restart NAME",
        "500",
        {"bad_status", "python_mismatch"},
        by_hand="mv env/lib/python3.9 env/lib/$(basename $(readlink -f /usr/bin/python3)); "
        "sed -i \"s/^version.*/version = $(python3 -V | cut -d ' ' -f 2)/\" env/pyvenv.cfg; restart NAME",
    ),
    "plugin": Breakage(
        "uwsgi",
        "sed -i 's/^plugin.*/plugin = python39/' NAME.ini; restart NAME",
        "502",
        {"closed", "plugin_missing"},
        by_hand="sed -i 's/^plugin.*/plugin = python3/' NAME.ini; restart NAME",
    ),
    "expired": Breakage(
        "gunicorn",
        "certificate NAME NAME.test -1",
        "200",
        {"certificate_expired"},
        by_hand="certificate NAME NAME.test 365",
        tls=True,
    ),
    "othername": Breakage(
        "gunicorn",
        "certificate NAME other.test 365",
        "200",
        {"certificate_names"},
        by_hand="certificate NAME NAME.test 365",
        tls=True,
    ),
    "code": Breakage("uwsgi", "sleep 1; echo >>wsgi.py", "200", {"older_than_code"}),
    "ini": Breakage("uwsgi", "sleep 1; echo >>NAME.ini", "200", {"older_than_configuration"}),
    "disabled": Breakage("gunicorn", "systemctl disable --quiet NAME", "200", {"unit_not_enabled"}),
    "somaxconn": Breakage(
        "gunicorn",
        f"sed -i 's/--workers/--backlog 8192 &/' {UNIT}; restart NAME",
        "200",
        {"backlog_over_somaxconn"},
        by_hand=f"sed -i 's/--backlog 8192//' {UNIT}; restart NAME",
    ),
    "full": Breakage(
        "supervisor", "dd if=/dev/zero of=full 2>/dev/null || true", "200", {"disk_full"}, "rm full", "fuller", boots=False
    ),
    "opened": Breakage("activated", "chmod 0755 ..", "200", {"home_open"}, user="opener", before=SOCKET_IN_HOME),
    "secret": Breakage(
        "runtime",
        "echo SECRET_KEY=x >/run/NAME/.env; chown sammy: /run/NAME/.env; chmod 0644 /run/NAME/.env",
        "200",
        {"secret_readable"},
    ),
    "scripted": Breakage("script", "supervisorctl stop of-NAME:NAME >/dev/null", "502", {"missing", "program_stopped"}),
    "importing": Breakage(
        "script",
        "sed -i 1iimport\\ stripe_sdk wsgi.py; supervisorctl restart of-NAME:NAME >/dev/null || true",
        "502",
        {"program_failed"},
        by_hand="sed -i 1d wsgi.py; supervisorctl restart of-NAME:NAME >/dev/null || true",
        socket="missing|refused|closed",  # it listens, until it has tried to import the app
    ),
    "templated": Breakage("template", "systemctl stop gunicorn@NAME", "502", {"missing", "unit_stopped"}),
    "chdir": Breakage("runtime", f"sed -i /^Working/s,$,-old, {UNIT}; restart NAME", "502", {"missing", "unit_failed"}),
    "envfile": Breakage(
        "runtime",
        f"sed -i s,^User=,EnvironmentFile=$PWD/.env\\\\n\\&, {UNIT}; restart NAME",
        "502",
        {"missing", "unit_failed"},
        by_hand="touch .env; systemctl restart NAME",
    ),
    "forking": Breakage(
        "gunicorn",
        f"sed -i s/^User=/Type=forking\\\\nTimeoutStartSec=10\\\\n\\&/ {UNIT}; restart NAME",
        "502",
        {"missing", "unit_type"},
    ),
    "sharing": Breakage(
        "runtime",
        "systemctl stop worker-of-NAME",
        "502",
        {"missing", "runtime_directory_shared"},
        before=f"sed 's,^ExecStart=.*,ExecStart=/bin/sleep infinity,' {UNIT} >/etc/systemd/system/worker-of-NAME.service;"
        "systemctl daemon-reload; systemctl start worker-of-NAME",
    ),
    "reread": Breakage(
        "supervisor",
        f"sed -i s/127.0.0.1:80/127.0.0.1:90/ /etc/supervisor/conf.d/NAME.conf {SITE}",
        "502",
        {"refused", "program_not_read"},
    ),
    "byhand": Breakage(
        "gunicorn",
        "systemctl stop NAME; systemd-run --quiet --scope --slice user.slice --unit session-c7 --uid sammy "
        "setsid --fork env/bin/gunicorn --bind 127.0.0.1:8999 wsgi >/dev/null 2>&1; restart NAME",
        "200",
        {"address_taken"},
        before=f"sed -i s,unix:NAME.sock,127.0.0.1:8999, {UNIT}; sed -i s,unix:.*sock,127.0.0.1:8999, {SITE}; restart NAME",
    ),
    "cookies": Breakage(
        "uwsgi",
        'curl --silent --output /dev/null --header "Host: NAME.test" --header "Cookie: a=$(head -c 6000 /dev/zero | tr "\\0" x)" '
        "http://127.0.0.1/ || true",
        "200",
        {"request_too_large"},
        by_hand="echo buffer-size = 32768 >>NAME.ini; restart NAME",
    ),
    "rundir": Breakage(
        "gunicorn",
        "rm -r /run/NAME; restart NAME",
        "502",
        {"missing", "socket_directory_missing"},
        before=f"install -d -o sammy -g www-data /run/NAME; sed -i s,unix:NAME.sock,unix:/run/NAME/app.sock, {UNIT};"
        f"sed -i s,unix:.*sock,unix:/run/NAME/app.sock, {SITE}; restart NAME",
    ),
    "writable": Breakage("runtime", "chmod 0777 /run/NAME/gunicorn.sock", "200", {"world_writable"}),
}

# A visitor gets an error, though the app answers.
BREAKAGES |= {
    "params": Breakage("uwsgi", f"sed -i /include/d {SITE}", "502", {"uwsgi_params_missing"}),
    "hostless": Breakage(
        "gunicorn",
        f"sed -i /include/d {SITE}",
        "400",
        {"host_not_passed"},
        before="sed -i 's/^HOST.*/HOST = \"NAME.test\"/' wsgi.py; restart NAME",
    ),
    "unknown": Breakage(
        "gunicorn",
        "sed -i 's/^HOST.*/HOST = \"localhost\"/' wsgi.py; restart NAME",
        "400",
        {"host_refused"},
        by_hand="sed -i s/localhost/NAME.test/ wsgi.py; restart NAME",
    ),
    "loop": Breakage(
        "gunicorn",
        f"sed -i 's/include.*/proxy_set_header Host $host;/' {SITE}",
        "301",
        {"redirect_loop"},
        before="sed -i 's/^HTTPS.*/HTTPS = True/' wsgi.py; restart NAME",
    ),
    "resolver": Breakage(
        "supervisor",
        f"sed -i 's,proxy_pass http://127.0.0.1,set $app localhost; proxy_pass http://$app,' {SITE}",
        "502",
        {"resolver_missing"},
        boots=False,  # nginx leaves both addresses of localhost alone for 10 s when a visitor comes before the app
    ),
    "maintenance": Breakage(
        "gunicorn",
        f"sed -i '1i upstream NAME {{ server unix:'$PWD'/NAME.sock down; }}' {SITE};"
        f"sed -i 's,http://unix:.*,http://NAME;,' {SITE}",
        "502",
        {"upstream_down"},
    ),
    "tlsport": Breakage(
        "supervisor",
        "handmade certificate NAME NAME.test 9; install -o sammy -m 0600 /etc/ssl/private/NAME.key .;"
        "sed -i s,--bind,'--keyfile NAME.key --certfile /etc/ssl/certs/NAME.crt --bind', /etc/supervisor/conf.d/NAME.conf;"
        "supervisorctl update NAME >/dev/null; sleep 1",
        "502",
        {"wrong_protocol"},
        socket="closed",
    ),
    "six": Breakage("gunicorn", f"sed -i 's/listen 80/listen [::]:80/' {SITE}", "default", {"ipv4_missing"}),
    "ending": Breakage(
        "gunicorn",
        f"mv {SITE} /etc/nginx/conf.d/NAME.cfg; rm /etc/nginx/sites-enabled/NAME",
        "default",
        {"file_not_included"},
    ),
}

# What the scripts above call. A unit is started again when all have ended, with the others. A visitor goes on waiting then.
HELPERS = """
later=
certificate() { handmade certificate "$@"; }
restart() { later="$later $1"; }
drop_in() {
    mkdir -p "/etc/systemd/system/$1.service.d"
    unit=$1
    shift
    printf '%s\\n' '[Service]' "$@" >"/etc/systemd/system/$unit.service.d/test.conf"
    systemctl daemon-reload
    systemctl restart "$unit" || true
}
visit() { systemd-run --quiet curl --silent --header "Host: $1.test" "http://127.0.0.1$2"; }
"""


# What changes with each login and each visitor.
LOGIN = (
    "*/access.log",  # the doctor asks as visitors do
    "/home/admin",
    "/run/log",
    "/run/motd.dynamic",
    "/run/sshd*",
    "/run/sudo",
    "/run/systemd",
    "/run/user",
    "/run/utmp",
    "/var/lib/sudo",
    "/var/lib/systemd",
)


class Handmade:
    """A host with sites that were set up by hand."""

    def __init__(self, server: Server):
        self.server = server
        server.sh("cat >/usr/local/bin/handmade <<'END'\n" + HANDMADE.read_text() + "END\nchmod 0755 /usr/local/bin/handmade")
        server.sh("handmade packages")

    def each(self, scripts: dict[str, tuple[str, str]]) -> None:
        """Run a script in the directory of each app, given its user and the script; first those that nginx has to read."""
        rounds = {True: [], False: []}
        for name, (user, script) in scripts.items():
            read_by_nginx = "/nginx/" in script or "certificate" in script
            rounds[read_by_nginx].append(f"cd /home/{user}/{name}; {script.replace('NAME', name)}")
        reload = "nginx -t -q; systemctl reload nginx; sleep 1"
        restart = 'systemctl daemon-reload; [ -z "$later" ] || systemctl restart $later || true'
        self.server.sh("\n".join([HELPERS, *rounds[True], reload, *rounds[False], restart]))

    def pages(self, wanted: dict[str, str], seconds: int = 10) -> dict[str, str]:
        """What a visitor gets of each site, as soon as it is as wanted: the status; 000 if none comes within two seconds.

        Before it has read its configuration, nginx answers with a page of its own.
        """
        ask = 'curl --silent --max-time 2 --write-out " %{http_code}" --header "Host: $name.test" http://127.0.0.1/'
        own = 'case $answer in *" 200") [ "$answer" = "hello from $name 200" ] || answer=default ;; esac'
        loop = (
            f'for name in {" ".join(wanted)}; do {{ answer=$({ask} || true); {own}; echo "$name ${{answer##* }}"; }} & done; wait'
        )
        end = time.monotonic() + seconds
        while True:
            found = dict(line.split() for line in self.server.sh(loop).splitlines())
            if found == wanted or time.monotonic() > end:
                return found

    def findings(self, **options) -> dict[str, list[dict]]:
        """What the doctor finds, by the first name of the site without its .test; "" is the host."""
        result = self.server.module("doctor_info", timeout=TIMEOUT, **options)
        assert not result["failed"], result
        found: dict[str, list[dict]] = {}
        for finding in result["findings"]:
            found.setdefault(finding["site"].removesuffix(".test"), []).append(finding)
        return found

    def state(self) -> set[str]:
        """All that looking must not change: files, sockets, units and processes."""
        skipped = " -o ".join(f"-path '{path}'" for path in LOGIN)
        # Logins change the time of /run.
        formats = "-path /run -o -type d -printf '%p %m %u %g %T@\\n' -o -printf '%p %m %u %g %i %C@\\n'"
        shown = self.server.sh(
            f"find /etc /run /home /srv /var/lib /var/log/nginx -xdev \\( {skipped} \\) -prune -o {formats} | sort;"
            "systemctl list-units --state active,failed --no-legend 'nginx*' 'uwsgi*' 'supervisor*' | sort;"
            "pgrep -a 'nginx|uwsgi|gunicorn'"
        ).splitlines()
        return set(shown)


@pytest.fixture(scope="module")
def handmade(request, tmp_path_factory):
    """A host of this module's own: the doctor sees all of a host."""
    host = Server(f"{HOSTS}doctor{request.param}", request.param, tmp_path_factory.mktemp("doctor"))
    yield Handmade(host)
    host.down()


def on(*debians: int):
    """A mark like that of the other tests, for the hosts of this module."""
    return pytest.mark.parametrize("handmade", debians, ids=[f"debian{debian}" for debian in debians], indirect=True)


@pytest.fixture(scope="module")
def healthy(handmade):
    """A site of each kind, nothing of which is broken."""
    # A module and a log in the directory of nginx's files, where the module's directory is a symlink.
    handmade.server.need("libnginx-mod-stream")
    handmade.server.sh("echo 'access_log quiet.log;' >/etc/nginx/conf.d/log.conf; systemctl restart nginx")
    sites = [f"sammy:{kind}:{name}{'+tls' * (name == 'shop')}" for name, kind in KINDS.items()]
    handmade.server.sh(f"handmade sites {' '.join(sites)}")
    well = dict.fromkeys(KINDS, "200")
    assert handmade.pages(well) == well
    return handmade


@on(12, 13)
def test_healthy_servers_of_every_kind_have_no_finding(healthy, tmp_path):
    server = healthy.server
    before = healthy.state()
    report = tmp_path / "report.html"
    play = server.play(None, "playbooks/doctor.yml", doctor_report=str(report))
    assert (play.code, play.changed) == (0, []), play.output
    assert_well(healthy, KINDS)
    assert healthy.state() ^ before == set()

    page = report.read_text()
    assert [name for name in KINDS if f"{name}.test" not in page or f"{name}.test" not in play.output] == []
    assert re.findall(r"""<link\b|\bsrc\s*=|href\s*=\s*["']?[^"'#\s]|@import|url\(|<script\b""", page) == []


def assert_well(host: Handmade, names: Iterable[str]) -> None:
    """See whether there is nothing to say about any of the sites."""
    assert host.findings() == {}
    sockets = host.server.module("socket_access_info", timeout=TIMEOUT)["sockets"]
    assert [(socket["code"], socket["warnings"]) for socket in sockets] == [("ok", []) for _name in names], sockets


@pytest.mark.smoke
@on(13)
def test_apps_of_the_collection_have_no_finding_beside_others(healthy, code):
    server = healthy.server
    # The apps of these are in the group of nginx, and get at what only nginx is to get at.
    server.sh("systemctl disable --quiet --now shop blog wiki; cd /etc/nginx/sites-enabled; rm shop blog wiki")
    stacks = {"one-unit": "uwsgi", "an-emperor": "uwsgi_emperor", "a-program": "gunicorn_supervisor"}
    app = {"source": code(HELLO), "entry_point": "app:application", "processes": 1}
    apps = [{**app, "name": name, "stack": stack, "domains": [f"{name}.test"]} for name, stack in stacks.items()]
    apps[0]["preview_port"] = 5700  # where no release is staged
    server.converge(apps)
    assert_well(healthy, [*stacks, *(name for name in KINDS if name not in ("shop", "blog", "wiki"))])

    program = "wsgi-blue@a-program"
    server.sh(f"supervisorctl stop {program}")
    found = healthy.findings()
    server.sh(f"supervisorctl start {program}")
    assert list(found) == ["a-program"], found
    assert f"supervisorctl start {program}" in [finding["fix"] for finding in found["a-program"]], found


@on(12)
def test_the_play_fails_for_what_is_broken_unless_it_is_told_not_to(healthy, tmp_path):
    server = healthy.server
    server.sh("chmod 0600 /home/sammy/shop/shop.sock; systemctl disable --quiet blog")
    report, document = tmp_path / "report.html", tmp_path / "report.json"
    json_to = {"doctor_format": "json", "doctor_report": str(document)}
    # nginx has not loaded this yet: its workers are another user's, who needs the directories for uploads.
    server.sh("sed -i 's/^user .*/user games;/' /etc/nginx/nginx.conf")
    try:
        failed = server.play(None, "playbooks/doctor.yml", doctor_report=str(report), doctor_timeout=TIMEOUT)
        told = server.play(None, "playbooks/doctor.yml", "--check", doctor_fail=False, doctor_timeout=TIMEOUT)
        server.play(None, "playbooks/doctor.yml", doctor_fail=False, doctor_timeout=TIMEOUT, **json_to)
    finally:
        server.sh("chmod 0660 /home/sammy/shop/shop.sock; sed -i 's/^user .*/user www-data;/' /etc/nginx/nginx.conf")
        server.sh("systemctl reload nginx")
    assert server.sh("stat -c %U /var/lib/nginx/body").split() == ["www-data"]
    warned = server.play(None, "playbooks/doctor.yml", doctor_timeout=TIMEOUT)
    printed = server.play(None, "playbooks/doctor.yml", doctor_format="json", doctor_timeout=TIMEOUT)
    server.sh("systemctl enable --quiet blog")
    assert (failed.code, told.code, warned.code) == (2, 0, 0), failed.output + told.output + warned.output
    fix = "runuser -u sammy -- chmod g+w /home/sammy/shop/shop.sock"
    assert "shop.sock (sammy:www-data 0600) does not give nginx" in failed.message
    assert [play.output.count("systemctl enable blog") > 0 for play in (failed, told, warned)] == [True] * 3
    assert [fix in text for text in (failed.output, told.output, report.read_text(), warned.output)] == [True, True, True, False]
    written = json.loads(document.read_text())["hosts"][server.name]
    assert (written["state"], written["summary"]) == (
        "broken",
        f"{len(KINDS) + 1} sites: 1 broken, 1 with warnings, 5 ok; the host: 1 warning",
    )
    assert written["findings"][0]["fix"] == fix
    (line,) = re.findall(r"^\{.*\}$", printed.output, re.MULTILINE)
    assert (printed.code, json.loads(line)["host"], json.loads(line)["state"]) == (0, server.name, "warning")


@on(12)
def test_socket_access_answers_for_whoever_asks(healthy):
    server = healthy.server
    asked = {
        "/run/wiki/gunicorn.sock": "no_write_permission",
        "/home/sammy/shop/shop.sock": "no_search_permission",
        "127.0.0.1:8001": "ok",
        "127.0.0.1:9": "refused",
        "/nowhere/at.all": "missing",
    }
    sockets = [{"address": address} for address in asked]
    for arguments in ((), ("--check",)):
        result = server.module("socket_access_info", *arguments, sockets=sockets, user="games", timeout=TIMEOUT)
        assert result["identity"]["user"] == "games"
        assert [socket["code"] for socket in result["sockets"]] == list(asked.values()), result
    # As a user who is not root, of whom nothing is asked that only root can tell.
    own = server.module("socket_access_info", "--become-user", "games", sockets=sockets, user="games", timeout=TIMEOUT)
    assert [socket["code"] for socket in own["sockets"]] == list(asked.values()), own
    workers = server.module("socket_access_info", "--become-user", "games", sockets=sockets, timeout=TIMEOUT)
    assert workers["identity"]["source"] == "process"
    assert [socket["code"] for socket in workers["sockets"]] == ["not_checked"] * 4 + ["missing"], workers
    assert all(socket["unseen"] for socket in workers["sockets"]), workers
    # So does the doctor look, as far as that user can.
    seen = server.module("doctor_info", "--become-user", "games", timeout=TIMEOUT)
    assert (seen["failed"], len(seen["sites"]) >= len(KINDS), bool(seen["unseen"])) == (False, True, True), seen


@on(12)
def test_an_app_in_the_group_of_nginx_reaches_its_neighbours(healthy):
    server = healthy.server
    server.sh("handmade sites betty:gunicorn:betty")
    assert healthy.pages({"betty": "200"}) == {"betty": "200"}
    found = healthy.findings(reference_time=time.time() + 3600)
    codes = {name: [finding["code"] for finding in findings] for name, findings in found.items()}
    assert codes == {"": ["clock", "other_app"]}, found
    reached = ("betty", "blog", "shop", "wiki")
    assert [name for name in reached if f"/{name}/" not in found[""][1]["quick_fix"]] == [], found
    server.sh(found[""][1]["quick_fix"])
    well = dict.fromkeys(reached, "200")
    assert healthy.pages(well) == well
    assert healthy.findings() == {}
    server.sh("systemctl disable --quiet --now betty; rm /etc/nginx/sites-enabled/betty; systemctl reload nginx")


@dataclass(frozen=True)
class Diagnosis:
    """What was seen of broken sites, by their names.

    :ivar pages: what visitors got of the broken sites
    :ivar findings: what the doctor said
    :ivar verdicts: what ``socket_access_info`` said
    :ivar after: what visitors got when all had been fixed
    :ivar left: what the doctor said then
    :ivar booted: what visitors got after a boot of the host, of the sites that come back by themselves
    """

    pages: dict[str, str]
    findings: dict[str, list[dict]]
    verdicts: dict[str, str]
    after: dict[str, str]
    left: dict[str, list[dict]]
    booted: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ailment:
    """What is wrong with a whole host, or with what several sites need.

    :ivar broken: a shell script that breaks it
    :ivar site: the one that suffers; "" is the host itself
    :ivar page: what a visitor of it gets, or of the site of news
    :ivar codes: what is found there, at least
    :ivar by_hand: a shell script that fixes what no command can fix; else that of the worst finding does
    """

    broken: str
    site: str
    page: str
    codes: set[str]
    by_hand: str = ""

    @property
    def visited(self) -> str:
        """The site that a visitor asks for."""
        return self.site or "news"


NGINX_SITE = "/etc/nginx/sites-available"
DEEP = "/home/sammy/blog" + "/releases" * 12

# Those of one dictionary are there at the same time.
AILMENTS: list[dict[str, Ailment]] = [
    {
        "nginx has a /tmp of its own": Ailment(
            "sed -i s,^socket.*,socket=/tmp/shop.sock, /home/sammy/shop/shop.ini; systemctl restart shop;"
            f"sed -i s,unix:.*sock,unix:/tmp/shop.sock, {NGINX_SITE}/shop; drop_in nginx PrivateTmp=yes ProtectHome=yes",
            "shop",
            "502",
            {"private_tmp"},
        ),
        "nginx sees no homes": Ailment("", "blog", "502", {"hidden_by_namespace"}),
        "a runtime directory is gone": Ailment("rm -r /run/wiki", "wiki", "502", {"missing"}),
        "a socket unit is stopped": Ailment("systemctl stop chat.socket chat", "chat", "502", {"refused"}),
        "the Emperor is stopped": Ailment("systemctl stop uwsgi-emperor", "maps", "502", {"missing", "unit_stopped"}),
        "nginx has not read a file": Ailment(f"sleep 1; touch {NGINX_SITE}/news", "", "200", {"nginx_not_reloaded"}),
    },
    {
        "nginx is stopped": Ailment("systemctl stop nginx", "", "000", {"nginx_stopped"}),
        "a service cannot be started": Ailment(
            "drop_in wiki User=nobody_there", "wiki", "000", {"missing", "unit_failed"}, "drop_in wiki User=sammy"
        ),
        "a service crashes again and again": Ailment(
            "sed -i 1iimport_nothing /home/sammy/blog/wsgi.py; drop_in blog Restart=always RestartSec=2; sleep 5",
            "blog",
            "000",
            {"unit_restarting"},
            "sed -i 1d /home/sammy/blog/wsgi.py; systemctl reset-failed blog; systemctl restart blog",
        ),
        "systemd has not read a unit": Ailment("echo >>/etc/systemd/system/shop.service", "shop", "000", {"unit_changed"}),
    },
    {
        "nginx would not start": Ailment(
            f"echo 'server {{ location / {{ uwsgi_pass localhost; }} }}' >>{NGINX_SITE}/news",
            "",
            "200",
            {"nginx_configuration"},
            f"sed -i '/uwsgi_pass localhost/d' {NGINX_SITE}/*",
        ),
        "the firewall is closed": Ailment(
            "nft 'add table ip wall; add chain ip wall input { type filter hook input priority 0; };"
            'add rule ip wall input iifname != "lo" tcp dport 80 drop\'',
            "",
            "200",
            {"firewall"},
            "nft delete table ip wall",
        ),
        "a key is another's": Ailment(
            "cp /etc/ssl/private/shop.key /root/; handmade certificate other shop.test 9;"
            "cp /etc/ssl/private/other.key /etc/ssl/private/shop.key",
            "shop",
            "200",
            {"certificate_key"},
            "cp /root/shop.key /etc/ssl/private/",
        ),
        # As deep as that, the server can listen by a name in its own directory, and nginx has to name all of it.
        "a path is too long": Ailment(
            f"install -d -o sammy {DEEP}; cp /home/sammy/blog/wsgi.py {DEEP}; drop_in blog WorkingDirectory={DEEP}; sleep 1;"
            f"sed -i s,unix:.*sock,unix:{DEEP}/blog.sock, {NGINX_SITE}/blog",
            "blog",
            "502",
            {"name_too_long"},
        ),
    },
    {
        "strangers reach an app": Ailment(
            "sed -i s/127.0.0.1:8001/0.0.0.0:8001/ /etc/supervisor/conf.d/news.conf; supervisorctl update >/dev/null",
            "news",
            "200",
            {"port_open"},
        ),
        "the firewall is between nginx and an app": Ailment(
            f"sed -i s,unix:.*sock,127.0.0.1:8088, {NGINX_SITE}/wiki; drop_in wiki ExecStart= "
            "'ExecStart=/home/sammy/wiki/env/bin/gunicorn --bind 127.0.0.1:8088 wsgi:application'; nft 'add table ip wall;"
            "add chain ip wall out { type filter hook output priority 0; }; add rule ip wall out tcp dport 8088 drop'",
            "wiki",
            "000",
            {"firewall_loopback"},
            "nft insert rule ip wall out oifname lo accept",
        ),
        "nginx may not open as many files as it should": Ailment(
            "sed -i 's/worker_connections .*/worker_connections 4096;/' /etc/nginx/nginx.conf; systemctl reload nginx; sleep 1",
            "",
            "200",
            {"connection_limit"},
        ),
    },
    {
        "another program has the port of nginx": Ailment(
            "systemctl stop nginx; systemd-run --quiet --unit taker python3 -m http.server 80; sleep 1;"
            "systemctl start nginx || true",
            "",
            "default",
            {"nginx_port_taken"},
            "systemctl stop taker; systemctl start nginx",
        ),
    },
    {
        "nginx has no directory for its logs": Ailment(
            "systemctl stop nginx; rm -r /var/log/nginx; systemctl start nginx || true", "", "000", {"nginx_log_directory"}
        ),
    },
    {
        "a site is a link that leads nowhere": Ailment(
            "ln -s ../sites-available/gone /etc/nginx/sites-enabled/; systemctl restart nginx || true",
            "",
            "000",
            {"nginx_dangling_link"},
        ),
    },
    {
        "nginx names a host that does not resolve": Ailment(
            "echo 'server { location / { proxy_pass http://nowhere.invalid; } }' >/etc/nginx/conf.d/media.conf;"
            "systemctl restart nginx || true",
            "",
            "000",
            {"nginx_host_not_found"},
            "rm /etc/nginx/conf.d/media.conf; systemctl start nginx",
        ),
    },
    {
        "nginx was not started by systemd": Ailment(
            "systemctl stop nginx; systemd-run --quiet --scope --slice user.slice --unit session-c8 setsid --fork nginx; sleep 1;"
            "rm /run/nginx.pid; systemctl start nginx || true",
            "",
            "200",
            {"nginx_past_systemd"},
        ),
    },
]


def is_command(fix: str) -> bool:
    """Whether a shell may run a fix; else it is a sentence for people."""
    return not fix.endswith(".")


def fall_ill_and_recover(healthy: Handmade, ailments: dict[str, Ailment]) -> Diagnosis:
    """Break a host in some ways at once, and do as the doctor says."""
    server = healthy.server
    server.sh("\n".join([HELPERS, *(ailment.broken for ailment in ailments.values())]))
    pages = healthy.pages({ailment.visited: ailment.page for ailment in ailments.values()})
    findings = healthy.findings()
    fixes = []
    for ailment in ailments.values():
        named = [finding["fix"] for finding in findings.get(ailment.site, []) if finding["code"] in ailment.codes]
        fixes.append(ailment.by_hand or next(iter(named), ""))
    server.sh("\n".join([HELPERS, *filter(is_command, fixes)]))
    return Diagnosis(pages, findings, {}, healthy.pages(dict.fromkeys(KINDS, "200")), healthy.findings())


@pytest.fixture(scope="module")
def recoveries(healthy):
    """What was seen of each of the ailments, by its name."""
    diagnoses = [(ailments, fall_ill_and_recover(healthy, ailments)) for ailments in AILMENTS]
    return {name: diagnosis for ailments, diagnosis in diagnoses for name in ailments}


@on(12)
@pytest.mark.parametrize("name", [name for ailments in AILMENTS for name in ailments])
def test_an_ailment_of_the_host_is_named_and_mended(recoveries, name):
    ailment = next(ailments[name] for ailments in AILMENTS if name in ailments)
    diagnosis = recoveries[name]
    found = diagnosis.findings.get(ailment.site, [])
    assert diagnosis.pages[ailment.visited] == ailment.page
    assert ailment.codes <= {finding["code"] for finding in found}, found
    assert all(finding["fix"] for finding in found), found
    assert diagnosis.after[ailment.visited] == "200", found
    assert diagnosis.left.get(ailment.site, []) == [], found


@pytest.fixture(scope="module")
def diagnosis(handmade):
    """Break all sites, each in a way of its own, and do as the doctor says."""
    server = handmade.server
    # A file system of its own, that can be full.
    server.sh("handmade person fuller; install -d -o fuller /home/fuller/full; mount -t tmpfs -o size=1m none /home/fuller/full")
    sites = [f"{way.user}:{way.kind}:{name}{'+tls' * way.tls}" for name, way in BREAKAGES.items()]
    server.sh(f"handmade sites {' '.join(sites)}")
    handmade.each({name: (way.user, way.before) for name, way in BREAKAGES.items() if way.before})
    well = dict.fromkeys(BREAKAGES, "200")
    assert handmade.pages(well) == well

    handmade.each({name: (way.user, way.broken) for name, way in BREAKAGES.items()})
    pages = handmade.pages({name: way.page for name, way in BREAKAGES.items()})
    findings = handmade.findings()
    sockets = server.module("socket_access_info", timeout=TIMEOUT)["sockets"]
    verdicts = {re.search(r"sites-\w+/(\w+)", str(socket["named_in"]))[1]: socket["code"] for socket in sockets}
    fixes = [finding["fix"] for name, way in BREAKAGES.items() if not way.by_hand for finding in about(findings, name)[:1]]
    server.sh("\n".join(filter(is_command, fixes)))
    handmade.each({name: (way.user, way.by_hand) for name, way in BREAKAGES.items() if way.by_hand})
    # All these servers are restarted, and booted, at once.
    after, left = handmade.pages(well, seconds=60), handmade.findings()
    server.reboot()
    booted = handmade.pages({name: "200" for name, way in BREAKAGES.items() if way.boots}, seconds=120)
    return Diagnosis(pages, findings, verdicts, after, left, booted)


def about(findings: dict[str, list[dict]], name: str) -> list[dict]:
    """The findings about a site, and those of the host about its file system or a file that nginx does not read."""
    return findings.get(name, []) + [finding for finding in findings.get("", []) if re.search(rf"/{name}\b", finding["message"])]


@on(12)
@pytest.mark.parametrize("name", BREAKAGES)
def test_a_breakage_is_named_and_mended(diagnosis, name):
    way = BREAKAGES[name]
    found = about(diagnosis.findings, name)
    codes = {finding["code"] for finding in found}
    assert diagnosis.pages[name] == way.page
    assert way.codes <= codes, found
    assert found[0]["code"] in way.codes, found
    assert diagnosis.verdicts.get(name, "ok") in way.codes.union(way.socket.split("|"))
    assert all(finding["fix"] for finding in found), found
    assert diagnosis.after[name] == "200", found
    assert diagnosis.left.get(name, []) == [], found
    assert diagnosis.booted.get(name, "200") == "200", found
