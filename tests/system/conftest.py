# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts in Docker, plays against them, and requests from inside them."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from ansible.executor.module_common import _CachedModule
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / ".collections"))  # what tests share is below its full name

HOST = ROOT / "tests/images/host"
PYTHONS = ROOT / "tests/images/pythons"

HOSTS = "-".join([os.environ.get("WSGI_STACK_HOSTS", "wsgi-stack-system"), os.environ.get("PYTEST_XDIST_WORKER", "one"), ""])
"""How the hosts' names begin, which is different in each process; another beginning lets two people run tests on one machine."""


COVERAGE = os.environ.get("WSGI_STACK_COVERAGE")
"""A directory for what ``make coverage`` measures: modules are then measured on their hosts."""

ON_HOST = "/var/lib/coverage"
"""Where a host keeps it meanwhile."""

OURS = re.compile(r"/etc/nginx/(conf\.d/wsgi[^/]*|(sites-enabled|wsgi)/[^/]+)\.conf$")
"""Files of nginx's that the collection writes."""


BYTECODE = """
import importlib.util, io, marshal, sys, zipfile
archive = io.BytesIO(sys.stdin.buffer.read())
with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as module:
    for name in [each for each in module.namelist() if each.endswith(".py")]:
        source = module.read(name)
        code = marshal.dumps(compile(source, name, "exec", dont_inherit=True))
        unchecked = (1).to_bytes(4, "little") + importlib.util.source_hash(source)
        module.writestr(name + "c", importlib.util.MAGIC_NUMBER + unchecked + code)
sys.stdout.buffer.write(archive.getvalue())
"""
"""Python that reads a module as Ansible has put it together, a zip file, and writes it with the bytecode of what is in it."""


def pytest_configure(config):
    config.addinivalue_line("markers", "smoke: one of the tests that ``make smoke`` runs, on one Debian")
    config.addinivalue_line("markers", "long: takes minutes, and begins first, so that no process waits for it in the end")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


class ByHost(LoadScopeScheduling):
    """Gives the tests of a file and a Debian to one process: they share what they have deployed."""

    def _split_scope(self, nodeid: str) -> str:
        debian = re.search(r"debian\d+", nodeid.partition("[")[2])
        return f"{nodeid.partition('::')[0]} {debian[0] if debian else ''}"


def pytest_xdist_make_scheduler(config, log):
    return ByHost(config, log)


@dataclass(frozen=True)
class Play:
    """A run that has ended: its exit code, all that it printed, and every task result."""

    code: int
    output: str
    results: list[dict]

    @property
    def changed(self) -> list[str]:
        return [result["task"] for result in self.results if result["changed"]]

    @property
    def message(self) -> str:
        """What the last failed task said."""
        failed = [result["message"] for result in self.results if result["outcome"] == "failed"]
        return str(failed[-1]) if failed else ""

    @property
    def executions(self) -> int:
        """How many modules were run on the host; of a play with ``-vvv``."""
        return len(re.findall(r"^Using module file ", self.output, re.MULTILINE))


