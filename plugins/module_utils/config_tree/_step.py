# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The step ``config_tree``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, from_os_error
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree import _adjust, _disk, _transaction, _tree
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._memory import MemoryFile
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.lists import _record

APPS = {"type": "list", "elements": "str", "aliases": ["app"], "default": []}
FILE = {
    "src": {"type": "str"},
    "content": {"type": "str"},
    "vars": {"type": "dict", "default": {}},
    "dest": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "initial": {"type": "bool", "default": False},
    "apps": APPS,
}
LINK = {"path": {"type": "str", "required": True}, "target": {"type": "str", "required": True}, "apps": APPS}
ADJUSTMENT = {name: {"type": kind, "required": True} for name, kind in (("path", "path"), ("before", "str"), ("after", "str"))}


def config_tree(wanted: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Write the files as one transaction.

    :param wanted: the module's parameters
    """
    scope = _record.scope(wanted)
    replace = {**wanted["replace"], **_largest(wanted, scope)}
    entries, initial = _tree.entries(wanted["files"], wanted["links"], replace)
    transaction = _transaction.Transaction(
        _transaction.TreeRequest(
            name=wanted["name"],
            wanted=entries,
            initial=initial,
            displace=wanted["displace"],
            adjust=[_adjust.Adjustment(**change) for change in wanted["adjust"]],
            check=wanted["validate"],
            service=wanted["service"],
            load=wanted["reload"] or [],
            unchanged_apps=frozenset(wanted["unchanged_apps"]),
            dry=check,
            stale=wanted["stale"],
            needs=wanted["needs"],
            listens=wanted["listens"],
            app_listens=wanted["app_listens"],
            included_by_nginx=wanted["included_by_nginx"],
            notes=wanted["notes"],
            scope=scope,
        )
    )
    failed: dict[str, Any] = {}
    try:
        transaction.converge()
    except StackError as failure:
        failed = {"failed": True, "msg": f"{failure.step}: {failure.cause}"}
    except OSError as error:
        failed = {"failed": True, "msg": from_os_error(error).cause}
    return {**transaction.result(), "unneeded": _disk.unneeded(wanted["needs_in"], wanted["needs"]), **failed}


def _largest(wanted: Mapping[str, Any], scope: _record.Scope) -> dict[str, str]:
    """What stands for the text of the option ``largest``: the largest note of all apps of the tree, in whatever list."""
    text = wanted["largest"]
    if text is None:
        return {}
    others = [note for app, note in MemoryFile(wanted["name"]).read().notes.items() if not scope.has(app)]
    return {text: str(max([0, *others, *wanted["notes"].values()]))}


STEP = Step(
    {
        **_record.OPTIONS,
        "name": {"type": "str", "required": True},
        "files": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": FILE,
            "required_one_of": [["src", "content"]],
            "no_log": True,
        },
        "links": {"type": "list", "elements": "dict", "default": [], "options": LINK},
        "replace": {"type": "dict", "default": {}},
        "displace": {"type": "list", "elements": "path", "default": []},
        "adjust": {"type": "list", "elements": "dict", "default": [], "options": ADJUSTMENT},
        "validate": {"type": "list", "elements": "str", "default": []},
        "service": {"type": "str"},
        "reload": {"type": "list", "elements": "list"},
        "stale": {"type": "bool", "default": False},
        "needs": {"type": "list", "elements": "path", "default": []},
        "needs_in": {"type": "path"},
        "listens": {"type": "list", "elements": "str", "default": []},
        "app_listens": {"type": "dict", "default": {}},
        "included_by_nginx": {"type": "list", "elements": "path", "default": []},
        "notes": {"type": "dict", "default": {}},
        "largest": {"type": "str"},
        "unchanged_apps": {"type": "list", "elements": "str", "default": []},
    },
    config_tree,
    {"mutually_exclusive": [["service", "reload"]]},
    shows_secrets=True,  # the diff shows the files
)
