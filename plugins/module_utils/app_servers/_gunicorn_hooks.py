# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gunicorn does for its slot beside serving: the text of this file is the first part of every release's gunicorn.conf.py.

The file stands alone. gunicorn calls the functions that have the names of its server hooks
(https://docs.gunicorn.org/en/stable/settings.html#server-hooks).

A gunicorn listens on a socket of its own, SLOT.PID.sock, and the slot's socket is another name of that: a name can be given over
in one rename, and gunicorn, which removes at its end what it listened on, does not take it away from its successor. There is one
when supervisord was killed: what it had started serves on, and the next supervisord starts everything once more.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

SETTLE = 0.5
"""Seconds that an older master has at least to accept what came in before its successor."""


def when_ready(server: Any) -> None:
    """gunicorn listens: what comes in from now on waits for its workers, unless an older master still serves."""
    if not masters(server.cfg.proc_name) - {os.getpid()}:
        take_name(server.cfg.address[0])


def post_worker_init(worker: Any) -> None:
    """A worker can serve: an older master of the slot may go."""
    worker.wsgi = with_address(worker.wsgi)
    older = masters(worker.cfg.proc_name) - {os.getppid()}
    if older:
        take_name(worker.cfg.address[0])
        wanted = (older, worker.cfg.address[0], worker.cfg.graceful_timeout)
        threading.Thread(target=relieve, args=wanted, daemon=True).start()


def with_address(application: Callable[..., Any]) -> Callable[..., Any]:
    """The application with the client's address where WSGI has it: over a unix socket gunicorn knows none, and nginx tells it."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if not environ.get("REMOTE_ADDR"):
            environ["REMOTE_ADDR"] = environ.get("HTTP_X_REAL_IP", "")
        return application(environ, start_response)

    return serve


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


def slot_socket(bound: str) -> str:
    """The slot's socket, whose name a gunicorn's own one has with its process id in it."""
    return re.sub(r"\.\d+(\.sock)$", r"\1", bound)


def take_name(bound: str) -> None:
    """Make a gunicorn's socket the slot's, in one rename, and remove what others left that were killed."""
    slot = slot_socket(bound)
    if not (os.path.exists(slot) and os.path.samefile(bound, slot)):
        with contextlib.suppress(FileExistsError):  # of another worker, which renames it
            os.link(bound, f"{bound}.new")
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{bound}.new", slot)
    directory, name = os.path.split(slot)
    for other in os.listdir(directory):
        found = re.fullmatch(rf"{re.escape(name[: -len('.sock')])}\.(\d+)\.sock(\.new)?", other)
        if found and not os.path.exists(f"/proc/{found[1]}"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, other))


def relieve(older: Collection[int], bound: str, timeout: float) -> None:
    """Have older masters end, gracefully, as soon as nothing waits for them any more; after ``timeout`` seconds anyway."""
    deadline = time.monotonic() + timeout
    time.sleep(SETTLE)
    stem = slot_socket(bound)[: -len(".sock")]
    while time.monotonic() < deadline and any(waiting(f"{stem}.{pid}.sock") for pid in older):
        time.sleep(0.1)
    for pid in older:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def waiting(path: str) -> int:
    """How many connections wait at a socket, as ss(8) says."""
    try:
        shown = subprocess.run(["ss", "-xlH"], stdout=subprocess.PIPE, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    rows = (line.split() for line in shown.splitlines())
    return sum(int(row[2]) for row in rows if len(row) > 4 and row[4] == path and row[2].isdigit())


def refuse_unknown(options: Collection[str], known: Collection[str], version: str) -> None:
    """End where an option has a name that gunicorn does not know: it passes over such a one in its configuration."""
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name.lstrip("-").replace("-", "_"), known, 1)
            fix = f"did you mean {near[0]}?" if near else "remove it."
            raise SystemExit(f"server_options.{name}: gunicorn {version} has no such setting; {fix}")
