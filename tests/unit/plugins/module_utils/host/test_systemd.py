# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemctl and journalctl are asked, and how their answers are read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

SHOWN = """\
Id=shop.service
ActiveState=active
MainPID=4711
ExecStart={ path=/usr/bin/uwsgi ; argv[]=/usr/bin/uwsgi --set a=b ; ignore_errors=no }

Id=gone.service
ActiveState=inactive
MainPID=0
"""


@pytest.fixture
def host(monkeypatch):
    """The commands that are run, and the answer that each gets."""
    host = SimpleNamespace(calls=[], answer=(0, SHOWN))

    def run(argv, timeout, limit=None):
        host.calls.append(argv)
        return Completed(tuple(argv), *host.answer)

    monkeypatch.setattr(_systemd, "run", run)
    return host


def test_many_units_are_one_call(host):
    shown = _systemd.show(["shop.service", "", "gone.service", "shop.service"], ["ActiveState", "Id"])
    assert host.calls == [["systemctl", "show", "--property=Id,ActiveState", "--", "gone.service", "shop.service"]]
    assert set(shown) == {"shop.service", "gone.service"}
    assert shown["shop.service"]["ExecStart"].endswith("--set a=b ; ignore_errors=no }")
    assert shown["gone.service"]["ActiveState"] == "inactive"


def test_no_units_are_no_call(host):
    assert _systemd.show([""], ["ActiveState"]) == {}
    assert host.calls == []


def test_a_unit_is_found_by_an_alias(host):
    assert _systemd.properties("alias.service", ["MainPID"])["MainPID"] == "4711"
    assert _systemd.main_pid("alias.service") == 4711


def test_no_systemd_is_no_unit(host):
    host.answer = (1, "System has not been booted with systemd as init system (PID 1). Can't operate.\n")
    assert _systemd.show(["shop.service"], ["MainPID"]) == {}
    assert _systemd.properties("shop.service", ["MainPID"]) == {}
    assert _systemd.main_pid("shop.service") == 0
    assert not _systemd.is_active("shop.service")
    assert _systemd.journal(["_SYSTEMD_UNIT=shop.service"]) == ""


@pytest.mark.parametrize(
    ("state", "active"),
    [("active", True), ("reloading", True), ("activating", False), ("deactivating", False), ("failed", False)],
)
def test_a_unit_that_reloads_is_active(host, state, active):
    host.answer = (0, f"Id=shop.service\nActiveState={state}\n")
    assert _systemd.is_active("shop.service") is active


def test_the_journal_is_asked_for_what_is_written_by_a_unit(host):
    _systemd.journal([_systemd.written_by("nginx")], since=12.9, lines=5)
    sync, asked = host.calls
    assert sync == ["journalctl", "--sync"]
    assert " ".join(asked).endswith("--output cat --lines 5 --since @12 _SYSTEMD_UNIT=nginx.service")


def test_the_journal_with_dates(host):
    _systemd.journal(["SYSLOG_IDENTIFIER=shop"], dated=True, sync=False)
    (asked,) = host.calls
    assert "short-iso" in asked
    assert "--since" not in asked


def test_what_systemd_has_not_read_yet_it_is_asked_to_read_until_it_does(monkeypatch):
    said = "Failed to reload daemon: Refusing to reload, not enough space available on /run/systemd.\n"
    answers = [(0, ""), (1, said), (0, "")]
    calls = []

    def run(argv, **_options):
        calls.append(argv[1])
        return Completed(tuple(argv), *answers.pop(0))

    monkeypatch.setattr(_systemd, "run", run)
    _systemd.start_at_boot(["wsgi-blue@shop.service"])
    with pytest.raises(StackError, match=r"does not read its files again: Failed to reload daemon: Refusing .* on /run/systemd;"):
        _systemd.catch_up()
    _systemd.catch_up()
    _systemd.catch_up()
    assert calls == ["--no-reload", "daemon-reload", "daemon-reload"]
