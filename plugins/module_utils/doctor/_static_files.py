# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Static files that nginx may not read."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _syntax
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _acl, _fix, _inside, _walk
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity


def roots(text: str) -> frozenset[str]:
    """The directories that nginx serves files from (root and alias), from the output of ``nginx -T``. Pure."""
    found = set()
    for path, content in _syntax.split_dump(text).items():
        for directive in _syntax.walk(_syntax.parse(content, path)):
            if directive.name in ("root", "alias") and directive.arguments and directive.arguments[0].startswith("/"):
                found.add(os.path.normpath(directive.arguments[0]))
    return frozenset(path for path in found if "$" not in path and path != "/")


def judge(path: str, served: Iterable[str], who: Identity, setfacl: bool) -> Finding | None:
    """Judge a file that nginx could not read.

    The directories on the way to a directory that it is to serve from are opened to it. Whether it is to read what is closed in
    there is not known: a visitor can ask for anything.

    :param served: see ``roots``
    :param who: the user of nginx' workers
    :param setfacl: whether setfacl(1) is installed
    """
    root = max((each for each in served if path == each or path.startswith(f"{each}/")), key=len, default="")
    if not root:
        return None
    steps = _inside.walk(os.path.join(root, "x"))[:-1]
    closed = _walk.refusals(steps, who.uid, {who.gid, *who.groups})
    if closed:
        step = closed[0].step
        shown = _acl.described(step, _accounts.user_name(step["uid"]), _accounts.group_name(step["gid"]))
        message = (
            f"nginx, running as {who.user}, may not enter {step['path']} ({shown}), so the files in {root} are answered with 403."
        )
        commands = _fix.grants(steps, closed, who, setfacl)
        by_hand = then(f"Move the files to a directory that {who.user} can read, such as one below /var/www", "")
        return Finding(WARNING, "static_forbidden", message, (path,), " && ".join(commands) if commands else by_hand)
    message = f"nginx, running as {who.user}, may not read files in {root}, such as {path}: they are answered with 403."
    fix = then(
        f"Give {who.user} read permission on those that are meant for visitors, and make what writes them do so (umask 022)", ""
    )
    return Finding(WARNING, "static_forbidden", message, (path,), fix)
