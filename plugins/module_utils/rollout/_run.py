# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout: a release is started in the idle slot, asked, made live by one rename, and the old slot drained.

Three kinds of function: ``observe`` reads a host, ``plan`` decides and is pure, ``Rollout`` carries out. Each step leaves a state
from which ``plan`` finds its way, so that a rollout killed anywhere is completed by the next one.

Where the new slot speaks another protocol than the old one, nginx has to be loaded before the old one may go, since for a moment
it has workers for either. The first call of such a rollout leaves the old slot as it is, and a second one settles it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _files, _processes, _sockets
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance, Server
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._emperor import Vassals
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._supervisor import Programs
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import Units
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _preflight
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine, _identity

SERVERS: dict[str, type[Server]] = {"uwsgi": Units, "uwsgi_emperor": Vassals, "gunicorn_supervisor": Programs}
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

    ``live``: the slot that the live socket leads to; ``upstream``: the slot that nginx's link leads to, for the protocol of the
    stack that is wanted; ``boot``: the slot that both will lead to after a boot; ``current``: the release whose static files
    nginx serves; ``preview``: the slot of a release that is held; ``stale``: a link of another protocol is left.
    """

    live: str | None = None
    upstream: str | None = None
    boot: str | None = None
    current: int | None = None
    preview: str | None = None
    stale: bool = False
    slots: dict[str, Slot] = field(default_factory=lambda: {slot: Slot() for slot in _layout.SLOTS})


Step = tuple[str, str]


def plan(state: State, wanted: int, stack: str, hold: bool = False, settle: bool = False) -> list[Step]:
    """The steps, each an action and a slot, that make ``wanted`` the live release, under the server of ``stack``.

    ``start``: the release, in a slot that is stopped first if it runs; ``preview``: show it as the one that is held; ``flip``:
    nginx's link to the slot; ``record``: the live socket for everybody else, and what a boot needs to bring the slot back;
    ``stop``: a slot that serves no more, under whatever runs it.

    :param hold: stop before the flip
    :param settle: nginx speaks the protocol of ``stack`` by now
    """
    serving = _serving(state)
    steps: list[Step] = []
    if serving is not None and _good(state.slots[serving], wanted, stack):
        slot = serving
    else:
        slot = _idle(state, wanted, stack)
        if not _good(state.slots[slot], wanted, stack):
            steps.append(("start", slot))
        if hold:
            return [*steps, ("preview", slot)] if steps or state.preview != slot else []
    if state.upstream != slot:
        steps.append(("flip", slot))
    new, old = state.slots[slot], state.slots[_layout.other(slot)]
    if moves(old, stack) and not settle:
        return steps
    recorded = state.live == state.boot == slot and state.current == wanted and state.preview is None and not state.stale
    if steps or not recorded or new.enabled != (stack,) or old.enabled:
        steps.append(("record", slot))
    if old.stacks or old.enabled:
        steps.append(("stop", _layout.other(slot)))
    return steps


def held(state: State, wanted: int, stack: str) -> bool:
    """Whether ``wanted`` is not what is served, so that ``hold`` keeps it from being so."""
    serving = _serving(state)
    return serving is None or not _good(state.slots[serving], wanted, stack)


def moving(state: State, wanted: int, stack: str) -> bool:
    """Whether the app changes its protocol, so that there is something to settle when nginx has been loaded."""
    serving = _serving(state)
    if serving is None:
        return False
    old = serving if held(state, wanted, stack) else _layout.other(serving)
    return moves(state.slots[old], stack)


def moves(old: Slot, stack: str) -> bool:
    """Whether nginx may still speak to a slot, in another protocol than that of ``stack``."""
    return any(_registry.protocol(running) != _registry.protocol(stack) for running in old.stacks)


def _serving(state: State) -> str | None:
    return state.live if state.upstream is None else state.upstream


def _good(slot: Slot, wanted: int, stack: str) -> bool:
    return slot.stacks == (stack,) and slot.release == wanted and slot.answers and not slot.outdated


def _idle(state: State, wanted: int, stack: str) -> str:
    serving = _serving(state)
    if serving is not None:
        return _layout.other(serving)
    # Nothing is live, as after a first deployment that failed: a slot that runs may still have somebody's request in it.
    good = [slot for slot in _layout.SLOTS if _good(state.slots[slot], wanted, stack)]
    return next(iter([*good, *(slot for slot in _layout.SLOTS if not state.slots[slot].stacks)]), _layout.SLOTS[0])


def observe(apps: list[dict[str, Any]], nginx_user: str, seen: dict[str, dict[str, Instance]] | None = None) -> dict[str, State]:
    """What the host shows of each app, by name; one look at each server and one round of questions for all of them.

    :param seen: what ``instances`` returned just now
    """
    seen = instances(apps) if seen is None else seen
    running = {
        (app["name"], slot): [stack for stack, found in seen.items() if found[_layout.of(app).instance(slot)].active]
        for app in apps
        for slot in _layout.SLOTS
    }
    # Who sleeps is not asked: a look at a host with a hundred such apps would wake them all.
    asleep = {(app["name"], slot) for app in apps for slot in _layout.SLOTS if _asleep(app, slot, seen)}
    asked = [
        (app, slot, stacks[0])
        for app in apps
        for slot in _layout.SLOTS
        if (stacks := running[app["name"], slot]) and (app["name"], slot) not in asleep
    ]
    targets = [(app, _layout.of(app).socket(slot), _registry.protocol(stack)) for app, slot, stack in asked]
    answers = _asked(targets, nginx_user, LIVE_CHECK_TIMEOUT)
    healthy = asleep | {(app["name"], slot) for (app, slot, _stack), (well, _words) in zip(asked, answers) if well}
    return {app["name"]: _state(app, seen, {slot for slot in _layout.SLOTS if (app["name"], slot) in healthy}) for app in apps}


def instances(apps: list[dict[str, Any]]) -> dict[str, dict[str, Instance]]:
    """The slots of some apps under each server, by stack and by the slots' names."""
    names = [_layout.of(app).instance(slot) for app in apps for slot in _layout.SLOTS]
    return {stack: server().states(names) for stack, server in SERVERS.items()}


