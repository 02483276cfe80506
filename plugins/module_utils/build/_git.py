# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources in git repositories: the commit that a version names, and its files."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.host._environment import dies_with_parent, inherited
from ansible_collections.wsgi.stack.plugins.module_utils.host._redact import CREDENTIALS

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
ASK_TIMEOUT = 60  # seconds
FETCH_TIMEOUT = 1800  # seconds

SCRATCH = "/run"
"""Where deploy keys lie while git runs: in memory, not on a disk."""

# Housekeeping in the foreground, or it would outlive the run; a transfer below 1 kB/s for 60 s is dead.
OPTIONS = ("gc.autoDetach=false", "maintenance.autoDetach=false", "http.lowSpeedLimit=1000", "http.lowSpeedTime=60")

FIXES = (
    ("host key verification failed", "add the host's lines of ssh-keyscan to source.known_hosts"),
    ("permission denied (", "give source.deploy_key a key that may read the repository, or give the host's root one"),
    ("could not read username", "correct source.git, or give the host's root a git credential for it"),
    ("authentication failed", "correct the credentials for source.git"),
    ("not our ref", "correct source.version, which names a commit that is not there"),
    ("dubious ownership", "let root trust it with git config --system --add safe.directory"),
    ("ssl certificate problem", "add the certificate of the authority to the host's /usr/local/share/ca-certificates"),
)


class Repository:
    """A repository as one app reaches it: as root, with root's own SSH and git configuration, or with the app's deploy key.

    :param url: what ``git clone`` would take
    :param environment: as ``access`` gives it
    """

    def __init__(self, url: str, environment: Mapping[str, str]):
        self.url = url
        self.environment = environment

    def resolve(self, version: str) -> str:
        """The id of the commit that a branch, a tag, a full id or a full reference names; a branch comes before a tag.

        A full id is taken as it is, without asking the repository.
        """
        if COMMIT.fullmatch(version):
            return version
        names = [version, f"refs/heads/{version}", f"refs/tags/{version}", f"refs/tags/{version}^{{}}"]
        asked = self._git(["ls-remote", "--", self.url, *names], timeout=ASK_TIMEOUT)
        self._check(asked)
        commit = pick(asked.output, version)
        if commit is None:
            hint = (
                " (a shortened commit id cannot be looked up: give it in full)"
                if re.fullmatch(r"[0-9a-f]{4,63}", version)
                else ""
            )
            raise StackError("source", f"{self.url} has no branch or tag {version}{hint}; correct source.version.", asked.output)
        return commit

    def fetch(self, mirror: str, commit: str, certain: bool) -> None:
        """Bring a bare mirror, which only root can read, up to date.

        :param certain: ``commit`` was given as such, so that a mirror that has it needs nothing from the network
        """
        if os.path.isdir(mirror):
            for lock in glob.glob(os.path.join(glob.escape(mirror), "**", "*.lock"), recursive=True):
                os.unlink(lock)  # of a run that was killed: there is never more than one at a time
        else:
            self._check(self._git(["init", "--quiet", "--bare", mirror], umask=0o077))
        if certain and self._has(mirror, commit):
            return
        # The URL is no part of the mirror's configuration: it may change, and it may contain a password.
        references = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        fetched = self._git(
            ["-C", mirror, "fetch", "--prune", "--force", "--", self.url, *references], FETCH_TIMEOUT, umask=0o077
        )
        self._check(fetched)
        if not self._has(mirror, commit):  # on no branch any more, as a pull request's
            self._check(self._git(["-C", mirror, "fetch", "--", self.url, commit], FETCH_TIMEOUT, umask=0o077))

    def checkout(self, mirror: str, commit: str, target: str) -> None:
        """Lay out the files of a commit, with those of its submodules, and with the history that version numbers come from."""
        self._check(self._git(["clone", "--quiet", "--no-hardlinks", "--no-checkout", "--", mirror, target], FETCH_TIMEOUT))
        self._check(self._git(["-C", target, "checkout", "--quiet", "--detach", commit], FETCH_TIMEOUT))
        if os.path.exists(os.path.join(target, ".gitmodules")):
            self._check(self._git(["-C", target, "remote", "set-url", "origin", self.url]))  # what relative URLs are relative to
            self._check(self._git(["-C", target, "submodule", "--quiet", "update", "--init", "--recursive"], FETCH_TIMEOUT))
        forget_credentials(os.path.join(target, ".git"))  # the app's user is about to get this directory

    def _has(self, mirror: str, commit: str) -> bool:
        return self._git(["-C", mirror, "cat-file", "-e", f"{commit}^{{commit}}"]).code == 0

    def _git(self, arguments: Sequence[str], timeout: float = ASK_TIMEOUT, umask: int = 0o022) -> Completed:
        options = [word for option in OPTIONS for word in ("-c", option)]
        return run(dies_with_parent(["git", *options, *arguments]), environment=self.environment, timeout=timeout, umask=umask)

    def _check(self, completed: Completed) -> None:
        if completed.code:
            raise StackError("source", f"{self.url}: {cause(completed)}", completed.output)


