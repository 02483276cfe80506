# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _clock
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._clock import Clock

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (0, None),
        (100, None),
        (-50, None),
        (-100, "100 seconds behind"),
        (200, "3 minutes ahead of"),
        (-7300, "2 hours behind"),
        (400 * 86400, "400 days ahead of"),
    ],
)
def test_a_clock_that_differs_from_the_controllers_is_found(ahead, words):
    found = _clock.judge(Clock(NOW + ahead), NOW)
    assert [finding.code for finding in found] == ["clock"] * bool(words)
    assert words is None or words in found[0].message


@pytest.mark.parametrize(
    ("clock", "fix"),
    [
        (Clock(synchronized=False), "apt-get install -y systemd-timesyncd"),
        (Clock(synchronized=False, installed="systemd-timesyncd.service"), "systemctl enable --now systemd-timesyncd"),
        (Clock(synchronized=False, service="chrony.service", installed="chrony.service"), None),
        (Clock(synchronized=False, container=True), None),
        (Clock(), None),
    ],
)
def test_a_clock_that_nothing_sets_is_noted(clock, fix):
    assert [(finding.severity, finding.fix) for finding in _clock.judge(clock, 0)] == ([("note", fix)] if fix else [])


def test_a_container_has_the_clock_of_its_host():
    (found,) = _clock.judge(Clock(NOW, container=True), NOW - 1000)
    assert found.fix == "Set the clock of the machine that this container runs on."
