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

from ansible_collections.wsgi.stack.plugins.module_utils import (
    _access,
    _access_identity,
    _ask,
    _fit,
    _layout,
    _processes,
    _release,
    _sockets,
)
from ansible_collections.wsgi.stack.plugins.module_utils._emperor import Vassals
from ansible_collections.wsgi.stack.plugins.module_utils._failures import AppFailure
from ansible_collections.wsgi.stack.plugins.module_utils._process import run
from ansible_collections.wsgi.stack.plugins.module_utils._server import Instance, Server
from ansible_collections.wsgi.stack.plugins.module_utils._systemd import Units

SERVERS: dict[str, type[Server]] = {"uwsgi": Units, "uwsgi_emperor": Vassals}
"""What runs the slots, by stack. All of them are looked at for every app, which may have had another stack before."""

SETTLE = 0.5
"""Seconds between the flip and the stop of the old slot, at least."""

LIVE_CHECK_TIMEOUT = 10
"""Seconds that a live slot has for its answer before it counts as sick."""


@dataclass(frozen=True)
class Slot:
    """What a slot does.

    ``stacks``: those whose servers run it, and ``enabled``: those that start it at boot, which are one at the most unless
    something came between; ``release``: the number it runs, or ran last; ``answers``: it gave a healthy answer just now;
    ``outdated``: what its server has loaded and was replaced on the disk since, as by an upgrade.
    """

    stacks: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    release: int | None = None
    answers: bool = False
    outdated: tuple[str, ...] = ()


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


def plan(state: State, wanted: int, stack: str) -> list[Step]:
    """The steps, each an action and a slot, that make ``wanted`` the live release, under the server of ``stack``.

    ``start``: the release, in a slot that is stopped first if it runs; ``flip``: the live socket to the slot; ``record``: what
    a boot needs to bring the slot back; ``stop``: a slot that serves no more, under whatever runs it.
    """
    live = state.live
    if live is not None and _good(state.slots[live], wanted, stack):
        steps: list[Step] = []
        slot = live
    else:
        slot = _idle(state)
        steps = [("start", slot), ("flip", slot)]
    new, old = state.slots[slot], state.slots[_layout.other(slot)]
    if steps or state.boot != slot or state.current != wanted or new.enabled != (stack,) or old.enabled:
        steps.append(("record", slot))
    if old.stacks or old.enabled:
        steps.append(("stop", _layout.other(slot)))
    return steps


def _good(slot: Slot, wanted: int, stack: str) -> bool:
    return slot.stacks == (stack,) and slot.release == wanted and slot.answers and not slot.outdated


def _idle(state: State) -> str:
    if state.live is not None:
        return _layout.other(state.live)
    # No live link, as after a first deploy that failed: a slot that runs may still have somebody's request in it.
    return next((slot for slot in _layout.SLOTS if not state.slots[slot].stacks), _layout.SLOTS[0])


def observe(apps: list[dict[str, Any]], nginx_user: str) -> dict[str, State]:
    """What the host shows of each app, by name; one look at each server and one round of questions for all of them."""
    names = [_layout.of(app).instance(slot) for app in apps for slot in _layout.SLOTS]
    seen = {stack: server().states(names) for stack, server in SERVERS.items()}
    live = {app["name"]: _slot_of(_read_link(_layout.of(app).live_socket)) for app in apps}
    running = [app for app in apps if _runs(_layout.of(app), live[app["name"]], seen)]
    asked = _asked([(app, _layout.of(app).live_socket) for app in running], nginx_user, LIVE_CHECK_TIMEOUT)
    healthy = {app["name"] for app, (well, _words) in zip(running, asked) if well}
    return {app["name"]: _state(app, seen, live[app["name"]], app["name"] in healthy) for app in apps}


def _runs(layout: _layout.Layout, slot: str | None, seen: dict[str, dict[str, Instance]]) -> bool:
    return slot is not None and any(states[layout.instance(slot)].active for states in seen.values())


