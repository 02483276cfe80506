# SPDX-License-Identifier: GPL-3.0-or-later
"""Running code that is not trusted: in a transient unit of systemd, with which all ends that it starts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import BASE_ENVIRONMENT, TIMED_OUT, Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.host._environment import dies_with_parent

GRACE = 30
"""Seconds after the time limit until systemd ends a unit that is still there."""

CACHES = "/var/cache"

FILES = "/run/wsgi-files"
"""Where a sandbox finds the files that it is given: in memory, and nowhere but in its own view of the file system."""

SHARED_MEMORY, SHARED_LOCKS = "/dev/shm", "/run/lock"
"""Directories in which every user of a host may leave files for others."""

SIGNALLED = range(129, 193)
"""The exit codes by which a shell tells that a program was killed by a signal."""

RESTRICTIONS = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "read-only",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "RemoveIPC": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
    "SystemCallErrorNumber": "EPERM",
}
"""What a slot's unit forbids the app, so that whatever else runs as the app's user is forbidden it, too."""

PRIVILEGED = {
    "NoNewPrivileges": "no",
    "CapabilityBoundingSet": "~",
    "ProtectSystem": "full",
    "PrivateDevices": "no",
    "ProtectClock": "no",
    "ProtectHostname": "no",
    "ProtectKernelLogs": "no",
    "ProtectKernelModules": "no",
    "ProtectKernelTunables": "no",
    "RestrictAddressFamilies": "",
    "RestrictNamespaces": "no",
    "RestrictRealtime": "no",
    "RestrictSUIDSGID": "no",
    "LockPersonality": "no",
    "SystemCallArchitectures": "",
    "SystemCallFilter": "",
}
"""What lets an app start programs with setuid, setgid or capabilities of their own. These need the capabilities, and write where
their user may. Each of the others would imply NoNewPrivileges in systemd 252, see systemd.exec(5)."""

_COMMON = {
    "Type": "exec",
    "KillSignal": "SIGKILL",  # what is left when the commands have ended gets no time to do anything
    "TimeoutStopSec": "10",
    "LimitCORE": "0",
}

# If memory is short, a build ends before an app does; if the processor is, the apps go first.
_LIMITS = {"OOMScoreAdjust": "500", "TasksMax": "4096", "CPUWeight": "50", "IOWeight": "50"}

_OWN_USER = {
    **{name: value for name, value in RESTRICTIONS.items() if not name.startswith("SystemCall")},
    **_LIMITS,
    "DynamicUser": "yes",
    "PrivateIPC": "yes",
    "ProtectProc": "invisible",
    "TemporaryFileSystem": f"{SHARED_MEMORY}:mode=1777 {SHARED_LOCKS}:mode=1777",
    "CacheDirectoryMode": "0700",
}

# The script comes from a pipe, since all users can read arguments and the variables of a unit. The other end of the pipe is held
# by the process that wants the result: when that has gone, the shell is killed, and the unit ends with it.
_SHELL = 'eval "$(/usr/bin/head -c "$0")"'
_WATCH = "exec 3<&0 </dev/null\n(/bin/cat <&3; kill -KILL $$) >/dev/null 2>&1 &\nexec 3<&-\n"


@dataclass(frozen=True)
class Sandbox:
    """A kind of transient unit, see systemd.exec(5).

    :ivar description: what is done in it
    :ivar properties: of the unit
    :ivar name: the unit's, if there is never more than one at a time; without it, each has its own
    :ivar cache: a directory below ``/var/cache`` that belongs to the unit's user and is kept
    :ivar owned: paths that are given to the unit's user, who can write there, with all that is in them
    """

    description: str
    properties: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    cache: str = ""
    owned: tuple[str, ...] = ()

    def run(
        self,
        commands: Sequence[Sequence[str]],
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        timeout: float | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run commands one after the other, up to the first that fails. When this returns, none of their processes is left.

        :param environment: variables in addition to PATH and LANG; no other user can read them
        :param timeout: seconds after which everything is killed; None for no limit
        :param files: contents by name, for files in the directory ``FILES``
        """
        name = self.name or f"wsgi-sandbox-{uuid.uuid4().hex[:16]}"
        properties = {**_COMMON, **self.properties, "Description": self.description}
        if files:
            properties["TemporaryFileSystem"] = f"{properties.get('TemporaryFileSystem', '')} {FILES}:mode=1777".strip()
        if timeout is not None:
            properties["RuntimeMaxSec"] = str(int(timeout) + GRACE)
        options = [f"--property={key}={value}" for key, value in properties.items()] + [*self._ownership()]
        text = script(commands, {**BASE_ENVIRONMENT, **(environment or {})}, directory, files or {})
        command = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit={name}", *options]
        with _pipe(text) as stdin:
            done = run(
                dies_with_parent([*command, "/bin/sh", "-c", _SHELL, str(len(text))]), stdin=stdin, timeout=timeout, umask=0o077
            )
        first = tuple(commands[0])
        if done.code == TIMED_OUT:
            stop(name)
            return Completed(first, TIMED_OUT, f"{done.output.rpartition(chr(10))[0]}\nit did not end within {timeout:g} s")
        code = 128 - done.code if done.code in SIGNALLED else done.code
        return Completed(first, code, done.output)

    def _ownership(self) -> Iterator[str]:
        if self.cache:
            yield f"--property=CacheDirectory={self.cache}"
        for path in self.owned:
            yield f"--property=ReadWritePaths={_quoted(path)}"
            # What an earlier unit was given, it may have opened to others: root changes nothing in there any more.
            if os.lstat(path).st_uid == 0:
                yield f"--property=ExecStartPre=+/bin/chown -R -h --reference={CACHES}/{self.cache} {_quoted(path)}"


