# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _warnings


def test_secrets_beside_a_socket(tmp_path, monkeypatch):
    monkeypatch.setattr(_warnings._walk, "refusals", lambda *rest: [])
    monkeypatch.setattr(_warnings._walk, "editor", lambda *rest: 0)
    files = {
        ".env": ("KEY=1", 0o644),
        ".env.example": ("KEY=1", 0o644),
        "site.key": ("x", 0o640),
        "settings.py": ("SECRET_KEY = 'abcdefgh'\n", 0o644),
        "local_settings.py": ("DEBUG = False\n", 0o644),
        "chain.pem": ("-----BEGIN CERTIFICATE-----", 0o644),
        "key.pem": ("-----BEGIN PRIVATE KEY-----", 0o644),
        "notes.txt": ("password: abcdefgh", 0o644),
    }
    for name, (text, mode) in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    found = _warnings._secrets(f"{tmp_path}/a.sock", None, True)
    assert [each["fix"] for each in found] == [f"chmod o= {tmp_path}/{name}" for name in (".env", "key.pem", "settings.py")]


@pytest.mark.parametrize(
    ("text", "name", "mode"),
    [
        ("DIR_MODE=0755\n", "DIR_MODE", 0o755),
        ("# Default: DIR_MODE=0700\n#DIR_MODE=0700\n", "DIR_MODE", 0o700),
        ("HOME_MODE\t0750\n", "HOME_MODE", 0o750),
        ("UMASK 022\n", "HOME_MODE", None),
    ],
)
def test_the_mode_of_new_homes(text, name, mode):
    assert _warnings.home_mode(text, name) == mode