def _state(app: dict[str, Any], seen: dict[str, dict[str, Instance]], live: str | None, healthy: bool) -> State:
    layout = _layout.of(app)
    slots = {}
    for slot in _layout.SLOTS:
        found = {stack: states[layout.instance(slot)] for stack, states in seen.items()}
        running = {stack: instance for stack, instance in found.items() if instance.active}
        slots[slot] = Slot(
            stacks=tuple(running),
            enabled=tuple(stack for stack, instance in found.items() if instance.enabled),
            release=_read_number(layout.running(slot)),
            answers=slot == live and healthy and all(instance.ready for instance in running.values()),
            outdated=tuple(path for instance in running.values() if slot == live for path in _processes.replaced(instance.pid)),
        )
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
        self.servers = {stack: server() for stack, server in SERVERS.items()}
        self.server = self.servers[app["stack"]]

    def run(self, steps: list[Step], release: int) -> None:
        """Carry out a plan.

        :raises AppFailure: the release did not get well; it is stopped again, and what was live before is live still
        """
        if ("start", _layout.SLOTS[0]) in steps or ("start", _layout.SLOTS[1]) in steps:
            _fit.check(self.app, release)
            self.server.check()
        for action, slot in steps:
            getattr(self, f"_{action}")(slot, release)

    def _start(self, slot: str, release: int) -> None:
        self._stop_everywhere(slot, self.app["drain_timeout"])
        _replace_link(os.path.join("..", "releases", str(release)), self.layout.slot(slot))
        began = time.time()
        self.server.start(self.app, slot)
        problem = self._wait(slot)
        if problem:
            log = self.server.log(self.app, slot, began)
            self.server.stop(self.app, slot, self.app["drain_timeout"])
            cause = f"release {release} did not get well: {problem}"
            told = decisive_line(log)
            raise AppFailure("health", f"{cause}; its log says: {told}" if told else cause, log)

    def _stop_everywhere(self, slot: str, timeout: float) -> None:
        name = self.layout.instance(slot)
        for server in self.servers.values():
            state = server.states([name])[name]
            if state.active or state.enabled:
                server.stop(self.app, slot, timeout)

    def _wait(self, slot: str) -> str | None:
        """Wait until the slot answers as it should; otherwise say why not."""
        deadline = time.monotonic() + self.app["health_check"]["timeout"]
        name = self.layout.instance(slot)
        answer = "it opened no socket"
        while time.monotonic() < deadline:
            if self.server.states([name])[name].failing:
                return "its server ended at the start"
            if os.path.exists(self.layout.socket(slot)):
                target = (self.app, self.layout.socket(slot))
                ((well, answer),) = _asked([target], self.nginx_user, max(1.0, deadline - time.monotonic()))
                if well and self.server.states([name])[name].ready:
                    answer = self._refusal(slot)
                    if not answer:
                        return None
            time.sleep(0.2)
        return f"{answer} (after {self.app['health_check']['timeout']} s)"

    def _refusal(self, slot: str) -> str:
        """What keeps the nginx that runs now from talking to a slot, and what mends it; "" if nothing does.

        Its workers need not have the groups that the user database says, nor see the same file system.
        """
        workers = _access_identity.of_workers()
        if workers is None:  # as in a first deployment; those to come will be what was asked as
            return ""
        question = _question(self.app, self.layout.socket(slot), LIVE_CHECK_TIMEOUT)
        statuses = tuple(self.app["health_check"]["status"])
        address = f"unix:{question['path']}"
        target = _access.Target(address, question["protocol"], question["uri"], question["host"], statuses)
        (access,) = _access.examine([target], workers, LIVE_CHECK_TIMEOUT)
        if access.ok or access.code == "not_checked":
            return ""
        return access.sentence.rstrip(".") + (f" (mend it with: {access.remedy})" if access.remedy else "")

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
        for stack, server in self.servers.items():
            server.enable(self.app, slot, stack == self.app["stack"])
            server.enable(self.app, _layout.other(slot), False)

    def _stop(self, slot: str, release: int) -> None:
        # A graceful stop ends what was accepted; what a busy server has not accepted yet would be lost.
        deadline = time.monotonic() + self.app["drain_timeout"]
        time.sleep(SETTLE)
        while _sockets.waiting(self.layout.socket(slot)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self._stop_everywhere(slot, self.app["drain_timeout"] + 5)


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
    under = f" under {' and '.join(slot.stacks)}" if slot.stacks else ""
    health = "answers" if slot.answers else "does not answer"
    outdated = f", but was started before {' and '.join(slot.outdated)} was replaced" if slot.outdated else ""
    return f"release {slot.release} is live in {state.live}{under} and {health}{outdated}"


def describe_plan(steps: list[Step], release: int, stack: str) -> str:
    """A plan in words, for the diff."""
    return ", ".join(f"{action} {slot}" for action, slot in steps) + f" for release {release} under {stack}"
