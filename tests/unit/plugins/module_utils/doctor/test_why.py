# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _why


def test_a_sentence_is_no_command():
    assert _why.is_sentence(_why.then("Restore it", "systemctl restart shop"))
    assert not _why.is_sentence("systemctl restart shop")
    assert _why.then("Restore it", "") == "Restore it."


def test_a_shell_finds_nothing_to_run_in_a_path():
    fix = _why.then("Restore /srv/$(reboot);reboot|`reboot`&reboot", "a && b")
    assert fix == "Restore /srv/?(reboot)?reboot??reboot??reboot, then run: a && b."
