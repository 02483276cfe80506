# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host shows of an app."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _state
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._health import Answer
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._state import ObservedApp, Slot

RUNS = ("uwsgi",)
EMPEROR = ("uwsgi_emperor",)


class FakeManager:
    """A process manager with instances by slot."""

    def __init__(self, **instances):
        self.instances = instances

    def states(self, names):
        return {name: self.instances.get(name.partition("@")[0][5:], Instance()) for name in names}


@pytest.mark.parametrize(
    ("units", "vassals", "answers", "slot"),
    [
        pytest.param({}, {}, False, Slot(), id="nothing runs"),
        pytest.param(
            {"blue": Instance(True, True, enabled=True, pid=7)}, {}, True, Slot(RUNS, RUNS, None, True, ("of 7",)), id="a unit"
        ),
        pytest.param(
            {},
            {"blue": Instance(True, True, enabled=True, pid=8)},
            True,
            Slot(EMPEROR, EMPEROR, None, True, ("of 8",)),
            id="a vassal",
        ),
        pytest.param(
            {},
            {"blue": Instance(True, False, enabled=True)},
            True,
            Slot(EMPEROR, EMPEROR, None, False),
            id="a vassal that is not ready",
        ),
        pytest.param(
            {"blue": Instance(True, True)},
            {"blue": Instance(True, True)},
            True,
            Slot(RUNS + EMPEROR, (), None, True),
            id="under both",
        ),
        pytest.param({"blue": Instance(True, True)}, {}, False, Slot(RUNS, (), None, False), id="no answer"),
    ],
)
def test_a_slot_is_looked_for_under_every_process_manager(monkeypatch, tmp_path, units, vassals, answers, slot):
    source = {"git": "https://git.example.com/shop.git"}
    (app,) = _resolve.resolve(
        [{"name": "shop", "source": source, "entry_point": "shop:app"}], runtime_directory=str(tmp_path), directory=str(tmp_path)
    )
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/app.sock").symlink_to("blue.sock")
    managers = {"uwsgi": lambda: FakeManager(**units), "uwsgi_emperor": lambda: FakeManager(**vassals)}
    monkeypatch.setattr(_state, "MANAGERS", managers)
    monkeypatch.setattr(_state._health, "check", lambda targets, _user, _timeout: [Answer(answers, "")] * len(targets))
    monkeypatch.setattr(_state._processes, "replaced", lambda pid: [f"of {pid}"] if pid else [])
    assert _state.observe([ObservedApp.of(app)], "www-data")["shop"].slots == {"blue": slot, "green": Slot()}


@pytest.mark.parametrize(
    ("socket", "asked", "slot"),
    [
        pytest.param(True, [], Slot(EMPEROR, EMPEROR, 3, True, asleep=True), id="it is not woken"),
        pytest.param(False, ["blue.sock"], Slot(EMPEROR, EMPEROR, 3, False), id="its socket is gone"),
    ],
)
def test_a_slot_that_sleeps_is_well_if_its_socket_is_there(monkeypatch, tmp_path, socket, asked, slot):
    (app,) = _resolve.resolve(
        [{"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app"}],
        runtime_directory=str(tmp_path / "run"),
        directory=str(tmp_path),
    )
    (tmp_path / "run/shop").mkdir(parents=True)
    (tmp_path / "shop/slots").mkdir(parents=True)
    (tmp_path / "shop/slots/blue").symlink_to("../releases/3")
    (tmp_path / "shop/releases/3").mkdir(parents=True)
    (tmp_path / "shop/releases/3/release.json").write_text('{"idle": 60}')
    if socket:
        (tmp_path / "run/shop/blue.sock").touch()
    blue = Instance(True, True, enabled=True, waiting=True)
    managers = {"uwsgi": FakeManager, "uwsgi_emperor": lambda: FakeManager(blue=blue)}
    monkeypatch.setattr(_state, "MANAGERS", managers)
    targets = []
    monkeypatch.setattr(
        _state._health,
        "check",
        lambda given, _user, _timeout: targets.extend(given) or [Answer(False, "")] * len(given),
    )
    assert _state.observe([ObservedApp.of(app)], "www-data")["shop"].slots["blue"] == slot
    assert [path.rpartition("/")[2] for _request, path, _protocol in targets] == asked
