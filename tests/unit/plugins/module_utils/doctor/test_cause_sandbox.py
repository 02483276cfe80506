# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence

DROP_IN = "mkdir -p /etc/systemd/system/shop.service.d && printf '[Service]\\n{}\\n' > "


@pytest.mark.parametrize(
    ("unit", "path", "setting"),
    [
        ({}, "/home/shop/app", ""),
        ({"ProtectHome": "yes"}, "/home/shop/app", "ProtectHome=yes"),
        ({"ProtectHome": "tmpfs"}, "/root", "ProtectHome=tmpfs"),
        ({"ProtectHome": "read-only"}, "/home/shop/app", ""),
        ({"ProtectHome": "yes"}, "/homes/shop", ""),
        ({"InaccessiblePaths": "-/srv /opt/"}, "/srv/shop", "InaccessiblePaths=/srv /opt"),
    ],
)
def test_a_path_that_a_unit_does_not_see_is_found(unit, path, setting):
    assert _cause_sandbox.hides(unit, path) == setting


@pytest.mark.parametrize(
    ("unit", "path", "setting"),
    [
        ({}, "/srv/shop", ""),
        ({"ProtectSystem": "strict"}, "/srv/shop", "ProtectSystem=strict"),
        ({"ProtectSystem": "full"}, "/etc/shop", "ProtectSystem=full"),
        ({"ProtectSystem": "full"}, "/srv/shop", ""),
        ({"ProtectSystem": "strict", "ReadWritePaths": "/srv"}, "/srv/shop", ""),
        ({"ProtectSystem": "strict", "RuntimeDirectory": "shop"}, "/run/shop", ""),
        ({"ProtectSystem": "strict"}, "/dev/shm", ""),
        ({"ProtectSystem": "strict"}, "/home/shop", ""),
        ({"ProtectSystem": "strict"}, "/tmp", "ProtectSystem=strict"),
        ({"ProtectSystem": "strict", "PrivateTmp": "yes"}, "/tmp", ""),
        ({"ProtectHome": "read-only"}, "/home/shop", "ProtectHome=read-only"),
        ({"ReadOnlyPaths": "/srv"}, "/srv/shop", "ReadOnlyPaths=/srv"),
    ],
)
def test_a_directory_that_a_unit_may_not_write_to_is_found(unit, path, setting):
    assert _cause_sandbox.locks(unit, path) == setting


@pytest.mark.parametrize(
    ("unit", "path", "uid", "line"),
    [
        ({}, "/srv/shop/app.sock", 1000, None),
        ({"ProtectSystem": "strict"}, "/srv/shop/app.sock", 1000, "ReadWritePaths=/srv/shop"),
        ({"ProtectHome": "yes"}, "/home/shop/app.sock", 1000, r"ProtectHome=read-only\nReadWritePaths=/home/shop"),
        ({"RestrictAddressFamilies": "AF_INET AF_INET6"}, "/run/a.sock", 0, "RestrictAddressFamilies=AF_UNIX"),
        ({"RestrictAddressFamilies": "AF_INET AF_UNIX"}, "/run/a.sock", 0, None),
        ({"RestrictAddressFamilies": "~AF_PACKET"}, "/run/a.sock", 0, None),
        ({"RestrictAddressFamilies": "AF_INET"}, "127.0.0.1:8000", 1000, None),
        ({}, "127.0.0.1:81", 1000, "AmbientCapabilities=CAP_NET_BIND_SERVICE"),
        ({}, "127.0.0.1:81", 0, None),
        ({"AmbientCapabilities": "cap_net_bind_service"}, "127.0.0.1:81", 1000, None),
        ({"CapabilityBoundingSet": "cap_chown"}, "127.0.0.1:81", 1000, ""),
    ],
)
def test_a_socket_that_a_unit_forbids_has_a_lasting_fix(monkeypatch, unit, path, uid, line):
    monkeypatch.setattr(_cause_sandbox._untrusted, "text_or_none", lambda _path: "1024\n")
    found = _cause_sandbox.why_no_socket({"Id": "shop.service", **unit}, path, uid)
    assert (found is None) == (line is None)
    if found:
        assert found.fix.startswith(DROP_IN.format(line)) if line else is_sentence(found.fix)


def test_what_a_unit_sees_is_no_cause():
    unit = {"Id": "shop.service", "InaccessiblePaths": "/srv"}
    assert _cause_sandbox.why_hidden(unit, "/opt/shop", "its program") is None
    assert is_sentence(_cause_sandbox.why_hidden(unit, "/srv/shop", "its program").fix)


DENY = {"IPAddressDeny": "::/0 0.0.0.0/0"}


@pytest.mark.parametrize(
    ("unit", "address", "code", "line"),
    [
        ({}, "127.0.0.1:8000", "refused", None),
        ({"PrivateNetwork": "yes"}, "10.0.0.5:8000", "refused", "PrivateNetwork=no"),
        ({"PrivateNetwork": "yes"}, "127.0.0.1:8000", "no_answer", None),  # systemd listens for it
        ({"PrivateNetwork": "yes"}, "unix:/run/a.sock", "refused", None),
        (DENY, "127.0.0.1:8000", "no_answer", "IPAddressAllow=localhost"),
        (DENY, "localhost:8000", "connect_timeout", "IPAddressAllow=localhost"),
        (DENY, "[::1]:8000", "no_answer", "IPAddressAllow=localhost"),
        (DENY, "127.0.0.1:8000", "refused", None),
        ({**DENY, "IPAddressAllow": "127.0.0.0/8 ::1/128"}, "127.0.0.1:8000", "no_answer", None),
        ({"IPAddressDeny": "10.0.0.0/8"}, "127.0.0.1:8000", "no_answer", None),
        (DENY, "10.0.0.5:8000", "no_answer", None),
        (DENY, "app.test:8000", "no_answer", None),
        (DENY, "unix:/run/a.sock", "no_answer", None),
    ],
)
def test_a_unit_that_keeps_nginx_from_its_server_has_a_lasting_fix(unit, address, code, line):
    found = _cause_sandbox.why_unreached({"Id": "shop.service", **unit}, address, code)
    assert (found is None) == (line is None)
    assert found is None or found.fix.startswith(DROP_IN.format(line))
