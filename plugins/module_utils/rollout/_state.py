# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a host shows of an app: which slots run, under what, which release, whether they are healthy, and which one is live."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._layout import Layout
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._memory import MemoryFile
from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _files, _processes
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _worker_state
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance, ProcessManager
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._emperor import Vassals
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._supervisor import Programs
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import Units
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._worker_state import Workers
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.release import _workers as _release_workers
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _health
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._health import HealthRequest

PROCESS_MANAGERS: dict[str, type[ProcessManager]] = {"systemd": Units, "emperor": Vassals, "supervisor": Programs}

MANAGERS = {name: PROCESS_MANAGERS[stack.process_manager] for name, stack in _registry.STACKS.items()}
"""What runs the slots, by stack. Every app is looked for under all of them, since it may have had another stack before."""

LIVE_CHECK_TIMEOUT = 10
"""Seconds that a slot which runs already has for its answer before it counts as unhealthy."""

NO_WORKERS = Workers()

Instances = Mapping[str, Mapping[str, Instance]]
"""Instances by stack and by name, see ``Layout.instance``."""


@dataclass(frozen=True)
class Slot:
    """The state of a slot.

    :ivar stacks: those whose process managers run it
    :ivar enabled: those that start it at boot; like ``stacks`` one at most, unless a rollout was interrupted
    :ivar release: the number of the release that it runs, or ran last: what its symlink names, which changes while nothing runs
    :ivar answers: it just gave a healthy answer
    :ivar outdated: the files that its server has loaded and that were replaced on the disk since, as by an upgrade
    :ivar asleep: it has no process until its next request
    :ivar workers: those of its release
    """

    stacks: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    release: int | None = None
    answers: bool = False
    outdated: tuple[str, ...] = ()
    asleep: bool = False
    workers: Workers = NO_WORKERS


@dataclass(frozen=True)
class State:
    """The state of an app on a host.

    :ivar live: the slot of the live socket's symlink
    :ivar upstream: the slot of nginx's symlink, for the protocol of the stack that is wanted
    :ivar boot: the slot that both will name after a boot
    :ivar current: the release whose static files nginx serves
    :ivar preview: the slot of a staged release
    :ivar stale: there is a symlink of another protocol
    :ivar served: the protocol of the app's site as nginx was last loaded with it; None if that is not known
    """

    live: str | None = None
    upstream: str | None = None
    boot: str | None = None
    current: int | None = None
    preview: str | None = None
    stale: bool = False
    served: str | None = None
    slots: dict[str, Slot] = field(default_factory=lambda: {slot: Slot() for slot in _layout.SLOTS})

    @property
    def serving(self) -> str | None:
        """The slot to which nginx sends requests, or will when it is loaded with the protocol of the stack that is wanted."""
        return self.live if self.upstream is None else self.upstream


@dataclass(frozen=True)
class ObservedApp:
    """What has to be known of an app to observe it; less than ``App``, since it may be in no inventory any more.

    :ivar protocol: that of the stack that is wanted, ``uwsgi`` or ``http``
    :ivar request: its health check
    :ivar first_host: whether this host has the workers and timers that run on one host only; None if that is not known
    """

    layout: Layout
    protocol: str = "uwsgi"
    request: HealthRequest = field(default_factory=HealthRequest)
    first_host: bool | None = None

    @classmethod
    def of(cls, app: App) -> ObservedApp:
        """A resolved app."""
        return cls(_layout.of(app), app["protocol"], _health.request(app), app["first_host"])


def instances(layouts: Sequence[Layout]) -> dict[str, dict[str, Instance]]:
    """The slots of some apps under each process manager, by stack and by the slots' names; one call for each."""
    names = [layout.instance(slot) for layout in layouts for slot in _layout.SLOTS]
    return {stack: manager().states(names) for stack, manager in MANAGERS.items()}


