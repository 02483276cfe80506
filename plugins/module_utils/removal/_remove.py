# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking apps off a host: what the collection made for them goes, what they or somebody else made stays.

``found`` and ``look`` read a host, ``Retirement`` carries out. The traces by which an app is found go last, its user the very
last, so that a run killed anywhere is completed by the next one.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import shutil
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _command, _lineage
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree import _transaction, _tree
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import unit_states
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _run
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented, _sites

GECOS = "WSGI application {name}"
"""What the role app calls an app's user."""

TREES = {"uwsgi": ("uwsgi",), "emperor": ("uwsgi_emperor",), "bind": ("gunicorn_supervisor",)}
"""The trees of ``config_tree`` with the files of servers, each with the stacks that need it."""

UNITS = "/etc/systemd/system"

Seen = Mapping[str, Mapping[str, Instance]]
"""The slots under each server, see ``rollout._run.instances``."""


@dataclass(frozen=True)
class Remains:
    """What a host has of an app.

    :ivar slots: those that run, or are started at boot
    :ivar paths: files and directories that go, in this order
    :ivar kept: what is in the app's directory and stays
    :ivar user: whether the app's user goes, with its group
    :ivar certificate: whether certbot's certificate for the app's site goes
    :ivar certified: the files that name that certificate, so that it stays
    """

    slots: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    user: bool = False
    certificate: bool = False
    certified: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.slots or self.paths or self.user or self.certificate)

    def lines(self, layout: _layout.Layout) -> list[str]:
        """What goes, as a diff shows it, a line each."""
        slots = [f"slot {layout.instance(slot)}" for slot in self.slots]
        certificate = [f"certificate {layout.name} of certbot"] if self.certificate else []
        return [*slots, *certificate, *self.paths, *([f"user {layout.name}"] if self.user else [])]


def found(directory: str, runtime_directory: str) -> set[str]:
    """The apps that the collection made something for on this host, below these directories."""
    names = {user.pw_name for user in pwd.getpwall() if _owns(user, _layout.Layout(user.pw_name, directory))}
    for path in glob.glob(_layout.Layout("*").boot_link):
        name = path.removeprefix(_layout.Layout("").boot_link.removesuffix(".conf")).removesuffix(".conf")
        if f"d {_layout.Layout(name, directory, runtime_directory).runtime_directory} " in _files.text_of(path):
            names.add(name)
    with contextlib.suppress(FileNotFoundError):
        names |= {name for name in os.listdir(directory) if _is_ours(_layout.Layout(name, directory))}
    return {name for name in names if _resolve.NAME.fullmatch(name) and name not in _resolve.RESERVED_NAMES}


def _owns(user: pwd.struct_passwd, layout: _layout.Layout) -> bool:
    return user.pw_dir == layout.directory and user.pw_gecos == GECOS.format(name=layout.name)


def _is_ours(layout: _layout.Layout) -> bool:
    return all(_is_roots_directory(path) for path in (layout.directory, layout.releases, layout.slots))


def _is_roots_directory(path: str) -> bool:
    try:
        state = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == 0


def going(there: Collection[str], keep: Collection[str], remove: Collection[str], prune: bool) -> list[str]:
    """The apps to be removed, of those that are there. Pure.

    :param keep: those that shall be there
    :param remove: those that shall not
    :param prune: whether those that are in neither list go too
    """
    return sorted(name for name in there if name not in keep and (prune or name in remove))


def placed(layout: _layout.Layout) -> dict[str, Any]:
    """As much of an app as servers need to stop it: no list has the rest any more."""
    return {
        "name": layout.name,
        "user": layout.name,
        "group": layout.name,
        "directory": layout.directory,
        "runtime_directory": layout.runtime_directory,
        "stack": next(iter(_run.SERVERS)),  # all servers are told to stop it
    }


def look(layout: _layout.Layout, seen: Seen, remove_shared: bool) -> Remains:
    """What there is of an app on this host.

    :param remove_shared: whether the app's own data goes too
    """
    instances = {slot: [states[layout.instance(slot)] for states in seen.values()] for slot in _layout.SLOTS}
    files = [*_of_servers(layout), layout.runtime_directory]
    inside, kept = _inside(layout, remove_shared)
    ends = [] if kept else [layout.directory]
    certificate, certified = _certificate(layout.name)
    return Remains(
        slots=tuple(slot for slot, states in instances.items() if any(state.active or state.enabled for state in states)),
        paths=tuple(path for path in [*files, *inside, *ends, layout.boot_link] if os.path.lexists(path)),
        kept=tuple(kept),
        user=not kept and _has_user(layout),
        certificate=certificate,
        certified=tuple(certified),
    )


