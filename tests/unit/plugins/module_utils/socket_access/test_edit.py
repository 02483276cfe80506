# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _edit


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("[uwsgi]\nchdir = /srv\n", "/^\\[uwsgi\\]/a buffer-size = 32768"),
        ("[uwsgi]\nbuffer-size=4096\n", "s#^[[:space:]]*buffer-size[[:space:]]*=.*#buffer-size = 32768#"),
        ("[other]\n", None),
    ],
)
def test_an_option_is_set_as_the_owner_of_the_file(tmp_path, monkeypatch, text, script):
    path = tmp_path / "shop.ini"
    path.write_text(text)
    monkeypatch.setattr(_edit._walk, "editor", lambda steps, step: 1)
    found = _edit.set_option(str(path), "buffer-size", "32768")
    assert found == (f"runuser -u daemon -- sed -i '{script}' {path}" if script else "")


def test_what_could_be_somebody_elses_by_then_is_not_edited(tmp_path, monkeypatch):
    path = tmp_path / "shop.ini"
    path.write_text("[uwsgi]\n")
    monkeypatch.setattr(_edit._walk, "editor", lambda steps, step: None)
    assert _edit.set_option(str(path), "buffer-size", "32768") == ""
    monkeypatch.setattr(_edit._walk, "editor", lambda steps, step: 0)
    assert _edit.set_option(str(path), "buffer-size", "1; reboot") == ""
