# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The steps of a rollout: a release is started in the idle slot, checked, made live by one rename, and the old slot drained.

``_state.observe`` reads a host, ``_plan.plan`` decides, ``Rollout`` acts.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Collection, Sequence
from typing import Callable, NamedTuple

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils._layout import Layout
from ansible_collections.wsgi.stack.plugins.module_utils._progress import BOARD
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.host import (
    _accounts,
    _files,
    _locks,
    _read_only,
    _redact,
    _sockets,
    _systemd,
)
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _workers
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import ProcessManager
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._catalog import HostCatalog
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _answering, _health, _plan, _preflight, _state
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._health import Answer
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._plan import RolloutStep
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine, _identity

DRAIN_DELAY = 0.5
"""Seconds between the flip and the stop of the old slot, at least."""

STEADY = 2.0
"""Seconds after which the same answer counts as one that is not going to change."""

UNREADY = "it answered, but its process manager does not say that it is ready"


class Problem(NamedTuple):
    """Why a slot is not healthy.

    :ivar cause: the rest of a sentence about its release
    :ivar fix: what to do, "" if only its log can say that
    """

    cause: str
    fix: str = ""


class Rollout:
    """One app's rollout on this host.

    :param app: a resolved app
    :param nginx_user: the user that sends the health checks
    """

    def __init__(self, app: App, nginx_user: str):
        self.app = app
        self.layout = _layout.of(app)
        self.nginx_user = nginx_user
        self.request = _health.request(app)
        self.managers = {stack: manager() for stack, manager in _state.MANAGERS.items()}
        self.manager = self.managers[app["stack"]]
        self.going_live: set[str] = set()
        self.actions: dict[str, Callable[[str, int], None]] = {
            "start": self._start,
            "workers": self._start_workers,
            "preview": self._preview,
            "flip": self._flip,
            "record": self._record,
            "stop": self._stop,
        }

    def run(self, steps: Sequence[RolloutStep], release: int, turns: threading.Semaphore) -> None:
        """Carry out a plan.

        :param turns: see ``locked_rollout``
        :raises StackError: the release is not healthy; it is stopped again, and what was live before still is
        """
        ends = [step for step in steps if step[0] == "stop"]
        with BOARD.turn(turns):
            self._bring_up([step for step in steps if step not in ends], release)
        self._carry_out(ends, release)

    def _bring_up(self, steps: Sequence[RolloutStep], release: int) -> None:
        if any(action == "start" for action, _slot in steps):
            _preflight.check(self.app, release)
            self.manager.check()
        elif flipped := [slot for action, slot in steps if action == "flip"]:
            # It was started earlier, and nginx's workers may be others by now.
            problem = self._wait_until_healthy(flipped[0])
            if problem:
                fix = f"; {problem.fix}" if problem.fix else ""
                raise StackError("health", f"release {release} was healthy when it was started, but now {problem.cause}{fix}.")
        self.going_live = {slot for action, slot in steps if action == "flip"}
        self._carry_out(steps, release)

    def _carry_out(self, steps: Sequence[RolloutStep], release: int) -> None:
        for action, slot in steps:
            self.actions[action](slot, release)

    def _start(self, slot: str, release: int) -> None:
        self._drop_preview()
        stop_everywhere(self.layout, slot, self.managers.values(), self.app["drain_timeout"])
        _workers.stop(self.layout, slot, jobs=True)
        _files.replace_link(os.path.join("..", "releases", str(release)), self.layout.slot(slot))
        began = time.time()
        BOARD.does(f"starts release {release} and waits for its health check")
        self.manager.start(self.app, slot)
        problem = self._wait_until_healthy(slot)
        if problem:
            log = _redact.redactor()(self.manager.log(self.layout, slot, began))
            self.manager.stop(self.layout, slot, self.app["drain_timeout"])
            line = "" if problem.fix else decisive_line(log)
            fix = problem.fix or _registry.server(self.app["stack"]).advice(line) or _read_only.fix(line)
            told = [f"release {release} {problem.cause}", line and f"its log says: {line}", fix]
            end = "" if line and not fix else "."
            changed = _systemd.changed_by(self.manager.service(self.layout, slot))
            raise StackError("health", "; ".join(filter(None, told)) + (end or (changed and ".")) + changed, log)

    def _wait_until_healthy(self, slot: str) -> Problem | None:
        """Wait until the slot passes its health check, or gives an answer that is not going to change."""
        timeout = self.app["health_check"]["timeout"]
        deadline = time.monotonic() + timeout
        name = self.layout.instance(slot)
        answer, fix = "", ""
        since: dict[str, float] = {}
        while time.monotonic() < deadline:
            state = self.manager.states([name])[name]
            if state.failing:
                return Problem("did not start: its server exited")
            if state.ready:
                (found,) = self._ask(slot, 1, max(1.0, deadline - time.monotonic()))
                answer, fix, now = found.text, found.fix, time.monotonic()
                since = {answer: since.get(answer, now)} if fix else {}
                if fix and now - since[answer] >= STEADY:
                    return Problem(f"failed its health check: {answer}", fix)
                if found.healthy:
                    state = self.manager.states([name])[name]
                    answer = self._problem(slot, state.pid) if state.ready else UNREADY
                    if not answer:
                        return None
            time.sleep(0.2)
        if not answer:
            return Problem(f"was not ready within {timeout} s (health_check.timeout)")
        return Problem(f"failed its health check: {answer} (after {timeout} s)", fix)

    def _ask(self, slot: str, times: int, timeout: float) -> list[Answer]:
        target = (self.request, self.layout.socket(slot), self.app["protocol"])
        return _health.check([target] * times, self.nginx_user, timeout)

    def _problem(self, slot: str, master: int) -> str:
        """What is wrong with a slot that has answered, "" if nothing is."""
        workers = _answering.expected(self.layout, slot)
        timeout = float(self.app["health_check"]["timeout"])
        return _answering.problem(master, workers, lambda times: self._ask(slot, times, timeout)) or self._access_problem(slot)

    def _access_problem(self, slot: str) -> str:
        """What keeps the running nginx from connecting to a slot, and what fixes it; "" if nothing does.

        Its workers may lack groups that the user database has by now, or see another file system.
        """
        workers = _identity.of_workers()
        if workers is None:  # as in a first deployment: nginx's user could connect, so its workers will
            return ""
        request, protocol = self.request, self.app["protocol"]
        address = f"unix:{self.layout.socket(slot)}"
        target = _examine.Target(address, protocol, request.path, request.host, tuple(request.statuses), scheme=request.scheme)
        # Reading what starts servers here takes more than all the rest, and only says what to do.
        for host in (HostCatalog(), None):
            (access,) = _examine.examine([target], workers, _state.LIVE_CHECK_TIMEOUT, host=host)
            if access.ok or access.code == "not_checked":
                return ""
        if workers.user != self.nginx_user:
            group = _accounts.group_name(workers.gid)
            fix = f"set wsgi_nginx_user: {workers.user} and wsgi_nginx_group: {group}, as nginx runs"
        else:
            fix = f"fix it with: {access.fix}" if access.fix else ""
        return access.message.rstrip(".") + (f" ({fix})" if fix else "")

    def _start_workers(self, slot: str, _release: int) -> None:
        other = _layout.other(slot)
        BOARD.does("starts its workers")
        _workers.stop_single(self.layout, other)
        try:
            _workers.start(self.layout, slot, self.app["first_host"])
        except Exception:
            if slot in self.going_live:
                _workers.stop(self.layout, slot)
                self.manager.stop(self.layout, slot, self.app["drain_timeout"])
                _workers.resume(self.layout, other, self.app["first_host"])
            raise

    def _flip(self, slot: str, release: int) -> None:
        upstream = self.layout.upstream(self.app["protocol"])
        # First, since a page of the new release names its static files.
        self._publish(release, replaces_live=_state.slot_of(upstream) != slot)
        # nginx resolves the symlink at each connect: no reload, and no moment without a live socket.
        _files.replace_link(os.path.basename(self.layout.socket(slot)), upstream)

    def _publish(self, release: int, replaces_live: bool = True) -> None:
        """Have nginx serve the static files of a release, and those of the one before where it has none of that name.

        :param replaces_live: False if the one before was published, but visitors still have an earlier one
        """
        before = _release.linked(self.layout.current)
        if replaces_live and before not in (None, release):
            _files.replace_link(os.path.join("releases", str(before)), self.layout.previous)
        _files.replace_link(os.path.join("releases", str(release)), self.layout.current)

    def _preview(self, slot: str, release: int) -> None:
        _files.replace_link(os.path.join("releases", str(release)), self.layout.preview)
        _files.replace_link(os.path.basename(self.layout.socket(slot)), self.layout.preview_socket)

    def _drop_preview(self) -> None:
        for path in (self.layout.preview_socket, self.layout.preview):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _record(self, slot: str, release: int) -> None:
        self._publish(release)
        _files.replace_link(os.path.basename(self.layout.socket(slot)), self.layout.live_socket)
        for link in _state.stale_links(self.layout, self.app["protocol"]):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(link)
        _files.write(self.layout.boot_link, _files.File(_state.boot_text(self.layout, self.app["protocol"], slot)))
        _add_to_history(self.layout.history, release, self.app["stack"])
        self._drop_preview()
        for stack, manager in self.managers.items():
            if stack == self.app["stack"]:
                manager.enable(self.app, slot)
            else:
                manager.disable(self.layout, slot)
            manager.disable(self.layout, _layout.other(slot))
        _workers.record(self.layout, slot, self.app["first_host"])

    def _stop(self, slot: str, _release: int) -> None:
        BOARD.does("waits for the last requests to its former release")
        _workers.stop_soon(self.layout, slot)
        drain(self.layout, slot, self.managers.values(), self.app["drain_timeout"])
        _workers.stop(self.layout, slot)