def _asleep(app: dict[str, Any], slot: str, seen: dict[str, dict[str, Instance]]) -> bool:
    layout = _layout.of(app)
    sleeps = any(states[layout.instance(slot)].asleep for states in seen.values())
    return sleeps and os.path.exists(layout.socket(slot))


def _state(app: dict[str, Any], seen: dict[str, dict[str, Instance]], healthy: set[str]) -> State:
    layout = _layout.of(app)
    slots = {}
    for slot in _layout.SLOTS:
        found = {stack: states[layout.instance(slot)] for stack, states in seen.items()}
        running = {stack: instance for stack, instance in found.items() if instance.active}
        slots[slot] = Slot(
            stacks=tuple(running),
            enabled=tuple(stack for stack, instance in found.items() if instance.enabled),
            # What sleeps has noted nothing since the boot.
            release=_release.linked(layout.slot(slot)) if _asleep(app, slot, seen) else _read_number(layout.running(slot)),
            answers=slot in healthy and all(instance.ready for instance in running.values()),
            outdated=tuple(path for instance in running.values() for path in _processes.replaced(instance.pid)),
        )
    boot = _files.text_of(layout.boot_link)
    others = {_registry.protocol(stack) for stack in _registry.STACKS} - {app["protocol"]}
    beside = {layout.upstream(protocol) for protocol in others} - {layout.live_socket}
    return State(
        live=_slot_of(layout.live_socket),
        upstream=_slot_of(layout.upstream(app["protocol"])),
        boot=next((slot for slot in _layout.SLOTS if boot and boot == _boot(app, slot)), None),
        current=_release.linked(layout.current),
        preview=_slot_of(layout.preview_socket),
        stale=any(os.path.lexists(path) for path in beside),
        slots=slots,
    )