def observe(apps: Sequence[ObservedApp], nginx_user: str, found: Instances | None = None) -> dict[str, State]:
    """The state of each app, by name. All health checks are sent at once.

    :param nginx_user: the user that sends them
    :param found: what ``instances`` just returned
    """
    found = instances([app.layout for app in apps]) if found is None else found
    # Those that sleep are not asked: that would wake up all of them, and there may be a hundred on a host.
    asleep = {(app.layout.name, slot) for app in apps for slot in _layout.SLOTS if _asleep(app.layout, slot, found)}
    asked = [
        (app, slot, next(iter(running)))
        for app in apps
        for slot in _layout.SLOTS
        if (running := _running(app.layout, slot, found)) and (app.layout.name, slot) not in asleep
    ]
    targets = [(app.request, app.layout.socket(slot), _registry.protocol(stack)) for app, slot, stack in asked]
    answers = _health.check(targets, nginx_user, LIVE_CHECK_TIMEOUT)
    healthy = asleep | {(app.layout.name, slot) for (app, slot, _stack), answer in zip(asked, answers) if answer.healthy}
    workers = _worker_state.observe([(app.layout, app.first_host) for app in apps])
    sites = MemoryFile("nginx").read().notes
    return {
        app.layout.name: _state(
            app,
            found,
            workers,
            {slot for slot in _layout.SLOTS if (app.layout.name, slot) in healthy},
            sites.get(app.layout.name, {}).get("protocol"),
        )
        for app in apps
    }


def boot_text(layout: Layout, protocol: str, slot: str) -> str:
    """The text of the app's file for tmpfiles.d(5), which makes a slot the live one when the host boots."""
    try:
        group = _accounts.group_name(os.stat(layout.runtime_directory).st_gid)
    except FileNotFoundError:
        return ""
    # The directory too: nothing else makes that of an app which was dropped from the inventory.
    lines = [f"d {layout.runtime_directory} 0750 root {group} -"]
    links = dict.fromkeys([layout.live_socket, layout.upstream(protocol)])
    return "\n".join([*lines, *(f"L {link} - - - - {os.path.basename(layout.socket(slot))}" for link in links), ""])


def stale_links(layout: Layout, protocol: str) -> list[str]:
    """The symlinks that nginx would use for the other protocols. Pure."""
    upstreams = {layout.upstream(_registry.protocol(stack)) for stack in _registry.STACKS}
    return sorted(upstreams - {layout.upstream(protocol), layout.live_socket})


def _running(layout: Layout, slot: str, found: Instances) -> dict[str, Instance]:
    """What runs of a slot, by stack."""
    states = {stack: states[layout.instance(slot)] for stack, states in found.items()}
    return {stack: instance for stack, instance in states.items() if instance.active}


def _asleep(layout: Layout, slot: str, found: Instances) -> bool:
    waiting = any(states[layout.instance(slot)].waiting for states in found.values())
    return waiting and _release.sleeps(layout, slot) and os.path.exists(layout.socket(slot))


def _state(
    app: ObservedApp, found: Instances, workers: Mapping[tuple[str, str], Workers], healthy: set[str], served: str | None
) -> State:
    layout = app.layout
    slots = {}
    for slot in _layout.SLOTS:
        running = _running(layout, slot, found)
        slots[slot] = Slot(
            stacks=tuple(running),
            enabled=tuple(stack for stack, states in found.items() if states[layout.instance(slot)].enabled),
            release=_release.linked(layout.slot(slot)),
            answers=slot in healthy and all(instance.ready for instance in running.values()),
            outdated=tuple(path for instance in running.values() for path in _processes.replaced(instance.pid)),
            asleep=_asleep(layout, slot, found),
            workers=workers.get((layout.name, slot), NO_WORKERS),
        )
    boot = _files.text_of(layout.boot_link)
    return State(
        live=slot_of(layout.live_socket),
        upstream=slot_of(layout.upstream(app.protocol)),
        boot=next((slot for slot in _layout.SLOTS if boot and boot == boot_text(layout, app.protocol, slot)), None),
        current=_release.linked(layout.current),
        preview=slot_of(layout.preview_socket),
        stale=any(os.path.lexists(path) for path in stale_links(layout, app.protocol)),
        served=served,
        slots=slots,
    )


def slot_of(path: str) -> str | None:
    """The slot whose socket a symlink names."""
    try:
        target = os.readlink(path)
    except OSError:
        return None
    return next((slot for slot in _layout.SLOTS if target == f"{slot}.sock"), None)


def has_workers(app: App, release: int) -> bool:
    """Whether a release has workers for this host; not before it is made."""
    try:
        return bool(_release_workers.of(_release.read(_layout.of(app), release), app["first_host"])[0])
    except ValueError:
        return False
