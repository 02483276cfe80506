# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Slots as vassals of one uWSGI Emperor.

A symlink in the directory that the Emperor watches starts a vassal; removing it stops the vassal. The file behind the symlink
only says which slot to run (its name) and as which user (its owner): the Emperor's wrapper runs the slot's release.

A second file beside the symlink has the path of the slot's socket. The Emperor itself listens there,
starts the vassal at the first connection, and listens again when the vassal has exited because nobody asked.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import signal
import threading
import time
from collections.abc import Iterable, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _processes, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Link
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _options, _orphans
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance, ProcessManager
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._emperor_stats import EmperorStats, stats
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import refusal, unit_states
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release

LISTEN_TIMEOUT = 5
"""Seconds that the Emperor has to listen on the socket of a vassal that sleeps: it tries again every 1 to 2 s."""

KILL_TIMEOUT = 10
"""Seconds that the Emperor has to notice that a vassal was killed."""

EXTENSIONS = (".ini", ".xml", ".yml", ".yaml", ".js", ".json")
"""The extensions of files that the Emperor runs as vassals; source: uwsgi_emperor_is_valid() in its core/emperor.c."""

SERVICE = _layout.EMPEROR.removesuffix(".service")

INIT_SCRIPT = "/etc/init.d/uwsgi"
"""Debian's, which runs each file in the directory that our Emperor watches."""

_lock = threading.Lock()
"""Keeps one thread from stopping an unused Emperor while another is about to give it a vassal."""


class Vassals(ProcessManager):
    """The slots of the stack ``uwsgi_emperor``."""

    def __init__(self) -> None:
        self.restarts: dict[str, int] = {}
        """How often each vassal had exited before it was started here."""

    def states(self, names: Iterable[str]) -> dict[str, Instance]:
        names = list(names)
        links = _watched_files()
        found = stats()
        boots = bool({_file(name) for name in names} & links) and unit_states([_layout.EMPEROR])[_layout.EMPEROR].enabled
        return {name: instance(_file(name), links, found, boots, self.restarts.get(_file(name), 0)) for name in names}

    def check(self) -> None:
        message = _competing_message(_competing_service())
        if message:
            raise StackError("emperor", message)

    def start(self, app: App, slot: str) -> None:
        layout = _layout.of(app)
        file = _file(layout.instance(slot))
        text = (
            f"# Managed by wsgi.stack: {_layout.EMPEROR} runs {layout.slot(slot)} for it, as the owner of this file.\n[uwsgi]\n"
        )
        vassal = File(text, 0o444, app["user"], app["group"])
        with _lock:
            release = _release.of_slot(layout, slot)
            _options.write(layout.emperor_options(slot), _layout.EMPEROR, _options.of_emperor(release))
            # If the directory does not exist when an Emperor starts, it takes the path for a pattern of files until it ends.
            for directory in (_layout.VASSALS_AVAILABLE, _layout.VASSALS_ENABLED):
                os.makedirs(directory, 0o755, exist_ok=True)
            _ensure_running()
            if release["writable_paths"]:
                _open_up(release["writable_paths"])
            self.restarts[file] = (stats() or EmperorStats()).restarts.get(file, 0)
            # Before the symlink: the Emperor looks for it once, when it finds the symlink.
            _files.write(layout.vassal_socket(slot), File(f"{layout.socket(slot)}\n", 0o644, "root", "root"))
            # Written elsewhere and linked: a temporary file in the watched directory would be run as a vassal at once.
            if _files.read(layout.vassal(slot)) != vassal:
                _files.write(layout.vassal(slot), vassal)
            _files.write(layout.vassal_link(slot), Link(os.path.relpath(layout.vassal(slot), _layout.VASSALS_ENABLED)))
        self._wait_until_listening(layout, slot)

    def _wait_until_listening(self, layout: _layout.Layout, slot: str) -> None:
        """Wait until the Emperor listens on the socket of a vassal, which the first connection starts.

        :raises StackError: it does not, like one that was started with an older configuration; the vassal is removed again
        """
        file = _file(layout.instance(slot))
        deadline = time.monotonic() + LISTEN_TIMEOUT
        while time.monotonic() < deadline:
            vassal = (stats() or EmperorStats()).vassals.get(file)
            if vassal is not None:
                if vassal.on_demand:
                    return
                break
            time.sleep(0.1)
        self.stop(layout, slot, KILL_TIMEOUT)
        raise StackError(
            "emperor",
            f"{_layout.EMPEROR} does not listen on {layout.socket(slot)}; see journalctl -u {SERVICE} and restart it, which"
            f" interrupts its apps for some seconds (systemctl restart {SERVICE}).",
            _systemd.journal([_systemd.written_by(_layout.EMPEROR)], time.time() - LISTEN_TIMEOUT - 1),
        )

    def stop(self, layout: _layout.Layout, slot: str, timeout: float) -> None:
        _remove(layout.vassal_link(slot), layout.vassal(slot), layout.vassal_socket(slot))
        _wait_until_ended(_file(layout.instance(slot)), timeout)
        _remove(layout.socket(slot))  # the Emperor leaves it
        self.kill_orphans(layout.name)
        _options.write(layout.emperor_options(slot), _layout.EMPEROR, "")
        with _lock:
            found = stats()
            if found and not found.vassals and not _watched_files():
                run(["systemctl", "disable", "--now", "--quiet", _layout.EMPEROR])

    def kill_orphans(self, user: str, removed: bool = False) -> None:
        found = stats()
        if found or removed:
            _orphans.kill(_layout.EMPEROR, user, [vassal.pid for vassal in found.vassals.values()] if found else [])

    def enable(self, app: App, slot: str) -> None:
        # The symlink starts a vassal at boot as at any other time: it came with the start.
        with _lock:
            _ensure_running()

    def disable(self, layout: _layout.Layout, slot: str) -> None:
        # To remove the symlink would stop the vassal, unless no Emperor runs.
        if stats() is None:
            _remove(layout.vassal_link(slot), layout.vassal(slot), layout.vassal_socket(slot))

    def service(self, layout: _layout.Layout, slot: str) -> str:
        return _layout.EMPEROR

    def log(self, layout: _layout.Layout, slot: str, since: float) -> str:
        user = f"_UID={pwd.getpwnam(layout.name).pw_uid}"
        name = f"SYSLOG_IDENTIFIER={layout.instance(slot)}"
        return _systemd.journal([_systemd.written_by(_layout.EMPEROR), name, user], since)


