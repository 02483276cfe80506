# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _facts
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import read

SITE = {"name": "shop", "mode": "self_signed", "domains": ["a.test"], "apps": ["shop"], "on_host": False, "port": 443}


def test_what_nginx_still_presents(tmp_path, monkeypatch):
    root = str(tmp_path / "tls")
    enabled = tmp_path / "enabled"
    enabled.mkdir()
    monkeypatch.setattr(_presented, "SITES", str(enabled))
    _presented.present(SITE, root=root)
    chain = f"{root}/shop/live/fullchain.pem"
    current = read(chain, "").fingerprint
    monkeypatch.setattr(_facts, "served", lambda _port, _name: b"former")
    assert _facts.outdated([SITE], root) == []  # not configured yet
    (enabled / "shop.conf").write_text(f"ssl_certificate {chain};")
    assert _facts.outdated([SITE], root) == ["shop"]
    for shown in (current, b""):
        monkeypatch.setattr(_facts, "served", lambda _port, _name, shown=shown: shown)
        assert _facts.outdated([SITE], root) == []


NGINX = "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.8 7 Feb 2023 (running with OpenSSL 3.0.15 3 Sep 2024)\n"
SAME = "nginx version: nginx/1.26.3 (Ubuntu)\nbuilt with OpenSSL 3.5.0 8 Apr 2025\n"
POLICY = "nginx:\n  Installed: (none)\n  Candidate: 1.18.0-6.1+deb11u3\n"


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({"nginx": (0, NGINX)}, {"nginx": "1.22.1", "openssl": "3.0.15"}),
        ({"nginx": (0, SAME)}, {"nginx": "1.26.3", "openssl": "3.5.0"}),
        (
            {"nginx": (127, ""), "apt-cache": (0, POLICY), "openssl": (0, "OpenSSL 1.1.1w  11 Sep 2023\n")},
            {"nginx": "1.18.0", "openssl": "1.1.1"},
        ),
        ({"nginx": (127, ""), "apt-cache": (100, ""), "openssl": (127, "")}, {}),
    ],
)
def test_the_versions_are_those_of_nginx_or_of_what_would_be_installed(monkeypatch, outputs, expected):
    monkeypatch.setattr(_facts, "run", lambda argv, **_options: Completed(tuple(argv), *outputs[argv[0]]))
    assert _facts.versions() == expected
