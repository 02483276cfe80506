# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Examine sockets as another process sees them: in its mount namespace, under its root directory, as its user.

This file imports nothing of ours: its text runs as a program. That changes its own namespaces and user for good, so nothing else
calls ``main``.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import queue
import stat
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from typing import Any

ACL = "system.posix_acl_access"
LINKS = 40
"""Symlinks that the kernel follows in one path before it fails with ELOOP, see path_resolution(7)."""

AT_ONCE = 64
"""Number of concurrent requests; they mostly wait."""

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000


def walk(path: str) -> list[dict[str, Any]]:
    """List every component that the kernel visits on a path, in its order, following symlinks step by step.

    :returns: of each its ``path``, ``kind`` (``directory``, ``link``, ``socket``, ``file``, ``other``), ``mode``, ``uid``,
        ``gid``, ``id`` (device and inode), ``acl`` (the extended attribute in hexadecimal digits), ``target`` of a symlink, and
        ``last`` if it is the last one; or ``error``, the name of an errno, where the path cannot be followed further
    """
    steps = [_step("/")]
    here, names, links = "/", path.split("/"), 0
    while names:
        name = names.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        step = {**_step(os.path.join(here, name)), "last": not any(names)}
        steps.append(step)
        if step.get("kind") == "link":
            links += 1
            if links > LINKS:
                return [*steps[:-1], {**step, "error": "ELOOP"}]
            if step["target"].startswith("/"):
                here = "/"
            names = step["target"].split("/") + names
        elif step.get("kind") == "directory":
            here = step["path"]
        elif "error" not in step and any(names):
            return [*steps, {"path": os.path.join(step["path"], *names), "error": "ENOTDIR"}]
        else:
            return steps
    return steps


def _step(path: str) -> dict[str, Any]:
    try:
        found = os.lstat(path)
        kind = _kind(found.st_mode)
        return {
            "path": path,
            "kind": kind,
            "mode": stat.S_IMODE(found.st_mode),
            "uid": found.st_uid,
            "gid": found.st_gid,
            "id": [found.st_dev, found.st_ino],
            "acl": "" if kind == "link" else _acl(path),
            "target": os.readlink(path) if kind == "link" else "",
        }
    except OSError as error:
        return {"path": path, "error": errno.errorcode.get(error.errno or 0, str(error.errno))}


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFSOCK: "socket", stat.S_IFREG: "file"}
    return kinds.get(stat.S_IFMT(mode), "other")


def _acl(path: str) -> str:
    try:
        return os.getxattr(path, ACL, follow_symlinks=False).hex()
    except OSError:  # no list, or not supported by the file system
        return ""


def enter(pids: list[int]) -> str:
    """Enter the mount and network namespaces and the root directory of the first process that allows it.

    Without CAP_SYS_PTRACE, as for root in many containers, only processes of the same user allow it: nginx's main process, whose
    namespaces are those of its workers.

    :returns: why no process could be entered, "" if one was
    """
    why = ""
    for pid in pids:
        opened: list[int] = []
        try:
            opened = [os.open(f"/proc/{pid}/{name}", os.O_RDONLY) for name in ("ns/mnt", "ns/net", "root")]
            if not os.path.samestat(os.stat(f"/proc/{pid}/ns/user"), os.stat("/proc/self/ns/user")):
                raise PermissionError(errno.EPERM, "its user namespace is one of its own, where any user may be root")
            same = [os.path.samestat(os.fstat(opened[place]), os.stat(f"/proc/self/ns/{name}")) for place, name in NAMESPACES]
            under = os.path.samestat(os.fstat(opened[2]), os.stat("/proc/self/root/."))
            if not same[1]:
                _setns(opened[1], CLONE_NEWNET)
            if not same[0]:
                _setns(opened[0], CLONE_NEWNS)
            if not same[0] or not under:
                os.fchdir(opened[2])
                os.chroot(".")
                os.chdir("/")
            return ""
        except OSError as error:
            why = why or f"process {pid}: {error.strerror}"
        finally:
            for descriptor in opened:
                os.close(descriptor)
    return why


NAMESPACES = ((0, "mnt"), (1, "net"))