def locked_rollout(
    app: App, release: int, nginx_user: str, preview: bool, finish: bool, turns: threading.Semaphore
) -> list[RolloutStep]:
    """Make a release live while no other rollout of the app runs on this host.

    What another one has done meanwhile counts: the app is looked at again when it is this one's turn.

    :param turns: how many apps may start at once. An app whose old slot ends only waits, and does not keep others from starting.
    :returns: the steps that were carried out
    :raises StackError: see ``Rollout.run``
    """
    layout = _layout.of(app)
    with _locks.locked(layout.rollout_lock):
        state = _state.observe([_state.ObservedApp.of(app)], nginx_user)[app["name"]]
        steps = _plan.plan(state, release, app["stack"], preview, finish, _state.has_workers(app, release))
        if steps:
            Rollout(app, nginx_user).run(steps, release, turns)
    return steps


def drain(layout: Layout, slot: str, managers: Collection[ProcessManager], timeout: float) -> None:
    """Stop a slot that gets no new requests, after those that it has been sent.

    :param timeout: ``drain_timeout``, seconds
    """
    # A graceful stop completes what the server has accepted; what still waits in the queue of the socket would be lost.
    deadline = time.monotonic() + timeout
    time.sleep(DRAIN_DELAY)
    while _sockets.waiting(layout.socket(slot)) and time.monotonic() < deadline:
        time.sleep(0.1)
    stop_everywhere(layout, slot, managers, timeout + 5)


def stop_everywhere(layout: Layout, slot: str, managers: Collection[ProcessManager], timeout: float) -> None:
    """Stop a slot under whatever runs it, and let nothing start it at boot.

    :param timeout: seconds, see ``ProcessManager.stop``
    """
    name = layout.instance(slot)
    for manager in managers:
        state = manager.states([name])[name]
        if state.active or state.enabled:
            manager.stop(layout, slot, timeout)
    # A server that was killed leaves its socket.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(layout.socket(slot))


def _add_to_history(path: str, release: int, stack: str) -> None:
    """Add a release that went live, unless it is the last one there."""
    lines = _files.text_of(path, size=-1).splitlines()
    if lines[-1:] and lines[-1].split()[:2] == [str(release), stack]:
        return
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(f"{release} {stack} {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n")