def _certificate(site: str) -> tuple[bool, list[str]]:
    """Whether certbot has a certificate that was ordered for a site, and which files below /etc name it.

    One that another site has taken over is that one's; another program's files, such as a mail server's, may name it, too.
    """
    directory = _lineage.live(site)
    sites = os.listdir(_sites.DIRECTORY) if os.path.isdir(_sites.DIRECTORY) else []
    taken_over = any(_presented.published(other) == directory for other in sites if other != site)
    if taken_over or not _lineage.ordered(site, _sites.WEBROOT) or not shutil.which("certbot"):
        return False, []
    named = run(["grep", "-rlsF", "--exclude-dir=letsencrypt", f"{directory}/", "/etc"]).output.splitlines()
    return not named, named


def _of_servers(layout: _layout.Layout) -> list[str]:
    """What servers leave of an app's slots; most of it is gone when those have been stopped."""
    paths = []
    for slot in _layout.SLOTS:
        paths += [layout.vassal_link(slot), layout.vassal_socket(slot), layout.vassal(slot), layout.program(slot)]
        paths += glob.glob(f"{UNITS}/*.wants/{layout.unit(slot)}")
        for stream in ("stdout", "stderr"):
            paths += sorted(glob.glob(f"{layout.program_log(slot, stream)}*"))
    return paths


def _inside(layout: _layout.Layout, remove_shared: bool) -> tuple[list[str], list[str]]:
    """What goes of an app's directory, in this order, and what stays."""
    links = [layout.current, layout.preview]
    ours = [layout.cache, layout.repository, layout.builds, layout.history, *links, *map(_files.temporary, links)]
    last = [layout.releases, layout.slots]
    data = [layout.shared] if remove_shared or _is_empty(layout.shared) else []
    going = [*ours, *data, *last]
    try:
        there = sorted(os.path.join(layout.directory, name) for name in os.listdir(layout.directory))
    except (FileNotFoundError, NotADirectoryError):
        there = []
    return [path for path in going if path in there], [path for path in there if path not in going]


def _is_empty(directory: str) -> bool:
    """Whether it is a directory with nothing in it, and no link to one: whoever made that has a use for it."""
    return not os.path.islink(directory) and os.path.isdir(directory) and not os.listdir(directory)


def _has_user(layout: _layout.Layout) -> bool:
    """Whether there is a user that was made for the app, and not one that somebody had before."""
    try:
        return pwd.getpwnam(layout.name).pw_dir == layout.directory
    except KeyError:
        return False


def sentence(layout: _layout.Layout, remains: Remains) -> str:
    """Why something of an app stays, and what to do; "" if nothing does."""
    reasons = []
    kept = remains.kept
    if layout.shared in kept:
        reasons.append(
            f"{layout.shared} is the app's own data, which stays with the user {layout.name};"
            " take what you need of it, and set wsgi_remove_shared: true to have it removed too"
        )
    others = sorted(path for path in kept if path != layout.shared)
    if others:
        reasons.append(f"{', '.join(others)}: not made by wsgi.stack, so it stays; move it away and run again")
    if remains.certified:
        reasons.append(
            f"certbot's certificate {layout.name} stays, which is named by {', '.join(remains.certified)};"
            f" when nobody needs it any more: certbot delete --cert-name {layout.name}"
        )
    return f"app {layout.name}: {'; '.join(reasons)}." if reasons else ""