def _setns(descriptor: int, kind: int) -> None:
    # os.setns() is new in Python 3.12.
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, kind):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become(identity: dict[str, Any]) -> None:
    """Change to a user's ids and groups, unless they are already set.

    :raises PermissionError: that needs CAP_SETUID
    """
    if os.geteuid() == 0:
        os.setgroups(identity["groups"])
        os.setresgid(identity["gid"], identity["gid"], identity["gid"])
        os.setresuid(identity["uid"], identity["uid"], identity["uid"])
    elif os.geteuid() != identity["uid"]:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def question(ask: Any, target: dict[str, Any]) -> dict[str, Any]:
    """Connect to a socket and send a request; send it in the other protocol if the first gets no HTTP answer.

    The second request starts after half the time at the latest. Then the sending side of the first one is shut down, but its
    answer is still read: a slow server that understood it answers, and one that waits for more input learns that there is none.

    :param ask: the module ``_ask``
    :param target: ``address``, ``protocols`` in the order to try, [] only connects; ``uri``, ``host``, ``method``, ``scheme``,
        ``timeout`` in seconds
    :returns: the attempts by protocol, as ``_ask.attempt`` returns them; under "" without a protocol
    """
    began = time.monotonic()
    rest = {name: target[name] for name in ("address", "uri", "host", "method", "scheme")}
    if not target["protocols"]:
        return {"": ask.attempt(protocol="", timeout=target["timeout"], **rest)}
    first, other = target["protocols"]
    news: queue.Queue[tuple[str, Any]] = queue.Queue()

    def run(protocol: str, timeout: float, **more: Any) -> None:
        news.put((protocol, ask.attempt(protocol=protocol, timeout=timeout, **rest, **more)))

    def begin(**arguments: Any) -> None:
        threading.Thread(target=run, kwargs=arguments, daemon=True).start()

    def left() -> float:
        return max(0.2, target["timeout"] - (time.monotonic() - began))

    attempts: dict[str, Any] = {}
    begun = {first}
    begin(protocol=first, timeout=left(), close_after=left() / 2, on_close=lambda: news.put(("", None)))
    while not _conclusive(attempts, first) and begun != set(attempts):
        try:
            protocol, attempt = news.get(timeout=left())
        except queue.Empty:
            break
        if protocol:
            attempts[protocol] = attempt
        if other not in begun and not _conclusive(attempts, first):
            begun.add(other)
            begin(protocol=other, timeout=left())
    late = {"stage": "answer", "error": "ETIMEDOUT", "text": "timed out"}
    return {name: attempts.get(name, late) for name in (first, other) if name in begun}


def answered(ask: Any, target: dict[str, Any]) -> dict[str, Any]:
    """``question``, which fails alone, whatever the target is."""
    try:
        return question(ask, target)
    except Exception as error:
        return {"": {"stage": "connect", "error": "EINVAL", "text": f"{type(error).__name__}: {error}"}}


def _conclusive(attempts: dict[str, Any], first: str) -> bool:
    """Whether the second protocol need not be tried. After status 400 it must: that may mean the wrong protocol."""
    attempt = attempts.get(first)
    return attempt is not None and (attempt["stage"] == "connect" or (attempt["stage"] == "done" and attempt["status"] != 400))


def main() -> None:
    """Read the task as JSON from standard input, and write each fact as one line of JSON."""
    wanted = json.load(sys.stdin)
    ask = types.ModuleType("ask")
    exec(compile(wanted["ask"], "_ask.py", "exec"), ask.__dict__)
    "".encode("idna")  # loads the codec, which may be missing after entering
    lock = threading.Lock()

    def say(**facts: Any) -> None:
        with lock:
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()

    say(entered=enter(wanted["enter"]) if wanted["enter"] else "")
    for number, target in enumerate(wanted["targets"]):
        path = target["address"][len("unix:") :] if target["address"].startswith("unix:") else ""
        if path.startswith("/"):
            say(number=number, walk=walk(path))
    try:
        become(wanted["identity"])
    except OSError as error:
        say(became=error.strerror)
        return
    say(became="")
    numbered = enumerate(wanted["targets"])
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(lambda each: say(number=each[0], attempts=answered(ask, each[1])), numbered))
    os._exit(0)  # without waiting for hanging attempts


if __name__ == "__main__":
    main()
