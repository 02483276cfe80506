# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be seen of sockets from where another process stands: in its mount namespace, under its root, as its user.

The file stands alone, so that its text can be run as a program of its own. It changes its own namespaces and identity and
does not come back from that, so nothing but that program calls ``main``.
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
"""How many symbolic links the kernel follows in one path before it says ELOOP, see path_resolution(7)."""

AT_ONCE = 64
"""How many sockets are asked at the same time: that is waiting, not computing."""

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000


def walk(path: str) -> list[dict[str, Any]]:
    """Every component that the kernel looks at on its way to a path, in its order, symbolic links step by step.

    :returns: of each its ``path``, its ``kind`` (``directory``, ``link``, ``socket``, ``file``, ``other``), mode, owner, group,
        the ``acl`` as the kernel keeps it in hexadecimal digits, the ``target`` of a link, and ``last`` where the path ends
        here; or ``error``, the name of an errno, where the way ends
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
    except OSError:  # there is none, or the file system has no such thing
        return ""


def enter(pids: list[int]) -> str:
    """Take over the mount and network namespaces and the root of the first of some processes that lets itself be entered.

    Without CAP_SYS_PTRACE, as root is in many containers, only processes of one's own user do: nginx's main process for its
    workers, which have the same namespaces.

    :returns: why it was not possible, "" if it was
    """
    why = ""
    for pid in pids:
        opened: list[int] = []
        try:
            opened = [os.open(f"/proc/{pid}/{name}", os.O_RDONLY) for name in ("ns/mnt", "ns/net", "root")]
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
    # os.setns has come with Python 3.12.
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, kind):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become(identity: dict[str, Any]) -> None:
    """Take over a user's ids and groups, if they are not one's own.

    :raises PermissionError: that takes CAP_SETUID
    """
    if os.geteuid() == 0:
        os.setgroups(identity["groups"])
        os.setresgid(identity["gid"], identity["gid"], identity["gid"])
        os.setresuid(identity["uid"], identity["uid"], identity["uid"])
    elif os.geteuid() != identity["uid"]:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def question(ask: Any, target: dict[str, Any]) -> dict[str, Any]:
    """Connect to a socket, send a request, and send it in the other protocol if there is no HTTP answer in the first.

    The second request begins at half the time at the latest, when the first one is ended for the server, but not for us: a
    server that has understood it and is slow still answers, and one that waits for the rest of it hears that there is none.

    :param ask: the module _ask
    :param target: ``address``, ``protocols``, of which the first one is tried first, none: only connect; ``uri``, ``host``,
        ``method``, ``timeout`` in seconds
    :returns: the attempts made, by protocol, as ``_ask.attempt`` returns them; without a protocol under ""
    """
    began = time.monotonic()
    rest = {name: target[name] for name in ("address", "uri", "host", "method")}
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
    begin(protocol=first, timeout=left(), patience=left() / 2, impatient=lambda: news.put(("", None)))
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
    late = {"stage": "answer", "error": "ETIMEDOUT", "words": "timed out"}
    return {name: attempts.get(name, late) for name in (first, other) if name in begun}


def _conclusive(attempts: dict[str, Any], first: str) -> bool:
    """Whether a second protocol can add nothing to the first one. What is called a bad request may be the wrong protocol."""
    attempt = attempts.get(first)
    return attempt is not None and (attempt["stage"] == "connect" or (attempt["stage"] == "done" and attempt["status"] != 400))


def main() -> None:
    """Read what to do from the standard input and write a line of JSON for each thing that is found out."""
    wanted = json.load(sys.stdin)
    ask = types.ModuleType("ask")
    exec(compile(wanted["ask"], "_ask.py", "exec"), ask.__dict__)
    "".encode("idna")  # there may be no Python where we go
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
        list(pool.map(lambda each: say(number=each[0], attempts=question(ask, each[1])), numbered))
    os._exit(0)  # without waiting for attempts that hang


if __name__ == "__main__":
    main()
