# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots as vassals of one uWSGI Emperor.

A link in the directory that the Emperor watches starts a vassal, and its removal stops it. The file that the link leads to only
says, by its name, which slot to run, and by its owner, as whom: the Emperor's wrapper runs the slot's release.

Beside the link of an app that sleeps lies a file with the path of the slot's socket. The Emperor itself listens there, starts the
vassal at the first connection, and waits again when it has ended for want of requests.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import pwd
import signal
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _processes, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Link
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance, Server
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import unit_states

STATS_TIMEOUT = 5
"""Seconds that the Emperor has to tell its state."""

HEED_TIMEOUT = 5
"""Seconds that the Emperor has to hold the socket of a vassal that sleeps: it tries again every 1 to 2 s."""

KILL_TIMEOUT = 10
"""Seconds that the Emperor has to notice that a vassal was killed."""

EXTENSIONS = (".ini", ".xml", ".yml", ".yaml", ".js", ".json")
"""What a file is called that the Emperor takes for a vassal; source: uwsgi_emperor_is_valid() in its core/emperor.c."""

SERVICE = _layout.EMPEROR.removesuffix(".service")

_coming_or_going = threading.Lock()
"""Nobody stops an idle Emperor while somebody else is about to give it a vassal."""


@dataclass(frozen=True)
class Vassal:
    """A vassal in the Emperor's words.

    ``accepting``: a worker of it takes requests; ``cursed``: it is being stopped, or put to sleep; ``on_demand``: the Emperor
    holds its socket. ``pid`` is -1 while it has no process.
    """

    pid: int
    accepting: bool
    cursed: bool
    on_demand: bool = False


@dataclass(frozen=True)
class Realm:
    """What the Emperor tells: its vassals, and how often which one ended before its first request, by their files' names."""

    vassals: dict[str, Vassal] = field(default_factory=dict)
    falls: dict[str, int] = field(default_factory=dict)


