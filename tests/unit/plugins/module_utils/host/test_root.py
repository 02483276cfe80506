# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said where root is needed."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _root


class Ended(Exception):
    """The module has ended."""


class Module:
    """As much of AnsibleModule as is needed."""

    _name = "wsgi.stack.rollout"

    def fail_json(self, msg):
        raise Ended(msg)


def test_root_may_go_on(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    _root.require_root(Module())


def test_another_user_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 33)
    expected = f"wsgi.stack.rollout: runs as the user {_accounts.user_name(33)} and needs root; set become: true"
    with pytest.raises(Ended, match=expected):
        _root.require_root(Module())
