# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a release may do that others may not, as options of systemd units: in drop-ins, and for an Emperor that runs already."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _mounts, _sandbox, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run

HEAD = "# Managed by wsgi.stack; changes here are overwritten.\n"

OPEN_UP = f"{inspect.getsource(_mounts)}\n\nimport sys\n\nopen_up(int(sys.argv[1]), sys.argv[2:])\n"
"""A program that opens directories in a process's view of the file system. Here, since linecache fails if several threads ask."""

_lock = threading.Lock()
"""One thread at a time asks whether systemd has to read its files again, so that it does so once for many apps."""


def of_unit(release: Mapping[str, Any]) -> str:
    """The drop-in of the unit that runs a release; "" if it needs none. Pure.

    :param release: its ``release.json``
    """
    paths = " ".join(release["writable_paths"])
    # What is to be mounted there comes first.
    unit = f"[Unit]\nRequiresMountsFor={paths}\n\n" if paths else ""
    privileged = "".join(f"{name}={value}\n" for name, value in _sandbox.PRIVILEGED.items())
    service = (privileged if release["privileged_programs"] else "") + (f"ReadWritePaths={paths}\n" if paths else "")
    return f"{HEAD}{unit}[Service]\n{service}" if service else ""


def of_emperor(release: Mapping[str, Any]) -> str:
    """The drop-in of the Emperor's unit with what a release needs; "" if it needs nothing. Pure.

    All vassals have the Emperor's view of the file system, in which the permissions of files keep them apart. It starts without a
    directory that is missing.

    :param release: its ``release.json``
    """
    paths = " ".join(f"-{path}" for path in release["writable_paths"])
    return f"{HEAD}[Service]\nReadWritePaths={paths}\n" if paths else ""


def write(path: str, unit: str, text: str) -> None:
    """Write a drop-in of a unit, or remove it, and have systemd read it. What runs is not touched.

    :param text: "" to remove it
    :raises StackError: systemd does not read it
    """
    if text:
        wanted = _files.File(text)
        if _files.read(path) != wanted:
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            _files.write(path, wanted)
    elif os.path.lexists(path):
        os.unlink(path)
        with contextlib.suppress(OSError):  # there is another one in it
            os.rmdir(os.path.dirname(path))
    else:
        return
    with _lock:
        if _systemd.properties(unit, ["NeedDaemonReload"]).get("NeedDaemonReload") != "no":
            _systemd.reload()


def open_up(unit: str, paths: Sequence[str]) -> Completed:
    """Let the processes of a service write to some directories from now on. None of them is restarted."""
    return run([sys.executable, "-I", "-c", OPEN_UP, str(_systemd.main_pid(unit)), *paths])