@contextlib.contextmanager
def access(source: Mapping[str, Any], deploy_key: str | None) -> Iterator[Repository]:
    """A repository for as long as its deploy key lies on the host's disk, in a directory in memory that only root can read."""
    environment = {
        **inherited("SSH_AUTH_SOCK", "GIT_SSL_CAINFO"),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        # What ssh would ask is answered with no. For BatchMode, GIT_SSH_COMMAND would override root's core.sshCommand.
        "SSH_ASKPASS": "/bin/false",
        "SSH_ASKPASS_REQUIRE": "force",
    }
    with tempfile.TemporaryDirectory(prefix="wsgi-git-", dir=SCRATCH) as directory:
        options = []
        if deploy_key:
            options += ["IdentitiesOnly=yes", f"IdentityFile={_write(directory, 'key', deploy_key)}"]
        if source["known_hosts"]:
            path = _write(directory, "known_hosts", "".join(f"{line}\n" for line in source["known_hosts"]))
            options += [f"UserKnownHostsFile={path}", "StrictHostKeyChecking=yes"]
        elif deploy_key:
            options += ["StrictHostKeyChecking=accept-new"]
        if options:
            environment["GIT_SSH_COMMAND"] = " ".join(["ssh", *(f"-o {option}" for option in ["BatchMode=yes", *options])])
        yield Repository(source["git"], environment)


def pick(listing: str, version: str) -> str | None:
    """The commit that ``version`` names in the output of ``git ls-remote``; ``^{}`` marks the commit of an annotated tag."""
    found = {}
    for line in listing.splitlines():
        identifier, tab, name = line.partition("\t")
        if tab and COMMIT.fullmatch(identifier):
            found[name] = identifier
    for name in (f"refs/heads/{version}", f"refs/tags/{version}^{{}}", f"refs/tags/{version}", version):
        if name in found:
            return found[name]
    return None


def cause(completed: Completed) -> str:
    """Why git, or ssh below it, failed, and what to do. Pure."""
    if completed.code == 127:
        return "there is no git on the host; install the package git."
    if "cannot run ssh" in completed.output:
        return "there is no ssh on the host; install the package openssh-client."
    lines = [
        line.strip() for line in completed.output.splitlines() if line.strip() and not line.startswith(("Warning:", "hint:"))
    ]
    fatal = next((line for line in reversed(lines) if line.startswith(("fatal:", "error:"))), completed.last_line)
    if "Could not read from remote repository" in fatal:  # why, the other side or ssh has said before
        before = lines[: lines.index(fatal)]
        fatal = next((line for line in before if line.startswith("fatal:")), before[-1] if before else fatal)
    reason = fatal.partition("fatal: ")[2] or fatal
    fix = next((fix for sign, fix in FIXES if sign in reason.lower()), "correct source.git or the host's access to it")
    return f"{reason.rstrip('.')}; {fix}."


def forget_credentials(directory: str) -> None:
    """Take the credentials out of the URLs in the configuration of a repository and of its submodules."""
    for path, _directories, files in os.walk(directory):
        if "config" in files:
            with open(os.path.join(path, "config"), "r+", encoding="utf-8", errors="surrogateescape") as stream:
                content = stream.read()
                stream.seek(0)
                stream.write(CREDENTIALS.sub("", content))
                stream.truncate()


def _write(directory: str, name: str, content: str) -> str:
    path = os.path.join(directory, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(content)
    return path