def own_user(
    description: str, purpose: str = "", app: str = "", name: str = "", owned: tuple[str, ...] = (), network: bool = True
) -> Sandbox:
    """A sandbox with a user that nothing else runs as, who can write nowhere but to its cache and to what is given to it.

    :param purpose: with ``app``, what the user and the cache are for: they are the same each time; another each time if not given
    :param network: whether it may use the network; with it, it reaches the abstract sockets of all users, see unix(7)
    """
    properties = dict(_OWN_USER)
    if not network:
        properties["PrivateNetwork"] = "yes"
    if purpose:
        # No name of an app, which might be that of an account of the host.
        digest = hashlib.sha256(f"{purpose} {app}".encode()).hexdigest()[:16]
        properties["User"] = f"_wsgi-{digest}"
    return Sandbox(description, properties, name, f"{purpose}/{app}" if purpose else "", owned)


def as_app(description: str, user: str, group: str, name: str, writable: Sequence[str], privileged: bool = False) -> Sandbox:
    """A sandbox in which an app's user may do what it may in a slot.

    :param writable: where it may write
    :param privileged: whether it may start programs with privileges of their own
    """
    paths = " ".join(map(_quoted, writable))
    lifted = PRIVILEGED if privileged else {}
    return Sandbox(description, {**RESTRICTIONS, **lifted, "User": user, "Group": group, "ReadWritePaths": paths}, name)


def stop(name: str) -> None:
    """End a unit that an earlier run may have left, with all its processes."""
    run(["systemctl", "stop", f"{name}.service"])


def script(commands: Sequence[Sequence[str]], environment: Mapping[str, str], directory: str, files: Mapping[str, str]) -> bytes:
    """What the shell in a sandbox runs. Pure."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines += [f"printf %s {shlex.quote(content)} >{FILES}/{name} || exit" for name, content in files.items()]
    lines += [
        "umask 022",
        f"cd {shlex.quote(directory)} || exit 126",
        _WATCH + " &&\n".join(map(shlex.join, commands)),
        "exit",
        "",
    ]
    return "\n".join(["umask 077", *lines]).encode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _pipe(content: bytes) -> Iterator[int]:
    """A pipe with some content, as long as the block lasts: who reads it does not come to its end before."""
    reading, writing = os.pipe()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError):
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(writing, rest) :]

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield reading
    finally:
        os.close(reading)  # who still writes gets an error then
        writer.join()
        os.close(writing)


def _quoted(path: str) -> str:
    """A path as a word of a unit's setting."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def run_script(text: str, output: str, timeout: int, network: bool = False) -> Completed:
    """Run a shell script in a transient systemd service, see DynamicUser= in systemd.exec(5).

    It starts in an empty ``/tmp`` of its own and can write nowhere else.

    :param text: its stdin is empty, its descriptor 3 is ``output``, and its stdout and stderr are in the result
    :param output: a file that belongs to root; created or overwritten
    :param timeout: seconds after which it is killed
    :param network: whether it may use the network
    """
    properties = {
        **{name: _OWN_USER[name] for name in ("DynamicUser", "PrivateIPC", "ProtectProc", "TemporaryFileSystem")},
        "WorkingDirectory": "/tmp",
        "PrivateNetwork": "no" if network else "yes",
        "RuntimeMaxSec": str(timeout + GRACE),
        "UMask": "0022",
    }
    service = [
        "systemd-run",
        "--quiet",
        "--wait",
        "--pipe",
        "--collect",
        *(f"-p{key}={value}" for key, value in properties.items()),
    ]
    limit = ["timeout", f"--kill-after={GRACE}", str(timeout)]
    # In braces, so that the shell reads all of it before it runs any of it.
    braced = f"{{\nset -eu\nexec 3>&1 >&2 </dev/null\n{text}\nexit\n}}\n"
    completed = run(
        ["sh", "-c", 'exec "$@" >"$0"', output, *service, *limit, "sh", "-s"], stdin=braced.encode(), timeout=timeout + 2 * GRACE
    )
    if completed.code == TIMED_OUT:
        return Completed(completed.argv, TIMED_OUT, f"{completed.output}\nit did not end within {timeout} s")
    return completed
