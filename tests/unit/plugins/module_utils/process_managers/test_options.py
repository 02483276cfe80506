# SPDX-License-Identifier: GPL-3.0-or-later
"""Drop-ins of units: what is in them, when they are there, and when systemd is told."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _options

CLOSED = {"writable_paths": [], "privileged_programs": False}
PATHS = {"writable_paths": ["/mnt/a", "/mnt/b"], "privileged_programs": False}


def test_a_release_that_needs_nothing_has_no_drop_in():
    assert _options.of_unit(CLOSED) == _options.of_emperor(CLOSED) == ""


def test_directories_are_opened_and_mounted_first():
    assert _options.of_unit(PATHS) == (
        f"{_options.HEAD}[Unit]\nRequiresMountsFor=/mnt/a /mnt/b\n\n[Service]\nReadWritePaths=/mnt/a /mnt/b\n"
    )


def test_the_emperor_starts_without_a_directory_of_one_app():
    assert _options.of_emperor(PATHS) == f"{_options.HEAD}[Service]\nReadWritePaths=-/mnt/a -/mnt/b\n"


def test_privileged_programs_keep_the_protection_of_the_system():
    lines = _options.of_unit({**CLOSED, "privileged_programs": True}).splitlines()
    assert lines[1] == "[Service]"
    assert {"NoNewPrivileges=no", "CapabilityBoundingSet=~", "ProtectSystem=full"} <= {*lines}
    assert not [line for line in lines if line.startswith(("ReadWritePaths", "PrivateTmp", "ProtectHome", "User"))]


@pytest.mark.parametrize("need", ["yes", "no"])
def test_systemd_reads_again_what_differs_from_what_it_has_read(monkeypatch, tmp_path, need):
    calls = []
    monkeypatch.setattr(_options._systemd, "reload", lambda: calls.append("reload"))
    monkeypatch.setattr(_options._systemd, "properties", lambda unit, names: {"NeedDaemonReload": need})
    monkeypatch.setattr(_options._files, "File", _options._files.Link)  # whose owner need not be root
    path = tmp_path / "wsgi-blue@shop.service.d" / "wsgi.conf"
    wanted = ["reload"] if need == "yes" else []
    _options.write(str(path), "wsgi-blue@shop.service", "")
    assert calls == []
    _options.write(str(path), "wsgi-blue@shop.service", "text")
    assert path.is_symlink()
    assert calls == wanted
    _options.write(str(path), "wsgi-blue@shop.service", "")
    assert not path.parent.exists()
    assert calls == wanted * 2
