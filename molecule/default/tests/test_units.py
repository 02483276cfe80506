# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app is to systemd, and who reads its secrets."""

from __future__ import annotations

from conftest import APPS


def test_live_slot_is_a_unit_and_the_idle_one_is_not(host, app, slot):
    live = host.service(f"wsgi-{slot}@{app}.service")
    idle = host.service(f"wsgi-{'green' if slot == 'blue' else 'blue'}@{app}.service")
    assert live.is_running
    assert live.is_enabled
    assert not idle.is_running
    assert not idle.is_enabled


def test_processes_are_the_app_s_user_s(host, app, slot):
    pid = host.check_output("systemctl show --property MainPID --value wsgi-%s@%s.service", slot, app)
    users = host.check_output("ps -o user:32= --pid %s --ppid %s", pid, pid).split()
    assert len(users) > 1
    assert set(users) == {app}


def test_environment_is_secret(host):
    environment = host.file("/srv/wsgi/guestbook/current/run")
    assert "a key that only its app may read" in environment.content_string
    assert environment.mode & 0o007 == 0
    readers = [
        user for user in (*APPS, "www-data", "nobody") if host.run("runuser -u %s -- cat %s", user, environment.path).rc == 0
    ]
    assert readers == ["guestbook"]
