# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose identity is taken."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _nginx_process, _processes
from ansible_collections.wsgi.stack.plugins.module_utils.host._nginx_process import Master
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _identity

# The line of the groups ends with a blank, see proc(5).
STATUS = "Name:\tnginx\nPPid:\t812\nNSpid:\t{pids}\nUid:\t33\t33\t33\t33\nGid:\t33\t33\t33\t33\nGroups:\t33 997 \n"


def fields(pids="900"):
    return _processes.status_fields(STATUS.format(pids=pids).splitlines())


def test_user_and_groups_are_those_of_the_process():
    found = _identity.parsed(fields(), 900)
    assert (found.uid, found.gid, found.groups, found.source, found.pid) == (33, 33, (33, 997), "process", 900)
    assert found.has(997)
    assert not found.has(998)


def test_the_youngest_worker_of_the_first_nginx_is_taken(monkeypatch):
    monkeypatch.setattr(_nginx_process, "masters", lambda: [Master(812), Master(700), Master(600)])
    monkeypatch.setattr(_nginx_process, "workers", {812: [], 700: [720, 701], 600: [601]}.__getitem__)
    monkeypatch.setattr(_processes, "status", lambda pid: fields(str(pid)))
    found = _identity.of_workers()
    assert (found.pid, found.parent) == (720, 700)
    assert found.note.endswith("the workers of process 700, not those of 600.")


def test_without_a_worker_there_is_no_identity(monkeypatch):
    monkeypatch.setattr(_nginx_process, "masters", lambda: [Master(812)])
    monkeypatch.setattr(_nginx_process, "workers", lambda _pid: [])
    assert _identity.of_workers() is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user www-data;\nworker_processes auto;", ["www-data"]),
        ("  user  web  adm; # not root", ["web", "adm"]),
        ("# user nobody;\nevents {}", []),
    ],
)
def test_the_user_of_a_configuration(text, words):
    assert _identity.user_directive(text) == words


def test_a_user_that_does_not_exist_is_refused():
    with pytest.raises(StackError, match="there is no user nobody-at-all on this host"):
        _identity.of_user("nobody-at-all")
    with pytest.raises(StackError, match="there is no group none-such on this host"):
        _identity.of_user("root", "none-such")


def test_a_process_that_is_gone_is_refused():
    with pytest.raises(StackError, match="there is no process 4194305"):
        _identity.of_process(2**22 + 1)


def test_the_identity_of_this_process():
    found = _identity.of_process(os.getpid())
    assert (found.uid, found.gid) == (os.getuid(), os.getgid())
