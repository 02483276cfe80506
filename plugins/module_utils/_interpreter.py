# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app's Python interpreter says of itself."""

from __future__ import annotations

import json
import os
import pwd
import stat
import threading
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._failures import AppFailure
from ansible_collections.wsgi.stack.plugins.module_utils._process import run

OLDEST = (3, 8)
TIMEOUT = 60  # seconds

# Any Python can run it, so that one which is too old is named with its version. LIBDIR is where the interpreter was once
# installed to; one that has moved since (python-build-standalone: /install/lib) has its library below its present prefix.
PROBE = """
import json, os, platform, sys, sysconfig
get = sysconfig.get_config_var
prefix = getattr(sys, "base_prefix", sys.prefix)
libdir = get("LIBDIR") or ""
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "version": platform.python_version(),
    "implementation": platform.python_implementation(),
    "soabi": get("SOABI") or "",
    "cache_tag": getattr(getattr(sys, "implementation", None), "cache_tag", None) or "",
    "prefix": prefix,
    "shared": bool(get("Py_ENABLE_SHARED")),
    "libdir": libdir if os.path.isdir(libdir) else os.path.join(prefix, "lib"),
    "instsoname": get("INSTSONAME") or "",
    "gil": not get("Py_GIL_DISABLED"),
    "debug": bool(get("Py_DEBUG")),
}))
"""


def probe(python: str, user: str) -> dict[str, Any]:
    """Ask an interpreter what it is.

    It is run as the app's user: root does not run what an app could have put there, and an interpreter that only root can
    reach (below ``/root``) is no use to the app.

    :param python: a name, looked up in the usual directories, or an absolute path
    :returns: ``executable`` (its real path), ``version`` ("3.11.2"), ``implementation``, ``soabi``, ``cache_tag``, ``prefix``,
        ``shared`` (has a libpython), ``libdir``, ``instsoname``, ``gil``, ``debug``
    :raises AppFailure: there is none, it does not run, or it is too old
    """
    try:
        completed = run([python, "-c", PROBE], user=user, timeout=TIMEOUT)
    except OSError as error:  # a file that is no program
        raise AppFailure("python", f"{python} does not run ({error.strerror}); name another interpreter.") from None
    if completed.code == 127:
        where = f"there is no {python}" if "/" in python else f"there is no {python} in the usual directories"
        raise AppFailure(
            "python", f"{where}; add the Debian package that has it to system_packages, or name another interpreter."
        )
    if completed.code == 126:
        cure = "move it to a place such as /opt, or open its directories"
        raise AppFailure("python", f"{python} cannot be run by the user {user} ({completed.last_line}); {cure}.")
    try:
        found = json.loads(completed.last_line)
        version = tuple(int(part) for part in found["version"].split(".")[:2])
    except (ValueError, KeyError, TypeError):
        cause = f"{python} does not run as a Python ({completed.last_line}); name another interpreter."
        raise AppFailure("python", cause, completed.output) from None
    if version < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise AppFailure("python", f"{python} is Python {found['version']}, wanted {wanted} or later; name another interpreter.")
    return found


class Prober:
    """Asks an interpreter once, however many apps have it, unless its answer may depend on who asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, dict[str, Any]] = {}

    def probe(self, python: str, user: str) -> dict[str, Any]:
        """As the function ``probe``, for a user that need not exist yet: in check mode, on a host before its first run."""
        with self._lock:
            if python not in self._answers:
                answer = probe(python, _existing(user))
                if not _open_to_all(answer["executable"]):
                    return answer
                self._answers[python] = answer
            return self._answers[python]


def _open_to_all(path: str) -> bool:
    while path != "/":
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        path = os.path.dirname(path)
    return True


def _existing(user: str) -> str:
    try:
        return pwd.getpwnam(user).pw_name
    except KeyError:
        return "nobody"
