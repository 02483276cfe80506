# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What there is on a host of apps that are to be removed: what the collection made, and nothing that anybody else made."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _remove as _account
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _lineage
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._memory import MemoryFile
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _locks
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Scope
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _workers
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import unit_states
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._state import Instances
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented, _sites


@dataclass(frozen=True)
class Remains:
    """What there is of an app on a host.

    :ivar slots: those that run, or are started at boot
    :ivar paths: the files and directories to remove, in this order
    :ivar kept: what stays in the app's directory
    :ivar user: whether to remove the app's user and its group
    :ivar certificate: whether to delete certbot's certificate for the app's site
    :ivar certificate_users: the files that name that certificate, so that it is kept
    """

    slots: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    user: bool = False
    certificate: bool = False
    certificate_users: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.slots or self.paths or self.user or self.certificate)

    def lines(self, layout: _layout.Layout) -> list[str]:
        """What is to be removed, one line each, for the diff."""
        slots = [f"slot {layout.instance(slot)}" for slot in self.slots]
        certificate = [f"certbot certificate {layout.name}"] if self.certificate else []
        return [*slots, *certificate, *self.paths, *([f"user {layout.name}"] if self.user else [])]


def look(layout: _layout.Layout, found: Instances, remove_shared: bool) -> Remains:
    """What there is of an app on this host.

    :param found: its slots, see ``rollout._state.instances``
    :param remove_shared: whether to remove the app's own data, too
    """
    slots = {slot: [states[layout.instance(slot)] for states in found.values()] for slot in _layout.SLOTS}
    files = [*_workers.paths(layout), *_server_files(layout), layout.runtime_directory]
    files += [*layout.source_cache, *layout.build_cache]
    files += map(_locks.path, (layout.build_lock, layout.release_lock))
    inside, kept = _inside(layout, remove_shared)
    ends = [] if kept else [layout.directory]
    certificate, users = _certificate(layout.name)
    return Remains(
        slots=tuple(slot for slot, states in slots.items() if any(state.active or state.enabled for state in states)),
        paths=tuple(path for path in [*files, *inside, *ends, layout.boot_link] if os.path.lexists(path)),
        kept=tuple(kept),
        user=not kept and _account.there(layout),
        certificate=certificate,
        certificate_users=tuple(users),
    )


def _certificate(site: str) -> tuple[bool, list[str]]:
    """Whether certbot has a certificate to delete that was ordered for a site, and which files below /etc still use it.

    A certificate that another site uses is kept, and so is one in the configuration of another program, such as a mail server.
    """
    directory = _lineage.live(site)
    sites = os.listdir(_sites.DIRECTORY) if os.path.isdir(_sites.DIRECTORY) else []
    taken_over = any(_presented.published(other) == directory for other in sites if other != site)
    if taken_over or not _lineage.ordered(site, _sites.WEBROOT) or not shutil.which("certbot"):
        return False, []
    named = run(["grep", "-rlsF", "--exclude-dir=letsencrypt", f"{directory}/", "/etc"]).output.splitlines()
    return not named, named


def _server_files(layout: _layout.Layout) -> list[str]:
    """The files of process managers for an app's slots; stopping the slots removes most of them."""
    paths = []
    for slot in _layout.SLOTS:
        paths += [layout.unit_options(slot), layout.emperor_options(slot)]
        paths += [layout.vassal_link(slot), layout.vassal_socket(slot), layout.vassal(slot), layout.program(slot)]
        paths += glob.glob(f"{_layout.UNITS}/*.wants/{layout.unit(slot)}")
        for stream in ("stdout", "stderr"):
            paths += sorted(glob.glob(f"{layout.program_log(slot, stream)}*"))
    return paths


