# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout: a release is started in the idle slot, asked, made live by one rename, and the old slot drained.

Three kinds of function: ``observe`` reads a host, ``plan`` decides and is pure, ``Rollout`` carries out. Each step leaves a state
from which ``plan`` finds its way, so that a rollout killed anywhere is completed by the next one.
"""

from __future__ import annotations

import grp
import inspect
import json
import os
import pwd
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _ask, _layout, _release, _sockets, _systemd, _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils._failures import AppFailure
from ansible_collections.wsgi.stack.plugins.module_utils._process import run

SETTLE = 0.5
"""Seconds between the flip and the stop of the old slot, at least."""

LIVE_CHECK_TIMEOUT = 10
"""Seconds that a live slot has for its answer before it counts as sick."""


@dataclass(frozen=True)
class Slot:
    """What a slot does. ``release``: the number it runs, or ran last; ``answers``: it gave a healthy answer just now."""

    active: bool = False
    enabled: bool = False
    release: int | None = None
    answers: bool = False


@dataclass(frozen=True)
class State:
    """What a host shows of one app.

    ``live``: the slot that the live socket leads to; ``boot``: the slot it will lead to after a boot; ``current``: the release
    whose static files nginx serves.
    """

    live: str | None = None
    boot: str | None = None
    current: int | None = None
    slots: dict[str, Slot] = field(default_factory=lambda: {slot: Slot() for slot in _layout.SLOTS})


Step = tuple[str, str]


def plan(state: State, wanted: int) -> list[Step]:
    """The steps, each an action and a slot, that make ``wanted`` the live release.

    ``start``: the release, in a slot that is stopped first if it runs; ``flip``: the live socket to the slot; ``record``: what
    a boot needs to bring the slot back; ``stop``: a slot that serves no more.
    """
    live = state.live
    if live is not None and state.slots[live].active and state.slots[live].release == wanted and state.slots[live].answers:
        steps: list[Step] = []
        slot = live
    else:
        slot = _idle(state)
        steps = [("start", slot), ("flip", slot)]
    old = _layout.other(slot)
    if steps or state.boot != slot or state.current != wanted or not state.slots[slot].enabled or state.slots[old].enabled:
        steps.append(("record", slot))
    if state.slots[old].active:
        steps.append(("stop", old))
    return steps


def _idle(state: State) -> str:
    if state.live is not None:
        return _layout.other(state.live)
    # No live link, as after a first deploy that failed: a slot that runs may still have somebody's request in it.
    return next((slot for slot in _layout.SLOTS if not state.slots[slot].active), _layout.SLOTS[0])


def observe(apps: list[dict[str, Any]], nginx_user: str) -> dict[str, State]:
    """What the host shows of each app, by name; one call of systemctl and one round of questions for all of them."""
    units = _systemd.show(_layout.of(app).unit(slot) for app in apps for slot in _layout.SLOTS)
    live = {app["name"]: _slot_of(_read_link(_layout.of(app).live_socket)) for app in apps}
    running = [app for app in apps if live[app["name"]] and units[_layout.of(app).unit(live[app["name"]])].active]
    asked = _asked([(app, _layout.of(app).live_socket) for app in running], nginx_user, LIVE_CHECK_TIMEOUT)
    healthy = {app["name"] for app, (well, _words) in zip(running, asked) if well}
    return {app["name"]: _state(app, units, live[app["name"]], app["name"] in healthy) for app in apps}


def _state(app: dict[str, Any], units: dict[str, _systemd.Unit], live: str | None, healthy: bool) -> State:
    layout = _layout.of(app)
    slots = {}
    for slot in _layout.SLOTS:
        unit = units[layout.unit(slot)]
        release = _read_number(layout.running(slot))
        slots[slot] = Slot(active=unit.active, enabled=unit.enabled, release=release, answers=slot == live and healthy)
    return State(live=live, boot=_slot_of(_read(layout.boot_link).strip()), current=_release.linked(layout.current), slots=slots)


def _asked(targets: list[tuple[dict[str, Any], str]], nginx_user: str, timeout: float) -> list[tuple[bool, str]]:
    """Ask the servers of some apps, each by its socket, as nginx's user.

    :returns: of each, whether it is healthy, and what it answered in words
    """
    if not targets:
        return []
    try:
        pwd.getpwnam(nginx_user)
    except KeyError:
        return [(False, f"there is no user {nginx_user} to ask as, so correct nginx_user")] * len(targets)
    questions = [_question(app, socket, timeout) for app, socket in targets]
    program = [sys.executable, "-I", "-c", inspect.getsource(_ask)]
    done = run(program, user=nginx_user, timeout=timeout + 10, stdin=json.dumps(questions).encode())
    if done.code:
        return [(False, done.last_line)] * len(targets)
    return [_judged(app["health_check"], answer) for (app, _socket), answer in zip(targets, json.loads(done.output))]


def _question(app: dict[str, Any], socket: str, timeout: float) -> dict[str, Any]:
    host = app["canonical_domain"] or next((domain for domain in app["domains"] if not domain.startswith("*")), "localhost")
    return {"path": socket, "protocol": app["protocol"], "uri": app["health_check"]["path"], "host": host, "timeout": timeout}


def _judged(check: dict[str, Any], answer: dict[str, Any]) -> tuple[bool, str]:
    if "error" in answer:
        return False, answer["error"]
    wanted = " or ".join(map(str, check["status"]))
    return answer["status"] in check["status"], f"GET {check['path']} answered {answer['status']}, wanted {wanted}"


class Rollout:
    """One app's rollout on this host.

    :param app: a resolved app
    :param nginx_user: the user that asks for the answers, as nginx will
    """

    def __init__(self, app: dict[str, Any], nginx_user: str):
        self.app = app
        self.layout = _layout.of(app)
        self.nginx_user = nginx_user

    def run(self, steps: list[Step], release: int) -> None:
        """Carry out a plan.

        :raises AppFailure: the release did not get well; it is stopped again, and what was live before is live still
        """
        if ("start", _layout.SLOTS[0]) in steps or ("start", _layout.SLOTS[1]) in steps:
            self._check_plugin(release)
        for action, slot in steps:
            getattr(self, f"_{action}")(slot, release)

    def _check_plugin(self, release: int) -> None:
        """Refuse an interpreter that uWSGI has no plugin for: it would start all the same, and not find a single module."""
        python = _release.read(self.layout, release)["build"]["python"]
        plugin = _uwsgi.plugin_name(python)
        done = run([_uwsgi.PROGRAM, "--need-plugin", plugin, "--python-version"])
        found = done.last_line if done.code == 0 else None
        if found != python["version"]:
            raise AppFailure(
                "plugin",
                f"python {self.app['python']} is {python['version']}, but uWSGI's plugin {plugin} "
                + (f"is for {found}" if found else "is not installed")
                + "; choose the distribution's own interpreter (python3).",
                done.output,
            )

    def _start(self, slot: str, release: int) -> None:
        unit = self.layout.unit(slot)
        _systemd.stop(unit, self.app["drain_timeout"])
        _replace_link(os.path.join("..", "releases", str(release)), self.layout.slot(slot))
        began = time.time()
        _systemd.start(unit)
        problem = self._wait(slot)
        if problem:
            log = _systemd.log(unit, began)
            _systemd.stop(unit, self.app["drain_timeout"])
            cause = f"release {release} did not get well: {problem}"
            told = decisive_line(log)
            raise AppFailure("health", f"{cause}; its log says: {told}" if told else cause, log)

    def _wait(self, slot: str) -> str | None:
        """Wait until the slot answers as it should; otherwise say why not."""
        deadline = time.monotonic() + self.app["health_check"]["timeout"]
        unit = self.layout.unit(slot)
        answer = "it opened no socket"
        while time.monotonic() < deadline:
            if _systemd.show([unit])[unit].failing:
                return "its server ended at the start"
            if os.path.exists(self.layout.socket(slot)):
                target = (self.app, self.layout.socket(slot))
                ((well, answer),) = _asked([target], self.nginx_user, max(1.0, deadline - time.monotonic()))
                if well:
                    return None
            time.sleep(0.2)
        return f"{answer} (after {self.app['health_check']['timeout']} s)"

    def _flip(self, slot: str, release: int) -> None:
        # nginx resolves the link at each connect: no reload, and no moment without a live socket.
        _replace_link(os.path.basename(self.layout.socket(slot)), self.layout.live_socket)
        _replace_link(os.path.join("releases", str(release)), self.layout.current)

    def _record(self, slot: str, release: int) -> None:
        _replace_link(os.path.join("releases", str(release)), self.layout.current)
        draft = f"{self.layout.boot_link}.new"
        # The directory too, which an app that was dropped from the inventory has nobody else to make.
        gate = os.stat(self.layout.runtime_directory)
        with open(draft, "w", encoding="utf-8") as stream:
            stream.write(f"d {self.layout.runtime_directory} 0750 {self.app['user']} {grp.getgrgid(gate.st_gid).gr_name} -\n")
            stream.write(f"L {self.layout.live_socket} - - - - {os.path.basename(self.layout.socket(slot))}\n")
        os.replace(draft, self.layout.boot_link)
        _systemd.enable(self.layout.unit(slot), True)
        _systemd.enable(self.layout.unit(_layout.other(slot)), False)

    def _stop(self, slot: str, release: int) -> None:
        # A graceful stop ends what was accepted; what a busy server has not accepted yet would be lost.
        deadline = time.monotonic() + self.app["drain_timeout"]
        time.sleep(SETTLE)
        while _sockets.waiting(self.layout.socket(slot)) and time.monotonic() < deadline:
            time.sleep(0.1)
        _systemd.stop(self.layout.unit(slot), self.app["drain_timeout"] + 5)


def decisive_line(log: str) -> str:
    """The line of a server's log that names the cause: the last exception's, else the last one that is no request's."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("[pid: ")]
    exceptions = [line for line in lines if re.match(r"([A-Za-z_]\w*\.)*[A-Z]\w*(Error|Exception|Exit|Interrupt)\b", line)]
    return (exceptions or lines or [""])[-1]


def _replace_link(target: str, path: str) -> None:
    draft = f"{path}.new"
    if os.path.lexists(draft):
        os.unlink(draft)
    os.symlink(target, draft)
    os.replace(draft, path)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError:
        return ""


def _read_number(path: str) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _slot_of(text: str) -> str | None:
    """The slot that a link or a line of tmpfiles.d ends in."""
    return next((slot for slot in _layout.SLOTS if text.endswith(f"{slot}.sock")), None)


def describe(state: State) -> str:
    """A state in words, for the diff."""
    if state.live is None:
        return "nothing is live"
    slot = state.slots[state.live]
    health = "answers" if slot.answers else "does not answer"
    return f"release {slot.release} is live in {state.live} and {health}"


def describe_plan(steps: list[Step], release: int) -> str:
    """A plan in words, for the diff."""
    return ", ".join(f"{action} {slot}" for action, slot in steps) + f" for release {release}"