def _boot(app: dict[str, Any], slot: str) -> str:
    """The text of the app's file for tmpfiles.d(5), which makes a slot the live one when the host boots."""
    layout = _layout.of(app)
    try:
        group = _accounts.group_name(os.stat(layout.runtime_directory).st_gid)
    except FileNotFoundError:
        return ""
    # The directory too, which an app that was dropped from the inventory has nobody else to make.
    lines = [f"d {layout.runtime_directory} 0750 {app['user']} {group} -"]
    links = dict.fromkeys([layout.live_socket, layout.upstream(app["protocol"])])
    return "\n".join([*lines, *(f"L {link} - - - - {os.path.basename(layout.socket(slot))}" for link in links), ""])


def _asked(targets: list[tuple[dict[str, Any], str, str]], nginx_user: str, timeout: float) -> list[tuple[bool, str]]:
    """Ask the servers of some apps, each by its socket and in its protocol, as nginx's user.

    :returns: of each, whether it is healthy, and what it answered in words
    """
    if not targets:
        return []
    try:
        pwd.getpwnam(nginx_user)
    except KeyError:
        return [(False, f"there is no user {nginx_user} to ask as, so correct nginx_user")] * len(targets)
    questions = [_question(app, socket, protocol, timeout) for app, socket, protocol in targets]
    program = [sys.executable, "-I", "-c", _examine.ASK]
    done = run(program, user=nginx_user, timeout=timeout + 10, stdin=json.dumps(questions).encode())
    if done.code:
        return [(False, done.last_line)] * len(targets)
    return [_judged(app["health_check"], answer) for (app, _socket, _protocol), answer in zip(targets, json.loads(done.output))]