class Server:
    """A throwaway host, new for who makes it: what an interrupted run left of the same name goes.

    :param image: of tests/images; ``bare`` where a test is about what is installed
    """

    def __init__(self, name: str, debian: int, scratch: Path, image: str = "prepared"):
        self.name = name
        self.debian = str(debian)
        self.scratch = scratch
        self.down()
        self.inventory = self._host("up", name, "--debian", self.debian, "--image", image).strip()
        self.environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
        shared = scratch.parents[1 if "PYTEST_XDIST_WORKER" in os.environ else 0]  # by all processes of the run
        self.modules = shared / f"modules-{debian}"
        self.modules.mkdir(exist_ok=True)
        self.compiled = shared / f"compiled-{debian}"
        self.compiled.mkdir(exist_ok=True)
        if COVERAGE:
            self.need("python3-coverage")
            self.sh('mkdir "$1"; printf "[run]\\nparallel = True\\n" >"$1.ini"', ON_HOST)
            options = {"config": f"{ON_HOST}.ini", "output": f"{ON_HOST}/{name}"}
            self.environment["_ANSIBLE_ANSIBALLZ_COVERAGE_CONFIG"] = json.dumps(options)

    @staticmethod
    def _host(*arguments: str) -> str:
        return subprocess.run([HOST, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

    @property
    def address(self) -> str:
        """The host's address in Docker's network."""
        wanted = "{{.NetworkSettings.Networks.bridge.IPAddress}}"
        return subprocess.run(
            ["docker", "inspect", "-f", wanted, self.name], check=True, capture_output=True, text=True
        ).stdout.strip()

    def down(self) -> None:
        if COVERAGE:
            subprocess.run(["docker", "cp", f"{self.name}:{ON_HOST}/.", COVERAGE], check=False, capture_output=True)
        self._host("down", self.name)

    def sh(self, script: str, *arguments: str, check: bool = True) -> str:
        """Run a shell script on the host, as root."""
        done = subprocess.run(
            ["docker", "exec", "-i", self.name, "sh", "-euc", script, "sh", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{script!r} on {self.name} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def need(self, *packages: str) -> None:
        """Install what a test uses on the host, and the collection does not bring."""
        wanted = " ".join(packages)
        install = f"apt-get update -qq; apt-get install -qq -y --no-install-recommends {wanted}"
        self.sh(f"dpkg -s {wanted} >/dev/null 2>&1 || {{ {install}; }} >/dev/null 2>&1")

    def python(self, *how: str) -> None:
        """Make an interpreter on the host, see tests/images/pythons."""
        self.sh(PYTHONS.read_text(), *how)

    def reboot(self) -> None:
        """Shut the host down in good order and boot it again."""
        subprocess.run(["docker", "restart", "--time", "60", self.name], check=True, stdout=subprocess.DEVNULL)
        self._host("up", self.name, "--debian", self.debian)

    def get(self, path: str, domain: str = "localhost", port: int = 80) -> str:
        """A page as a visitor on the host gets it: the status, a blank, and the body."""
        options = f"--silent --max-time 20 --write-out '\\n%{{http_code}}' --header 'Host: {domain}'"
        answer = self.sh(f"curl {options} 'http://127.0.0.1:{port}{path}' || true")
        body, _newline, status = answer.rpartition("\n")
        return f"{status} {body}"

    @contextlib.contextmanager
    def load(self, path: str, clients: int, per_second: int = 25, origin: str = "http://127.0.0.1", method: str = "GET"):
        """Requests to a page for as long as the block lasts, ten minutes at the most.

        :param method: if it is POST, nginx does not ask once more where it got no answer
        :returns: how many had which status, when the block has ended
        """
        counts: dict[str, int] = {}
        options = f"-m {method} -disable-keepalive -z 600s -t 30 -c {clients} -q {per_second}"
        command = f"exec timeout --signal INT 600 hey {options} '{origin}{path}'"
        generator = subprocess.Popen(
            ["docker", "exec", self.name, "sh", "-c", f"echo $$; {command}"], stdout=subprocess.PIPE, text=True
        )
        process = generator.stdout.readline().strip()
        try:
            yield counts
        finally:
            self.sh(f"kill -INT {process}")
            report = generator.communicate(timeout=60)[0]
            counts.update({found[1]: int(found[2]) for found in re.finditer(r"\[(\d{3})\]\s+(\d+) responses", report)})
            counts.update({found[2]: int(found[1]) for found in re.finditer(r"\[(\d+)\]\s+(Get .*)", report)})

    def play(
        self,
        apps: list[dict] | None,
        playbook: str = "playbooks/site.yml",
        *arguments: str,
        environment: dict[str, str] | None = None,
        **variables,
    ):
        """Run a playbook against the host, with these apps. One that hangs is ended after a quarter of an hour, as a failure."""
        witness = self.scratch / "witness.jsonl"
        witness.unlink(missing_ok=True)
        extra = self.scratch / "variables.yml"
        extra.write_text(yaml.safe_dump({**variables, **({} if apps is None else {"wsgi_apps": apps})}))
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "-i", self.inventory, playbook, "-e", f"@{extra}", *arguments],
            cwd=ROOT,
            env={
                **self.environment,
                "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/system/callback_plugins"),
                "ANSIBLE_CALLBACKS_ENABLED": "witness",
                "WITNESS_FILE": str(witness),
                "WITNESS_MODULES": str(self.modules),
                **(environment or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            start_new_session=True,
            timeout=900,
        )
        if not COVERAGE:  # which is measured in the files that Ansible sends
            self._compile()
        results = [json.loads(line) for line in witness.read_text().splitlines()] if witness.exists() else []
        return Play(done.returncode, done.stdout, results)

    def _compile(self) -> None:
        """Have modules compiled that were put together for a play, since a host would do that each time: a tenth of a run."""
        for file in self.modules.iterdir():
            if file.suffix == ".lock" or file.name.endswith("-part"):
                continue
            try:
                (self.compiled / file.name).touch(exist_ok=False)
            except FileExistsError:  # it is compiled, or another process is about to
                continue
            module = _CachedModule.load(str(file))
            command = ["docker", "exec", "-i", self.name, "python3", "-c", BYTECODE]
            done = subprocess.run(command, input=base64.b64decode(module.zip_data), capture_output=True, check=False)
            if done.returncode == 0:
                dataclasses.replace(module, zip_data=base64.b64encode(done.stdout)).dump(str(file))

    def module(self, name: str, *arguments: str, **options) -> dict:
        """Call a module of the collection on the host.

        :param arguments: for ``ansible``
        :returns: the module's result, whether it ``failed``, and what was ``shown`` besides, such as a diff or a warning
        """
        command = [Path(sys.executable).parent / "ansible", self.name, "-i", self.inventory, "--become", *arguments]
        done = subprocess.run(
            [*command, "-m", f"wsgi.stack.{name}", *(["-a", json.dumps(options)] if options else [])],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(rf"^{self.name} \| (\w+!?) => ", done.stdout, re.MULTILINE)
        assert found, done.stdout + done.stderr
        result = json.JSONDecoder().raw_decode(done.stdout, found.end())[0]
        return {**result, "failed": found[1] == "FAILED!", "shown": done.stderr + done.stdout[: found.start()]}

    def converge(self, apps: list[dict], *arguments: str, **variables) -> Play:
        """Run the site's playbook, which has to succeed."""
        play = self.play(apps, "playbooks/site.yml", *arguments, **variables)
        logs = "journalctl --no-pager --lines 100 --unit 'wsgi-*' --unit nginx"
        assert play.code == 0, f"{play.message}\n{play.output}\n{self.sh(logs)}"
        if "wsgi.stack.nginx : Configure the sites" in play.changed and "--check" not in arguments:
            assert self.gixy() == []
        return play

    def gixy(self) -> list[tuple[str, str, str]]:
        """What gixy has against the files of nginx's that the collection wrote: its check, the reason, and the place."""
        dump = self.scratch / "nginx.conf"
        dump.write_text(self.sh("nginx -T 2>/dev/null"))
        # HSTS is for who runs a site to choose: there is no way back from it. Curves that OpenSSL does not know nginx -t refuses.
        # With try_files it wants open_file_cache, which would serve files of the release before as those of the live one.
        skipped = "hsts_header,ssl_ecdh_curve,try_files_is_evil_too"
        program = [Path(sys.executable).parent / "gixy", "--format", "json", "--skips", skipped, dump]
        done = subprocess.run(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        found = [each for each in json.loads(done.stdout) if OURS.search(each["file"])]
        return [(each["plugin"], each["reason"], each["config"]) for each in found]


def on(debian: int, fixture: str = "server"):
    """A mark for tests of which one Debian has nothing to show that the other does not."""
    return pytest.mark.parametrize(fixture, [debian], ids=[f"debian{debian}"], indirect=True)


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """Gives the host of a Debian that the tests of a process share; each of them has apps of its own."""
    made = {}

    def of(debian):
        if debian not in made:
            made[debian] = Server(f"{HOSTS}{debian}", debian, tmp_path_factory.mktemp("system"))
            made[debian].need("curl")
        return made[debian]

    yield of
    for host in made.values():
        host.down()


@pytest.fixture(scope="session", params=[12, 13], ids=["debian12", "debian13"])
def server(request, servers):
    """A host of each Debian."""
    return servers(request.param)


@pytest.fixture
def new_server(request, tmp_path_factory):
    """A host of one test's own, for what the apps of other tests would be seen in."""
    host = Server(f"{HOSTS}new{request.param}", request.param, tmp_path_factory.mktemp("new"))
    host.need("curl")
    yield host
    host.down()


@pytest.fixture
def code(tmp_path):
    """Writes a WSGI application to the controller, as a source of the kind ``directory``."""

    def write(text: str, name: str = "code") -> dict[str, str]:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        (directory / "app.py").write_text(text)
        return {"directory": str(directory)}

    return write


WEBSOCKETS = """
import os, socket, struct, sys, time

def ask(host, path, headers=""):
    connection = socket.create_connection(("127.0.0.1", 80))
    connection.settimeout(60)
    connection.sendall(f"GET {path} HTTP/1.1\\r\\nHost: {host}\\r\\n{headers}\\r\\n".encode())
    stream = connection.makefile("rb")
    found = stream.readline().split()[1].decode()
    while stream.readline().strip():
        pass
    return found, connection, stream

def say(connection, text):
    mask = os.urandom(4)
    connection.sendall(b"\\x81" + bytes([0x80 | len(text)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(text)))

def hear(stream):
    while True:
        first, size = stream.read(2)
        payload = stream.read(struct.unpack("!H", stream.read(2))[0] if size == 126 else size)
        if first & 15 == 8:
            return str(struct.unpack("!H", payload[:2])[0])
        if first & 15 == 1:
            return payload.decode()

def websocket(host, path):
    return ask(host, path, "Upgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n")
"""
"""Python for a client on a host: opens a websocket through nginx, says something, and hears what is said."""


HELLO = """
import os, time

def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1.5)
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    called = [environ.get("SCRIPT_NAME", ""), environ["PATH_INFO"]]
    words = [os.environ.get("GREETING", "hello"), os.environ["WSGI_RELEASE"], *called]
    return ["|".join(words).encode("utf-8", "surrogateescape")]
"""


@pytest.fixture
def hello(code):
    """An application that tells its greeting, its release and what it was asked for."""
    return {"name": "hello", "source": code(HELLO), "entry_point": "app:application"}
