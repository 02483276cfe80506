# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a gunicorn does for its slot beside serving: the text of this file is the first part of every release's gunicorn.conf.py.

The file stands alone. gunicorn calls the functions that have the names of its server hooks
(https://docs.gunicorn.org/en/stable/settings.html#server-hooks).

supervisord holds the slot's socket and hands it to gunicorn. One that is killed leaves its gunicorns behind: they serve on, at a
socket that has lost its name to the next supervisord's, which starts everything once more. They go when their successor serves.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Collection
from typing import Any

ENTRY_POINT = "entry_point.py"
"""The file beside this one that loads the application."""

ACCEPT_TIME = 0.5
"""Seconds that an older master has to accept what came in before its successor."""


def entry_point() -> Any:
    """The application."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), ENTRY_POINT)
    with open(path, encoding="utf-8") as stream:
        code = compile(stream.read(), path, "exec", dont_inherit=True)
    names: dict[str, Any] = {"__name__": "entry_point"}
    exec(code, names)
    return adapted(names["application"])


def adapted(application: Any) -> Any:
    """The application as a worker takes it; ``_gunicorn_asgi`` has another function of this name."""
    return application


def post_worker_init(worker: Any) -> None:
    """A worker can serve: an older master of the slot may go."""
    # Before gunicorn 27.0.1, a worker that stops closes the connections by which a request may just be coming in.
    if not hasattr(sys.modules[type(worker).__module__], "STOP_KEEPALIVE_LINGER"):
        worker.cfg.set("keepalive", 0)
    if hasattr(worker, "asgi"):
        worker.asgi.worker = worker
    older = masters(worker.cfg.proc_name) - {os.getppid()}
    if older:
        threading.Thread(target=relieve, args=(older,), daemon=True).start()


def pre_request(worker: Any, _request: Any) -> None:
    """A worker whose master was killed ends, and does not serve on for as long as requests come by the connections it keeps."""
    if worker.cfg.keepalive and os.getppid() != worker.ppid:
        worker.alive = False


def masters(name: str) -> set[int]:
    """The processes of this user that supervisord has started to serve a slot, each of which leads a process group.

    Their workers do not: those of a master that was killed end by themselves, within a second.

    :param name: what the slot's gunicorn is called, by ``--name``
    """
    found = set()
    for pid in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if pid.isdigit() and os.stat(f"/proc/{pid}").st_uid == os.geteuid() and os.getpgid(int(pid)) == int(pid):
                with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as stream:
                    if slot_of(stream.read()) == name:
                        found.add(int(pid))
    return found


def slot_of(command: str) -> str | None:
    """What a gunicorn is called, from the text of its /proc/PID/cmdline. Pure.

    The Python package setproctitle, where an app has it, has gunicorn write its name there, and nothing else.
    """
    found = re.search(r"\0--name\0([^\0]+)\0", command) or re.match(r"gunicorn: (?:master|worker) \[([^\]]+)\]", command)
    return found[1] if found else None


def relieve(older: Collection[int]) -> None:
    """Have older masters end, gracefully, once they have accepted what waits for them."""
    time.sleep(ACCEPT_TIME)
    for pid in older:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def refuse_unknown(options: Collection[str], known: Collection[str], version: str) -> None:
    """End where an option has a name that gunicorn does not know: it passes over such a one in its configuration."""
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name.lstrip("-").replace("-", "_"), known, 1)
            fix = f"did you mean {near[0]}?" if near else "remove it."
            raise SystemExit(f"server_options.{name}: gunicorn {version} has no such setting; {fix}")