def realm() -> Realm | None:
    """Ask the Emperor; None if there is none. A question also has it look at its directory at once."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(STATS_TIMEOUT)
            connection.connect(_layout.EMPEROR_STATS)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return parse(json.loads(answer))
    except (OSError, ValueError):
        return None


def parse(stats: dict[str, Any]) -> Realm:
    """Read what the Emperor's stats socket says.

    While a vassal is replaced that ended, it is there twice, the new one last. The blacklist counts from 0, and keeps a vassal
    until it has answered a request, also after it was removed.
    """
    vassals = {
        vassal["id"]: Vassal(
            pid=vassal["pid"],
            accepting=vassal["accepting"] == 1,
            cursed=vassal["cursed"] != 0,
            on_demand=vassal["on_demand"] != "",
        )
        for vassal in stats["vassals"]
    }
    return Realm(vassals, {fallen["id"]: fallen["attempt"] + 1 for fallen in stats["blacklist"]})


class Vassals(Server):
    """The slots of the stack ``uwsgi_emperor``."""

    def __init__(self) -> None:
        self.falls: dict[str, int] = {}
        """How often a vassal had fallen before it was started here."""

    def states(self, names: Iterable[str]) -> dict[str, Instance]:
        names = list(names)
        links = _watched_files()
        seen = realm()
        boots = bool({_file(name) for name in names} & links) and unit_states([_layout.EMPEROR])[_layout.EMPEROR].enabled
        return {name: instance(_file(name), links, seen, boots, self.falls.get(_file(name), 0)) for name in names}

    def check(self) -> None:
        rival = _rival()
        if rival:
            raise StackError("emperor", f"{_rivalry(rival)}, or choose the stack uwsgi.")

    def start(self, app: dict[str, Any], slot: str) -> None:
        layout = _layout.of(app)
        file = _file(layout.instance(slot))
        text = (
            f"# Managed by wsgi.stack: {_layout.EMPEROR} runs {layout.slot(slot)} for it, as the owner of this file.\n[uwsgi]\n"
        )
        vassal = File(text, 0o444, app["user"], app["group"])
        with _coming_or_going:
            # An Emperor takes what is no directory when it starts for a pattern of files, for good.
            for directory in (_layout.VASSALS_AVAILABLE, _layout.VASSALS_ENABLED):
                os.makedirs(directory, 0o755, exist_ok=True)
            _rise()
            self.falls[file] = (realm() or Realm()).falls.get(file, 0)
            sleeps = _sleeps(layout, slot)
            # Before the link, for the Emperor looks at it once, when it finds the link.
            if sleeps:
                _files.write(layout.vassal_socket(slot), File(f"{layout.socket(slot)}\n", 0o644, "root", "root"))
            else:
                _remove(layout.vassal_socket(slot))
            # Files are written elsewhere and linked: whatever lies in the directory that is watched would be a vassal at once.
            if _files.read(layout.vassal(slot)) != vassal:
                _files.write(layout.vassal(slot), vassal)
            _files.write(layout.vassal_link(slot), Link(os.path.relpath(layout.vassal(slot), _layout.VASSALS_ENABLED)))
        if sleeps:
            self._await_heed(app, slot)

    def _await_heed(self, app: dict[str, Any], slot: str) -> None:
        """Wait until the Emperor holds the socket of a vassal that sleeps.

        :raises StackError: it does not, as one that was started with an older configuration; the vassal is gone again
        """
        file = _file(_layout.of(app).instance(slot))
        deadline = time.monotonic() + HEED_TIMEOUT
        while time.monotonic() < deadline:
            seen = realm() or Realm()
            if file in seen.vassals:
                if seen.vassals[file].on_demand:
                    return
                break
            time.sleep(0.1)
        self.stop(app, slot, KILL_TIMEOUT)
        raise StackError(
            "emperor",
            f"idle: {_layout.EMPEROR} does not hold the socket of an app that sleeps, as it runs with an older configuration;"
            f" restart it once, which is an outage of its apps for some seconds (systemctl restart {SERVICE}), or remove idle.",
            _systemd.journal([_systemd.written_by(_layout.EMPEROR)], time.time() - HEED_TIMEOUT - 1),
        )

    def stop(self, app: dict[str, Any], slot: str, timeout: float) -> None:
        layout = _layout.of(app)
        _remove(layout.vassal_link(slot), layout.vassal(slot), layout.vassal_socket(slot))
        _await_end(_file(layout.instance(slot)), timeout)
        _remove(layout.socket(slot))  # which a vassal does not remove that was given it
        with _coming_or_going:
            seen = realm()
            if seen and not seen.vassals and not _watched_files():
                run(["systemctl", "disable", "--now", "--quiet", _layout.EMPEROR])

    def enable(self, app: dict[str, Any], slot: str, enabled: bool) -> None:
        # A link is what starts a vassal, at boot as at any time: it came with the start, and goes with the stop.
        if enabled:
            with _coming_or_going:
                _rise()
        elif realm() is None:
            layout = _layout.of(app)
            _remove(layout.vassal_link(slot), layout.vassal(slot), layout.vassal_socket(slot))

    def log(self, app: dict[str, Any], slot: str, since: float) -> str:
        user = f"_UID={pwd.getpwnam(app['user']).pw_uid}"
        name = f"SYSLOG_IDENTIFIER={_layout.of(app).instance(slot)}"
        return _systemd.journal([_systemd.written_by(_layout.EMPEROR), name, user], since)


def instance(file: str, links: set[str], seen: Realm | None, boots: bool, falls: int) -> Instance:
    """The state of one vassal. Pure.

    :param links: what lies in the directory that the Emperor watches
    :param boots: whether the Emperor is started at boot
    :param falls: how often the vassal had fallen before it was started
    """
    vassal = seen.vassals.get(file) if seen else None
    linked = file in links
    held = vassal is not None and vassal.on_demand and linked
    failing = seen is not None and seen.falls.get(file, 0) > falls
    return Instance(
        active=vassal is not None or (seen is not None and linked),
        # Whoever connects to a socket that the Emperor holds is served, be it a moment later.
        ready=held or (vassal is not None and vassal.accepting and not vassal.cursed),
        failing=failing,
        # Where no Emperor runs or is to run, it is whoever starts one by hand that would start the vassal.
        enabled=linked and (boots or seen is None),
        pid=max(0, vassal.pid) if vassal else 0,
        # One that fell when it was woken would fall again.
        asleep=held and vassal is not None and vassal.pid <= 0 and not failing,
    )


def asleep(apps: Iterable[dict[str, Any]]) -> list[str]:
    """The names of those apps whose live slot sleeps; there is nothing to be learned of them without waking them."""
    live = {}
    for app in apps:
        with contextlib.suppress(OSError):
            slot = os.path.basename(os.readlink(_layout.of(app).live_socket)).removesuffix(".sock")
            live[app["name"]] = _layout.of(app).instance(slot)
    states = Vassals().states(live.values())
    return [name for name, instance in live.items() if states[instance].asleep]


def _sleeps(layout: _layout.Layout, slot: str) -> bool:
    """Whether the release that a slot is to run wants to be started by its first request.

    The release says so, not the app: the way back to an earlier one is the way back to its configuration too.
    """
    with open(os.path.join(layout.slot(slot), _uwsgi.CONFIGURATION), encoding="utf-8") as stream:
        return _uwsgi.sleeps(stream.read())


def _remove(*paths: str) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _await_end(file: str, timeout: float) -> None:
    """Wait until a vassal whose link is gone has ended with all that it started, and help it after a while."""
    deadline = time.monotonic() + timeout
    masters: set[_processes.Process] = set()
    kin: set[_processes.Process] = set()
    asked = killed = False
    while time.monotonic() < deadline + KILL_TIMEOUT:
        vassal = (realm() or Realm()).vassals.get(file)
        there = _processes.everybody()
        if vassal and vassal.pid > 0:
            masters |= {process for process in there if process[0] == vassal.pid}
            kin |= _processes.family(vassal.pid, there)
        if vassal is None and not masters & set(there):
            break
        if vassal and vassal.pid > 0 and vassal.cursed and not vassal.accepting and not asked:
            # It has not begun to serve, so it does not hear the Emperor yet.
            asked = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(vassal.pid, signal.SIGTERM)
        if time.monotonic() > deadline and not killed:
            killed = True
            _processes.kill(kin)
        time.sleep(0.2)
    _processes.kill(kin)  # what a master leaves behind, systemd would kill with its unit


def _rise() -> None:
    """Have the Emperor run, now and after a boot.

    :raises StackError: it does not start
    """
    unit = unit_states([_layout.EMPEROR])[_layout.EMPEROR]
    if unit.ready and unit.enabled:
        return
    began = time.time()
    if run(["systemctl", "enable", "--now", "--quiet", _layout.EMPEROR]).code:
        log = _systemd.journal([_systemd.written_by(_layout.EMPEROR)], began)
        last = [line for line in log.splitlines() if line.strip()][-1:]
        said = f": {last[0].strip()}" if last else ""
        raise StackError("emperor", f"{_layout.EMPEROR} does not start{said}; see journalctl -u {SERVICE}, and fix that.", log)


def _rival() -> str | int | None:
    """The service that runs the files in our Emperor's directory too, or will at the next boot; or a process of none.

    A service called uwsgi need not be Debian's: many a server has one that somebody made, for one app.
    """
    source = _systemd.properties("uwsgi.service", ["SourcePath"]).get("SourcePath")
    active = unit_states(["uwsgi.service"])["uwsgi.service"].active
    if (active and source == "/etc/init.d/uwsgi") or glob.glob("/etc/rc[2-5].d/S[0-9][0-9]uwsgi"):
        return "uwsgi"
    # What Debian's init script has started goes on when its service counts as failed. Our vassals are called by bare names.
    for pid, words in _processes.command_lines().items():
        if "uwsgi" in os.path.basename(words[0]) and any(_leads_here(word) for word in words[1:]):
            unit = _processes.unit(pid)
            if unit != _layout.EMPEROR:
                return unit.removesuffix(".service") if unit else pid
    return None


def _leads_here(word: str) -> bool:
    """Whether an argument of uWSGI's names our Emperor's directory, or a configuration below /etc that does."""
    if word.startswith(_layout.VASSALS_ENABLED):
        return True
    if not word.startswith("/etc/"):
        return False
    try:
        with open(word, encoding="utf-8", errors="replace") as stream:
            return watches(stream.read())
    except OSError:
        return False


def watches(configuration: str) -> bool:
    """Whether the text of a configuration of uWSGI's names the directory of our vassals, other than in a comment."""
    lines = (line.strip() for line in configuration.splitlines())
    return any(_layout.VASSALS_ENABLED in line and not line.startswith(("#", ";")) for line in lines)


def _rivalry(rival: str | int) -> str:
    what = f"{rival}.service" if isinstance(rival, str) else f"the process {rival}"
    steps = [f"systemctl disable {rival}", f"systemctl stop {rival}", f"systemctl kill --signal KILL {rival}"]
    end = "; ".join(steps) if isinstance(rival, str) else f"kill -9 {rival}"
    return f"{what} runs the files in {_layout.VASSALS_ENABLED} too, and there can be only one that does; end it ({end})"


def _file(name: str) -> str:
    return f"{name}.ini"


def _watched_files() -> set[str]:
    """The vassals' files, ours and those of others, in the directory that the Emperor watches."""
    try:
        return {name for name in os.listdir(_layout.VASSALS_ENABLED) if name.endswith(EXTENSIONS)}
    except FileNotFoundError:
        return set()
