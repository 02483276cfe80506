# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about an app's Python interpreter, which is run to get them."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run

OLDEST = (3, 8)
TIMEOUT = 60  # seconds

# Any Python can run it, so that one which is too old is named with its version. What sysconfig says of places is where the
# interpreter was once installed to; one that has moved since (python-build-standalone: /install/lib) has its library and its
# headers below its present prefix, and where it was, there may be a namesake of its library.
PROBE = """
import json, os, platform, sys, sysconfig
get = sysconfig.get_config_var
prefix = getattr(sys, "base_prefix", sys.prefix)
name = "python%d.%d%s" % (sys.version_info[0], sys.version_info[1], getattr(sys, "abiflags", ""))
soname = get("INSTSONAME") or ""
libraries = []
with open("/proc/self/maps") as stream:
    libraries += [line.split(None, 5)[5].strip() for line in stream if "/lib" + name + ".so" in line]
if ".so" in soname:
    places = [os.path.join(prefix, "lib")] + [path for path in [get("LIBDIR") or ""] if path.startswith(prefix + "/")]
    libraries += [os.path.join(place, below, soname) for place in places for below in ("", get("MULTIARCH") or "")]
headers = [os.path.join(prefix, "include", name)] + [sysconfig.get_paths().get(key, "") for key in ("include", "platinclude")]
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "version": platform.python_version(),
    "implementation": platform.python_implementation(),
    "soabi": get("SOABI") or "",
    "cache_tag": getattr(getattr(sys, "implementation", None), "cache_tag", None) or "",
    "prefix": prefix,
    "library": ([os.path.realpath(path) for path in libraries if os.path.exists(path)] + [""])[0],
    "include": ([path for path in headers if os.path.exists(os.path.join(path, "Python.h"))] + headers)[0],
    "gil": not get("Py_GIL_DISABLED"),
    "debug": bool(get("Py_DEBUG")),
}))
"""


class Run(Protocol):
    """What runs an interpreter, and who that is."""

    def __call__(self, argv: Sequence[str]) -> Completed: ...


def sandboxed(argv: Sequence[str]) -> Completed:
    """Run an interpreter as a user that nothing else runs as, so that nothing can change its answer."""
    return _sandbox.own_user("Facts about a Python interpreter", network=False).run([argv], timeout=TIMEOUT)


def as_user(user: str) -> Run:
    """Run it as a user, whose interpreter it is; the answer is as trustworthy as that."""
    return lambda argv: run(argv, user=user, timeout=TIMEOUT)


def probe(python: str, execute: Run = sandboxed) -> dict[str, Any]:
    """Run an interpreter and get facts about it.

    Never as root, who does not run what others could have put there.

    :param python: a name, looked up in the usual directories, or an absolute path
    :returns: ``executable`` (its real path), ``version`` ("3.11.2"), ``implementation``, ``soabi``, ``cache_tag``, ``prefix``,
        ``library`` (the real path of its own libpython, "" without one), ``include`` (the directory of its Python.h, or where
        that would be), ``gil``, ``debug``
    :raises StackError: there is none, it does not run, or it is too old
    """
    try:
        completed = execute([python, "-c", PROBE])
    except OSError as error:  # a file that is no program
        raise StackError("python", f"{python} does not run ({error.strerror}); name another interpreter.") from None
    if completed.code == 127:
        where = f"there is no {python}" if "/" in python else f"there is no {python} in the usual directories"
        raise StackError(
            "python", f"{where}; add the Debian package that has it to system_packages, or name another interpreter."
        )
    if completed.code == 126:
        fix = "move it to a place such as /opt, or open its directories"
        raise StackError("python", f"{python} cannot be run by every user; {fix}.")
    try:
        found = json.loads(completed.last_line)
        version = tuple(int(part) for part in found["version"].split(".")[:2])
    except (ValueError, KeyError, TypeError):
        cause = f"{python} does not run as a Python ({completed.last_line}); name another interpreter."
        raise StackError("python", cause, completed.output) from None
    if version < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise StackError(
            "python", f"{python} is Python {found['version']}, and {wanted} or later is needed; name another interpreter."
        )
    return found


class Prober:
    """Probes each interpreter once for all apps that use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, dict[str, Any]] = {}

    def probe(self, python: str) -> dict[str, Any]:
        """As the function ``probe``."""
        with self._lock:
            if python not in self._answers:
                self._answers[python] = probe(python)
            return self._answers[python]