def instance(file: str, links: set[str], found: EmperorStats | None, boots: bool, restarts: int) -> Instance:
    """The state of one vassal. Pure.

    :param links: the files in the directory that the Emperor watches
    :param found: None if no Emperor runs
    :param boots: whether the Emperor is started at boot
    :param restarts: how often the vassal had exited before it was started
    """
    vassal = found.vassals.get(file) if found else None
    linked = file in links
    listening = vassal is not None and vassal.on_demand and linked
    failing = found is not None and found.restarts.get(file, 0) > restarts
    return Instance(
        active=vassal is not None or (found is not None and linked),
        # A connection to a socket on which the Emperor listens is served, if a moment later.
        ready=listening or (vassal is not None and vassal.accepting and not vassal.cursed),
        failing=failing,
        # If no Emperor runs, the next one would start the vassal.
        enabled=linked and (boots or found is None),
        pid=max(0, vassal.pid) if vassal else 0,
        # One that exited at its first request would do so again.
        waiting=listening and vassal is not None and vassal.pid <= 0 and not failing,
    )


def asleep(apps: Iterable[App]) -> list[str]:
    """The names of the apps whose live slot sleeps; nothing can be learned of them without waking them."""
    live = {}
    for app in apps:
        with contextlib.suppress(OSError):
            slot = os.path.basename(os.readlink(_layout.of(app).live_socket)).removesuffix(".sock")
            if _release.sleeps(_layout.of(app), slot):
                live[app["name"]] = _layout.of(app).instance(slot)
    states = Vassals().states(live.values())
    return [name for name, instance in live.items() if states[instance].waiting]


def _open_up(paths: Sequence[str]) -> None:
    """Let the vassals write to some directories without a restart of the Emperor, which would be an outage.

    :raises StackError: it cannot be done
    """
    done = _options.open_up(_layout.EMPEROR, paths)
    if done.code:
        cause = f"the apps of {_layout.EMPEROR} cannot be given write access to {' '.join(paths)}: {done.last_line};"
        fix = f"restart it, which interrupts them for some seconds (systemctl restart {SERVICE}), and run the play again."
        raise StackError("emperor", f"{cause} {fix}", done.output)


