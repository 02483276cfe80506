# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``uninstall``: removes all that the collection made on a host.

The sites go first, then the apps, then what apps share. A run that was interrupted is completed by the next one.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _ownership
from ansible_collections.wsgi.stack.plugins.module_utils.build import _uv
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree import _adjust, _memory, _transaction
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _sandbox, _ufw, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _files as _nginx
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _firewall_ports
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._systemd import unit_states
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _found, _remove, _step
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _sites

STATE = "/var/lib/wsgi"
"""What the collection knows of a host. It goes last, since the next run needs it to complete one that was interrupted."""

SHARED = (
    _uv.DIRECTORY,
    _sites.DIRECTORY,
    _sandbox.FILES,
    *(path.rstrip("/") for purpose in (_layout.SOURCE, _layout.BUILD) for path in _layout.cache(purpose, "")),
    STATE,
)
"""The directories with what apps share, such as uv."""

SITES = ("/etc/nginx/conf.d/wsgi*.conf", "/etc/nginx/sites-available/*.conf", "/etc/nginx/wsgi/*.conf")
"""Where the files of nginx's are."""

NGINX = "nginx.service"
SITE = "Debian's default site"


def uninstall(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Remove everything.

    :param wanted: the module's parameters
    :raises StackError: apps in another directory or of another list are still there, or nginx cannot be reloaded without the
        sites
    """
    _refuse_others(wanted["directory"])
    _refuse_unrecorded()
    there = _found.found(wanted["directory"], wanted["runtime_directory"])
    refuse_lists(_record.load(), there, wanted["list"], wanted["take_over"])
    results = [_package_files(check), *(_tree(name, check) for name in _trees() if name == "nginx")]
    retired = _step.retire(
        {**wanted, "list": None, "only_apps": [], "keep": [], "remove": [], "prune": True, "stacks": [], "jobs": None},
        check,
        _remove.locked_retirement,
        _remove.remove_empty_directories,
    )
    results.append(retired)
    if not retired["failures"]:
        results += [_tree(name, check) for name in _trees() if name != "nginx"]
        results += [_firewall(check), _directories(wanted, check)]
    return {
        "changed": any(result["changed"] for result in results),
        "removed": retired["removed"],
        "kept": retired["kept"],
        "failures": retired["failures"],
        "diff": [each for result in results for each in result.get("diff", ())],
        "warnings": [each for result in results for each in result.get("warnings", ())],
    }


def _refuse_others(directory: str) -> None:
    others = elsewhere(_ownership.accounts(), directory)
    if others:
        raise StackError(
            "uninstall",
            f"this host has apps in other directories ({', '.join(others)}), which use the same files;"
            f" remove them first, with wsgi_directory: {os.path.dirname(others[0])}, wsgi_apps: [] and wsgi_prune: true.",
        )


def _refuse_unrecorded() -> None:
    """Refuse to begin if the record of the sites is lost: they would stay, without their apps."""
    recorded = {path for name in _trees() for path in _memory.MemoryFile(name).read().owned}
    unrecorded = [path for path in managed(SITES) if path not in recorded]
    if unrecorded:
        more = f" and {len(unrecorded) - 1} others" if len(unrecorded) > 1 else ""
        raise StackError(
            "uninstall",
            f"{_memory.DIRECTORY} has no record of {unrecorded[0]}{more}, which the collection wrote and would leave behind; run"
            " wsgi.stack.site, which records what it finds, or remove them, and run this again.",
        )


def managed(patterns: Iterable[str]) -> list[str]:
    """The files that fit patterns and say in their first lines that the collection wrote them."""
    found = sorted(path for pattern in patterns for path in glob.glob(pattern) if os.path.isfile(path))
    return [path for path in found if _untrusted.is_managed(path)]


def refuse_lists(record: _record.Record, there: Collection[str], own: str, take_over: Collection[str]) -> None:
    """Refuse to remove the apps of other lists, unless they are named.

    :param there: the names of the apps on the host
    :param own: the list of the run
    :param take_over: the apps of other lists that may go
    :raises StackError: there are others
    """
    others = sorted(app for app in record.apps if app in there and record.owner(app) != own and app not in take_over)
    if others:
        owners = ", ".join(f"{app} of the list {record.owner(app)}" for app in others)
        raise StackError(
            "uninstall",
            f"this host has apps of other lists, which would be removed, too: {owners}. Remove them first, with the inventory of"
            f" their list, wsgi_apps: [] and wsgi_prune: true, or add -e wsgi_take_over={','.join(others)}.",
        )


def elsewhere(found: _ownership.Accounts, directory: str) -> list[str]:
    """The directories of apps that are not below a directory. Pure."""
    theirs = [user for user in found.users if _ownership.owned(_layout.Layout(user.pw_name, os.path.dirname(user.pw_dir)), found)]
    return sorted(user.pw_dir for user in theirs if os.path.dirname(user.pw_dir) != os.path.normpath(directory))


def _trees() -> list[str]:
    """The names of the sets of files that were written to this host."""
    return sorted(os.path.basename(path).removesuffix(".json") for path in glob.glob(f"{_memory.DIRECTORY}/*.json"))


def _tree(name: str, check: bool) -> dict[str, Any]:
    """Remove the files of a set; nginx gets back what had to make room for them."""
    request: dict[str, Any] = {"load": [["systemctl", "stop", "wsgi-bind-*"], ["systemctl", "daemon-reload"]]}
    if name == "nginx":
        runs = unit_states([NGINX])[NGINX].active
        request = {"check": ["nginx", "-t"] if shutil.which("nginx") else [], "service": NGINX if runs else None}
    back = _memory.MemoryFile(name).read().displaced
    back = {path: entry for path, entry in back.items() if not os.path.lexists(path)}
    wanted = {path: _transaction.TreeEntry(entry.item, (SITE,)) for path, entry in back.items()}
    transaction = _transaction.Transaction(
        _transaction.TreeRequest(name=name, wanted=wanted, dry=check, scope=_record.Scope(None), **request)
    )
    transaction.converge()
    result = transaction.result()
    if not result["written"] and not result["removed"]:
        result["changed"] = False
    warnings = [f"{SITE} is not enabled again: {failure['message']}" for failure in result["failures"]]
    return {**result, "warnings": warnings}


def _package_files(check: bool) -> dict[str, Any]:
    """Undo the changes to files of packages that have not been edited since. The set of nginx's files loads them."""
    adjustment = _adjust.Adjustment(**_nginx.CONNECTIONS)
    before = {adjustment.path: item} if (item := _files.read(adjustment.path)) else {}
    after = _adjust.shipped([adjustment], before)
    if not check:
        for path, file in after.items():
            _files.write(path, file)
    return {"changed": bool(after), "diff": _transaction.diffs({path: before[path] for path in after}, dict(after))}


def _firewall(check: bool) -> dict[str, Any]:
    if not _ufw.installed():  # rules of one that is inactive come into force when it is activated
        return {"changed": False}
    comment = _firewall_ports.STEP.options["comment"]["default"]
    plan = _ufw.plan(_ufw.rules(), [], comment)
    if plan.close and not check:
        _ufw.carry_out(plan, comment)
    return {"changed": bool(plan.close), "diff": _diff("ufw", [f"allow {port}/tcp" for port in plan.close])}


def _directories(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Remove what apps share, and the directories that are empty now."""
    there = [path for path in SHARED if os.path.lexists(path)]
    empty = [wanted["directory"], wanted["runtime_directory"], *glob.glob(f"{_layout.UNITS}/*.target.wants")]
    empty = [path for path in empty if os.path.isdir(path) and not os.listdir(path)]
    if not check:
        for path in there:
            _files.remove(path)
        for path in empty:
            with contextlib.suppress(OSError):  # a mount point stays
                os.rmdir(path)
    return {"changed": bool(there or empty), "diff": _diff("directories", [*there, *empty])}


def _diff(subject: str, lines: list[str]) -> list[dict[str, str]]:
    if not lines:
        return []
    return [{"before_header": subject, "after_header": subject, "before": "\n".join([*lines, ""]), "after": ""}]


STEP = Step(
    {
        **{name: _step.STEP.options[name] for name in ("list", "remove_shared", "directory", "runtime_directory")},
        "take_over": {"type": "list", "elements": "str", "default": []},
    },
    uninstall,
)
