# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Imports the entry point of a release, and prints what has to be known of it before a server is started.

This file imports nothing of ours: its text runs as a program, in the release and as the app's user.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import threading
import traceback
from typing import Any

SHOWN = 3
"""Names of threads that are printed."""


def load(path: str, modules: list[str]) -> dict[str, Any]:
    """Run the file of a release that loads its application.

    :param modules: what may serve an ASGI application
    :returns: ``cause`` if the entry point cannot be served; otherwise ``threads``, the names of Python's threads that run since,
        ``native``, the number of the others, ``interface``, and ``modules``, those that are there, if this is ``asgi``
    """
    with open(path, encoding="utf-8") as stream:
        code = compile(stream.read(), path, "exec", dont_inherit=True)
    defined: dict[str, Any] = {"__name__": "entry_point"}
    try:
        exec(code, defined)
    except Exception as error:
        if type(error).__name__ != "EntryPointError":
            raise
        return {"cause": str(error)}
    names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    native = len(os.listdir("/proc/self/task")) - 1 - len(names)
    return {
        "threads": [name[:60] for name in names[:SHOWN]],
        "native": max(0, native),
        "interface": defined["interface"],
        "modules": [name for name in modules if defined["interface"] == "asgi" and is_there(name)],
    }


def is_there(name: str) -> bool:
    """Whether a module can be imported."""
    try:
        return importlib.util.find_spec(name) is not None
    except Exception:  # its package may be missing, or fail
        return False


def main(path: str, mark: str, *modules: str) -> None:
    """Print the result on a line that begins with a mark, and end, whatever threads still run."""
    sys.argv[1:] = []
    code = 1
    try:
        found = load(path, [*modules])
        code = 0
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    if code == 0:
        os.write(1, f"\n{mark} {json.dumps(found)}\n".encode())
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
