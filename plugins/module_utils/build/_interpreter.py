# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Facts about an app's Python interpreter, which is run to get them."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import BASE_ENVIRONMENT, Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.host._once import Once, once
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import Sandbox

OLDEST = (3, 8)
TIMEOUT = 60  # seconds
PATH_MAX = 4096  # bytes, see limits.h
SHOWN = 200  # characters of what is no answer
PACKAGED = "/usr/bin"
"""Where the interpreters are that packages of Debian's bring."""

FACTS: dict[str, type] = {
    "executable": str,
    "version": str,
    "implementation": str,
    "soabi": str,
    "cache_tag": str,
    "prefix": str,
    "library": str,
    "include": str,
    "gil": bool,
    "debug": bool,
}
"""What is known of an interpreter: ``executable`` is its real path, ``version`` as in "3.11.2", ``library`` the real path of its
own libpython, "" without one, and ``include`` the directory of its Python.h, or where that would be."""

VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}[0-9A-Za-z.+-]{0,40}")

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


def sandbox() -> Sandbox:
    """With a user that nothing else runs as, so that nothing can change what an interpreter answers."""
    return _sandbox.own_user("Facts about a Python interpreter", network=False)


def probe(python: str, within: Sandbox | None = None) -> dict[str, Any]:
    """Run an interpreter and get facts about it.

    :param python: a name, looked up in the usual directories, or an absolute path
    :param within: where it runs; by default in ``sandbox``, unless root runs it anyway
    :returns: see ``FACTS``
    :raises StackError: there is none, it does not run, or it is too old
    """
    completed = _completed(python, within)
    if completed.code == 127:
        where = f"there is no {python}" if "/" in python else f"there is no {python} in the usual directories"
        raise StackError(
            "python", f"{where}; add the Debian package that has it to system_packages, or name another interpreter."
        )
    if completed.code == 126:
        fix = "move it to a place such as /opt, or open its directories"
        raise StackError("python", f"{python} cannot be run by every user; {fix}.")
    found = parsed(completed.output)
    if found is None:
        cause = f"{python} does not run as a Python ({completed.last_line[:SHOWN]}); name another interpreter."
        raise StackError("python", cause, completed.output)
    if language_version(found["version"]) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise StackError(
            "python", f"{python} is Python {found['version']}, and {wanted} or later is needed; name another interpreter."
        )
    return found


def _completed(python: str, within: Sandbox | None) -> Completed:
    if within is None and runs_this(python):
        return run([python, "-I", "-c", PROBE], timeout=TIMEOUT)
    return (within or sandbox()).run([[python, "-c", PROBE]], timeout=TIMEOUT)


def runs_this(python: str) -> bool:
    """Whether an interpreter is the packaged one that runs this process. A sandbox would protect root from what root runs.

    :param python: see ``probe``
    """
    path = shutil.which(python, path=BASE_ENVIRONMENT["PATH"]) or ""
    real = os.path.realpath(path)
    if os.path.dirname(path) != PACKAGED or os.path.dirname(real) != PACKAGED or real != os.path.realpath(sys.executable):
        return False
    return bool(os.stat(real).st_mode & stat.S_IXOTH)  # what users cannot run is told by a sandbox


def parsed(output: str) -> dict[str, Any] | None:
    """The ``FACTS`` in the last line that an interpreter printed, which may be anything; None if it has not all of them. Pure."""
    try:
        found = json.loads(output.strip().rpartition("\n")[2])
        facts = {name: found[name] for name in FACTS}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if any(not isinstance(facts[name], kind) for name, kind in FACTS.items()) or not VERSION.fullmatch(facts["version"]):
        return None
    texts = [text for text in facts.values() if isinstance(text, str)]
    return None if any(len(text) > PATH_MAX or "\0" in text for text in texts) else facts


def language_version(version: str) -> tuple[int, ...]:
    """3 and 11 of "3.11.2". Pure."""
    return tuple(int(part) for part in version.split(".")[:2])


class Prober:
    """Probes each interpreter once for all apps that use it."""

    def __init__(self) -> None:
        self._answers: Once[dict[str, Any]] = Once()

    def probe(self, python: str) -> dict[str, Any]:
        """As the function ``probe``."""
        return self._answers.answer(python, lambda: once(("interpreter", python), lambda: probe(python)))
