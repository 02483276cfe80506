# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Sources in git repositories: the commit that a version names, and its files.

git runs as a user of its own, who has the credentials of one source, and neither root's keys nor root's configuration.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _credentials, _files, _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._environment import inherited
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import FILES

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
ASK_TIMEOUT = 60  # seconds
FETCH_TIMEOUT = 1800  # seconds

# Housekeeping in the foreground, or it would be killed; a transfer below 1 kB/s for 60 s is dead. A repository on the host may
# belong to any user.
CONFIGURATION = f"""
[gc]
autoDetach = false
[maintenance]
autoDetach = false
[http]
lowSpeedLimit = 1000
lowSpeedTime = 60
[safe]
directory = *
[credential]
helper = store --file={FILES}/git-credentials
[filter "lfs"]
clean = git-lfs clean -- %f
smudge = git-lfs smudge -- %f
process = git-lfs filter-process
required = true
"""

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": f"{FILES}/.gitconfig",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    # What ssh would ask is answered with no.
    "SSH_ASKPASS": "/bin/false",
    "SSH_ASKPASS_REQUIRE": "force",
}

# A commit that was given as such, and that the mirror has, needs nothing from the network. One on no branch any more, as a pull
# request's, is fetched by its id. The URL is no part of the mirror's configuration: it may change. Files in Git LFS, and
# submodules whose URL is relative, come from there.
FETCH = """
url=$1 commit=$2 certain=$3 mirror=$4 target=$5
has() { git -C "$mirror" cat-file -e "$commit^{commit}" 2>/dev/null; }
if [ -d "$mirror" ]; then
    find "$mirror" -name '*.lock' -delete  # of a run that was killed: there is never more than one at a time
else
    git init --quiet --bare "$mirror"
fi
if [ -z "$certain" ] || ! has; then
    git -C "$mirror" fetch --prune --force -- "$url" '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*'
    has || git -C "$mirror" fetch -- "$url" "$commit"
fi
git clone --quiet --no-hardlinks --no-checkout -- "$mirror" "$target"
git -C "$target" remote set-url origin "$url"
git -C "$target" config lfs.storage "${mirror%/*}/lfs"
git -C "$target" checkout --quiet --detach "$commit"
if [ -e "$target/.gitmodules" ]; then
    git -C "$target" submodule --quiet update --init --recursive
fi
"""

FIXES = (
    ("host key verification failed", "add the host's lines of ssh-keyscan to source.known_hosts"),
    ("permission denied (", "give source.deploy_key a key that may read the repository"),
    ("could not read username", "correct source.git, or put credentials for it into the URL"),
    ("authentication failed", "correct the credentials in source.git"),
    ("not our ref", "correct source.version, which names a commit that is not there"),
    ("no space left on device", "free some space on the host"),
    ("disk quota exceeded", "free some space on the host"),
    ("no user exists for uid", "install the package libnss-systemd"),
    ("does not appear to be a git repository", "correct source.git; a repository on the host has to be readable for all users"),
    ("ssl certificate problem", "add the certificate of the authority to the host's /usr/local/share/ca-certificates"),
)


