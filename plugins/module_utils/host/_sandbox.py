# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Running programs as other users. Nothing else in the collection does.

Code that is not trusted runs in a transient unit of systemd, with which all ends that it starts. So does every program that runs
as the user of an app: the app's own processes can change what such a program does, see ptrace(2).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import shlex
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import BASE_ENVIRONMENT, TIMED_OUT, Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.host._environment import dies_with_parent

GRACE = 30
"""Seconds after the time limit until systemd ends a unit that is still there."""

OUTPUT = 1 << 19
"""Bytes of what untrusted programs print that are kept, unless the caller says otherwise."""

CACHES = "/var/cache"

FILES = "/run/wsgi-files"
"""Where a sandbox finds the files that it is given: in memory, and nowhere but in its own view of the file system."""

ATTEMPTS = 3
"""How often a unit is started that does not begin."""

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

BESIDE_A_SLOT = {"RemoveIPC": "no"}
"""What a unit must not do that runs as an app's user beside a slot. Under the Emperor and supervisor systemd does not know that
the slot has that user, too, and would remove whatever it has in /dev/shm when the unit ends."""

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
    # What installs a package runs programs that it has just unpacked or compiled. Only in this unit, and for its own /tmp alone:
    # hosts are told to mount theirs with noexec, which the unit's would have, too.
    "ExecPaths": "/tmp /var/tmp",
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
    :ivar prefix: the beginning of each command
    """

    description: str
    properties: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    cache: str = ""
    owned: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()

    def run(
        self,
        commands: Sequence[Sequence[str]],
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        timeout: float | None = None,
        files: Mapping[str, str] | None = None,
        limit: int = OUTPUT,
    ) -> Completed:
        """Run commands one after the other, up to the first that fails. When this returns, none of their processes is left.

        :param environment: variables in addition to PATH and LANG; no other user can read them
        :param timeout: seconds after which everything is killed; None for no limit
        :param files: contents by name, for files in the directory ``FILES``
        :param limit: bytes of the output that are kept, see ``_command.Kept``
        """
        properties = {**_COMMON, **self.properties, "Description": self.description}
        if files:
            properties["TemporaryFileSystem"] = f"{properties.get('TemporaryFileSystem', '')} {FILES}:mode=1777".strip()
        if timeout is not None:
            properties["RuntimeMaxSec"] = str(int(timeout) + GRACE)
        options = [f"--property={key}={value}" for key, value in properties.items()] + [*self._ownership()]
        prefixed = [[*self.prefix, *each] for each in commands]
        variables = {**BASE_ENVIRONMENT, **(environment or {})}
        first = tuple(commands[0])
        for _attempt in range(ATTEMPTS):
            name, mark = self.name or f"wsgi-sandbox-{uuid.uuid4().hex[:16]}", uuid.uuid4().hex
            text = script(prefixed, variables, directory, files or {}, mark)
            command = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit={name}", *options]
            shell = ["/bin/sh", "-c", _SHELL, str(len(text))]
            with _pipe(text) as stdin:
                done = run(dies_with_parent([*command, *shell]), stdin=stdin, timeout=timeout, umask=0o077, limit=limit)
            begun, output, ended = marked(done.output, mark)
            if done.code == TIMED_OUT:
                stop(name)
                return Completed(first, TIMED_OUT, f"{output.rpartition(chr(10))[0]}\nit did not end within {timeout:g} s")
            if begun or done.code:
                break
            # If systemd reads its files again at the wrong moment, systemd-run takes a unit that waits for one that has ended.
            stop(name)
        else:
            return Completed(first, 1, f"systemd did not start {name}.service")
        code = ended if done.code == 0 else 128 - done.code if done.code in SIGNALLED else done.code
        return Completed(first, code, output)

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


def with_empty(sandbox: Sandbox, path: str) -> Sandbox:
    """The same sandbox with an empty directory in place of another one: in memory, for everybody, and gone with the unit."""
    properties = sandbox.properties
    places = f"{properties.get('TemporaryFileSystem', '')} {path}:mode=1777".strip()
    return replace(sandbox, properties={**properties, "TemporaryFileSystem": places})


def as_app(description: str, user: str, group: str, name: str, writable: Sequence[str], privileged: bool = False) -> Sandbox:
    """A sandbox in which an app's user may do what it may in a slot.

    :param writable: where it may write
    :param privileged: whether it may start programs with privileges of their own
    """
    paths = " ".join(map(_quoted, writable))
    lifted = PRIVILEGED if privileged else {}
    identity = {"User": user, "Group": group, "ReadWritePaths": paths}
    return Sandbox(description, {**RESTRICTIONS, **lifted, **BESIDE_A_SLOT, **identity}, name)


def as_ids(description: str, uid: int, gid: int) -> Sandbox:
    """A sandbox with the ids of a process, which need not be in the user database, and that can write nowhere."""
    # systemd itself runs nothing as a user that it does not know.
    identity = ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--inh-caps=-all", "--")
    properties = {**RESTRICTIONS, "CapabilityBoundingSet": "CAP_SETGID CAP_SETUID"}
    return Sandbox(description, properties, prefix=identity)


def run_own(argv: Sequence[str], user: str, timeout: float, stdin: bytes | None = None) -> Completed:
    """Run a program of the host's own as a user that no app runs as, such as nginx's, without a unit, which would take longer.

    Nobody but root may be able to replace the program or anything that it loads.

    :param user: the present one if this process is not root's
    :raises KeyError: there is no such user
    """
    account = pwd.getpwnam(user)
    identity = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
    privileges = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--pdeathsig=KILL", "--"]
    command = ["setpriv", *identity, *privileges, *argv] if os.geteuid() == 0 else argv
    return run(command, environment={"HOME": account.pw_dir, "USER": user}, timeout=timeout, stdin=stdin, limit=OUTPUT)


def stop(name: str) -> None:
    """End a unit that an earlier run may have left, with all its processes."""
    run(["systemctl", "stop", f"{name}.service"])


def script(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], directory: str, files: Mapping[str, str], mark: str
) -> bytes:
    """What the shell in a sandbox runs. Pure.

    :param mark: what begins the first and the last line that it prints itself, see ``marked``
    """
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines += [f"printf %s {shlex.quote(content)} >{FILES}/{name} || exit" for name, content in files.items()]
    lines += [
        "umask 022",
        f"cd {shlex.quote(directory)} 2>/dev/null || {{ {_closed(directory)}; exit 126; }}",
        _WATCH + " &&\n".join(map(shlex.join, commands)),
        "code=$?",
        f"echo {mark} $code",
        "exit $code",
        "",
    ]
    return "\n".join(["umask 077", f"echo {mark}", *lines]).encode("utf-8", "surrogateescape")


def _closed(directory: str) -> str:
    """Shell commands that name the first of the directories on the way to one which lets the sandbox's user not through. Pure."""
    parts = directory.strip("/").split("/")
    places = shlex.join("/" + "/".join(parts[: count + 1]) for count in range(len(parts)))
    told = '"the user $(id -un) cannot enter $each ($(stat -c "%U:%G %a" "$each" 2>&1)); run chmod o+x $each"'
    return f'for each in {places}; do [ -x "$each" ] || {{ echo {told}; break; }}; done'


def marked(output: str, mark: str) -> tuple[bool, str, int]:
    """Whether the shell in a sandbox has begun, what its commands printed, and the exit code that it saw, 1 without one. Pure."""
    before, begun, printed = output.partition(f"{mark}\n")
    printed, ended, after = printed.rpartition(f"{mark} ")
    if not ended:
        return bool(begun), before + after, 1
    code, _newline, later = after.partition("\n")
    return True, before + printed + later, int(code) if re.fullmatch("[0-9]{1,3}", code) else 1


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
        **{name: _OWN_USER[name] for name in ("DynamicUser", "ExecPaths", "PrivateIPC", "ProtectProc", "TemporaryFileSystem")},
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
    command = ["sh", "-c", 'exec "$@" >"$0"', output, *service, *limit, "sh", "-s"]
    completed = run(command, stdin=braced.encode(), timeout=timeout + 2 * GRACE, limit=OUTPUT)
    if completed.code == TIMED_OUT:
        return Completed(completed.argv, TIMED_OUT, f"{completed.output}\nit did not end within {timeout} s")
    return completed
