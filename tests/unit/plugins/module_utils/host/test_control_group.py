# SPDX-License-Identifier: GPL-3.0-or-later
"""The control group of a service: where it is, and what is in it."""

from __future__ import annotations

import os

from ansible_collections.wsgi.stack.plugins.module_utils.host import _control_group


def test_a_group_is_found_beside_version_1_too(tmp_path, monkeypatch):
    monkeypatch.setattr(_control_group, "ROOTS", (str(tmp_path), str(tmp_path / "unified")))
    found = {"ControlGroup": "/system.slice/a.service"}
    monkeypatch.setattr(_control_group._systemd, "properties", lambda unit, names: found)
    group = tmp_path / "unified/system.slice/a.service"
    group.mkdir(parents=True)
    assert _control_group.directory("a.service") is None
    (group / "cgroup.freeze").write_text("0\n")
    assert _control_group.directory("a.service") == str(group)
    found.clear()
    assert _control_group.directory("a.service") is None


def test_members_are_named_even_if_they_have_ended(tmp_path):
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n4194305\n")
    found = _control_group.members(str(tmp_path))
    assert [(pid, parent) for (pid, _start), parent in found.items()] == [(os.getpid(), os.getppid()), (4194305, None)]
    assert _control_group.members(str(tmp_path / "none")) == {}
