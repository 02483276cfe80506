# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Facts about a plugin's file: its package, its permissions, and the uWSGI that it was built for."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._uwsgi import PROGRAM
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _embedded_python, _stamp
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._uwsgi_binary import Core

SUFFIX = "_plugin.so"
LIMIT = 1 << 26
"""Bytes that are read of a plugin at most: which files a process has loaded as plugins is for its user to say."""

MODE = 0o644

# The module "uwsgi" that the Python plugins bring has the version of the core that they were compiled for.
VERSION = re.compile(rb"\x00(2\.\d+(?:\.\d+)+(?:-[\w.+~]+)?)\x00")


def path_of(core: Core, name: str) -> str:
    """The path of the plugin of a name."""
    return os.path.join(core.directory, f"{name}{SUFFIX}")


def read(path: str) -> _stamp.Stamped | None:
    """A plugin's file, nothing if there is none."""
    try:
        return _stamp.split(_untrusted.read(path, LIMIT))
    except FileNotFoundError:
        return None


def owners(paths: Iterable[str]) -> dict[str, str]:
    """The Debian package of each file that comes from one."""
    paths = list(paths)
    if not paths:
        return {}
    found = re.findall(r"^([^\s:]+)(?:, [^:]+)?(?::\w+)?: (/.+)$", run(["dpkg-query", "--search", *paths]).output, re.MULTILINE)
    return {path: package for package, path in found if path in paths}


def loads(path: str) -> Completed:
    """Have uWSGI load a plugin that has nothing to do with Python."""
    return _embedded_python.sandbox().run([[PROGRAM, "--need-plugin", path, "--version"]], timeout=_embedded_python.TIMEOUT)


def problem(path: str, core: Core) -> str:
    """Why a plugin must not be loaded into this uWSGI, which does not check it itself; "" if it may be.

    :param path: a plugin's file, which may be missing
    """
    found = read(path)
    if found is None:
        return ""
    was = _built_for(found, core)
    if not was or (found.stamp is None and os.path.realpath(path) in owners([os.path.realpath(path)])):
        return ""
    return f"{path} was built for {was}, and this is uWSGI {core.version}, in which it may load and hang"


def paths(core: Core) -> list[str]:
    """All plugins that uWSGI finds by name, without symlinks to others."""
    found = sorted(glob.glob(os.path.join(glob.escape(core.directory), f"*{SUFFIX}")))
    return [path for path in found if not os.path.islink(path)]


def leftovers(core: Core) -> list[dict[str, str]]:
    """The plugins that were built for another uWSGI than the one installed, each with its ``path`` and a ``message``.

    Those of Debian packages are left out: their dependencies make sure that they fit.
    """
    found: dict[str, tuple[_stamp.Stamped, str]] = {}
    for path in paths(core):
        stamped = read(path)
        was = _built_for(stamped, core) if stamped else ""
        if stamped and was:
            found[path] = stamped, was
    owned = owners(path for path, (stamped, _version) in found.items() if stamped.stamp is None)
    return [
        {"path": path, "message": f"it was built for {was}, and uWSGI {core.version} is installed"}
        for path, (_stamped, was) in found.items()
        if path not in owned
    ]


def wrong_permissions(path: str) -> list[str]:
    """What is wrong with a plugin's owner or mode: a user who can write to it can change code that all apps run."""
    status = os.stat(path)
    if (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, MODE):
        return []
    found = f"{stat.S_IMODE(status.st_mode):04o}, and belonged to {status.st_uid}:{status.st_gid}"
    return [f"the file had the mode {found}"]


def _built_for(found: _stamp.Stamped, core: Core) -> str:
    """The other uWSGI that a plugin was built for; "" if it is this one, or cannot be known."""
    if found.stamp is not None:
        stamped = found.stamp.get("uwsgi")
        key: Mapping[str, Any] = stamped if isinstance(stamped, dict) else {}
        if key == core.key:
            return ""
        version = str(key.get("version", "of an unknown version"))
        return f"uWSGI {version}" if version != core.version else f"another build of uWSGI {version}"
    versions = [version.decode() for version in VERSION.findall(found.content)]
    return "" if core.version in versions or not versions else f"uWSGI {versions[0]}"