def _inside(layout: _layout.Layout, remove_shared: bool) -> tuple[list[str], list[str]]:
    """What to remove of an app's directory, in this order, and what to keep."""
    links = [layout.current, layout.previous, layout.preview]
    ours = [layout.builds, layout.history, *links, *map(_files.temporary, links)]
    last = [layout.releases, layout.slots]
    data = [layout.shared] if remove_shared or _is_empty(layout.shared) else []
    going = [*ours, *data, *last]
    try:
        there = sorted(os.path.join(layout.directory, name) for name in os.listdir(layout.directory))
    except (FileNotFoundError, NotADirectoryError):
        there = []
    return [path for path in going if path in there], [path for path in there if path not in going]


def _is_empty(directory: str) -> bool:
    """Whether it is an empty directory. A symlink to one was made by hand, and stays."""
    return not os.path.islink(directory) and os.path.isdir(directory) and not os.listdir(directory)


def message(layout: _layout.Layout, remains: Remains) -> str:
    """Why something of an app was kept, and how to remove it; "" if nothing was."""
    reasons = []
    kept = remains.kept
    if layout.shared in kept:
        reasons.append(
            f"{layout.shared} is the app's own data, so it is kept, with the user {layout.name};"
            " copy what you need, then set wsgi_remove_shared: true to remove it"
        )
    others = sorted(path for path in kept if path != layout.shared)
    if others:
        reasons.append(f"{', '.join(others)}: not created by wsgi.stack, so it is kept; move it away and run again")
    if remains.certificate_users:
        reasons.append(
            f"certbot's certificate {layout.name} is kept, since {', '.join(remains.certificate_users)} uses it;"
            f" when it is not needed any more: certbot delete --cert-name {layout.name}"
        )
    return f"app {layout.name}: {'; '.join(reasons)}." if reasons else ""


def idle_trees(
    stacks: Iterable[str], staying: Iterable[_layout.Layout], going: Iterable[_layout.Layout], found: Instances
) -> list[str]:
    """The trees on this host with files of app servers that no app uses any more.

    :param stacks: those of the apps in the inventory
    :param staying: the apps that stay on the host, in the inventory or not
    :param going: the apps that are removed
    """
    used = {*stacks, *running(staying, found)}
    if _emperor_in_use(going):
        used |= _registry.stacks_of("emperor")
    return [name for name, needed in _registry.trees().items() if not used & needed and _is_there(name)]


def leftovers(
    scope: Scope, running_under: Mapping[str, Collection[str]], keep: Collection[str], unused: Collection[str]
) -> dict[str, list[str]]:
    """The trees that other apps use, and the apps that have something in them and use them no more.

    :param scope: the apps that the run may change
    :param running_under: the stacks under which a slot of each app that stays runs
    :param keep: the apps in the inventory
    :param unused: the trees that no app uses
    """
    found = {}
    for tree, needed in _registry.trees().items():
        stacks = {name: {*running_under.get(name, ())} for name in MemoryFile(tree).read().apps if scope.has(name)}
        for name in stacks:
            if name in keep and name in scope.record.apps:
                stacks[name].add(scope.record.apps[name]["claims"].get("stack"))
        left = sorted(name for name, used in stacks.items() if not used & needed)
        if left and tree not in unused:
            found[tree] = left
    return found


def running(layouts: Iterable[_layout.Layout], found: Instances) -> set[str]:
    """The stacks under which a slot of some apps runs, or is started at boot. Pure."""
    names = [layout.instance(slot) for layout in layouts for slot in _layout.SLOTS]
    return {stack for stack, states in found.items() if any(states[name].active or states[name].enabled for name in names)}


def _emperor_in_use(going: Iterable[_layout.Layout]) -> bool:
    """Whether the Emperor runs or is started at boot, for other apps than those that are removed."""
    unit = unit_states([_layout.EMPEROR])[_layout.EMPEROR]
    paths = [
        path for layout in going for slot in _layout.SLOTS for path in (layout.vassal_link(slot), layout.vassal_socket(slot))
    ]
    mine = {os.path.basename(path) for path in paths}
    try:
        files = set(os.listdir(_layout.VASSALS_ENABLED))
    except FileNotFoundError:
        files = set()
    return (unit.active or unit.enabled) and not (files and files <= mine)


def _is_there(tree: str) -> bool:
    return bool(MemoryFile(tree).read().owned)
