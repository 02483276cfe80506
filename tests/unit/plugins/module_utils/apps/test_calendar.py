# SPDX-License-Identifier: GPL-3.0-or-later
"""Calendar events. What systemd itself says of each of these was looked at with ``systemd-analyze calendar``."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _calendar


@pytest.mark.parametrize(
    "event",
    [
        "daily",
        "Hourly UTC",
        "Mon",
        "Mon..Fri 03:30",
        "Sat,Mon..Tue 10:00",
        "monday 10:00 Europe/Berlin",
        "*:0/15",
        "0/2:00",
        "*-*-01,15 04:00",
        "*-*~1",
        "Mon *-05~07/1",
        "2026-11-20 10:00:00.5",
        "11-20",
        "00,12:30",
        "10:00:00/3.5",
        "Mon 10:00 CET",
    ],
)
def test_a_calendar_event(event):
    assert _calendar.valid(event)


@pytest.mark.parametrize(
    "event",
    [
        "",
        "every day",
        "0 3 * * *",
        "@daily",
        "10",
        "24:00",
        "23:60",
        "10:00:60",
        "*:*/15",
        "*/2:00",
        "*:0/0",
        "*-13-01",
        "*-*-32",
        "Fri..Mon 10:00",
        "5..1:00",
        "10:00 Mon",
        "5m",
        "1969-01-01",
        "UTC",
        "Mon\u00a010:00",
        "Mon\n10:00",
    ],
)
def test_no_calendar_event(event):
    assert not _calendar.valid(event)
