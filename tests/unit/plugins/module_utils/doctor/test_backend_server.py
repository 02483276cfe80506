# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _backend_server


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/run/apps/shop/blue.sock", ("wsgi-blue@shop", "blue")),
        ("/run/apps/shop/green.sock", ("wsgi-green@shop", "green")),
        ("/run/wsgi/shop/blue.sock", None),
        ("/run/apps/shop/red.sock", None),
        ("/run/apps/shop/blue", None),
        # One that has never been live has no file that restores it at boot: only the default directory is known.
        ("/run/wsgi/blog/blue.sock", ("wsgi-blue@blog", "blue")),
        ("/run/apps/blog/blue.sock", None),
    ],
)
def test_a_slot_is_known_wherever_its_runtime_directory_is(monkeypatch, path, found):
    text = "d /run/apps/shop 0750 root www-data -\nL /run/apps/shop/app.sock - - - - blue.sock\n"
    boot = {"/etc/tmpfiles.d/wsgi-live-shop.conf": text}
    monkeypatch.setattr(_backend_server._untrusted, "configuration", lambda name: boot.get(name, ""))
    slot = _backend_server.slot(path)
    assert (slot and (slot[0].instance(slot[1]), slot[1])) == found


SUPERVISED = "supervisorctl restart wsgi-blue@shop"
VASSAL = "touch --no-create /etc/uwsgi/apps-available/wsgi-blue@shop.ini"


@pytest.mark.parametrize(
    ("running", "file", "loaded", "unit", "restart"),
    [
        ("", "", "loaded", "wsgi-blue@shop.service", "systemctl restart wsgi-blue@shop"),
        ("", "vassal", "loaded", "wsgi-emperor.service", VASSAL),
        ("", "vassal", "not-found", "wsgi-emperor.service", VASSAL),
        ("", "program", "not-found", "supervisor.service", SUPERVISED),
        ("supervisor.service", "program", "not-found", "supervisor.service", SUPERVISED),
        ("wsgi-emperor.service", "", "loaded", "wsgi-emperor.service", VASSAL),
        # The app's earlier stack has left a file.
        ("wsgi-blue@shop.service", "vassal", "loaded", "wsgi-blue@shop.service", "systemctl restart wsgi-blue@shop"),
        # Somebody started it in a login session.
        ("session-3.scope", "", "loaded", "wsgi-blue@shop.service", "systemctl restart wsgi-blue@shop"),
    ],
)
def test_a_slot_is_restarted_by_what_runs_it_and_alone(monkeypatch, running, file, loaded, unit, restart):
    layout = _layout.Layout("shop")
    there = {"vassal": layout.vassal("blue"), "program": layout.program("blue")}.get(file)
    monkeypatch.setattr(_backend_server._units, "show", lambda units: {unit: {"LoadState": loaded} for unit in units})
    monkeypatch.setattr(_backend_server._owner._systemd, "is_active", lambda unit: True)
    for name in ("lexists", "exists"):
        monkeypatch.setattr(_backend_server.os.path, name, lambda path: path == there)
    owner = _backend_server.slot_owner(layout, "blue", running)
    assert (owner.unit, owner.restart()) == (unit, restart)
