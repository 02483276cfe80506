# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of repositories: which commit, how it is reached, and what git says when it is not."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _git
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.tests import sandbox
from ansible_collections.wsgi.stack.tests.apps import resolved

A, B, C = ("a" * 40, "b" * 40, "c" * 40)
UNREADABLE = "Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand so on.\n"


@pytest.mark.parametrize(
    ("listing", "version", "commit"),
    [
        (f"{A}\tHEAD\n{B}\trefs/heads/main\n", "HEAD", A),
        (f"{A}\trefs/heads/v1\n{B}\trefs/tags/v1\n", "v1", A),
        (f"{B}\trefs/tags/v1\n{C}\trefs/tags/v1^{{}}\n", "v1", C),
        (f"{B}\trefs/tags/v1\n", "v1", B),
        (f"{B}\trefs/pull/3/head\n", "refs/pull/3/head", B),
        (f"{B}\trefs/heads/feature/main\n", "main", None),
        ("Warning: Permanently added 'host' to the list of known hosts.\n", "main", None),
    ],
)
def test_branches_come_before_tags_and_tags_are_peeled(listing, version, commit):
    assert _git.pick(listing, version) == commit


@pytest.mark.parametrize(
    ("code", "output", "wanted"),
    [
        (128, "fatal: repository 'https://x/' not found\n", "repository 'https://x/' not found; correct source.git"),
        (
            128,
            "Warning: Permanently added 'h' to the list of known hosts.\ngit@h: Permission denied (publickey).\r\nfatal: "
            + UNREADABLE,
            "git@h: Permission denied (publickey); give source.deploy_key",
        ),
        (
            128,
            "Host key verification failed.\nfatal: " + UNREADABLE,
            "Host key verification failed; add the host's lines of ssh-keyscan to source.known_hosts.",
        ),
        (
            128,
            f"fatal: detected dubious ownership in repository at '/x'\nTo add an exception, call:\n\tgit\nfatal: {UNREADABLE}",
            "detected dubious ownership in repository at '/x'; correct source.git",
        ),
        (
            128,
            "fatal: could not read Username for 'https://x': terminal prompts disabled\n",
            "put credentials for it into the URL",
        ),
        (128, "No user exists for uid 63739\nfatal: " + UNREADABLE, "install the package libnss-systemd."),
        (
            128,
            "error: file write error: No space left on device\nfatal: unable to write loose object file\n",
            "file write error: No space left on device; free some space on the host.",
        ),
        (
            128,
            "git@h: Permission denied (publickey).\r\nfatal: "
            + UNREADABLE
            + "fatal: clone of 'git@h:b.git' into submodule path '/x/sub' failed\nFailed to clone 'sub'. Retry scheduled\n"
            + "git@h: Permission denied (publickey).\r\nfatal: "
            + UNREADABLE
            + "fatal: clone of 'git@h:b.git' into submodule path '/x/sub' failed\n"
            + "Failed to clone 'sub' a second time, aborting\n",
            "submodule git@h:b.git: git@h: Permission denied (publickey); give source.deploy_key",
        ),
        (128, "fatal: remote error: upload-pack: not our ref aaaa\n", "correct source.version"),
        (124, "\ngit did not end within 60 s", "git did not end within 60 s; correct"),
        (127, "git: no such file or directory", "install the package git."),
        (
            128,
            "git-lfs filter-process: 1: git-lfs: not found\nerror: packet write with format failed\n",
            "it has files in Git LFS, and there is no git-lfs on the host; add git-lfs to system_packages.",
        ),
        (
            128,
            "Error downloading object: a.png (8ee28df): Smudge error: x\nerror: external filter failed\n",
            "Error downloading object: a.png (8ee28df): Smudge error: x; correct source.git",
        ),
        (128, "error: cannot run ssh: No such file or directory\nfatal: unable to fork\n", "install the package openssh-client."),
    ],
)
def test_the_decisive_line_becomes_the_cause(code, output, wanted):
    assert wanted in _git.cause(Completed(("git",), code, output))


def repository(url="https://git.example.com/shop.git", key=None, **source):
    return _git.Repository(resolved(source={"git": str(url), **source}), key)


def test_ssh_has_the_apps_own_key_or_none():
    options = repository(key="KEY\n", known_hosts=["host ssh-ed25519 AAAA"])
    command = options.environment["GIT_SSH_COMMAND"]
    assert "IdentityFile=/run/wsgi-files/key" in command
    assert "UserKnownHostsFile=/run/wsgi-files/known_hosts -o StrictHostKeyChecking=yes" in command
    assert (options.files["key"], options.files["known_hosts"]) == ("KEY\n", "host ssh-ed25519 AAAA\n")
    command = repository().environment["GIT_SSH_COMMAND"]
    assert "IdentitiesOnly=yes -o IdentityAgent=none -o IdentityFile=none" in command
    assert "UserKnownHostsFile=/var/cache/wsgi-source/shop/known_hosts -o StrictHostKeyChecking=accept-new" in command


