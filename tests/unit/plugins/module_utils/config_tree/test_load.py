# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree import _load
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._load import Loader
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

RUNS, STOPPED = {"ActiveState": "active", "MainPID": "7"}, {"ActiveState": "inactive", "MainPID": "0"}
LOG = "2026/11/20 12:59:08 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)\n"


class Unit:
    """A systemd unit whose states follow each other."""

    def __init__(self, monkeypatch, *states, code=0, said="See systemctl status.\n"):
        self.states = list(states)
        self.calls = []
        self.code = code
        self.said = said
        monkeypatch.setattr(_load._systemd, "properties", lambda _unit, _names: self.states.pop(0))
        monkeypatch.setattr(_load._systemd, "journal", lambda *_arguments, **_options: LOG)
        monkeypatch.setattr(_load, "run", self.run)

    def run(self, argv, **_options):
        self.calls.append(" ".join(argv))
        return Completed(tuple(argv), self.code, self.said if self.code else "")


@pytest.mark.parametrize(
    ("state", "stopped", "due"),
    [
        (RUNS, False, False),
        ({**RUNS, "UnitFileState": "disabled"}, False, True),
        ({**RUNS, "ActiveState": "reloading"}, False, False),
        (STOPPED, True, True),
        ({}, True, True),
    ],
)
def test_a_unit_that_is_stopped_or_disabled_has_to_be_started(monkeypatch, state, stopped, due):
    Unit(monkeypatch, state, state)
    assert (Loader("demo", "demo.service", []).stopped, Loader("demo", "demo.service", []).due) == (stopped, due)


def test_without_a_unit_nothing_has_to_be_started():
    loader = Loader("demo", None, [["true"]])
    assert (loader.stopped, loader.due, bool(loader)) == (False, False, True)
    assert not Loader("demo", None, [])


def test_a_disabled_unit_is_enabled_and_started(monkeypatch):
    unit = Unit(monkeypatch, {**STOPPED, "UnitFileState": "disabled"}, RUNS)
    Loader("demo", "demo.service", []).load()
    assert unit.calls == ["systemctl enable --quiet demo.service", "systemctl reload-or-restart demo.service"]


def test_a_failed_start_names_the_cause_in_the_journal(monkeypatch):
    Unit(monkeypatch, STOPPED, code=1)
    with pytest.raises(StackError, match=r"failed: bind\(\) to 0.0.0.0:80 failed \(98: Address already in use\); the files are"):
        Loader("demo", "demo.service", []).load()


def test_a_masked_unit_is_to_be_unmasked(monkeypatch):
    Unit(monkeypatch, STOPPED, code=1, said="Failed to reload-or-restart demo.service: Unit demo.service is masked.\n")
    with pytest.raises(StackError, match=r"^demo.service is masked; run systemctl unmask demo.service, then run the play again"):
        Loader("demo", "demo.service", []).load()


def test_a_unit_that_exits_at_once_is_a_failure(monkeypatch):
    Unit(monkeypatch, STOPPED, STOPPED)
    with pytest.raises(StackError, match=r"demo.service exited after its start, see journalctl -u demo.service; the files are"):
        Loader("demo", "demo.service", []).load()
