# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The stacks by name: the one list that everything else about stacks is derived from."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _gunicorn, _uwsgi


@dataclass(frozen=True)
class Stack:
    """An app server under a process manager.

    :ivar protocol: what nginx speaks to its slots, ``uwsgi`` or ``http``
    :ivar server: the module of its app server, with ``OWN_OPTIONS``, ``INSTEAD``, ``BINDING_OPTIONS``,
        ``INCLUDING_OPTIONS``, ``CONFIGURATION`` (a file's name), ``WRAPPER`` (see ``_entry_points.module_text``),
        and the functions ``requirements(app)``, ``build_packages(app)``, ``program(app, build)``, ``plugin(app, build)``,
        ``workers(app, host)``, ``refusal(app, imported)``, ``advice(line)``, ``loads_before_fork(app)``,
        ``configuration(app, build, host, imported)``, ``launcher(app)`` and ``start(app, build, release)``
    :ivar process_manager: what runs the slots: ``systemd``, ``emperor`` or ``supervisor``; the classes are in
        ``rollout._state.PROCESS_MANAGERS``
    :ivar role: the role of this collection that rolls releases out on it
    :ivar tree: the tree of ``config_tree`` with the process manager's files
    :ivar keys: the keys of an app that not every stack has
    """

    protocol: str
    server: ModuleType
    process_manager: str
    role: str
    tree: str
    keys: tuple[str, ...] = ()


STACKS = {
    "uwsgi": Stack("uwsgi", _uwsgi, "systemd", role="uwsgi", tree="uwsgi", keys=("privileged_programs",)),
    "uwsgi_emperor": Stack("uwsgi", _uwsgi, "emperor", role="uwsgi", tree="emperor", keys=("idle",)),
    "gunicorn_supervisor": Stack(
        "http",
        _gunicorn,
        "supervisor",
        role="gunicorn_supervisor",
        tree="bind",
        keys=("gevent", "bind", "privileged_programs"),
    ),
}


def server(stack: str) -> ModuleType:
    """The module of a stack's app server."""
    return STACKS[stack].server


def protocol(stack: str) -> str:
    """What nginx speaks to a stack: ``uwsgi`` or ``http``."""
    return STACKS[stack].protocol


def role(stack: str) -> str:
    """The role that rolls releases out on a stack."""
    return STACKS[stack].role


def trees() -> dict[str, set[str]]:
    """The trees of ``config_tree`` with files of process managers, each with the stacks that need it."""
    return {stack.tree: {name for name, other in STACKS.items() if other.tree == stack.tree} for stack in STACKS.values()}


def stacks_of(process_manager: str) -> set[str]:
    """The stacks whose slots a process manager runs."""
    return {name for name, stack in STACKS.items() if stack.process_manager == process_manager}


def foreign_keys(stack: str) -> list[tuple[str, str]]:
    """The keys of an app that a stack does not have, each with the stack that has it."""
    return [(key, name) for name, other in STACKS.items() for key in other.keys if key not in STACKS[stack].keys]