def test_the_credentials_of_a_url_are_in_a_file_for_its_own_host():
    found = repository("https://reader:hunter22@git.example.com:8443/shop.git")
    assert found.url == "https://git.example.com:8443/shop.git"
    assert found.files["git-credentials"] == "https://reader:hunter22@git.example.com:8443\n"
    assert found.environment["GIT_CONFIG_GLOBAL"] == "/run/wsgi-files/.gitconfig"
    assert "--file=/run/wsgi-files/git-credentials" in found.files[".gitconfig"]
    assert "hunter22" not in str(found.environment)
    assert repository("ssh://git:hunter22@host/x.git").url == "ssh://git@host/x.git"


def test_check_mode_keeps_nothing():
    found = _git.Repository(resolved(source={"git": "/x"}), None, check=True)
    assert found.sandbox().cache == ""
    assert "UserKnownHostsFile=/run/wsgi-files/known_hosts" in found.environment["GIT_SSH_COMMAND"]


def git(directory, *arguments):
    settings = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "init.defaultBranch=main"]
    settings += ["-c", "protocol.file.allow=always"]
    command = ["git", "-C", str(directory), *settings, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    """A repository with a commit, an annotated tag for it, and a commit after it; git runs without a sandbox."""
    (tmp_path / "files").mkdir()
    sandbox.replace(monkeypatch, tmp_path / "files")
    monkeypatch.setattr(_layout, "cache", lambda _purpose, _name: (str(tmp_path / "cache"), str(tmp_path / "cache")))
    (tmp_path / "cache").mkdir()
    directory = tmp_path / "upstream"
    directory.mkdir()
    git(directory, "init", "-q")
    (directory / "app.py").write_text("one")
    git(directory, "add", ".")
    git(directory, "commit", "-qm", "one")
    git(directory, "tag", "-a", "v1", "-m", "v1")
    (directory / "app.py").write_text("two")
    git(directory, "commit", "-qam", "two")
    return directory


def fetch(found, commit, certain, target):
    target.mkdir()
    found.fetch(commit, certain, str(target))
    return (target / "app.py").read_text()


def test_a_mirror_is_made_brought_up_to_date_and_outlives_a_killed_run(upstream, tmp_path):
    found, mirror = repository(upstream), tmp_path / "cache/repository.git"
    tagged = found.resolve("v1")
    assert tagged == git(upstream, "rev-parse", "v1^{}")
    assert fetch(found, tagged, False, tmp_path / "one") == "one"
    (upstream / "app.py").write_text("three")
    git(upstream, "commit", "-qam", "three")
    newest = found.resolve("HEAD")
    (mirror / "packed-refs.lock").touch()
    (mirror / "refs/heads/main.lock").touch()
    assert fetch(found, newest, False, tmp_path / "three") == "three"
    assert git(tmp_path / "three", "describe").startswith("v1-2-g")


def test_a_commit_that_the_mirror_has_needs_no_repository(upstream, tmp_path):
    found = repository(upstream)
    commit = found.resolve("HEAD")
    fetch(found, commit, False, tmp_path / "out")
    gone = repository(tmp_path / "gone")
    assert gone.resolve(commit) == commit
    assert fetch(gone, commit, True, tmp_path / "again") == "two"
    with pytest.raises(StackError, match="gone"):
        fetch(gone, commit, False, tmp_path / "never")


def test_a_commit_on_no_branch_is_found(upstream, tmp_path):
    commit = git(upstream, "commit-tree", "HEAD^{tree}", "-m", "aside")
    git(upstream, "update-ref", "refs/pull/1/head", commit)
    found = repository(upstream)
    assert found.resolve("refs/pull/1/head") == commit
    assert fetch(found, commit, True, tmp_path / "out") == "two"


def test_a_version_that_is_not_there_is_named(upstream):
    with pytest.raises(StackError, match=r"no branch or tag v9; correct source\.version"):
        repository(upstream).resolve("v9")
    with pytest.raises(StackError, match="shortened commit id"):
        repository(upstream).resolve("abcdef12")


def test_submodules_come_along(upstream, tmp_path, monkeypatch):
    git(upstream, "submodule", "--quiet", "add", str(upstream), "library")
    git(upstream, "commit", "-qam", "library")
    monkeypatch.setattr(_git, "CONFIGURATION", f'{_git.CONFIGURATION}[protocol "file"]\nallow = always\n')
    found = repository(upstream)
    fetch(found, found.resolve("HEAD"), False, tmp_path / "out")
    assert (tmp_path / "out/library/app.py").exists()
