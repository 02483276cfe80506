# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of repositories: which commit, how it is reached, and what git says when it is not."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _git
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

A, B, C = ("a" * 40, "b" * 40, "c" * 40)
UNREADABLE = "Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand so on.\n"
SOURCE = {"git": "https://git.example.com/shop.git", "known_hosts": None}


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
            "detected dubious ownership in repository at '/x'; let root trust it with git config --system",
        ),
        (128, "fatal: could not read Username for 'https://x': terminal prompts disabled\n", "a git credential"),
        (128, "fatal: remote error: upload-pack: not our ref aaaa\n", "correct source.version"),
        (124, "\ngit did not end within 60 s", "git did not end within 60 s; correct"),
        (127, "git: no such file or directory", "install the package git."),
        (128, "error: cannot run ssh: No such file or directory\nfatal: unable to fork\n", "install the package openssh-client."),
    ],
)
def test_the_decisive_line_becomes_the_cause(code, output, wanted):
    assert wanted in _git.cause(Completed(("git",), code, output))


def test_the_deploy_key_lies_in_a_directory_of_roots_while_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(_git, "SCRATCH", str(tmp_path))
    with _git.access({**SOURCE, "known_hosts": ["host ssh-ed25519 AAAA"]}, "KEY\n") as repository:
        command = repository.environment["GIT_SSH_COMMAND"]
        (directory,) = tmp_path.iterdir()
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE((directory / "key").stat().st_mode) == 0o600
        assert (directory / "key").read_text() == "KEY\n"
        assert (directory / "known_hosts").read_text() == "host ssh-ed25519 AAAA\n"
    assert "IdentitiesOnly=yes" in command
    assert "StrictHostKeyChecking=yes" in command
    assert list(tmp_path.iterdir()) == []


def test_without_key_and_known_hosts_roots_own_ssh_configuration_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(_git, "SCRATCH", str(tmp_path))
    with _git.access(SOURCE, None) as repository:
        assert "GIT_SSH_COMMAND" not in repository.environment
        assert repository.environment["SSH_ASKPASS_REQUIRE"] == "force"
    with _git.access(SOURCE, "KEY") as repository:
        assert "StrictHostKeyChecking=accept-new" in repository.environment["GIT_SSH_COMMAND"]


def git(directory, *arguments):
    settings = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "init.defaultBranch=main"]
    settings += ["-c", "protocol.file.allow=always"]
    command = ["git", "-C", str(directory), *settings, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def upstream(tmp_path):
    """A repository with a commit, an annotated tag for it, and a commit after it."""
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


def test_a_mirror_is_made_brought_up_to_date_and_outlives_a_killed_run(upstream, tmp_path):
    mirror, repository = str(tmp_path / "mirror.git"), _git.Repository(str(upstream), {})
    tagged = repository.resolve("v1")
    assert tagged == git(upstream, "rev-parse", "v1^{}")
    repository.fetch(mirror, tagged, certain=False)
    assert stat.S_IMODE(os.stat(mirror).st_mode) == 0o700
    (upstream / "app.py").write_text("three")
    git(upstream, "commit", "-qam", "three")
    newest = repository.resolve("HEAD")
    open(os.path.join(mirror, "packed-refs.lock"), "w").close()
    open(os.path.join(mirror, "refs/heads/main.lock"), "w").close()
    repository.fetch(mirror, newest, certain=False)
    repository.checkout(mirror, newest, str(tmp_path / "three"))
    assert (tmp_path / "three/app.py").read_text() == "three"
    assert git(tmp_path / "three", "describe").startswith("v1-2-g")


def test_a_commit_that_the_mirror_has_needs_no_repository(upstream, tmp_path):
    mirror, repository = str(tmp_path / "mirror.git"), _git.Repository(str(upstream), {})
    commit = repository.resolve("HEAD")
    repository.fetch(mirror, commit, certain=False)
    gone = _git.Repository(str(tmp_path / "gone"), {})
    assert gone.resolve(commit) == commit
    gone.fetch(mirror, commit, certain=True)
    with pytest.raises(StackError, match="gone"):
        gone.fetch(mirror, commit, certain=False)


def test_a_commit_on_no_branch_is_found(upstream, tmp_path):
    commit = git(upstream, "commit-tree", "HEAD^{tree}", "-m", "aside")
    git(upstream, "update-ref", "refs/pull/1/head", commit)
    repository = _git.Repository(str(upstream), {})
    assert repository.resolve("refs/pull/1/head") == commit
    repository.fetch(str(tmp_path / "mirror.git"), commit, certain=True)
    repository.checkout(str(tmp_path / "mirror.git"), commit, str(tmp_path / "out"))
    assert (tmp_path / "out/app.py").read_text() == "two"


def test_a_version_that_is_not_there_is_named(upstream):
    with pytest.raises(StackError, match=r"no branch or tag v9; correct source\.version"):
        _git.Repository(str(upstream), {}).resolve("v9")
    with pytest.raises(StackError, match="shortened commit id"):
        _git.Repository(str(upstream), {}).resolve("abcdef12")


def test_submodules_come_along_and_credentials_do_not_stay(upstream, tmp_path, monkeypatch):
    git(upstream, "submodule", "--quiet", "add", str(upstream), "library")
    git(upstream, "commit", "-qam", "library")
    monkeypatch.setattr(_git, "OPTIONS", (*_git.OPTIONS, "protocol.file.allow=always"))
    mirror, repository = str(tmp_path / "mirror.git"), _git.Repository(str(upstream), {})
    commit = repository.resolve("HEAD")
    repository.fetch(mirror, commit, certain=False)
    repository.checkout(mirror, commit, str(tmp_path / "out"))
    assert (tmp_path / "out/library/app.py").exists()
    path = tmp_path / "out/.git/config"
    path.write_text('[remote "origin"]\n\turl = https://user:hunter22@host/x.git\n')
    _git.forget_credentials(str(tmp_path / "out/.git"))
    assert "url = https://host/x.git" in path.read_text()
