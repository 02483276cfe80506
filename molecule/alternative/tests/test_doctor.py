# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor knows the apps wherever they are."""

from __future__ import annotations

import json

from conftest import RUNTIME_DIRECTORY, ansible, name


def findings(host) -> list[dict]:
    _heading, _arrow, result = ansible("ansible", name(host), "--become", "--module-name=wsgi.stack.doctor_info").partition(
        " => "
    )
    return json.JSONDecoder().raw_decode(result)[0]["findings"]


def test_nothing_is_found_but_that_the_firewall_was_left_alone(host):
    (found,) = findings(host)
    assert (found["code"], found["fix"]) == ("firewall", "ufw allow 443/tcp && ufw allow 8080/tcp && ufw allow 8443/tcp")


def test_a_slot_that_was_stopped_is_found(host):
    slot = host.file(f"{RUNTIME_DIRECTORY}/native/app.sock").linked_to.rpartition("/")[2].removesuffix(".sock")
    unit = f"wsgi-{slot}@native.service"
    # Its socket, too, which would start it with the next request.
    host.check_output("systemctl stop %s %s", unit.replace(".service", ".socket"), unit)
    try:
        found = [finding for finding in findings(host) if finding["site"] == "native.test"]
    finally:
        host.check_output("systemctl start %s", unit)
    assert "unit_stopped" in [finding["code"] for finding in found], found
    assert any(finding["fix"].startswith(f"systemctl enable --now wsgi-{slot}@native.socket") for finding in found), found