def _question(app: dict[str, Any], socket: str, protocol: str, timeout: float) -> dict[str, Any]:
    host = app["canonical_domain"] or next((domain for domain in app["domains"] if not domain.startswith("*")), "localhost")
    return {"path": socket, "protocol": protocol, "uri": app["health_check"]["path"], "host": host, "timeout": timeout}


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

        :raises StackError: the release did not get well; it is stopped again, and what was live before is live still
        """
        if any(action == "start" for action, _slot in steps):
            _preflight.check(self.app, release)
            self.server.check()
        elif flipped := [slot for action, slot in steps if action == "flip"]:
            # It was started earlier, and nginx's workers may be others by now.
            problem = self._wait(flipped[0])
            if problem:
                raise StackError("health", f"release {release} was well when it was started, but now: {problem}")
        for action, slot in steps:
            getattr(self, f"_{action}")(slot, release)

    def _start(self, slot: str, release: int) -> None:
        self._drop_preview()
        self.stop_everywhere(slot, self.app["drain_timeout"])
        _files.replace_link(os.path.join("..", "releases", str(release)), self.layout.slot(slot))
        began = time.time()
        self.server.start(self.app, slot)
        problem = self._wait(slot)
        if problem:
            log = self.server.log(self.app, slot, began)
            self.server.stop(self.app, slot, self.app["drain_timeout"])
            cause = f"release {release} did not get well: {problem}"
            told = decisive_line(log)
            raise StackError("health", f"{cause}; its log says: {told}" if told else cause, log)

    def stop_everywhere(self, slot: str, timeout: float) -> None:
        """Stop a slot under whatever runs it, and let it be started by nothing; ``timeout`` in seconds, see ``Server.stop``."""
        name = self.layout.instance(slot)
        for server in self.servers.values():
            state = server.states([name])[name]
            if state.active or state.enabled:
                server.stop(self.app, slot, timeout)
        # What was killed has left it.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.layout.socket(slot))

    def _wait(self, slot: str) -> str | None:
        """Wait until the slot answers as it should; otherwise say why not."""
        deadline = time.monotonic() + self.app["health_check"]["timeout"]
        name = self.layout.instance(slot)
        answer = "it opened no socket"
        while time.monotonic() < deadline:
            if self.server.states([name])[name].failing:
                return "its server ended at the start"
            if os.path.exists(self.layout.socket(slot)):
                target = (self.app, self.layout.socket(slot), self.app["protocol"])
                ((well, answer),) = _asked([target], self.nginx_user, max(1.0, deadline - time.monotonic()))
                if well and self.server.states([name])[name].ready:
                    answer = self._refusal(slot)
                    if not answer:
                        return None
            time.sleep(0.2)
        return f"{answer} (after {self.app['health_check']['timeout']} s)"

    def _refusal(self, slot: str) -> str:
        """What keeps the nginx that runs now from talking to a slot, and what fixes it; "" if nothing does.

        Its workers need not have the groups that the user database says, nor see the same file system.
        """
        workers = _identity.of_workers()
        if workers is None:  # as in a first deployment; those to come will be what was asked as
            return ""
        question = _question(self.app, self.layout.socket(slot), self.app["protocol"], LIVE_CHECK_TIMEOUT)
        statuses = tuple(self.app["health_check"]["status"])
        address = f"unix:{question['path']}"
        target = _examine.Target(address, question["protocol"], question["uri"], question["host"], statuses)
        (access,) = _examine.examine([target], workers, LIVE_CHECK_TIMEOUT)
        if access.ok or access.code == "not_checked":
            return ""
        return access.sentence.rstrip(".") + (f" (fix it with: {access.fix})" if access.fix else "")

    def _flip(self, slot: str, release: int) -> None:
        # nginx resolves the link at each connect: no reload, and no moment without a live socket.
        _files.replace_link(os.path.basename(self.layout.socket(slot)), self.layout.upstream(self.app["protocol"]))
        _files.replace_link(os.path.join("releases", str(release)), self.layout.current)

    def _preview(self, slot: str, release: int) -> None:
        _files.replace_link(os.path.join("releases", str(release)), self.layout.preview)
        _files.replace_link(os.path.basename(self.layout.socket(slot)), self.layout.preview_socket)

    def _drop_preview(self) -> None:
        for path in (self.layout.preview_socket, self.layout.preview):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _record(self, slot: str, release: int) -> None:
        _files.replace_link(os.path.join("releases", str(release)), self.layout.current)
        upstream = self.layout.upstream(self.app["protocol"])
        _files.replace_link(os.path.basename(self.layout.socket(slot)), self.layout.live_socket)
        for link in {self.layout.upstream(_registry.protocol(stack)) for stack in _registry.STACKS} - {
            upstream,
            self.layout.live_socket,
        }:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(link)
        _files.write(self.layout.boot_link, _files.File(_boot(self.app, slot)))
        _note(self.layout.history, release, self.app["stack"])
        self._drop_preview()
        for stack, server in self.servers.items():
            server.enable(self.app, slot, stack == self.app["stack"])
            server.enable(self.app, _layout.other(slot), False)

    def _stop(self, slot: str, release: int) -> None:
        # A graceful stop ends what was accepted; what a busy server has not accepted yet would be lost.
        deadline = time.monotonic() + self.app["drain_timeout"]
        time.sleep(SETTLE)
        while _sockets.waiting(self.layout.socket(slot)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.stop_everywhere(slot, self.app["drain_timeout"] + 5)


def _read_number(path: str) -> int | None:
    text = _files.text_of(path).strip()
    return int(text) if text.isdigit() else None


def _slot_of(path: str) -> str | None:
    """The slot whose socket a link leads to."""
    try:
        target = os.readlink(path)
    except OSError:
        return None
    return next((slot for slot in _layout.SLOTS if target.endswith(f"{slot}.sock")), None)


def _note(path: str, release: int, stack: str) -> None:
    """Add a release that went live to a history, unless it is the last one there."""
    lines = _files.text_of(path, size=-1).splitlines()
    if lines[-1:] and lines[-1].split()[:2] == [str(release), stack]:
        return
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(f"{release} {stack} {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n")


def describe(state: State) -> str:
    """A state in words, for the diff."""
    serving = _serving(state)
    if serving is None:
        return "nothing is live"
    slot = state.slots[serving]
    under = f" under {' and '.join(slot.stacks)}" if slot.stacks else ""
    health = "answers" if slot.answers else "does not answer"
    outdated = f", but was started before {' and '.join(slot.outdated)} was replaced" if slot.outdated else ""
    return f"release {slot.release} is live in {serving}{under} and {health}{outdated}"


def describe_plan(steps: list[Step], release: int, stack: str) -> str:
    """A plan in words, for the diff."""
    return ", ".join(f"{action} {slot}" for action, slot in steps) + f" for release {release} under {stack}"