def _remove(*paths: str) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _wait_until_ended(file: str, timeout: float) -> None:
    """Wait until all processes of a vassal whose symlink was removed have exited; kill them after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    masters: set[_processes.Process] = set()
    family: set[_processes.Process] = set()
    terminated = killed = False
    while time.monotonic() < deadline + KILL_TIMEOUT:
        vassal = (stats() or EmperorStats()).vassals.get(file)
        running = _processes.all_processes()
        if vassal and vassal.pid > 0:
            masters |= {process for process in running if process[0] == vassal.pid}
            family |= _processes.with_descendants([vassal.pid], running)
        if vassal is None and not masters & set(running):
            break
        if vassal and vassal.pid > 0 and vassal.cursed and not vassal.accepting and not terminated:
            # It does not serve yet, so it does not read the Emperor's commands.
            terminated = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(vassal.pid, signal.SIGTERM)
        if time.monotonic() > deadline and not killed:
            killed = True
            _processes.kill(family)
        time.sleep(0.2)
    _processes.kill(family)  # orphans of the master: for a unit, systemd would kill them


def _ensure_running() -> None:
    """Start the Emperor, now and at boot, if it does not run.

    :raises StackError: it does not start
    """
    unit = unit_states([_layout.EMPEROR])[_layout.EMPEROR]
    if unit.ready and unit.enabled:
        return
    began = time.time()
    done = run(["systemctl", "enable", "--now", "--quiet", _layout.EMPEROR])
    if done.code:
        log = _systemd.journal([_systemd.written_by(_layout.EMPEROR)], began)
        raise StackError("emperor", refusal(done, SERVICE, log) + _systemd.changed_by(_layout.EMPEROR), log)


def _competing_service() -> str | int | None:
    """What else runs the files in our Emperor's directory, now or after a boot.

    A service called ``uwsgi`` need not be Debian's: on many hosts it is an operator's own, for a single app.

    :returns: the name of a service, or the number of a process that belongs to none; None if there is nothing
    """
    source = _systemd.properties("uwsgi.service", ["SourcePath"]).get("SourcePath")
    active = unit_states(["uwsgi.service"])["uwsgi.service"].active
    if (active and source == INIT_SCRIPT) or glob.glob("/etc/rc[2-5].d/S[0-9][0-9]uwsgi"):
        return "uwsgi"
    # Processes that Debian's init script started may outlive its service. Our vassals have file names without a directory.
    started_to: dict[str, bool] = {}
    for pid, words in _processes.command_lines().items():
        if "uwsgi" not in os.path.basename(words[0]):
            continue
        unit = _processes.unit(pid)
        if unit == _layout.EMPEROR:
            continue
        # Any process can have any command line. Root's is true, and so is what systemd says of a service.
        if _processes.is_roots(pid):
            competes = any(_names_directory(word) for word in words[1:])
        elif unit:
            if unit not in started_to:
                started_to[unit] = _is_started_to_compete(unit)
            competes = started_to[unit]
        else:
            competes = False
        if competes:
            return unit.removesuffix(".service") if unit else pid
    return None


def _is_started_to_compete(unit: str) -> bool:
    """Whether a service runs the files in our Emperor's directory, by its unit, whoever its processes run as."""
    found = _systemd.properties(unit, ["SourcePath", "ExecStart"])
    return found.get("SourcePath") == INIT_SCRIPT or any(_names_directory(word) for word in found.get("ExecStart", "").split())


def _names_directory(word: str) -> bool:
    """Whether an argument of uWSGI is in our Emperor's directory, or is a configuration below /etc that names it."""
    if word.startswith(_layout.VASSALS_ENABLED):
        return True
    return word.startswith("/etc/") and watches(_untrusted.text_or_none(word) or "")


def watches(configuration: str) -> bool:
    """Whether the text of a uWSGI configuration names the directory of our vassals, other than in a comment. Pure."""
    lines = (line.strip() for line in configuration.splitlines())
    return any(_layout.VASSALS_ENABLED in line and not line.startswith(("#", ";")) for line in lines)


def _competing_message(competitor: str | int | None) -> str:
    """What is wrong with it and how to stop it; "" without one. Pure."""
    if competitor is None:
        return ""
    what, stop = f"process {competitor}", f"kill -9 {competitor}"
    if isinstance(competitor, str):
        what = f"{competitor}.service"
        stop = f"systemctl disable {competitor}; systemctl stop {competitor}; systemctl kill --signal KILL {competitor}"
    return (
        f"{what} also runs the files in {_layout.VASSALS_ENABLED}; only one service may."
        f" Stop it ({stop}), or choose the stack uwsgi."
    )


def _file(name: str) -> str:
    return f"{name}.ini"


def _watched_files() -> set[str]:
    """The files in the directory that the Emperor watches, ours and those of others."""
    try:
        return {name for name in os.listdir(_layout.VASSALS_ENABLED) if name.endswith(EXTENSIONS)}
    except FileNotFoundError:
        return set()