class Retirement:
    """The end of one app on this host.

    :param layout: the app's paths
    :param remains: what there is of it
    """

    def __init__(self, layout: _layout.Layout, remains: Remains):
        self.layout = layout
        self.remains = remains

    def run(self) -> None:
        """Remove it all.

        :raises StackError: somebody uses it still; the app is stopped, and nothing is removed
        """
        if self.remains.slots:
            self._stop()
        # It runs as the app's user, and its files go with their tree.
        run(["systemctl", "stop", *(f"wsgi-bind-{self.layout.name}.{kind}" for kind in ("socket", "service"))])
        if self.remains.user:
            self._refuse_processes()
        if self.remains.certificate:
            _command.delete(self.layout.name)
        for path in self.remains.paths:
            remove(path)
        if self.remains.user:
            self._remove_user()

    def _stop(self) -> None:
        """Have the slots end as in a rollout, with what is in flight."""
        app = {**placed(self.layout), "drain_timeout": self._drain_timeout()}
        rollout = _run.Rollout(app, nginx_user="")
        for slot in self.remains.slots:
            for server in rollout.servers.values():
                if server.states([self.layout.instance(slot)])[self.layout.instance(slot)].enabled:
                    server.enable(app, slot, False)
        rollout.run([("stop", slot) for slot in self.remains.slots], 0)

    def _drain_timeout(self) -> int:
        """Seconds; the longest that a release asks for whose slot runs."""
        timeouts = [_resolve.APP["drain_timeout"][1]]
        for slot in self.remains.slots:
            with contextlib.suppress(OSError, ValueError, KeyError):
                number = _release.linked(self.layout.slot(slot))
                timeouts.append(_release.read(self.layout, int(number or 0))["drain_timeout"])
        return max(timeouts)

    def _refuse_processes(self) -> None:
        uid = pwd.getpwnam(self.layout.name).pw_uid
        theirs = sorted(pid for pid, _start in _processes.everybody() if _user_of(pid) == uid)
        if theirs:
            pids = " ".join(map(str, theirs))
            cause = f"the user {self.layout.name} has processes that are none of its slots' ({pids}); end them and run again."
            raise StackError("retire", cause, run(["ps", "-o", "pid,lstart,args", "-p", ",".join(map(str, theirs))]).output)

    def _remove_user(self) -> None:
        done = run(["userdel", self.layout.name])
        if done.code:
            raise StackError(
                "retire", f"the user {self.layout.name} cannot be removed: {done.last_line}; fix that and run again."
            )
        # A group with further members stays when its user goes.
        with contextlib.suppress(KeyError):
            grp.getgrnam(self.layout.name)
            run(["groupdel", self.layout.name])


def remove(path: str) -> None:
    """Remove a file, a link or a directory with all that is in it; nothing there is fine.

    :raises OSError: whatever the disk has to say
    """
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _user_of(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def idle_trees(
    stacks: Iterable[str], staying: Iterable[_layout.Layout], going: Iterable[_layout.Layout], seen: Seen
) -> list[str]:
    """The trees with files of servers that no app uses any more, of those that are on the host.

    :param stacks: those of the apps that shall be there
    :param staying: the apps that are on the host, wanted or not
    :param going: those that are removed
    """
    used = {*stacks, *running(staying, seen)}
    if _emperor_reigns(going):
        used.add("uwsgi_emperor")
    return [name for name, needed in TREES.items() if not used & {*needed} and _is_there(name)]


def sweep(trees: Collection[str]) -> None:
    """Remove the directories that servers were given for the slots of apps, if nothing is in them, and no package has them.

    :param trees: those of the servers that no app uses any more
    """
    directories = {"emperor": [_layout.VASSALS_ENABLED, _layout.VASSALS_AVAILABLE], "bind": [_layout.PROGRAM_LOGS]}
    for directory in (directory for tree in trees for directory in directories.get(tree, [])):
        if run(["dpkg-query", "--search", directory]).code:
            with contextlib.suppress(OSError):
                os.rmdir(directory)


def running(layouts: Iterable[_layout.Layout], seen: Seen) -> set[str]:
    """The stacks under which a slot of some apps runs, or is started at boot. Pure."""
    names = [layout.instance(slot) for layout in layouts for slot in _layout.SLOTS]
    return {stack for stack, states in seen.items() if any(states[name].active or states[name].enabled for name in names)}


def _emperor_reigns(going: Iterable[_layout.Layout]) -> bool:
    """Whether the Emperor runs or is started at boot, for others than the apps that are removed."""
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
    memory = _files.read(os.path.join(_transaction.MEMORY, f"{tree}.json"))
    return isinstance(memory, _files.File) and bool(_tree.from_json(memory.content).owned)