class Repository:
    """The repository of one app, as a user of its own reaches it.

    :param app: the app, as resolved
    :param deploy_key: the only SSH key that is used, if there is one
    :param check: whether nothing may be left on the host
    """

    def __init__(self, app: App, deploy_key: str | None, check: bool = False):
        self.app = app
        self.url = _credentials.without(str(app["source"]["git"]))
        self.keeps = not check or os.path.isdir(_layout.of(app).source_cache[0])
        access = ssh(deploy_key, app["source"]["known_hosts"], self._cache)
        self.files = {**files([str(app["source"]["git"])]), **access.files}
        # By HOME, git-lfs finds the configuration: where a repository is a directory, it calls git without any variable of git's.
        self.environment = {**inherited("GIT_SSL_CAINFO"), **ENVIRONMENT, "HOME": FILES, "GIT_SSH_COMMAND": access.command}

    def resolve(self, version: str) -> str:
        """The id of the commit that a branch, a tag, a full id or a full reference names; a branch comes before a tag.

        A full id is taken as it is, without asking the repository.
        """
        if COMMIT.fullmatch(version):
            return version
        names = [version, f"refs/heads/{version}", f"refs/tags/{version}", f"refs/tags/{version}^{{}}"]
        asked = self._run(self.sandbox(), ["git", "ls-remote", "--", self.url, *names], ASK_TIMEOUT)
        commit = pick(asked.output, version)
        if commit is None:
            hint = (
                " (a shortened commit id cannot be looked up: give it in full)"
                if re.fullmatch(r"[0-9a-f]{4,63}", version)
                else ""
            )
            raise StackError("source", f"{self.url} has no branch or tag {version}{hint}; correct source.version.", asked.output)
        return commit

    def fetch(self, commit: str, certain: bool, target: str) -> None:
        """Lay out the files of a commit, with those of its submodules, and with the history that version numbers come from.

        :param certain: ``commit`` was given as such, so that a mirror that has it needs nothing from the network
        :param target: an empty directory, which is given to the user of git
        """
        arguments = [self.url, commit, "certain" if certain else "", f"{self._cache}/repository.git", target]
        sandbox = self.sandbox(_layout.build_unit(_layout.SOURCE, self.app["name"]), (target,))
        self._run(sandbox, ["sh", "-euc", FETCH, "sh", *arguments], FETCH_TIMEOUT)

    def sandbox(self, name: str = "", owned: tuple[str, ...] = ()) -> _sandbox.Sandbox:
        """Where git runs."""
        purpose = _layout.SOURCE if self.keeps else ""
        return _sandbox.own_user(f"Source of the WSGI application {self.app['name']}", purpose, self.app["name"], name, owned)

    @property
    def _cache(self) -> str:
        """Where git's user keeps the mirror, and the host keys that it has seen."""
        return _layout.of(self.app).source_cache[1] if self.keeps else FILES

    def _run(self, sandbox: _sandbox.Sandbox, command: Sequence[str], timeout: float) -> Completed:
        done = sandbox.run([command], self.environment, timeout=timeout, files=self.files)
        if done.code:
            raise StackError("source", f"{self.url}: {cause(done)}", done.output)
        return done


def installed() -> bool:
    """Whether the host has all that it takes to reach a repository; ssh runs for no user without a name (nss-systemd(8))."""
    return bool(shutil.which("git") and shutil.which("ssh") and glob.glob("/usr/lib/*/libnss_systemd.so.2"))


@dataclass(frozen=True)
class Access:
    """How git reaches repositories over SSH.

    :ivar files: the files of the sandbox
    :ivar command: the value of GIT_SSH_COMMAND
    """

    files: dict[str, str]
    command: str


def ssh(deploy_key: str | None, known_hosts: Sequence[str] | None, cache: str) -> Access:
    """Access with one key or none. Pure.

    :param known_hosts: the only keys of hosts that are accepted, if given
    :param cache: where the keys of hosts are kept that were accepted the first time
    """
    options = ["BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none"]
    options += [f"IdentityFile={FILES}/key" if deploy_key else "IdentityFile=none"]
    if known_hosts:
        options += [f"UserKnownHostsFile={FILES}/known_hosts", "StrictHostKeyChecking=yes"]
    else:
        options += [f"UserKnownHostsFile={cache}/known_hosts", "StrictHostKeyChecking=accept-new"]
    found = {
        **({"key": deploy_key} if deploy_key else {}),
        **({"known_hosts": "".join(f"{line}\n" for line in known_hosts)} if known_hosts else {}),
    }
    return Access(found, " ".join(["ssh", *(f"-o {option}" for option in options)]))


def files(urls: Sequence[str]) -> dict[str, str]:
    """The files that git has in a sandbox, see ``ENVIRONMENT``.

    :param urls: those whose credentials it may use
    """
    return {".gitconfig": CONFIGURATION, "git-credentials": _credentials.git_store(urls)}


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
    if re.search("git-lfs: (command )?not found", completed.output):
        return "it has files in Git LFS, and there is no git-lfs on the host; add git-lfs to system_packages."
    lines = [
        line.strip() for line in completed.output.splitlines() if line.strip() and not line.startswith(("Warning:", "hint:"))
    ]
    # The first is the cause, what comes after it the consequences: submodules are fetched twice.
    first = next((line for line in lines if line.startswith(("fatal:", "error:"))), completed.last_line)
    if "Could not read from remote repository" in first:  # why, the other side or ssh has said before
        first = next(reversed(lines[: lines.index(first)]), first)
    first = next((line for line in lines if line.startswith("Error downloading object: ")), first)
    first = next(filter(_files.NO_SPACE.search, lines), first)
    reason = re.sub("^(fatal|error): ", "", first)
    submodule = re.search("^fatal: clone of '(.*)' into submodule path '.*' failed$", completed.output, re.MULTILINE)
    if submodule and submodule[1] not in reason:
        reason = f"submodule {submodule[1]}: {reason}"
    fix = next((fix for sign, fix in FIXES if sign in reason.lower()), "correct source.git or the host's access to it")
    return f"{reason.rstrip('.')}; {fix}."
