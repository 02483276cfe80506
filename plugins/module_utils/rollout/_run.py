# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The steps of a rollout: a release is started in the idle slot, checked, made live by one rename, and the old slot drained.

``_state.observe`` reads a host, ``_plan.plan`` decides, ``Rollout`` acts.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Sequence
from typing import Callable

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils._layout import Layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _locks, _sockets
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import ProcessManager
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _health, _plan, _preflight, _state
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._plan import RolloutStep
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _examine, _identity

DRAIN_DELAY = 0.5
"""Seconds between the flip and the stop of the old slot, at least."""


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
        self.actions: dict[str, Callable[[str, int], None]] = {
            "start": self._start,
            "preview": self._preview,
            "flip": self._flip,
            "record": self._record,
            "stop": self._stop,
        }

    def run(self, steps: Sequence[RolloutStep], release: int) -> None:
        """Carry out a plan.

        :raises StackError: the release is not healthy; it is stopped again, and what was live before still is
        """
        if any(action == "start" for action, _slot in steps):
            _preflight.check(self.app, release)
            self.manager.check()
        elif flipped := [slot for action, slot in steps if action == "flip"]:
            # It was started earlier, and nginx's workers may be others by now.
            problem = self._wait_until_healthy(flipped[0])
            if problem:
                raise StackError("health", f"release {release} was healthy when it was started, but now {problem}.")
        for action, slot in steps:
            self.actions[action](slot, release)

    def _start(self, slot: str, release: int) -> None:
        self._drop_preview()
        stop_everywhere(self.layout, slot, self.managers.values(), self.app["drain_timeout"])
        _files.replace_link(os.path.join("..", "releases", str(release)), self.layout.slot(slot))
        began = time.time()
        self.manager.start(self.app, slot)
        problem = self._wait_until_healthy(slot)
        if problem:
            log = self.manager.log(self.layout, slot, began)
            self.manager.stop(self.layout, slot, self.app["drain_timeout"])
            line = decisive_line(log)
            raise StackError("health", f"release {release} {problem}" + (f"; its log says: {line}" if line else "."), log)

    def _wait_until_healthy(self, slot: str) -> str | None:
        """Wait until the slot passes its health check; otherwise say what it did, as the rest of a sentence about it."""
        timeout = self.app["health_check"]["timeout"]
        deadline = time.monotonic() + timeout
        name, socket = self.layout.instance(slot), self.layout.socket(slot)
        answer = ""
        while time.monotonic() < deadline:
            state = self.manager.states([name])[name]
            if state.failing:
                return "did not start: its server exited"
            if state.ready:
                target = (self.request, socket, self.app["protocol"])
                ((healthy, answer),) = _health.check([target], self.nginx_user, max(1.0, deadline - time.monotonic()))
                if healthy and self.manager.states([name])[name].ready:
                    answer = self._access_problem(slot)
                    if not answer:
                        return None
            time.sleep(0.2)
        if not answer:
            return f"was not ready within {timeout} s (health_check.timeout)"
        return f"failed its health check: {answer} (after {timeout} s)"

    def _access_problem(self, slot: str) -> str:
        """What keeps the running nginx from connecting to a slot, and what fixes it; "" if nothing does.

        Its workers may lack groups that the user database has by now, or see another file system.
        """
        workers = _identity.of_workers()
        if workers is None:  # as in a first deployment: nginx's user could connect, so its workers will
            return ""
        request, protocol = self.request, self.app["protocol"]
        address = f"unix:{self.layout.socket(slot)}"
        target = _examine.Target(address, protocol, request.path, request.host, tuple(request.statuses))
        (access,) = _examine.examine([target], workers, _state.LIVE_CHECK_TIMEOUT)
        if access.ok or access.code == "not_checked":
            return ""
        return access.message.rstrip(".") + (f" (fix it with: {access.fix})" if access.fix else "")

    def _flip(self, slot: str, release: int) -> None:
        # nginx resolves the symlink at each connect: no reload, and no moment without a live socket.
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

    def _stop(self, slot: str, _release: int) -> None:
        drain(self.layout, slot, self.managers.values(), self.app["drain_timeout"])


def locked_rollout(app: App, release: int, nginx_user: str, preview: bool, finish: bool) -> list[RolloutStep]:
    """Make a release live while no other rollout of the app runs on this host.

    What another one has done meanwhile counts: the app is looked at again when it is this one's turn.

    :returns: the steps that were carried out
    :raises StackError: see ``Rollout.run``
    """
    layout = _layout.of(app)
    with _locks.locked(layout.rollout_lock):
        state = _state.observe([_state.ObservedApp.of(app)], nginx_user)[app["name"]]
        steps = _plan.plan(state, release, app["stack"], preview, finish)
        if steps:
            Rollout(app, nginx_user).run(steps, release)
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
